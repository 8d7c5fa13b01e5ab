"""The records of a buffer in any dialect: each scanner finds them for the dialects that it knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from pgsluice.model import Dialect
from pgsluice.source.records.free.scanner import FreeScanner
from pgsluice.source.records.rules import CleanSpan, Record
from pgsluice.source.records.walker import Walker, behind_blank_lines


class Spans:
    """The records of one buffer, neighbouring faultless records as one span where that is faster.

    :param data: begins where a record begins.
    :param column_names: names for the fields that a record must have.
    :param at_end: the file ends with ``data``. Otherwise a last record that may continue is left out.
    """

    def __init__(self, data: bytes, dialect: Dialect, column_names: Sequence[str], at_end: bool) -> None:
        fields = len(column_names)
        self._scanner: Walker | FreeScanner = (
            Walker(data, dialect, fields, column_names, at_end)
            if dialect.plain
            else FreeScanner(data, dialect, fields, column_names, at_end)
        )

    @property
    def consumed(self) -> int:
        """How many bytes belong to the records that :meth:`of` has yielded and the lines before them that are none."""
        return self._scanner.consumed

    def of(self, first_line: int) -> Iterator[CleanSpan | Record]:
        """Yields the records.

        :param first_line: the physical line on which the buffer begins.
        :raises LineTooLong: a line is longer than rules.MAX_RECORD_BYTES.
        """
        if isinstance(self._scanner, Walker):
            return self._scanner.spans(first_line)
        return self._scanner.records(first_line)


def scan(
    data: bytes,
    dialect: Dialect,
    *,
    fields: int | None,
    column_names: Sequence[str] = (),
    first_line: int = 1,
    at_end: bool = True,
) -> Iterator[Record]:
    """Yields every record of ``data``, faults included.

    :param data: begins where a record begins.
    :param fields: how many fields a record must have; None allows any number.
    :param column_names: for messages about missing fields.
    :param first_line: the physical line on which ``data`` begins.
    :param at_end: the file ends with ``data``. Otherwise a last record that may continue is not yielded.
    :raises LineTooLong: a line is longer than rules.MAX_RECORD_BYTES.
    """
    if not dialect.plain:
        yield from FreeScanner(data, dialect, fields, column_names, at_end).records(first_line)
        return
    walker = Walker(data, dialect, fields, column_names, at_end)
    if fields is None:
        yield from walker.walk(0, first_line)
        return
    for span in walker.spans(first_line):
        if isinstance(span, Record):
            yield span
        else:
            yield from walker.walk(span.start, span.line, span.next)


def first_record(data: bytes, dialect: Dialect, first_line: int, *, at_end: bool) -> tuple[Record | None, int]:
    """The first record of a buffer, with any number of fields, and the position behind it.

    :returns: None if no record is complete, and then the position behind the lines before it that are no records.
    """
    if dialect.plain:
        record = next(scan(data, dialect, fields=None, first_line=first_line, at_end=at_end), None)
        return record, behind_blank_lines(data) if record is None else record.next
    scanner = FreeScanner(data, dialect, None, (), at_end)
    record = next(islice(scanner.records(first_line), 1), None)
    return record, scanner.consumed
