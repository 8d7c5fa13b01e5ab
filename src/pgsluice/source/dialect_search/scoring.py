"""Scores of readings: how evenly a reading divides the records, and what its cells look like.

The score of a reading is the product of three shares between 0 and 1:

* evenness: which share of the records has as many fields as most have;
* look: what the cells are. A number, a date or a plain word is what a field mostly is; a cell that holds another
  delimiter between two values, or half a quotation, is mostly not a field;
* width: more columns are better than fewer, because a character that divides nothing is no delimiter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pgsluice.source.dialect_search.expectations import is_absent
from pgsluice.source.dialect_search.readings import RUNS, Divided, Reading
from pgsluice.source.dialect_search.sample import Sample, text_of
from pgsluice.source.records.rules import MAX_FIELDS

_NUMBER = re.compile(
    r"[-+]?[$€£¥]?(?:[0-9]{1,3}(?:[.,' ][0-9]{3})+|[0-9]+)(?:[.,][0-9]+)?(?:[eE][-+]?[0-9]+)?\s?[%€$]?$"
    r"|[-+]?[.,][0-9]+$"
)
_DATE = re.compile(
    r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}(?:[T ][0-9]{1,2}:[0-9]{2}.*)?$"
    r"|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?: ?[aApP]\.?[mM]\.?)?$"
)
_KNOWN = re.compile(
    r"(?:https?|ftp)://\S+$|[\w.+-]+@[\w-]+\.[\w.-]+$|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$|(?:[0-9]{1,3}\.){3}[0-9]{1,3}$"
)
_WORD = re.compile(r"[^\W_][\w.&/'’()+-]*(?: [\w.&/'’()+-]+)*[.!?]?$")
"""A name or a few words without other punctuation."""
_TIGHT = re.compile(r"\w[,;|\t#^~]\w|[,;|\t]{2}|[;|\t]$|^[,;|\t]")
"""A usual delimiter between two values without a blank."""
_LIST = re.compile(r"[\[{(].*[\]})]$", re.DOTALL)

_LEADING, _TRAILING = 30, 10
"""How many records may stand above and below the rows."""


@dataclass(slots=True)
class Scored:
    """A reading with what it makes of the sample."""

    reading: Reading
    head: list[Divided]
    """The records of the head."""
    width: int
    """The number of fields of most records."""
    first: int
    """The place of the first record of this width, among the records of the head."""
    last: int
    """The place behind the last record of this width, among the records of the head."""
    score: float
    evenness: float = 0.0
    share: float = 0.0
    """Which share of the records between the first and the last of this width has the width."""
    look: float = 0.0
    enclosed: int = 0
    """How many fields the quote encloses in records that have the width; see :meth:`Reading.enclosed`."""
    faults: int = 0
    left: int = 0
    """How many cells begin or end with a quote that stays."""
    swallowed: int = 0
    """How many records span lines of which each by itself has as many fields as the others."""
    alike: list[Divided] = field(default_factory=list)
    """The records of the head and of the parts that have the width."""


_SHORT = 200
"""Characters of a cell that is kept with what it looks like."""

_TOO_WIDE = 0.25
"""The score of a reading that divides all records alike into too many fields: more than a reading as a single column
can have, less than a reading with several columns has as a rule."""


def scored(sample: Sample, reading: Reading) -> Scored:
    """The reading with its score for the sample."""
    head = reading.divide(sample.head)
    if not head:
        return Scored(reading, head, 0, 0, 0, 0.0)
    if not sample.whole and head[-1].lines > 1 and head[-1].fault:
        head = head[:-1] or head
    width = _width(head)
    if width > MAX_FIELDS:
        # No table has so many columns. If nothing divides the records better, the header is refused with this reason.
        even_width = all(len(r.fields) == width for r in head)
        return Scored(reading, head, width, 0, len(head), _TOO_WIDE if even_width else 0.0)
    first = next((i for i, r in enumerate(head) if len(r.fields) == width), 0)
    last = next((i for i in range(len(head) - 1, -1, -1) if len(head[i].fields) == width), len(head) - 1) + 1
    first = first if first <= _LEADING else 0
    last = last if len(head) - last <= _TRAILING else len(head)
    even = [len(r.fields) == width for r in head[first:last]]
    alike = [r for r, same in zip(head[first:last], even, strict=True) if same]
    share_of_head = evenness = sum(even) / max(1, len(even))
    for part in sample.parts:
        share, records = _part(part, reading, width)
        # The beginning decides more than a part: a part may begin within a quoted field.
        evenness *= 0.7 + 0.3 * share
        alike += records
    outside = (first + len(head) - last) / len(head)
    evenness *= (1 - 0.5 * outside) * (0.85 if first else 1)
    found = Scored(reading, head, width, first, last, 0.0, evenness, share_of_head, alike=alike)
    found.faults = sum(r.fault for r in head)
    found.left = _left(alike, reading)
    found.swallowed, found.enclosed = _quoted(head, sample.head, reading, width)
    found.look = _look(alike[:200], width)
    found.score = _score(found, len(head))
    return found


def _score(found: Scored, records: int) -> float:
    reading, width = found.reading, found.width
    wide = (width - 0.75) / width if width > 1 else 0.2
    score = found.evenness**2 * found.look * wide
    # A quote that encloses nothing explains nothing, and a quote that stays in a cell is mostly not understood.
    cells = max(1, len(found.alike) * width)
    score *= 1 - min(0.6, 3 * found.left / cells)
    score *= 1 - min(0.5, 2 * (found.faults + found.swallowed) / records)
    if reading.quote not in ("", '"') and found.enclosed < 2:
        score *= 0.5
    if reading.delimiter not in ",;\t|":
        # Other characters stand in texts, dates and numbers. If they do not divide the first line, they divide texts.
        single = len(reading.delimiter) == 1 or reading.delimiter == RUNS
        score *= (0.8 if not found.first else 0.3) if single else 0.97
    return score


def _width(records: Sequence[Divided]) -> int:
    """The number of fields of most records; of two that are equally frequent the greater."""
    counts = Counter(len(r.fields) for r in records if not r.fault)
    return max(counts, key=lambda width: (counts[width] * (1 if width > 1 else 0.9), width), default=1)


def _part(lines: Sequence[str], reading: Reading, width: int) -> tuple[float, list[Divided]]:
    """The share of the records of a part that have the width, and these records."""
    best: tuple[float, list[Divided]] = (0.0, [])
    # A part may begin within a quoted field, where the meaning of all quotes is reversed.
    for start in (list(lines), [reading.quote + lines[0], *lines[1:]]) if reading.quote and lines else (list(lines),):
        records = reading.divide(start)[1:-1]
        even = [r for r in records if len(r.fields) == width]
        share = len(even) / len(records) if records else 1.0
        if share > best[0]:
            best = share, even
    return best


def _left(records: Sequence[Divided], reading: Reading) -> int:
    """How many cells have quotes around them that the reading does not take away."""
    if reading.quote == '"':
        # The parser has taken the quotes of a field that begins with a quote.
        blank = sum(cell[:1] == " " and cell.lstrip(" ")[:1] == '"' for r in records for cell in r.fields)
        return blank + sum(len(c) > 2 and c[0] == "'" and c[-1] == "'" for r in records for c in r.fields)
    return sum(
        len(text) > 1 and text[0] == '"' and text[-1] == '"'
        for r in records
        for cell in r.fields
        if (text := cell.strip())
    )


def _quoted(head: Sequence[Divided], lines: Sequence[str], reading: Reading, width: int) -> tuple[int, int]:
    """What the quote of a reading does in the records that have the width.

    :returns: how many records span lines of which each by itself, without quotes, has as many fields as the others;
        and how many fields the quote encloses in the other records.
    """
    swallowed, enclosed = 0, 0
    bare = Reading(reading.delimiter, "", "", reading.blanks)
    for record in head:
        if record.fault or len(record.fields) != width or not reading.quote:
            continue
        its = lines[record.line : record.line + record.lines]
        if width > 1 and record.lines > 1 and all(len(d.fields) == width for d in bare.divide(its)):
            swallowed += 1
        elif any(reading.quote in line for line in its):
            enclosed += reading.enclosed(text_of(its))
    return swallowed, enclosed


def _look(records: Sequence[Divided], width: int) -> float:
    """How much the cells look like fields: the mean of the columns."""
    if not records:
        return 0.0
    total = 0.0
    for i in range(width):
        cells = [r.fields[i] for r in records if i < len(r.fields)]
        if not any(cells) and len(cells) > 1:
            # Not even a header names this column.
            total += 0.1
            continue
        kinds = [_kind(cell) if len(cell) <= _SHORT else _kind_of(cell) for cell in cells]
        mean = sum(value for _, value in kinds) / len(kinds)
        # The first record may be a header: one cell of another kind costs nothing.
        names = Counter(name for name, _ in kinds[1:] if name != "absent")
        most = max(names.values(), default=0) / max(1, sum(names.values()))
        total += mean * (0.8 + 0.2 * most)
    return total / width


@lru_cache(maxsize=1 << 14)
def _kind(cell: str) -> tuple[str, float]:
    """As :func:`_kind_of`, for short cells: most readings of a sample have most cells in common."""
    return _kind_of(cell)


def _kind_of(cell: str) -> tuple[str, float]:
    """What a cell looks like, and how much that is like a field."""
    text = cell.strip()
    if is_absent(text):
        return "absent", 0.7
    if len(text) > 200:
        return "text", 0.7
    if _NUMBER.match(text):
        return "number", 1.0
    if _DATE.match(text):
        return "date", 1.0
    if _KNOWN.match(text):
        return "known", 1.0
    blank = 0.05 if cell[:1] == " " or cell[-1:] == " " else 0.0
    if _WORD.match(text):
        return "word", 0.95 - blank
    if _LIST.match(text):
        return "text", 0.8
    if _TIGHT.search(text):
        return "text", 0.35
    if text.count('"') % 2 or text[:1] == '"' or text[-1:] == '"':
        return "text", 0.4
    return "text", 0.75 - blank
