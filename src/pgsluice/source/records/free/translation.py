"""A whole buffer translated into the plain dialect of blocks, with a few replacements instead of a loop over records.

This is possible where no escape but a whole ``\\N`` occurs and no comment among quotes. What comes out is validated by
:func:`~pgsluice.source.records.fast_scan.clean_prefix`, like a plain file: if a record may be a fault, or if quotes
stand elsewhere than around fields, nothing comes out, and the caller must parse record by record.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pgsluice.model import Dialect
from pgsluice.source.records.fast_scan import CleanPrefix, clean_prefix
from pgsluice.source.records.free.grammar import Grammar, grammar_of
from pgsluice.source.records.rules import CR, MAX_RECORD_BYTES

_MOST_CUTS = 16
"""How often an end of the last whole record is looked for, before the records are parsed one by one."""


def translate(data: bytes, dialect: Dialect, fields: int, most: int, *, at_end: bool) -> tuple[int, CleanPrefix] | None:
    """Translates the complete records at the beginning of a buffer.

    :param data: begins where a record begins.
    :param fields: how many fields a record must have.
    :param most: how many records may be translated.
    :param at_end: the file ends with ``data``.
    :returns: how many bytes of ``data`` were translated, and the translated records; None if that is not possible.
    """
    if len(data) > MAX_RECORD_BYTES:
        return None
    grammar, plain = grammar_of(dialect), dialect.in_blocks
    ended = data + b"\n" if at_end and not data.endswith((b"\n", b"\r")) else data
    cut = _cut(ended, grammar, most, at_end)
    if not cut:
        return None
    body = ended if cut == len(ended) else ended[:cut]
    delimiter, quote = plain.delimiter.encode(), plain.quote.encode()
    if (delimiter != grammar.delimiter and delimiter in body) or (not grammar.quote and quote in body):
        return None
    if grammar.escape and grammar.escape in body and not _escapes_only_nulls(body, grammar):
        return None
    text = _translated(body, grammar, delimiter)
    if text is None or text.startswith(b"\xef\xbb\xbf"):
        return None
    prefix = clean_prefix(text, plain, fields, most)
    if prefix is None or prefix.cut < len(text):
        return None
    return min(cut, len(data)), prefix


def _cut(data: bytes, grammar: Grammar, most: int, at_end: bool) -> int:
    """Where the last whole record ends, if quotes stand around fields only; 0 if that is not found."""
    stop = len(data)
    for _ in range(_MOST_CUTS):
        stop = _line_start(data, grammar, stop, at_end)
        if stop and grammar.quote and data.count(grammar.quote, 0, stop) % 2:
            stop = data.rfind(grammar.quote, 0, stop)
            continue
        if data.count(b"\n", 0, stop) <= most and (not grammar.any_end or data.count(b"\r", 0, stop) <= most):
            return stop
        stop //= 2
    return 0


def _line_start(data: bytes, grammar: Grammar, stop: int, at_end: bool) -> int:
    """The position behind the last line end before ``stop``; 0 if there is none."""
    after = data.rfind(b"\n", 0, stop) + 1
    if not grammar.any_end:
        return after
    # An LF may follow a CR at the end of the buffer.
    last = stop if at_end or stop < len(data) or data[stop - 1] != CR else stop - 1
    if last < len(data) and data[last - 1 : last + 1] == b"\r\n":
        last -= 1
    return max(after, data.rfind(b"\r", 0, last) + 1)


def _escapes_only_nulls(data: bytes, grammar: Grammar) -> bool:
    r"""Whether each escape belongs to a field ``\N`` that means the same in the plain dialect."""
    if grammar.escape != b"\\" or len(grammar.delimiter) != 1 or b"\\N" not in grammar.null_texts:
        return False
    return data.count(b"\\") == len(_null_field(grammar.delimiter).findall(data))


@lru_cache(maxsize=16)
def _null_field(delimiter: bytes) -> re.Pattern[bytes]:
    d = re.escape(delimiter)
    return re.compile(rb"(?:(?<=[%b\r\n])|\A)\\N(?=[%b\r\n])" % (d, d))


def _translated(body: bytes, grammar: Grammar, delimiter: bytes) -> bytes | None:
    """The records in the plain dialect; None if a comment stands among quotes, or if a CR ends no line.

    :param delimiter: the delimiter of the plain dialect.
    """
    if not grammar.quote or grammar.quote not in body:
        return _outside(body, grammar, delimiter)
    if grammar.comment and re.search(rb"(?:\A|[\r\n])" + re.escape(grammar.comment), body):
        return None
    parts = body.split(grammar.quote)
    # Between two quotes, one remains as a mark for the quoted text.
    outside = _outside(grammar.quote.join(parts[::2]), grammar, delimiter)
    if outside is None:
        return None
    parts[::2] = outside.split(grammar.quote)
    return grammar.quote.join(parts)


def _outside(text: bytes, grammar: Grammar, delimiter: bytes) -> bytes | None:
    """Text outside of quotes in the plain dialect, None if a CR ends no line; a quote stands for a quoted text."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
        if grammar.any_end:
            text = text.replace(b"\r", b"\n")
        elif b"\r" in text:
            return None
    if grammar.comment:
        text = re.sub(rb"(?m)^%b[^\n]*\n" % re.escape(grammar.comment), b"", text)
    if grammar.blanks:
        text = text.replace(b"\t", b" ")
        while b"  " in text:
            text = text.replace(b"  ", b" ")
        text = text.replace(b"\n ", b"\n").replace(b" \n", b"\n").removeprefix(b" ").replace(b" ", delimiter)
    elif delimiter != grammar.delimiter:
        text = text.replace(grammar.delimiter, delimiter)
    if grammar.loose and not grammar.blanks:
        d, quote, padding = re.escape(delimiter), re.escape(grammar.quote), grammar.padding_bytes
        text = re.sub(rb"(\A|\n|%b)[%b]+" % (d, padding), rb"\1", text)
        if quote:
            text = re.sub(rb"%b[%b]+(?=\n|%b)" % (quote, padding, d), quote, text)
    if grammar.dialect.trailing_delimiters:
        text = text.replace(delimiter * grammar.dialect.trailing_delimiters + b"\n", b"\n")
    return text
