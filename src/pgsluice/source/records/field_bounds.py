"""Where the fields of one record begin and end, so that a message can point at one of them."""

from __future__ import annotations

from pgsluice.model import Dialect
from pgsluice.source.records.free.grammar import Grammar, grammar_of

Bounds = tuple[int, int]
"""Begin and end of a field, its quotes included."""


def field_bounds(record: bytes, dialect: Dialect, most: int) -> tuple[list[Bounds], Bounds | None]:
    """Divides a record into fields, as far as it can be divided.

    :param record: the record without its line end.
    :param most: how many fields are looked for.
    :returns: the bounds of the fields, and what stands behind them where no field can begin: text behind a closing
        quote, or a quoted field that has no end. None if there is no such text.
    """
    grammar = grammar_of(dialect)
    trailing = dialect.trailing_delimiters
    found: list[Bounds] = []
    at = 0
    while len(found) < most:
        if grammar.padding is not None and (blanks := grammar.padding.match(record, at)):
            at = blanks.end()
        quoted = bool(grammar.quote) and record.startswith(grammar.quote, at)
        field = grammar.closing.match(record, at + 1) if quoted else grammar.unquoted.match(record, at)
        if field is None:
            return found, (at, len(record))
        stop = behind = field.end()
        found.append((at, stop))
        if quoted and grammar.padding is not None and (blanks := grammar.padding.match(record, behind)):
            behind = blanks.end()
        separator = grammar.separator.match(record, behind)
        if separator is None:
            return found, (behind, len(record)) if behind < len(record) else None
        at = separator.end()
        if trailing and _separators(record, behind, grammar) == trailing:
            break
    return found, None


def _separators(record: bytes, at: int, grammar: Grammar) -> int:
    """How many delimiters stand from a position on, if nothing else stands there; else 0."""
    count = 0
    while (separator := grammar.separator.match(record, at)) is not None:
        count += 1
        at = separator.end()
        if grammar.padding is not None and (blanks := grammar.padding.match(record, at)):
            at = blanks.end()
    return count if at == len(record) else 0
