"""The options of a load."""

from __future__ import annotations

from dataclasses import dataclass, field

from pgsluice.model.catalog import TableName
from pgsluice.model.plan import Modes
from pgsluice.model.quality.drift import DriftModes
from pgsluice.model.quality.guests import Guest
from pgsluice.model.quality.rules import Rules
from pgsluice.model.reading.dialect import DialectOptions
from pgsluice.model.reading.formats import FormatRule
from pgsluice.model.settings import ColumnRule, RunColumns


@dataclass(frozen=True, slots=True)
class Limit:
    """How many rejects are allowed: a number of rows, a percentage of the rows read, or all if both are None."""

    rows: int | None = 0
    percent: float | None = None

    def allows(self, rejected: int, read: int) -> bool:
        """Whether ``rejected`` of ``read`` rows stay within the limit."""
        if self.percent is not None:
            return rejected * 100 <= self.percent * read
        return self.rows is None or rejected <= self.rows

    def __str__(self) -> str:
        if self.percent is not None:
            return f"{self.percent:g}%"
        return "all" if self.rows is None else str(self.rows)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of ``--max-rejects``: one for the whole run, others for single tables by name."""

    run: Limit = Limit()
    tables: tuple[tuple[str, Limit], ...] = ()


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """What the user says about the fields of the files."""

    columns: tuple[tuple[str, str], ...] = ()
    """(field, column) pairs of ``--column``; the first pair that names a field decides, '' leaves the field out."""
    names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(table, names) pairs of ``--columns``: a name for each field, in order; '' stands for every table."""
    header: bool | None = None
    """Whether the first record names the fields; None if that is to be found out."""
    formats: tuple[FormatRule, ...] = ()
    """How texts are rewritten before PostgreSQL reads them."""
    headers: tuple[tuple[str, bool | None], ...] = ()
    """(glob, header) pairs for single files; the first glob that matches decides."""
    rules: tuple[ColumnRule, ...] = ()
    """Where single columns of tables get their values from."""
    drift: DriftModes = field(default_factory=DriftModes)
    """What happens to fields without a column."""
    dialect: DialectOptions = field(default_factory=DialectOptions)
    """The parts of the dialect that the user fixed, for all files."""
    run_columns: RunColumns = field(default_factory=RunColumns)
    """The columns that hold the run's id."""
    dialects: tuple[tuple[str, DialectOptions], ...] = ()
    """(glob, parts of the dialect) pairs for single files, in place of ``dialect``; the first match decides."""

    def names_for(self, table: TableName) -> tuple[str, ...]:
        """The names of ``--columns`` for the files of a table; () if there are none."""
        named = [names for name, names in self.names if name and table.called(name)]
        return next(iter(named), next((names for name, names in self.names if not name), ()))


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Everything about a load except its paths. The defaults are those of the command line.

    The ledger stores the options of each run as JSON; :mod:`pgsluice.options` reads them back.
    """

    schema_file: str | None = None
    tables: tuple[tuple[str, str], ...] = ()
    """(table, glob) pairs of ``--table``; the first match decides."""
    columns: tuple[tuple[str, str], ...] = ()
    """(field, column) pairs of ``--column``; '' as the column leaves the field out."""
    names: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(table, names of the fields) pairs of ``--columns``; '' stands for every table."""
    skip: tuple[str, ...] = ()
    """Globs of ``--skip``: files that are not loaded."""
    recursive: bool = False
    """A folder names the files in its subfolders as well."""
    allow_empty: bool = False
    """A file of 0 bytes is a file without rows, and not an error."""
    into: str | None = None
    limits: Limits = field(default_factory=Limits)
    dialect: DialectOptions = field(default_factory=DialectOptions)
    file_dialects: tuple[tuple[str, DialectOptions], ...] = ()
    """(glob, dialect) pairs for single files; the first glob that matches decides, and ``dialect`` if none does."""
    rules: tuple[ColumnRule, ...] = ()
    """Where single columns of tables get their values from."""
    formats: tuple[FormatRule, ...] = ()
    """How texts are rewritten before PostgreSQL reads them."""
    modes: Modes = field(default_factory=Modes)
    drift: DriftModes = field(default_factory=DriftModes)
    run_columns: RunColumns = field(default_factory=RunColumns)
    """The columns that the load fills with the run's id."""
    dry_run: bool = False
    again: bool = False
    resumable: bool = False
    """Each file is staged in a transaction of its own, so that an interrupted run can be resumed."""
    no_wait: bool = False
    lock_timeout: float = 5.0
    """Seconds to wait for the lock on a table, before the run pauses and tries again."""
    settle: float = 0.0
    """Seconds: a file that was written less long ago is refused. 0 refuses no file."""
    max_bytes: int | None = None
    """How many bytes each compressed file may hold unpacked; None sets no limit."""
    quality: Rules = field(default_factory=Rules)
    """Row rules and set rules."""
    derive: tuple[str, ...] = ()
    """Files of definitions of derived tables, or folders of them."""
    then: tuple[Guest, ...] = ()
    """Projects of other programs that run after the publish."""
    profile: bool = True
    """Each published run stores profiles of the columns of its tables."""
    reports: str = ".pgsluice/rejects"
    """Folder for the CSV reports of rejects."""

    @property
    def fields(self) -> FieldOptions:
        """What the options say about the fields of the files."""
        headers = tuple((glob, dialect.header) for glob, dialect in self.file_dialects)
        return FieldOptions(
            self.columns,
            self.names,
            self.dialect.header,
            self.formats,
            headers,
            self.rules,
            self.drift,
            self.dialect,
            self.run_columns,
            self.file_dialects,
        )
