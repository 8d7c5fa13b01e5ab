"""Whether the rows of an empty table may arrive frozen though some are bad."""

from __future__ import annotations

import psycopg
from psycopg import sql

from pgsluice.model import Column
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.capabilities import runs_user_functions
from pgsluice.source.typed.type_rules import rule_for


def may_be_careful(conn: psycopg.Connection, state: TableRun, *, utc: bool) -> bool:
    """Whether PostgreSQL refuses no row whose values are certain to the readers, but for a CHECK; and CHECKs say the
    same when all rows are in as when each comes, which one that looks into its own table does not.

    :param utc: the session's time zone is UTC.
    """
    # An encoding that is not UTF-8 may lack a character.
    if conn.info.parameter_status("server_encoding") != "UTF8":
        return False
    brought = {c.name for c in state.columns}
    if not all(_tells(c, utc) if c.name in brought else _stays_out(c) for c in state.plan.table.columns):
        return False
    return not runs_user_functions(conn, [state.plan.table.oid])


def _tells(column: Column, utc: bool) -> bool:
    """Of JSON and domains it is for PostgreSQL to say what it takes."""
    return column.kind != "d" and column.base not in {"json", "jsonb"} and rule_for(column, utc=utc) is not None


def _stays_out(column: Column) -> bool:
    """A column that the files do not bring has nothing to refuse: no expression that may fail, nor a domain."""
    filled = column.has_default and not column.owned_sequence
    return not (filled or column.generated or column.kind == "d")


def shield(conn: psycopg.Connection, state: TableRun) -> None:
    """Has a rollback to the current savepoint give back the numbers that rows get from now on.

    ``nextval`` is not transactional, but the new file that ``ALTER SEQUENCE ... RESTART`` writes is. Without, a table
    that starts again would begin where it broke off, and a short sequence (of a smallserial) might end before the rows
    do. The sequence is locked until the end, as the table is.
    """
    brought = {c.name for c in state.columns}
    for column in state.plan.table.columns:
        if column.name not in brought and column.owned_sequence:
            sequence = sql.SQL(column.owned_sequence)
            row = conn.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sequence)).fetchone()
            assert row is not None
            conn.execute(sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(sequence, sql.Literal(row[0])))
            conn.execute("SELECT setval(%s::regclass, %s, %s)", (column.owned_sequence, *row))
