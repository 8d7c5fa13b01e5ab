r"""The values of fields that hold escapes."""

from __future__ import annotations

import re
from collections.abc import Callable

from pgsluice.model import BLANKS, Dialect

_TEXT_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|([\s\S])|\Z)")
"""An escape of COPY's text format. A backslash at the very end is left out (CopyReadAttributesText in PostgreSQL)."""

_LONG = 1 << 16
"""From how many bytes on a text is rewritten piece by piece: ``re.sub`` holds fifty bytes for each escape."""

_CONTROL = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def text_value(raw: bytes) -> bytes:
    r"""The value of a field of COPY's text format. ``\N`` is not known here: it means NULL only as a whole field.

    Source: PostgreSQL manual, COPY, "Text Format".
    """
    return _substituted(_TEXT_ESCAPE, _text_byte, raw) if b"\\" in raw else raw


def _substituted(pattern: re.Pattern[bytes], replacement: Callable[[re.Match[bytes]], bytes], raw: bytes) -> bytes:
    """What ``pattern.sub(replacement, raw)`` returns."""
    if len(raw) < _LONG:
        return pattern.sub(replacement, raw)
    out = bytearray()
    last = 0
    for found in pattern.finditer(raw):
        out += raw[last : found.start()]
        out += replacement(found)
        last = found.end()
    out += raw[last:]
    return bytes(out)


def _text_byte(found: re.Match[bytes]) -> bytes:
    octal, hexadecimal, other = found.groups()
    if octal is not None:
        return bytes((int(octal, 8) & 0xFF,))
    if hexadecimal is not None:
        return bytes((int(hexadecimal, 16),))
    return _CONTROL.get(other, other) if other is not None else b""


def csv_values(dialect: Dialect) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    """The functions that make values of the texts of unquoted and of quoted fields."""
    quote, escape = dialect.quote.encode(), dialect.escape.encode()

    def undoubled(raw: bytes) -> bytes:
        return raw.replace(quote * 2, quote)

    if not escape:
        return _unchanged, undoubled
    marks = re.escape(escape), re.escape(quote) if quote else b"(?!)"
    characters = " \t" if dialect.delimiter == BLANKS else dialect.delimiter
    others = b"|".join(re.escape(c.encode()) for c in dict.fromkeys(characters + dialect.comment[:1]))
    unquoted = re.compile(rb"%b(\r\n|[\r\n]|%b|%b|%b)" % (marks[0], *marks, others))
    quoted = re.compile(rb"%b(\r\n|[\r\n]|%b|%b)|(%b)%b" % (marks[0], *marks, marks[1], marks[1]))

    def unquoted_value(raw: bytes) -> bytes:
        return _substituted(unquoted, _first, raw) if escape in raw else raw

    def quoted_value(raw: bytes) -> bytes:
        if escape in raw:
            return _substituted(quoted, _either, raw)
        return undoubled(raw) if quote and quote in raw else raw

    return unquoted_value, quoted_value


def _first(found: re.Match[bytes]) -> bytes:
    return found[1]


def _either(found: re.Match[bytes]) -> bytes:
    return found[1] or found[2]


def _unchanged(raw: bytes) -> bytes:
    return raw
