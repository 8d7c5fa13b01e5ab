"""What the planner works with: the statistics of a table and the settings ``enable_...``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from pgsluice.postgres.sqlstate import is_row_error


def analyze(conn: psycopg.Connection, relation: sql.Composable, columns: Sequence[str] = ()) -> None:
    """Runs ANALYZE on a relation, or on some of its columns. A value that ANALYZE cannot process is no error.

    ANALYZE computes the width of range values as float8. For a numrange up to 1e400 it raises an out-of-range error
    (``numrange_subdiff``, rangetypes.c) and takes no statistics of the whole table, although INSERT accepts the value.
    The table then keeps the statistics that it had.
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
    """Turns a planner setting off for the statements of the block.

    If a statement of the block fails, nothing is reset here: the rollback to the savepoint around the block resets the
    setting.

    :param setting: for example ``enable_hashagg``.
    """
    conn.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(setting)))
    yield
    conn.execute(sql.SQL("SET LOCAL {} TO DEFAULT").format(sql.Identifier(setting)))
