"""The plan of a load: which file goes into which table, in which order, with which strategy."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pgsluice.model.catalog import Table, TableName
from pgsluice.model.html import html_table
from pgsluice.model.quality.drift import ColumnDrift
from pgsluice.model.quality.rules import PlannedRule
from pgsluice.model.reading.files import IgnoredFile, SourceFile
from pgsluice.model.reading.findings import Finding
from pgsluice.model.settings import ColumnRule
from pgsluice.model.target import Target


class Strategy(enum.StrEnum):
    """How the rows of the files reach a table. The values stand in plans and in JSON."""

    IN_PLACE = "in place"
    """COPY into the empty table, whose keys and indexes are dropped before and built again after the COPY."""
    STAGE = "stage"
    """COPY into a stage, then INSERT into the table with all constraints in force."""
    SWAP = "new table"
    """COPY into a shadow table, build keys and indexes on it, then exchange shadow table and table."""


class Mode(enum.StrEnum):
    """What happens to rows that the table already holds."""

    APPEND = "append"
    """Existing rows stay. A new row with the key of an existing row is rejected."""
    UPSERT = "upsert"
    """A row of the files updates the existing row with the same key where their columns differ."""
    INSERT_MISSING = "insert-missing"
    """Existing rows stay. A row of the files whose key exists changes nothing."""
    REPLACE = "replace"
    """After the load the table holds the rows of the files and no others."""


@dataclass(frozen=True, slots=True)
class Modes:
    """The modes of a run: one for all tables, others for single tables by name."""

    run: Mode = Mode.APPEND
    tables: tuple[tuple[str, Mode], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    """Merge keys that the user named: (table, unique constraint or columns)."""
    delete_missing: bool = False
    """An upsert deletes the rows whose keys the files do not contain."""
    replay: bool = False
    """The files are corrected rejects and not the whole content, so no row is missing and replace works as upsert."""

    def of(self, table: TableName) -> Mode:
        """The mode of a table."""
        return next((mode for name, mode in self.tables if table.called(name)), self.run)


@dataclass(frozen=True, slots=True)
class FilePlan:
    """A file and the column that each of its fields goes into."""

    file: SourceFile
    """The file as discovery describes it."""
    columns: tuple[str, ...]
    """``columns[i]`` takes the i-th field; '' leaves the field out."""
    computed: tuple[ColumnRule, ...] = ()
    """The columns that are constants or computed from the fields."""
    left_out: tuple[str, ...] = ()
    """The fields without a column, if they are left out."""

    @property
    def mapped(self) -> tuple[str, ...]:
        """The columns that take a field of the file, in the order of the fields."""
        return tuple(column for column in self.columns if column)

    @property
    def brought(self) -> tuple[str, ...]:
        """The columns that the file gives a value: those that take a field, and those that are computed."""
        return (*self.mapped, *(rule.column for rule in self.computed))

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each field, for messages: the column, or the header's name of a field that is left out."""
        return tuple(column or self.file.field_names[i] for i, column in enumerate(self.columns))


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What a load does with one table."""

    table: Table
    """The table as the catalog describes it."""
    files: tuple[FilePlan, ...]
    """The files in the order in which they are loaded."""
    after: tuple[str, ...]
    """Foreign keys to tables of the plan, as ``customer_id -> customers``: why the table comes at this place."""
    way: Strategy
    """The strategy."""
    why: str
    """Why the plan chose this strategy, for people."""
    mode: Mode = Mode.APPEND
    """What happens to rows that the table holds."""
    key: tuple[str, ...] = ()
    """The merge key: the columns by which rows of the files match rows of the table. Empty for append."""
    delete_missing: bool = False
    """Rows whose keys the files do not contain are deleted."""
    rules: tuple[PlannedRule, ...] = ()
    """The row rules of the table."""

    @property
    def brought(self) -> tuple[str, ...]:
        """The columns that the files contain, in the order of the files in which they come first."""
        # Of many files most bring the same columns.
        different = dict.fromkeys(file.brought for file in self.files)
        return tuple(dict.fromkeys(column for columns in different for column in columns))

    @property
    def computed(self) -> bool:
        """Whether a column of a file is a constant or computed."""
        return any(f.computed for f in self.files)

    @property
    def partial(self) -> tuple[str, ...]:
        """The columns that some files contain and others lack."""
        lacked = {column for columns in set(self.lacked) for column in columns}
        return tuple(c for c in self.brought if c in lacked)

    @property
    def lacked(self) -> tuple[tuple[str, ...], ...]:
        """For each file the columns that other files of the table contain and the file lacks; a file without rows
        lacks none.
        """
        brought = [file.brought if file.columns else None for file in self.files]
        every, lacked = self.brought, {}
        for mine in dict.fromkeys(brought):
            own = frozenset(every if mine is None else mine)
            lacked[mine] = tuple(c for c in every if c not in own)
        return tuple(lacked[mine] for mine in brought)

    @property
    def strategy(self) -> Strategy:
        """The strategy; the field is named ``way`` in JSON."""
        return self.way


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how long a load takes and how much disk it needs."""

    seconds: float
    """Seconds of the whole load."""
    disk: int
    """Bytes of tables and indexes that the load adds on the server. The write-ahead log comes in addition."""
    basis: str
    """What the seconds were estimated from, in words: earlier runs, or the sizes of the files alone."""
    free: int | None = None
    """Free bytes where the server keeps its data; None if they cannot be asked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a load does; the tables stand in load order, parents before children."""

    target: Target
    """The database, the role and the schema of the load."""
    tables: tuple[TablePlan, ...]
    """The tables in load order."""
    cycles: tuple[tuple[str, ...], ...] = ()
    """Groups of tables whose foreign keys form a cycle, each group in load order."""
    ignored: tuple[IgnoredFile, ...] = ()
    """Files of the folders that are not loaded."""
    drift: tuple[ColumnDrift, ...] = ()
    """What differs between the tables and the files."""
    config: str = ""
    """The path of the file of settings; '' if there is none."""
    findings: tuple[Finding, ...] = ()
    """What makes the load slow, and why."""
    estimate: Estimate | None = None
    """How long the load takes and how much disk it needs; None if it was not asked."""
    missing_rights: tuple[str, ...] = ()
    """The GRANTs that the role lacks for the load; without them it fails."""

    def _repr_html_(self) -> str:
        rows = (
            (str(t.table.name), "\n".join(f.file.path for f in t.files), str(t.mode), str(t.strategy), t.why)
            for t in self.tables
        )
        header = ("table", "files", "mode", "strategy", "why")
        return html_table(f"Plan for {self.target.words()}", header, rows)
