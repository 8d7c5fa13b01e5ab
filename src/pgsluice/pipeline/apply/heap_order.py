"""Heap order: rows of a text stage join a table that is filled in place, behind the other rows, in file order.

The place of a row in the heap tells its ordinal (:class:`pgsluice.pipeline.state.RowMap`). An INSERT puts a short row
where an earlier page has room left; COPY into a table that was emptied in the transaction does not. So these rows leave
their stage by COPY and enter the table by COPY, as the other rows did.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import psycopg
from psycopg import sql

from pgsluice.model import TableName
from pgsluice.pipeline.apply.bisect import insert_by_bisecting
from pgsluice.pipeline.apply.insert import count_landed
from pgsluice.pipeline.scratch import REJECT
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.rejecting.reject_rows import reject_refused
from pgsluice.postgres.copy import ListeningWriter
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sqlstate import is_row_error

_PIECE = 1 << 18

_FAITHFUL = {"datestyle": "ISO", "intervalstyle": "postgres", "extra_float_digits": "3"}
"""Settings under which PostgreSQL reads back the text that it writes, as pg_dump sets them. NaN(1) still loses its
payload, because its text is NaN."""


def copy_stage(conn: psycopg.Connection, table_run: TableRun) -> bool:
    """Copies the staged rows into the table; False if PostgreSQL refused a row, and then nothing has changed."""
    try:
        try:
            count = _copy_stage(conn, table_run, "binary")
        except psycopg.errors.UndefinedFunction:
            # A few types have no binary form, for example aclitem.
            with _faithful_text(conn):
                count = _copy_stage(conn, table_run, "text")
    except psycopg.Error as error:
        if not is_row_error(error):
            raise
        return False
    count_landed(conn, table_run, count, count, 0)
    return True


def reject_unacceptable(conn: psycopg.Connection, table_run: TableRun, others: Mapping[TableName, TableRun]) -> None:
    """Makes rejects of the staged rows that an INSERT refuses; the accepted rows stay in the stage.

    The rows are inserted by bisecting and rolled back; only the rejects survive, through a file of the client.
    """
    with tempfile.TemporaryFile() as rows:
        with conn.transaction(force_rollback=True):
            rejected = insert_by_bisecting(conn, table_run).rejected
            if rejected:
                rejects = sql.SQL(
                    "COPY (SELECT q.* FROM {} AS q JOIN {} AS s ON s.{} = q.ordinal WHERE q.table_no = {}) TO STDOUT"
                ).format(REJECT, table_run.scratch.stage, table_run.ordinal, table_run.table_no)
                with conn.cursor().copy(rejects) as copy:
                    # Some input functions cut the value that they quote within a character; PostgreSQL would not take
                    # the remainder as text again.
                    rows.writelines(bytes(line).decode("utf-8", "replace").encode() for line in copy)
        if rejected:
            _copy_file(conn, sql.SQL("COPY {} FROM STDIN").format(REJECT), rows)
            reject_refused(conn, [table_run], others)


def _copy_stage(conn: psycopg.Connection, table_run: TableRun, form: str) -> int:
    source = sql.SQL("COPY (SELECT {} FROM {} AS s ORDER BY {}) TO STDOUT (FORMAT {})").format(
        table_run.column_list("s"),
        table_run.scratch.stage,
        sql.Identifier("s", table_run.scratch.ordinal),
        sql.SQL(form),
    )
    target = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT {})").format(
        table_run.relation, table_run.column_list(), sql.SQL(form)
    )
    with tempfile.TemporaryFile() as rows, conn.transaction():
        with conn.cursor().copy(source) as copy:
            rows.writelines(copy)
        with user_path(conn, table_run.runs_user_functions):
            count = _copy_file(conn, target, rows)
        if count != table_run.counts.staged:
            raise psycopg.errors.DataException(f"{count} rows instead of {table_run.counts.staged}")
        return count


def _copy_file(conn: psycopg.Connection, statement: sql.Composed, rows: IO[bytes]) -> int:
    rows.seek(0)
    with conn.cursor() as cursor:
        with cursor.copy(statement, writer=ListeningWriter(cursor)) as copy:
            while piece := rows.read(_PIECE):
                copy.write(piece)
        return cursor.rowcount


@contextmanager
def _faithful_text(conn: psycopg.Connection) -> Iterator[None]:
    """Sets the settings for a block; if the transaction fails meanwhile, its rollback restores them."""
    before = {name: conn.execute("SELECT pg_catalog.current_setting(%s)", (name,)).fetchone() for name in _FAITHFUL}
    for name, value in _FAITHFUL.items():
        conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
    yield
    for name, row in before.items():
        assert row is not None
        conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, row[0]))
