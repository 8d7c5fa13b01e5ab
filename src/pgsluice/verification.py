"""Looks at the tables after the fact: rows there, parents there, no NULL where none may be.

The constraints of the database are not trusted, their content is pluralize: each foreign key by a set query
with its own operators, each NOT NULL and each unvalidated CHECK by a look at every row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import pq, sql
from psycopg.rows import tuple_row

from pgsluice.errors import SchemaFileError
from pgsluice.ledger.queries import loaded_rows
from pgsluice.ledger.schema import exists
from pgsluice.model import Check, Constraint, QueryResult, Table, VerifyResult
from pgsluice.postgres.catalog import read_tables, require_schema
from pgsluice.postgres.sql_fragments import keys_match
from pgsluice.postgres.sql_lexer import Statement, is_transaction_statement, read_sql, split
from pgsluice.sql import query
from pgsluice.text import pluralize

Connection = psycopg.Connection[Any]


def verify(conn: Connection, schema: str | None, sql_file: str | None = None) -> VerifyResult:
    """Check the tables of ``schema`` (None: the current one) that the ledger knows; all, if it knows none.

    Everything is read in one read-only transaction; on a connection that is not inside a transaction yet,
    in one snapshot. ``sql_file`` holds queries of the user, each with ``-- name: title`` before it, whose
    results are returned as text, NULL as ''.

    Raises FileError or SchemaFileError for ``sql_file``, DatabaseError for a schema that is not there.
    """
    statements = list(_user_queries(sql_file)) if sql_file is not None else []
    with _read_only(conn):
        if schema:
            require_schema(conn, schema)
        loaded = loaded_rows(conn) if exists(conn) else {}
        tables = read_tables(conn, schema)
        known = tuple(table for table in tables if table.oid in loaded)
        checks: list[Check] = []
        for table in known or tables:
            checks += _table_checks(conn, table, loaded.get(table.oid))
            checks += (_foreign_key_check(conn, table, key) for key in table.foreign_keys)
        queries = tuple(_run(conn, statement, sql_file or "") for statement in statements)
    return VerifyResult(all(check.ok for check in checks), tuple(checks), queries)


@contextmanager
def _read_only(conn: Connection) -> Iterator[None]:
    """A read-only transaction; a savepoint with that property, if ``conn`` is in a transaction."""
    fresh = conn.info.transaction_status == pq.TransactionStatus.IDLE
    # Rolled back, so that a SET in the user's queries does not outlive them.
    with conn.transaction(force_rollback=True):
        conn.execute(query("verify", "one_snapshot" if fresh else "read_only"))
        yield


def _numbers(conn: Connection, statement: sql.Composed) -> tuple[int, ...]:
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(statement).fetchone()
    assert row is not None  # aggregates without GROUP BY return one row
    return row


def _source(table: Table) -> sql.Composable:
    """The table itself, without tables that inherit from it; a partitioned one has its rows in those."""
    name = sql.Identifier(table.name.schema, table.name.name)
    return name if table.kind == "p" else sql.SQL("ONLY {}").format(name)


def _table_checks(conn: Connection, table: Table, loaded: tuple[int, int, bool] | None) -> Iterator[Check]:
    """Rows, NOT NULL columns and unvalidated CHECKs of one table, all in one scan."""
    required = [column.name for column in table.columns if column.not_null]
    unproved = [check for check in table.checks if not check.validated]
    counts: list[sql.Composable] = [sql.SQL("count(*)")]
    nulls_in = sql.SQL("count(*) FILTER (WHERE {} IS NULL)")
    counts += [nulls_in.format(sql.Identifier(name)) for name in required]
    # The text of a CHECK is PostgreSQL's own. A CHECK is broken by false, not by NULL.
    counts += [sql.SQL("count(*) FILTER (WHERE NOT ({}))").format(sql.SQL(c.expression)) for c in unproved]
    statement = sql.SQL(query("verify", "scan")).format(
        counts=sql.SQL(", ").join(counts),
        table=sql.Identifier(table.name.schema, table.name.name),
    )
    rows, *others = _numbers(conn, statement)
    yield _rows_check(table, rows, loaded)
    for name, nulls in zip(required, others, strict=False):
        yield Check("not_null", f"{table.name}.{name}", nulls == 0, pluralize(nulls, "NULL"))
    for check, broken in zip(unproved, others[len(required) :], strict=True):
        what = "not enforced" if not check.enforced else "not validated"
        ok = broken == 0 or not check.enforced
        yield Check("check", f"{table.name}.{check.name}", ok, f"{what}; broken by {pluralize(broken, 'row')}")


def _rows_check(table: Table, rows: int, booked: tuple[int, int, bool] | None) -> Check:
    held = pluralize(rows, "row")
    if booked is None:
        return Check("rows", str(table.name), True, f"{held}; the ledger knows of no load", asked=False)
    loaded, replayed, changed = booked
    if changed:
        # Rows that were updated, left alone or deleted do not add up to what the table holds.
        return Check("rows", str(table.name), True, f"{held}; loaded in modes that change rows", asked=False)
    detail = f"{held}; the ledger loaded {loaded:,}"
    if replayed:
        detail += f", {replayed:,} of them corrected and replayed"
    if rows > loaded:
        detail += f"; {rows - loaded:,} came another way"
    elif rows < loaded:
        detail += f"; {loaded - rows:,} are missing: deleted since, or the table was emptied and loaded again"
    return Check("rows", str(table.name), rows >= loaded, detail)


def _foreign_key_check(conn: Connection, table: Table, key: Constraint) -> Check:
    """Rows whose parent does not exist, found with the operators of the foreign key itself."""
    assert key.references is not None  # of every foreign key
    theirs = f"{key.references}({', '.join(key.referenced_columns)})"
    subject = f"{table.name}({', '.join(key.columns)}) -> {theirs}"
    if "PERIOD " in key.definition:
        return Check("foreign_key", subject, True, "a foreign key over periods", asked=False)
    with conn.cursor(row_factory=tuple_row) as cursor:
        kind = cursor.execute(
            query("verify", "kind"), {"schema": key.references.schema, "name": key.references.name}
        ).fetchone()
    parent = sql.Identifier(key.references.schema, key.references.name)
    own = [sql.Identifier("child", name) for name in key.columns]
    filled = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(column) for column in own)
    empty = sql.SQL(" AND ").join(sql.SQL("{} IS NULL").format(column) for column in own)
    orphans, halves = _numbers(
        conn,
        sql.SQL(query("verify", "orphans")).format(
            child=_source(table),
            parent=parent if kind == ("p",) else sql.SQL("ONLY {}").format(parent),
            filled=filled,
            empty=empty,
            matches=keys_match(key, "parent", "child"),
        ),
    )
    detail = pluralize(orphans, "orphan")
    broken = orphans
    if key.match_full and len(own) > 1:
        detail += f", {pluralize(halves, 'row')} with some of the columns NULL (MATCH FULL)"
        broken += halves
    if not key.enforced:
        detail += "; not enforced"
    elif not key.validated:
        detail += "; not validated"
    return Check("foreign_key", subject, broken == 0 or not key.enforced, detail)


def _user_queries(path: str) -> Iterator[Statement]:
    for statement in split(read_sql(path), path):
        if is_transaction_statement(statement):
            raise SchemaFileError(
                f"{path}:{statement.line}: {statement.text.split()[0].upper()} in a file of queries",
                "Take it out; the queries run in one read-only transaction",
            )
        yield statement


def _run(conn: Connection, statement: Statement, path: str) -> QueryResult:
    """One query; its values as PostgreSQL writes them."""
    title = statement.title or f"line {statement.line}"
    try:
        with conn.cursor() as cursor:
            cursor.execute(statement.text)
            result = cursor.pgresult
            names = tuple(column.name for column in cursor.description or ())
            encoding = conn.info.encoding
    except psycopg.Error as error:
        if error.sqlstate is None:  # the connection, not the query
            raise
        raise SchemaFileError(
            f"{path}:{statement.line}: {error.diag.message_primary}",
            "Correct the query; only reading is allowed",
        ) from error
    if result is None or not names:
        return QueryResult(title, (), ())
    rows = tuple(
        tuple((result.get_value(row, column) or b"").decode(encoding) for column in range(len(names)))
        for row in range(result.ntuples)
    )
    return QueryResult(title, names, rows)
