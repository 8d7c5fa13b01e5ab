"""Readings: complete rules to divide lines into fields, and the candidates among them for a sample."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

RUNS = " +"
"""The delimiter of a reading in which any number of blanks divides two fields."""

USUAL = ",;\t|"
"""The delimiters of most files, the most usual first."""

_NO_DELIMITER = frozenset("\"'`.-_@()[]{}<>+%$€£\\\r\n")
"""Characters beside letters and digits that divide no fields by themselves."""

_MARK = "\ue0fa"
"""Takes the place of a delimiter of several characters, for the parser. A private character: files have none."""

_QUOTES = ('"', "'", "`", "~")
"""The characters that may enclose fields."""


class Divided(NamedTuple):
    """A record as a reading divides it."""

    line: int
    """The number of its first line among the lines, from 0."""
    lines: int
    fields: list[str]
    fault: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """How lines are divided into fields."""

    delimiter: str
    quote: str = '"'
    """'' for a file in which a quote is a character like others."""
    escape: str = ""
    """The character before a quote or delimiter that is data; '' where a quote is doubled."""
    blanks: bool = False
    """Blanks behind a delimiter belong to it."""
    text: bool = False
    """The text format of PostgreSQL's COPY."""

    def divide(self, lines: Sequence[str]) -> list[Divided]:
        """The records of the lines, blank lines excluded."""
        delimiter = self.delimiter
        if delimiter == RUNS:
            lines = [re.sub(r"[ \t]+", _MARK, line.strip(" \t")) for line in lines]
            delimiter = _MARK
        elif len(delimiter) != 1:
            lines = [line.replace(delimiter, _MARK) for line in lines]
            delimiter = _MARK
        if not self.quote and not self.escape:
            cut = [line.split(delimiter) for line in lines]
            if self.blanks:
                cut = [[field.lstrip(" ") for field in fields] for fields in cut]
            return [Divided(i, 1, fields, False) for i, fields in enumerate(cut) if lines[i]]
        return list(self._parsed(lines, delimiter))

    def _parsed(self, lines: Sequence[str], delimiter: str) -> Iterator[Divided]:
        """The records by Python's parser, whose rules are those of pgsluice: after a fault it goes on with the next
        line.
        """
        reader = csv.reader(
            (line + "\n" for line in lines),
            delimiter=delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar=self.escape or None,
            doublequote=True,
            skipinitialspace=self.blanks,
            strict=True,
        )
        before = 0
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Divided(before, max(1, reader.line_num - before), [], True)
            else:
                if fields:
                    yield Divided(before, reader.line_num - before, fields, False)
            if reader.line_num == before:
                return
            before = reader.line_num

    def enclosed(self, text: str) -> int:
        """How many fields of a text the quote encloses from end to end; those that need the quote count
        twice."""
        if not self.quote:
            return 0
        q, d, e = re.escape(self.quote), re.escape(self.delimiter), re.escape(self.escape)
        # Possessive: a run of a hundred thousand quotes must not be tried in every division.
        inner = rf"(?:[^{q}{e}]|{e}.|{q}{q})*+" if e else rf"(?:[^{q}]|{q}{q})*+"
        pattern = rf"(?:^|(?<={d})){'[ ]*' if self.blanks else ''}{q}{inner}{q}(?={d}|[ \t\r]*$)"
        if self.delimiter == RUNS:
            pattern = rf"(?:^|(?<=[ \t])){q}{inner}{q}(?=[ \t]|$)"
        # A field that holds the delimiter or the quote itself is the reason for a quote, and counts twice.
        reasons = (self.delimiter, self.quote * 2)
        return sum(
            2 if any(reason in m.group().strip(" ")[1:-1] for reason in reasons) else 1
            for m in re.finditer(pattern, text, re.MULTILINE)
        )


def _reads_evenly(lines: Sequence[str], delimiter: str, quote: str) -> bool:
    """Whether doubled quotes explain the lines: every quote has its place, and all records have as many fields.

    Then a backslash in front of a quote is data: the last character of a field.
    """
    if len(delimiter) != 1:
        return False
    whole = [line + "\n" for line in lines]
    if quote:
        records = csv.reader(whole, delimiter=delimiter, quotechar=quote, strict=True)
    else:
        records = csv.reader(whole, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
    try:
        return len({len(record) for record in records}) == 1
    except csv.Error:
        return False


def readings(
    lines: Sequence[str], delimiters: Sequence[str], quotes: Sequence[str] | None, escape: str | None
) -> list[Reading]:
    """The candidates for the lines of a sample.

    :param delimiters: the delimiters to try.
    :param quotes: the quote that the user fixed; None to try those that occur.
    :param escape: the escape that the user fixed; None to try the backslash where it occurs.
    """
    text = "\n".join(lines)
    found: list[Reading] = []
    for delimiter in delimiters:
        for quote in quotes if quotes is not None else _quotes_in(text):
            plain = Reading(delimiter, quote, escape or "")
            tried = [plain]
            escaped = (quote, delimiter) if delimiter != RUNS else (quote,)
            marked = escape is None and any(mark and "\\" + mark in text for mark in escaped)
            if marked and not _reads_evenly(lines, delimiter, quote):
                tried.append(replace(plain, escape="\\"))
            if delimiter not in (" ", RUNS, "\t") and delimiter + " " in text:
                tried += [replace(one, blanks=True) for one in tried]
            usual = quotes is not None or quote in ("", '"')
            found += [one for one in tried if usual or one.enclosed(text) >= 2]
    return found


def _quotes_in(text: str) -> list[str]:
    """The quotes that may enclose fields in a text; '' only where a double quote occurs and may be data."""
    return ['"', *(q for q in _QUOTES[1:] if q in text), *([""] if '"' in text else [])]


def delimiters_in(lines: Sequence[str]) -> list[str]:
    """The characters and character sequences that may divide the fields of these lines, the usual first."""
    if not lines:
        return [","]
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(set(line))
    least = max(1, len(lines) * 0.3)
    usual = [c for c in USUAL if counts[c]]
    others = [
        c
        for c, n in counts.most_common()
        if n >= least
        and c not in USUAL
        and not c.isalnum()
        and c not in _NO_DELIMITER
        and (c == " " or not c.isspace())
    ]
    found = [*usual, *others[:6]]
    several = dict.fromkeys(s for c in found if c != " " and (s := _longer(c, lines)))
    # A sign that stands in a longer delimiter of several signs is no delimiter of its own. A doubled sign may be
    # two delimiters with an empty field between them.
    found = [c for c in found if not any(c in s and len(set(s)) > 1 for s in several)]
    if " " in found and any("  " in line for line in lines):
        found.append(RUNS)
    return [*several, *found]


def _longer(char: str, lines: Sequence[str]) -> str:
    """The longest sequence of signs around a character that stands in nearly all places where the character does."""
    text = "\n".join(lines)
    sign = r"[^\w\s\"'.\-+]"
    runs = Counter(m.group() for m in re.finditer(rf"{sign}{{0,4}}{re.escape(char)}{sign}{{0,4}}", text))
    if not runs:
        return ""
    # Several empty fields in a row repeat the delimiter.
    run, _ = runs.most_common(1)[0]
    times = sum(n * (len(other) // len(run)) for other, n in runs.items() if other.replace(run, "") == "")
    # A doubled sign is also an empty field, and other texts may hold the sign alone.
    least = 0.9 if len(set(run)) > 1 else 0.5
    whole = all(times * run.count(c) >= least * text.count(c) for c in set(run))
    return run if len(run) > 1 and whole else ""
