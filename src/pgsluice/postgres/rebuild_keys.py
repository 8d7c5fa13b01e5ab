"""Dropping the keys and indexes of empty tables before a load, and building them again afterwards.

A rebuilt key or index has the same definition, name, comment and flags as before. The run compares the catalog
snapshots of before and after (:func:`pgsluice.postgres.catalog.catalog_snapshot`) and does not publish if they differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, Index, Table
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.sql import query


def drop_keys(conn: psycopg.Connection, tables: Sequence[Table]) -> None:
    """Drops foreign keys, keys and indexes of the tables and truncates the tables.

    The tables are empty already. TRUNCATE gives them new files, with two effects on the COPY that follows:

    - COPY fills page after page. In a table that was not truncated in the same transaction, COPY puts short rows into
      an earlier page that has room left (``CopyFrom`` and ``TABLE_INSERT_SKIP_FSM``, copyfrom.c). The position of a
      row would then no longer tell its ordinal, and :class:`~pgsluice.pipeline.state.RowMap` relies on that.
    - COPY skips the write-ahead log where ``wal_level`` is minimal.
    """
    # Every foreign key is dropped before the first unique key, because PostgreSQL does not drop a referenced key.
    for table in tables:
        for fk in table.foreign_keys:
            _drop_constraint(conn, table, fk.name)
    for table in tables:
        for index in table.indexes:
            if index.constraint:
                _drop_constraint(conn, table, index.constraint)
            else:
                conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(table.name.schema, index.name)))
    conn.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(identifier(table.name) for table in tables)))


def _drop_constraint(conn: psycopg.Connection, table: Table, name: str) -> None:
    conn.execute(
        sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(identifier(table.name), sql.Identifier(name)),
    )


def drop_checks(conn: psycopg.Connection, table: Table) -> bool:
    """Drops the CHECKs of a table; False, and none is dropped, if one would come back with another definition.

    PostgreSQL folds some casts when it reads the definition that it has written: ``c IN ('a', 'b')`` over a varchar is
    written with a cast of an array first, and with casts of its elements when it was added from that text.
    """
    same = False
    with conn.transaction():
        for check in table.checks:
            _drop_constraint(conn, table, check.name)
        same = bool(table.checks) and _come_back_the_same(conn, table)
        if not same:
            raise psycopg.Rollback
    return same


def _come_back_the_same(conn: psycopg.Connection, table: Table) -> bool:
    """Whether the CHECKs, if they were added now, would have the definitions that they had; adds none."""
    suffix = " NOT VALID"
    found: dict[str, str] = {}
    with conn.transaction(force_rollback=True):
        for check in table.checks:
            # The rows that are in the table are not validated for this.
            quick = check.enforced and not check.definition.endswith(suffix)
            conn.execute(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}{}").format(
                    identifier(table.name),
                    sql.Identifier(check.name),
                    sql.SQL(check.definition),
                    sql.SQL(suffix if quick else ""),
                )
            )
        statement = query("catalog", "check_definitions")
        found = dict(conn.execute(statement, {"oid": table.oid}).fetchall())
    return all(found[c.name].removesuffix(suffix) == c.definition.removesuffix(suffix) for c in table.checks)


def build_index(conn: psycopg.Connection, table: Table, index: Index) -> None:
    """Builds an index and the constraint that owns it, with comments and flags.

    :raises psycopg.errors.UniqueViolation: the index is unique and two rows have the same key.
    """
    relation = identifier(table.name)
    name = sql.Identifier(index.name)
    if index.tablespace:
        conn.execute(sql.SQL("SET LOCAL default_tablespace = {}").format(sql.Literal(index.tablespace)))
    conn.execute(sql.SQL(index.definition))
    if index.tablespace:
        conn.execute("SET LOCAL default_tablespace TO DEFAULT")
    if index.constraint:
        _add_constraint_using(conn, table, index)
    if index.comment is not None:
        conn.execute(
            sql.SQL("COMMENT ON INDEX {} IS {}").format(
                sql.Identifier(table.name.schema, index.name), sql.Literal(index.comment)
            )
        )
    if index.clustered:
        conn.execute(sql.SQL("ALTER TABLE {} CLUSTER ON {}").format(relation, name))
    if index.replica_identity:
        conn.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY USING INDEX {}").format(relation, name))


def _add_constraint_using(conn: psycopg.Connection, table: Table, index: Index) -> None:
    """Adds the primary or unique key that owns the index, over the index that exists already."""
    owner = next(c for c in table.constraints if c.name == index.constraint)
    clauses = [
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT {}").format(identifier(table.name), sql.Identifier(owner.name)),
        sql.SQL("PRIMARY KEY" if owner.kind == "p" else "UNIQUE"),
        sql.SQL("USING INDEX {}").format(sql.Identifier(index.name)),
    ]
    if owner.deferrable:
        clauses.append(sql.SQL("DEFERRABLE"))
        if owner.deferred:
            clauses.append(sql.SQL("INITIALLY DEFERRED"))
    conn.execute(sql.SQL(" ").join(clauses))
    _comment_on_constraint(conn, identifier(table.name), owner)


def add_constraints(conn: psycopg.Connection, relation: sql.Composable, constraints: Sequence[Constraint]) -> None:
    """Adds CHECKs or foreign keys by their definitions. PostgreSQL validates them, all CHECKs in one scan.

    :param relation: the table that receives the constraints: the target table or its shadow table.
    :raises psycopg.errors.CheckViolation: a row breaks a CHECK.
    :raises psycopg.errors.ForeignKeyViolation: a row breaks a foreign key.
    """
    clauses = [
        sql.SQL("ADD CONSTRAINT {} {}").format(sql.Identifier(c.name), sql.SQL(c.definition)) for c in constraints
    ]
    conn.execute(sql.SQL("ALTER TABLE {} {}").format(relation, sql.SQL(", ").join(clauses)))
    for constraint in constraints:
        _comment_on_constraint(conn, relation, constraint)


def _comment_on_constraint(conn: psycopg.Connection, relation: sql.Composable, constraint: Constraint) -> None:
    if constraint.comment is not None:
        conn.execute(
            sql.SQL("COMMENT ON CONSTRAINT {} ON {} IS {}").format(
                sql.Identifier(constraint.name), relation, sql.Literal(constraint.comment)
            )
        )
