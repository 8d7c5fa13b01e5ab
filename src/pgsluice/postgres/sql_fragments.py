"""SQL fragments made from values of the model. The model itself does not import psycopg."""

from __future__ import annotations

from psycopg import sql

from pgsluice.model import Constraint, TableName


def identifier(name: TableName) -> sql.Identifier:
    """Returns the name as a quoted identifier with its schema: ``"schema"."name"``."""
    return sql.Identifier(name.schema, name.name)


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
