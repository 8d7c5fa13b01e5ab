"""Rows in doubt of a table that is filled in place: they join the others behind them, in the order of the file.

Which record a row of such a table is, its place in the heap tells (:class:`pgsluice.pipeline.row_map.RowMap`). An INSERT
puts a short row where an earlier page has room left; COPY into a table that was emptied in the transaction does not.
So these rows leave their stage by COPY and come back by COPY, as the others came.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import psycopg
from psycopg import sql

from pgsluice.model import TableName
from pgsluice.pipeline.apply.bisect import pour_rows
from pgsluice.pipeline.apply.insert import count_poured
from pgsluice.pipeline.scratch import REJECT
from pgsluice.pipeline.state import TableRun, columns_of
from pgsluice.pipeline.validate.reject_rows import expel_refused
from pgsluice.postgres.copy import ListeningWriter
from pgsluice.postgres.sqlstate import is_row_error

_PIECE = 1 << 18


# What a value's text depends on, and how it is to be for PostgreSQL to read the value again: as pg_dump has it. Not
# quite the very value: of NaN(1) the text says NaN.
_FAITHFUL = {"datestyle": "ISO", "intervalstyle": "postgres", "extra_float_digits": "3"}


def bring(conn: psycopg.Connection, state: TableRun) -> bool:
    """Brings the staged rows into the table; False when PostgreSQL refused one and nothing happened."""
    try:
        try:
            count = _bring(conn, state, "binary")
        except psycopg.errors.UndefinedFunction:
            # Few types have no binary form, aclitem for one.
            with _faithful(conn):
                count = _bring(conn, state, "text")
    except psycopg.Error as error:
        if not is_row_error(error):
            raise
        return False
    count_poured(conn, state, count, count, 0)
    return True


def _bring(conn: psycopg.Connection, state: TableRun, form: str) -> int:
    source = sql.SQL("COPY (SELECT {} FROM {} AS s ORDER BY {}) TO STDOUT (FORMAT {})").format(
        columns_of(state, "s"), state.stage, sql.Identifier("s", state.ordinal), sql.SQL(form)
    )
    target = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT {})").format(state.target, columns_of(state), sql.SQL(form))
    with tempfile.TemporaryFile() as rows, conn.transaction():
        with conn.cursor().copy(source) as copy:
            rows.writelines(copy)
        count = _restore(conn, target, rows)
        if count != state.staged:
            raise psycopg.errors.DataException(f"{count} rows instead of {state.staged}")
        return count


def try_out(conn: psycopg.Connection, state: TableRun, others: Mapping[TableName, TableRun]) -> None:
    """Has each staged row said what PostgreSQL thinks of it: those that it refuses become rejects and leave the stage,
    and those that it took are out of the table again.
    """
    with tempfile.TemporaryFile() as rows:
        with conn.transaction(force_rollback=True):
            refused = pour_rows(conn, state).refused
            if refused:
                said = sql.SQL(
                    "COPY (SELECT q.* FROM {} AS q JOIN {} AS s ON s.{} = q.ord WHERE q.tab = {}) TO STDOUT"
                ).format(REJECT, state.stage, sql.Identifier(state.ordinal), sql.Literal(state.number))
                with conn.cursor().copy(said) as copy:
                    # Some input functions cut the value that they quote in the middle of a character: what is left is
                    # no text that PostgreSQL would take again.
                    rows.writelines(bytes(line).decode("utf-8", "replace").encode() for line in copy)
        if refused:
            _restore(conn, sql.SQL("COPY {} FROM STDIN").format(REJECT), rows)
            expel_refused(conn, [state], others)


def _restore(conn: psycopg.Connection, statement: sql.Composed, rows: IO[bytes]) -> int:
    rows.seek(0)
    with conn.cursor() as cursor:
        with cursor.copy(statement, writer=ListeningWriter(cursor)) as copy:
            while piece := rows.read(_PIECE):
                copy.write(piece)
        return cursor.rowcount


@contextmanager
def _faithful(conn: psycopg.Connection) -> Iterator[None]:
    """The settings for a while; a transaction that fails meanwhile takes them back by itself."""
    before = {name: conn.execute("SELECT current_setting(%s)", (name,)).fetchone() for name in _FAITHFUL}
    for name, value in _FAITHFUL.items():
        conn.execute("SELECT set_config(%s, %s, true)", (name, value))
    yield
    for name, row in before.items():
        assert row is not None
        conn.execute("SELECT set_config(%s, %s, true)", (name, row[0]))
