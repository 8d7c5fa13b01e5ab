"""TODO pgsluice.pipeline.validate.bans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import psycopg
from psycopg import sql

from pgsluice.model import TableName
from pgsluice.pipeline.scratch import BAN, LOST, OFF, SAID, clean_slate
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.unique import note_lost
from pgsluice.pipeline.validate.violations import Offenders
from pgsluice.postgres.capabilities import foreign_keys_to


class Refusal(NamedTuple):
    """A row that was refused when rows were poured one by one."""

    tab: int
    ord: int
    loser: bool
    """Only because an earlier row is there."""


def make_ban(conn: psycopg.Connection) -> None:
    """Makes :data:`BAN` if it is not there."""
    conn.execute(
        "CREATE TEMP TABLE IF NOT EXISTS pgsluice_ban (tab integer, ord bigint, kind text NOT NULL, col text NOT NULL,"
        " con text NOT NULL, code text NOT NULL, message text NOT NULL, PRIMARY KEY (tab, ord)) ON COMMIT DROP"
    )


def ban_orphans(
    conn: psycopg.Connection,
    group: Sequence[TableRun],
    names: Collection[TableName],
    refused: Iterable[Refusal],
) -> int:
    """Bans staged rows that have no parent if ``refused`` leave; as :func:`settle_group` does where it knows all.

    Of rows without a parent outside of the group PostgreSQL may have said that they come second in a unique index,
    which it asks first; they leave all the same, whoever has the key, and their children with them.

    :param names: as for :func:`judge`.
    :returns: how many rows were banned that were not before.
    """
    clean_slate(conn)
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS pgsluice_refused (tab integer, ord bigint, loser boolean)"
                 " ON COMMIT DROP")  # fmt: skip
    conn.execute("TRUNCATE pg_temp.pgsluice_refused")
    with conn.cursor() as cursor, cursor.copy("COPY pg_temp.pgsluice_refused FROM STDIN") as copy:
        for row in refused:
            copy.write_row(row)
    for state in group:
        conn.execute(
            sql.SQL(
                "INSERT INTO {} SELECT q.tab, s.ctid, q.loser AND NOT EXISTS (SELECT FROM {} AS b WHERE b.tab = q.tab"
                " AND b.ord = q.ord) FROM pg_temp.pgsluice_refused AS q JOIN {} AS s ON s.{} = q.ord WHERE q.tab = {}"
            ).format(LOST, BAN, state.stage, sql.Identifier(state.ordinal), sql.Literal(state.number))
        )
    asked = [(s, Offenders(conn, s, staged=True)) for s in group]
    for state, offenders in asked:
        offenders.foreign_keys(foreign_keys_to(state.plan.table, names, inner=False))
    note_lost(conn)
    keys = [(o, foreign_keys_to(s.plan.table, names, inner=True)) for s, o in asked]
    while sum(o.inner_keys(k, group, without_losers=False) for o, k in keys):
        note_lost(conn)
    if found := _ban(conn, group):
        return found
    for offenders, k in keys:
        offenders.inner_keys(k, group, without_losers=True)
    return _ban(conn, group)


def _ban(conn: psycopg.Connection, group: Sequence[TableRun]) -> int:
    """Bans the staged rows in OFF; says how many were not banned before."""
    return sum(
        conn.execute(
            sql.SQL(
                "INSERT INTO {ban} SELECT s.tab, o.ord, s.kind, s.col, s.con, s.code, s.message"
                " FROM (SELECT r.{ord} AS ord, min(q.prio) AS prio FROM {off} AS q JOIN {stage} AS r ON r.ctid = q.rid"
                " WHERE q.tab = {tab} GROUP BY r.{ord}) AS o"
                " JOIN (SELECT DISTINCT * FROM {said} WHERE tab = {tab}) AS s ON s.prio = o.prio ON CONFLICT DO NOTHING"
            ).format(
                ban=BAN,
                ord=sql.Identifier(state.ordinal),
                off=OFF,
                stage=state.stage,
                tab=sql.Literal(state.number),
                said=SAID,
            )
        ).rowcount
        for state in group
    )
