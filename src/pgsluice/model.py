"""Frozen dataclasses that all rooms share. No behaviour beyond small derived values.

Reading order follows the way of a row: a :class:`SourceFile` with its :class:`Dialect`, a
:class:`Table` of the catalog, the :class:`Plan` that joins them, and the :class:`RunResult` that
``pgsluice load --json`` prints.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass, field

# --------------------------------------------------------------------------- files


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file writes its records.

    ``null`` holds the texts that mean NULL when unquoted; empty tuple: an unquoted empty field is NULL
    and a quoted one the empty string, as in COPY's CSV format.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    null: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DialectOptions:
    """What the user fixed of the dialect; None: to be sniffed."""

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    null: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as found: where it is, how long, how it writes, and its first record."""

    path: str
    bytes: int
    stems: tuple[str, ...]
    """What is matched with tables' names, in this order: the name without folder and ``.csv``/``.gz``, then without the
    last number (of a part, of a day) as well, and so on."""
    dialect: Dialect
    header: tuple[str, ...]
    """The fields of the first record (column names, if ``dialect.header``)."""
    feeds: TableName | None = None
    """The table that the file goes into, where its name need not be asked: in a replay."""


# --------------------------------------------------------------------------- catalog


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    schema: str
    name: str

    def __str__(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    def called(self, text: str) -> bool:
        """Whether somebody who wrote ``table`` or ``schema.table`` means this one."""
        return text in (self.name, f"{self.schema}.{self.name}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a target table.

    ``type_sql`` is ``format_type()`` with its modifier (``numeric(10,2)``). ``base`` is the name of the
    type in ``pg_type`` after unwrapping domains (``numeric``), ``base_typmod`` its modifier, -1: none.
    """

    name: str
    number: int
    type_sql: str
    base: str
    base_schema: str
    base_typmod: int
    kind: str
    """``pg_type.typtype`` of the column's own type: b(ase), c(omposite), d(omain), e(num), r(ange), m(ultirange)."""
    not_null: bool
    has_default: bool
    identity: str
    """'' none, 'a' always, 'd' by default."""
    generated: str
    """'' none, 's' stored, 'v' virtual."""
    labels: tuple[str, ...] = ()
    """The labels of an enum."""
    owned_sequence: str = ""
    """Quoted, qualified name of the sequence that the column owns (serial, identity)."""

    @property
    def required(self) -> bool:
        """A file must bring this column: it is NOT NULL and nothing fills it."""
        return self.not_null and not self.has_default and not self.identity and not self.generated


@dataclass(frozen=True, slots=True)
class Constraint:
    """A row of ``pg_constraint``: p(rimary), u(nique), c(heck), f(oreign key), x (exclusion)."""

    oid: int
    name: str
    kind: str
    columns: tuple[str, ...]
    definition: str
    """``pg_get_constraintdef``."""
    expression: str = ""
    """Of a CHECK: ``pg_get_expr(conbin)``."""
    index_oid: int = 0
    deferrable: bool = False
    deferred: bool = False
    validated: bool = True
    enforced: bool = True
    no_inherit: bool = False
    inherited: bool = False
    comment: str | None = None
    references: TableName | None = None
    referenced_columns: tuple[str, ...] = ()
    equality: tuple[str, ...] = ()
    """Of a foreign key: how its trigger compares each ``{parent}`` column with the ``{child}`` column."""
    match_full: bool = False
    table: TableName | None = None
    """The table that carries the constraint (of interest for foreign keys that point at a table)."""
    trigger: str = ""
    """Of a constraint that a trigger asks after the row is in (foreign keys, deferrable unique keys): its name."""


@dataclass(frozen=True, slots=True)
class Index:
    """A row of ``pg_index`` with what is needed to judge by it and to make it again."""

    oid: int
    name: str
    definition: str
    unique: bool
    primary: bool
    keys: tuple[str, ...]
    """Columns or expressions in SQL, key columns only (without INCLUDE)."""
    predicate: str
    nulls_not_distinct: bool
    constraint: str = ""
    """Name of the constraint that owns the index."""
    tablespace: str = ""
    comment: str | None = None
    clustered: bool = False
    replica_identity: bool = False
    plain: bool = True
    """Default operator classes: set queries with ``=`` judge as the index does."""
    collated: bool = False
    """A collation other than C orders the keys."""
    valid: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The keys: columns by their names, expressions as SQL has them."""
        found = ((re.fullmatch(r'"((?:[^"]|"")+)"', key), key) for key in self.keys)
        return tuple(quoted[1].replace('""', '"') if quoted else key for quoted, key in found)


@dataclass(frozen=True, slots=True)
class Table:
    """A target table with everything that the plan and the judge ask about it."""

    oid: int
    name: TableName
    kind: str
    """``pg_class.relkind``: r table, p partitioned, f foreign, v view."""
    persistence: str
    owner_is_me: bool
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    indexes: tuple[Index, ...]
    referenced_by: tuple[Constraint, ...]
    """Foreign keys of any table that point here (``table`` names theirs)."""
    can_insert: bool = True
    obstacles: tuple[str, ...] = ()
    """Why keys and indexes may not be taken down for the time of a load, in words; empty: they may."""

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        return tuple(c for c in self.constraints if c.kind == "f")

    @property
    def checks(self) -> tuple[Constraint, ...]:
        return tuple(c for c in self.constraints if c.kind == "c")


# --------------------------------------------------------------------------- plan


class Way(enum.StrEnum):
    """How a table's rows reach it."""

    IN_PLACE = "in place"
    """COPY into the empty table itself, keys and indexes built afterwards, one transaction."""
    STAGE = "stage"
    """COPY into a stage, then INSERT with all constraints in force."""
    SWAP = "new table"
    """COPY into a new table beside the old one, keys and indexes built on it, then the two are swapped."""


class Mode(enum.StrEnum):
    """What becomes of rows that the table holds already."""

    APPEND = "append"
    """They stay; a new row with the key of an old one is rejected."""
    UPSERT = "upsert"
    """The new row's columns replace the old row's where they differ."""
    INSERT_MISSING = "insert-missing"
    """They stay as they are; new rows with their keys change nothing."""
    REPLACE = "replace"
    """The table's content becomes the files' content."""


@dataclass(frozen=True, slots=True)
class Modes:
    """``--mode``: one for the run, others for single tables (by name)."""

    run: Mode = Mode.APPEND
    tables: tuple[tuple[str, Mode], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    """``--key``: (table, its unique constraint or columns) by which rows are matched."""
    delete_missing: bool = False
    """With upsert: rows whose keys are not in the files go."""
    replay: bool = False
    """The files are corrected rejects and not the whole: nothing is missing, so replace works as upsert."""

    def of(self, table: TableName) -> Mode:
        return next((mode for name, mode in self.tables if table.called(name)), self.run)


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Which columns a file feeds."""

    file: SourceFile
    columns: tuple[str, ...]
    """``columns[i]`` takes the i-th field; '' where the field is left out."""

    @property
    def brought(self) -> tuple[str, ...]:
        """The columns alone."""
        return tuple(column for column in self.columns if column)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each field, for messages: its column, or what the file calls it."""
        return tuple(column or self.file.header[i] for i, column in enumerate(self.columns))


@dataclass(frozen=True, slots=True)
class TablePlan:
    table: Table
    files: tuple[FilePlan, ...]
    after: tuple[str, ...]
    """Parents in this plan, "orders.customer_id -> customers" in words: why the table comes here."""
    way: Way
    why: str
    """Why this way, in words."""
    mode: Mode = Mode.APPEND
    key: tuple[str, ...] = ()
    """The columns by which rows are matched with those of the table (every mode but append)."""
    delete_missing: bool = False
    """Rows that the files do not have are deleted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a load would do; tables in load order."""

    database: str
    server_version: str
    tables: tuple[TablePlan, ...]
    cycles: tuple[tuple[str, ...], ...] = ()
    """Tables whose foreign keys form a cycle, each group in load order."""


# --------------------------------------------------------------------------- results


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


# --------------------------------------------------------------------------- verification


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


# --------------------------------------------------------------------------- progress


@dataclass(frozen=True, slots=True)
class Progress:
    """Something happened that a person may want to see.

    ``phase``: plan, wait, stage, judge, build, publish; rollback, when it is certain that a commit that was to come did
    not. ``done`` and ``total`` count bytes of the
    table's files while staging, steps otherwise; ``rows`` so far. ``step`` names an index, a constraint.
    """

    phase: str
    table: str = ""
    step: str = ""
    done: int = 0
    total: int = 0
    rows: int = 0


Listener = Callable[[Progress], None]


def deaf(_: Progress) -> None:
    """The listener of those who do not listen."""


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
