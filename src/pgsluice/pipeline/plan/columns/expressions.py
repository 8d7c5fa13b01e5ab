"""Expressions of computed columns: which fields they use, and whether PostgreSQL understands them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import psycopg
from psycopg import sql

from pgsluice.errors import MappingError, SchemaFileError
from pgsluice.model import ColumnRule, FilePlan, SourceFile, TablePlan
from pgsluice.pipeline.scratch import field_column
from pgsluice.pipeline.validate.computed import ROW, field_names, value_sql
from pgsluice.postgres.schema_files.sql_lexer import split
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sqlstate import primary_message

_NAME = re.compile(r'"((?:[^"]|"")+)"|([^\W\d][\w$]*)')


def uses(rules: Iterable[ColumnRule], file: SourceFile) -> frozenset[int]:
    """The positions of the fields whose names stand in an expression."""
    words: set[str] = set()
    for rule in rules:
        for quoted, word in _NAME.findall(rule.expression or ""):
            words.add(quoted.replace('""', '"') if quoted else word.lower())
    return frozenset(i for name, i in field_names(FilePlan(file, ())) if name in words)


def check_expressions(conn: psycopg.Connection, plans: Iterable[TablePlan]) -> None:
    """Checks that PostgreSQL understands each expression with the fields of each file.

    :raises MappingError: it does not; with PostgreSQL's words.
    """
    for plan in plans:
        seen = set()
        for file in plan.files:
            key = file.computed, tuple(field_names(file))
            if not file.columns or key in seen:
                continue
            seen.add(key)
            for rule in file.computed:
                _check(conn, rule, file)


def _check(conn: psycopg.Connection, rule: ColumnRule, file: FilePlan) -> None:
    if rule.expression is None:
        return
    _check_form(rule)
    fields = sql.SQL(", ").join(
        sql.SQL("NULL::pg_catalog.text AS {}").format(sql.Identifier(field_column(i))) for i in range(len(file.columns))
    )
    statement = sql.SQL("EXPLAIN SELECT {} FROM (SELECT {} OFFSET 0) AS {}").format(
        value_sql(rule, file), fields, sql.Identifier(ROW)
    )
    try:
        with conn.transaction(), user_path(conn):
            conn.execute(statement)
    except psycopg.Error as error:
        names = ", ".join(file.file.labels or file.file.field_names)
        raise MappingError(
            f"{_place(rule)} cannot be computed for {file.file.path}: {primary_message(error)}",
            error.diag.message_hint or f"An expression is SQL over the fields as texts: {names}",
        ) from error


def _check_form(rule: ColumnRule) -> None:
    """Checks that an expression is one expression, which no parenthesis or semicolon ends.

    :raises MappingError: it is not.
    """
    try:
        statements = list(split(rule.expression or "", _place(rule)))
    except SchemaFileError as error:
        raise MappingError(error.message, error.remedy) from error
    depth = 0
    for token in statements[0].tokens if len(statements) == 1 else ():
        depth += {"(": 1, ")": -1}.get(token.key, 0)
        if depth < 0:
            break
    if len(statements) != 1 or depth:
        raise MappingError(f"{_place(rule)}: {rule.expression!r} is not one expression", "Check its parentheses")


def _place(rule: ColumnRule) -> str:
    return f"{rule.where or 'column_rules'}: column {rule.column} of {rule.table}"
