"""The fields of one record after the other: :class:`FieldWalker` finds where a record with quoted fields ends.

A record that never ends is searched for its end up to MAX_RECORD_BYTES behind its first line, and so is the record
that begins on the next line, and so on. The walker remembers where such a search came along, so that the time stays
proportional to the bytes of the buffer: what follows the beginning of a field does not depend on the record.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import NamedTuple

from pgsluice.source.records import rules
from pgsluice.source.records.rules import CR, TEXT_BEHIND_QUOTE, TOO_LONG, TOO_MANY, UNQUOTED_CR, UNTERMINATED, Field

_UNMARKED_FIELDS = 8
"""After how many fields of a record the walker begins to remember. Nearly every record is shorter or ends well."""

_CURRENT = 1
"""The mark of a field that the walk of the current record has passed."""

_MOST_CHAINS = 255
"""How many chains a mark of one byte can tell apart."""


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

    start: int
    """Where the value begins, its quote excluded."""
    stop: int
    quoted: bool
    next: int
    """Where the next field begins, or, behind the last field, the next record."""
    record_end: int | None
    """Where the record ends, its line end excluded; None if another field follows."""


class Incomplete(Exception):
    """The record may continue beyond the buffer."""


class BadStructure(Exception):
    """The record cannot be divided into fields."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TooManyFields(BadStructure):
    """The record has more fields than are allowed."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        super().__init__(TOO_MANY)
        self.fields = fields
        """The first fields of the record."""


class _LimitReached(BadStructure):
    """The record is longer than MAX_RECORD_BYTES. A record that begins later may find its end behind this limit.

    :param at: up to where the field has been searched for its end.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


class WalkedRecord(NamedTuple):
    """What a walk along the fields of a record found."""

    fields: tuple[Field, ...]
    """All fields; empty if there are more than the walker collects."""
    width: int
    """How many fields there are; of a record with more fields than are collected, at least one more."""
    end: int
    """Where the record ends, its line end excluded."""
    next: int
    """Where the next record begins."""
    lone_cr: bool
    """An unquoted field holds a CR."""
    rewrite: bool
    """An unquoted field holds a quote."""


@dataclass(slots=True)
class _Chain:
    """The fields that follow each other behind records that never end, one chain for all records that share them."""

    message: str = ""
    """Why no record ends behind these fields; empty if a record that begins later may end."""
    at: int = 0
    """Where the last field of the chain begins, if there is no message."""
    searched: int = 0
    """Up to where this field has been searched for its end."""


class FieldWalker:
    """Walks along the fields of the records of one buffer, record by record, forwards.

    :param at_end: the file ends with ``data``.
    :param most: how many fields of a record are collected; a record with more fields is only counted.
    :param stop: a record with more than ``most`` fields is not walked to its end.
    """

    def __init__(self, data: bytes, delimiter: bytes, quote: bytes, at_end: bool, most: int, *, stop: bool) -> None:
        self._data = data
        self._delimiter = delimiter
        self._quote = quote
        self._at_end = at_end
        self._most = most
        self._stop = stop
        self._unquoted_value = re.compile(b"[^" + re.escape(delimiter) + b"\n]*")
        self._quotes = re.compile(re.escape(quote) + b"+")
        escaped = {b"q": re.escape(quote), b"d": re.escape(delimiter)}
        self._run = re.compile(
            b"(?:(?>%(q)b[^%(q)b\n]*+(?:%(q)b%(q)b[^%(q)b\n]*+)*+%(q)b|[^%(q)b%(d)b\r\n]*+)%(d)b)++" % escaped
        )
        """Matches well-formed fields within a line. No record begins among them, so they need no marks."""
        self._marks: bytearray | None = None
        """For each position 0, _CURRENT, or the number of the chain to which the field belongs that begins there."""
        self._chains = [_Chain(), _Chain(), *map(_Chain, (UNTERMINATED, TEXT_BEHIND_QUOTE, UNQUOTED_CR))]
        """By number; the first two stand for no chain."""

    def record(self, start: int) -> WalkedRecord:
        """The record that begins at ``start``.

        :raises Incomplete: the record may continue beyond the buffer.
        :raises BadStructure: the record cannot be divided into fields.
        :raises TooManyFields: the record has more than ``most`` fields, and ``stop`` is set.
        """
        bounds = self._bounds(start)
        found = self._walk(start, bounds, remember=not self._stop)
        # A record that ends behind the fields of a chain has to be walked along all its fields, to collect them.
        return found or self._walk(start, bounds, remember=False) or self._no_record()

    @staticmethod
    def _no_record() -> WalkedRecord:
        raise AssertionError("a walk that remembers nothing finds the record or raises")

    def _walk(self, start: int, bounds: _Bounds, *, remember: bool) -> WalkedRecord | None:
        """Walks along the fields of a record.

        :param remember: use the marks and set them.
        :returns: None if the record ends behind fields that an earlier walk has passed.
        """
        data, quote, most = self._data, self._quote, self._most
        marks = self._marks if remember else None
        fields: list[Field] = []
        count, at, end = 0, start, None
        lone_cr = rewrite = False
        while end is None:
            if marks is not None:
                if marks[at] > _CURRENT:
                    self._join(start, at, bounds)
                    return None
                marks[at] = _CURRENT
            elif remember and count == _UNMARKED_FIELDS:
                marks = self._marks = bytearray(len(data) + 1)
            try:
                field = self._field(at, bounds)
            except BadStructure as error:
                if marks is not None:
                    self._remember(start, at, error)
                raise
            count += 1
            if not field.quoted:
                lone_cr = lone_cr or data.find(b"\r", field.start, field.stop) >= 0
                rewrite = rewrite or data.find(quote, field.start, field.stop) >= 0
            if count <= most:
                fields.append((self._value(field), field.quoted))
            elif self._stop:
                raise TooManyFields(tuple(fields))
            else:
                fields.clear()
            at, end = field.next, field.record_end
            if count > most and end is None and (run := self._run.match(data, at, bounds.size)):
                at = run.end()
        return WalkedRecord(tuple(fields), count, end, at, lone_cr, rewrite)

    def _value(self, field: _ParsedField) -> bytes:
        value = self._data[field.start : field.stop]
        if field.quoted and self._quote in value:
            return value.replace(self._quote * 2, self._quote)
        return value

    # What is remembered of records that do not end.

    def _remember(self, start: int, at: int, error: BadStructure) -> None:
        """Puts the fields that the current walk has passed into a chain.

        :param start: where the record begins.
        :param at: where its last field begins.
        :param error: what happened in this field.
        """
        if not isinstance(error, _LimitReached):
            number = next(i for i, chain in enumerate(self._chains) if chain.message == error.message)
        elif len(self._chains) > _MOST_CHAINS:
            return
        else:
            number = len(self._chains)
            self._chains.append(_Chain("", at, error.at))
        self._mark(start, at + 1, number)

    def _mark(self, start: int, stop: int, number: int) -> None:
        """Puts the fields between two positions that the current walk has passed into a chain."""
        assert self._marks is not None
        table = bytes.maketrans(bytes((_CURRENT,)), bytes((number,)))
        self._marks[start:stop] = self._marks[start:stop].translate(table)

    def _join(self, start: int, at: int, bounds: _Bounds) -> None:
        """Continues a walk that has come to a field of a chain. Returns if the record ends behind the chain.

        :param start: where the record begins.
        :param at: where the field begins.
        :raises BadStructure: as :meth:`record`.
        """
        assert self._marks is not None
        number = self._marks[at]
        self._mark(start, at, number)
        chain = self._chains[number]
        while not chain.message:
            try:
                field = self._field(chain.at, bounds, chain.searched)
            except _LimitReached as error:
                chain.searched = error.at
                raise
            except BadStructure as error:
                chain.message = error.message
                break
            if field.record_end is not None:
                return
            run = self._run.match(self._data, field.next, bounds.size)
            chain.at, chain.searched = run.end() if run else field.next, 0
            other = self._marks[chain.at]
            if other > _CURRENT and self._chains[other] is not chain:
                following = self._chains[other]
                self._chains = [following if c is chain else c for c in self._chains]
                chain = following
            else:
                self._marks[chain.at] = number
        raise BadStructure(chain.message)

    # One field.

    def _bounds(self, start: int) -> _Bounds:
        limit = start + rules.MAX_RECORD_BYTES
        if len(self._data) > limit:
            return _Bounds(limit, _Edge.LENGTH_LIMIT)
        return _Bounds(len(self._data), _Edge.FILE_END if self._at_end else _Edge.DATA_END)

    def _field(self, at: int, bounds: _Bounds, searched: int = 0) -> _ParsedField:
        """The field that begins at ``at``.

        :param searched: up to where an earlier call has searched the field for its end.
        """
        if at < bounds.size and self._data.startswith(self._quote, at):
            return self._quoted_field(at, bounds, searched)
        return self._unquoted_field(at, bounds, searched)

    def _quoted_field(self, at: int, bounds: _Bounds, searched: int) -> _ParsedField:
        """The field whose opening quote is at ``at``."""
        data, (size, edge) = self._data, bounds
        close, searched = self._closing_quote(max(at + 1, searched), size)
        if close < 0 or (close + 1 == size and edge is not _Edge.FILE_END):
            raise _stopped(edge, UNTERMINATED, searched if close < 0 else close)
        behind = close + 1
        if data.startswith(self._delimiter, behind):
            return _ParsedField(at + 1, close, True, behind + 1, None)
        if behind == size:
            return _ParsedField(at + 1, close, True, behind, behind)
        if data.startswith(b"\n", behind):
            return _ParsedField(at + 1, close, True, behind + 1, behind)
        if data.startswith(b"\r\n", behind):
            return _ParsedField(at + 1, close, True, behind + 2, behind)
        if data.startswith(b"\r", behind):
            if behind + 1 == size and edge is _Edge.DATA_END:
                raise Incomplete
            raise BadStructure(UNQUOTED_CR)
        raise BadStructure(TEXT_BEHIND_QUOTE)

    def _unquoted_field(self, at: int, bounds: _Bounds, searched: int) -> _ParsedField:
        """The field without quotes that begins at ``at``."""
        data, (size, edge) = self._data, bounds
        match = self._unquoted_value.match(data, max(at, searched), size)
        assert match is not None  # the pattern matches the empty string
        close = match.end()
        if close == size:
            if edge is not _Edge.FILE_END:
                raise _stopped(edge, TOO_LONG, size)
            return _ParsedField(at, close, False, close, close)
        if data.startswith(b"\n", close):
            end = close - 1 if close > at and data[close - 1] == CR else close
            return _ParsedField(at, end, False, close + 1, end)
        return _ParsedField(at, close, False, close + 1, None)

    def _closing_quote(self, at: int, size: int) -> tuple[int, int]:
        """The position of the quote that closes the field whose content begins at ``at``; -1 if no quote before
        ``size`` closes the field, and then where the search has to go on with more bytes.
        """
        while (first := self._data.find(self._quote, at, size)) >= 0:
            neighbours = self._quotes.match(self._data, first, size)
            assert neighbours is not None
            # An even number of neighbouring quotes is doubled quotes only; the last of an odd number closes the field.
            at = neighbours.end()
            if (at - first) % 2:
                return at - 1, at - 1
        return -1, max(at, size)


def _stopped(edge: _Edge, message: str, at: int) -> Exception:
    """The exception for a record that does not end before the edge.

    :param message: for a record that cannot end behind the edge either.
    :param at: up to where the last field has been searched for its end.
    """
    if edge is _Edge.DATA_END:
        return Incomplete()
    return _LimitReached(message, at) if edge is _Edge.LENGTH_LIMIT else BadStructure(message)
