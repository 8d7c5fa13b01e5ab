"""Foreign keys of tables that reference each other: they can be checked only when all rows of the group are in.

Either one statement writes the rows of all tables and PostgreSQL checks the keys at its end
(:func:`one_statement_suffices`), or the keys are deferred (:func:`defer`). Deferring a key that is not deferrable takes
a lock that readers wait for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, TableName
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.table_properties import foreign_keys_to, only_insert_decides, runs_user_functions
from pgsluice.sql import query


def one_statement_suffices(conn: psycopg.Connection, group: Sequence[TableRun]) -> bool:
    """Whether one statement for all tables has the same result as one statement for each table in turn.

    All parts of the statement see the rows that were there before it, and everything that follows from a row (triggers,
    ON UPDATE CASCADE) happens when all rows are in.
    """
    if any(only_insert_decides(t.table) for t in group):
        return False
    oids = [t.table.oid for t in group]
    suffices = conn.execute(query("cycle_keys", "one_statement_suffices"), {"oids": oids}).fetchone() == (True,)
    return suffices and not runs_user_functions(conn, oids)


def defer(conn: psycopg.Connection, group: Sequence[TableRun], names: Collection[TableName]) -> None:
    """Defers the foreign keys within the group.

    ALTER CONSTRAINT is transactional and changes the catalog only, so no other session ever sees the deferrable keys.
    """
    keys = _inner_keys(group, names)
    for table_run, fk in keys:
        if not fk.deferrable:
            _alter(conn, table_run, fk, "DEFERRABLE INITIALLY DEFERRED")
    for table_run, fk in keys:
        _set_deferred(conn, table_run, fk)


def check(conn: psycopg.Connection, group: Sequence[TableRun], names: Collection[TableName]) -> None:
    """Checks the foreign keys that :func:`defer` deferred and restores their definitions.

    :raises psycopg.errors.ForeignKeyViolation: a row has no parent.
    """
    keys = _inner_keys(group, names)
    # All checks come first, because a table with a pending check cannot be altered.
    for table_run, fk in keys:
        conn.execute(sql.SQL("SET CONSTRAINTS {} IMMEDIATE").format(_constraint(table_run, fk.name)))
    for table_run, fk in keys:
        if not fk.deferrable:
            _alter(conn, table_run, fk, "NOT DEFERRABLE")


def _inner_keys(group: Sequence[TableRun], names: Collection[TableName]) -> list[tuple[TableRun, Constraint]]:
    return [
        (table_run, fk)
        for table_run in group
        for fk in foreign_keys_to(table_run.table, names, inner=True)
        if fk.deferrable or table_run.table.owner_is_me
    ]


def _constraint(table_run: TableRun, name: str) -> sql.Identifier:
    return sql.Identifier(table_run.table.name.schema, name)


def _alter(conn: psycopg.Connection, table_run: TableRun, fk: Constraint, how: str) -> None:
    conn.execute(
        sql.SQL("ALTER TABLE {} ALTER CONSTRAINT {} {}").format(
            table_run.relation, sql.Identifier(fk.name), sql.SQL(how)
        )
    )


def _set_deferred(conn: psycopg.Connection, table_run: TableRun, fk: Constraint) -> None:
    """Defers one foreign key.

    SET CONSTRAINTS covers all keys of that name in the schema and fails if one of them cannot be deferred. In that case
    the key has another name for a moment.
    """
    oid = table_run.table.oid
    name = fk.name
    shared = conn.execute(query("cycle_keys", "name_is_shared"), {"oid": oid, "name": name}).fetchone() == (True,)
    if shared and table_run.table.owner_is_me:
        name = f"pgsluice_{oid}_{fk.oid}"
        _rename(conn, table_run, fk.name, name)
    conn.execute(sql.SQL("SET CONSTRAINTS {} DEFERRED").format(_constraint(table_run, name)))
    if name != fk.name:
        _rename(conn, table_run, name, fk.name)


def _rename(conn: psycopg.Connection, table_run: TableRun, old: str, new: str) -> None:
    conn.execute(
        sql.SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}").format(
            table_run.relation, sql.Identifier(old), sql.Identifier(new)
        )
    )
