"""Samples of a file: lines from its beginning, its middle and its end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pgsluice.source.streams import DecodedStream

HEAD_LINES = 300
"""How many lines of the beginning the search reads."""

HEAD_BYTES = 1 << 17
"""How many bytes of the beginning the search reads, unless one line is longer."""

_PART_BYTES = 1 << 14
"""How many bytes of each further part are read."""

_PARTS = 3
"""How many parts are read behind the beginning; the last part is the end of the file."""

PASS_BYTES = 32 << 20
"""How many bytes of a file are read for its sample where they can be read in order only: the file is packed, or not
UTF-8."""

_CHUNK_BYTES = 1 << 20


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
    passed: int = 0
    """How many first bytes the sample is from; 0 for the whole file."""


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


def read_sample(stream: DecodedStream, data: bytes, size: int, most: int = PASS_BYTES) -> Sample:
    """The sample of a file whose beginning was read, with parts from other places.

    :param data: the bytes that were read already, from the beginning.
    :param size: bytes of the file.
    :param most: how many bytes are read where the stream cannot move.
    """
    if not stream.seekable:
        return _passed_sample(stream, data, most)
    if size <= len(data):
        return sample_of(data, True)
    first = sample_of(data, False)
    parts: list[tuple[str, ...]] = []
    for number in range(1, _PARTS + 1):
        offset = max(len(data), (size - _PART_BYTES) * number // _PARTS)
        stream.seek(offset)
        lines = _lines(stream.read(_PART_BYTES), first.cr)
        # The part begins somewhere within a line, and ends within another.
        parts.append(tuple(lines[1:] if number == _PARTS else lines[1:-1]))
    return replace(first, parts=tuple(parts), tail=parts[-1], whole=False)


def _passed_sample(stream: DecodedStream, data: bytes, most: int) -> Sample:
    """The sample of a stream that can be read in order only. Its parts are the beginnings of chunks."""
    parts: list[bytes] = []
    end, passed = data, len(data)
    while passed < most and (chunk := stream.read(_CHUNK_BYTES)):
        parts.append(chunk[:_PART_BYTES])
        end, passed = end[-_PART_BYTES:] + chunk, passed + len(chunk)
    ended = passed < most or not stream.read(1)
    if ended and not parts:
        return sample_of(data, True)
    first = sample_of(data, False)
    chosen = [parts[len(parts) * number // _PARTS] for number in range(1, _PARTS)] if parts else []
    lines = [tuple(_lines(part, first.cr)[1:-1]) for part in chosen]
    last = tuple(_lines(end[-_PART_BYTES:], first.cr)[1:] if ended else ())
    return replace(
        first, parts=(*lines, *((last,) if ended else ())), tail=last, whole=False, passed=0 if ended else passed
    )


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
