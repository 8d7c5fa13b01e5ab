"""What is known of the columns that a file goes into: their names, and which texts they can hold.

This package knows no PostgreSQL. The plan translates the catalog into expectations.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pgsluice.names import Names


class TextClass(enum.StrEnum):
    """Which texts a column can hold.

    The classes are wide on purpose: a text that an option could convert (``1.234,5``, ``31.12.2024``) belongs to the
    class. PostgreSQL alone decides whether a value is stored.
    """

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    BOOLEAN = "boolean"
    UUID = "uuid"
    NESTED = "nested"
    """JSON, arrays, ranges, composite values: texts with brackets."""
    OTHER = "other"
    """A type that is not text and of which no more is known."""


_PATTERNS = {
    TextClass.INTEGER: re.compile(r"[-+]?[$€£¥]?\s?[0-9][0-9.,'’_ \u00a0]*%?$"),
    TextClass.NUMBER: re.compile(
        r"\(?[-+]?\s?[$€£¥]?\s?(?:[0-9][0-9.,'’_ \u00a0]*|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?\s?[$€£¥%]?\)?-?$"
        r"|[-+]?(?:nan|inf(?:inity)?)$",
        re.IGNORECASE,
    ),
    TextClass.DATE: re.compile(
        r"[0-9]{1,4}[-/. ][0-9]{1,2}[-/. ][0-9]{1,4}(?:[T ].*)?$|[0-9]{5,8}(?:\.[0-9]+)?$|[-+]?infinity$"
        r"|(?:[A-Za-zÀ-ÿ]{3,10}\.?,? )?[0-9]{1,2}\.?[- ][A-Za-zÀ-ÿ]{3,10}\.?[- ,]+[0-9]{2,4}.*$"
        r"|[A-Za-zÀ-ÿ]{3,10}\.? [0-9]{1,2},? [0-9]{2,4}.*$",
        re.IGNORECASE,
    ),
    TextClass.TIME: re.compile(r"[-+P]?[0-9T][0-9:., ]*[A-Za-z0-9:.,+ -]*$"),
    TextClass.BOOLEAN: re.compile(r"[01]$|[A-Za-zÀ-ÿ]{1,8}$"),
    TextClass.UUID: re.compile(r"\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?$"),
    TextClass.NESTED: re.compile(r"[\[{(\"0-9tfn-].*$", re.DOTALL),
}

NULL_WORDS = frozenset({"", "\\N", "null", "na", "n/a", "nan", "none", "-", "--", "?", ".", "nil", "#n/a", "(null)"})
"""Texts in lower case that stand for an absent value in many files."""


def is_absent(text: str) -> bool:
    """Whether a text stands for an absent value in many files."""
    return text in NULL_WORDS or (len(text) < 8 and text.strip().lower() in NULL_WORDS)


@dataclass(frozen=True, slots=True)
class ExpectedColumn:
    """A column that a field may go into."""

    name: str
    kind: TextClass = TextClass.TEXT
    required: bool = False
    """Every file must contain the column."""
    loadable: bool = True
    """The column takes values. A generated column does not."""
    labels: tuple[str, ...] = ()
    """The only texts that the column can hold; () where there is no such list."""

    def can_hold(self, text: str) -> bool:
        """Whether the text could be a value of the column; an absent value always can."""
        if self.kind is TextClass.TEXT and not self.labels:
            return True
        text = text.strip()
        if is_absent(text):
            return True
        if self.labels:
            return text in self.labels
        pattern = _PATTERNS.get(self.kind)
        return pattern is None or pattern.match(text) is not None


@dataclass(frozen=True, slots=True)
class Expectations:
    """What is known of the table that a file goes into."""

    table: str
    columns: tuple[ExpectedColumn, ...]
    aliases: tuple[tuple[str, str], ...] = ()
    """(field, column) pairs that the user gave; '' as the column leaves the field out."""
    _names: list[Names] = field(default_factory=list, compare=False, repr=False, hash=False)

    @property
    def loadable(self) -> tuple[ExpectedColumn, ...]:
        """The columns that take values."""
        return tuple(c for c in self.columns if c.loadable)

    def columns_of(self, fields: Sequence[str]) -> list[str | None]:
        """The column that each name of a field means: None for no column, '' for a field that is left out."""
        if not self._names:
            self._names.append(Names(c.name for c in self.columns))
        found: list[str | None] = []
        for name in fields:
            alias = next((column for named, column in self.aliases if _same(named, name)), None)
            if alias is not None:
                found.append(alias)
                continue
            near = self._names[0].find(name)
            found.append(near[0] if len(near) == 1 and near[0] not in found else None)
        return found

    def column(self, name: str) -> ExpectedColumn | None:
        """The column of that name."""
        return next((c for c in self.columns if c.name == name), None)


def _same(named: str, name: str) -> bool:
    return re.sub(r"[\s_-]+", "", named).lower() == re.sub(r"[\s_-]+", "", name).lower()
