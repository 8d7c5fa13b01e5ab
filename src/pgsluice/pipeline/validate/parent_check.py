"""The parent check: the foreign keys of all rows of an INSERT, validated in bulk instead of by triggers.

PostgreSQL checks foreign keys by a trigger, row by row; for 300,000 orders with two foreign keys that took half of the
time. One query with the key's own operators checks all rows, and locks the parents as the trigger does (``FOR KEY
SHARE``, ``RI_FKey_check`` in ri_triggers.c), so that no parent can be deleted before the commit. If the query finds
every parent, the triggers have nothing left to check and are disabled for the INSERT (``session_replication_role``,
which requires a privilege of its own). If it does not, the triggers fire, or the rows are validated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, Strategy
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.planner_hints import analyze, execute_without_loops, scan_is_cheap
from pgsluice.postgres.sql_fragments import identifier, keys_match
from pgsluice.postgres.sqlstate import is_row_error
from pgsluice.postgres.table_properties import runs_user_functions
from pgsluice.sql import compose, query


def can_check_parents(conn: psycopg.Connection, table_run: TableRun) -> bool:
    """Whether the foreign keys of a staged table can be checked in bulk.

    That requires that every trigger which would fire on INSERT belongs to one of them, and that no user-defined
    function runs that could write to other tables. The function takes the locks that an INSERT and its triggers take,
    so that no foreign key is added and no parent is renamed afterwards.
    """
    table = table_run.table
    keys = table.foreign_keys
    if table_run.strategy is not Strategy.STAGE or not all(map(_has_one_parent, keys)) or not keys:
        return False
    if not all(set(fk.columns) <= table_run.stage_decides for fk in keys):
        return False
    # The lock comes before the first question about the table, because it keeps the answers true.
    conn.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(table_run.relation))
    oids = [fk.oid for fk in keys]
    if runs_user_functions(conn, [table.oid]):
        return False
    parameters: dict[str, object] = {"oid": table.oid, "keys": oids}
    if conn.execute(query("parent_check", "can_check_parents"), parameters).fetchone() != (True,):
        return False
    references = [fk.references for fk in keys if fk.references is not None]
    parents = sql.SQL(", ").join(sql.SQL("ONLY {}").format(identifier(parent)) for parent in sorted(set(references)))
    try:
        with conn.transaction():
            conn.execute(sql.SQL("LOCK TABLE {} IN ROW SHARE MODE").format(parents))
    except psycopg.errors.UndefinedTable:
        return False
    parameters = {
        "keys": oids,
        "definitions": [fk.definition for fk in keys],
        "schemas": [parent.schema for parent in references],
        "names": [parent.name for parent in references],
    }
    return conn.execute(query("parent_check", "keys_unchanged"), parameters).fetchone() == (True,)


def _has_one_parent(fk: Constraint) -> bool:
    """Whether each row has one parent or, where a column is NULL, none."""
    return fk.enforced and "PERIOD" not in fk.definition and (not fk.match_full or len(fk.columns) == 1)


def lock_parents(conn: psycopg.Connection, table_run: TableRun, rows: sql.Composable, count: int) -> bool | None:
    """Locks the parents of all rows; returns whether every row has its parents.

    :param rows: the relation that holds the rows.
    :param count: the number of rows.
    :returns: None if PostgreSQL raised an error for a row, as the trigger may not.
    """
    keys = table_run.table.foreign_keys
    # Without statistics the planner looks parents up one by one, which takes half as long again.
    analyze(conn, rows, tuple(dict.fromkeys(c for fk in keys for c in fk.columns)))
    try:
        with conn.transaction():
            return all(_lock_parents_of(conn, fk, rows, count) for fk in keys)
    except psycopg.Error as error:
        if not is_row_error(error):
            raise
        return None


def _lock_parents_of(conn: psycopg.Connection, fk: Constraint, rows: sql.Composable, count: int) -> bool:
    assert fk.references is not None
    parent = identifier(fk.references)
    scans = scan_is_cheap(conn, count, fk.references)
    orphans = compose(
        "parent_check",
        "any_orphans" if scans else "any_orphans_by_lookup",
        keys=sql.SQL(", ").join(sql.Identifier("p", c) for c in fk.referenced_columns),
        parent=parent,
        rows=rows,
        same=keys_match(fk, "p", "s"),
        whole=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier("s", c)) for c in fk.columns),
    )
    cursor = execute_without_loops(conn, orphans) if scans else conn.execute(orphans)
    return cursor.fetchone() == (False,)


@contextmanager
def triggers_disabled(conn: psycopg.Connection) -> Iterator[None]:
    """Disables triggers for one INSERT. If the INSERT fails, the rollback to its savepoint restores the setting."""
    conn.execute("SET LOCAL session_replication_role = replica")
    yield
    conn.execute("SET LOCAL session_replication_role = origin")
