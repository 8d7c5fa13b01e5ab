"""Compares the keys that were found with those that are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath

from bench.init.generate import Keys, References
from bench.init.sets import Set
from pgsluice.model import Certainty, InferredSchema, InferredTable
from pgsluice.source.places.names import bare_name


@dataclass
class Counts:
    """How many keys are right, were found and are there."""

    right: int = 0
    found: int = 0
    known: int = 0

    def add(self, other: Counts) -> None:
        self.right += other.right
        self.found += other.found
        self.known += other.known

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.known if self.known else 1.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass
class Score:
    """The counts of a set: keys of the classes certain and likely together, and certain ones alone."""

    primary: Counts = field(default_factory=Counts)
    foreign: Counts = field(default_factory=Counts)
    certain_foreign: Counts = field(default_factory=Counts)
    wrong: list[str] = field(default_factory=list)
    """What differs, in words."""


def score(known: Set, found: InferredSchema) -> Score:
    """The score of a set."""
    result = Score()
    keys = _keys(found)
    references = _references(found, certain=False)
    mine, theirs = set(keys.items()), set(known.keys.items())
    same = {(t, frozenset(k)) for t, k in mine} & {(t, frozenset(k)) for t, k in theirs}
    result.primary = Counts(len(same), len(mine), len(theirs))
    expected = {_sorted(r) for r in known.references}
    result.foreign = _counts(references, expected)
    result.certain_foreign = _counts(_references(found, certain=True), expected)
    for table in sorted(known.keys.keys() | keys.keys()):
        if frozenset(keys.get(table, ())) != frozenset(known.keys.get(table, ())):
            is_, was = keys.get(table, ("none",)), known.keys.get(table, ("none",))
            result.wrong.append(f"{table}: primary key ({', '.join(is_)}), known is ({', '.join(was)})")
    for reference in sorted(references - expected):
        result.wrong.append(f"{_shown(reference)}: found, not known")
    for reference in sorted(expected - references):
        result.wrong.append(f"{_shown(reference)}: known, not found")
    return result


def _counts(found: References, known: References) -> Counts:
    return Counts(len(found & known), len(found), len(known))


def _table(table: InferredTable) -> str:
    return bare_name(PurePath(table.files[0]).name.rpartition("!")[2])


def _keys(found: InferredSchema) -> Keys:
    return {
        _table(t): tuple(_field(t, c) for c in t.primary_key.columns) for t in found.tables if t.primary_key is not None
    }


def _field(table: InferredTable, column: str) -> str:
    return next(c.field for c in table.columns if c.name == column)


def _references(found: InferredSchema, *, certain: bool) -> References:
    by_name = {t.name: t for t in found.tables}
    references: References = set()
    for table in found.tables:
        for key in table.foreign_keys:
            parent = by_name[key.references]
            if not certain or key.certainty == Certainty.CERTAIN:
                columns = tuple(_field(table, c) for c in key.columns)
                parents = tuple(_field(parent, c) for c in key.referenced_columns)
                references.add(_sorted((_table(table), columns, _table(parent), parents)))
    return references


def _sorted(
    reference: tuple[str, tuple[str, ...], str, tuple[str, ...]],
) -> tuple[str, tuple[str, ...], str, tuple[str, ...]]:
    """The reference with its columns in a fixed order."""
    pairs = sorted(zip(reference[1], reference[3], strict=True))
    return reference[0], tuple(c for c, _ in pairs), reference[2], tuple(p for _, p in pairs)


def _shown(reference: tuple[str, tuple[str, ...], str, tuple[str, ...]]) -> str:
    return f"{reference[0]} ({', '.join(reference[1])}) references {reference[2]} ({', '.join(reference[3])})"
