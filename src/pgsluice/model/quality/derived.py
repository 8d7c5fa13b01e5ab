"""Derived tables: what the user's queries make of the loaded tables."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pgsluice.model.catalog import TableName


class Materialization(enum.StrEnum):
    """How a derived table is stored."""

    VIEW = "view"
    TABLE = "table"
    MATVIEW = "matview"


@dataclass(frozen=True, slots=True)
class DerivedIndex:
    """An index of a derived table."""

    columns: str
    """The columns or expressions, as SQL between parentheses."""
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """One query and how its result is stored."""

    name: TableName
    materialization: Materialization
    query: str
    """One SELECT, without a final semicolon."""
    indexes: tuple[DerivedIndex, ...] = ()
    description: str = ""
    source: str = ""
    """The file of the definition."""
    sha256: str = ""
    """SHA-256, in hexadecimal, of what makes the table: materialization, query and indexes."""
    incremental_by: tuple[str, ...] = ()
    """The columns that tell groups apart which need not be computed again; () if the whole query always is."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell the rows of a table apart: those of its first unique index; () if there is none."""
        unique = next((i for i in self.indexes if i.unique), None)
        return tuple(c.strip().strip('"') for c in unique.columns.split(",")) if unique else ()


class DerivedAction(enum.StrEnum):
    """What a run did with a derived table."""

    CREATED = "created"
    REBUILT = "rebuilt"
    """Its definition has changed."""
    REFRESHED = "refreshed"
    """The whole query was computed again."""
    UPDATED = "updated"
    """Only the groups that the run has touched were computed again."""
    KEPT = "kept"
    """Nothing that it reads has changed."""


@dataclass(frozen=True, slots=True)
class DerivedResult:
    """What a run, or ``pgsluice derive``, did with one derived table."""

    name: str
    """The derived table."""
    materialization: str
    """One of :class:`Materialization`."""
    action: str
    """One of :class:`DerivedAction`."""
    rows: int
    """Rows that the table holds now; 0 for a view, which is not counted."""
    changed: int
    """Rows inserted, updated and deleted."""
    seconds: float
    """How long it took."""
    sha256: str
    """The definition that made it."""
    reads: tuple[str, ...] = ()
    """The tables that it reads, through views and other derived tables as well."""
    note: str = ""
    """Of an incremental derived table: how many groups were computed, or why all of them were."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the ledger knows of how a derived table was made last."""

    sha256: str
    """The definition that made it."""
    rows: int
    stamp: Mapping[str, Any] | None = None
    """The state of the tables that it reads at that moment; None if it is not incremental."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What a run did with derived tables."""

    results: tuple[DerivedResult, ...] = ()
    stamps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The stamps of incremental derived tables, by the names of their results."""
