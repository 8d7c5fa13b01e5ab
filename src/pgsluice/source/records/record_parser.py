"""One record at a time: :class:`RecordParser` applies the exact rules to the record that begins at a position."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import NamedTuple

from pgsluice.model import Dialect
from pgsluice.source.records import rules
from pgsluice.source.records.fast_scan import is_valid_utf8, loses_blanks
from pgsluice.source.records.rules import (
    BAD_ENCODING,
    BAD_FORMAT,
    CR,
    CleanSpan,
    FaultReason,
    Field,
    LineTooLong,
    Record,
)

_SPAN_RECORDS = 16
"""How many records :meth:`RecordParser.clean_span` matches at most. Its caller then asks the classified lines again,
which find a long span of plain lines faster."""


class _Edge(enum.Enum):
    """What a record meets at the position where parsing must stop."""

    FILE_END = enum.auto()
    DATA_END = enum.auto()
    """The buffer ends and the file goes on."""
    LENGTH_LIMIT = enum.auto()
    """The record is longer than MAX_RECORD_BYTES."""


class _Bounds(NamedTuple):
    """Where parsing of a record must stop, and why."""

    size: int
    edge: _Edge


class _ParsedField(NamedTuple):
    """A field and what stands behind it."""

    value: bytes
    quoted: bool
    next: int
    """Where the next field begins, or, behind the last field, the next record."""
    record_end: int | None
    """Where the record ends, its line end excluded; None if another field follows."""


class _Incomplete(Exception):
    """The record may continue beyond the buffer."""


class _BadStructure(Exception):
    """The record cannot be divided into fields."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RecordParser:
    """Parses records of one buffer. The parameters are those of :class:`~pgsluice.source.records.walker.Walker`."""

    def __init__(
        self, data: bytes, dialect: Dialect, fields: int | None, column_names: Sequence[str], at_end: bool
    ) -> None:
        self._data = data
        self._fields = fields
        self._column_names = column_names
        self._at_end = at_end
        self.keeps_blanks = fields == 1 and not loses_blanks(dialect)
        """Whether a blank line is a record: the file has one field, and the dialect lets DuckDB read blank lines."""
        self._delimiter = dialect.delimiter.encode()
        self._quote = dialect.quote.encode()
        self._unquoted_value = re.compile(b"[^" + re.escape(self._delimiter) + b"\n]*")
        self._quotes = re.compile(re.escape(self._quote) + b"+")
        if fields is not None:
            self._faultless = self._faultless_record(fields)

    def _faultless_record(self, fields: int) -> re.Pattern[bytes]:
        """Matches a faultless record with its line end; encoding and length are not part of the pattern.

        The possessive and atomic groups forbid backtracking: time stays proportional to length.
        """
        values = {b"q": re.escape(self._quote), b"d": re.escape(self._delimiter)}
        field = b"(?>%(q)b[^%(q)b]*+(?:%(q)b%(q)b[^%(q)b]*+)*+%(q)b|[^%(q)b%(d)b\r\n]*+)" % values
        return re.compile(b"(?>(?:%b%b){%d})%b\r?\n" % (field, values[b"d"], fields - 1, field))

    def is_blank(self, record: Record) -> bool:
        """Whether the parsed line has no byte and is therefore no record."""
        return record.end == record.start and self._fields != 1

    def clean_span(self, start: int, line: int) -> CleanSpan | None:
        """The faultless records from ``start`` on, up to the first record that has a fault or may be incomplete.

        :returns: None when the first record is not faultless.
        """
        ends: list[int] = []
        at = start
        while len(ends) < _SPAN_RECORDS and (match := self._faultless.match(self._data, at)):
            end = match.end()
            text = match.group()
            if end - at > rules.MAX_RECORD_BYTES or b"\0" in text or not is_valid_utf8(text):
                break
            if text in (b"\n", b"\r\n") and not self.keeps_blanks:
                break
            ends.append(end - 1)
            at = end
        return CleanSpan(start, at, line, len(ends), tuple(ends)) if ends else None

    def unquoted_record(self, start: int, line: int) -> Record | None:
        """The record that begins at ``start``, if it ends with its line and has no quoted field; else None."""
        newline = self._data.find(b"\n", start, start + rules.MAX_RECORD_BYTES)
        if newline < 0:
            return None
        text, delimiter, quote = self._data[start:newline], self._delimiter, self._quote
        if text.startswith(quote) or delimiter + quote in text:
            return None
        text = text.removesuffix(b"\r")
        end = start + len(text)
        fault = self.content_fault(text, text.count(delimiter) + 1, b"\r" in text)
        if fault is not None:
            return Record(start, end, newline + 1, line, (), fault)
        plain = tuple((value, False) for value in text.split(delimiter))
        return Record(start, end, newline + 1, line, plain, None, quote in text or not (text or self.keeps_blanks))

    def record(self, start: int, line: int) -> Record | None:
        """The record that begins at ``start``; None if the record may continue beyond the buffer.

        :raises LineTooLong: the record's first line is longer than MAX_RECORD_BYTES.
        """
        if (unquoted := self.unquoted_record(start, line)) is not None:
            return unquoted
        bounds = self._bounds(start)
        fields: list[Field] = []
        lone_cr = rewrite = False
        at = start
        end: int | None = None
        try:
            while end is None:
                if at < bounds.size and self._data.startswith(self._quote, at):
                    field = self._quoted_field(at, bounds)
                else:
                    field = self._unquoted_field(at, bounds)
                    lone_cr = lone_cr or b"\r" in field.value
                    rewrite = rewrite or self._quote in field.value
                fields.append((field.value, field.quoted))
                at, end = field.next, field.record_end
        except _Incomplete:
            return None
        except _BadStructure as fault:
            return self._first_line(start, line, fault.message)
        reason = self.content_fault(self._data[start:end], len(fields), lone_cr)
        return Record(start, end, at, line, tuple(fields), reason, rewrite)

    def _bounds(self, start: int) -> _Bounds:
        limit = start + rules.MAX_RECORD_BYTES
        if len(self._data) > limit:
            return _Bounds(limit, _Edge.LENGTH_LIMIT)
        return _Bounds(len(self._data), _Edge.FILE_END if self._at_end else _Edge.DATA_END)

    def _quoted_field(self, at: int, bounds: _Bounds) -> _ParsedField:
        """The field whose opening quote is at ``at``."""
        data, quote, (size, edge) = self._data, self._quote, bounds
        close = self._closing_quote(at + 1, size)
        if close < 0 or (close + 1 == size and edge is not _Edge.FILE_END):
            raise _stopped(edge, "unterminated CSV quoted field")
        value = data[at + 1 : close]
        if quote in value:
            value = value.replace(quote * 2, quote)
        behind = close + 1
        if data.startswith(self._delimiter, behind):
            return _ParsedField(value, True, behind + 1, None)
        if behind == size:
            return _ParsedField(value, True, behind, behind)
        if data.startswith(b"\n", behind):
            return _ParsedField(value, True, behind + 1, behind)
        if data.startswith(b"\r\n", behind):
            return _ParsedField(value, True, behind + 2, behind)
        if data.startswith(b"\r", behind):
            if behind + 1 == size and edge is _Edge.DATA_END:
                raise _Incomplete
            raise _BadStructure("unquoted carriage return found in data")
        raise _BadStructure("text after a closing quote")

    def _unquoted_field(self, at: int, bounds: _Bounds) -> _ParsedField:
        """The field without quotes that begins at ``at``."""
        data, (size, edge) = self._data, bounds
        match = self._unquoted_value.match(data, at, size)
        assert match is not None  # the pattern matches the empty string
        close = match.end()
        if close == size:
            if edge is not _Edge.FILE_END:
                raise _stopped(edge, "record is longer than 32 MiB")
            return _ParsedField(data[at:close], False, close, close)
        if data.startswith(b"\n", close):
            end = close - 1 if close > at and data[close - 1] == CR else close
            return _ParsedField(data[at:end], False, close + 1, end)
        return _ParsedField(data[at:close], False, close + 1, None)

    def _closing_quote(self, at: int, size: int) -> int:
        """The position of the quote that closes the field whose content begins at ``at``; -1 if no quote before
        ``size`` closes the field.
        """
        while (first := self._data.find(self._quote, at, size)) >= 0:
            neighbours = self._quotes.match(self._data, first, size)
            assert neighbours is not None
            # An even number of neighbouring quotes is doubled quotes only; the last of an odd number closes the field.
            at = neighbours.end()
            if (at - first) % 2:
                return at - 1
        return -1

    def _first_line(self, start: int, line: int, message: str) -> Record | None:
        """The first physical line of a record of bad structure, as a fault; None if the line may continue beyond
        the buffer.
        """
        data, reason = self._data, FaultReason(BAD_FORMAT, message)
        newline = data.find(b"\n", start, start + rules.MAX_RECORD_BYTES)
        if newline < 0:
            if len(data) > start + rules.MAX_RECORD_BYTES:
                raise LineTooLong(line)
            if not self._at_end:
                return None
            return Record(start, len(data), len(data), line, (), reason)
        end = newline - 1 if data[newline - 1] == CR else newline
        return Record(start, end, newline + 1, line, (), reason)

    def content_fault(self, raw: bytes, count: int, lone_cr: bool) -> FaultReason | None:
        """The fault of a record of good structure, if it has one: encoding, lone CR or number of fields.

        :param raw: the record without its line end.
        :param count: how many fields the record has.
        :param lone_cr: an unquoted field holds a CR.
        """
        if (invalid := _invalid_utf8(raw)) is not None:
            return FaultReason(BAD_ENCODING, f'invalid byte sequence for encoding "UTF8": {invalid}')
        if lone_cr:
            return FaultReason(BAD_FORMAT, "unquoted carriage return found in data")
        return self.count_fault(count)

    def count_fault(self, count: int) -> FaultReason | None:
        """The fault of a record with ``count`` fields; None if the number of fields is right."""
        if self._fields is None or count == self._fields:
            return None
        if count > self._fields:
            return FaultReason(BAD_FORMAT, "extra data after last expected column")
        name = self._column_names[count] if count < len(self._column_names) else str(count + 1)
        return FaultReason(BAD_FORMAT, f'missing data for column "{name}"')


def _stopped(edge: _Edge, message: str) -> Exception:
    """The exception for a record that does not end before the edge.

    :param message: the fault of a record that more bytes could not complete.
    """
    return _Incomplete() if edge is _Edge.DATA_END else _BadStructure(message)


_LEAD_BYTES = ((2, 0xC0, 0xDF), (3, 0xE0, 0xEF), (4, 0xF0, 0xF7))
"""Length of a UTF-8 sequence, and the first and last byte with which a sequence of this length begins."""


def _invalid_utf8(raw: bytes) -> str | None:
    """The first byte sequence that is not UTF-8 (or is NUL), in the format of PostgreSQL's messages: ``0xc3 0x28``."""
    if b"\0" not in raw and raw.isascii():
        return None
    nul = raw.find(b"\0")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        if nul < 0 or error.start < nul:
            lead = raw[error.start]
            # PostgreSQL's pg_utf_mblen() takes as many bytes as the first byte announces, whatever they are.
            length = next((n for n, low, high in _LEAD_BYTES if low <= lead <= high), 1)
            return " ".join(f"0x{byte:02x}" for byte in raw[error.start : error.start + length])
    return "0x00" if nul >= 0 else None
