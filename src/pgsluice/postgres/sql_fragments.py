"""SQL fragments made from values of the model. The model itself does not import psycopg."""

from __future__ import annotations

import re
from collections.abc import Sequence

from psycopg import sql

from pgsluice.model import Constraint, TableName


def identifier(name: TableName) -> sql.Identifier:
    """Returns the name as a quoted identifier with its schema: ``"schema"."name"``."""
    return sql.Identifier(name.schema, name.name)


def equal(equality: str, left: sql.Composable, right: sql.Composable) -> sql.Composed:
    """Returns the condition that two values are equal.

    :param equality: ``Column.equality`` of a column, or an element of ``Index.equality``.
    """
    return sql.SQL(equality).format(left=left, right=right)


def equal_or_null(equality: str, left: sql.Composable, right: sql.Composable) -> sql.Composed:
    """Returns the condition that two values are equal or that both are NULL."""
    if " OPERATOR(pg_catalog." in equality:
        return sql.SQL("{} IS NOT DISTINCT FROM {}").format(left, right)
    # IS DISTINCT FROM looks for an operator = in the search_path.
    return sql.SQL("(({}) IS TRUE OR {} IS NULL AND {} IS NULL)").format(equal(equality, left, right), left, right)


def rows_alike(left: Sequence[sql.Composable], right: Sequence[sql.Composable]) -> sql.Composed:
    """Returns the condition that two lists of values are equal, where NULL equals NULL.

    ``IS NOT DISTINCT FROM`` knows neither a merge join nor a hash join, and compares each row with each row. The
    operator "=" of the type record takes two NULLs for equal (``record_eq``, rowtypes.c), compares the columns by the
    default operator classes of their types, and knows a merge join. Without the casts the parser would make
    comparisons of the single columns.
    """
    comma = sql.SQL(", ")
    return sql.SQL("ROW({})::record OPERATOR(pg_catalog.=) ROW({})::record").format(comma.join(left), comma.join(right))


_GRAMMAR_TYPES = frozenset(
    {"bigint", "bit", "boolean", "character", "double", "integer"}
    | {"interval", "numeric", "real", "smallint", "time", "timestamp"}
)
"""First words of the types that the grammar of SQL knows: no search_path decides what they mean (gram.y)."""


def qualified_type(type_sql: str) -> str:
    """Returns the name of a type such that it means the same type under every search_path.

    :param type_sql: what ``format_type()`` returns under the safe path: a name without a schema is in ``pg_catalog``.
    """
    first = re.match(r'"(?:[^"]|"")*"|\w+', type_sql)
    assert first is not None  # because every type has a name
    if type_sql[first.end() :].startswith(".") or first[0] in _GRAMMAR_TYPES:
        return type_sql
    return f"pg_catalog.{type_sql}"


def keys_match(fk: Constraint, parent: str, child: str) -> sql.Composed:
    """Returns the condition that the row ``child`` references the row ``parent``.

    The condition compares the columns as the trigger of the foreign key compares them, with the same operators and
    collations (``ri_GenerateQual`` in ri_triggers.c).

    :param fk: the foreign key.
    :param parent: alias of the referenced table in the query.
    :param child: alias of the referencing table in the query.
    """
    return sql.SQL(" AND ").join(
        sql.SQL(equal).format(parent=sql.Identifier(parent, referenced), child=sql.Identifier(child, own))
        for equal, referenced, own in zip(fk.equality, fk.referenced_columns, fk.columns, strict=True)
    )
