"""What a report says of one run: everything that the ledger keeps of it."""

from __future__ import annotations

from dataclasses import dataclass

from pgsluice.model.quality.derived import DerivedResult
from pgsluice.model.quality.profile import ColumnProfile
from pgsluice.model.quality.rules import RuleResult
from pgsluice.model.results import PhaseTime, Reject, RejectsResult, RunSummary


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file of the run; the numbers count rows, ``bytes`` the size on disk."""

    table: str
    path: str
    bytes: int
    status: str
    """``loaded``, ``skipped`` (an earlier run has loaded the content) or ``vetoed`` (the run published nothing)."""
    mode: str
    read: int
    loaded: int
    rejected: int
    """Rejects that no replay has loaded."""
    replayed: int

    @property
    def balances(self) -> bool:
        """Whether read = loaded + rejected + replayed. A run that published nothing loaded nothing."""
        return self.status == "vetoed" or self.read == self.loaded + self.rejected + self.replayed


@dataclass(frozen=True, slots=True)
class ReportKey:
    """A foreign key between two tables of the run."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of the run, as the plan saw it and as the run left it; the numbers count rows."""

    table: str
    mode: str
    way: str
    """The strategy."""
    why: str
    """Why the plan chose the strategy."""
    merge_key: tuple[str, ...]
    keys: tuple[ReportKey, ...]
    inserted: int
    updated: int
    unchanged: int
    deleted: int


@dataclass(frozen=True, slots=True)
class RunNotes:
    """What the ledger keeps of a run for its report, beyond files, rejects, rules and profiles."""

    tables: tuple[ReportTable, ...] = ()
    """In load order."""
    phases: tuple[PhaseTime, ...] = ()
    """Where the time went, up to the moment in which the run was recorded."""
    remedies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportWarning:
    """A published row that breaks a rule with the severity warn."""

    rule: str
    table: str
    file: str
    line: int
    raw: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run as its report shows it; ``pgsluice report --json`` prints it."""

    run_id: int
    status: str
    started: str
    """ISO timestamps in the session's time zone; '' if the run has not ended."""
    ended: str
    seconds: float | None
    detail: str
    """Why the run did not publish."""
    replay_of: int | None
    database: str
    server_version: str
    files: tuple[ReportFile, ...]
    notes: RunNotes
    rejects: RejectsResult
    samples: tuple[Reject, ...]
    """The first rejects of each group, in load order."""
    rules: tuple[RuleResult, ...]
    warnings: tuple[ReportWarning, ...]
    """The first rows of which rules warn."""
    profiles: tuple[ColumnProfile, ...]
    derived: tuple[DerivedResult, ...]
    history: tuple[RunSummary, ...]
    """The newest runs up to this run, oldest first."""

    @property
    def read(self) -> int:
        """Rows read from all files."""
        return sum(f.read for f in self.files)

    @property
    def loaded(self) -> int:
        """Rows loaded from all files."""
        return sum(f.loaded for f in self.files)

    @property
    def balances(self) -> bool:
        """Whether the rows of every file are accounted for."""
        return all(f.balances for f in self.files)
