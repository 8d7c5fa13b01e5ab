"""One record after the other, field by field: :class:`RecordWalker` finds where a record with quotes or escapes ends.

A record that never ends is searched for its end up to MAX_RECORD_BYTES behind its first line, and so is the record
that begins on the next line, and so on. The walker marks the positions from which a walk ended badly. A later walk that
comes to such a position ends there, so that the time stays proportional to the bytes of the buffer.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pgsluice.source.records import rules
from pgsluice.source.records.free.grammar import Grammar
from pgsluice.source.records.rules import (
    CR,
    MAX_FIELDS,
    TEXT_BEHIND_QUOTE,
    TOO_LONG,
    TOO_MANY,
    UNQUOTED_CR,
    UNTERMINATED,
    Field,
)

_ESCAPED_CR = re.compile(rb"(?<!\\)(?:\\\\)*\\\r\Z")

_REASONS = ("", UNTERMINATED, TEXT_BEHIND_QUOTE, UNQUOTED_CR, TOO_LONG)
"""The messages of bad structure by the number that marks a position."""

_INNER = 8
"""Added to the number of a position that stands within an unquoted field."""


class Incomplete(Exception):
    """The record may continue beyond the buffer."""


class BadStructure(Exception):
    """The record cannot be divided into fields."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Stopped(BadStructure):
    """The record has not ended where the walk must stop."""


class Walked(NamedTuple):
    """A record divided into fields."""

    fields: list[Field]
    """The first fields: one more at most than the record must have."""
    width: int
    """How many fields there are."""
    surplus_empty: bool
    """All fields behind those that the record must have are empty and unquoted."""
    end: int
    """Where the record ends, its line end excluded."""
    next: int
    lone_cr: bool
    """An unquoted field holds a CR that ends no line."""
    rewrite: bool
    """An unquoted field holds a quote."""


class RecordWalker:
    """Divides the records of one buffer into fields.

    :param most: how many fields a record must have, or how many it may have.
    :param stop: a record with more than MAX_FIELDS fields is not walked to its end.
    :param at_end: the file ends with ``data``.
    """

    def __init__(self, data: bytes, grammar: Grammar, most: int, *, stop: bool, at_end: bool) -> None:
        self._data = data
        self._grammar = grammar
        self._most = most
        self._stop = stop
        self._at_end = at_end
        self._marks: bytearray | None = None
        """For each position 0, or why a record cannot end that has a field there."""
        self._pair = re.compile(re.escape(grammar.escape) + rb"[\s\S]") if grammar.escape else None
        self._near = max(2, len(grammar.delimiter))

    def record(self, start: int) -> Walked:
        """The record that begins at ``start``.

        :raises Incomplete: the record may continue beyond the buffer.
        :raises BadStructure: the record cannot be divided into fields.
        """
        limit = start + rules.MAX_RECORD_BYTES
        cut = limit < len(self._data)
        walk = _Walk(start, limit if cut else len(self._data), cut or not self._at_end)
        try:
            while not self._field(walk):
                if self._stop and walk.count >= MAX_FIELDS:
                    raise BadStructure(TOO_MANY)
        except BadStructure as error:
            if isinstance(error, _Stopped) and not cut and not self._at_end:
                raise Incomplete from None
            self._remember(walk, error.message)
            raise
        return Walked(walk.fields, walk.count, walk.surplus_empty, walk.end, walk.at, walk.lone_cr, walk.rewrite)

    def _field(self, walk: _Walk) -> bool:
        """Walks along the next field and the delimiter or line end behind it.

        :returns: whether the record ends with this field.
        """
        data, grammar = self._data, self._grammar
        at = walk.at
        if grammar.padding is not None:
            found = grammar.padding.match(data, at, walk.size)
            at = at if found is None else found.end()
        quoted = bool(grammar.quote) and at < walk.size and data.startswith(grammar.quote, at)
        if self._marks is not None and (mark := self._marks[at]) and not (quoted and mark & _INNER):
            raise BadStructure(_REASONS[mark & ~_INNER])
        walk.starts.append(at)
        behind = self._quoted(walk, at) if quoted else self._unquoted(walk, at)
        return self._behind(walk, behind, quoted)

    def _quoted(self, walk: _Walk, at: int) -> int:
        """Takes the field whose opening quote is at ``at``; returns the position behind it."""
        data, grammar = self._data, self._grammar
        found = grammar.closing.match(data, at + 1, walk.size)
        if found is None:
            raise _Stopped(UNTERMINATED)
        behind = found.end()
        if walk.count <= self._most:
            walk.fields.append((grammar.quoted_value(data[at + 1 : behind - 1]), True))
        if walk.count >= self._most:
            walk.surplus_empty = False
        walk.count += 1
        if grammar.padding is not None and not grammar.blanks:
            padding = grammar.padding.match(data, behind, walk.size)
            behind = behind if padding is None else padding.end()
        if walk.open and walk.size - behind < self._near:
            # A doubled quote, a delimiter or a line end may begin here.
            raise _Stopped(UNTERMINATED)
        walk.end = behind
        return behind

    def _unquoted(self, walk: _Walk, at: int) -> int:
        """Takes the field without quotes that begins at ``at``; returns the position behind it."""
        data, grammar = self._data, self._grammar
        found = grammar.unquoted.match(data, at, walk.size)
        assert found is not None  # the pattern matches the empty string
        stop = walk.end = found.end()
        if grammar.escape and grammar.line_end.search(data, at, stop):
            walk.inner.append((at, stop))
        if stop == walk.size and walk.open:
            raise _Stopped(TOO_LONG)
        raw = data[at:stop]
        before_lf = not grammar.any_end and raw.endswith(b"\r") and data.startswith(b"\n", stop)
        if before_lf and not (grammar.text and _ESCAPED_CR.search(raw)):
            raw, walk.end = raw[:-1], stop - 1
        if walk.count >= self._most and raw:
            walk.surplus_empty = False
        if walk.count <= self._most:
            walk.fields.append(self._value(raw))
        walk.count += 1
        if not grammar.any_end and b"\r" in raw:
            walk.lone_cr = walk.lone_cr or b"\r" in (self._pair.sub(b"", raw) if self._pair else raw)
        walk.rewrite = walk.rewrite or bool(grammar.quote and grammar.quote in raw)
        return stop

    def _value(self, raw: bytes) -> Field:
        """The value of an unquoted field; it is like a quoted field if it lost an escape."""
        grammar = self._grammar
        if not grammar.escape or grammar.escape not in raw or raw in grammar.null_texts:
            return raw, False
        value = grammar.unquoted_value(raw)
        return value, value != raw

    def _behind(self, walk: _Walk, behind: int, quoted: bool) -> bool:
        """Walks along what stands behind a field.

        :returns: whether the record ends here.
        :raises BadStructure: neither delimiter nor line end follows a quoted field.
        """
        data, grammar, size = self._data, self._grammar, walk.size
        if behind == size:
            walk.at = size
            return True
        if (end := grammar.line_end.match(data, behind, size)) is not None:
            walk.at = end.end()
            if walk.at == size and walk.open and data[size - 1] == CR:
                raise _Stopped(TOO_LONG)
            return True
        if (separator := grammar.separator.match(data, behind, size)) is not None:
            walk.at = separator.end()
            return grammar.blanks and self._ends_behind_blanks(walk)
        assert quoted  # an unquoted field ends only at these
        raise BadStructure(UNQUOTED_CR if data[behind] == CR else TEXT_BEHIND_QUOTE)

    def _ends_behind_blanks(self, walk: _Walk) -> bool:
        """Whether a record ends behind the blanks that end at ``walk.at``; they are no delimiter then."""
        data, at = self._data, walk.at
        if at == walk.size:
            if walk.open:
                raise _Stopped(TOO_LONG)
            walk.end = at
            return True
        end = self._grammar.line_end.match(data, at, walk.size)
        if end is None:
            return False
        walk.end, walk.at = at, end.end()
        if walk.at == walk.size and walk.open and data[walk.at - 1] == CR:
            raise _Stopped(TOO_LONG)
        return True

    def _remember(self, walk: _Walk, message: str) -> None:
        """Marks where the fields of a record begin that ends badly, and the lines that begin within unquoted fields."""
        if message not in _REASONS or not walk.starts:
            return
        if not walk.inner and not self._grammar.line_end.search(self._data, walk.starts[0], walk.starts[-1]):
            return
        if self._marks is None:
            self._marks = bytearray(len(self._data) + 1)
        reason = _REASONS.index(message)
        for start in walk.starts:
            self._marks[start] = reason
        for start, stop in walk.inner:
            for end in self._grammar.line_end.finditer(self._data, start, stop):
                self._marks[end.end()] = self._marks[end.end()] or reason + _INNER


class _Walk:
    """How far the walk along a record has come."""

    __slots__ = (
        "at", "count", "end", "fields", "inner", "lone_cr", "open", "rewrite", "size", "starts", "surplus_empty",
    )  # fmt: skip

    def __init__(self, start: int, size: int, open_end: bool) -> None:
        self.at = start
        self.size = size
        """Where the walk must stop."""
        self.open = open_end
        """The data go on behind ``size``."""
        self.fields: list[Field] = []
        self.count = 0
        self.end = start
        self.surplus_empty = True
        self.lone_cr = False
        self.rewrite = False
        self.starts: list[int] = []
        """Where the fields begin."""
        self.inner: list[tuple[int, int]] = []
        """The unquoted fields that hold a line end."""
