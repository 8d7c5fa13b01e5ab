"""Readings: how encodings read the bytes of a file, and which readings are plausible.

``charset-normalizer`` names encodings in whose reading the texts are no mess. It does not name every code page that
reads the texts in another plausible way, and the order of its answers is no proof: a Polish file in cp1250 may come
second after cp1252. So the code pages that files have most often are tried as well, by simple rules, and an encoding is
certain only if every plausible one reads all bytes of the file alike.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pgsluice.source.encodings.languages import of_a_language, of_no_language

_COMMON = (
    "cp1252", "cp1250", "iso8859-15", "iso8859-2", "cp1254", "cp1257", "cp1251", "koi8-r", "cp1253", "mac-roman",
    "cp850", "cp437", "cp852", "cp866", "iso8859-1",
)  # fmt: skip
"""Code pages that files have most often, in the order in which they are proposed."""

_MULTIBYTE = frozenset(
    {
        "big5", "big5hkscs", "cp932", "cp949", "cp950", "euc_jp", "euc_jis_2004", "euc_jisx0213", "euc_kr", "gb2312",
        "gb18030", "gbk", "johab", "shift_jis", "shift_jis_2004", "shift_jisx0213",
    }
)  # fmt: skip

_TRIED_BYTES = 1 << 16
"""How many bytes of texts are tried."""

_ODD_WORDS = 0.1
"""The share of odd words from which on a reading is not plausible."""

_MANY_CHARACTERS = 60
"""Different characters that a text must have so that a second reading in another multi-byte encoding may be ruled out
by its score alone."""

_CLEAR_DISTANCE = 0.1
"""How far apart the scores of ``charset-normalizer`` must be for that."""

_HALF_WIDTH = range(0xFF61, 0xFFA0)
"""Half-width katakana."""

_WITHIN_WORDS = frozenset("'’-.·ªº°´`&/")
"""Characters beside letters and digits that words may contain."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An encoding with what it makes of the texts of a file."""

    encoding: str
    text: str
    confidence: float
    """From 0 to 1: 1 less the mess that ``charset-normalizer`` finds in the text."""


def plausible_readings(texts: Iterable[bytes], bytes_found: Collection[int]) -> list[Reading]:
    """The plausible readings of the texts of a file that is not UTF-8, the most common encodings first.

    :param texts: texts of the file that hold bytes above 127.
    :param bytes_found: the bytes above 127 of the whole file.
    """
    sample = _joined(texts)
    readings: dict[str, Reading] = {}
    for encoding in _COMMON:
        text = _read(sample, encoding, bytes_found)
        if text is not None and not _is_odd(text):
            readings[encoding] = Reading(encoding, text, 1.0)
    for encoding, mess in _by_library(sample):
        name = _called(encoding)
        text = _read(sample, name, bytes_found)
        if text is not None:
            readings[name] = Reading(name, text, 1 - mess)
    order = {name: place for place, name in enumerate(_COMMON)}
    return sorted(readings.values(), key=lambda r: order.get(r.encoding, len(order)))


def certain_reading(readings: Sequence[Reading], bytes_found: Collection[int]) -> Reading | None:
    """The reading to take: all plausible ones agree with it on the whole file. None if there is no such reading.

    :param bytes_found: as for :func:`plausible_readings`.
    """
    if not readings:
        return None
    wide = [r for r in readings if is_multibyte(r.encoding)]
    if not wide:
        if len({_map(r, bytes_found) for r in readings}) == 1:
            return readings[0]
        return _by_letters(readings, bytes_found)
    best = max(wide, key=lambda r: r.confidence)
    others = [r for r in readings if r.text != best.text]
    letters = [character for character in best.text if not character.isascii()]
    if sum(map(_HALF_WIDTH.__contains__, map(ord, letters))) > len(letters) / 2:
        # Letters of one byte: so Shift-JIS reads Cyrillic words of code pages that nobody has named.
        return None
    if not others:
        return best
    many = len(set(best.text) - set(map(chr, range(128)))) >= _MANY_CHARACTERS
    clear = all(is_multibyte(r.encoding) and r.confidence <= best.confidence - _CLEAR_DISTANCE + 1e-9 for r in others)
    return best if many and clear and best.confidence > 1 - 1e-9 else None


def _map(reading: Reading, bytes_found: Collection[int]) -> tuple[str, ...]:
    """What a reading makes of each byte."""
    return tuple(bytes((b,)).decode(reading.encoding, "replace") for b in sorted(bytes_found))


def _by_letters(readings: Sequence[Reading], bytes_found: Collection[int]) -> Reading | None:
    """The reading whose letters are those of one language, if the letters of all others are of none."""
    found = [r for r in readings if of_a_language(r.text)]
    maps = {_map(r, bytes_found) for r in found}
    if len(maps) != 1:
        return None
    others = [r for r in readings if _map(r, bytes_found) not in maps]
    return found[0] if all(of_no_language(r.text) for r in others) else None


def is_multibyte(encoding: str) -> bool:
    """Whether an encoding has characters of several bytes that are based on ASCII, as those of East Asia have."""
    return codecs.lookup(encoding).name in _MULTIBYTE


def _joined(texts: Iterable[bytes]) -> bytes:
    """Texts, one in a line, until there are enough of them."""
    parts: list[bytes] = []
    size = 0
    for text in texts:
        size += len(text) + 1
        parts.append(text)
        if size > _TRIED_BYTES:
            break
    return b"\n".join(parts)


def _called(encoding: str) -> str:
    """The name under which an encoding is proposed."""
    names = {codecs.lookup(name).name: name for name in _COMMON}
    return names.get(codecs.lookup(encoding).name, encoding)


def _read(sample: bytes, encoding: str, bytes_found: Collection[int]) -> str | None:
    """The texts in an encoding; None if it cannot read them, or a byte of the file is a control character in it."""
    try:
        text = sample.decode(encoding)
        if not is_multibyte(encoding):
            every = bytes(bytes_found).decode(encoding)
            if any(unicodedata.category(character) == "Cc" for character in every):
                return None
    except (UnicodeDecodeError, LookupError):
        return None
    return text


def _by_library(sample: bytes) -> list[tuple[str, float]]:
    """The encodings that ``charset-normalizer`` names, with the mess that it finds, from 0 to 1."""
    from charset_normalizer import from_bytes

    found: dict[str, float] = {}
    for match in from_bytes(sample, preemptive_behaviour=False):
        for encoding in match.could_be_from_charset:
            found.setdefault(encoding, match.chaos)
    return list(found.items())


def _is_odd(text: str) -> bool:
    """Whether too many words of a text are odd: a sign or a capital within, or letters of two scripts."""
    words = [word for line in text.split("\n") for word in line.split() if not word.isascii()]
    odd = sum(map(_is_odd_word, words))
    return odd > _ODD_WORDS * len(words)


def _is_odd_word(word: str) -> bool:
    scripts = set()
    for place, character in enumerate(word):
        kind = unicodedata.category(character)
        before, behind = word[place - 1 : place], word[place + 1 : place + 2]
        if kind[0] == "L" and kind != "Lm":
            scripts.add(unicodedata.name(character, "?").split(" ")[0])
            if kind == "Lu" and not character.isascii() and before.islower():
                return True
        elif not character.isascii() and before.isalpha() and behind.isalpha() and character not in _WITHIN_WORDS:
            return True
    return len(scripts) > 1
