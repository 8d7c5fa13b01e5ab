"""The search_path of pgsluice's sessions: a safe path for its own statements, the user's path for code of the user.

A function or an operator that another role makes in a schema of the path may match the arguments of a call better than
PostgreSQL's own function, and then runs with the rights of the session (PostgreSQL manual, "Typing and search_path" in
"Writing SECURITY DEFINER Functions Safely"; CVE-2018-1058). So the first statement of a session sets the *safe path*,
``pg_catalog, pg_temp``, and keeps the path that the session had, the *user's path*, in the setting
``pgsluice.search_path``.

Three things use the user's path: which schema is the current schema, the statements of the user's own files, and code
that runs inside of a statement of pgsluice, such as a trigger that names its tables without a schema. A statement of
pgsluice that runs under the user's path (:func:`user_path`) has to qualify each function, operator, type and table.
Expressions from PostgreSQL's deparser may not run under the user's path, because the deparser qualifies a name only
where the path of its own session requires it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import pq
from psycopg.rows import tuple_row

from pgsluice.sql import query


def set_safe_path(conn: psycopg.Connection[Any]) -> None:
    """Sets the safe path and keeps the user's path, in one round trip. To be called before any other statement.

    :param conn: a connection in autocommit mode, so that no rollback takes the path back.
    """
    conn.execute(query("session", "set_safe_path"))


def choose_schema(conn: psycopg.Connection[Any], schema: str) -> None:
    """Makes a schema the only schema of the user's path, until the end of the transaction."""
    conn.execute(query("session", "choose_schema"), {"schema": schema})


def current_schema(conn: psycopg.Connection[Any]) -> str | None:
    """Returns the first schema of the user's path that exists; None if there is none.

    On a connection without a safe path the function uses the path of the connection.
    """
    with conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(query("session", "current_schema"))
        cursor.nextset()
        row = cursor.fetchone()
    assert row is not None
    schema: str | None = row[0]
    return schema


@contextmanager
def user_path(conn: psycopg.Connection[Any], wanted: bool = True, *, keep: bool = False) -> Iterator[None]:
    """Sets the user's path for the statements of a block. Blocks may not be nested.

    On a connection without a safe path nothing changes. If a statement of the block fails, the rollback to the
    savepoint around the block restores the safe path.

    :param wanted: False to leave the safe path in force.
    :param keep: whether a path that the block sets is the user's path until the end of the transaction.
    """
    if not wanted:
        yield
        return
    conn.execute(query("session", "set_user_path"))
    try:
        yield
    finally:
        if conn.info.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.IDLE):
            if keep:
                conn.execute(query("session", "keep_user_path"))
            conn.execute(query("session", "restore_safe_path"))
