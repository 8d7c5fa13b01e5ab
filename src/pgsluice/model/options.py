"""TODO pgsluice.model.options."""

from __future__ import annotations

from dataclasses import dataclass, field

from pgsluice.model.files import DialectOptions
from pgsluice.model.plan import Modes
from pgsluice.model.results import Limits


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Everything about a load that is not a path; the defaults are those of the command line."""

    schema_file: str | None = None
    tables: tuple[tuple[str, str], ...] = ()
    """(table, glob) pairs of ``--table``; the first match wins."""
    columns: tuple[tuple[str, str], ...] = ()
    """(field, column) pairs of ``--column``; '' as the column leaves the field out."""
    into: str | None = None
    limits: Limits = field(default_factory=Limits)
    dialect: DialectOptions = field(default_factory=DialectOptions)
    modes: Modes = field(default_factory=Modes)
    dry_run: bool = False
    again: bool = False
    resumable: bool = False
    """Stage file by file so that the run can be resumed when it is interrupted."""
    no_wait: bool = False
    lock_timeout: float = 5.0
    """Seconds to wait for a table's lock, before letting go, pausing and trying again."""
    reports: str = ".pgsluice/rejects"
    """Folder for the CSV files of rejects."""
