"""Deletes old rejects, warnings and values of profiles: their rows in the ledger, reports and pages."""

from __future__ import annotations

import re
import stat
from datetime import timedelta
from pathlib import Path

import psycopg

from pgsluice.errors import CallError
from pgsluice.ledger.purge import (
    delete_evidence,
    delete_rejects,
    forget_report,
    limit_of,
    reports_before,
    runs_before,
)
from pgsluice.ledger.schema import exists
from pgsluice.model import PurgeResult
from pgsluice.pipeline.rejects.report_folder import is_report

_AGE = re.compile(r"([0-9]{1,6})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_age(age: str) -> timedelta:
    """Returns an age such as ``12h``, ``30d`` or ``8w``.

    :raises CallError: the text is no age.
    """
    found = _AGE.fullmatch(age.strip().lower())
    if found is None:
        raise CallError(f"--older-than {age} is no age", "Write hours, days or weeks: 12h, 30d or 8w")
    return int(found[1]) * _UNITS[found[2]]


def purge(conn: psycopg.Connection, older_than: str, folder: str) -> PurgeResult:
    """Deletes the rejects of runs that ended longer ago than ``older_than``, and the reports of these runs.

    Also deletes the rows of which rules warned, the rows that broke set rules, the values of the profiles, and the
    pages ``run-N.html`` in the folder ``reports`` beside ``folder``.

    Only reports in ``folder`` are deleted. The ledger holds the paths of reports, but whoever may write the ledger must
    not choose which files are deleted.

    :param conn: in autocommit mode.
    :param older_than: as :func:`parse_age` reads it.
    :param folder: the folder of the reports.
    :returns: what was deleted, and the paths of reports that are not in ``folder``.
    :raises PrivilegeError: the role may not delete rejects; nothing was deleted.
    :raises CallError: ``older_than`` is no age, or a report cannot be deleted. In the second case the rejects in the
        ledger are deleted, and the next purge goes on with the reports.
    """
    age = parse_age(older_than)
    if not exists(conn):
        return PurgeResult("", 0, 0, 0, folder)
    before = limit_of(conn, age)
    with conn.transaction():
        rejects, runs = delete_rejects(conn, before)
        warnings, broken, columns = delete_evidence(conn, before)
    pages = sum(_delete_page(Path(folder).parent / "reports" / f"run-{n}.html") for n in runs_before(conn, before))
    deleted, elsewhere = 0, []
    for run_id, path in reports_before(conn, before):
        report = Path(folder, Path(path).name)
        if not _may_delete(report, path):
            elsewhere.append(path)
            continue
        try:
            report.unlink()
        except OSError as error:
            raise CallError(
                f"the report {report} cannot be deleted: {error.strerror}; {rejects:,} rejects were deleted from the"
                " ledger",
                "Make the folder writable, or run as the user who owns it, and purge again",
            ) from error
        forget_report(conn, run_id)
        deleted += 1
    return PurgeResult(
        before=before.isoformat(timespec="seconds"),
        rejects=rejects,
        runs=runs,
        reports=deleted,
        folder=folder,
        elsewhere=tuple(elsewhere),
        warnings=warnings,
        evidence=broken,
        profiles=columns,
        pages=pages,
    )


def _delete_page(page: Path) -> bool:
    """Deletes the page of a run that ``pgsluice report`` has written; returns whether there was a page.

    :raises CallError: the page cannot be deleted.
    """
    try:
        if not stat.S_ISREG(page.lstat().st_mode):
            return False
        page.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CallError(
            f"the page {page} cannot be deleted: {error.strerror}",
            "Make the folder writable, or run as the user who owns it, and purge again",
        ) from error
    return True


def _may_delete(report: Path, path: str) -> bool:
    """Whether a file of the folder of the reports is the report to which a path of the ledger leads.

    :param path: absolute, or relative to the folder in which the run was started.
    """
    written = Path(path)
    if not is_report(report.name) or (written.is_absolute() and written.parent.resolve() != report.parent.resolve()):
        return False
    try:
        return stat.S_ISREG(report.lstat().st_mode)
    except OSError:
        return False
