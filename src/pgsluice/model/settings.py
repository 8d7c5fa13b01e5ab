"""Settings of a load: where columns get their values from, and the settings that ``pgsluice config show`` prints."""

from __future__ import annotations

from dataclasses import dataclass


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
