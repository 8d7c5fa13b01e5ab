"""Survey: what a pass over a file that is not UTF-8 tells about its bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_SURVEYED_BYTES = 64 << 20
"""How many first bytes are searched for lines and texts. The set of bytes comes from the whole file."""

_MOST_TEXTS = 2000
"""How many different texts are kept."""

_LINES_SHOWN = 5

_TEXT = re.compile(rb'[^,;\t"\n\r\x00-\x1f]*[\x80-\xff][^,;\t"\n\r\x00-\x1f]*')
"""A text with a byte that is not ASCII. No encoding that is based on ASCII has these delimiters in the second byte of
a character."""

_LINE = re.compile(rb"[^\n]*[\x80-\xff][^\n]*")

_ASCII = bytes(range(128))


@dataclass(slots=True)
class Survey:
    """The bytes above 127 of a file, and the texts that hold them."""

    bytes_found: set[int] = field(default_factory=set)
    """Which bytes above 127 the file has."""
    texts: dict[bytes, None] = field(default_factory=dict)
    """Different texts that hold such bytes, in the order of the file."""
    utf8_lines: int = 0
    """Lines whose bytes above 127 are characters of UTF-8."""
    other_lines: int = 0
    """Lines whose bytes above 127 are not."""
    first_utf8: list[int] = field(default_factory=list)
    first_other: list[int] = field(default_factory=list)
    """The numbers of the first lines of either kind."""
    utf8_text: bytes = b""
    """A text of a line in UTF-8."""


def survey(read: Callable[[int], bytes], chunk_bytes: int = 1 << 20) -> Survey:
    """Reads a file to its end.

    :param read: reads the next bytes of the unpacked file.
    """
    found = Survey()
    known = _ASCII
    seen, line, rest = 0, 1, b""
    while chunk := read(chunk_bytes):
        if new := set(chunk.translate(None, known)):
            found.bytes_found |= new
            known = _ASCII + bytes(found.bytes_found)
        if seen < _SURVEYED_BYTES:
            lines, newline, rest = (rest + chunk).rpartition(b"\n")
            _add_lines(found, lines + newline, line)
            line += lines.count(b"\n") + len(newline)
        seen += len(chunk)
    _add_lines(found, rest, line)
    return found


def _add_lines(found: Survey, lines: bytes, first: int) -> None:
    """Adds whole lines to the survey.

    :param first: the number of the first line.
    """
    at = 0
    for match in _LINE.finditer(lines):
        first += lines.count(b"\n", at, match.start())
        at = match.start()
        text = match[0]
        texts = _TEXT.findall(text)
        if _is_utf8(text):
            found.utf8_lines += 1
            found.utf8_text = found.utf8_text or (texts[0] if texts else text)
            numbers = found.first_utf8
        else:
            found.other_lines += 1
            numbers = found.first_other
        if len(numbers) < _LINES_SHOWN:
            numbers.append(first)
        if len(found.texts) < _MOST_TEXTS:
            found.texts.update(dict.fromkeys(texts))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
