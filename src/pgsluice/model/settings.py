"""Settings of a load: where columns get their values from, and the settings that ``pgsluice config show`` prints."""

from __future__ import annotations

from dataclasses import dataclass

from pgsluice.model.catalog import TableName


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """Where a column of a table gets its values from: a field, a constant or an expression."""

    table: str
    """The table, as ``--mode TABLE=...`` names it."""
    column: str
    """'' leaves the field out."""
    field: str | None = None
    """The field that goes into the column."""
    constant: str | None = None
    """The text of the column in each row."""
    expression: str | None = None
    """SQL over the fields of the record as texts."""
    where: str = ""
    """The file and line that says it, for messages."""


@dataclass(frozen=True, slots=True)
class RunColumns:
    """The columns that a load fills with the run's id: one for all tables, others for single tables by name."""

    run: str = ""
    """The column of every table of the load; '' for none."""
    tables: tuple[tuple[str, str], ...] = ()
    """(table, column) pairs; '' as the column: the table has none."""

    def of(self, table: TableName) -> str:
        """The column of a table, '' if it has none."""
        return next((column for name, column in self.tables if table.called(name)), self.run)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in force, and where it comes from."""

    key: str
    """Its path, as ``pgsluice.toml`` has it: ``load.mode``, ``tables.orders.key``."""
    value: object
    source: str
    """The file of settings, ``option --mode``, ``environment DATABASE_URL``, ``argument`` or ``default``."""
    line: int = 0
    """The line of the file of settings, 0 if the setting comes from elsewhere."""
    overridden_by: str = ""
    """The option or the variable that overrides the setting; '' if it is in force."""
