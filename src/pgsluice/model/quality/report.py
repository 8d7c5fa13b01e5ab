"""What a report says of one run: everything that the ledger keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pgsluice.model.quality.derived import DerivedResult
from pgsluice.model.quality.guests import GuestResult
from pgsluice.model.quality.profile import ColumnProfile
from pgsluice.model.quality.rules import RuleResult
from pgsluice.model.results import PhaseTime, Reject, RejectsResult, RunSummary


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file of the run; the numbers count rows, ``bytes`` the size on disk."""

    table: str
    """The table."""
    path: str
    """The path or the address of the file."""
    bytes: int
    """The size of the file on disk."""
    status: str
    """``loaded``, ``skipped`` (an earlier run has loaded the content) or ``vetoed`` (the run published nothing)."""
    mode: str
    """One of :class:`Mode`."""
    read: int
    """Rows read."""
    loaded: int
    """Rows loaded."""
    rejected: int
    """Rejects that no replay has loaded."""
    replayed: int
    """Rejects that a replay has loaded."""

    @property
    def balances(self) -> bool:
        """Whether read = loaded + rejected + replayed. A run that published nothing loaded nothing."""
        return self.status == "vetoed" or self.read == self.loaded + self.rejected + self.replayed


@dataclass(frozen=True, slots=True)
class ReportKey:
    """A foreign key between two tables of the run."""

    columns: tuple[str, ...]
    """The columns of the child table."""
    parent: str
    """The parent table."""
    parent_columns: tuple[str, ...]
    """The columns of the parent table."""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of the run, as the plan saw it and as the run left it; the numbers count rows."""

    table: str
    """The table."""
    mode: str
    """One of :class:`Mode`."""
    way: str
    """The strategy."""
    why: str
    """Why the plan chose the strategy."""
    merge_key: tuple[str, ...]
    """The columns by which rows of the files match rows of the table; () for append."""
    keys: tuple[ReportKey, ...]
    """The foreign keys to tables of the run."""
    inserted: int
    """New rows."""
    updated: int
    """Rows that the table held, and that the files changed."""
    unchanged: int
    """Rows of the files that the table already held."""
    deleted: int
    """Rows that the mode removed from the table."""


@dataclass(frozen=True, slots=True)
class GroupNote:
    """What the run knew of a group of rejects, and the rejects themselves do not hold."""

    table: str
    """The table, as all rejects of the group have it; the same holds for the next four fields."""
    kind: str
    """One of :class:`~pgsluice.model.verdict.RejectKind`."""
    column: str
    """The column; '' if the reason names none."""
    constraint: str
    """The constraint; '' if the reason names none."""
    sqlstate: str
    """PostgreSQL's error code."""
    columns: tuple[str, ...]
    """The columns that the reason is about."""
    condition: str
    """As in :class:`~pgsluice.model.results.RejectGroup`."""
    help: tuple[str, ...]
    """As in :class:`~pgsluice.model.results.RejectGroup`."""


@dataclass(frozen=True, slots=True)
class RunNotes:
    """What the ledger keeps of a run for its report, beyond files, rejects, rules and profiles."""

    tables: tuple[ReportTable, ...] = ()
    """In load order."""
    phases: tuple[PhaseTime, ...] = ()
    """Where the time went, up to the moment in which the run was recorded."""
    remedies: tuple[str, ...] = ()
    """What many rejects have in common, and the option that cures it."""
    groups: tuple[GroupNote, ...] = ()
    """The groups of rejects."""


@dataclass(frozen=True, slots=True)
class ReportWarning:
    """A published row that breaks a rule with the severity warn."""

    rule: str
    """The name of the rule."""
    table: str
    """The table."""
    file: str
    """The file of the row."""
    line: int
    """The line of the row in the file."""
    raw: str
    """The record as it stands in the file."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run as its report shows it; ``pgsluice report --json`` prints it."""

    run_id: int
    """The number of the run."""
    status: str
    """One of :class:`RunStatus`."""
    started: str
    """The start, as an ISO timestamp in the session's time zone."""
    ended: str
    """The end, in the same form; '' if the run has not ended."""
    seconds: float | None
    """How long the run took; None if it has not ended."""
    detail: str
    """Why the run did not publish."""
    replay_of: int | None
    """The run whose corrected rejects were loaded; None if the run is no replay."""
    database: str
    """The name of the database."""
    server_version: str
    """The version of the server."""
    files: tuple[ReportFile, ...]
    """The files of the run."""
    notes: RunNotes
    """What the plan and the run say of the tables."""
    rejects: RejectsResult
    """The open rejects."""
    samples: tuple[Reject, ...]
    """The first rejects of each group, in load order."""
    rules: tuple[RuleResult, ...]
    """What became of the rules."""
    warnings: tuple[ReportWarning, ...]
    """The first rows of which rules warn."""
    profiles: tuple[ColumnProfile, ...]
    """The columns of the tables when the run published."""
    derived: tuple[DerivedResult, ...]
    """The derived tables."""
    guests: tuple[GuestResult, ...]
    """What ran after the publish, the newest result of each project."""
    history: tuple[RunSummary, ...]
    """The newest runs up to this run, oldest first."""
    role: str = ""
    """The role of PostgreSQL that loaded; '' for runs of version 0.2 and before."""
    pgsluice: str = ""
    """The release of pgsluice; '' for runs of version 0.2 and before."""
    client: str = ""
    """Host name and process id of the client, as ``host:pid``."""
    options: dict[str, Any] = field(default_factory=dict)
    """The options and the paths of the call, as ``pgsluice.run.options`` has them."""

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
