"""The run's id as a default, while COPY fills a table without a stage.

COPY gives a column that the files lack its default. For the time of a load the default of the run column is the run's
id. The table is locked against everybody else, or is a shadow table that nobody else can see, and a transaction that
does not commit leaves the default as it was. Rows that leave a stage get the id from their INSERT and UPDATE.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from pgsluice.errors import AccountingError
from pgsluice.model import Strategy
from pgsluice.pipeline.state import TableRun
from pgsluice.sql import query


@contextmanager
def run_defaults(conn: psycopg.Connection, table_runs: Iterable[TableRun]) -> Iterator[None]:
    """Makes the run's id the default of the run columns for a block, in tables that are filled without a stage.

    After an error the defaults stay, because the transaction has failed and its rollback restores them.

    :raises AccountingError: a default differs afterwards from what it was.
    """
    filled = [t for t in table_runs if t.run_column and t.strategy is not Strategy.STAGE]
    before = [_default(conn, t) for t in filled]
    for table_run in filled:
        _set_default(conn, table_run, sql.SQL("SET DEFAULT {}").format(sql.Literal(table_run.run_id)))
    yield
    for table_run, expression in zip(filled, before, strict=True):
        _set_default(
            conn, table_run, sql.SQL("SET DEFAULT {}").format(sql.SQL(expression)) if expression else _NO_DEFAULT
        )
        if _default(conn, table_run) != expression:
            raise AccountingError(
                f"the default of {table_run.name}.{table_run.run_column} differs after the load from what it was;"
                " nothing was published",
                "Please report this as a defect of pgsluice, with the table's definition",
            )


_NO_DEFAULT = sql.SQL("DROP DEFAULT")


def _set_default(conn: psycopg.Connection, table_run: TableRun, how: sql.Composable) -> None:
    statement = sql.SQL("ALTER TABLE {} ALTER COLUMN {} {}")
    conn.execute(statement.format(table_run.destination, sql.Identifier(table_run.run_column), how))


def _default(conn: psycopg.Connection, table_run: TableRun) -> str | None:
    """The default of the run column, as SQL; None if it has none."""
    oid = table_run.shadow_oid or table_run.table.oid
    found: dict[str, str | None] = dict(conn.execute(query("apply", "default_expressions"), {"oid": oid}).fetchall())
    return found.get(table_run.run_column)
