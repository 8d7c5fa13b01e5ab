"""The folder of the reports: who may read it, and which of its files are reports."""

from __future__ import annotations

import re
from pathlib import Path

from pgsluice.postgres.embedded.processes import make_private
from pgsluice.private_files import close_folder, make_folder

_REPORT = re.compile(r"run-[0-9]+-[0-9]{8}T[0-9]{6}(_[0-9]+)?\.csv")
"""The name of a report, as :func:`pgsluice.pipeline.rejects.report.write_report` gives it."""


def is_report(name: str) -> bool:
    """Whether a report of rejects may have this name."""
    return _REPORT.fullmatch(name) is not None


def make_report_folder(folder: Path) -> None:
    """Makes the folder of the reports, in the data folder of the call. Only its owner can enter a new folder.

    Folders that an older version has made are closed to others, too.

    :raises OSError: the folder cannot be made.
    """
    make_private(folder.parent)
    make_folder(folder)
    close_folder(folder, is_report)
