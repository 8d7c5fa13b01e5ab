"""Foreign keys of several columns: to the primary keys of several columns."""

from __future__ import annotations

from collections.abc import Sequence

from pgsluice.inference.draft import DraftColumn, DraftReference, DraftTable
from pgsluice.inference.keys.distinct import comparable, coverage, may_be_key
from pgsluice.inference.keys.references import LEAST_COVERAGE, Naming
from pgsluice.inference.reading.store import Store


def composite_references(
    store: Store, tables: Sequence[DraftTable], naming: Naming, single: Sequence[DraftReference]
) -> list[DraftReference]:
    """The references to primary keys of several columns.

    :param single: the chosen references of single columns: a column of the child table and a column of the key that
        reference the same table fit each other.
    """
    goal = {reference.columns[0]: reference.parents[0] for reference in single}
    found = []
    for parent in tables:
        key = parent.primary_key.columns if parent.primary_key is not None else ()
        if len(key) < 2 or not parent.rows:
            continue
        for child in tables:
            if child is not parent and (columns := _fitting(child, key, naming, goal)) is not None:
                values, hits = coverage(store, columns, key)
                if values and hits / values >= LEAST_COVERAGE:
                    fit = min(_fit(c, k, naming, goal) for c, k in zip(columns, key, strict=True))
                    score = fit - 2 * (1 - hits / values)
                    found.append(DraftReference(columns, key, fit, score, hits / values, values - hits))
    return found


def _fitting(
    child: DraftTable, key: Sequence[DraftColumn], naming: Naming, goal: dict[DraftColumn, DraftColumn]
) -> tuple[DraftColumn, ...] | None:
    """The column of the child table for each column of the key; None if one has none."""
    found: list[DraftColumn] = []
    for part in key:
        scored = [
            (_fit(column, part, naming, goal), -column.number, column)
            for column in child.columns
            if column not in found and may_be_key(column) and column.filled and comparable(column, part)
        ]
        best = max(scored, key=lambda s: s[:2], default=None)
        if best is None or best[0] < 0.8:
            return None
        found.append(best[2])
    return tuple(found)


def _fit(column: DraftColumn, part: DraftColumn, naming: Naming, goal: dict[DraftColumn, DraftColumn]) -> float:
    shared = column in goal and (goal[column] is goal.get(part) or goal[column] is part)
    # The columns of the key are called alike in both tables, or mean the same table.
    return max(0.95 if shared else 0.0, _alike(column, part, naming))


def _alike(column: DraftColumn, part: DraftColumn, naming: Naming) -> float:
    from pgsluice.inference.keys.naming import words_of

    prefixes = naming.prefixes[column.table.number], naming.prefixes[part.table.number]
    mine, theirs = (
        words[1:] if prefix and words[:1] == (prefix,) else words
        for words, prefix in zip((words_of(column.field), words_of(part.field)), prefixes, strict=True)
    )
    return 0.9 if mine == theirs else 0.0
