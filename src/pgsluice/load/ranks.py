"""Which record of its file a row is, known by where the row stands."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.load.state import TableLoad


def number(
    conn: psycopg.Connection,
    group: Sequence[TableLoad],
    tables: Sequence[tuple[str, Sequence[str]]],
    staged: bool,
) -> None:
    """Gives the rows in OFF and DUP their ordinals, for all of them in one pass over the relation.

    :param tables: which of the two, by their names, with their other columns.
    """
    for state in group:
        todo = [(name, columns) for name, columns in tables if unnumbered(conn, state, _temp(name))]
        if not todo:
            continue
        lacking = [
            sql.SQL("SELECT {} FROM {} WHERE tab = {} AND ord IS NULL").format(
                _names(columns), _temp(name), sql.Literal(state.number)
            )
            for name, columns in todo
        ]
        if len(todo) == 1:
            [(name, columns)] = todo
            _renew(conn, state, name, columns, placed(conn, state, lacking[0], staged))
            continue
        conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_place")
        # A statement that writes into a table there is, for it has only one process: see placed().
        conn.execute("CREATE TEMP TABLE pgsluice_place (rid tid NOT NULL, place bigint NOT NULL) ON COMMIT DROP")
        rids = sql.SQL(" UNION ").join(sql.SQL("SELECT rid FROM ({}) AS l").format(rows) for rows in lacking)
        conn.execute(
            sql.SQL("INSERT INTO pg_temp.pgsluice_place SELECT rid, place FROM ({}) AS p").format(
                placed(conn, state, rids, staged)
            )
        )
        conn.execute("ANALYZE pg_temp.pgsluice_place")
        for (name, columns), rows in zip(todo, lacking, strict=True):
            found = sql.SQL("SELECT l.*, p.place FROM ({}) AS l JOIN pg_temp.pgsluice_place AS p USING (rid)")
            _renew(conn, state, name, columns, found.format(rows))


def _temp(name: str) -> sql.Identifier:
    return sql.Identifier("pg_temp", name)


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _renew(conn: psycopg.Connection, state: TableLoad, name: str, columns: Sequence[str], rows: sql.Composable) -> None:
    """Makes the table anew with ``rows``, each with its ``place``, instead of those that lack an ordinal. To update a
    million rows took three times as long, to add them again and delete the others half as long again.
    """
    new = _temp("pgsluice_new")
    conn.execute(sql.SQL("CREATE TEMP TABLE pgsluice_new (LIKE {}) ON COMMIT DROP").format(_temp(name)))
    conn.execute(
        sql.SQL("INSERT INTO {} ({}, ord) SELECT {}, place FROM ({}) AS n").format(
            new, _names(columns), _names(columns), rows
        )
    )
    conn.execute(
        sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE ord IS NOT NULL OR tab <> {}").format(
            new, _temp(name), sql.Literal(state.number)
        )
    )
    conn.execute(sql.SQL("DROP TABLE {}").format(_temp(name)))
    conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, sql.Identifier(name)))
    conn.execute(sql.SQL("ANALYZE {}").format(_temp(name)))


def unnumbered(conn: psycopg.Connection, state: TableLoad, table: sql.Identifier) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE tab = {} AND ord IS NULL)")
    return conn.execute(query.format(table, sql.Literal(state.number))).fetchone() == (True,)


def placed(conn: psycopg.Connection, state: TableLoad, rows: sql.Composable, staged: bool) -> sql.Composable:
    """A query for ``rows`` with the ordinal of each as ``place``; to be asked before anything else is done.

    In a table that was filled in place it is the rank in the heap that tells. Rows that were deleted
    earlier keep their rank: their addresses are remembered in ``out``.

    :param rows: a query for rows with at least their ``rid``.
    """
    if staged:
        return sql.SQL("SELECT w.*, s.{} AS place FROM ({}) AS w JOIN {} AS s ON s.ctid = w.rid").format(
            sql.Identifier(state.ordinal), rows, state.stage
        )
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS pgsluice_out (tab integer NOT NULL, rid tid NOT NULL) ON COMMIT DROP")
    runs = state.segments.runs
    if len(runs) == 1:
        ordinal: sql.Composable = sql.SQL("r.rank + {}").format(sql.Literal(runs[0][1] - runs[0][0]))
        segments = sql.SQL("")
    else:
        conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_segment")
        conn.execute("CREATE TEMP TABLE pgsluice_segment (rank bigint NOT NULL, ord bigint NOT NULL) ON COMMIT DROP")
        with conn.cursor().copy("COPY pg_temp.pgsluice_segment FROM STDIN") as copy:
            for rank, first, _ in runs:
                copy.write_row((rank, first))
        conn.execute("CREATE INDEX ON pg_temp.pgsluice_segment (rank)")
        conn.execute("ANALYZE pg_temp.pgsluice_segment")
        ordinal = sql.SQL("s.ord + r.rank - s.rank")
        segments = sql.SQL(
            " CROSS JOIN LATERAL (SELECT g.rank, g.ord FROM pg_temp.pgsluice_segment AS g WHERE g.rank <= r.rank"
            " ORDER BY g.rank DESC LIMIT 1) AS s"
        )
    gone = conn.execute("SELECT EXISTS (SELECT FROM pg_temp.pgsluice_out WHERE tab = %s)", (state.number,)).fetchone()
    # The window without an order numbers rows as the scan brings them: from block 0 on, and in one process, as
    # the query becomes part of a statement that writes.
    conn.execute("SET LOCAL synchronize_seqscans = off")
    if gone and gone[0]:
        ranked = sql.SQL(
            "SELECT rid, row_number() OVER (ORDER BY rid) AS rank FROM (SELECT ctid AS rid FROM ONLY {}"
            " UNION ALL SELECT rid FROM pg_temp.pgsluice_out WHERE tab = {}) AS u"
        ).format(state.target, sql.Literal(state.number))
    else:
        ranked = sql.SQL("SELECT ctid AS rid, row_number() OVER () AS rank FROM ONLY {}").format(state.target)
    return sql.SQL("SELECT w.*, {} AS place FROM ({}) AS r JOIN ({}) AS w ON w.rid = r.rid{}").format(
        ordinal, ranked, rows, segments
    )
