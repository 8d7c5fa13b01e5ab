"""The run column: a column that the load fills with the run's id (``--run-column``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from psycopg import sql

from pgsluice.errors import MappingError
from pgsluice.model import Column, FieldOptions, Table, TableName
from pgsluice.postgres.sql_fragments import identifier

_TYPES = ("int8", "int4")
"""The types that hold the id of a run."""


def with_run_columns(tables: Sequence[Table], fields: FieldOptions) -> Mapping[TableName, Table]:
    """The tables with their run columns marked.

    :param tables: the tables of the load.
    :raises MappingError: tables lack the column, it cannot hold the id of a run, or a rule gives it other values.
    """
    wanted = {t: column for t in tables if (column := fields.run_columns.of(t.name))}
    lacking = {t: column for t, column in wanted.items() if all(c.name != column for c in t.columns)}
    if lacking:
        names = "; ".join(f"{t.name} has no column {column}" for t, column in lacking.items())
        statements = "; ".join(_addition(t, column) for t, column in lacking.items())
        raise MappingError(
            f"{names}, so it cannot hold the run's id",
            f"Add it: {statements}. In a table that a schema file creates, add it there."
            f" --run-column {next(iter(lacking)).name}= loads the table without it",
        )
    return {t.name: _marked(t, t.column(column), fields) for t, column in wanted.items()}


def _marked(table: Table, column: Column, fields: FieldOptions) -> Table:
    fits = column.kind == "b" and column.base_schema == "pg_catalog" and column.base in _TYPES
    if not fits or column.generated or column.identity:
        what = "is an identity or generated column" if fits else f"has the type {column.type_sql}"
        other = f"{column.name}_run"
        while any(c.name == other for c in table.columns):
            other += "_"
        raise MappingError(
            f"{table.name}.{column.name} {what}, and the column for the run's id has to be a plain bigint",
            f"Add another one: {_addition(table, other)}, and name it: --run-column {table.name}={other}",
        )
    rule = next((r for r in fields.rules if table.name.called(r.table) and r.column == column.name), None)
    if rule is not None:
        raise MappingError(
            f"{rule.where or 'column_rules'}: the load fills {table.name}.{column.name} with the run's id",
            "Leave the rule out, or name another column with --run-column",
        )
    return replace(
        table, columns=tuple(replace(c, holds_run=True) if c.name == column.name else c for c in table.columns)
    )


def _addition(table: Table, column: str) -> str:
    statement = sql.SQL("ALTER TABLE {} ADD COLUMN {} bigint").format(identifier(table.name), sql.Identifier(column))
    return statement.as_string()
