"""Layout: which record is the header, and which lines stand above and below the rows, under one reading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pgsluice.source.dialect_search.expectations import Expectations, TextClass, is_absent
from pgsluice.source.dialect_search.readings import Divided
from pgsluice.source.dialect_search.scoring import Scored
from pgsluice.source.records.rules import MAX_FIELDS

_HEADER_WITHIN = 40
"""Among how many records the header is looked for."""

_TELLING = re.compile(
    r"[-+]?[0-9]*[.,][0-9]+$|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}|[0-9]{1,2}:[0-9]{2}"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$|\{.*\}$|\[.*\]$"
)
"""A number with decimals, a date, a time, a UUID, a nested value: what no column is called."""

_WHOLE = re.compile(r"[-+]?[0-9]+$")

_YEAR = re.compile(r"(?:1[89]|20|21)[0-9]{2}$")


@dataclass(slots=True)
class Layout:
    """What stands where in a file, under one reading."""

    scored: Scored
    header: int | None = None
    """The place of the header among the records of the head; None if no record names columns."""
    fields: tuple[str, ...] = ()
    """The fields of the header, otherwise of the first record."""
    matched: int = 0
    """How many fields of the header name a column, or are left out by the user's word."""
    named: int = 0
    """How many fields of the header have a name."""
    complete: bool = False
    """Every field with a name matches a column, and every required column has a field."""
    fit: float = 1.0
    """The share of the cells of typed columns that can be values of their columns."""
    typed: int = 0
    """How many cells of typed columns were compared."""
    data: bool = False
    """There is no header for certain: the first record holds values, a field for each column."""
    trailing: int = 0
    """How many delimiters at the end of the records open no field."""
    evidence: list[str] = field(default_factory=list)

    @property
    def header_line(self) -> int:
        """The physical line of the header, from 1; 0 if there is none."""
        return 0 if self.header is None else self.scored.head[self.header].line + 1

    @property
    def trailing_names(self) -> int:
        """How many delimiters at the end of the header open no field."""
        return self.trailing if len(self.fields) == self.scored.width else 0

    @property
    def value(self) -> float:
        """How good reading and layout are together."""
        base = self.scored.score * (0.2 + 0.8 * self.fit)
        if self.scored.reading.text:
            # Nothing but COPY writes \\N and no other backslash than those of its escapes.
            base = base + 0.5 if self.data else base / 2
        if self.header is not None and self.matched:
            base += self.matched / max(1, self.named) * (1 + (1 if self.complete else 0)) + 0.05 * self.matched
        elif self.data:
            base += 0.5
        return base


def lay_out(found: Scored, expected: Expectations | None, header: bool | None = None) -> Layout:
    """The layout under a reading.

    :param expected: what is known of the table; None if nothing is.
    :param header: what the user says of a header; None if that is to be found out.
    """
    layout = Layout(found)
    head = found.head
    if not head or found.width > MAX_FIELDS:
        return layout
    layout.trailing = _trailing(found, expected)
    first = head[found.first] if found.first < len(head) else head[0]
    layout.fields = tuple(first.fields)
    if expected is None:
        layout.header = min(found.first, len(head) - 1)
        return layout
    columns: list[str | None] = _by_position(found.width - layout.trailing, expected)
    best = None if header is False else _best_header(found, expected)
    if best is not None and _is_header(best[1], best[2], best[3], expected):
        layout.header, layout.matched, layout.named, layout.complete = best
        layout.fields = tuple(head[best[0]].fields)
        columns = expected.columns_of(layout.fields)
    layout.fit, layout.typed = _fit(found, layout, columns, expected)
    if layout.header is None and header is not True:
        certain = found.first == 0 and is_data(found.alike[:50], columns, expected, layout.fit)
        # COPY writes a header in the text format on demand only.
        layout.data = certain or header is False or (found.reading.text and any(columns))
    return layout


def _by_position(width: int, expected: Expectations) -> list[str | None]:
    """The columns of fields that have no names: those of the table, if there is a field for each."""
    columns = expected.loadable
    return [c.name for c in columns] if width == len(columns) else [None] * max(0, width)


def _best_header(found: Scored, expected: Expectations) -> tuple[int, int, int, bool] | None:
    """The record that is most like a header: its place, and what :func:`_matching` says of it."""
    return max(
        (
            (place, *_matching(record, expected, found.width))
            for place, record in enumerate(found.head[:_HEADER_WITHIN])
            if not record.fault and len(record.fields) <= MAX_FIELDS
        ),
        key=lambda match: (match[3], match[1] / max(1, match[2]), match[1], -match[0]),
        default=None,
    )


def _matching(record: Divided, expected: Expectations, width: int) -> tuple[int, int, bool]:
    """How many fields of a record name columns, how many have a name, and whether these are the fields of a header."""
    fields = record.fields
    columns = expected.columns_of(fields)
    named = sum(1 for name in fields if name.strip())
    matched = sum(1 for name, column in zip(fields, columns, strict=True) if column is not None and name.strip())
    required = {c.name for c in expected.columns if c.required}
    complete = bool(matched) and matched == named and required <= {c for c in columns if c}
    # A title such as "Name" above a wide table is no header.
    return matched, named, complete and (width < 2 or len(fields) > 1 or len(expected.loadable) == 1)


def _is_header(matched: int, named: int, complete: bool, expected: Expectations) -> bool:
    """Whether fields of which so many name columns are a header, though other fields may have no column."""
    if complete and (matched > 1 or len(expected.loadable) == 1 or named == 1):
        return True
    return matched > 1 and 2 * matched >= named


def _trailing(found: Scored, expected: Expectations | None) -> int:
    """How many delimiters at the end of each record of the usual width open no field."""
    rows = found.alike
    if found.width < 2 or not rows:
        return 0
    most = min(_empty_at_end(r.fields) for r in rows)
    if not most:
        return 0
    if expected is not None and any(named == "" for named, _ in expected.aliases):
        # The user has said what the field without a name is.
        return 0
    header = rows[0].fields
    above = found.head[found.first - 1] if found.first else None
    short = found.width - len(above.fields) if above is not None else 0
    if 0 < short <= most and above is not None and (expected is None or any(expected.columns_of(above.fields))):
        # The header has no delimiter at its end.
        return short
    if expected is None:
        return most if len(rows) > 1 and all(header[:-most]) else 0
    if any(expected.columns_of(header[:-most])):
        return most
    spare = found.width - len(expected.loadable)
    return spare if 0 < spare <= most else 0


def _empty_at_end(fields: Sequence[str]) -> int:
    """How many fields at the end of a record are empty; the first field does not count."""
    return next((i for i, text in enumerate(reversed(fields[1:])) if text), len(fields) - 1)


def _fit(found: Scored, layout: Layout, columns: Sequence[str | None], expected: Expectations) -> tuple[float, int]:
    """The share of the cells of typed columns that their columns can hold, and the number of these cells."""
    typed = [
        (i, column)
        for i, name in enumerate(columns)
        if name and (column := expected.column(name)) is not None and column.kind is not TextClass.TEXT
    ]
    if not typed:
        return 1.0, 0
    skip = found.head[layout.header] if layout.header is not None else None
    cells = [
        column.can_hold(r.fields[i])
        for r in found.alike[:200]
        if r is not skip
        for i, column in typed
        if i < len(r.fields)
    ]
    return (sum(cells) / len(cells), len(cells)) if cells else (1.0, 0)


def is_data(rows: Sequence[Divided], columns: Sequence[str | None], expected: Expectations, fit: float) -> bool:
    """Whether the first record is data beyond doubt, though no field of it is a column's name.

    That is so if there is a field for each column, every field can be a value of its column, and a field of a typed
    column is what no column is called: a date, a number with decimals. Whole numbers can be names (years, places), so
    they tell only where the values below them go on counting and a text stands to their right.
    """
    if not rows or not any(columns) or fit < 0.9:
        return False
    fields = rows[0].fields
    pairs = [
        (i, f.strip(), c) for i, f in enumerate(fields[: len(columns)]) if (c := expected.column(columns[i] or ""))
    ]
    typed = [(i, text, c) for i, text, c in pairs if c.kind is not TextClass.TEXT and not is_absent(text)]
    if not typed or not all(c.can_hold(text) for _, text, c in typed):
        return False
    if any(_TELLING.match(text) for _, text, c in typed if c.kind is not TextClass.BOOLEAN):
        return True
    return any(
        _counts_on(i, rows, fields) for i, text, c in typed if c.kind is TextClass.INTEGER and _WHOLE.match(text)
    )


def _counts_on(place: int, rows: Sequence[Divided], fields: Sequence[str]) -> bool:
    """Whether a whole number of the first record is one of the ascending numbers of its column, left of a text."""
    if _YEAR.match(fields[place].strip()) or len(rows) < 2:
        return False
    if not any(re.search(r"[^\W\d_]", text) for text in fields[place + 1 :]):
        return False
    values = [int(text) for r in rows if place < len(r.fields) and _WHOLE.match(text := r.fields[place].strip())]
    return len(values) == len(rows) and all(a < b for a, b in pairwise(values))


UNIT = re.compile(r"\(.*\)|\[.*\]|<.*>|-+|=+", re.DOTALL)
"""What a field of units or of a ruled line looks like."""


def units_line(found: Scored, header: int) -> Divided | None:
    """The record below the header, if all its fields are in brackets, as units are."""
    if header + 1 >= len(found.head):
        return None
    record = found.head[header + 1]
    texts = [f.strip() for f in record.fields if f.strip()]
    return record if len(texts) > 1 and all(map(UNIT.fullmatch, texts)) else None
