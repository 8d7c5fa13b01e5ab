"""Tables that refer to each other: their foreign keys can be asked when all of their rows are in.

Either one statement writes all rows, at whose end they are asked (:func:`one_statement_is_as_good`), or they are told
to wait (:func:`defer`), which for a key that is not deferrable takes a lock that readers run into.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, TableName
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.capabilities import foreign_keys_to, only_insert_decides, runs_user_functions
from pgsluice.sql import query


def one_statement_is_as_good(conn: psycopg.Connection, group: Sequence[TableRun]) -> bool:
    """Whether one statement for all tables leaves what one for each, in turn, would have left.

    All its parts see the rows that were there before, and whatever follows from a row (triggers, ON UPDATE CASCADE)
    comes when all are in.
    """
    if any(only_insert_decides(s.plan.table) for s in group):
        return False
    oids = [s.plan.table.oid for s in group]
    alike = conn.execute(query("deferred_keys", "one_statement_is_as_good"), {"oids": oids}).fetchone() == (True,)
    return alike and not runs_user_functions(conn, oids)


def defer(conn: psycopg.Connection, group: Sequence[TableRun], names: Collection[TableName]) -> None:
    """Foreign keys within the group wait for its last row.

    ALTER CONSTRAINT is transactional, touches the catalog only, and nobody else ever sees it.
    """
    keys = _keys(group, names)
    for state, fk in keys:
        if not fk.deferrable:
            _alter(conn, state, fk, "DEFERRABLE INITIALLY DEFERRED")
    for state, fk in keys:
        _set_deferred(conn, state, fk)


def ask(conn: psycopg.Connection, group: Sequence[TableRun], names: Collection[TableName]) -> None:
    """Asks the keys that :func:`defer` told to wait; they are as they were afterwards.

    :raises psycopg.errors.ForeignKeyViolation: a row has no parent.
    """
    keys = _keys(group, names)
    # All of them first: a table with a check that still waits cannot be altered.
    for state, fk in keys:
        conn.execute(sql.SQL("SET CONSTRAINTS {} IMMEDIATE").format(_name(state, fk.name)))
    for state, fk in keys:
        if not fk.deferrable:
            _alter(conn, state, fk, "NOT DEFERRABLE")


def _keys(group: Sequence[TableRun], names: Collection[TableName]) -> list[tuple[TableRun, Constraint]]:
    return [
        (state, fk)
        for state in group
        for fk in foreign_keys_to(state.plan.table, names, inner=True)
        if fk.deferrable or state.plan.table.owner_is_me
    ]


def _name(state: TableRun, name: str) -> sql.Identifier:
    return sql.Identifier(state.plan.table.name.schema, name)


def _alter(conn: psycopg.Connection, state: TableRun, fk: Constraint, how: str) -> None:
    conn.execute(
        sql.SQL("ALTER TABLE {} ALTER CONSTRAINT {} {}").format(state.target, sql.Identifier(fk.name), sql.SQL(how))
    )


def _set_deferred(conn: psycopg.Connection, state: TableRun, fk: Constraint) -> None:
    """SET CONSTRAINTS means all keys of a name in a schema, and fails for one that cannot wait: then the key bears
    another name for that moment.
    """
    oid = state.plan.table.oid
    name = fk.name
    found = conn.execute(query("deferred_keys", "namesake"), {"oid": oid, "name": name}).fetchone() == (True,)
    if found and state.plan.table.owner_is_me:
        name = f"pgsluice_{oid}_{fk.oid}"
        _rename(conn, state, fk.name, name)
    conn.execute(sql.SQL("SET CONSTRAINTS {} DEFERRED").format(_name(state, name)))
    if name != fk.name:
        _rename(conn, state, name, fk.name)


def _rename(conn: psycopg.Connection, state: TableRun, old: str, new: str) -> None:
    conn.execute(
        sql.SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}").format(
            state.target, sql.Identifier(old), sql.Identifier(new)
        )
    )
