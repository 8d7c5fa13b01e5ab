"""Computed columns: constants, and SQL expressions over the fields of a record as texts.

The records of a table with such a column go into its text stage as they are, field by field. Here PostgreSQL evaluates
the expressions, and the texts of all columns go into a text stage like any other table's; what its input functions say
of them is the business of :mod:`~pgsluice.pipeline.validate.values`. A row for which an expression raises an error is a
reject. The user's path is in force, because an expression may call a function of the user.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from pgsluice.model import ColumnRule, FilePlan
from pgsluice.pipeline.scratch import field_column
from pgsluice.pipeline.state import FileRun, TableRun, ordinals_of
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sqlstate import is_row_error, not_row_error_sql
from pgsluice.source.typed.rewriting import DATES
from pgsluice.sql import compose

ROW = "pgsluice_r"
"""The name of a row of the text stage in the SQL of a computed column."""


def value_sql(rule: ColumnRule, plan: FilePlan) -> sql.Composable:
    """SQL for the text of a computed column of the row :data:`ROW`.

    An expression sees the fields under their names. It is a query of its own, so that several rows are an error.
    """
    if rule.constant is not None:
        return sql.SQL("{}::pg_catalog.text").format(sql.Literal(rule.constant))
    fields = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.Identifier(ROW, field_column(i)), sql.Identifier(name))
        for name, i in field_names(plan)
    )
    # The line break ends a comment at the end of the expression.
    return sql.SQL("(SELECT ({}\n)::pg_catalog.text FROM (SELECT {}) AS fields)").format(
        sql.SQL(rule.expression or "NULL"), fields
    )


def field_names(plan: FilePlan) -> list[tuple[str, int]]:
    """The names under which an expression sees the fields of a file, with their positions from 0.

    A field has its own name and, where that is another one, the name in lower case with underscores. A name that two
    fields have means none of them.
    """
    labels = plan.file.labels or plan.file.field_names
    plain = [re.sub(r"\W+", "_", label.lower()).strip("_") for label in labels]
    count = Counter(labels)
    found = {label: i for i, label in enumerate(labels) if label and count[label] == 1}
    count = Counter(plain)
    found |= {p: i for i, p in enumerate(plain) if p and count[p] == 1 and p not in labels}
    return list(found.items())


def evaluate(conn: psycopg.Connection, table_run: TableRun) -> None:
    """Evaluates the computed columns of a table whose text stage holds its fields.

    Afterwards the text stage has the columns of the table.
    """
    scratch = table_run.scratch
    scratch.create_evaluated(conn)
    groups: dict[tuple[object, ...], list[FileRun]] = {}
    for file in table_run.files:
        plan = file.plan
        if plan.columns:
            names = plan.file.labels or plan.file.field_names
            groups.setdefault((plan.columns, plan.computed, names), []).append(file)
    for files in groups.values():
        _evaluate_group(conn, table_run, _Group.of(table_run, files))
    for name in sorted({rule.column for file in table_run.files for rule in file.plan.computed}):
        if table_run.table.column(name).base in DATES:
            _reject_unordered_dates(conn, table_run, name)
    scratch.replace_text_stage(conn)


def _reject_unordered_dates(conn: psycopg.Connection, table_run: TableRun, column: str) -> None:
    conn.execute(
        compose(
            "values",
            "reject_unordered_dates",
            evaluated=table_run.scratch.evaluated,
            ordinal=table_run.ordinal,
            column=sql.Identifier(column),
            name=sql.Literal(column),
            table_no=table_run.table_no,
        )
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Files whose columns are computed alike, as parts of statements."""

    columns: sql.Composable
    """The ordinal and the columns."""
    values: sql.Composable
    """The ordinal and the texts of the columns of the row :data:`ROW`."""
    computed: Sequence[tuple[str, sql.Composable]]
    """The computed columns with the SQL of their texts."""
    among: sql.Composable
    """The condition on the rows of the files."""

    @classmethod
    def of(cls, table_run: TableRun, files: Sequence[FileRun]) -> _Group:
        plan = files[0].plan
        mapped = [(c, sql.Identifier(ROW, field_column(i))) for i, c in enumerate(plan.columns) if c]
        computed = [(rule.column, value_sql(rule, plan)) for rule in plan.computed]
        ordinal = table_run.scratch.ordinal
        pairs: list[tuple[str, sql.Composable]] = [(ordinal, sql.Identifier(ROW, ordinal)), *mapped, *computed]
        among = sql.SQL("{} OPERATOR(pg_catalog.@>) {}").format(ordinals_of(files), sql.Identifier(ROW, ordinal))
        return cls(
            sql.SQL(", ").join(sql.Identifier(column) for column, _ in pairs),
            sql.SQL(", ").join(value for _, value in pairs),
            computed,
            among,
        )


def _evaluate_group(conn: psycopg.Connection, table_run: TableRun, group: _Group) -> None:
    """Evaluates all rows of a group in one statement; if a row fails, row by row."""
    scratch = table_run.scratch
    parts = {
        "evaluated": scratch.evaluated,
        "columns": group.columns,
        "values": group.values,
        "text_stage": scratch.text_stage,
        "row": sql.Identifier(ROW),
        "among": group.among,
    }
    try:
        with conn.transaction(), user_path(conn):
            conn.execute(compose("values", "evaluate", **parts))
        return
    except psycopg.Error as error:
        if not is_row_error(error):
            raise
    failing = sql.SQL("\n").join(
        sql.SQL("{};").format(compose("values", "find_failing", value=value, name=sql.Literal(column)))
        for column, value in group.computed
    )
    program = compose(
        "values",
        "evaluate_one_by_one",
        **parts,
        ordinal=table_run.ordinal,
        row_ordinal=sql.Identifier(ROW, scratch.ordinal),
        failing=failing,
        system_error=sql.SQL(not_row_error_sql("pgsluice_code")),
        table_no=table_run.table_no,
    )
    with user_path(conn):
        conn.execute(sql.SQL("DO {}").format(sql.Literal(program.as_string(conn))))
