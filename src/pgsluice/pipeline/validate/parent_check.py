"""Foreign keys of rows that are inserted into a table that holds rows: asked of all rows at once.

PostgreSQL asks them by a trigger, row by row: of 300,000 orders with two foreign keys that was half of the time. One
query with the keys' own operators asks the same of all, and locks the parents as the trigger does (``FOR KEY SHARE``,
``RI_FKey_check`` in ri_triggers.c), so that none can go before the commit. Where it finds every parent, the triggers
have nothing left to say and are kept still (``session_replication_role``, which takes a right of its own); where it
does not, they are asked, or the judge is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, Strategy
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.capabilities import runs_user_functions
from pgsluice.postgres.planner_hints import analyze
from pgsluice.postgres.sql_fragments import keys_match
from pgsluice.postgres.sqlstate import is_row_error
from pgsluice.sql import query


def may_ask(conn: psycopg.Connection, state: TableRun) -> bool:
    """Whether the table has foreign keys that can be asked so, and nothing else that a trigger would ask or do, be it a
    trigger of another table into which a function writes.

    Takes the locks that an INSERT and its triggers take, so that no foreign key is added and no parent gets another
    name from here on.
    """
    table = state.plan.table
    if state.way is not Strategy.STAGE or not all(map(_plain, keys := table.foreign_keys)) or not keys:
        return False
    brought = {c.name for c in state.columns}
    if not all(set(fk.columns) <= brought for fk in keys):
        return False
    # Before anything of the table is asked, which nobody can change from here on.
    conn.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(state.target))
    oids = [fk.oid for fk in keys]
    if runs_user_functions(conn, [table.oid]):
        return False
    if conn.execute(query("parent_check", "may_be_asked"), {"oid": table.oid, "keys": oids}).fetchone() != (True,):
        return False
    references = [fk.references for fk in keys if fk.references is not None]
    parents = sql.SQL(", ").join(
        sql.SQL("ONLY {}").format(sql.Identifier(parent.schema, parent.name)) for parent in sorted(set(references))
    )
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
    return conn.execute(query("parent_check", "still_the_same"), parameters).fetchone() == (True,)


def _plain(fk: Constraint) -> bool:
    """Each row has one parent or, where a column is NULL, none."""
    return fk.enforced and "PERIOD" not in fk.definition and (not fk.match_full or len(fk.columns) == 1)


def all_there(conn: psycopg.Connection, state: TableRun, rows: sql.Composable) -> bool | None:
    """Whether every row has its parents, which are locked then; None where the question makes PostgreSQL fail, as the
    trigger may not.

    :param rows: the relation that holds the rows.
    """
    keys = state.plan.table.foreign_keys
    # Else the planner looks parents up one by one, which takes half as long again.
    analyze(conn, rows, tuple(dict.fromkeys(c for fk in keys for c in fk.columns)))
    try:
        with conn.transaction():
            return all(_has_parents(conn, fk, rows) for fk in keys)
    except psycopg.Error as error:
        if not is_row_error(error):
            raise
        return None


def _has_parents(conn: psycopg.Connection, fk: Constraint, rows: sql.Composable) -> bool:
    assert fk.references is not None
    child = [sql.Identifier("s", c) for c in fk.columns]
    same = keys_match(fk, "p", "s")
    # Asked of the very rows that are locked: whatever another transaction does meanwhile, those stay.
    missing = sql.SQL(
        "WITH held AS MATERIALIZED (SELECT {keys} FROM ONLY {parent} AS p"
        " WHERE EXISTS (SELECT FROM {rows} AS s WHERE {same}) FOR KEY SHARE OF p)"
        " SELECT EXISTS (SELECT FROM {rows} AS s WHERE {whole} AND NOT EXISTS (SELECT FROM held AS p WHERE {same}))"
    ).format(
        keys=sql.SQL(", ").join(sql.Identifier("p", c) for c in fk.referenced_columns),
        parent=sql.Identifier(fk.references.schema, fk.references.name),
        rows=rows,
        same=same,
        whole=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(c) for c in child),
    )
    return conn.execute(missing).fetchone() == (False,)


@contextmanager
def triggers_still(conn: psycopg.Connection) -> Iterator[None]:
    """For one INSERT. If it fails, the savepoint that it fails in takes the setting back."""
    conn.execute("SET LOCAL session_replication_role = replica")
    yield
    conn.execute("SET LOCAL session_replication_role = origin")
