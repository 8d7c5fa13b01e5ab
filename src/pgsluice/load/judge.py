"""The judge: which rows are refused, and by what. PostgreSQL decides; this module asks it in sets.

Two questions are put to it. *Values*: what do the texts in doubt mean to the columns' own input functions
(:mod:`pgsluice.load.values`). *Constraints*: which rows of a relation break one (:func:`judge`); those leave as
rejects, and whoever called tries again. Which row stays where rows exclude each other is defined in
``docs/explanation/verdicts.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg import sql

from pgsluice.load.expel import expel
from pgsluice.load.offenders import DUP, LOST, OFF, SAID, Offenders, clean_slate, firing_order, unique_indexes
from pgsluice.load.state import TableLoad
from pgsluice.load.statistics import without
from pgsluice.model import Constraint, Table, TableName


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of :func:`judge`."""

    left: int
    """Rows that left."""
    complete: bool
    """Every constraint could be asked."""


def only_insert_tells(table: Table) -> bool:
    """Whether a row's verdict depends on what happens only when it is inserted, before any constraint is asked:
    a trigger or rule, a policy, the choice of a partition, the computation of a generated column.
    """
    return (
        table.kind != "r"
        or any(o.startswith(("trigger", "rule", "row level security")) for o in table.obstacles)
        or any(c.generated for c in table.columns)
    )


def keys_of(state: TableLoad, names: Collection[TableName], *, inner: bool) -> list[Constraint]:
    """The table's foreign keys that point into its group, or out of it, in the order in which they are asked."""
    return [fk for fk in firing_order(state.plan.table) if (fk.references in names) == inner]


def judge(
    conn: psycopg.Connection,
    group: Sequence[TableLoad],
    others: Mapping[TableName, TableLoad],
    *,
    staged: bool,
    names: Collection[TableName] = (),
    rows: bool = True,
    unique: bool = True,
    outer: bool = True,
    inner: bool = True,
) -> Judgement:
    """Moves the rows that break a constraint to the rejects.

    :param group: a table, or tables whose foreign keys form a cycle.
    :param others: the run's tables by name, for the parents that were rejected themselves.
    :param staged: judge the stages; else the tables themselves, which were filled in place.
    :param names: the tables of the group where ``group`` lacks those that brought no rows.
    :param rows: ask CHECK, and NOT NULL of a stage.
    :param unique: ask the unique indexes; of several rows with one key the first in file order stays.
    :param outer: ask the foreign keys that point out of the group.
    :param inner: ask those that point into it.
    """
    names = names or {s.plan.table.name for s in group}
    clean_slate(conn)
    asked = [(s, Offenders(conn, s, staged=staged)) for s in group]
    for state, offenders in asked:
        if rows:
            if staged:
                offenders.not_null()
            offenders.checks()
        if outer:
            offenders.foreign_keys(keys_of(state, names, inner=False))
        if unique:
            offenders.duplicates()
    keys = [(o, k) for s, o in asked if inner and (k := keys_of(s, names, inner=True))]
    if keys or _any(conn, DUP):
        _lose(conn)
        _settle(conn, group, keys)
        for state, offenders in asked:
            _say_duplicates(conn, state, offenders)
    left = 0
    if _any(conn, OFF):
        left = expel(conn, asked, others, staged)
    return Judgement(left, not any(o.unanswered for _, o in asked))


BAN = sql.Identifier("pg_temp", "pgsluice_ban")
"""Rows that may not stay because they have no parent, and what is said of them."""


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
    group: Sequence[TableLoad],
    names: Collection[TableName],
    refused: Iterable[Refusal],
) -> int:
    """Bans staged rows that have no parent if ``refused`` leave; as :func:`_settle` does where it knows all.

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
        offenders.foreign_keys(keys_of(state, names, inner=False))
    _lose(conn)
    keys = [(o, keys_of(s, names, inner=True)) for s, o in asked]
    while sum(o.inner_keys(k, group, without_losers=False) for o, k in keys):
        _lose(conn)
    if found := _ban(conn, group):
        return found
    for offenders, k in keys:
        offenders.inner_keys(k, group, without_losers=True)
    return _ban(conn, group)


def _ban(conn: psycopg.Connection, group: Sequence[TableLoad]) -> int:
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


def _any(conn: psycopg.Connection, table: sql.Identifier) -> bool:
    return conn.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table)).fetchone() == (True,)


_RIVAL = sql.SQL("EXISTS (SELECT FROM {} AS s WHERE s.tab = o.tab AND s.prio = o.prio AND s.kind = 'unique')").format(
    SAID
)
"""The reason ``o`` is a row of the table that has the key."""


def _lose(conn: psycopg.Connection) -> int:
    """Rows that have a reason of their own are lost; says how many were not before. Who comes behind a row of
    the table is a loser as one who comes behind a row of the files is.
    """
    return conn.execute(
        sql.SQL(
            "INSERT INTO {lost} SELECT DISTINCT o.tab, o.rid, false FROM {off} AS o WHERE NOT {rival}"
            " AND NOT EXISTS (SELECT FROM {lost} AS l WHERE l.tab = o.tab AND l.rid = o.rid AND NOT l.loser)"
        ).format(lost=LOST, off=OFF, rival=_RIVAL)
    ).rowcount


def _settle(
    conn: psycopg.Connection, group: Sequence[TableLoad], keys: Sequence[tuple[Offenders, Sequence[Constraint]]]
) -> None:
    """Decides who stays.

    Rows that can have no parent within the group leave first, to any depth. Then keys that several rows want
    go to the first in file order. If that takes somebody's parent away, the child leaves for good and may
    have kept others from a key: so the question is put again without it.
    """
    while True:
        while sum(o.inner_keys(k, group, without_losers=False) for o, k in keys):
            _lose(conn)
        _settle_duplicates(conn, listed=bool(keys))
        if not sum(o.inner_keys(k, group, without_losers=True) for o, k in keys):
            return
        conn.execute(sql.SQL("DELETE FROM {} WHERE loser").format(LOST))
        _lose(conn)


_LIVE = sql.Identifier("pg_temp", "pgsluice_live")
_ROUNDS = 8

_GREEDY = """
DECLARE r record;
BEGIN
  CREATE TEMP TABLE pgsluice_taken (tab integer, ix integer, grp bigint, PRIMARY KEY (tab, ix, grp)) ON COMMIT DROP;
  FOR r IN SELECT tab, rid, array_agg(ix) AS ixs, array_agg(grp) AS grps FROM pg_temp.pgsluice_live
           GROUP BY tab, ord, rid ORDER BY tab, ord LOOP
    IF EXISTS (SELECT FROM unnest(r.ixs, r.grps) AS u (ix, grp)
               JOIN pg_temp.pgsluice_taken AS t ON t.tab = r.tab AND t.ix = u.ix AND t.grp = u.grp) THEN
      INSERT INTO pg_temp.pgsluice_lost VALUES (r.tab, r.rid, true);
    ELSE
      INSERT INTO pg_temp.pgsluice_taken SELECT r.tab, u.ix, u.grp FROM unnest(r.ixs, r.grps) AS u (ix, grp);
    END IF;
  END LOOP;
  DROP TABLE pg_temp.pgsluice_taken;
END
"""


def _settle_duplicates(conn: psycopg.Connection, *, listed: bool) -> None:
    """Of the rows that share a unique key the first in file order stays, as if they came one by one.

    A row that is refused for another reason never stood in the index and displaces nobody. With several
    unique indexes a row may be a later one in one group and the first in another: so in each round only
    rows whose group is led by a row that is second nowhere lose, until no group has two members. What is
    left of a long chain of such rows is gone through one by one.

    :param listed: the losers of a single index are to be in LOST; those of several always are.
    """
    conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_live")
    conn.execute(
        sql.SQL(
            "INSERT INTO {lost} SELECT DISTINCT o.tab, o.rid, true FROM {off} AS o WHERE {rival}"
            " AND NOT EXISTS (SELECT FROM {lost} AS l WHERE l.tab = o.tab AND l.rid = o.rid)"
        ).format(lost=LOST, off=OFF, rival=_RIVAL)
    )
    several = conn.execute(
        "SELECT (min(tab), min(ix)) <> (max(tab), max(ix)) FROM pg_temp.pgsluice_dup"
    ).fetchone() == (True,)
    # Of one index alone nobody asks but who comes first.
    columns = sql.SQL("*" if several else "tab, ix, grp, min(ord) AS ord")
    first = sql.SQL("" if several else "GROUP BY tab, ix, grp")
    # Half of the time goes into this question of a million rows, even if none is lost.
    stays = sql.SQL("WHERE NOT EXISTS (SELECT FROM {} AS l WHERE l.tab = d.tab AND l.rid = d.rid)").format(LOST)
    conn.execute(
        sql.SQL("CREATE TEMP TABLE pgsluice_live ON COMMIT DROP AS SELECT {} FROM {} AS d {} {}").format(
            columns, DUP, stays if _any(conn, LOST) else sql.SQL(""), first
        )
    )
    conn.execute(sql.SQL("ANALYZE {}").format(_LIVE))
    if not several:
        if listed:
            conn.execute(
                sql.SQL(
                    "INSERT INTO {} SELECT d.tab, d.rid, true FROM {} AS d JOIN {} AS l USING (tab, ix, grp)"
                    " WHERE d.ord > l.ord AND NOT EXISTS (SELECT FROM {} AS x WHERE x.tab = d.tab AND x.rid = d.rid)"
                ).format(LOST, DUP, _LIVE, LOST)
            )
        return
    lead = sql.SQL("lead AS (SELECT tab, ix, grp, min(ord) AS ord FROM {} GROUP BY tab, ix, grp)").format(_LIVE)
    refuse = sql.SQL(
        "WITH {lead}, later AS MATERIALIZED (SELECT DISTINCT d.tab, d.ord FROM {live} AS d"
        " JOIN lead AS l USING (tab, ix, grp) WHERE d.ord <> l.ord)"
        " INSERT INTO {lost} SELECT DISTINCT d.tab, d.rid, true FROM {live} AS d JOIN lead AS l USING (tab, ix, grp)"
        " WHERE d.ord > l.ord AND NOT EXISTS (SELECT FROM later AS x WHERE x.tab = l.tab AND x.ord = l.ord)"
    ).format(lead=lead, live=_LIVE, lost=LOST)
    gone = sql.SQL("DELETE FROM {} AS d USING {} AS l WHERE l.loser AND l.tab = d.tab AND l.rid = d.rid").format(
        _LIVE, LOST
    )
    # The planner takes what the WITH queries bring for a handful: 30,000 rows took half a minute in nested loops.
    conn.execute(sql.SQL("ANALYZE {}").format(LOST))
    rounds = _ROUNDS
    with without(conn, "enable_nestloop"):
        while rounds and conn.execute(refuse).rowcount:
            conn.execute(gone)
            rounds -= 1
    if not rounds:
        conn.execute(sql.SQL("DO {}").format(sql.Literal(_GREEDY)))
        conn.execute(gone)


def _say_duplicates(conn: psycopg.Connection, state: TableLoad, offenders: Offenders) -> None:
    """Whoever leaves and has the key of an earlier row that stays meets that index, too."""
    for ix, index in enumerate(unique_indexes(state)):
        conn.execute(
            sql.SQL(
                "INSERT INTO {off} (tab, rid, ord, prio, rival) SELECT d.tab, d.rid, d.ord, {prio}, k.ord"
                " FROM {dup} AS d JOIN {live} AS k ON k.tab = d.tab AND k.ix = d.ix AND k.grp = d.grp AND k.ord < d.ord"
                " WHERE d.tab = {tab} AND d.ix = {ix}"
            ).format(
                off=OFF,
                prio=sql.Literal(offenders.unique_prio(ix, index)),
                dup=DUP,
                live=_LIVE,
                tab=sql.Literal(state.number),
                ix=sql.Literal(ix),
            )
        )
