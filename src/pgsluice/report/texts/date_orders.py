"""Lines about dates: in which order the numeric dates of a column are read, and what decided that."""

from __future__ import annotations

from collections.abc import Iterable

from pgsluice.model import ColumnFormat
from pgsluice.report.parts import Line, Part, clean
from pgsluice.text import pluralize

_SHOWN = 3
"""Files with one order and one column that are named."""

_WORDS = {"DMY": "day first", "MDY": "month first", "YMD": "year first"}


def date_order_parts(files: Iterable[tuple[str, str, tuple[ColumnFormat, ...]]], most: int | None = None) -> list[Part]:
    """A line for each column whose dates were read in an order that no option named.

    :param files: table, path and formats of each file.
    :param most: how many columns to name; None names all.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for table, path, formats in files:
        for format_ in formats:
            if format_.date and format_.why:
                column = f"{table}.{format_.column}"
                found.setdefault((column, format_.date), []).append(f"{clean(path)}: {clean(format_.why)}")
    lines: list[Part] = []
    for (column, order), reasons in found.items():
        rest = len(reasons) - _SHOWN
        more = f", and {pluralize(rest, 'more file')}" if rest > 0 else ""
        lines.append(
            Line(f"Dates of {clean(column)}: {_WORDS[order]} ({order}) in {'; '.join(reasons[:_SHOWN])}{more}.")
        )
    if most is not None and len(lines) > most:
        others = pluralize(len(lines) - most, "more column")
        return [*lines[:most], Line(f"and in {others} with dates; pgsluice plan and --json name them all.", "dim")]
    return lines
