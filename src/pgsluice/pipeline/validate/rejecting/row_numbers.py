"""The ordinals of rows, computed from where the rows stand."""

from __future__ import annotations

from typing import NamedTuple

import psycopg
from psycopg import sql

from pgsluice.pipeline.scratch import ROW_MAP
from pgsluice.pipeline.state import TableRun
from pgsluice.sql import compose, query


def validated_relation(table_run: TableRun, staged: bool) -> sql.Composable:
    """The relation that holds the rows during validation: the stage, or the table without its inheriting tables."""
    return table_run.scratch.stage if staged else sql.SQL("ONLY {}").format(table_run.relation)


def lack_ordinals(conn: psycopg.Connection, table_run: TableRun, rows: sql.Identifier) -> bool:
    """Whether a scratch table holds rows of the table run without an ordinal."""
    statement = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE table_no = {} AND ordinal IS NULL)")
    return conn.execute(statement.format(rows, table_run.table_no)).fetchone() == (True,)


class Rank(NamedTuple):
    """The parts of a query that computes the ordinals of the rows of a relation."""

    column: sql.Composable
    """For the select list of a query over the relation alone and without a condition: ``rank``. In a table filled in
    place that is the row's place in the heap. The window has no order, so it numbers rows as the scan returns them."""
    ordinal: sql.Composable
    """The ordinal, computed from ``rank``."""
    row_map: sql.Composable
    """What to append to the tables of the query that uses ``ordinal``."""


def rank(conn: psycopg.Connection, table_run: TableRun, staged: bool) -> Rank:
    """Prepares the next statement that uses ranks.

    The statement has to write: PostgreSQL runs a statement that writes in one process, which scans the heap from the
    first block to the last.
    """
    if staged:
        return Rank(sql.SQL("{} AS rank").format(table_run.ordinal), sql.SQL("rank"), sql.SQL(""))
    conn.execute("SET LOCAL synchronize_seqscans = off")
    return Rank(sql.SQL("pg_catalog.row_number() OVER () AS rank"), *_ordinal_of_rank(conn, table_run))


def _ordinal_of_rank(conn: psycopg.Connection, table_run: TableRun) -> tuple[sql.Composable, sql.Composable]:
    """Brings the row map to the server; returns the last two parts of a :class:`Rank`."""
    ranges = table_run.row_map
    if len(ranges) == 1:
        first, ordinal = next(iter(ranges))
        return sql.SQL("rank + {}").format(sql.Literal(ordinal - first)), sql.SQL("")
    conn.execute(query("scratch", "create_row_map"))
    with conn.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(ROW_MAP)) as copy:
        for first, ordinal in ranges:
            copy.write_row((first, ordinal))
    conn.execute(query("scratch", "index_row_map"))
    return sql.SQL("range.ordinal + rank - range.first_rank"), sql.SQL(query("validate", "row_map_lookup"))


def numbered(conn: psycopg.Connection, table_run: TableRun, rows: sql.Composable, staged: bool) -> sql.Composable:
    """A query for ``rows`` with the ordinal of each as ``found_ordinal``, to be executed as :func:`rank` says.

    :param rows: a query with at least a column ``row_id``.
    """
    by = rank(conn, table_run, staged)
    return compose(
        "validate",
        "numbered_rows",
        ordinal=by.ordinal,
        rank=by.column,
        relation=validated_relation(table_run, staged),
        rows=rows,
        row_map=by.row_map,
    )


def found_in_heap(conn: psycopg.Connection, table_run: TableRun, rows: sql.Composable) -> sql.Composed:
    """A query for ``rows`` of a table filled in place with the ordinal of each as ``found_ordinal``.

    The rows of the table are counted from each of these rows to the next, which takes a fraction of the time of
    numbering all of them.

    :param rows: a query with at least a column ``row_id``.
    """
    ordinal, row_map = _ordinal_of_rank(conn, table_run)
    relation = validated_relation(table_run, staged=False)
    return compose("validate", "found_in_heap", ordinal=ordinal, relation=relation, rows=rows, row_map=row_map)
