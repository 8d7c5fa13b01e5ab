"""TODO pgsluice.ledger.queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from psycopg.rows import class_row, tuple_row

from pgsluice.ledger.statements import Connection, fetch_rows, fetch_value
from pgsluice.model import Reject, RejectGroup, RunSummary
from pgsluice.sql import query

if TYPE_CHECKING:
    pass


_REJECTS_PER_FETCH = 2000


def runs(conn: Connection, limit: int) -> tuple[RunSummary, ...]:
    """The newest ``limit`` runs, newest first."""
    with conn.cursor(row_factory=class_row(RunSummary)) as cursor:
        return tuple(cursor.execute(query("ledger", "runs"), {"limit": limit}).fetchall())


def reject_groups(conn: Connection, run_id: int, table: str | None = None) -> tuple[RejectGroup, ...]:
    """The rejected rows of a run (of one table) that are open, pluralize by table, kind, column, constraint and
    SQLSTATE, most first, but rows whose parents were rejected last.
    """
    return tuple(RejectGroup(*row) for row in fetch_rows(conn, "reject_groups", run_id=run_id, table=table))


def replayed_rows(conn: Connection, run_id: int, table: str | None = None) -> int:
    """How many rejected rows of a run (of one table) were replayed since."""
    return int(fetch_value(conn, "replayed_rows", run_id=run_id, table=table))


def fed(conn: Connection, run_id: int, table: str) -> bool:
    """Whether a run had a file for a table."""
    return bool(fetch_value(conn, "fed", run_id=run_id, table=table))


def reject_rows(conn: Connection, run_id: int, table: str | None = None) -> Iterator[Reject]:
    """The rejected rows of a run (of one table) that are open, file by file in the order of their lines, as a
    stream.

    While the iterator lives ``conn`` is inside a transaction.
    """
    with conn.transaction(), conn.cursor("pgsluice_rejects", row_factory=tuple_row) as cursor:
        cursor.itersize = _REJECTS_PER_FETCH
        for row in cursor.execute(query("ledger", "reject_rows"), {"run_id": run_id, "table": table}):
            yield Reject(*row)


def last_run_with_rejects(conn: Connection) -> int | None:
    """The id of the newest run that refused rows which are open, None if no run did."""
    run_id: int | None = fetch_value(conn, "last_run_with_rejects")
    return run_id


def report_of(conn: Connection, run_id: int) -> tuple[str | None, int | None] | None:
    """Where the CSV file of a run's rejects is, and which run they can be replayed for, if the run was published; None
    if there is no such run.
    """
    rows = fetch_rows(conn, "report_of", run_id=run_id)
    return (rows[0][0], rows[0][1]) if rows else None


def loaded_rows(conn: Connection) -> dict[int, tuple[int, int, bool]]:
    """Oid of a table to how many rows published runs put into it, how many of them replays did, and whether
    some run was in a mode that changes rows.
    """
    return {oid: (rows, replayed, changed) for oid, rows, replayed, changed in fetch_rows(conn, "loaded_rows")}
