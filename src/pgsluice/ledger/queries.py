"""Read the ledger: runs, their rejects, and what they loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg.rows import class_row, tuple_row

from pgsluice.ledger.groups import Consequences, causes_first
from pgsluice.ledger.statements import Connection, fetch_rows, fetch_value
from pgsluice.model import Reject, RejectGroup, RunSummary
from pgsluice.postgres.planner_hints import planner_setting_off
from pgsluice.sql import query

REJECTS_PER_FETCH = 2000
"""Rows that a cursor fetches at once where rejects are read as a stream."""


def speeds(conn: Connection, table_oids: Sequence[int], limit: int = 5) -> list[tuple[int, float]]:
    """Returns bytes of files and seconds of the newest published runs that loaded one of these tables.

    Runs with less than a megabyte of files are left out: their time says nothing about large files.
    """
    return [(int(size), spent) for size, spent in fetch_rows(conn, "speeds", oids=list(table_oids), limit=limit)]


def runs(conn: Connection, limit: int, file: str | None = None, table: str | None = None) -> tuple[RunSummary, ...]:
    """Returns the ``limit`` newest runs, newest first.

    :param file: the path of a file, or the end of it: only runs that had such a file.
    :param table: only runs that had a file for this table.
    """
    with conn.cursor(row_factory=class_row(RunSummary)) as cursor:
        wanted = {"limit": limit, "file": file, "table": table}
        return tuple(cursor.execute(query("ledger", "runs"), wanted).fetchall())


def reject_groups(conn: Connection, run_id: int, table: str | None = None) -> tuple[RejectGroup, ...]:
    """Counts the open rejects of a run by table, kind, column, constraint and SQLSTATE.

    :param table: count the rejects of this table only.
    :returns: the groups in the order of :func:`pgsluice.ledger.groups.causes_first`.
    """
    # PostgreSQL has no statistics of rejects that were just written, and expects few: nested loops over 60,000 rejects
    # would take minutes.
    with conn.transaction(), planner_setting_off(conn, "enable_nestloop"):
        groups = [_group(run_id, *row) for row in fetch_rows(conn, "reject_groups", run_id=run_id, table=table)]
        consequences = [Consequences(*row) for row in fetch_rows(conn, "consequences", run_id=run_id, table=table)]
    return causes_first(groups, consequences)


def _group(
    run_id: int,
    table: str,
    kind: str,
    column: str,
    constraint: str,
    sqlstate: str,
    count: int,
    example: str,
    file: str,
    line: int,
    message: str,
    raw: str,
    *rest: Any,
) -> RejectGroup:
    """A row of the query ``reject_groups``; ``rest`` is the rest of the first reject."""
    verdict = table, kind, column, constraint, sqlstate
    first = Reject(run_id, table, file, line, kind, column, constraint, sqlstate, message, raw, *rest)
    return RejectGroup(*verdict, count, example, first=first)


def files_read(conn: Connection, run_id: int) -> list[tuple[str, str, list[str], dict[str, Any]]]:
    """Returns how a run read its files: table, path, the columns of the fields, and the dialect as JSON."""
    return fetch_rows(conn, "files_read", run_id=run_id)


def replayed_rows(conn: Connection, run_id: int, table: str | None = None) -> int:
    """Counts the rejects of a run that replays have loaded.

    :param table: count the rejects of this table only.
    """
    return int(fetch_value(conn, "replayed_rows", run_id=run_id, table=table))


def purged_rejects(conn: Connection, run_id: int) -> int:
    """Counts the rejects of a run that a purge has deleted; 0 if they are there, or if the run had none."""
    return int(fetch_value(conn, "purged_rejects", run_id=run_id))


def had_file(conn: Connection, run_id: int, table: str) -> bool:
    """Says whether a run had a file for a table."""
    return bool(fetch_value(conn, "had_file", run_id=run_id, table=table))


def reject_rows(conn: Connection, run_id: int, table: str | None = None) -> Iterator[Reject]:
    """Yields the open rejects of a run in load order: file by file, line by line.

    The rows are read through a server-side cursor. ``conn`` is inside a transaction until the iterator ends or is
    closed.

    :param table: yield the rejects of this table only.
    """
    with conn.transaction(), conn.cursor("pgsluice_rejects", row_factory=tuple_row) as cursor:
        cursor.itersize = REJECTS_PER_FETCH
        for row in cursor.execute(query("ledger", "reject_rows"), {"run_id": run_id, "table": table}):
            yield Reject(*row)


def last_run_with_rejects(conn: Connection) -> int | None:
    """Returns the id of the newest run that has open rejects, None if no run has any."""
    run_id: int | None = fetch_value(conn, "last_run_with_rejects")
    return run_id


def report_of(conn: Connection, run_id: int) -> tuple[str | None, int | None] | None:
    """Returns the path of a run's report, and the run for which the rejects can be replayed.

    :returns: None if the run does not exist. The path is None if the run has no rejects. The second value is None if
        the run was not published; the rejects of a replay are replayed for the run that was replayed.
    """
    rows = fetch_rows(conn, "report_of", run_id=run_id)
    return (rows[0][0], rows[0][1]) if rows else None


def loaded_rows(conn: Connection) -> dict[int, tuple[int, int, bool]]:
    """Sums the rows that published runs loaded, by the oid of the table.

    :returns: for each table the rows loaded, how many of them replays loaded, and whether some run was in a mode that
        does more than append.
    """
    return {oid: (rows, replayed, changed) for oid, rows, replayed, changed in fetch_rows(conn, "loaded_rows")}
