"""New columns: fields that have no column, for which the table gets one (``--drift add``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import psycopg
from psycopg import sql

from pgsluice.errors import MappingError
from pgsluice.model import Column, ColumnDrift, DriftKind, SourceFile, Table, TableName
from pgsluice.names import column_name
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.source.typed.infer import column_type

Fresh = Sequence[tuple[SourceFile, Sequence[tuple[int, str]]]]
"""Files with their fields that have no column: position and name."""


def with_new_columns(table: Table, fresh: Fresh) -> tuple[Table, tuple[ColumnDrift, ...]]:
    """The table as it is when it has got a column for each of the fields, and what is added.

    :raises MappingError: the table belongs to another role.
    :raises FileError: a file cannot be read.
    """
    found: dict[str, list[tuple[SourceFile, int]]] = {}
    for file, fields in fresh:
        for position, field in fields:
            found.setdefault(column_name(field), []).append((file, position))
    if not found:
        return table, ()
    columns, drift = [], []
    last = max((c.number for c in table.columns), default=0)
    for number, (name, places) in enumerate(found.items(), start=last + 1):
        type_sql = column_type(places)
        columns.append(_column(name, number, type_sql))
        paths = tuple(dict.fromkeys(file.path for file, _ in places))
        drift.append(ColumnDrift(str(table.name), DriftKind.ADDED_COLUMN, name, type_sql, paths))
    if not table.owner_is_me:
        statement = "; ".join(_statement(table.name, c.name, c.type).as_string() for c in drift)
        raise MappingError(f"{table.name} belongs to another role, so no column can be added", f"As it: {statement}")
    return replace(table, columns=(*table.columns, *columns)), tuple(drift)


def add_columns(conn: psycopg.Connection, tables: Mapping[str, TableName], drift: Sequence[ColumnDrift]) -> None:
    """Adds the new columns to their tables, in the transaction that publishes the rows.

    :param tables: the names of the tables by the names for people.
    """
    for added in drift:
        if added.kind == DriftKind.ADDED_COLUMN:
            conn.execute(_statement(tables[added.table], added.name, added.type))


def _statement(table: TableName, column: str, type_sql: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
        identifier(table), sql.Identifier(column), sql.SQL(_TYPES[type_sql])
    )


_TYPES = {
    name: f"pg_catalog.{base}"
    for name, base in {
        "text": "text",
        "bigint": "int8",
        "numeric": "numeric",
        "boolean": "bool",
        "date": "date",
        "timestamp without time zone": "timestamp",
        "timestamp with time zone": "timestamptz",
    }.items()
}
"""The types that a new column may have, as no search_path changes them."""


def _column(name: str, number: int, type_sql: str) -> Column:
    base = _TYPES[type_sql].removeprefix("pg_catalog.")
    return Column(name, number, type_sql, base, "pg_catalog", -1, "b", False, False, "", "")
