"""The keys and foreign keys of all tables: one choice out of what names and values allow."""

from __future__ import annotations

from collections.abc import Sequence

from pgsluice.inference.draft import DraftColumn, DraftReference, DraftTable
from pgsluice.inference.keys.composite import composite_references
from pgsluice.inference.keys.distinct import count_distinct, orphans
from pgsluice.inference.keys.primary import choose_primary_key, choose_unique_keys
from pgsluice.inference.keys.references import LEAST_SCORE, Naming, naming_of, possible_references
from pgsluice.inference.reading.store import Store
from pgsluice.model import Certainty, Listener, Phase, Progress

_CERTAIN = 0.68
_SHOWN = 3


def choose_keys(store: Store, tables: Sequence[DraftTable], listen: Listener, *, likely: bool) -> None:
    """Finds the keys and foreign keys of all tables.

    :param likely: references without orphans are certain, though their evidence is weak.
    """
    for table in tables:
        listen(Progress(Phase.INFER, table.name, "distinct values"))
        count_distinct(store, table)
    naming = naming_of(tables)
    listen(Progress(Phase.INFER, "", "foreign keys"))
    possible = list(possible_references(store, tables, naming))
    chosen = _one_for_each(possible, naming)
    listen(Progress(Phase.INFER, "", "primary keys"))
    for table in tables:
        choose_primary_key(store, table, naming, _by_parent(chosen), _by_child(chosen))
    chosen = [r for r in _one_for_each(_plausible(possible), naming) if r.score >= LEAST_SCORE]
    chosen = _without_derived(chosen)
    chosen += composite_references(store, tables, naming, chosen)
    referenced = {parent for r in chosen for parent in r.parents if len(r.parents) == 1}
    for table in tables:
        choose_unique_keys(table, naming, [c for c in table.columns if c in referenced])
    for reference in chosen:
        _judge(store, reference, likely=likely)
        reference.table.references.append(reference)
    _settle_types(chosen)


def _by_parent(references: Sequence[DraftReference]) -> dict[DraftColumn, list[DraftReference]]:
    found: dict[DraftColumn, list[DraftReference]] = {}
    for reference in references:
        found.setdefault(reference.parents[0], []).append(reference)
    return found


def _by_child(references: Sequence[DraftReference]) -> dict[DraftColumn, list[DraftReference]]:
    found: dict[DraftColumn, list[DraftReference]] = {}
    for reference in references:
        found.setdefault(reference.columns[0], []).append(reference)
    return found


def _one_for_each(possible: Sequence[DraftReference], naming: Naming) -> list[DraftReference]:
    """The best reference of each column, such that no two columns reference each other."""
    left = sorted(possible, key=lambda r: (-r.score, -naming.own(r.parents[0]), r.parent.number))
    chosen: dict[DraftColumn, DraftReference] = {}
    for reference in left:
        child, parent = reference.columns[0], reference.parents[0]
        if child in chosen or _leads_to(parent, child, chosen):
            continue
        if _is_turned(reference, left, naming):
            continue
        chosen[child] = reference
    return list(chosen.values())


def _leads_to(start: DraftColumn, goal: DraftColumn, chosen: dict[DraftColumn, DraftReference]) -> bool:
    """Whether the references of a column lead to another column, which must not reference it in turn."""
    at, steps = start, 0
    while at in chosen and steps < 50:
        at, steps = chosen[at].parents[0], steps + 1
        if at is goal:
            return True
    return False


def _is_turned(reference: DraftReference, every: Sequence[DraftReference], naming: Naming) -> bool:
    """Whether the opposite direction is the better: the parent is the column that its own table is named for."""
    child, parent = reference.columns[0], reference.parents[0]
    opposite = next((r for r in every if r.columns[0] is parent and r.parents[0] is child), None)
    if opposite is None:
        return False
    mine, theirs = naming.own(parent), naming.own(child)
    if mine != theirs:
        return mine < theirs
    if reference.coverage != opposite.coverage:
        return reference.coverage < opposite.coverage
    return parent.table.rows < child.table.rows and not opposite.orphans


def _plausible(possible: Sequence[DraftReference]) -> list[DraftReference]:
    """The references whose parent is a primary key, and others with strong evidence that have no such rival."""
    keys = {
        t.primary_key.columns[0] for r in possible if (t := r.parent).primary_key and len(t.primary_key.columns) == 1
    }
    found = []
    for reference in possible:
        parent = reference.parents[0]
        if parent in keys:
            reference.score += 0.08
        elif reference.parent.primary_key is not None and reference.name_score < 0.6 and parent.phrases:
            continue
        found.append(reference)
    return found


def _without_derived(chosen: Sequence[DraftReference]) -> list[DraftReference]:
    """The references without those to a further unique column of a table that the child table references already: the
    name of a customer beside its number."""
    found = []
    for reference in chosen:
        key = reference.parent.primary_key
        beside = any(
            other is not reference
            and other.table is reference.table
            and other.parent is reference.parent
            and key is not None
            and other.parents == key.columns
            for other in chosen
        )
        if beside and key is not None and reference.parents != key.columns and reference.name_score < 0.9:
            continue
        found.append(reference)
    return found


def _judge(store: Store, reference: DraftReference, *, likely: bool) -> None:
    """Says how sure a reference is, with its evidence."""
    key = reference.parent.primary_key
    enforceable = all(p.unique or (key is not None and reference.parents == key.columns) for p in reference.parents)
    if key is not None and reference.parents == key.columns and key.certainty is not Certainty.CERTAIN:
        enforceable = False
    sound = not reference.orphans and enforceable
    seen = all(c.filled for c in reference.columns)
    if sound and ((reference.score >= _CERTAIN and seen) or likely):
        reference.certainty = Certainty.CERTAIN
    distinct = max(c.distinct for c in reference.columns)
    parts = [f"name {reference.name_score:.2f}"]
    if not seen:
        parts.append("by the name; there are no values")
    elif reference.orphans:
        parts.append(f"{reference.coverage:.2%} of the distinct values are there, {reference.orphans:,} are not")
        found = orphans(store, reference.columns, reference.parents, _SHOWN)
        reference.places = store.places(reference.table, found)
    else:
        parts.append(f"all {distinct:,} distinct values are there")
    if not enforceable:
        parts.append("the parent column is not unique")
    reference.evidence = ", ".join(parts)


def _settle_types(chosen: Sequence[DraftReference]) -> None:
    """Gives child and parent columns one type: a code that looks like a number in one of them is text in both."""
    pairs = [(c, p) for r in chosen for c, p in zip(r.columns, r.parents, strict=True)]
    changed = True
    while changed:
        changed = False
        for child, parent in pairs:
            if child.kind != parent.kind and {child.kind, parent.kind} == {"integer", "text"}:
                number = child if child.kind == "integer" else parent
                number.kind, number.type_sql, number.format, number.empty_as_null = "text", "text", None, False
                number.evidence += "; text as the column that it belongs to"
                changed = True
            elif child.type_sql != parent.type_sql and child.kind == "integer":
                child.type_sql = parent.type_sql = "bigint"
                changed = True
