"""What the API returns: results of runs, rejects, and the checks of ``verify``."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from pgsluice.model.html import html_table, html_text
from pgsluice.model.quality.derived import DerivedResult
from pgsluice.model.quality.drift import ColumnDrift
from pgsluice.model.quality.guests import GuestResult
from pgsluice.model.quality.rules import RuleResult
from pgsluice.model.reading.files import IgnoredFile
from pgsluice.model.reading.formats import ColumnFormat
from pgsluice.model.reading.readings import PassedOver
from pgsluice.model.reject_source import RejectSource
from pgsluice.model.target import Target


class RunStatus(enum.StrEnum):
    """How a run ended. ``running``, ``failed`` and ``interrupted`` occur in the ledger only."""

    RUNNING = "running"
    PUBLISHED = "published"
    """The rows are in the tables."""
    VETOED = "vetoed"
    """More rows were rejected than the limits allow; nothing was published."""
    DRY_RUN = "dry_run"
    SKIPPED = "skipped"
    """An earlier run has loaded every file."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Mark:
    """A part of the raw record of a reject that the reason is about."""

    column: str
    """The column of the field; '' if the mark is about no field, or about more than one."""
    start: int
    """The first character of the part within ``raw``, from 0."""
    stop: int
    """The character behind the part; equal to ``start`` where something is missing."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected row, with everything that is known about the reason."""

    run_id: int
    """The run whose ledger entry this is."""
    table: str
    """The table."""
    file: str
    """The file of the record."""
    line: int
    """The physical line on which the record begins, from 1; the header counts."""
    kind: str
    """One of :class:`~pgsluice.model.verdict.RejectKind`."""
    column: str
    """The column; '' if the reason names none."""
    constraint: str
    """The constraint; '' if the reason names none."""
    sqlstate: str
    """The error code that PostgreSQL gives or would give; '' for a row that a trigger kept out in silence."""
    message: str
    """PostgreSQL's message, or pgsluice's for a record that cannot be parsed."""
    raw: str
    """The record as it stands in the file; bytes that cannot be decoded are written as ``\\xNN``."""
    original: int = 0
    """The run that rejected the record first: ``run_id`` itself or, for a replay, the run that is replayed."""
    reject_no: int = 0
    """The number of the reject within the run ``original``, from 1."""
    record_no: int = 0
    """The number of the record in the file, from 1, without the header."""
    parent_file: str = ""
    """The file of the parent row that was rejected, or of the earlier row with the same key; '' if there is none or
    the earlier row is not known. It is not known if it was loaded before the first row of the table was rejected, or
    if PostgreSQL had to try the rows one by one."""
    parent_line: int | None = None
    """The line in ``parent_file``; None if that is ''."""
    detail: str = ""
    """What PostgreSQL says in addition to ``message``, for example which key; '' for other rejects."""
    cause: int | None = None
    """Of the kind ``parent``: ``reject_no`` of the reject that is the cause, the parent or the parent of the parent.
    None for other kinds and in replays."""
    byte_offset: int | None = None
    """The byte of the file at which the record begins, from 0. None if the file is packed, no text or not UTF-8, if NUL
    is removed from it, and in replays."""
    marks: tuple[Mark, ...] = ()
    """The parts of ``raw`` that the reason is about, as far as they are known; () unless the marks were asked for."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What a run did with one file. ``bytes`` is the size on disk; the other numbers count rows."""

    path: str
    """The path or the address of the file."""
    sha256: str
    """SHA-256 of the file's bytes, in hexadecimal."""
    bytes: int
    """The size of the file on disk."""
    read: int
    """Rows read."""
    loaded: int
    """Rows that are in the table now."""
    rejected: int
    """Rows that are rejects."""
    skipped: bool = False
    """An earlier run has loaded the same content into the same table."""
    staged_before: bool = False
    """In a resumed run: the file was staged before the interruption and not read again."""
    formats: tuple[ColumnFormat, ...] = ()
    """How the texts of columns were rewritten: as options say, or as the dates of the file require."""
    lacks: tuple[str, ...] = ()
    """Columns that other files of the table contain and this file lacks. New rows of the file have their defaults."""
    notes: tuple[str, ...] = ()
    """What the user should know of how the file was read."""
    passed_over: tuple[PassedOver, ...] = ()
    """Lines of the file that are no records: titles, comments, footers."""
    evidence: tuple[str, ...] = ()
    """Why the file is read as it is; () if its dialect is plain to see."""
    warnings: tuple[str, ...] = ()
    """What may not be meant as the file was read, each with the option that changes it."""
    blank_lines: int | None = 0
    """Lines that were passed over because they are blank, without titles and footer. None if the run did not read the
    file."""


@dataclass(frozen=True, slots=True)
class TableResult:
    """What a run did with one table; the numbers count rows."""

    table: str
    """The table; in the schema public without the schema."""
    read: int
    """Rows read from the files."""
    loaded: int
    """Rows of the files that are in the table now: ``inserted``, ``updated`` and ``unchanged``."""
    rejected: int
    """Rows that are rejects."""
    skipped: bool
    """An earlier run has loaded all files of the table."""
    files: tuple[FileResult, ...]
    """The files in the order in which they were loaded."""
    way: str = ""
    """The strategy."""
    mode: str = "append"
    """One of :class:`Mode`."""
    inserted: int = 0
    """New rows."""
    updated: int = 0
    """Rows that the table held, and that the files changed."""
    unchanged: int = 0
    """Rows of the files that the table already held, with equal columns or (insert-missing) with an equal key."""
    deleted: int = 0
    """Rows that the mode removed from the table."""


@dataclass(frozen=True, slots=True)
class RejectGroup:
    """Rejects with the same table, kind, column, constraint and SQLSTATE, counted."""

    table: str
    """The table."""
    kind: str
    """One of :class:`RejectKind`."""
    column: str
    """The column; '' if the reason names none."""
    constraint: str
    """The constraint; '' if the reason names none."""
    sqlstate: str
    """PostgreSQL's error code."""
    count: int
    """How many rejects the group has."""
    example: str
    """``file:line: message: detail`` of the first reject of the group."""
    consequences: int = 0
    """Rejects of the kind ``parent`` that are children, or children of children, of the rejects of this group. They
    are also counted in groups of their own."""
    consequence_tables: tuple[tuple[str, int], ...] = ()
    """``consequences`` by table."""
    grandchildren: bool = False
    """Some of the consequences are children of children."""
    first: Reject | None = field(default=None, compare=False)
    """The first reject of the group, with its marks."""
    condition: str = field(default="", compare=False)
    """What a value must fulfil: the condition of a CHECK or a rule as PostgreSQL writes it, the labels of an enum; ''
    where nothing more is known than the message says."""
    help: tuple[str, ...] = field(default=(), compare=False)
    """What cures the rejects of the group, the most likely remedy first. Options stand at the end, to be copied."""


@dataclass(frozen=True, slots=True)
class RejectsResult(RejectSource):
    """The rejects of a run: how many, where the report is, and the groups; ``rows()``, ``to_arrow()`` and
    ``to_pandas()`` read the rejects themselves."""

    count: int
    """How many open rejects there are."""
    path: str | None
    """The CSV report; None if there are no rejects."""
    groups: tuple[RejectGroup, ...] = ()
    """The rejects in groups of equal verdicts, causes first."""
    replayed: int = 0
    """Rejects that a replay has loaded since; ``count`` does not include them."""
    remedies: tuple[str, ...] = ()
    """What many rejects have in common, and the option that cures it."""
    replay: int | None = None
    """The run to name in ``pgsluice replay``: the run itself or the run that it replays; None if the run was not
    published."""
    purged: int = 0
    """Rejects that were deleted from the ledger since; ``count`` does not include them."""

    def _repr_html_(self) -> str:
        rows = ((g.count, g.table, g.kind, g.column or g.constraint, g.example) for g in self.groups)
        return html_table(f"{self.count:,} rejects", ("rejects", "table", "kind", "of", "example"), rows)


@dataclass(frozen=True, slots=True)
class RejectSheet:
    """The rejects of one table with a column for each field of their records, for a spreadsheet."""

    table: str
    """The table."""
    header: tuple[str, ...]
    """The names of the columns: first what is wrong, then ``record``, then the fields."""
    rows: Iterator[tuple[int | str, ...]]
    """A row for each reject, to be read before the next sheet. ``record`` is the whole record if it cannot be divided
    into fields, and '' otherwise."""


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """What a purge deleted of runs that ended before a moment: rejects, warnings, values, reports."""

    before: str
    """The moment as an ISO timestamp."""
    rejects: int
    """How many rejects were deleted."""
    runs: int
    """How many runs the rejects were of."""
    reports: int
    """How many reports were deleted."""
    folder: str
    """The folder whose reports were deleted."""
    elsewhere: tuple[str, ...] = ()
    """Paths of reports that are not in the folder, and were not deleted."""
    warnings: int = 0
    """How many rows were deleted of which rules warned."""
    evidence: int = 0
    """Of how many set rules the rows that broke them were deleted."""
    profiles: int = 0
    """Of how many profiles of columns the values were deleted. Their counts stay."""
    pages: int = 0
    """How many pages of ``pgsluice report`` were deleted."""


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """Seconds that one phase took for one table ('' for the whole run)."""

    table: str
    """The table; '' for the whole run."""
    phase: str
    """The phase, for example ``copy`` or ``index``."""
    seconds: float
    """How long it took."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a load; ``pgsluice load --json`` prints it."""

    run_id: int
    """The number of the run."""
    status: str
    """One of :class:`RunStatus`: published, vetoed, dry_run or skipped."""
    seconds: float
    """How long the run took."""
    tables: tuple[TableResult, ...]
    """The tables in load order."""
    rejects: RejectsResult
    """The rejects of the run."""
    profile: tuple[PhaseTime, ...] = ()
    """Where the time went, by table and phase."""
    reason: str = ""
    """Why nothing was published: the limit that was exceeded, or that every file was loaded before."""
    replay_of: int | None = None
    """The run whose corrected rejects were loaded."""
    ignored: tuple[IgnoredFile, ...] = ()
    """Files of the folders that were not loaded."""
    drift: tuple[ColumnDrift, ...] = ()
    """What differs between the tables and the files."""
    config: str = ""
    """The path of the file of settings; '' if there was none."""
    rules: tuple[RuleResult, ...] = ()
    """What became of the rules that the run asked."""
    derived: tuple[DerivedResult, ...] = ()
    """What the run did with derived tables."""
    guests: tuple[GuestResult, ...] = ()
    """What became of the projects that ran after the run. The rows are published whatever became of them."""
    target: Target | None = None
    """The database, the role and the schema of the run."""

    def _repr_html_(self) -> str:
        header = ("table", "mode", "read", "inserted", "updated", "unchanged", "deleted", "rejected")
        rows = (
            (t.table, t.mode, t.read, t.inserted, t.updated, t.unchanged, t.deleted, t.rejected) for t in self.tables
        )
        parts = [html_table(f"Run {self.run_id}: {self.status} after {self.seconds:.2f} s", header, rows)]
        if self.reason:
            parts.append(f"<p>{html_text(self.reason)}</p>")
        if self.rejects.count:
            parts.append(self.rejects._repr_html_())
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A line of ``pgsluice runs``; the numbers count tables and rows."""

    run_id: int
    """The number of the run."""
    status: str
    """One of :class:`RunStatus`."""
    started: str
    """The start as an ISO timestamp in the session's time zone."""
    seconds: float | None
    """How long the run took; None if it has not ended."""
    tables: int
    """How many tables had files."""
    read: int
    """Rows read."""
    loaded: int
    """Rows that the run loaded."""
    rejected: int
    """Rejects that no replay has loaded."""
    detail: str
    """Why the run did not publish; '' if it did."""
    replayed: int = 0
    """Rejects of the run that a replay has loaded."""
    replay_of: int | None = None
    """The run whose corrected rejects were loaded; None if the run is no replay."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of ``verify``."""

    kind: str
    """rows, foreign_key, not_null or check."""
    subject: str
    """What was checked: a table, a foreign key, a column, a constraint."""
    ok: bool
    """Whether the check holds."""
    detail: str
    """What was found, in words."""
    asked: bool = True
    """False if there was nothing to compare with; ``detail`` says why."""
    guaranteed: bool = False
    """PostgreSQL guarantees it, and the check found it so: NOT NULL, a validated foreign key."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The rows of a query of the user, as PostgreSQL writes them; NULL is ''."""

    title: str
    """The title of the query."""
    columns: tuple[str, ...]
    """The names of the columns."""
    rows: tuple[tuple[str, ...], ...]
    """The rows."""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """All checks of ``verify`` and the results of the user's queries; ``ok`` if no check failed."""

    ok: bool
    """Whether no check and no rule failed."""
    checks: tuple[Check, ...]
    """The checks."""
    queries: tuple[QueryResult, ...] = ()
    """The results of the queries of the file ``sql``."""
    rules: tuple[RuleResult, ...] = ()
    """What became of the rules that were asked; a broken rule with the severity warn fails nothing."""
    target: Target | None = None
    """The database, the role and the schema of the tables."""
