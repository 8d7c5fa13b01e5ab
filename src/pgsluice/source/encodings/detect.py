"""Detection of the encoding of a file that the user did not name."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from pgsluice.errors import FileError
from pgsluice.source.encodings.marks import encoding_by_bytes
from pgsluice.source.encodings.readings import Reading, certain_reading, is_multibyte, plausible_readings
from pgsluice.source.encodings.survey import Survey, survey
from pgsluice.source.places.names import literal_glob
from pgsluice.text import pluralize

_SHOWN = 5
"""How many readings an error shows."""

_CHUNK_BYTES = 1 << 20


class Readable(Protocol):
    """An open file."""

    def read(self, size: int) -> bytes:
        """The next bytes."""


Reopen = Callable[[], AbstractContextManager[Readable]]
"""Opens the file once more, unpacked, from its beginning."""


class FoundEncoding(NamedTuple):
    """The encoding of a file."""

    encoding: str
    """The name of a codec of Python."""
    note: str = ""
    """How it was found, for the plan and the summary; '' if there is nothing to say."""


def find_encoding(path: str, samples: Sequence[bytes], reopen: Reopen) -> FoundEncoding:
    """The encoding of a file.

    A file that is not UTF-8 in one of the samples is read to its end. So the answer holds for all of its bytes.

    :param path: the name of the file, for messages.
    :param samples: bytes from the beginning of the file, and from other places of it.
    :raises FileError: the encoding is not certain. The error shows a text as each plausible encoding reads it.
    """
    if shown := encoding_by_bytes(samples[0]):
        encoding, by = shown
        return FoundEncoding(encoding, f"{encoding}, {by}" if by else "")
    if all(may_be_utf8(sample, first=not place) for place, sample in enumerate(samples)):
        return FoundEncoding("utf-8")
    with reopen() as stream:
        found = survey(stream.read)
    if found.utf8_lines >= found.other_lines > 0:
        return FoundEncoding("utf-8", f"not UTF-8 in {_lines(found.first_other, found.other_lines)}")
    readings = plausible_readings(found.texts, found.bytes_found)
    certain = certain_reading(readings, found.bytes_found)
    if certain is not None and is_multibyte(certain.encoding):
        alike = [r.encoding for r in readings if r.text == certain.text]
        able = _that_read_all(alike, reopen)
        readings = [r for r in readings if r.encoding in able or r.encoding not in alike]
        certain = next((r for r in readings if r.encoding in able), None)
        if not _read_alike([encoding for encoding in alike if encoding in able], reopen):
            certain = None
    if certain is None:
        raise _uncertain(path, found, readings)
    percent = int(100 * certain.confidence)
    return FoundEncoding(certain.encoding, f"{certain.encoding}, by its characters (confidence {percent} %)")


def may_be_utf8(sample: bytes, *, first: bool) -> bool:
    """Whether bytes may be a part of a file in UTF-8; a character may be cut at either end.

    :param first: the file begins with the sample.
    """
    if sample.isascii():
        return True
    if not first:
        sample = sample[:3].lstrip(bytes(range(0x80, 0xC0))) + sample[3:]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def check_named(path: str, encoding: str, sample: bytes) -> None:
    """Checks that a file for which all files' encoding was named is not UTF-8, or has no lines in UTF-8.

    The bytes of a character in UTF-8 are characters in most other encodings, too, so that nothing else would tell.

    :param encoding: the encoding that the user named for all files.
    :param sample: the first bytes of the file.
    :raises FileError: characters of the file are UTF-8.
    """
    if sample.isascii() or encoding.startswith(("utf", "iso2022")):
        return
    found = survey(_reader(sample))
    if not found.utf8_lines or (found.other_lines and is_multibyte(encoding)):
        return
    mine = shlex.quote(f"{literal_glob(path)}={encoding}")
    text = found.utf8_text
    shown = f"{text.decode()!r} in UTF-8, {text.decode(encoding, 'replace')!r} in {encoding}"
    if found.other_lines:
        raise FileError(
            f"{path}: two encodings: {_lines(found.first_utf8, found.utf8_lines)} {_has(found.utf8_lines)} characters"
            f" in UTF-8 ({shown}), {_lines(found.first_other, found.other_lines)} {_has(found.other_lines)} others",
            f"Correct the lines, or read all of them as {encoding} with --encoding {mine}",
        )
    raise FileError(
        f"{path}: the file is UTF-8 ({shown}), and --encoding {encoding} is for all files",
        f"Name it for the other files alone, as in --encoding 'GLOB={encoding}', or for this one as well: --encoding"
        f" {mine}",
    )


def _reader(sample: bytes) -> Callable[[int], bytes]:
    parts = iter((sample,))
    return lambda _: next(parts, b"")


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _lines(first: Sequence[int], count: int) -> str:
    """Line numbers in words."""
    rest = count - len(first)
    shown = ", ".join(f"{number:,}" for number in first)
    return f"line{'s' if count > 1 else ''} {shown}" + (f" and {pluralize(rest, 'more line')}" if rest else "")


def _that_read_all(encodings: Sequence[str], reopen: Reopen) -> set[str]:
    """The encodings that can read the whole file."""
    able = set(encodings)
    with reopen() as stream:
        decoders = {encoding: codecs.getincrementaldecoder(encoding)() for encoding in encodings}
        while able:
            data = stream.read(_CHUNK_BYTES)
            for encoding in tuple(able):
                try:
                    decoders[encoding].decode(data, not data)
                except UnicodeDecodeError:
                    able.discard(encoding)
            if not data:
                break
    return able


def _read_alike(encodings: Sequence[str], reopen: Reopen) -> bool:
    """Whether encodings that can read the whole file read it alike."""
    if not encodings:
        return False
    with reopen() as stream:
        decoders = [codecs.getincrementaldecoder(encoding)() for encoding in encodings]
        texts = [""] * len(encodings)
        while True:
            data = stream.read(_CHUNK_BYTES)
            texts = [text + d.decode(data, not data) for text, d in zip(texts, decoders, strict=True)]
            # A decoder may hold back another number of bytes than the next one.
            common = min(map(len, texts))
            if len({text[:common] for text in texts}) > 1:
                return False
            texts = [text[common:] for text in texts]
            if not data:
                return not any(texts)


def _uncertain(path: str, found: Survey, readings: Sequence[Reading]) -> FileError:
    """The error for a file whose encoding is not certain."""
    where = _lines(found.first_other, found.other_lines)
    name = literal_glob(path)
    reject = f"--encoding {shlex.quote(name + '=utf-8')} makes rejects of the lines that are not UTF-8"
    if not readings:
        text = next(iter(found.texts), b"")
        return FileError(
            f"{path}: not UTF-8 ({where}), and no encoding that is known here reads it ({text[:40]!r})",
            f"Check that this is a text file. If it is, name its encoding with --encoding; {reject}",
        )
    shown = _telling(found, readings)
    options = ", ".join(f"--encoding {shlex.quote(f'{name}={r.encoding}')}" for r, _ in shown)
    reads = ", ".join(f"{value!r} in {r.encoding}" for r, value in shown)
    mixed = f"; {_lines(found.first_utf8, found.utf8_lines)} may be UTF-8" if found.utf8_lines else ""
    return FileError(
        f"{path}: not UTF-8 ({where}{mixed}), and its encoding is not certain: a text is {reads}",
        f"Say which: {options}; {reject}",
    )


def _telling(found: Survey, readings: Sequence[Reading]) -> list[tuple[Reading, str]]:
    """Different readings of one text: of the text of which there are most."""
    best: list[tuple[Reading, str]] = []
    for text in list(found.texts)[:200]:
        shown: dict[str, Reading] = {}
        for reading in readings:
            shown.setdefault(text.decode(reading.encoding, "replace"), reading)
        if len(shown) > len(best):
            best = [(reading, value) for value, reading in list(shown.items())[:_SHOWN]]
        if len(best) >= _SHOWN:
            break
    return best
