"""Records whose quotes may be data: a quoted field spans lines, and the lines look like records.

``2,"Half,x`` and, three lines below, ``5,the other half",y`` are one record whose quotes pair. If the quotes are data,
the record has swallowed four records. Texts of several lines are frequent too, so lines count as swallowed only if
they have as many delimiters as a record, quotes taken as data:

* every line of the record, the first and the last included; or
* a line between the first and the last, if the file has more than two fields and blanks do not separate them.

A comma, semicolon or colon with a blank behind it is punctuation, unless the dialect skips such blanks. In a file of
two fields a line must have text on both sides of its delimiter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pgsluice.model import Dialect
from pgsluice.source.records.free.grammar import grammar_of
from pgsluice.source.records.rules import CR, LF, CleanSpan, Record

if TYPE_CHECKING:
    from pgsluice.source.records.rules import Mask, Positions

_PUNCTUATION = (b",", b";", b":")


class SwallowedLines:
    """Finds such records.

    :param fields: how many fields a record of the file must have.
    """

    def __init__(self, dialect: Dialect, fields: int) -> None:
        grammar = grammar_of(dialect)
        self._quote, self._delimiter = grammar.quote, grammar.delimiter
        self._delimiters = fields - 1
        self._plain = dialect.plain
        self._any_end = grammar.any_end
        end, ends = (rb"(?:\r\n?|\n)", rb"\r\n") if grammar.any_end else (rb"\n", rb"\n")
        line = self._line(ends, loose=grammar.loose)
        self._all = re.compile(b"(?:%b%b)++%b" % (line, end, line))
        between = fields > 2 and not grammar.blanks
        self._between = re.compile(b"%b%b(?=[%b])" % (end, line, ends)) if between else None

    def _line(self, ends: bytes, *, loose: bool) -> bytes:
        """The pattern of a line with as many delimiters as a record. Nothing in it can be matched in two ways."""
        count = self._delimiters
        if not self._delimiter:
            return rb"[ \t]*+[^ \t%b]++(?:[ \t]++[^ \t%b]++){%d}[ \t]*+" % (ends, ends, count)
        delimiter = re.escape(self._delimiter)
        one = len(self._delimiter) == 1
        text = b"[^%b%b]" % (delimiter, ends) if one else b"(?:(?!%b)[^%b])" % (delimiter, ends)
        behind = rb"(?![ \t])" if self._delimiter in _PUNCTUATION and not loose else b""
        if count == 1:
            return rb"%b++%b%b(?!\r?(?:\n|\Z))%b++" % (text, delimiter, behind, text)
        return b"(?:%b*+%b%b){%d}%b*+" % (text, delimiter, behind, count, text)

    def in_record(self, raw: bytes) -> bool:
        """Whether a record is such a record.

        :param raw: the record without its line end.
        """
        if not (self._quote and self._delimiters) or self._quote not in raw:
            return False
        if b"\n" not in raw and not (self._any_end and b"\r" in raw):
            return False
        return bool(self._all.fullmatch(raw) or (self._between and self._between.search(raw)))

    def in_span(self, data: bytes, span: CleanSpan | Record) -> Iterator[int]:
        """The physical lines on which such records of a span begin.

        :param data: the buffer of the span.
        """
        if isinstance(span, Record):
            if self.in_record(data[span.start : span.end]):
                yield span.line
        elif span.ends is not None:
            start, line = span.start, span.line
            for end in span.ends:
                if self.in_record(data[start:end].removesuffix(b"\r")):
                    yield line
                line += data.count(b"\n", start, end + 1)
                start = end + 1

    def in_clean(self, data: bytes, text: bytes, ends: Positions, line: int) -> Iterator[int]:
        """The physical lines on which such records begin among faultless records without blank lines among them.

        :param data: the records as the file has them; each is ended.
        :param text: the records in the plain dialect of blocks.
        :param ends: the positions in ``text`` of the line ends of the records.
        :param line: the physical line of the first record.
        """
        import numpy as np

        if not (self._quote and self._delimiters) or self._quote not in data:
            return
        # Comments do not stand among quotes here, so the text has the same lines.
        breaks, fits = self._lines(data)
        last = np.searchsorted(breaks if text is data else self._breaks(text), ends)
        first = np.concatenate((np.zeros(1, np.intp), last[:-1] + 1))
        found = last > first
        if fits is not None:
            found &= self._may_hold(fits, first, last)
        for number in np.flatnonzero(found).tolist():
            begin, end = int(first[number]), int(last[number])
            start = int(breaks[begin - 1]) + 1 if begin else 0
            if self.in_record(data[start : int(breaks[end])].removesuffix(b"\r")):
                yield line + begin

    def _breaks(self, data: bytes) -> Positions:
        """The positions of the last bytes of all line ends, those in quoted fields included."""
        import numpy as np

        octets = np.frombuffer(data, np.uint8)
        if not self._any_end or b"\r" not in data:
            return np.flatnonzero(octets == LF)
        alone = octets == CR
        alone[:-1] &= octets[1:] != LF
        return np.flatnonzero(alone | (octets == LF))

    def _lines(self, data: bytes) -> tuple[Positions, Mask | None]:
        """The positions of all line ends; which lines have as many delimiters as a record, if that is fast to see."""
        import numpy as np

        if not self._plain:
            return self._breaks(data), None
        octets = np.frombuffer(data, np.uint8)
        marks = np.flatnonzero((octets == LF) | (octets == self._delimiter[0]))
        numbers = np.flatnonzero(octets[marks] == LF)
        return marks[numbers], np.diff(numbers, prepend=-1) - 1 == self._delimiters

    def _may_hold(self, fits: Mask, first: Positions, last: Positions) -> Mask:
        """Which records have enough lines with as many delimiters as a record.

        :param fits: which lines have them.
        :param first: the number of the first line of each record.
        :param last: the number of the last line of each record.
        """
        import numpy as np

        sums: Positions = np.concatenate((np.zeros(1, np.intp), np.cumsum(fits)))
        found: Mask = sums[last + 1] - sums[first] == last + 1 - first
        if self._between is not None:
            found |= sums[last] > sums[first + 1]
        return found
