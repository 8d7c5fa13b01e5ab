"""Encodings that the bytes show by themselves: byte order marks, the NULs of UTF-16 and UTF-32, escape sequences."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # UTF-32 before UTF-16: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)

_WIDE = (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2))
"""Codecs with the bytes of a unit. A text in UTF-32 has NULs that UTF-16 would read as characters."""

_ISO_2022_JP = re.compile(rb"\x1b\$[@B][^\x1b]+\x1b\([BJ]")
"""A text between the escape sequences to JIS X 0208 and back to ASCII (RFC 1468)."""


def encoding_by_bytes(head: bytes) -> tuple[str, str] | None:
    """The encoding that the first bytes of a file show without doubt, and by what; None if they show none.

    :param head: the first bytes, unpacked.
    :returns: the name of a codec of Python, and words for the plan ('' for UTF-8).
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, "" if encoding == "utf-8" else "by its byte order mark"
    if b"\0" in head:
        found = next((encoding for encoding, width in _WIDE if _is_wide(head, encoding, width)), None)
        return (found, "by its NUL bytes; it has no byte order mark") if found else None
    if _ISO_2022_JP.search(head) and head.isascii():
        return "iso2022_jp", "by its escape sequences"
    return None


def _is_wide(head: bytes, encoding: str, width: int) -> bool:
    """Whether the bytes are text in UTF-16 or UTF-32 without a mark.

    A file in UTF-8 with some NULs is not: its line ends are single bytes.
    """
    whole = head[: len(head) - len(head) % width]
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(whole)
    except UnicodeDecodeError:
        return False
    if "\0" in text or not text:
        return False
    if newlines := head.count(b"\n") + head.count(b"\r"):
        return text.count("\n") + text.count("\r") > 0.9 * newlines
    return sum(character.isascii() for character in text) > len(text) / 2
