"""Deletes rejects, warnings and values of profiles from the ledger. The counts of the runs and of their files stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from psycopg import errors
from psycopg.rows import tuple_row

from pgsluice.errors import PrivilegeError
from pgsluice.ledger.statements import Connection
from pgsluice.sql import query


def limit_of(conn: Connection, age: timedelta) -> datetime:
    """Returns the moment ``age`` ago, by the clock of the server, which has also written when runs ended."""
    moment: datetime = _rows(conn, "moment_ago", age=age)[0][0]
    return moment


def delete_rejects(conn: Connection, before: datetime) -> tuple[int, int]:
    """Deletes the rejects of runs that ended before a moment.

    :param conn: in autocommit mode.
    :returns: how many rejects were deleted, and of how many runs.
    :raises PrivilegeError: the role may not delete rejects; nothing was deleted.
    """
    try:
        rejects, runs = _rows(conn, "delete_rejects", before=before)[0]
    except errors.InsufficientPrivilege as error:
        raise PrivilegeError(
            "this role may not delete rejects from the ledger; nothing was deleted",
            f"As the owner of schema pgsluice: GRANT DELETE ON pgsluice.reject TO {conn.info.user};",
        ) from error
    return rejects, runs


def delete_evidence(conn: Connection, before: datetime) -> tuple[int, int, int]:
    """Deletes the records and values that rules and profiles have kept of runs that ended before a moment.

    :param conn: in autocommit mode.
    :returns: how many warnings were deleted, of how many set rules the evidence, and of how many columns the values.
    :raises PrivilegeError: the role may not do that; nothing was deleted.
    """
    if not _rows(conn, "has_evidence")[0][0]:
        return 0, 0, 0
    try:
        warnings, broken, columns = _rows(conn, "delete_evidence", before=before)[0]
    except errors.InsufficientPrivilege as error:
        raise PrivilegeError(
            "this role may not delete the warnings and values of profiles from the ledger; nothing was deleted",
            f"As the owner of schema pgsluice: GRANT DELETE ON pgsluice.warning TO {conn.info.user};"
            f" GRANT UPDATE ON pgsluice.rule_result, pgsluice.column_profile TO {conn.info.user};",
        ) from error
    return warnings, broken, columns


def runs_before(conn: Connection, before: datetime) -> list[int]:
    """Returns the runs that ended before a moment."""
    return [run_id for (run_id,) in _rows(conn, "runs_before", before=before)]


def reports_before(conn: Connection, before: datetime) -> list[tuple[int, str]]:
    """Returns run and path of the reports of runs that ended before a moment."""
    return [(run_id, path) for run_id, path in _rows(conn, "reports_before", before=before)]


def forget_report(conn: Connection, run_id: int) -> None:
    """Writes that a run has no report any more."""
    _rows(conn, "forget_report", run_id=run_id)


def _rows(conn: Connection, name: str, **parameters: object) -> list[tuple[Any, ...]]:
    """Returns the rows of a query of ``sql/purge.sql``."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query("purge", name), parameters).fetchall()
