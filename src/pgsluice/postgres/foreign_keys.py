"""Foreign keys in queries."""

from __future__ import annotations

from psycopg import sql

from pgsluice.model import Constraint


def keys_match(fk: Constraint, parent: str, child: str) -> sql.Composed:
    """The row ``child`` refers to the row ``parent``: compared as the key's trigger compares them.

    :param parent, child: aliases of the two tables.
    """
    return sql.SQL(" AND ").join(
        sql.SQL(equal).format(parent=sql.Identifier(parent, theirs), child=sql.Identifier(child, own))
        for equal, theirs, own in zip(fk.equality, fk.referenced_columns, fk.columns, strict=True)
    )
