"""Samples of a file: lines from its beginning, its middle and its end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pgsluice.source.streams import DecodedStream

HEAD_LINES = 300
"""How many lines of the beginning the search reads."""

HEAD_BYTES = 1 << 17
"""How many bytes of the beginning the search reads, unless one line is longer."""

_PART_BYTES = 1 << 14
"""How many bytes of each further part are read."""

_PARTS = 3
"""How many parts are read behind the beginning; the last part is the end of the file."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Lines of a file, without their ends."""

    head: tuple[str, ...]
    """The first lines. The last of them may be incomplete if ``whole`` is false and was then left out."""
    parts: tuple[tuple[str, ...], ...] = ()
    """Neighbouring lines from other places, in the order of the file."""
    tail: tuple[str, ...] = ()
    """The last lines; () if the end of the file is not known."""
    whole: bool = True
    """The head is the whole file."""
    cr: bool = False
    """The lines end with a lone CR."""


_SEPARATOR_LINE = re.compile(r'\ufeff?("?)sep=(.)\1', re.IGNORECASE | re.DOTALL)


def named_delimiter(line: str) -> str:
    """The delimiter that a first line ``sep=;`` names, which Excel reads and writes; '' for any other line."""
    found = _SEPARATOR_LINE.fullmatch(line)
    return found[2] if found is not None and found[2] not in '"\ufffd' else ""


def sample_of(data: bytes, whole: bool) -> Sample:
    """The sample that consists of the beginning of a file.

    :param data: the first bytes, in UTF-8.
    :param whole: there are no more bytes.
    """
    cr = b"\n" not in data and b"\r" in data
    if not whole or len(data) > HEAD_BYTES:
        end = data.rfind(b"\r" if cr else b"\n", 0, HEAD_BYTES)
        if end < 0:
            end = data.find(b"\r" if cr else b"\n", HEAD_BYTES)
        cut = data if end < 0 else data[: end + 1]
    else:
        cut = data
    lines = _lines(cut, cr)
    rest = whole and len(cut) == len(data) and len(lines) <= HEAD_LINES
    tail = _lines(data[-_PART_BYTES:], cr)[-HEAD_LINES // 3 :] if whole else []
    if whole and len(data) > _PART_BYTES:
        tail = tail[1:]
    return Sample(tuple(lines[:HEAD_LINES]), (), tuple(tail), rest, cr)


def read_sample(stream: DecodedStream, data: bytes, size: int | None) -> Sample:
    """The sample of a file whose beginning was read; its other parts are read if the stream can move there.

    :param data: the bytes that were read already, from the beginning.
    :param size: bytes of the file; None if it is not known.
    """
    from dataclasses import replace

    if size is None or not stream.seekable or size <= len(data):
        return sample_of(data, size is not None and stream.seekable and size <= len(data))
    first = sample_of(data, False)
    parts: list[tuple[str, ...]] = []
    for number in range(1, _PARTS + 1):
        offset = max(len(data), (size - _PART_BYTES) * number // _PARTS)
        stream.seek(offset)
        lines = _lines(stream.read(_PART_BYTES), first.cr)
        # The part begins somewhere within a line, and ends within another.
        parts.append(tuple(lines[1:] if number == _PARTS else lines[1:-1]))
    return replace(first, parts=tuple(parts), tail=parts[-1], whole=False)


def _lines(data: bytes, cr: bool) -> list[str]:
    text = data.decode("utf-8", errors="replace")
    text = text.removeprefix("\ufeff")
    if not text:
        return []
    lines = text.split("\r") if cr else re.split(r"\r*\n", text)
    if lines and not lines[-1]:
        lines.pop()
    return lines


def text_of(lines: Sequence[str]) -> str:
    """The lines as one text."""
    return "\n".join(lines)
