"""TODO pgsluice.ledger.statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row

from pgsluice.sql import query

if TYPE_CHECKING:
    pass


Connection = psycopg.Connection[Any]


def fetch_value(conn: Connection, name: str, **parameters: object) -> Any:
    """The first column of the first row of a query, None without a row."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(query("ledger", name), parameters).fetchone()
    return None if row is None else row[0]


def fetch_rows(conn: Connection, name: str, **parameters: object) -> list[tuple[Any, ...]]:
    with conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query("ledger", name), parameters).fetchall()
