"""Taking keys and indexes of an empty table down before its rows come, and building them after.

What is built again has the same definition, name, comment and flags: the run compares the catalog's fingerprint
before and after (:func:`pgsluice.postgres.catalog.fingerprint`) and does not publish when they differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, Index, Listener, Progress, Table
from pgsluice.pipeline.state import TableRun


def _exec(conn: psycopg.Connection, text: str, *parts: sql.Composable) -> None:
    conn.execute(sql.SQL(text).format(*parts))


def take_down(conn: psycopg.Connection, states: Sequence[TableRun]) -> None:
    """Drops foreign keys, keys and indexes of the tables and gives them new, empty files.

    TRUNCATE of a table that is empty anyway lets COPY fill fresh pages in order, which the ranks of
    :class:`~pgsluice.pipeline.row_map.RowMap` rest on (``TABLE_INSERT_SKIP_FSM``, copyfrom.c), and skip the
    write-ahead log where ``wal_level`` is minimal.
    """
    for state in states:
        for fk in state.plan.table.foreign_keys:
            _exec(conn, "ALTER TABLE {} DROP CONSTRAINT {}", state.target, sql.Identifier(fk.name))
    for state in states:
        table = state.plan.table
        for index in table.indexes:
            if index.constraint:
                _exec(conn, "ALTER TABLE {} DROP CONSTRAINT {}", state.target, sql.Identifier(index.constraint))
            else:
                _exec(conn, "DROP INDEX {}", sql.Identifier(table.name.schema, index.name))
    # Also because only a table that was emptied in the transaction is filled page after page: elsewhere COPY puts short
    # rows where an earlier page has room left (``CopyFrom``, TABLE_INSERT_SKIP_FSM), and the place of a row would no
    # longer tell which record it is.
    _exec(conn, "TRUNCATE {}", sql.SQL(", ").join(s.target for s in states))


def build_index(conn: psycopg.Connection, table: Table, index: Index) -> None:
    """Builds one index and the constraint that owned it.

    :raises psycopg.errors.UniqueViolation: the rows do not have unique keys.
    """
    name = sql.Identifier(table.name.schema, index.name)
    relation = sql.Identifier(table.name.schema, table.name.name)
    if index.tablespace:
        _exec(conn, "SET LOCAL default_tablespace = {}", sql.Literal(index.tablespace))
    conn.execute(sql.SQL(index.definition))
    if index.tablespace:
        conn.execute("SET LOCAL default_tablespace TO DEFAULT")
    if index.constraint:
        owner = next(c for c in table.constraints if c.name == index.constraint)
        clause = "PRIMARY KEY" if owner.kind == "p" else "UNIQUE"
        when = " INITIALLY DEFERRED" if owner.deferred else ""
        defer = f" DEFERRABLE{when}" if owner.deferrable else ""
        _exec(
            conn,
            f"ALTER TABLE {{}} ADD CONSTRAINT {{}} {clause} USING INDEX {{}}{defer}",
            relation,
            sql.Identifier(owner.name),
            sql.Identifier(index.name),
        )
        _comment_constraint(conn, relation, owner)
    if index.comment is not None:
        _exec(conn, "COMMENT ON INDEX {} IS {}", name, sql.Literal(index.comment))
    if index.clustered:
        _exec(conn, "ALTER TABLE {} CLUSTER ON {}", relation, sql.Identifier(index.name))
    if index.replica_identity:
        _exec(conn, "ALTER TABLE {} REPLICA IDENTITY USING INDEX {}", relation, sql.Identifier(index.name))


def add_constraints(conn: psycopg.Connection, relation: sql.Composable, constraints: Sequence[Constraint]) -> None:
    """Adds CHECKs or foreign keys by their own definitions; PostgreSQL validates them, all CHECKs in one scan.

    :raises psycopg.errors.CheckViolation, psycopg.errors.ForeignKeyViolation: rows break one.
    """
    clauses = [
        sql.SQL("ADD CONSTRAINT {} {}").format(sql.Identifier(c.name), sql.SQL(c.definition)) for c in constraints
    ]
    conn.execute(sql.SQL("ALTER TABLE {} {}").format(relation, sql.SQL(", ").join(clauses)))
    for constraint in constraints:
        _comment_constraint(conn, relation, constraint)


def _comment_constraint(conn: psycopg.Connection, relation: sql.Composable, constraint: Constraint) -> None:
    if constraint.comment is not None:
        _exec(
            conn,
            "COMMENT ON CONSTRAINT {} ON {} IS {}",
            sql.Identifier(constraint.name),
            relation,
            sql.Literal(constraint.comment),
        )


def build_plain(conn: psycopg.Connection, state: TableRun, listen: Listener) -> None:
    """Builds the indexes that judge nothing."""
    table = state.plan.table
    for index in (i for i in table.indexes if not i.unique):
        listen(Progress("build", state.name, f"index {index.name}"))
        build_index(conn, table, index)
