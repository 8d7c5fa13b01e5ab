"""Paragraphs and grids, and the two ways to write them: with rich on a terminal, plainly elsewhere.

Reports are built as values (:class:`Line`, :class:`Grid`) and written by :func:`write`. Rich is imported
only for a terminal: a run whose output goes to a pipe does not pay for it.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; ``style`` is a rich style that plain text leaves out."""

    text: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. Columns whose index is in ``right`` hold numbers; ``total`` rows end it, set apart."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    total: tuple[str, ...] = ()
    title: str = ""
    wrap: bool = False
    """Long cells go on in the next line; otherwise a row is one line, cut at the terminal's edge."""


Part = Line | Grid


def number(value: int) -> str:
    return f"{value:,}"


def size(value: int) -> str:
    """Bytes for people, decimal units as disks have them."""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def seconds(value: float) -> str:
    if value < 60:
        return f"{value:.2f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def clean(text: str, limit: int = 0) -> str:
    """The text on one line and harmless: control characters, which files may hold, written as escapes.

    Without this a CSV field could move the cursor or rename the window of whoever reads its reject.
    """
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def write(parts: Iterable[Part], stream: TextIO | None = None) -> None:
    """Write a report to ``stream`` (standard output)."""
    stream = stream or sys.stdout
    if is_terminal(stream):
        _write_rich(parts, stream)
    else:
        for part in parts:
            stream.write(plain(part))
    stream.flush()


def height(part: Part) -> int:
    """Lines that the part takes on a terminal, if it does not wrap."""
    if isinstance(part, Line):
        return 1
    return bool(part.title) + 2 + len(part.rows) + (2 if part.total else 0)


def plain(part: Part) -> str:
    """The part as plain text, ending in a newline."""
    if isinstance(part, Line):
        return part.text + "\n"
    bodies: list[Sequence[str]] = [part.columns, *part.rows]
    if part.total:
        bodies.append(part.total)
    widths = [max(_width(row[i]) for row in bodies) for i in range(len(part.columns))]
    rule = "  ".join("-" * width for width in widths)
    lines = [_row(part.columns, widths, part.right), rule]
    lines += [_row(row, widths, part.right) for row in part.rows]
    if part.total:
        lines += [rule, _row(part.total, widths, part.right)]
    if part.title:
        lines.insert(0, part.title)
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    out = []
    for i, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        pad = " " * (width - _width(cell))
        out.append(pad + cell if i in right else cell + pad)
    return "  ".join(out).rstrip()


def _width(text: str) -> int:
    """Columns that the text takes: none for combining marks, two for wide East Asian characters."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _write_rich(parts: Iterable[Part], stream: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    for part in parts:
        if isinstance(part, Line):
            console.print(Text(part.text, style=part.style))
            continue
        table = Table(
            title=Text(part.title, style="bold") if part.title else None,
            title_justify="left",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
            show_edge=False,
            show_footer=bool(part.total),
        )
        for i, name in enumerate(part.columns):
            table.add_column(
                Text(name),
                footer=Text(part.total[i]) if part.total else "",
                justify="right" if i in part.right else "left",
                # Numbers keep their width; where the terminal is narrow the widest texts give way first.
                no_wrap=i in part.right,
                overflow="fold",
            )
        for row in part.rows:
            # Text, not str: rich would read square brackets in the data as markup.
            table.add_row(*(Text(cell) if part.wrap else Text(cell, no_wrap=True, overflow="ellipsis") for cell in row))
        console.print(table)
