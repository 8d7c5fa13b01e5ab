"""Checks loaded tables: the numbers of rows, foreign keys, NOT NULL columns and unvalidated CHECKs.

The checks do not trust the constraints and query the rows instead. One query for each foreign key, with its operators,
counts rows without a parent row. One scan of each table counts rows, NULLs in NOT NULL columns and rows that break an
unvalidated CHECK.
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
from pgsluice.ledger.reports import rows_left
from pgsluice.ledger.schema import exists
from pgsluice.model import Check, Constraint, QueryResult, Table, TableName, VerifyResult
from pgsluice.postgres.asking.target import read_target
from pgsluice.postgres.catalog import read_tables, require_schema
from pgsluice.postgres.schema_files.sql_lexer import Statement, is_transaction_statement, read_sql, split
from pgsluice.postgres.search_path import current_schema, user_path
from pgsluice.postgres.sql_fragments import identifier, keys_match
from pgsluice.sql import query
from pgsluice.text import pluralize

Connection = psycopg.Connection[Any]


def verify(conn: Connection, schema: str | None, sql_file: str | None = None) -> VerifyResult:
    """Checks the tables of a schema that the ledger knows, or all tables if the ledger knows none.

    All queries run in one read-only transaction. On a connection that is not in a transaction they read one snapshot.

    :param schema: None for the first schema of the user's path.
    :param sql_file: a file with queries of the user, each with a comment ``-- name: title`` before it. The result
        contains the rows of the queries as text, and NULL as ''.
    :raises FileError: the file cannot be read.
    :raises SchemaFileError: a statement of the file fails, would write, or is no query.
    :raises DatabaseError: the schema does not exist.
    """
    statements = list(_user_queries(sql_file)) if sql_file is not None else []
    with _read_only(conn):
        if schema:
            require_schema(conn, schema)
        known_ledger = exists(conn)
        loaded = loaded_rows(conn) if known_ledger else {}
        left = rows_left(conn) if known_ledger else {}
        chosen = schema or current_schema(conn)
        target = read_target(conn, chosen)
        tables = read_tables(conn, chosen) if chosen else ()
        known = tuple(table for table in tables if table.oid in loaded)
        checks: list[Check] = []
        for table in known or tables:
            checks += _table_checks(conn, table, loaded.get(table.oid), left.get(table.oid))
            checks += (_foreign_key_check(conn, table, key) for key in table.foreign_keys)
        with user_path(conn, bool(statements)):
            queries = tuple(_run(conn, statement, sql_file or "") for statement in statements)
    return VerifyResult(all(check.ok for check in checks), tuple(checks), queries, target=target)


@contextmanager
def _read_only(conn: Connection) -> Iterator[None]:
    """Opens a read-only transaction or, if the connection is in a transaction, a read-only savepoint."""
    fresh = conn.info.transaction_status == pq.TransactionStatus.IDLE
    # The rollback undoes every SET in the queries of the user.
    with conn.transaction(force_rollback=True):
        conn.execute(query("verify", "one_snapshot" if fresh else "read_only"))
        yield


def _counts(conn: Connection, statement: sql.Composed) -> tuple[int, ...]:
    """Returns the row of a query that returns aggregates."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(statement).fetchone()
    assert row is not None  # aggregates without GROUP BY return one row
    return row


def _from_item(table: TableName, kind: str) -> sql.Composable:
    """Returns the table for FROM: the rows for which its foreign keys hold.

    Foreign keys do not hold for the rows of inheriting tables. The rows of a partitioned table are in its partitions.

    :param kind: ``pg_class.relkind``.
    """
    name = identifier(table)
    return name if kind == "p" else sql.SQL("ONLY {}").format(name)


def _table_checks(
    conn: Connection, table: Table, loaded: tuple[int, int, bool] | None, left: int | None
) -> Iterator[Check]:
    """Checks number of rows, NOT NULL columns and unvalidated CHECKs of a table, all in one scan.

    :param loaded: what the ledger says about the table; None if it does not know the table.
    :param left: how many rows the runs left in the table; None if it is not known.
    """
    required = [column.name for column in table.columns if column.not_null]
    unproved = [check for check in table.checks if not check.validated]
    counts: list[sql.Composable] = [sql.SQL("pg_catalog.count(*)")]
    nulls_in = sql.SQL("pg_catalog.count(*) FILTER (WHERE {} IS NULL)")
    counts += [nulls_in.format(sql.Identifier(name)) for name in required]
    # The text of a CHECK comes from PostgreSQL. False breaks a CHECK; NULL does not.
    counts += [sql.SQL("pg_catalog.count(*) FILTER (WHERE NOT ({}))").format(sql.SQL(c.expression)) for c in unproved]
    statement = sql.SQL(query("verify", "scan")).format(
        counts=sql.SQL(", ").join(counts),
        table=identifier(table.name),
    )
    rows, *others = _counts(conn, statement)
    yield _rows_check(table, rows, loaded, left)
    for name, nulls in zip(required, others, strict=False):
        yield Check("not_null", f"{table.name}.{name}", nulls == 0, pluralize(nulls, "NULL"), guaranteed=nulls == 0)
    for check, broken in zip(unproved, others[len(required) :], strict=True):
        what = "not enforced" if not check.enforced else "not validated"
        ok = broken == 0 or not check.enforced
        yield Check("check", f"{table.name}.{check.name}", ok, f"{what}; broken by {pluralize(broken, 'row')}")


def _rows_check(table: Table, rows: int, ledger: tuple[int, int, bool] | None, left: int | None) -> Check:
    """Compares the number of rows with what the ledger says.

    :param ledger: rows loaded, rows of them replayed, and whether a run used a mode that changes rows.
    :param left: how many rows the runs left in the table; None if it is not known.
    """
    held = pluralize(rows, "row")
    if ledger is None:
        return Check("rows", str(table.name), True, f"{held}; the ledger knows of no load", asked=False)
    loaded, replayed, changed = ledger
    if changed and left is None:
        # The rows loaded are then not the rows of the table, because some rows were updated, unchanged or deleted.
        detail = f"{held}; loaded in modes that change rows, by a release that did not count the inserted rows"
        return Check("rows", str(table.name), True, detail, asked=False)
    if changed and left is not None:
        loaded = left
        detail = f"{held}; the runs left {loaded:,}"
    else:
        detail = f"{held}; the ledger loaded {loaded:,}"
    if replayed and not changed:
        detail += f", {replayed:,} of them corrected and replayed"
    if rows > loaded:
        detail += f"; {rows - loaded:,} came another way"
    elif rows < loaded:
        detail += f"; {loaded - rows:,} are missing: deleted since, or the table was emptied and loaded again"
    return Check("rows", str(table.name), rows >= loaded, detail)


def _foreign_key_check(conn: Connection, table: Table, key: Constraint) -> Check:
    """Checks that the parent row of every row exists, with the operators of the foreign key."""
    assert key.references is not None  # because it is a foreign key
    referenced = f"{key.references}({', '.join(key.referenced_columns)})"
    subject = f"{table.name}({', '.join(key.columns)}) -> {referenced}"
    if "PERIOD " in key.definition:
        return Check("foreign_key", subject, True, "a foreign key over periods", asked=False)
    orphans, halves = _count_orphans(conn, table, key, key.references)
    detail = pluralize(orphans, "orphan")
    broken = orphans
    if key.match_full and len(key.columns) > 1:
        detail += f", {pluralize(halves, 'row')} with some of the columns NULL (MATCH FULL)"
        broken += halves
    if not key.enforced:
        detail += "; not enforced"
    elif not key.validated:
        detail += "; not validated"
    guaranteed = broken == 0 and key.enforced and key.validated
    return Check("foreign_key", subject, broken == 0 or not key.enforced, detail, guaranteed=guaranteed)


def _count_orphans(conn: Connection, table: Table, key: Constraint, parent: TableName) -> tuple[int, ...]:
    """Returns the number of rows without a parent row, and of rows where only some columns of the key are NULL."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        kind = cursor.execute(query("verify", "kind"), {"schema": parent.schema, "name": parent.name}).fetchone()
    own = [sql.Identifier("child", name) for name in key.columns]
    return _counts(
        conn,
        sql.SQL(query("verify", "orphans")).format(
            child=_from_item(table.name, table.kind),
            parent=_from_item(parent, kind[0] if kind else ""),
            filled=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(column) for column in own),
            empty=sql.SQL(" AND ").join(sql.SQL("{} IS NULL").format(column) for column in own),
            matches=keys_match(key, "parent", "child"),
        ),
    )


def _user_queries(path: str) -> Iterator[Statement]:
    """Yields the statements of the file.

    :raises SchemaFileError: a statement would end the read-only transaction.
    """
    for statement in split(read_sql(path), path):
        if is_transaction_statement(statement):
            raise SchemaFileError(
                f"{path}:{statement.line}: {statement.text.split()[0].upper()} in a file of queries",
                "Take it out; the queries run in one read-only transaction",
            )
        yield statement


def _run(conn: Connection, statement: Statement, path: str) -> QueryResult:
    """Runs a query of the user.

    :returns: the rows as the text that PostgreSQL sends.
    :raises SchemaFileError: PostgreSQL refuses the query.
    """
    title = statement.title or f"line {statement.line}"
    try:
        with conn.cursor() as cursor:
            cursor.execute(statement.text)
            result = cursor.pgresult
            names = tuple(column.name for column in cursor.description or ())
            encoding = conn.info.encoding
    except psycopg.Error as error:
        if error.sqlstate is None:  # the error is about the connection
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
