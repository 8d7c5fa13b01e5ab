"""One record at a time: :class:`RecordParser` applies the exact rules to the record that begins at a position."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pgsluice.model import Dialect
from pgsluice.source.records import rules
from pgsluice.source.records.fast_scan import invalid_utf8_at, is_valid_utf8, loses_blanks
from pgsluice.source.records.field_walker import BadStructure, FieldWalker, Incomplete, TooManyFields, WalkedRecord
from pgsluice.source.records.inner_quotes import enclosed_delimiters
from pgsluice.source.records.rules import (
    BAD_ENCODING,
    BAD_FORMAT,
    CR,
    MAX_FIELDS,
    TOO_LONG,
    TOO_MANY,
    UNQUOTED_CR,
    CleanSpan,
    FaultReason,
    LineTooLong,
    Record,
)

_SPAN_RECORDS = 16
"""How many records :meth:`RecordParser.clean_span` matches at most. Its caller then asks the classified lines again,
which find a long span of plain lines faster."""


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
        self._most = MAX_FIELDS if fields is None else fields
        self._walker = FieldWalker(data, self._delimiter, self._quote, at_end, self._most, stop=fields is None)
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
        if fault is not None and fault.message != TOO_MANY:
            return Record(start, end, newline + 1, line, (), fault)
        plain = tuple((value, False) for value in text.split(delimiter, MAX_FIELDS)[:MAX_FIELDS])
        if fault is not None:
            return Record(start, end, newline + 1, line, plain, fault)
        if quote in text:
            return Record(start, end, newline + 1, line, plain, self._shift_fault(text), True)
        return Record(start, end, newline + 1, line, plain, None, not (text or self.keeps_blanks))

    def record(self, start: int, line: int) -> Record | None:
        """The record that begins at ``start``; None if the record may continue beyond the buffer.

        :raises LineTooLong: the record's first line is longer than MAX_RECORD_BYTES.
        """
        return self.unquoted_record(start, line) or self.quoted_record(start, line)

    def _last_unquoted_record(self, start: int) -> WalkedRecord | None:
        """The last record of the buffer, if it has no quoted field; None if it has.

        :raises Incomplete: the record may continue beyond the buffer.
        :raises BadStructure: the record is longer than MAX_RECORD_BYTES.
        """
        data, delimiter, quote = self._data, self._delimiter, self._quote
        stop = min(len(data), start + rules.MAX_RECORD_BYTES)
        if data.startswith(quote, start) or data.find(b"\n", start, stop) >= 0:
            return None
        if data.find(delimiter + quote, start, stop) >= 0:
            return None
        count = data.count(delimiter, start, stop) + 1
        if count > self._most and self._fields is None:
            return None
        if stop < len(data):
            raise BadStructure(TOO_LONG)
        if not self._at_end:
            raise Incomplete
        fields = tuple((v, False) for v in data[start:].split(delimiter)) if count <= self._most else ()
        lone_cr, rewrite = data.find(b"\r", start) >= 0, data.find(quote, start) >= 0
        return WalkedRecord(fields, count, stop, stop, lone_cr, rewrite)

    def quoted_record(self, start: int, line: int) -> Record | None:
        """What :meth:`record` returns for a record that :meth:`unquoted_record` does not return."""
        try:
            found = self._last_unquoted_record(start) or self._walker.record(start)
        except Incomplete:
            return None
        except TooManyFields as fault:
            return self._too_many_fields(start, line, fault)
        except BadStructure as fault:
            return self._first_line(start, line, fault.message)
        raw = self._data[start : found.end]
        reason = self.content_fault(raw, found.width, found.lone_cr)
        if found.rewrite and reason is None:
            reason = self._shift_fault(raw)
        return Record(start, found.end, found.next, line, found.fields, reason, found.rewrite)

    def _too_many_fields(self, start: int, line: int, fault: TooManyFields) -> Record:
        """The first physical line of a record with too many fields, as far as the buffer holds the line."""
        newline = self._data.find(b"\n", start, start + rules.MAX_RECORD_BYTES)
        end = len(self._data) if newline < 0 else newline
        return Record(start, end, end + (newline >= 0), line, fault.fields, FaultReason(BAD_FORMAT, fault.message))

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
        if (invalid := invalid_sequence(raw)) is not None:
            return FaultReason(BAD_ENCODING, f'invalid byte sequence for encoding "UTF8": {invalid}')
        if lone_cr:
            return FaultReason(BAD_FORMAT, UNQUOTED_CR)
        return self.count_fault(count)

    def _shift_fault(self, raw: bytes) -> FaultReason | None:
        """The fault of a record in which a quote inside an unquoted field opens a quoted section."""
        if self._fields is None:
            return None
        enclosed = enclosed_delimiters(raw, self._delimiter, self._quote)
        return count_fault(self._fields - enclosed, self._fields, self._column_names)

    def count_fault(self, count: int) -> FaultReason | None:
        """The fault of a record with ``count`` fields; None if the number of fields is right."""
        return count_fault(count, self._fields, self._column_names)


def count_fault(count: int, fields: int | None, column_names: Sequence[str]) -> FaultReason | None:
    """The fault of a record with ``count`` fields; None if the number of fields is right.

    :param fields: how many fields the record must have; None allows any number up to MAX_FIELDS.
    """
    if count == fields or (fields is None and count <= MAX_FIELDS):
        return None
    if fields is None:
        return FaultReason(BAD_FORMAT, TOO_MANY)
    if count > fields:
        return FaultReason(BAD_FORMAT, "extra data after last expected column")
    name = column_names[count] if count < len(column_names) else str(count + 1)
    return FaultReason(BAD_FORMAT, f'missing data for column "{name}"')


_LEAD_BYTES = ((2, 0xC0, 0xDF), (3, 0xE0, 0xEF), (4, 0xF0, 0xF7))
"""Length of a UTF-8 sequence, and the first and last byte with which a sequence of this length begins."""


def invalid_sequence(raw: bytes) -> str | None:
    """The first byte sequence that is not UTF-8 (or is NUL), in the format of PostgreSQL's messages: ``0xc3 0x28``."""
    nul = raw.find(b"\0")
    at = invalid_utf8_at(raw)
    if at >= 0 and (nul < 0 or at < nul):
        lead = raw[at]
        # PostgreSQL's pg_utf_mblen() takes as many bytes as the first byte announces, whatever they are.
        length = next((n for n, low, high in _LEAD_BYTES if low <= lead <= high), 1)
        return " ".join(f"0x{byte:02x}" for byte in raw[at : at + length])
    return "0x00" if nul >= 0 else None
