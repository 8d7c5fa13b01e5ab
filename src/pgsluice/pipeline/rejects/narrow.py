"""Columns whose types are too narrow for values of the files, with the statement that widens them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from pgsluice.model import Column, ColumnDrift, DriftKind, RejectGroup, TableName
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.text import pluralize

_TOO_LONG, _OUT_OF_RANGE = "22001", "22003"

_WIDER = {
    "varchar": "text",
    "bpchar": "text",
    "int2": "bigint",
    "int4": "bigint",
    "int8": "numeric",
    "numeric": "numeric",
}
"""A type for each type that can be too narrow. Each value of the narrow type is a value of the wider type."""


def narrow_columns(groups: Sequence[RejectGroup], table_runs: Sequence[TableRun]) -> Iterator[tuple[ColumnDrift, str]]:
    """Yields each column that is too narrow, with a sentence that names the remedy.

    :param groups: the rejects of the run by their verdicts.
    """
    by_name = {t.name: t for t in table_runs}
    for group in groups:
        if group.kind != "value" or group.sqlstate not in (_TOO_LONG, _OUT_OF_RANGE):
            continue
        table_run = by_name.get(group.table)
        column = next((c for c in table_run.columns if c.name == group.column), None) if table_run else None
        if table_run is None or column is None or column.kind != "b" or column.base not in _WIDER:
            continue
        yield (
            ColumnDrift(group.table, DriftKind.NARROW_COLUMN, column.name, column.type_sql, count=group.count),
            f"{pluralize(group.count, 'rejected value')} of {group.table}.{column.name} do not fit into"
            f" {column.type_sql}. To widen the column: {_statement(table_run.table.name, column)}",
        )


def _statement(table: TableName, column: Column) -> str:
    statement = sql.SQL("ALTER TABLE {} ALTER {} TYPE {}").format(
        identifier(table), sql.Identifier(column.name), sql.SQL(_WIDER[column.base])
    )
    return statement.as_string()
