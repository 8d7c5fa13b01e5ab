"""Which record of its file a row is, known by where the row stands."""

from __future__ import annotations

from typing import NamedTuple

import psycopg
from psycopg import sql

from pgsluice.pipeline.state import TableRun


def relation(state: TableRun, staged: bool) -> sql.Composable:
    """Where the table's rows stand while they are judged: in its stage, or in the table itself alone, without those
    that inherit.
    """
    return state.stage if staged else sql.SQL("ONLY {}").format(state.target)


def unnumbered(conn: psycopg.Connection, state: TableRun, table: sql.Identifier) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE tab = {} AND ord IS NULL)")
    return conn.execute(query.format(table, sql.Literal(state.number))).fetchone() == (True,)


class Rank(NamedTuple):
    """How a query over a relation learns the ordinals of its rows."""

    column: sql.Composable
    """For the select list of a query over the relation alone and without a condition: ``rank``, which in a table that
    was filled in place is the row's place in the heap. The window has no order: rows are numbered as the scan brings
    them."""
    ordinal: sql.Composable
    """The ordinal, by ``rank``."""
    segments: sql.Composable
    """Stands behind the tables of the query that asks for ``ordinal``."""


def rank(conn: psycopg.Connection, state: TableRun, staged: bool) -> Rank:
    """For one statement, the next that asks for ranks. It has to be one that writes: such a one has but one process,
    which scans from the first block on to the last.
    """
    if staged:
        return Rank(sql.SQL("{} AS rank").format(sql.Identifier(state.ordinal)), sql.SQL("rank"), sql.SQL(""))
    conn.execute("SET LOCAL synchronize_seqscans = off")
    column = sql.SQL("row_number() OVER () AS rank")
    runs = state.segments.runs
    if len(runs) == 1:
        return Rank(column, sql.SQL("rank + {}").format(sql.Literal(runs[0][1] - runs[0][0])), sql.SQL(""))
    conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_segment")
    conn.execute("CREATE TEMP TABLE pgsluice_segment (first bigint NOT NULL, ord bigint NOT NULL) ON COMMIT DROP")
    with conn.cursor().copy("COPY pg_temp.pgsluice_segment FROM STDIN") as copy:
        for first, ordinal, _ in runs:
            copy.write_row((first, ordinal))
    conn.execute("CREATE INDEX ON pg_temp.pgsluice_segment (first)")
    conn.execute("ANALYZE pg_temp.pgsluice_segment")
    return Rank(
        column,
        sql.SQL("segment.ord + rank - segment.first"),
        sql.SQL(
            " CROSS JOIN LATERAL (SELECT g.first, g.ord FROM pg_temp.pgsluice_segment AS g WHERE g.first <= rank"
            " ORDER BY g.first DESC LIMIT 1) AS segment"
        ),
    )


def placed(conn: psycopg.Connection, state: TableRun, rows: sql.Composable, staged: bool) -> sql.Composable:
    """A query for ``rows`` with the ordinal of each as ``place``; to be asked as :func:`rank` says.

    :param rows: a query for rows with at least their ``rid``.
    """
    by = rank(conn, state, staged)
    return sql.SQL(
        "SELECT w.*, {} AS place FROM (SELECT ctid AS rid, {} FROM {}) AS r JOIN ({}) AS w ON w.rid = r.rid{}"
    ).format(by.ordinal, by.column, relation(state, staged), rows, by.segments)
