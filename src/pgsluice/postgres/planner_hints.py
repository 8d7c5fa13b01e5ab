"""What the planner is told: statistics of tables, and what not to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from pgsluice.postgres.sqlstate import is_row_error


def analyze(conn: psycopg.Connection, relation: sql.Composable, columns: Sequence[str] = ()) -> None:
    """Takes the statistics of a relation, or of some of its columns; a value that stops PostgreSQL from it does not
    stop the load.

    ANALYZE of a range type works out how wide its values are, as float8: of a numrange up to 1e400 it says that this
    is out of range (``numrange_subdiff``, rangetypes.c), and takes no statistics of the whole table. INSERT took the
    value.
    """
    which = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, columns))) if columns else sql.SQL("")
    try:
        with conn.transaction():
            conn.execute(sql.SQL("ANALYZE {} {}").format(relation, which))
    except psycopg.Error as error:
        if not is_row_error(error):
            raise


@contextmanager
def planner_setting_off(conn: psycopg.Connection, setting: str) -> Iterator[None]:
    """For some statements the planner does without what the setting (``enable_...``) allows. If one fails, the
    savepoint that it fails in takes the setting back.
    """
    conn.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(setting)))
    yield
    conn.execute(sql.SQL("SET LOCAL {} TO DEFAULT").format(sql.Identifier(setting)))
