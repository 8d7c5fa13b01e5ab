"""Lines about dates and numbers: how the values of a column are read, and what decided that."""

from __future__ import annotations

from collections.abc import Iterable

from pgsluice.model import ColumnFormat
from pgsluice.report.parts import Line, Part, clean
from pgsluice.text import pluralize

_SHOWN = 3
"""Files with one order and one column that are named."""

_WORDS = {"DMY": "day first", "MDY": "month first", "YMD": "year first"}


_SIGNS = {",": "comma", ".": "point", " ": "blank", "'": "apostrophe"}


def date_order_parts(files: Iterable[tuple[str, str, tuple[ColumnFormat, ...]]], most: int | None = None) -> list[Part]:
    """A line for each column whose dates were read in an order, or whose numbers with signs, that no option named.

    :param files: table, path and formats of each file.
    :param most: how many columns to name; None names all.
    """
    found: dict[str, list[str]] = {}
    for table, path, formats in files:
        for format_ in formats:
            if (format_.date or format_.decimal or format_.thousands) and format_.why:
                column = clean(f"{table}.{format_.column}")
                found.setdefault(_words(column, format_), []).append(f"{clean(path)}: {clean(format_.why)}")
    lines: list[Part] = []
    for words, reasons in found.items():
        rest = len(reasons) - _SHOWN
        more = f", and {pluralize(rest, 'more file')}" if rest > 0 else ""
        lines.append(Line(f"{words} in {'; '.join(reasons[:_SHOWN])}{more}."))
    if most is not None and len(lines) > most:
        others = pluralize(len(lines) - most, "more column")
        return [
            *lines[:most],
            Line(f"and in {others} with dates or numbers; pgsluice plan and --json name them all.", "dim"),
        ]
    return lines


def _words(column: str, format_: ColumnFormat) -> str:
    if format_.date:
        return f"Dates of {column}: {_WORDS[format_.date]} ({format_.date})"
    between = f", {_SIGNS[format_.thousands]}s between groups of digits" if format_.thousands else ""
    return f"Numbers of {column}: decimal {_SIGNS[format_.decimal or '.']}{between}"
