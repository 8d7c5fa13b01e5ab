"""Marks: the parts of a rejected record that the reason is about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pgsluice.model import Dialect, Mark, Reject, RejectKind
from pgsluice.source.records.field_bounds import field_bounds
from pgsluice.source.records.rules import BAD_ENCODING, QUOTE_FAULTS

FileKey = tuple[str, str]
"""The table and the path of a file."""

_LONGEST = 1 << 16
"""Characters of a record that are looked at."""

_ESCAPED_BYTE = re.compile(r"(?:\\x[0-9a-f]{2})+")
"""Bytes that are no text, as a report writes them."""


class Marker:
    """Finds the marks of the rejects of one run."""

    def __init__(
        self,
        files: Mapping[FileKey, tuple[Sequence[str], Dialect]],
        constraints: Mapping[tuple[str, str], Sequence[str]],
    ) -> None:
        """:param files: of each file the column of each field ('' for a field that is left out), and the dialect.
        :param constraints: the columns of constraints and unique indexes, by table and name.
        """
        self._files = files
        self._constraints = constraints

    def marked(self, reject: Reject) -> Reject:
        """The reject with its marks; without marks if its file is not known."""
        known = self._files.get((reject.table, reject.file))
        if known is None or len(reject.raw) > _LONGEST:
            return reject
        columns, dialect = known
        if reject.kind == RejectKind.STRUCTURE:
            return replace(reject, marks=tuple(_structure(reject, len(columns), dialect)))
        wanted = self._constraints.get((reject.table, reject.constraint)) or (reject.column,)
        numbers = [columns.index(name) for name in wanted if name and name in columns]
        return replace(reject, marks=tuple(_fields(reject.raw, numbers, columns, dialect)))


def _fields(raw: str, numbers: Sequence[int], columns: Sequence[str], dialect: Dialect) -> Iterator[Mark]:
    """The marks of the fields with these numbers, from 0."""
    if not numbers:
        return
    record = raw.encode()
    bounds, _ = field_bounds(record, dialect, max(numbers) + 1)
    for number in numbers:
        if number < len(bounds):
            start, stop = _characters(raw, record, bounds[number])
            yield Mark(columns[number], start, stop)


def _structure(reject: Reject, fields: int, dialect: Dialect) -> Iterator[Mark]:
    """The marks of a record that cannot be parsed."""
    raw, record = reject.raw, reject.raw.encode()
    if reject.sqlstate == BAD_ENCODING:
        for found in _ESCAPED_BYTE.finditer(raw):
            yield Mark("", found.start(), found.end())
        return
    bounds, rest = field_bounds(record, dialect, fields + 1)
    if rest is not None and reject.message in QUOTE_FAULTS:
        yield Mark("", *_characters(raw, record, rest))
    elif rest is None and len(bounds) > fields:
        start, _ = _characters(raw, record, bounds[fields])
        yield Mark("", start, len(raw))
    elif rest is None and len(bounds) < fields:
        yield Mark("", len(raw), len(raw))


def _characters(raw: str, record: bytes, bounds: tuple[int, int]) -> tuple[int, int]:
    """Positions of bytes as positions of characters.

    :param record: ``raw`` in UTF-8.
    """
    if len(raw) == len(record):
        return bounds
    start, stop = (len(record[:at].decode(errors="replace")) for at in bounds)
    return start, stop
