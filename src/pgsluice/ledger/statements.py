"""Execute the queries of the ledger, independent of the row factory of the connection."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import tuple_row

from pgsluice.sql import query

Connection = psycopg.Connection[Any]


def fetch_value(conn: Connection, name: str, **parameters: object) -> Any:
    """Returns the first column of the first row of a query.

    :param name: the query's name in ``sql/ledger.sql``.
    :param parameters: values for the query's ``%(...)s`` places.
    :returns: None if the query returns no row.
    """
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(query("ledger", name), parameters).fetchone()
    return None if row is None else row[0]


def fetch_rows(conn: Connection, name: str, *, sql_file: str = "ledger", **parameters: object) -> list[tuple[Any, ...]]:
    """Returns all rows of a query as tuples.

    :param name: the query's name in ``sql/<sql_file>.sql``.
    :param parameters: values for the query's ``%(...)s`` places.
    """
    with conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query(sql_file, name), parameters).fetchall()
