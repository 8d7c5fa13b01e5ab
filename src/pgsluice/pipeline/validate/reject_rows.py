"""Rows that the judge has refused leave: each becomes a reject with one reason, is remembered by its keys, so that
children which lose their parent with it can name it, and is taken out of where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from pgsluice.model import TableName
from pgsluice.pipeline.scratch import OFF, REJECT, SAID, WHY
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.rejected_keys import asks_for_ordinals, name_parents, remember, texts
from pgsluice.pipeline.validate.row_numbers import placed, relation, unnumbered
from pgsluice.pipeline.validate.violations import Offenders

# The rival that belongs to the lowest ``prio``: both in one number, the ordinal in its last forty bits.
_FIRST_REASON = """
SELECT rid, ord, (reason >> 40)::integer AS prio, nullif(reason & ((1::bigint << 40) - 1), 0) - 1 AS rival
  FROM (SELECT rid, max(ord) AS ord, min((prio::bigint << 40) + coalesce(rival + 1, 0)) AS reason
          FROM {} WHERE tab = {} GROUP BY rid) AS r
"""


_LEAVE = sql.Identifier("pg_temp", "pgsluice_leave")
"""Offenders with an ordinal and one reason each, where OFF lacks the one or has more of the other."""


def expel(
    conn: psycopg.Connection,
    asked: Sequence[tuple[TableRun, Offenders]],
    others: Mapping[TableName, TableRun],
    staged: bool,
) -> int:
    """Writes the offenders to the rejects, remembers their keys and takes them out; says how many they were."""
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_LEAVE))
    conn.execute(
        "CREATE TEMP TABLE pgsluice_leave (tab integer, rid tid, ord bigint, prio integer, rival bigint) ON COMMIT DROP"
    )
    conn.execute(
        sql.SQL(
            "INSERT INTO {why} SELECT (SELECT count(*) FROM {why}) + row_number() OVER (), s.* FROM"
            " (SELECT DISTINCT * FROM {said} EXCEPT SELECT tab, prio, kind, col, con, code, message FROM {why}) AS s"
        ).format(why=WHY, said=SAID)
    )
    counts: dict[int, int] = {}
    refused: dict[int, sql.Composed] = {}
    for state, offenders in asked:
        rows, refused[state.number] = _refused(conn, state, offenders, others, staged)
        counts[state.number] = conn.execute(
            sql.SQL(
                "INSERT INTO {} (tab, ord, why, parent_tab, parent_ord)"
                " SELECT w.tab, o.ord, w.why, CASE WHEN o.rival IS NOT NULL THEN w.tab END, o.rival"
                " FROM ({}) AS o JOIN {} AS w ON w.tab = {} AND w.prio = o.prio"
            ).format(REJECT, rows, WHY, sql.Literal(state.number))
        ).rowcount
    conn.execute(sql.SQL("ANALYZE {}, {}").format(OFF, _LEAVE))
    group = [state for state, _ in asked]
    for state in group:
        remember(
            conn,
            state,
            sql.SQL("SELECT o.ord, {} FROM {} AS r JOIN ({}) AS o ON o.rid = r.ctid").format(
                texts(state.keys_watched, "r"), relation(state, staged), refused[state.number]
            ),
        )
    for state in group:
        name_parents(conn, state, others, relation(state, staged), refused[state.number])
    left = 0
    for state in group:
        if staged:
            count = _delete(conn, state.stage, refused[state.number])
            state.staged -= count
        else:
            count = _take_out(conn, state, refused[state.number], counts[state.number])
            state.landed -= count
        left += count
    return left


def _refused(
    conn: psycopg.Connection,
    state: TableRun,
    offenders: Offenders,
    others: Mapping[TableName, TableRun],
    staged: bool,
) -> tuple[sql.Composed, sql.Composed]:
    """Queries for the offenders, each once, with rid, ordinal, reason and rival. The first is to be asked at once, as
    :func:`~pgsluice.pipeline.validate.row_numbers.rank` says; the second may lack the ordinals, where nobody asks for them.
    """
    tab = sql.Literal(state.number)
    found = sql.SQL("SELECT rid, ord, prio, rival FROM {} WHERE tab = {}")
    several, lacking = offenders.answers > 1, unnumbered(conn, state, OFF)
    once = rows = (sql.SQL(_FIRST_REASON) if several else found).format(OFF, tab)
    if lacking:
        rows = sql.SQL("SELECT rid, coalesce(ord, place) AS ord, prio, rival FROM ({}) AS p").format(
            placed(conn, state, once, staged)
        )
    if not several and not (lacking and asks_for_ordinals(state, others)):
        return rows, once
    conn.execute(sql.SQL("INSERT INTO {} SELECT {}, rid, ord, prio, rival FROM ({}) AS o").format(_LEAVE, tab, rows))
    left = found.format(_LEAVE, tab)
    return left, left


def _take_out(conn: psycopg.Connection, state: TableRun, refused: sql.Composable, count: int) -> int:
    """Takes the offenders, which should be so many, out of a table that was filled in place; says how many they were.

    Deleted rows would be in every index that is built next: where most go, the others are written anew.
    """
    stay = state.landed - count
    if stay >= count:
        return _delete(conn, relation(state, False), refused)
    columns = sql.SQL(", ").join(sql.Identifier(c.name) for c in state.plan.table.columns if not c.generated)
    rest = sql.Identifier("pg_temp", "pgsluice_rest")
    if stay:
        conn.execute(
            sql.SQL(
                "CREATE TEMP TABLE pgsluice_rest ON COMMIT DROP AS SELECT {} FROM {} AS r"
                " WHERE NOT EXISTS (SELECT FROM ({}) AS o WHERE o.rid = r.ctid) ORDER BY r.ctid"
            ).format(columns, relation(state, False), refused)
        )
    conn.execute(sql.SQL("TRUNCATE ONLY {}").format(state.target))
    if not stay:
        return state.landed
    stayed = conn.execute(
        sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
            state.target, columns, columns, rest
        )
    ).rowcount
    conn.execute(sql.SQL("DROP TABLE {}").format(rest))
    return state.landed - stayed


def _delete(conn: psycopg.Connection, where: sql.Composable, refused: sql.Composable) -> int:
    """Deletes the rows by their rid; says how many they were."""
    return conn.execute(
        sql.SQL("DELETE FROM {} AS r USING ({}) AS o WHERE r.ctid = o.rid").format(where, refused)
    ).rowcount


def expel_refused(conn: psycopg.Connection, group: Sequence[TableRun], others: Mapping[TableName, TableRun]) -> None:
    """Staged rows that are among the rejects leave the stage, their keys remembered, their parents named."""
    refused = {
        state.number: sql.SQL(
            "SELECT s.ctid AS rid, s.{o} AS ord FROM {s} AS s JOIN {q} AS q ON q.ord = s.{o} AND q.tab = {t}"
        ).format(o=sql.Identifier(state.ordinal), s=state.stage, q=REJECT, t=sql.Literal(state.number))
        for state in group
    }
    for state in group:
        remember(
            conn,
            state,
            sql.SQL("SELECT o.ord, {} FROM {} AS r JOIN ({}) AS o ON o.rid = r.ctid").format(
                texts(state.keys_watched, "r"), state.stage, refused[state.number]
            ),
        )
    for state in group:
        name_parents(conn, state, others, state.stage, refused[state.number])
    for state in group:
        state.staged -= _delete(conn, state.stage, refused[state.number])
