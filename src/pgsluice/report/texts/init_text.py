"""Text of an inferred schema: what is certain, what is likely, and what is open."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from pgsluice.model import Certainty, InferredKey, InferredSchema, InferredTable, RowPlace, SchemaDiff
from pgsluice.report.parts import Grid, Line, Part, clean, number
from pgsluice.text import pluralize


def init_parts(found: InferredSchema, schema: str, settings: str) -> list[Part]:
    """The summary of ``init``.

    :param schema: the path of ``schema.sql``.
    :param settings: the path of ``pgsluice.toml``.
    """
    rows = sum(t.rows for t in found.tables)
    parts: list[Part] = [Line(f"{pluralize(len(found.tables), 'table')}, {pluralize(rows, 'row')}.", "bold"), Line()]
    cells = tuple(
        (clean(t.name), number(t.rows), number(len(t.columns)), _key(t.primary_key), _references(t))
        for t in found.tables
    )
    columns = ("table", "rows", "columns", "primary key", "foreign keys to")
    parts.append(Grid(columns, cells, right=frozenset({1, 2}), wrap=True))
    for heading, lines in (
        ("Likely, as comments in the schema:", [line for t in found.tables for line in _likely(t)]),
        ("Questions (the columns are text until they are answered):", list(_questions(found))),
        ("Look at:", [f"  {clean(warning)}" for warning in found.warnings]),
    ):
        if lines:
            parts += [Line(), Line(heading, "bold"), *(Line(line) for line in lines)]
    command = "pgsluice load"
    if os.path.dirname(settings):
        command += f" --config {shlex.quote(settings)}"
    parts += [Line(), Line(f"Written: {clean(schema)}, {clean(settings)}. Load the files: {clean(command)}")]
    return parts


def _key(key: InferredKey | None) -> str:
    if key is None or key.certainty != Certainty.CERTAIN:
        return "-"
    return clean(", ".join(key.columns))


def _references(table: InferredTable) -> str:
    names = [f.references for f in table.foreign_keys if f.certainty == Certainty.CERTAIN]
    return clean(", ".join(dict.fromkeys(names))) or "-"


def _likely(table: InferredTable) -> Iterator[str]:
    name = clean(table.name)
    key = table.primary_key
    if key is not None and key.certainty == Certainty.LIKELY:
        yield f"  {name} ({clean(', '.join(key.columns))}) is the primary key: {clean(key.evidence)}"
        yield from _places(key.duplicates)
    for reference in table.foreign_keys:
        if reference.certainty == Certainty.LIKELY:
            columns = clean(", ".join(reference.columns))
            yield f"  {name} ({columns}) references {clean(reference.references)}: {clean(reference.evidence)}"
            yield from _places(reference.places)


def _places(places: tuple[RowPlace, ...]) -> Iterator[str]:
    yield from (f"    {clean(place.file)}:{place.line} has {clean(place.value)}" for place in places)


def diff_parts(found: SchemaDiff) -> list[Part]:
    """What existing tables need for files: the statements can be copied, because the rest are comments of SQL."""
    parts: list[Part] = []
    for needed, heading in ((True, "-- The files need:"), (False, "-- The files suggest:")):
        mine = [p for p in found.proposals if p.needed is needed]
        if mine:
            parts += [Line(heading, "bold")]
        for proposal in mine:
            parts.append(Line(f"-- {clean(proposal.table)}: {clean(proposal.why)}"))
            parts += [Line(clean(line)) for line in proposal.sql.splitlines()]
    if found.same:
        parts.append(Line(f"-- No change: {clean(', '.join(found.same))}"))
    for question in found.questions:
        parts.append(Line(f"-- question: {clean(question.table)}.{clean(question.column)}: {clean(question.text)}"))
        parts.append(Line(f"--   pgsluice init again with {clean(' or '.join(question.answers))}"))
    return parts


def _questions(found: InferredSchema) -> Iterator[str]:
    for question in found.questions:
        yield f"  {clean(question.table)}.{clean(question.column)}: {clean(question.text)}"
        likely = f" (likely: {clean(question.likely)})" if question.likely else ""
        yield f"    pgsluice init again with {clean(' or '.join(question.answers))}{likely}"
