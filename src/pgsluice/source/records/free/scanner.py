"""The records of a buffer whose dialect is not plain, faults included, one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pgsluice.model import Dialect, Ragged
from pgsluice.source.records import rules
from pgsluice.source.records.fast_scan import is_valid_utf8
from pgsluice.source.records.free.grammar import grammar_of
from pgsluice.source.records.free.walk import BadStructure, Incomplete, RecordWalker, Walked
from pgsluice.source.records.inner_quotes import enclosed_delimiters
from pgsluice.source.records.lines import count_lines, line_end
from pgsluice.source.records.record_parser import count_fault, invalid_sequence
from pgsluice.source.records.rules import (
    BAD_ENCODING,
    BAD_FORMAT,
    CR,
    MAX_FIELDS,
    TEXT_CR,
    TEXT_END_MARKER,
    TOO_MANY,
    UNQUOTED_CR,
    FaultReason,
    Field,
    LineTooLong,
    Record,
)

_END_MARKER = re.compile(rb"(?<!\\)(?:\\\\)*\\\.")
"""An unescaped end marker of COPY's text format."""


class FreeScanner:
    """Finds the records of one buffer.

    :param data: begins where a record begins.
    :param fields: how many fields a record must have; None allows any number.
    :param column_names: for messages about missing fields.
    :param at_end: the file ends with ``data``. Otherwise a last record that may continue is left out.
    """

    def __init__(
        self, data: bytes, dialect: Dialect, fields: int | None, column_names: Sequence[str], at_end: bool
    ) -> None:
        self.consumed = 0
        """How many bytes belong to the records that were yielded, and to the lines before and among them that are no
        records."""
        self._data = data
        self._dialect = dialect
        self._grammar = grammar_of(dialect)
        self._fields = fields
        self._most = MAX_FIELDS if fields is None else fields
        self._column_names = column_names
        self._at_end = at_end
        self._valid = b"\0" not in data and is_valid_utf8(data)
        self._walker = RecordWalker(data, self._grammar, self._most, stop=fields is None, at_end=at_end)
        self._filler: Field = (dialect.null_texts[0].encode(), False)

    def records(self, first_line: int = 1) -> Iterator[Record]:
        """Yields the records.

        :param first_line: the physical line on which the buffer begins.
        :raises LineTooLong: a line is longer than rules.MAX_RECORD_BYTES.
        """
        data, line, at = self._data, first_line, 0
        try:
            while at < len(data):
                after = self._behind_no_records(at, line)
                if after > at:
                    line += count_lines(data, self._dialect, at, after)
                    self.consumed = at = after
                    continue
                record = self._record(at, line)
                line += count_lines(data, self._dialect, at, record.next)
                self.consumed = at = record.next
                yield record
        except Incomplete:
            return

    # Lines that are no records.

    def _behind_no_records(self, at: int, line: int) -> int:
        """The position behind the blank lines, or the comment, that begin at ``at``; ``at`` if there are none.

        :param line: the physical line of ``at``.
        """
        data, grammar = self._data, self._grammar
        if grammar.comment and data.startswith(grammar.comment, at):
            return self._line(at, line)[1]
        if self._fields == 1:
            return at
        found = grammar.blank_lines.match(data, at)
        after = at if found is None else found.end()
        if self._at_end:
            if grammar.padding is not None and (rest := grammar.padding.match(data, after)) and rest.end() == len(data):
                return len(data)
        elif after == len(data) and after > at and data[after - 1] == CR:
            # An LF may follow.
            after -= 1
        return after

    def _line(self, at: int, line: int) -> tuple[int, int]:
        """Where the physical line that begins at ``at`` ends, its line end excluded and included.

        :param line: the number of the line.
        :raises Incomplete: the line may continue beyond the buffer.
        :raises LineTooLong: the line is longer than MAX_RECORD_BYTES.
        """
        data = self._data
        limit = at + rules.MAX_RECORD_BYTES
        end, after = line_end(data, self._dialect, at, min(len(data), limit))
        if after < 0:
            if len(data) > limit:
                raise LineTooLong(line)
            if not self._at_end:
                raise Incomplete
            return len(data), len(data)
        if after == len(data) and not self._at_end and data[after - 1] == CR:
            raise Incomplete
        return end, after

    # One record.

    def _record(self, start: int, line: int) -> Record:
        """The record that begins at ``start``.

        :raises Incomplete: the record may continue beyond the buffer.
        :raises LineTooLong: its first line is longer than MAX_RECORD_BYTES.
        """
        end, after = self._line(start, line)
        try:
            walked = self._unquoted_line(start, end, after) or self._walker.record(start)
        except BadStructure as error:
            return Record(start, end, after, line, (), FaultReason(BAD_FORMAT, error.message))
        raw = self._data[start : walked.end]
        fields, fault = self._finish(walked, raw)
        if walked.rewrite and fault is None and self._fields is not None:
            fault = self._shift_fault(raw, self._fields)
        return Record(start, walked.end, walked.next, line, fields, fault, walked.rewrite)

    def _unquoted_line(self, start: int, end: int, after: int) -> Walked | None:
        """The record of a line that has neither quote nor escape, and so is a record; else None.

        :param end: where the line ends, its line end excluded.
        :param after: where the next line begins.
        """
        grammar, most = self._grammar, self._most
        text = self._data[start:end]
        if (grammar.quote and grammar.quote in text) or (grammar.escape and grammar.escape in text):
            return None
        if grammar.blanks:
            parts = grammar.separator.split(text.strip(b" \t"), most + 1)
            count = len(parts) + (len(grammar.separator.findall(parts[-1])) if len(parts) > most + 1 else 0)
        else:
            count = text.count(grammar.delimiter) + 1
            parts = text.split(grammar.delimiter, most + 1)
            if grammar.loose:
                parts = [part.lstrip(grammar.padding_bytes) for part in parts]
        if count > MAX_FIELDS and self._fields is None:
            raise BadStructure(TOO_MANY)
        empty = count <= most or (not parts[most] and self._only_delimiters(parts[most + 1 :]))
        fields = [(part, False) for part in parts[: most + 1]]
        return Walked(fields, count, empty, end, after, not grammar.any_end and b"\r" in text, False)

    def _only_delimiters(self, rest: list[bytes]) -> bool:
        """Whether the text behind the fields that were collected consists of delimiters."""
        text = b"".join(rest)
        if self._grammar.loose:
            text = text.translate(None, self._grammar.padding_bytes)
        return not text.replace(self._grammar.delimiter, b"") if self._grammar.delimiter else not text

    def _finish(self, walked: Walked, raw: bytes) -> tuple[tuple[Field, ...], FaultReason | None]:
        """The fields of a record as its row has them, and its fault."""
        fields, count, most = walked.fields, walked.width, self._most
        kept = count - self._dialect.trailing_delimiters
        # Of the fields behind the last that the record must have, only one is at hand, but all are empty.
        if 0 < kept < count and walked.surplus_empty and all(field == (b"", False) for field in fields[kept:]):
            del fields[kept:]
            count = kept
        if self._fields is not None:
            if count > most and self._dialect.ragged is not Ragged.REJECT and walked.surplus_empty:
                count = most
                del fields[most:]
            elif count < most and self._dialect.ragged is Ragged.FILL:
                fields += [self._filler] * (most - count)
                count = most
        return tuple(fields), self._content_fault(raw, fields, count, walked.lone_cr)

    def _shift_fault(self, raw: bytes, fields: int) -> FaultReason | None:
        """The fault of a record in which a quote inside an unquoted field opens a quoted section.

        This is told only of records without an escape, and not of fields that blanks separate.
        """
        grammar = self._grammar
        if grammar.blanks or (grammar.escape and grammar.escape in raw):
            return None
        padding = grammar.padding_bytes if grammar.loose else b""
        enclosed = enclosed_delimiters(raw, grammar.delimiter, grammar.quote, padding)
        return count_fault(fields - enclosed, fields, self._column_names)

    def _content_fault(self, raw: bytes, fields: list[Field], count: int, lone_cr: bool) -> FaultReason | None:
        """The fault of a record of good structure, if it has one."""
        invalid = None if self._valid else invalid_sequence(raw)
        if self._grammar.text and b"\\" in raw:
            if invalid is None and _END_MARKER.search(raw):
                return FaultReason(BAD_FORMAT, TEXT_END_MARKER)
            # An escape may write any byte.
            invalid = invalid or next(filter(None, (invalid_sequence(value) for value, _ in fields)), None)
        if invalid is not None:
            return FaultReason(BAD_ENCODING, f'invalid byte sequence for encoding "UTF8": {invalid}')
        if lone_cr:
            return FaultReason(BAD_FORMAT, TEXT_CR if self._grammar.text else UNQUOTED_CR)
        return count_fault(count, self._fields, self._column_names)
