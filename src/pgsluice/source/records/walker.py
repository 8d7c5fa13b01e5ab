"""TODO pgsluice.source.records.walker."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pgsluice.model import Dialect
from pgsluice.source.records import rules
from pgsluice.source.records.fast_scan import ClassifiedLines, classified, is_valid_utf8, loses_blanks
from pgsluice.source.records.rules import (
    BAD_ENCODING,
    BAD_FORMAT,
    CR,
    Field,
    LineTooLong,
    Record,
    Run,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Positions = NDArray[np.intp]
    Mask = NDArray[np.bool_]
    Octets = NDArray[np.uint8]


_RUN = 16
"""Records taken in Python before the classified lines are looked at again, which may be faster."""


def scan(
    data: bytes,
    dialect: Dialect,
    *,
    fields: int | None,
    column_names: Sequence[str] = (),
    first_line: int = 1,
    at_end: bool = True,
) -> Iterator[Record]:
    """Every record of ``data``, good or faulty.

    :param data: begins where a record begins.
    :param fields: how many fields a record must have; None: any number is right.
    :param column_names: for messages about missing fields.
    :param at_end: the file ends with ``data``. Otherwise a last record that may go on is not yielded.
    :raises LineTooLong: a line is longer than rules.MAX_RECORD_BYTES.
    """
    walker = Walker(data, dialect, fields, column_names, at_end)
    if fields is None:
        yield from walker.walk(0, first_line)
        return
    for span in walker.spans(first_line):
        if isinstance(span, Record):
            yield span
        else:
            yield from walker.walk(span.start, span.line, span.next)


class Walker:
    """The exact rules over one buffer; parameters as for :func:`scan`."""

    def __init__(
        self, data: bytes, dialect: Dialect, fields: int | None, column_names: Sequence[str], at_end: bool
    ) -> None:
        self.data = data
        self.at_end = at_end
        self.consumed = 0
        """How much of the data :meth:`spans` has done with, blank lines included."""
        self.fields = fields
        self.column_names = column_names
        self.keeps_blanks = fields == 1 and not loses_blanks(dialect)
        self.delimiter = dialect.delimiter.encode()
        self.quote = dialect.quote.encode()
        self.unquoted = re.compile(b"[^" + re.escape(self.delimiter) + b"\n]*")
        self.quotes = re.compile(re.escape(self.quote) + b"+")
        if fields is not None:
            values = {b"q": re.escape(self.quote), b"d": re.escape(self.delimiter)}
            field = b"(?>%(q)b[^%(q)b]*+(?:%(q)b%(q)b[^%(q)b]*+)*+%(q)b|[^%(q)b%(d)b\r\n]*+)" % values
            # A faultless record with its newline, but for its encoding and length.
            self.faultless = re.compile(b"(?>(?:%b%b){%d})%b\r?\n" % (field, values[b"d"], fields - 1, field))

    def walk(self, start: int, line: int, stop: int | None = None) -> Iterator[Record]:
        """Record by record from ``start`` on."""
        end = len(self.data) if stop is None else stop
        while start < end:
            record = self.record(start, line)
            if record is None:
                return
            if not self.blank(record):
                yield record
            line += self.data.count(b"\n", start, record.next)
            start = record.next

    def spans(self, first_line: int) -> Iterator[Run | Record]:
        """As :func:`scan`, with neighbouring faultless records taken together."""
        assert self.fields is not None
        data, size, start, line = self.data, len(self.data), 0, first_line
        while start < size:
            # A window of whole lines; a record that spans its end is walked through all the same.
            stop = data.rfind(b"\n", start, start + rules.WINDOW_BYTES) + 1
            if not stop:
                stop = data.find(b"\n", start) + 1
            if not stop:
                for last in self.walk(start, line):
                    self.consumed = last.next
                    yield last
                return
            lines = classified(data[start:stop], self.delimiter[0], self.quote[0], self.fields, self.keeps_blanks)
            ends, peculiar = lines.ends, lines.peculiar
            if lines.fields is not None and self.fields > 1:
                yield from self.plain(start, line, lines, lines.fields)
                line += int(ends.size)
                self.consumed = start = stop
                continue
            window, at, count = start, 0, int(ends.size)
            numbers = peculiar.tolist()
            numbers.append(count)
            turn = 0
            while at < count:
                while numbers[turn] < at:
                    turn += 1
                if numbers[turn] > at:
                    following = window + int(ends[numbers[turn] - 1]) + 1
                    yield Run(start, following, line, numbers[turn] - at)
                    line += numbers[turn] - at
                    self.consumed = start = following
                    at = numbers[turn]
                    continue
                span = self.unquoted_line(start, line) or self.run(start, line) or self.record(start, line)
                if span is None:
                    return
                if isinstance(span, Run) or not self.blank(span):
                    yield span
                self.consumed = start = span.next
                if start - window == ends[at] + 1:
                    at += 1
                    line += 1
                    continue
                after = int(ends.searchsorted(start - window)) if start < stop else count
                line += after - at
                if start > stop:
                    line += data.count(b"\n", stop, start)
                at = after

    def plain(self, window: int, line: int, lines: ClassifiedLines, fields: Positions) -> Iterator[Run | Record]:
        """The lines of a window each of which is a record, or blank, and has at most too few or too many fields."""
        import numpy as np

        begins = np.concatenate(([0], lines.ends[:-1] + 1)) + window
        stop = window + int(lines.ends[-1]) + 1
        found = (lines.peculiar, begins[lines.peculiar], lines.ends[lines.peculiar] + window, fields)
        faults: dict[int, tuple[str, str] | None] = {}
        done, after = 0, window
        for number, start, end, count in zip(*(column.tolist() for column in found), strict=True):
            if number > done:
                yield Run(after, start, line + done, number - done)
            done, after = number + 1, end + 1
            if end == start:
                continue
            if count not in faults:
                faults[count] = self.fault(b"", count, False)
            yield Record(start, end, after, line + number, (), faults[count])
        if after < stop:
            yield Run(after, stop, line + done, int(lines.ends.size) - done)

    def run(self, start: int, line: int) -> Run | None:
        """The faultless records from ``start`` on, up to the first that is not, or that the data may cut."""
        ends: list[int] = []
        at = start
        while len(ends) < _RUN and (match := self.faultless.match(self.data, at)):
            end = match.end()
            text = match.group()
            if end - at > rules.MAX_RECORD_BYTES or b"\0" in text or not is_valid_utf8(text):
                break
            if text in (b"\n", b"\r\n") and not self.keeps_blanks:
                break
            ends.append(end - 1)
            at = end
        return Run(start, at, line, len(ends), tuple(ends)) if ends else None

    def blank(self, record: Record) -> bool:
        return record.end == record.start and self.fields != 1

    def unquoted_line(self, start: int, line: int) -> Record | None:
        """The record that begins at ``start``, if it ends with its line and no field of it is quoted."""
        newline = self.data.find(b"\n", start, start + rules.MAX_RECORD_BYTES)
        if newline < 0:
            return None
        text, delimiter, quote = self.data[start:newline], self.delimiter, self.quote
        if text.startswith(quote) or delimiter + quote in text:
            return None
        text = text.removesuffix(b"\r")
        end = start + len(text)
        fault = self.fault(text, text.count(delimiter) + 1, b"\r" in text)
        if fault is not None:
            return Record(start, end, newline + 1, line, (), fault)
        plain = tuple((value, False) for value in text.split(delimiter))
        return Record(start, end, newline + 1, line, plain, None, quote in text or not (text or self.keeps_blanks))

    def record(self, start: int, line: int) -> Record | None:
        """The record that begins at ``start``; None: it may go on beyond the data."""
        plain = self.unquoted_line(start, line)
        if plain is not None:
            return plain
        data, delimiter, quote = self.data, self.delimiter, self.quote
        limit = start + rules.MAX_RECORD_BYTES
        too_long = len(data) > limit
        size = limit if too_long else len(data)
        # What happens at ``size``: the file ends, or the record is too long, or one cannot know yet.
        at_file_end = self.at_end and not too_long
        unknown = not self.at_end and not too_long
        fields: list[Field] = []
        lone_cr = rewrite = False
        at = start
        end = -1
        while end < 0:
            if at < size and data.startswith(quote, at):
                close = self.closing(at + 1, size)
                if close < 0 or (close + 1 == size and not at_file_end):
                    return None if unknown else self.broken(start, line, "unterminated CSV quoted field")
                value = data[at + 1 : close]
                fields.append((value.replace(quote * 2, quote) if quote in value else value, True))
                at = close + 1
                if data.startswith(delimiter, at):
                    at += 1
                elif at == size:
                    end = following = at
                elif data.startswith(b"\n", at):
                    end, following = at, at + 1
                elif data.startswith(b"\r\n", at):
                    end, following = at, at + 2
                elif data.startswith(b"\r", at):
                    if at + 1 == size and unknown:
                        return None
                    return self.broken(start, line, "unquoted carriage return found in data")
                else:
                    return self.broken(start, line, "text after a closing quote")
                continue
            match = self.unquoted.match(data, at, size)
            assert match is not None  # it matches the empty string
            close = match.end()
            if close == size:
                if not at_file_end:
                    return None if unknown else self.broken(start, line, "record is longer than 32 MiB")
                end = following = close
            elif data.startswith(b"\n", close):
                end = close - 1 if close > at and data[close - 1] == CR else close
                following = close + 1
            value = data[at : close if end < 0 else end]
            lone_cr = lone_cr or b"\r" in value
            rewrite = rewrite or quote in value
            fields.append((value, False))
            at = close + 1
        fault = self.fault(data[start:end], len(fields), lone_cr)
        return Record(start, end, following, line, tuple(fields), fault, rewrite)

    def closing(self, at: int, size: int) -> int:
        """Where the field whose content begins at ``at`` is closed; -1: nowhere before ``size``."""
        while (first := self.data.find(self.quote, at, size)) >= 0:
            run = self.quotes.match(self.data, first, size)
            assert run is not None
            # An even run is doubled quotes only; the last quote of an odd one closes.
            at = run.end()
            if (at - first) % 2:
                return at - 1
        return -1

    def broken(self, start: int, line: int, message: str) -> Record | None:
        """A fault of structure: the record is its first physical line; None: the line may go on."""
        data = self.data
        newline = data.find(b"\n", start, start + rules.MAX_RECORD_BYTES)
        if newline < 0:
            if len(data) > start + rules.MAX_RECORD_BYTES:
                raise LineTooLong(line)
            if not self.at_end:
                return None
            return Record(start, len(data), len(data), line, (), (BAD_FORMAT, message))
        end = newline - 1 if data[newline - 1] == CR else newline
        return Record(start, end, newline + 1, line, (), (BAD_FORMAT, message))

    def fault(self, raw: bytes, count: int, lone_cr: bool) -> tuple[str, str] | None:
        bad = _invalid_utf8(raw)
        if bad is not None:
            return BAD_ENCODING, f'invalid byte sequence for encoding "UTF8": {bad}'
        if lone_cr:
            return BAD_FORMAT, "unquoted carriage return found in data"
        if self.fields is None or count == self.fields:
            return None
        if count > self.fields:
            return BAD_FORMAT, "extra data after last expected column"
        name = self.column_names[count] if count < len(self.column_names) else str(count + 1)
        return BAD_FORMAT, f'missing data for column "{name}"'


_LEADS = ((2, 0xC0, 0xDF), (3, 0xE0, 0xEF), (4, 0xF0, 0xF7))


def _invalid_utf8(raw: bytes) -> str | None:
    """The first bytes that are no UTF-8 (or NUL), as PostgreSQL shows them: ``0xc3 0x28``."""
    if b"\0" not in raw and raw.isascii():
        return None
    nul = raw.find(b"\0")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        if nul < 0 or error.start < nul:
            lead = raw[error.start]
            # As pg_utf_mblen: as many bytes as the first one announces, whatever they are.
            length = next((n for n, low, high in _LEADS if low <= lead <= high), 1)
            return " ".join(f"0x{byte:02x}" for byte in raw[error.start : error.start + length])
    return "0x00" if nul >= 0 else None
