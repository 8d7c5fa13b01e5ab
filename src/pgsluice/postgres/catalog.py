"""Reads PostgreSQL's catalog: tables with their columns, constraints, indexes and obstacles.

One query reads columns (or constraints, indexes, obstacles) of all tables, so a schema needs five round trips however
many tables it has. Definitions come from PostgreSQL's deparser. The deparser qualifies a name only where the
``search_path`` of the connection requires it, so use the definitions under the same ``search_path``. Under the safe
path (:mod:`pgsluice.postgres.search_path`) the deparser qualifies every name outside of ``pg_catalog``.
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
from pgsluice.postgres.search_path import current_schema
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.sql import query

CatalogSnapshot = dict[tuple[str, str, str], tuple[str | None, ...]]
"""A catalog snapshot. A key is the kind of object (``constraint``, ``index`` or ``table``), its table and its name; the
value holds everything about the object that a load must not change."""


def _rows(conn: psycopg.Connection[Any], name: str, **parameters: object) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("catalog", name), parameters).fetchall()


def _details(conn: psycopg.Connection[Any], name: str, oids: Sequence[int]) -> list[dict[str, Any]]:
    # PostgreSQL needs longer to plan one of these queries than to run it, so the query is skipped without tables.
    return _rows(conn, name, oids=oids) if oids else []


def read_tables(
    conn: psycopg.Connection[Any], schema: str | None, only: Collection[int] | None = None
) -> tuple[Table, ...]:
    """Returns the tables of a schema in alphabetical order, without partitions.

    :param schema: None for the first schema of the user's path. A schema that does not exist has no tables.
    :param only: oids of the tables to read completely; None for all. The other tables come without columns,
        constraints, indexes and obstacles. PostgreSQL's deparser locks the tables that it reads, so the function waits
        while another session holds an exclusive lock on one of them.
    :raises psycopg.Error: as psycopg raises it.
    """
    found = _rows(conn, "tables", schema=current_schema(conn) if schema is None else schema)
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
        indexes[row.pop("table_oid")].append(Index(**row | {n: tuple(row[n]) for n in ("keys", "equality")}))

    obstacles: defaultdict[int, list[Obstacle]] = defaultdict(list)
    for row in _details(conn, "obstacles", oids):
        obstacles[row["table_oid"]].append(Obstacle(ObstacleKind(row["kind"]), row["text"]))

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
    """Returns a Constraint for a row of the query ``constraints``.

    :param row: the row without the oids of its tables; the function changes it.
    """
    referenced_schema, referenced_name = row.pop("referenced_schema"), row.pop("referenced_name")
    table = TableName(row.pop("table_schema"), row.pop("table_name"))
    for name in ("columns", "referenced_columns", "equality"):
        row[name] = tuple(row[name])
    references = TableName(referenced_schema, referenced_name) if referenced_name is not None else None
    return Constraint(**row, table=table, references=references)


def require_schema(conn: psycopg.Connection[Any], schema: str) -> None:
    """Checks that the schema exists.

    :raises DatabaseError: it does not.
    """
    if conn.execute("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None:
        raise DatabaseError(f"there is no schema {schema!r}", "Create it, or check --into")


def is_empty(conn: psycopg.Connection[Any], table: TableName) -> bool:
    """Whether the table has no row that is visible to this transaction."""
    statement = sql.SQL(query("catalog", "is_empty")).format(table=identifier(table))
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(statement).fetchone()
    return row is not None and bool(row[0])


def catalog_snapshot(conn: psycopg.Connection[Any], oids: Sequence[int]) -> CatalogSnapshot:
    """Returns the catalog snapshot of the tables, to compare before and after a load.

    The snapshot includes foreign keys of other tables that reference these. Two snapshots are equal (``==``) if only
    oids differ and both were taken under the same ``search_path``.

    :param oids: oids of the tables.
    """
    with conn.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(query("catalog_snapshot", "snapshot"), {"oids": list(oids)}).fetchall()
    return {(sort, owner, name): tuple(facts) for sort, owner, name, facts in rows}
