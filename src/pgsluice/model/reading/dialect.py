"""The dialect of a file: how it separates, quotes, escapes and encodes its records."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Any

from pgsluice.model.reading.formats import ColumnFormat

BLANKS = "blanks"
"""The delimiter of files whose fields are separated by runs of blanks and tabs."""

_STAND_IN_DELIMITER = "\x1f"
_STAND_IN_QUOTES = "\x1e\x1d"
"""Control characters that separate and enclose fields in blocks, where the file has no character that can."""


class Format(enum.StrEnum):
    """The family of a dialect."""

    CSV = "csv"
    TEXT = "text"
    """PostgreSQL's own format (manual, COPY, "Text Format"): backslash escapes, no quotes."""


class LineEnds(enum.StrEnum):
    """Which characters end a line outside quotes."""

    LF = "lf"
    """LF or CRLF; a CR alone is a fault."""
    ANY = "any"
    """LF, CRLF or CR."""


class Ragged(enum.StrEnum):
    """What happens to records with fewer or more fields than the file has."""

    REJECT = "reject"
    DROP = "drop"
    """Surplus empty fields at the end are left out."""
    FILL = "fill"
    """As ``drop``; and missing fields at the end are NULL."""


_PLAIN: dict[str, Any] = {
    "escape": "",
    "format": Format.CSV,
    "comment": "",
    "trailing_delimiters": 0,
    "skip_initial_blanks": False,
    "line_ends": LineEnds.LF,
    "ragged": Ragged.REJECT,
}
"""What a plain dialect says of the parts that COPY, DuckDB and Arrow know nothing of."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file separates, quotes, escapes and encodes its records.

    ``null`` holds the texts that mean NULL when they are not quoted. An empty tuple stands for COPY's CSV rule: an
    empty field without quotes is NULL, an empty field in quotes is the empty string.

    ``empty_as_null`` is COPY's FORCE_NULL for the columns that are not text: there a quoted empty field is NULL.
    """

    delimiter: str = ","
    """One or more characters, or BLANKS."""
    quote: str = '"'
    """One ASCII character; '' if no character encloses fields."""
    encoding: str = "utf-8"
    """The encoding, as Python names it."""
    header: bool = True
    """Whether the first record names the fields."""
    null: tuple[str, ...] = ()
    """The texts that mean NULL when they are not quoted; () for COPY's rule."""
    empty_as_null: bool = False
    """In columns that are not text, a quoted empty field is NULL."""
    escape: str = ""
    """The character that makes the next one data; '' if there is none. A doubled quote is a quote in any case."""
    format: Format = Format.CSV
    """In the text format, quote and escape are ''."""
    skip_lines: int = 0
    """How many physical lines at the beginning of the file are no records."""
    skip_footer: int = 0
    """How many lines at the end of the file are no records; blank lines are not counted."""
    comment: str = ""
    """Lines that begin with this text are no records; '' if there are none."""
    trailing_delimiters: int = 0
    """How many delimiters at the end of a record open no field."""
    skip_initial_blanks: bool = False
    """Blanks and tabs behind a delimiter or at the beginning of a line, and behind a closing quote, are not data."""
    line_ends: LineEnds = LineEnds.LF
    """Which characters end a line."""
    ragged: Ragged = Ragged.REJECT
    """What happens to records with fewer or more fields."""
    formats: tuple[ColumnFormat, ...] = ()
    """How the texts of single columns are rewritten before PostgreSQL reads them."""
    strip_nul: bool = False
    """NUL bytes are removed before the records are parsed."""

    @property
    def null_texts(self) -> tuple[str, ...]:
        """The texts that mean NULL when they are not quoted, the empty text first."""
        return tuple(sorted(self.null or ("",), key=bool))

    @property
    def plain(self) -> bool:
        """Whether a record is what COPY, DuckDB and Arrow take it for: one character separates fields, a quote encloses
        them, a doubled quote is a quote, LF or CRLF ends a line, and each line outside quotes is a record.

        ``skip_lines`` and ``skip_footer`` make no difference, because these lines are not within a block.
        """
        plain = all(getattr(self, name) == value for name, value in _PLAIN.items())
        return plain and _is_ascii_character(self.delimiter) and bool(self.quote)

    @property
    def in_blocks(self) -> Dialect:
        """The plain dialect in which blocks hold the records of the file: its own if that is plain."""
        if self.plain:
            return self
        delimiter = self.delimiter if _is_ascii_character(self.delimiter) else _STAND_IN_DELIMITER
        quote = self.quote or next(q for q in _STAND_IN_QUOTES if q != delimiter)
        return replace(self, **_PLAIN, delimiter=delimiter, quote=quote)

    def format_of(self, column: str) -> ColumnFormat:
        """The format of a column."""
        return next((f for f in self.formats if f.column == column), ColumnFormat(column))


def _is_ascii_character(text: str) -> bool:
    return len(text) == 1 and text.isascii()


@dataclass(frozen=True, slots=True)
class DialectOptions:
    """The parts of the dialect that the user fixed; None stands for a part to detect.

    The parts mean what they mean in :class:`Dialect`. ``trailing_delimiter`` says whether there are delimiters at the
    end of records that open no field; the search finds how many.
    """

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    header: bool | None = None
    null: tuple[str, ...] = ()
    empty_as_null: bool = False
    escape: str | None = None
    format: Format | None = None
    skip_lines: int | None = None
    skip_footer: int | None = None
    comment: str | None = None
    trailing_delimiter: bool | None = None
    skip_initial_blanks: bool | None = None
    line_ends: LineEnds | None = None
    ragged: Ragged = Ragged.REJECT
    encodings: tuple[tuple[str, str], ...] = ()
    """(glob, encoding) pairs for single files; the first glob that matches the path or the name decides."""
    strip_nul: bool = False
