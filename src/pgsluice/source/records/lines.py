"""Physical lines of a buffer: how many there are, how long fields may be, and which lines are passed over before the
first record."""

from __future__ import annotations

import csv

from pgsluice.model import Dialect, LineEnds
from pgsluice.source.records.rules import CR

_FIELD_CHARACTERS = 1 << 28
"""More characters than the longest record has."""


def raise_field_limit() -> None:
    """Lets Python's csv module read fields as long as the longest record.

    The limit belongs to the process; its default is 128 kB. Every use of the module needs the same limit, or what was
    read before would decide how a file is read.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _FIELD_CHARACTERS))


def count_lines(data: bytes, dialect: Dialect, start: int = 0, stop: int | None = None) -> int:
    """How many line ends the bytes hold, those in quoted fields included."""
    end = len(data) if stop is None else stop
    count = data.count(b"\n", start, end)
    if dialect.line_ends is LineEnds.ANY and data.find(b"\r", start, end) >= 0:
        count += data.count(b"\r", start, end) - data.count(b"\r\n", start, end)
    return count


def line_end(data: bytes, dialect: Dialect, start: int, stop: int | None = None) -> tuple[int, int]:
    """Where the line that begins at ``start`` ends, its line end excluded and included; (-1, -1) if it does not."""
    end = len(data) if stop is None else stop
    newline = data.find(b"\n", start, end)
    if dialect.line_ends is LineEnds.ANY:
        cr = data.find(b"\r", start, end if newline < 0 else newline)
        if cr >= 0:
            return cr, cr + (2 if newline == cr + 1 else 1)
    if newline < 0:
        return -1, -1
    return newline - (newline > start and data[newline - 1] == CR), newline + 1


def behind_lines(data: bytes, dialect: Dialect, count: int, *, at_end: bool) -> tuple[int, int]:
    """Passes over the first lines of a buffer.

    :param count: how many lines.
    :param at_end: the file ends with ``data``.
    :returns: the position behind the lines, and how many lines are not in the buffer or not complete.
    """
    at = 0
    while count:
        _, after = line_end(data, dialect, at)
        if after < 0 or (after == len(data) and data[after - 1] == CR and not at_end):
            return (len(data), 0) if at_end else (at, count)
        at, count = after, count - 1
    return at, 0
