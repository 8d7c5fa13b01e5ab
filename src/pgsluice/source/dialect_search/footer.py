"""Lines at the end of a file that are no rows: counts, totals, notes, delimiters alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pgsluice.source.dialect_search.expectations import Expectations, ExpectedColumn, TextClass
from pgsluice.source.dialect_search.layout import Layout
from pgsluice.source.dialect_search.readings import Reading
from pgsluice.source.dialect_search.sample import Sample

_LINES = 20
"""How many lines at the end are looked at."""

_COUNT = re.compile(
    r"\(?\s*(?:total|rows?|records?|count|anzahl|zeilen|summe)?\s*(?:of\s+)?[:=]?\s*[0-9][0-9.,' ]*\s*"
    r"(?:rows?|records?|lines?|zeilen|datensätze|results?|entries)(?:\s+(?:affected|selected|returned|in total|total"
    r"|in set.*))?\s*\)?\.?$",
    re.IGNORECASE,
)
"""A count of the rows, as psql, sqlcmd and other clients write it below them."""

TOTAL = re.compile(r"(?:grand |sub)?total\b|summe\b|gesamt|sum\b|somme\b|totale\b|suma\b|insgesamt", re.IGNORECASE)
"""How a total of the rows begins."""


class Footer(NamedTuple):
    """The lines at the end that are no rows, or that look so."""

    lines: tuple[str, ...]
    """The lines that are not blank; () if there is no footer."""
    sure: bool


def footer(sample: Sample, layout: Layout, expected: Expectations | None) -> Footer:
    """The lines at the end of a file that are no rows for certain, or that may be none.

    Certain are lines that PostgreSQL could not take for rows and that no broken record looks like: a count of the
    rows; a text alone, or a total, where the first column has another type; delimiters alone, where a column is
    required; lines with fewer fields behind a blank line.
    """
    width, reading = layout.scored.width, layout.scored.reading
    if width < 2 or len(sample.tail) < 2 or layout.scored.share < 0.9:
        return Footer((), False)
    columns = _columns(layout, expected)
    found: list[str] = []
    for line in reversed(sample.tail[-_LINES:]):
        if not line.strip():
            continue
        fields = _fields(line, reading)
        if fields is None or _is_row(fields, width, columns):
            break
        found.append(line)
    if not found or len(found) >= _LINES:
        return Footer((), False)
    block = tuple(reversed(found))
    separate = _behind_blank_line(sample.tail, len(block))
    sure = all(_is_sure(line, reading, width, columns, separate) for line in block)
    # A row that lacks some fields is rather a broken row.
    return Footer(block, sure) if sure or all(_is_odd(line, reading) for line in block) else Footer((), False)


def _is_odd(line: str, reading: Reading) -> bool:
    """Whether a line holds delimiters alone, or one text."""
    fields = [field for field in _fields(line, reading) or [] if field.strip()]
    return not fields or (len(fields) == 1 and re.search(r"[^\W\d_]", fields[0]) is not None)


def _columns(layout: Layout, expected: Expectations | None) -> list[ExpectedColumn | None]:
    """The column of each field, as far as it is known."""
    if expected is None:
        return []
    if layout.header is not None:
        return [expected.column(name) if name else None for name in expected.columns_of(layout.fields)]
    return list(expected.loadable) if layout.data else []


def _fields(line: str, reading: Reading) -> list[str] | None:
    """The fields of a line; None if it may be a part of a quoted field."""
    if reading.quote and reading.quote in line:
        return None
    divided = reading.divide([line])
    return divided[0].fields if len(divided) == 1 and not divided[0].fault else None


def _is_row(fields: Sequence[str], width: int, columns: Sequence[ExpectedColumn | None]) -> bool:
    """Whether a line with these fields may be a row."""
    return len(fields) == width and any(fields) and not _is_total(fields, columns)


def _is_total(fields: Sequence[str], columns: Sequence[ExpectedColumn | None]) -> bool:
    """Whether the first text of a line is the word for a total, in a column that cannot hold it."""
    place = next((i for i, field in enumerate(fields) if field.strip()), None)
    if place is None or not TOTAL.match(fields[place].strip()):
        return False
    column = columns[place] if place < len(columns) else None
    return column is not None and not column.can_hold(fields[place])


def _is_sure(line: str, reading: Reading, width: int, columns: Sequence[ExpectedColumn | None], separate: bool) -> bool:
    """Whether a line at the end is no row for certain.

    :param separate: a blank line stands between the rows and this line.
    """
    fields = _fields(line, reading) or []
    if not any(fields):
        return any(column is not None and column.required for column in columns)
    if len(fields) == width:
        return _is_total(fields, columns)
    text = next(field for field in fields if field).strip()
    alone = sum(1 for field in fields if field.strip()) == 1 and bool(fields[0].strip())
    if alone and _COUNT.match(text):
        return True
    first = columns[0] if columns else None
    typed = first is not None and (first.kind is not TextClass.TEXT or bool(first.labels))
    if alone and typed and first is not None and re.search(r"[^\W\d_]{2}", text):
        return not first.can_hold(text)
    return separate and len(fields) < width


def _behind_blank_line(lines: Sequence[str], count: int) -> bool:
    """Whether a blank line stands above the last so many lines that are not blank."""
    for line in reversed(lines):
        if line.strip():
            if count == 0:
                return False
            count -= 1
        elif count == 0:
            return True
    return False


def doubt(found: Footer) -> str:
    """The warning about lines that may be no rows, with the option that passes over them."""
    shown, count = found.lines[0].strip(), len(found.lines)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    begin = "the last line looks like no row" if count == 1 else f"the last {count} lines look like no rows"
    return f"{begin}: {shown}" + (f"; if so, use --skip-footer {count}")


def total_row(sample: Sample, layout: Layout) -> str:
    """The last line, if it is divided as the rows are and begins with the word for a total; otherwise ''."""
    last = next((line for line in reversed(sample.tail) if line.strip()), "")
    fields = _fields(last, layout.scored.reading) or []
    first = next((field for field in fields if field.strip()), "")
    return last if len(fields) == layout.scored.width > 1 and TOTAL.match(first.strip()) else ""
