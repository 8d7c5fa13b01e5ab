"""TODO pgsluice.model.results."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """How many rejects are allowed: a number, a share of the rows read, or all (both None)."""

    rows: int | None = 0
    percent: float | None = None

    def allows(self, rejected: int, read: int) -> bool:
        if self.percent is not None:
            return rejected * 100 <= self.percent * read
        return self.rows is None or rejected <= self.rows

    def __str__(self) -> str:
        if self.percent is not None:
            return f"{self.percent:g}%"
        return "all" if self.rows is None else str(self.rows)


@dataclass(frozen=True, slots=True)
class Limits:
    """``--max-rejects``: one limit for the whole run, others for single tables (by name)."""

    run: Limit = Limit()
    tables: tuple[tuple[str, Limit], ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was refused, with everything that is known about why."""

    run_id: int
    table: str
    file: str
    line: int
    """Physical line on which the record begins, from 1; the header counts."""
    kind: str
    """structure, value, not_null, check, unique, foreign_key, parent, exclusion, trigger, policy, other."""
    column: str
    constraint: str
    sqlstate: str
    message: str
    raw: str
    """The record as it stands in the file, undecodable bytes as ``\\xNN``."""
    original: int = 0
    """The run in which the record was rejected first: ``run_id``, or of a replay the run that is replayed."""
    number: int = 0
    """Which reject of that run it is, from 1."""
    record: int = 0
    """Which record of the file, from 1, without the header."""
    parent_file: str = ""
    """Of a row whose parent was rejected: where the parent stands. Of one whose key an earlier row has: where that
    stands, if it is known: not if it was loaded before the first row of its table was refused, nor where rows had to be
    tried one by one."""
    parent_line: int | None = None


@dataclass(frozen=True, slots=True)
class FileResult:
    path: str
    sha256: str
    bytes: int
    read: int
    loaded: int
    rejected: int
    skipped: bool = False
    staged_before: bool = False
    """Of a resumed run: the file was staged before the interruption and not read again."""


@dataclass(frozen=True, slots=True)
class TableResult:
    table: str
    read: int
    loaded: int
    rejected: int
    skipped: bool
    files: tuple[FileResult, ...]
    way: str = ""
    mode: str = "append"
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    """Rows of the files that the table held already, as they are or (insert-missing) with their key."""
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class RejectGroup:
    """A line of the summary: how many rejects share table, kind, column and constraint."""

    table: str
    kind: str
    column: str
    constraint: str
    sqlstate: str
    count: int
    example: str
    """``file:line: message`` of the first one."""


@dataclass(frozen=True, slots=True)
class RejectsResult:
    count: int
    path: str | None
    """The CSV file beside the run, None when there are none."""
    groups: tuple[RejectGroup, ...] = ()
    replayed: int = 0
    """Further rejects of the run, no longer counted: a replay has loaded them."""
    replay: int | None = None
    """The run that a replay of these is for: the run itself, or the one that it replays. None: it was not published."""


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """Seconds that one step took, of one table ('' for the whole run)."""

    table: str
    phase: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RunResult:
    """What ``pgsluice load --json`` prints."""

    run_id: int
    status: str
    """published, vetoed, dry_run, skipped."""
    seconds: float
    tables: tuple[TableResult, ...]
    rejects: RejectsResult
    profile: tuple[PhaseTime, ...] = ()
    reason: str = ""
    """Of a veto: which limit was passed."""
    replay_of: int | None = None
    """The run whose corrected rejects were loaded."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A line of ``pgsluice runs``."""

    run_id: int
    status: str
    started: str
    seconds: float | None
    tables: int
    read: int
    loaded: int
    rejected: int
    """Those that are open."""
    detail: str
    replayed: int = 0
    """Rows that this run rejected and a replay of it loaded."""
    replay_of: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that ``verify`` looked at."""

    kind: str
    """rows, foreign_key, not_null, check."""
    subject: str
    ok: bool
    detail: str
    asked: bool = True
    """False: there was nothing to compare with, and ``detail`` says why."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class VerifyResult:
    ok: bool
    checks: tuple[Check, ...]
    queries: tuple[QueryResult, ...] = ()
