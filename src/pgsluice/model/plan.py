"""TODO pgsluice.model.plan."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pgsluice.model.catalog import Table, TableName
from pgsluice.model.files import SourceFile


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
