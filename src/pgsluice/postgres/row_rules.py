"""Row rules as PostgreSQL understands them: types, the columns and tables that they read, and qualified expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.errors import CallError
from pgsluice.model import PlannedRule, RowRule, Table, TableName
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.postgres.sqlstate import primary_message
from pgsluice.sql import compose, query

_COLUMN = "pgsluice_rule_{}"
"""The name of a rule's column in the view."""


def understand(conn: psycopg.Connection, table: Table, rules: Sequence[RowRule]) -> tuple[PlannedRule, ...]:
    """Has PostgreSQL parse the row rules of a table.

    The rules become columns of a temporary view, which is dropped again. PostgreSQL records in ``pg_depend`` what a
    view reads (manual, "Dependency Tracking"), and its deparser qualifies each name that the safe path does not find.

    :param conn: has the safe path, and is in a transaction.
    :param rules: rules whose table is ``table``.
    :returns: the rules in the same order.
    :raises CallError: a rule is not a boolean expression over the columns of the table.
    """
    if not rules:
        return ()
    try:
        with conn.transaction():
            return _understand(conn, table, rules)
    except psycopg.Error as error:
        if len(rules) == 1:
            raise _wrong(rules[0], primary_message(error)) from error
    # One of several rules is wrong. Which, only one view for each tells.
    return tuple(planned for rule in rules for planned in understand(conn, table, [rule]))


def _understand(conn: psycopg.Connection, table: Table, rules: Sequence[RowRule]) -> tuple[PlannedRule, ...]:
    names = [_COLUMN.format(i) for i in range(len(rules))]
    columns = [
        compose("rules", "view_column", expression=sql.SQL(rule.expression), name=sql.Identifier(name))
        for rule, name in zip(rules, names, strict=True)
    ]
    with user_path(conn):
        conn.execute(
            compose(
                "rules",
                "create_view",
                expressions=sql.SQL(", ").join(columns),
                table=identifier(table.name),
                alias=sql.Identifier(table.name.name),
            )
        )
    row = conn.execute(query("rules", "describe_view"), {"table": table.oid}).fetchone()
    assert row is not None
    definition, types, numbers, others = row
    conn.execute(query("rules", "drop_view"))
    for rule, kind in zip(rules, types, strict=True):
        if kind != "boolean":
            raise _wrong(rule, f"its type is {kind}, and a rule is boolean")
    read = tuple(c.name for c in table.columns if c.number in numbers)
    reads = tuple(TableName(schema, name) for schema, name in others)
    texts = _expressions(definition, names)
    # Of a view that reads a row as a whole pg_depend knows no columns.
    whole = f"{sql.Identifier(table.name.name).as_string(conn)}.*", f"{table.name.name}.*"
    for rule, text in zip(rules, texts, strict=True):
        if any(row in text for row in whole):
            raise _wrong(rule, "it reads the row as a whole; name the columns")
    return tuple(PlannedRule(rule, text, read, reads) for rule, text in zip(rules, texts, strict=True))


def _expressions(definition: str, names: Sequence[str]) -> list[str]:
    """The expressions in the definition of a view, by the names of its columns."""
    rest = definition.strip().removeprefix("SELECT ")
    texts = []
    for name in names:
        text, _, rest = rest.partition(f" AS {name}")
        texts.append(re.sub(r"^,\s+", "", text))
    return texts


def _wrong(rule: RowRule, why: str) -> CallError:
    where = f" ({rule.source})" if rule.source else ""
    return CallError(
        f"rule {rule.name!r}{where} is not a condition on a row of {rule.table}: {why}",
        f"Write a boolean expression over the columns of {rule.table}",
    )
