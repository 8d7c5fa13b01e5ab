"""COPY FREEZE: when a table may be copied frozen a second time, and how its sequences survive a failed COPY."""

from __future__ import annotations

import psycopg
from psycopg import sql

from pgsluice.model import Column
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.table_properties import runs_user_functions
from pgsluice.source.typed.type_rules import rule_for


def client_can_validate(conn: psycopg.Connection, table_run: TableRun, *, utc: bool) -> bool:
    """Whether rows that the readers accept can only fail a CHECK, and each CHECK can wait until all rows are in.

    A CHECK that runs a function of the user can query its own table, so its answer after the load may differ from its
    answer row by row; the result is False for such a table.

    :param utc: the session's time zone is UTC.
    """
    # A database in another encoding than UTF-8 may lack a character of a text.
    if conn.info.parameter_status("server_encoding") != "UTF8":
        return False
    brought = {c.name for c in table_run.columns}
    lacking = [c for c in table_run.table.columns if c.name not in brought or c.name in table_run.partial]
    if not all(_readers_decide(c, utc) for c in table_run.columns) or not all(map(_cannot_fail, lacking)):
        return False
    return not runs_user_functions(conn, [table_run.table.oid])


def _readers_decide(column: Column, utc: bool) -> bool:
    """Whether the readers know what PostgreSQL accepts in the column. Only PostgreSQL knows it of JSON and domains."""
    return column.kind != "d" and column.base not in {"json", "jsonb"} and rule_for(column, utc=utc) is not None


def _cannot_fail(column: Column) -> bool:
    """Whether a column that files lack accepts every row: it has no expression and no domain that could fail."""
    if column.holds_run:
        return True
    filled = column.has_default and not column.owned_sequence
    return not (filled or column.generated or column.kind == "d")


def shield_sequences(conn: psycopg.Connection, table_run: TableRun) -> None:
    """Makes a rollback to the current savepoint give back the sequence values that rows use from now on.

    ``nextval`` is not transactional, but ``ALTER SEQUENCE ... RESTART`` writes a new file and is. Without this call a
    table that is copied again would begin where the failed COPY stopped, and a short sequence (of a smallserial) could
    end before the rows do. The sequence stays locked until the end of the transaction, as the table does.
    """
    brought = {c.name for c in table_run.columns} - table_run.partial
    for column in table_run.table.columns:
        if column.name not in brought and column.owned_sequence:
            sequence = sql.SQL(column.owned_sequence)
            row = conn.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sequence)).fetchone()
            assert row is not None
            conn.execute(sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(sequence, sql.Literal(row[0])))
            conn.execute("SELECT pg_catalog.setval(%s::regclass, %s, %s)", (column.owned_sequence, *row))
