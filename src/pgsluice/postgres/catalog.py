"""What the database says about its tables: columns, constraints, indexes, and what forbids touching them.

Every kind of thing is read by one query for all tables, so that a schema costs a handful of round trips
however many tables it has. Definitions are those of PostgreSQL's own deparser and name things as the
``search_path`` of the connection needs it: use them under the same ``search_path``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, tuple_row

from pgsluice.errors import DatabaseError
from pgsluice.model import Column, Constraint, Index, Obstacle, ObstacleKind, Table, TableName
from pgsluice.sql import query

Fingerprint = dict[tuple[str, str, str], tuple[str | None, ...]]
"""(constraint, index or table; its table; its name) to the facts about it."""


def _rows(conn: psycopg.Connection[Any], name: str, **parameters: object) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("catalog", name), parameters).fetchall()


def _details(conn: psycopg.Connection[Any], name: str, oids: Sequence[int]) -> list[dict[str, Any]]:
    # To plan one of these queries takes PostgreSQL longer than to answer it.
    return _rows(conn, name, oids=oids) if oids else []


def read_tables(
    conn: psycopg.Connection[Any], schema: str | None, only: Collection[int] | None = None
) -> tuple[Table, ...]:
    """All tables of ``schema`` (None: the current one) in alphabetical order, partitions left out.

    :param only: oids of the tables to look into; of the others little more than their names is told. To
        look into a table waits for whoever has it locked, since PostgreSQL's deparser does.

    Errors of the connection pass through as psycopg raises them. A schema that does not exist has no
    tables.
    """
    found = _rows(conn, "tables", schema=schema)
    oids = [row["oid"] for row in found if only is None or row["oid"] in only]

    columns: defaultdict[int, list[Column]] = defaultdict(list)
    for row in _details(conn, "columns", oids):
        columns[row.pop("table_oid")].append(Column(**row | {"labels": tuple(row["labels"])}))

    constraints: defaultdict[int, list[Constraint]] = defaultdict(list)
    referenced_by: defaultdict[int, list[Constraint]] = defaultdict(list)
    for row in _details(conn, "constraints", oids):
        table_oid, referenced_oid = row.pop("table_oid"), row.pop("referenced_oid")
        constraint = _constraint(row)
        constraints[table_oid].append(constraint)
        referenced_by[referenced_oid].append(constraint)

    indexes: defaultdict[int, list[Index]] = defaultdict(list)
    for row in _details(conn, "indexes", oids):
        indexes[row.pop("table_oid")].append(Index(**row | {"keys": tuple(row["keys"])}))

    obstacles: defaultdict[int, list[Obstacle]] = defaultdict(list)
    for row in _details(conn, "obstacles", oids):
        obstacles[row["table_oid"]].append(Obstacle(ObstacleKind(row["kind"]), row["words"]))

    return tuple(
        Table(
            oid=row["oid"],
            name=TableName(row["schema"], row["name"]),
            kind=row["kind"],
            owner_is_me=row["owner_is_me"],
            columns=tuple(columns[row["oid"]]),
            constraints=tuple(constraints[row["oid"]]),
            indexes=tuple(indexes[row["oid"]]),
            referenced_by=tuple(referenced_by[row["oid"]]),
            obstacles=tuple(obstacles[row["oid"]]),
        )
        for row in found
    )


def _constraint(row: dict[str, Any]) -> Constraint:
    """A row of the query ``constraints``, without the oids of its tables, as a Constraint."""
    referenced_schema, referenced_name = row.pop("referenced_schema"), row.pop("referenced_name")
    table = TableName(row.pop("table_schema"), row.pop("table_name"))
    for name in ("columns", "referenced_columns", "equality"):
        row[name] = tuple(row[name])
    references = TableName(referenced_schema, referenced_name) if referenced_name is not None else None
    return Constraint(**row, table=table, references=references)


def require_schema(conn: psycopg.Connection[Any], schema: str) -> None:
    """
    :raises DatabaseError: there is no such schema.
    """
    if conn.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None:
        raise DatabaseError(f"there is no schema {schema!r}", "Create it, or check --into")


def is_empty(conn: psycopg.Connection[Any], table: TableName) -> bool:
    """Whether ``table`` has no row that this transaction sees."""
    statement = sql.SQL(query("catalog", "is_empty")).format(table=sql.Identifier(table.schema, table.name))
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(statement).fetchone()
    return row is not None and bool(row[0])


def fingerprint(conn: psycopg.Connection[Any], oids: Sequence[int]) -> Fingerprint:
    """Everything about keys and indexes of the tables ``oids`` that a load must leave as it was.

    Comprises foreign keys of other tables that point here. Two fingerprints taken under the same
    ``search_path`` are equal (``==``) if nothing but oids differs.
    """
    return {
        (row["sort"], row["owner"], row["name"]): tuple(row["facts"])
        for row in _rows(conn, "fingerprint", oids=list(oids))
    }
