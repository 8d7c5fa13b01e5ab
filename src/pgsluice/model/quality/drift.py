"""Drift: what differs between the columns of a table and the fields of its files."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pgsluice.model.catalog import TableName


class DriftMode(enum.StrEnum):
    """What happens to a field that has no column."""

    ERROR = "error"
    """The load is refused."""
    IGNORE = "ignore"
    """The field is left out."""
    ADD = "add"
    """The table gets a column for it."""


@dataclass(frozen=True, slots=True)
class DriftModes:
    """The modes of ``--drift``: one for all tables, others for single tables by name."""

    run: DriftMode = DriftMode.ERROR
    tables: tuple[tuple[str, DriftMode], ...] = ()

    def of(self, table: TableName) -> DriftMode:
        """The mode of a table."""
        return next((mode for name, mode in self.tables if table.called(name)), self.run)


class DriftKind(enum.StrEnum):
    """What was found."""

    IGNORED_FIELD = "ignored_field"
    """A field without a column, which was left out."""
    ADDED_COLUMN = "added_column"
    """A column that the table got for a new field."""
    MISSING_COLUMN = "missing_column"
    """A column that files lack: new rows have its default."""
    NARROW_COLUMN = "narrow_column"
    """A column whose type is too narrow for values of the files."""


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One difference between a table and its files."""

    table: str
    """The table."""
    kind: str
    """One of :class:`DriftKind`."""
    name: str
    """The field that is left out; otherwise the column."""
    type: str = ""
    """The type of the column that was added or is too narrow."""
    files: tuple[str, ...] = ()
    """The files with the field, or without the column."""
    count: int = 0
    """How many values do not fit into a column that is too narrow."""
