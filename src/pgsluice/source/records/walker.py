"""All records of a buffer, faults included: neighbouring faultless records as one span, other records one by one.

:meth:`Walker.spans` classifies the lines of a window with numpy and calls :class:`RecordParser` only where a line is
peculiar: where a record is a fault, is blank or spans lines.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from pgsluice.model import Dialect
from pgsluice.source.records import rules
from pgsluice.source.records.fast_scan import ClassifiedLines, classify_lines
from pgsluice.source.records.record_parser import RecordParser
from pgsluice.source.records.rules import CleanSpan, FaultReason, Record

if TYPE_CHECKING:
    from pgsluice.source.records.rules import Positions


_BLANK_LINES = re.compile(rb"(?:\r?\n)+")


def behind_blank_lines(data: bytes, start: int = 0, stop: int | None = None) -> int:
    """The position behind the blank lines that begin at ``start`` and end before ``stop``."""
    blanks = _BLANK_LINES.match(data, start, len(data) if stop is None else stop)
    return blanks.end() if blanks else start


class Walker:
    """The records of one buffer.

    :param data: begins where a record begins.
    :param fields: how many fields a record must have; None allows any number, and forbids :meth:`spans`.
    :param column_names: for messages about missing fields.
    :param at_end: the file ends with ``data``. Otherwise a last record that may continue is left out.
    """

    def __init__(
        self, data: bytes, dialect: Dialect, fields: int | None, column_names: Sequence[str], at_end: bool
    ) -> None:
        self.consumed = 0
        """How many bytes belong to the records that :meth:`spans` has yielded and the blank lines among them."""
        self._data = data
        self._dialect = dialect
        self._fields = fields
        self._parser = RecordParser(data, dialect, fields, column_names, at_end)

    def walk(self, start: int, line: int, stop: int | None = None) -> Iterator[Record]:
        """Yields the records from ``start`` on, one by one.

        :param line: the physical line of ``start``.
        :param stop: where the last record ends; by default, where the buffer ends.
        :raises LineTooLong: a line is longer than rules.MAX_RECORD_BYTES.
        """
        end = len(self._data) if stop is None else stop
        while start < end:
            if (after := self._behind_blanks(start, end)) > start:
                line += self._data.count(b"\n", start, after)
                start = after
                continue
            record = self._parser.record(start, line)
            if record is None:
                return
            if not self._parser.is_blank(record):
                yield record
            line += self._data.count(b"\n", start, record.next)
            start = record.next

    def _behind_blanks(self, start: int, stop: int) -> int:
        """The position behind the blank lines that begin at ``start`` and end before ``stop``, if they are no records.

        A file may hold nothing but blank lines, so they are not parsed one by one.
        """
        return start if self._fields == 1 else behind_blank_lines(self._data, start, stop)

    def spans(self, first_line: int) -> Iterator[CleanSpan | Record]:
        """Yields the records of the whole buffer, neighbouring faultless records as one span.

        :param first_line: the physical line on which the buffer begins.
        :raises LineTooLong: a line is longer than rules.MAX_RECORD_BYTES.
        """
        assert self._fields is not None
        start, line = 0, first_line
        while start < len(self._data):
            stop = self._window_end(start)
            if not stop:
                for last in self.walk(start, line):
                    self.consumed = last.next
                    yield last
                return
            if stop - start > rules.WINDOW_BYTES:
                # One long line. The positions of its delimiters would take many times its memory.
                span = self._peculiar(start, line)
                if span is None:
                    return
                if isinstance(span, CleanSpan) or not self._parser.is_blank(span):
                    yield span
                line += self._data.count(b"\n", start, span.next)
                self.consumed = start = span.next
                continue
            lines = classify_lines(
                self._data[start:stop],
                self._dialect.delimiter.encode()[0],
                self._dialect.quote.encode()[0],
                self._fields,
                self._parser.keeps_blanks,
            )
            if lines.fields is not None and self._fields > 1:
                yield from self._unquoted_window(start, line, lines, lines.fields)
                line += int(lines.ends.size)
                self.consumed = start = stop
                continue
            after = yield from self._window(start, stop, line, lines)
            if after is None:
                return
            start, line = self.consumed, after

    def _window_end(self, start: int) -> int:
        """Where a window of whole lines ends that begins at ``start``; 0 if no line is complete."""
        stop = self._data.rfind(b"\n", start, start + rules.WINDOW_BYTES) + 1
        return stop or self._data.find(b"\n", start) + 1

    def _window(
        self, window: int, stop: int, line: int, lines: ClassifiedLines
    ) -> Generator[CleanSpan | Record, None, int | None]:
        """Yields the records that begin within a window. The last record may end behind the window.

        :param window: where the window begins.
        :param stop: where the window ends.
        :param line: the physical line of ``window``.
        :returns: the physical line behind the last record, which ends at ``consumed``; None if the next record is
            incomplete.
        """
        ends, start = lines.ends, window
        at, count = 0, int(ends.size)  # the number of the line in the window, and how many lines there are
        peculiar = [*lines.peculiar.tolist(), count]
        turn = 0  # which peculiar line comes next
        while at < count:
            while peculiar[turn] < at:
                turn += 1
            if peculiar[turn] > at:
                following = window + int(ends[peculiar[turn] - 1]) + 1
                yield CleanSpan(start, following, line, peculiar[turn] - at)
                line += peculiar[turn] - at
                self.consumed = start = following
                at = peculiar[turn]
                continue
            if (after_blanks := self._behind_blanks(start, stop)) > start:
                self.consumed = start = after_blanks
                blanks = int(ends.searchsorted(start - window)) - at
                at, line = at + blanks, line + blanks
                continue
            span = self._peculiar(start, line)
            if span is None:
                return None
            if isinstance(span, CleanSpan) or not self._parser.is_blank(span):
                yield span
            self.consumed = start = span.next
            if start - window == ends[at] + 1:
                at += 1
                line += 1
                continue
            after = int(ends.searchsorted(start - window)) if start < stop else count
            line += after - at
            if start > stop:
                line += self._data.count(b"\n", stop, start)
            at = after
        return line

    def _peculiar(self, start: int, line: int) -> CleanSpan | Record | None:
        """The record, or the faultless records, that begin on a peculiar line; None if the record is incomplete."""
        parser = self._parser
        return (
            parser.unquoted_record(start, line) or parser.clean_span(start, line) or parser.quoted_record(start, line)
        )

    def _unquoted_window(
        self, window: int, line: int, lines: ClassifiedLines, fields: Positions
    ) -> Iterator[CleanSpan | Record]:
        """Yields the records of a window in which each line is a record or is blank, and in which a fault can only
        be the number of fields.

        :param window: where the window begins.
        :param line: the physical line of ``window``.
        :param fields: how many fields each peculiar line has.
        """
        import numpy as np

        begins = np.concatenate(([0], lines.ends[:-1] + 1)) + window
        stop = window + int(lines.ends[-1]) + 1
        found = (lines.peculiar, begins[lines.peculiar], lines.ends[lines.peculiar] + window, fields)
        faults: dict[int, FaultReason | None] = {}
        done, after = 0, window
        for number, start, end, count in zip(*(column.tolist() for column in found), strict=True):
            if number > done:
                yield CleanSpan(after, start, line + done, number - done)
            done, after = number + 1, end + 1
            if end == start:
                continue
            if count not in faults:
                faults[count] = self._parser.count_fault(count)
            yield Record(start, end, after, line + number, (), faults[count])
        if after < stop:
            yield CleanSpan(after, stop, line + done, int(lines.ends.size) - done)
