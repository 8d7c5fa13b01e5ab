"""Lines and grids, and two functions that write them: with rich on a terminal, as plain text elsewhere.

A report is built as values (:class:`Line`, :class:`Grid`) and written by :func:`write`. Rich is imported only for a
terminal: its import would double the start-up time of a command whose output goes to a pipe.
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
    """One line of text. ``style`` is a style of rich; plain text has no styles."""

    text: str = ""
    style: str = ""
    lead: str = ""
    """What stands before the text. On a terminal the further lines of a long text begin below its first character."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A record of a file with carets below some parts of it, as compilers show source code.

    Of a long record a terminal shows the part around the first marks.
    """

    line: int
    """The line of the file."""
    pieces: tuple[tuple[str, bool], ...]
    """The record in pieces, without control characters, and whether a piece is marked."""
    width: int = 1
    """Columns of the widest line number that is shown near it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts. Every row has as many cells as ``columns``."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    """Indexes of the columns that hold numbers, which are aligned to the right."""
    total: tuple[str, ...] = ()
    """The last row, below a rule."""
    title: str = ""
    wrap: bool = False
    """Long cells are wrapped on a terminal. Without ``wrap`` a row is one line, cut at the edge of the terminal."""


Part = Line | Grid | Excerpt

NARROWEST = 6
"""Columns of a terminal that a column of a grid keeps."""

PLAIN_WIDTH = 160
"""Columns of an excerpt where the output is no terminal."""

PATHS_SHOWN = 5
"""Files that a line names, if the line is true of many files."""


def number(value: int) -> str:
    """``1234567`` as ``1,234,567``."""
    return f"{value:,}"


def size(value: int) -> str:
    """A number of bytes in decimal units, as the sizes of disks: ``15800000`` as ``15.8 MB``."""
    factor, unit = _unit(value)
    return f"{_amount(value, factor)} {unit}"


def size_of(done: int, total: int) -> str:
    """A part of a size in the unit of the size: `` 8.4/67.1 MB``, with a width that does not change with ``done``."""
    factor, unit = _unit(max(done, total))
    whole = _amount(total, factor)
    return f"{_amount(done, factor):>{len(whole)}}/{whole} {unit}"


def _unit(value: int) -> tuple[int, str]:
    factor = 1
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 * factor:
            return factor, unit
        factor *= 1000
    return factor, "TB"


def _amount(value: int, factor: int) -> str:
    return str(value) if factor == 1 else f"{value / factor:.1f}"


def seconds(value: float) -> str:
    """A number of seconds: ``0.50 s``, ``1:15 min`` or ``1:02:05 h``."""
    if value < 60:
        return f"{value:.2f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def clean(text: str, limit: int = 0) -> str:
    """The text on one line, with control characters as escapes.

    A file may hold control characters. In the terminal of a user they could move the cursor or rename the window.

    :param limit: the longest result before escapes are written, in characters; 0 means any length.
    """
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def some(paths: Sequence[str]) -> str:
    """The first paths and how many more there are."""
    rest = len(paths) - PATHS_SHOWN
    return ", ".join(map(clean, paths[:PATHS_SHOWN])) + (f" and {number(rest)} more" if rest > 0 else "")


def cut_middle(text: str, width: int) -> str:
    """The text, or its begin and its end with ``…`` between them. Names differ most often at their ends.

    :param width: columns of the terminal that the result may take, at least 1.
    """
    if columns_of(text) <= width:
        return text
    head, tail = "", ""
    for c in text:
        if columns_of(head + c) > (width - 1) // 2:
            break
        head += c
    for c in reversed(text):
        if columns_of(head + "…" + c + tail) > width:
            break
        tail = c + tail
    return head + "…" + tail


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def write(parts: Iterable[Part], stream: TextIO | None = None) -> None:
    """Writes a report to a stream.

    :param stream: None means standard output.
    """
    stream = stream or sys.stdout
    if is_terminal(stream):
        _write_rich(parts, stream)
    else:
        for part in parts:
            stream.write(plain(part))
    stream.flush()


def height(part: Part, width: int) -> int:
    """The number of lines that the part takes on a terminal of that width."""
    if isinstance(part, Line):
        return len(wrapped(part, width))
    if isinstance(part, Excerpt):
        return len(excerpt_lines(part, width))
    return bool(part.title) + 2 + len(part.rows) + (2 if part.total else 0)


def plain(part: Part) -> str:
    """The part as plain text that ends with a newline."""
    if isinstance(part, Line):
        return f"{part.lead}{part.text}\n"
    if isinstance(part, Excerpt):
        return "".join(f"{text.rstrip()}\n" for text, _ in excerpt_lines(part, PLAIN_WIDTH))
    bodies: list[Sequence[str]] = [part.columns, *part.rows]
    if part.total:
        bodies.append(part.total)
    widths = [max(columns_of(row[i]) for row in bodies) for i in range(len(part.columns))]
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
        pad = " " * (width - columns_of(cell))
        out.append(pad + cell if i in right else cell + pad)
    return "  ".join(out).rstrip()


def columns_of(text: str) -> int:
    """The number of terminal columns that the text takes.

    A combining mark takes none, a wide East Asian character (UAX #11) two.
    """
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrapped(line: Line, width: int) -> list[str]:
    """The lines that a line of text takes on a terminal: wrapped between words, long words behind a ``/`` or a mark."""
    indent = min(columns_of(line.lead), width // 2)
    room = width - indent
    found, rest = [], line.text
    while columns_of(rest) > room:
        end = _prefix(rest, room)
        blank = rest.rfind(" ", 1, end + 1)
        cut = blank if blank > 0 and rest[:blank].strip() else _seam(rest, end)
        found.append(rest[:cut])
        rest = rest[cut:].lstrip(" ")
    found.append(rest)
    return [f"{line.lead if not i else ' ' * indent}{text}" for i, text in enumerate(found)]


def _seam(text: str, end: int) -> int:
    """Where to cut a long word: behind the last slash before ``end``, else behind the last mark, else at ``end``."""
    for seams in ("/", "_-.,"):
        found = max(text.rfind(seam, 0, end) for seam in seams) + 1
        if found > end // 3:
            return found
    return end


def fitted(widths: Sequence[int], words: Sequence[int], fixed: frozenset[int], room: int) -> list[int]:
    """The widths of columns so that they fit: the widest gives way first, and words are divided last of all.

    :param widths: the columns that the longest cells take.
    :param words: the columns that the longest words take.
    :param fixed: indexes of columns that keep their width.
    """
    found = list(widths)
    least = [min(word, room // 2) for word in words]
    while sum(found) > room:
        wide = [i for i in range(len(found)) if i not in fixed and found[i] > least[i]]
        wide = wide or [i for i in range(len(found)) if i not in fixed and found[i] > NARROWEST]
        if not wide:
            break
        found[max(wide, key=lambda i: found[i])] -= 1
    return found


def _prefix(text: str, width: int) -> int:
    """How many characters of the text fit into so many columns, at least 1."""
    if text.isascii():
        return max(1, width)
    taken = 0
    for i, c in enumerate(text):
        taken += columns_of(c)
        if taken > width:
            return max(1, i)
    return len(text)


def excerpt_lines(excerpt: Excerpt, width: int) -> list[tuple[str, str]]:
    """The lines of an excerpt, each with its style."""
    gutter = max(excerpt.width, len(str(excerpt.line)))
    room = max(20, width - gutter - 4)
    text, carets = "", ""
    for piece, marked in excerpt.pieces:
        columns = columns_of(piece)
        if marked and not piece:
            # Something is missing here: the caret stands where it should begin.
            carets = f"{carets}^"
        else:
            text += piece
            carets = carets.ljust(columns_of(text) - columns) + ("^" if marked else " ") * columns
    carets = carets.rstrip()
    first = carets.find("^")
    last = max(first, len(carets) - 1)
    if columns_of(text) > room:
        begin = 0 if last < room - 1 else max(0, min(first - room // 4, columns_of(text) - room + 2))
        text, carets = _window(text, begin, room), carets[begin : begin + room].rstrip()
        if begin:
            carets = " " + carets[1:]
    shown = [(f"{excerpt.line:>{gutter}} | {text}", "")]
    if carets:
        shown.append((f"{'':>{gutter}} | {carets}", "bold red"))
    return shown


def _window(text: str, begin: int, room: int) -> str:
    """The part of a text from the column ``begin`` on; ``…`` stands where something is left out."""
    start = _prefix(text, begin) if begin else 0
    part = text[start:]
    if begin:
        part = "…" + part[1:]
    if columns_of(part) > room:
        part = part[: _prefix(part, room - 1)] + "…"
    return part


def _write_rich(parts: Iterable[Part], stream: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    for part in parts:
        if isinstance(part, Line):
            for text in wrapped(part, console.width):
                console.print(Text(text, style=part.style), soft_wrap=True)
            continue
        if isinstance(part, Excerpt):
            for text, style in excerpt_lines(part, console.width):
                console.print(Text(text, style=style), soft_wrap=True)
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
        widths = _widths(part, console.width) if part.wrap else None
        for i, name in enumerate(part.columns):
            table.add_column(
                Text(name),
                width=widths[i] if widths else None,
                footer=Text(part.total[i]) if part.total else "",
                justify="right" if i in part.right else "left",
                # On a narrow terminal rich shortens the widest columns that may wrap. Numbers stay whole.
                no_wrap=i in part.right,
                overflow="fold",
            )
        for row in part.rows:
            # Text, not str: rich would read square brackets in the data as markup.
            if widths:
                cells = [Text("\n".join(wrapped(Line(c), w))) for c, w in zip(row, widths, strict=True)]
            else:
                cells = [Text(cell, no_wrap=True, overflow="ellipsis") for cell in row]
            table.add_row(*cells)
        console.print(table)


_GAP = 2
"""Columns of a terminal between two columns of a grid."""


def _widths(grid: Grid, width: int) -> list[int]:
    """The widths of the columns of a grid whose cells are wrapped."""
    bodies = [grid.columns, *grid.rows, *([grid.total] if grid.total else [])]
    places = range(len(grid.columns))
    longest = [max(columns_of(row[i]) for row in bodies) for i in places]
    words = [max(columns_of(word) for row in bodies for word in row[i].split(" ")) for i in places]
    return fitted(longest, words, grid.right, width - _GAP * (len(grid.columns) - 1))
