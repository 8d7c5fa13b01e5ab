"""The quick look: files whose dialect is plain to see need no search."""

from __future__ import annotations

import csv
import re
from itertools import chain, islice

from pgsluice.source.dialect_search.footer import TOTAL
from pgsluice.source.dialect_search.layout import UNIT

_RECORDS = 200
"""How many records are looked at."""

_BYTES = 1 << 16
"""How many bytes are looked at, unless one line is longer."""

_USUAL = (",", ";", "\t", "|")

_HAS_WORD = re.compile(r".*?\w", re.DOTALL).match

_UNUSUAL_START = re.compile(r"#|\"?sep=|[ \t]", re.IGNORECASE)
"""How a first line begins that needs an explanation."""


def plain_to_see(sample: bytes, whole: bool, delimiter: str | None) -> tuple[str, tuple[str, ...]] | None:
    """The delimiter and the fields of the first record, if one delimiter divides all records alike, double quotes
    enclose fields and nothing asks for another explanation.

    :param sample: the first bytes of the file, in UTF-8.
    :param whole: the sample is the whole file.
    :param delimiter: the delimiter that the user fixed.
    :returns: None if the file needs the search.
    """
    cut = sample if whole and len(sample) <= _BYTES else sample[: sample.rfind(b"\n", 0, _BYTES) + 1]
    if not cut or b"\\" in cut or b"\0" in cut:
        return None
    try:
        text = cut.decode()
    except UnicodeDecodeError:
        return None
    first, _, _ = text.partition("\n")
    able = [d for d in _USUAL if d in first]
    if delimiter is not None:
        able = [delimiter]
    if len(able) != 1 or _UNUSUAL_START.match(text):
        return None
    found = able[0]
    if "\n#" in text or (found == " " and "  " in text):
        return None
    header = _even(text, found)
    if header is None or len(header) < 2 or len(set(header)) < len(header) or not all(map(_HAS_WORD, header)):
        return None
    if whole and not ends_alike(sample[-1000:], found, len(header)):
        return None
    return found, header


def _even(text: str, delimiter: str) -> tuple[str, ...] | None:
    """The first record, if all records have as many fields and no quoted field spans lines and holds delimiters."""
    reader = csv.reader((line + "\n" for line in text.split("\n")), delimiter=delimiter, strict=True)
    try:
        records = [record for record in islice(reader, _RECORDS) if record]
    except csv.Error:
        return None
    if not records or any(len(record) != len(records[0]) for record in records):
        return None
    units = [cell for cell in records[1] if cell.strip()] if len(records) > 1 else []
    if len(units) > 1 and all(map(UNIT.fullmatch, units)):
        return None
    # A blank behind the delimiter, other quotes, a quoted field that may have swallowed lines. The text is looked at
    # first, because that takes less time than to look at each cell.
    signs = ('"', "\n ", "\n'", f"{delimiter} ", f"{delimiter}'")
    cells = chain.from_iterable(records) if any(sign in text for sign in signs) else ()
    if any((cell[:1] in (" ", "'") and cell) or ("\n" in cell and delimiter in cell) for cell in cells):
        return None
    return tuple(records[0])


def ends_alike(end: bytes, delimiter: str, width: int) -> bool:
    """Whether the last line of a file may be a record like the others.

    :param end: the last bytes of the file.
    """
    lines = end.decode(errors="replace").rstrip("\r\n").split("\n")
    last = lines[-1]
    if TOTAL.match(last) or (len(lines) > 1 and not lines[-2].strip()) or not last.strip(f"{delimiter} "):
        return False
    return '"' in last or len(lines) == 1 or last.count(delimiter) == width - 1
