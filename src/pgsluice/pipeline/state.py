"""What an attempt knows about each table and file while it is under way. Mutable; lives for one attempt only."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Self

import psycopg
from psycopg import sql

from pgsluice.model import Column, FilePlan, Listener, Phase, Progress, Strategy, Table, TableName, TablePlan
from pgsluice.pipeline.scratch import ScratchTables
from pgsluice.pipeline.timing import Clock
from pgsluice.postgres.connecting.watched import WHOLE, watched_build
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.source.blocks import Extent, Remarks
from pgsluice.source.corrections import Corrections
from pgsluice.source.locate import Places, locate
from pgsluice.source.typed.ordinals import OrdinalRanges

if TYPE_CHECKING:
    from pgsluice.postgres.derived.incremental.touched import ChangedRows
    from pgsluice.source.locate import Numbers


@dataclass(slots=True)
class FileRun:
    """One file of a table run: where its ordinals begin, and what was read of it."""

    plan: FilePlan
    number: int
    """The number of the file within the run, from 0."""
    base: int = 0
    """The ordinal, within the table run, of the file's first record."""
    read: int = 0
    """Records read so far."""
    sha256: str = ""
    remarks: Remarks = field(default_factory=Remarks)
    """What was counted when the end of the file was read."""
    extents: list[Extent] = field(default_factory=list)
    skipped: bool = False
    """An earlier run has loaded the same content into the table."""
    staged_before: bool = False
    """An interrupted run has staged the file, so it is not read again."""
    corrections: Corrections | None = None
    """In a replay: the corrected records, which are read instead of the file."""
    unordered_dates: tuple[str, ...] = ()
    """Columns with dates that have no order of day and month, because no numeric date was seen. One that is seen later
    ends the attempt."""
    unread_numbers: tuple[str, ...] = ()
    """Columns with numbers of which only the beginning was seen before the load. A number behind the beginning that may
    have two readings, or a decimal comma, ends the attempt."""

    def locate(self, wanted: Iterable[Numbers]) -> Iterator[Places]:
        """Finds records in the file again.

        :param wanted: ordinals within the file, ascending, in portions.
        :returns: for each portion the records with their lines, once or several times a part of them.
        :raises FileError: the file cannot be read or has changed.
        """
        if self.corrections is not None:
            return self.corrections.locate(wanted)
        return locate(self.plan.file, self.plan.names, self.extents, wanted)


@dataclass(slots=True)
class RowMap:
    """Which ordinal the n-th row in the heap of a table filled in place has.

    COPY writes rows in the order of their ordinals, so the heap is a sequence of ranges. A range ends where a record is
    a reject, so there may be millions; each takes 16 bytes.
    """

    _ranks: array[int] = field(default_factory=lambda: array("q"))
    """The rank in the heap of the first row of each range, from 1."""
    _ordinals: array[int] = field(default_factory=lambda: array("q"))
    """The ordinal of the first row of each range."""
    rows: int = 0

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._ranks)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yields the ranges: the rank in the heap of the first row, from 1, and its ordinal."""
        return zip(self._ranks, self._ordinals, strict=True)

    def add(self, added: OrdinalRanges, base: int) -> None:
        """Appends rows that were written behind all others.

        :param base: what to add to each ordinal of ``added``.
        """
        for first, count in added.ranges:
            ordinal = base + first
            rank = self.rows + 1
            if not self._ranks or ordinal - self._ordinals[-1] != rank - self._ranks[-1]:
                self._ranks.append(rank)
                self._ordinals.append(ordinal)
            self.rows += count

    def snapshot(self) -> tuple[int, int]:
        """What there is now, to :meth:`restore` after a rollback to the savepoint that was set at the same time."""
        return len(self._ranks), self.rows

    def restore(self, before: tuple[int, int]) -> None:
        """Forgets the rows that were appended after a snapshot."""
        ranges, self.rows = before
        del self._ranks[ranges:], self._ordinals[ranges:]


@dataclass(slots=True)
class _Undone:
    """Values that a rollback to a savepoint undoes."""

    def snapshot(self) -> Self:
        """A copy, to :meth:`restore` after a rollback to the savepoint that was set at the same time."""
        return replace(self)

    def restore(self, before: Self) -> None:
        """Takes the values of a snapshot back."""
        for value in fields(self):
            setattr(self, value.name, getattr(before, value.name))


@dataclass(slots=True)
class Counts(_Undone):
    """Rows of one table run, as PostgreSQL's command tags count them."""

    landed: int = 0
    """Rows of the files that the table holds now, new or matched."""
    staged: int = 0
    """Rows in the stage."""
    in_doubt: int = 0
    """Rows in the text stage."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass(slots=True)
class Findings(_Undone):
    """What sending the rows of a table has revealed about them."""

    suspect: bool = False
    """Some row may break a constraint, so validation comes before the INSERT of all rows."""
    checks_dropped: bool = False
    """The CHECK constraints of the table are dropped until all rows are in."""
    checks_stay: bool = False
    """The CHECK constraints cannot be dropped, because PostgreSQL would write one of them in another way afterwards."""
    check_violated: bool = False
    """The CHECK constraints were dropped because a row broke one."""
    held: bool = False
    """Suspects were held in the stage, so the rows in the table are expected to break no constraint."""
    repeated: bool = False
    """A held row has the key of a row in the table."""


@dataclass(slots=True)
class TableRun:
    """One table of an attempt."""

    number: int
    plan: TablePlan
    files: list[FileRun]
    columns: tuple[Column, ...]
    """The columns that the files contain, in the order of the files in which they come first."""
    scratch: ScratchTables
    partial: frozenset[str] = frozenset()
    """Columns that some files contain and others lack."""
    runs_user_functions: bool = False
    """Writing a row runs a function of the user, which needs the user's path."""
    may_freeze: bool = False
    """COPY FREEZE is allowed: no older snapshot can see a part of the run's rows."""
    run_id: int = 0
    """The id of the run, as its run column holds it; 0 until the run is in the ledger."""
    shadow: sql.Identifier | None = None
    """The shadow table that receives the rows and will take the table's place."""
    shadow_oid: int = 0
    followed: ChangedRows | None = None
    """The rows that the run changes are kept in these tables, for incremental derived tables."""
    counts: Counts = field(default_factory=Counts)
    findings: Findings = field(default_factory=Findings)
    row_map: RowMap = field(default_factory=RowMap)

    @property
    def table(self) -> Table:
        """The target table as the catalog describes it."""
        return self.plan.table

    @property
    def name(self) -> str:
        """The table's name for people."""
        return str(self.plan.table.name)

    @property
    def strategy(self) -> Strategy:
        """How the rows reach the table."""
        return self.plan.strategy

    @property
    def relation(self) -> sql.Identifier:
        """The target table."""
        return identifier(self.plan.table.name)

    @property
    def destination(self) -> sql.Identifier:
        """The relation that will be the target table when the run is published: the shadow table, if there is one."""
        return self.shadow or self.relation

    @property
    def ordinal(self) -> sql.Identifier:
        """The ordinal column of the stages."""
        return sql.Identifier(self.scratch.ordinal)

    @property
    def table_no(self) -> sql.Literal:
        """The number of the table run, as it stands in scratch tables."""
        return sql.Literal(self.number)

    @property
    def merge_key(self) -> tuple[str, ...]:
        """The columns by which staged rows match rows of the table; empty if the table held no rows."""
        return self.plan.key if self.strategy is Strategy.STAGE else ()

    @property
    def run_column(self) -> str:
        """The column that holds the run's id; '' if the table has none. It is in no stage."""
        return self.plan.table.run_column

    @property
    def computed(self) -> bool:
        """Whether a column is a constant or computed, so that all rows go through the text stage, field by field."""
        return self.plan.computed

    @property
    def stage_decides(self) -> frozenset[str]:
        """The columns whose values in the stage are those that the table will hold.

        A row of a file without the column has the column's default in the stage, unless rows are matched by a key: then
        the row of the table keeps its value, and only a new row gets the default, when it is inserted.
        """
        return frozenset(c.name for c in self.columns) - (self.partial if self.merge_key else frozenset())

    def ordinals_with(self, column: str) -> sql.Composable:
        """The ordinals of the records whose file contains the column: :func:`ordinals_of`."""
        return ordinals_of(f for f in self.files if column in f.plan.brought)

    @property
    def read(self) -> int:
        """Records read of all files."""
        return sum(f.read for f in self.files)

    def column_list(self, alias: str | None = None) -> sql.Composed:
        """The columns of the files, quoted and separated by commas, each behind ``alias`` if there is one."""
        return sql.SQL(", ").join(
            sql.Identifier(alias, c.name) if alias else sql.Identifier(c.name) for c in self.columns
        )

    def file_of(self, ordinal: int) -> FileRun:
        """The file that a record comes from."""
        return next(f for f in reversed(self.files) if f.base <= ordinal and not f.skipped)

    def copy_again(self) -> None:
        """Forgets the rows sent so far, after a rollback to before the first of them."""
        self.counts = Counts()
        self.findings = Findings()
        self.row_map = RowMap()
        self.scratch.forget_stages()
        for file in self.files:
            file.read, file.sha256, file.extents = 0, "", []


@dataclass(frozen=True, slots=True)
class RunContext:
    """What every step of an attempt needs."""

    conn: psycopg.Connection
    """The main connection."""
    ledger_conn: psycopg.Connection
    """The ledger connection. It does nothing while the main connection executes a statement."""
    tables: Mapping[TableName, TableRun]
    """All table runs of the attempt by name, in load order."""
    clock: Clock
    listen: Listener

    @contextmanager
    def building(self, table: str, index: str) -> Iterator[None]:
        """Tells that an index is built in the context, and how much of it."""
        event = Progress(Phase.BUILD, table, f"index {index}")
        self.listen(event)

        def tell(share: int) -> None:
            self.listen(replace(event, done=share, total=WHOLE))

        with watched_build(self.conn, self.ledger_conn, tell):
            yield


def new_table_run(number: int, plan: TablePlan, watched: Sequence[str], first_file: int) -> TableRun:
    """The state of a table at the start of an attempt.

    :param watched: columns that foreign keys of the run's tables reference.
    :param first_file: the number, within the run, of the table's first file.
    """
    table = plan.table
    columns = tuple(table.column(n) for n in plan.brought)
    kept = tuple(dict.fromkeys(c for c in (*watched, *plan.key) if c in plan.brought))
    scratch = ScratchTables(number, identifier(table.name), columns, kept)
    while any(c.name == scratch.ordinal for c in table.columns):
        scratch.ordinal += "_"
    if plan.computed:
        scratch.fields = max(len(f.columns) for f in plan.files)
    table_run = TableRun(
        number=number,
        plan=plan,
        files=[FileRun(f, first_file + i) for i, f in enumerate(plan.files)],
        columns=columns,
        scratch=scratch,
        partial=frozenset(plan.partial),
    )
    scratch.defaults = {
        c.name: c.default_sql
        for c in columns
        # A domain with NOT NULL would refuse the rows of files without the column.
        if c.default_sql and c.name in table_run.partial and (not table_run.merge_key or c.kind == "d")
    }
    return table_run


def ordinals_of(files: Iterable[FileRun]) -> sql.Composable:
    """The ordinals of the records of these files, which are read, as an int8multirange."""
    ranges = ",".join(f"[{f.base},{f.base + f.read})" for f in files if f.read)
    return sql.SQL("{}::pg_catalog.int8multirange").format(sql.Literal("{" + ranges + "}"))


@contextmanager
def savepoint(conn: psycopg.Connection, table_runs: Sequence[TableRun]) -> Iterator[None]:
    """A savepoint that covers the counts, findings, row maps and scratch tables of table runs.

    An exception, ``psycopg.Rollback`` included, undoes what the database and the table runs say.
    """
    before = [
        (t.counts.snapshot(), t.findings.snapshot(), t.row_map.snapshot(), t.scratch.snapshot()) for t in table_runs
    ]
    undone = True
    try:
        with conn.transaction():
            yield
            undone = False
    finally:
        if undone:
            for table_run, (counts, findings, rows, made) in zip(table_runs, before, strict=True):
                table_run.counts.restore(counts)
                table_run.findings.restore(findings)
                table_run.row_map.restore(rows)
                table_run.scratch.restore(made)
