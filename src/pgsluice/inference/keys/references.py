"""Which columns may reference which: pairs whose names and values fit, with a score.

Inclusion alone is no evidence: a column of small integers is included in every key that counts from 1. So small
integers and short codes need names that fit, while long strings and sparse numbers speak for themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pgsluice.inference.draft import DraftColumn, DraftReference, DraftTable
from pgsluice.inference.keys.distinct import comparable, coverage, may_be_key
from pgsluice.inference.keys.naming import (
    common_prefix,
    is_generic,
    own_fit,
    reference_fit,
    refers_to_self,
    says_key,
    says_measure,
)
from pgsluice.inference.reading.store import Store

LEAST_COVERAGE = 0.97
"""The share of distinct values that a parent table must have: real files have orphans."""

LEAST_SCORE = 0.62
_LEAST_NAME = 0.42
_SELF = 0.8
_NEARLY_UNIQUE = 0.97


@dataclass(frozen=True, slots=True)
class Naming:
    """What the names of all tables say."""

    prefixes: dict[int, str]
    """The word that all columns of a table begin with, by the number of the table."""

    def own(self, column: DraftColumn) -> float:
        """How well a column fits the key of its own table."""
        return own_fit(column.field, column.table.name, self.prefixes[column.table.number])

    def reference(self, child: DraftColumn, parent: DraftColumn) -> float:
        """How well a column fits the key of another table."""
        prefixes = self.prefixes[child.table.number], self.prefixes[parent.table.number]
        return reference_fit(child.field, parent.table.name, parent.field, child.table.name, prefixes)


def naming_of(tables: Sequence[DraftTable]) -> Naming:
    """The names of the tables."""
    return Naming({t.number: common_prefix([c.field for c in t.columns]) for t in tables})


def targets(table: DraftTable, naming: Naming) -> list[DraftColumn]:
    """The columns that others may reference: unique columns, and a key by its name that a few rows break."""
    found = []
    for column in table.columns:
        if not may_be_key(column) or column.kind in ("date", "timestamp"):
            continue
        nearly = column.exact and column.filled and column.distinct >= _NEARLY_UNIQUE * column.filled
        by_name = naming.own(column) >= 0.8
        if (column.unique and not column.missing) or (nearly and by_name) or (not table.rows and by_name):
            found.append(column)
    return found


def possible_references(store: Store, tables: Sequence[DraftTable], naming: Naming) -> Iterator[DraftReference]:
    """All pairs of columns whose names and values fit."""
    parents = [column for table in tables for column in targets(table, naming)]
    for table in tables:
        for child in table.columns:
            if may_be_key(child) and child.kind not in ("date", "timestamp"):
                yield from _of_column(store, child, parents, naming)


def _of_column(
    store: Store, child: DraftColumn, parents: Sequence[DraftColumn], naming: Naming
) -> Iterator[DraftReference]:
    for parent in parents:
        if child is parent or not comparable(child, parent):
            continue
        name = _name_score(child, parent, naming)
        strength = _strength(child, parent)
        if max(name, strength) < _LEAST_NAME or _cannot(child, parent, name):
            continue
        if not child.filled:
            if name >= 0.9:
                yield DraftReference((child,), (parent,), name, 0.7, 1.0, 0)
            continue
        if not parent.table.rows:
            continue
        values, found = coverage(store, (child,), (parent,))
        share = found / values
        if share < LEAST_COVERAGE and not (name >= 0.8 and (share >= 0.9 or values - found <= 1) and found):
            continue
        score = max(name, strength) + 0.1 * min(name, strength) - 2 * (1 - max(share, 0.95))
        score -= 0.15 * (1 - naming.own(parent))
        if score >= LEAST_SCORE - 0.2:
            yield DraftReference((child,), (parent,), name, score, share, values - found)


def _name_score(child: DraftColumn, parent: DraftColumn, naming: Naming) -> float:
    if child.table is not parent.table:
        # The key of a table refers to its own rows.
        return 0.0 if child.unique and naming.own(child) >= 0.9 else naming.reference(child, parent)
    if child.unique and naming.own(child) >= 0.8:
        return 0.0
    if refers_to_self(child.field):
        return _SELF
    fit = naming.reference(child, parent)
    return fit if fit < 1.0 and says_key(child.field) and naming.own(parent) >= 0.8 else 0.0


def _cannot(child: DraftColumn, parent: DraftColumn, name: float) -> bool:
    """Whether a pair needs no look at the values."""
    if child.kind == "integer" and says_measure(child.field) and name < 0.9:
        return True
    if {child.kind, parent.kind} == {"integer", "text"} and name < 0.8:
        return True
    if child.kind != "integer" and is_generic(child.field) and name < 0.8:
        return True
    if not child.filled or not parent.filled:
        return False
    if child.distinct * 0.85 - 5 > parent.distinct:
        return True
    bounds = child.least, child.greatest, parent.least, parent.greatest
    if None in bounds or not child.kind == parent.kind == "integer":
        return False
    least, greatest, first, last = (bound or 0 for bound in bounds)
    return greatest < first or least > last


def _strength(child: DraftColumn, parent: DraftColumn) -> float:
    """How much an inclusion proves by its values alone, from 0 to 1."""
    if child.distinct < 3 or child.kind != parent.kind:
        return 0.0
    if child.kind == "uuid":
        return 0.85
    if child.kind == "text":
        if child.phrases or parent.phrases or child.mean_length < 6:
            return 0.0
        return 0.8 if child.mean_length >= 12 and child.distinct >= 10 else 0.5
    if child.kind == "integer" and parent.least is not None and parent.greatest is not None:
        width = parent.greatest - parent.least + 1
        if child.distinct >= 10 and parent.distinct / width < 0.2 and says_key(child.field):
            return 0.75
        if child.distinct >= 10 and parent.least >= 1000 and says_key(child.field):
            return 0.65
    return 0.0
