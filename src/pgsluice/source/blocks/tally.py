"""What is counted while a file is read: what a user should know of the file besides its faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pgsluice.model import Dialect
from pgsluice.source.faults import QuoteFaults
from pgsluice.source.records.fast_scan import CleanPrefix
from pgsluice.source.records.lines import count_lines, line_end
from pgsluice.source.records.rules import CleanSpan, Record
from pgsluice.source.records.swallowed import SwallowedLines


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a user should know of a file that was read."""

    nuls: int = 0
    """How many NUL characters were removed."""
    blank_lines: int = 0
    """How many lines were passed over because they are blank. Title lines and lines of the footer do not count."""
    swallowing: int = 0
    """How many records may have swallowed lines: see :mod:`~pgsluice.source.records.swallowed`."""
    first_swallowing: int = 0
    """The physical line of the first of these records, from 1; 0 if there is none."""
    header_again: tuple[int, ...] = ()
    """The first lines behind the header that hold the header again."""


class Tally:
    """Counts over all blocks of a file. A block that is parsed again must not be counted again.

    :param columns: names for the fields that a record must have.
    """

    def __init__(self, dialect: Dialect, columns: Sequence[str]) -> None:
        self.blank_lines = 0
        self.swallowing = 0
        self.first_swallowing = 0
        self._dialect = dialect
        self._comment = dialect.comment.encode()
        self._swallowed = SwallowedLines(dialect, len(columns))
        self._quote_faults = QuoteFaults()
        self._at = 0
        """Where the last span ends, in its block."""

    def add(self, buffer: bytes, span: CleanSpan | Record) -> None:
        """Counts records, and the lines in front of them.

        :param buffer: begins with the block.
        :raises NotCsv: too many records in a row have quotes that do not pair.
        """
        self._quote_faults.add(span.line, span.fault if isinstance(span, Record) else None)
        self.add_blank_lines(buffer, self._at, span.start)
        self._at = span.next
        for line in self._swallowed.in_span(buffer, span):
            self._add_swallowing(line)

    def end(self, buffer: bytes, stop: int) -> None:
        """Ends a block; counts the lines behind its last record.

        :param stop: the length of the block.
        """
        self.add_blank_lines(buffer, self._at, stop)
        self._at = 0

    def add_clean(self, buffer: bytes, length: int, prefix: CleanPrefix, line: int, lines: int) -> None:
        """Counts the records of a block that was not parsed. No blank line stands among them.

        :param buffer: begins with the block.
        :param length: the length of the block.
        :param prefix: the records.
        :param line: the physical line of the first record.
        :param lines: how many line ends the block has.
        """
        self._quote_faults.add(line, None)
        ended = buffer[length - 1] in b"\r\n"
        if lines + (not ended) == prefix.ends.size:
            return
        data = buffer[:length] if ended else buffer[:length] + b"\n"
        text = data if self._dialect.plain else prefix.data
        for found in self._swallowed.in_clean(data, text, prefix.ends, line):
            self._add_swallowing(found)

    def add_blank_lines(self, buffer: bytes, start: int, stop: int) -> None:
        """Counts the blank lines among lines that are no records."""
        if start >= stop:
            return
        if not self._comment:
            self.blank_lines += count_lines(buffer, self._dialect, start, stop)
            return
        while start < stop:
            _, after = line_end(buffer, self._dialect, start, stop)
            self.blank_lines += after >= 0 and not buffer.startswith(self._comment, start)
            start = after if after >= 0 else stop

    def _add_swallowing(self, line: int) -> None:
        self.swallowing += 1
        self.first_swallowing = self.first_swallowing or line
