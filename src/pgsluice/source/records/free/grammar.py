"""The patterns of a dialect that is not plain."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from pgsluice.model import BLANKS, Dialect, Format, LineEnds
from pgsluice.source.records.free.values import csv_values, text_value

_NEVER = re.compile(rb"(?!)")


class Grammar:
    """What the characters of a dialect mean, as patterns and functions.

    Possessive and atomic groups forbid backtracking: time stays proportional to length.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.blanks = dialect.delimiter == BLANKS
        """A run of blanks and tabs is a delimiter."""
        self.delimiter = b"" if self.blanks else dialect.delimiter.encode()
        self.text = dialect.format is Format.TEXT
        self.quote = dialect.quote.encode()
        self.escape = b"\\" if self.text else dialect.escape.encode()
        self.comment = dialect.comment.encode()
        self.any_end = dialect.line_ends is LineEnds.ANY
        self.loose = self.blanks or dialect.skip_initial_blanks
        """Blanks around fields are no data, and a line of blanks is blank."""
        padding = b" \t".replace(self.delimiter, b"") if len(self.delimiter) == 1 else b" \t"
        self.padding = re.compile(b"[%b]*" % padding) if self.loose else None
        """Matches blanks that are not data."""
        self.padding_bytes = padding
        self.separator = re.compile(b"[ \t]+") if self.blanks else re.compile(re.escape(self.delimiter))
        """Matches a delimiter."""
        self.line_end = re.compile(rb"\r\n?|\n" if self.any_end else rb"\r?\n")
        self.blank_lines = self._blank_lines()
        """Matches lines that are no records because they are blank."""
        self.unquoted = self._unquoted()
        """Matches an unquoted field, up to a delimiter, a line end or the end of the data."""
        self.closing = self._closing()
        """Matches a quoted field behind its opening quote, the closing quote included."""
        self.null_texts = frozenset(text.encode() for text in dialect.null_texts)
        self.unquoted_value: Callable[[bytes], bytes]
        """Removes the escapes from the text of an unquoted field."""
        self.quoted_value: Callable[[bytes], bytes]
        """Removes the escapes from the text between quotes."""
        if self.text:
            self.unquoted_value = self.quoted_value = text_value
        else:
            self.unquoted_value, self.quoted_value = csv_values(dialect)

    def _blank_lines(self) -> re.Pattern[bytes]:
        end = rb"[\r\n]" if self.any_end else rb"\r?\n"
        if not self.loose:
            return re.compile(b"(?:%b)*+" % end)
        return re.compile(b"(?:[%b]*+%b)*+" % (self.padding_bytes, end))

    def _unquoted(self) -> re.Pattern[bytes]:
        ends = b"\r\n" if self.any_end else b"\n"
        # Each byte of the class ends a run of ordinary bytes; a first byte of the delimiter alone is ordinary.
        special = b" \t" if self.blanks else self.delimiter[:1]
        parts = [b"[^%b]++" % b"".join(map(re.escape, _single_bytes(special + ends + self.escape)))]
        if len(self.delimiter) > 1:
            parts.append(b"(?!%b)%b" % (re.escape(self.delimiter), re.escape(self.delimiter[:1])))
        if self.escape:
            # In the text format an escape covers one byte, in CSV a whole line end.
            covered = rb"[\s\S]" if self.text else rb"(?:\r\n|[\s\S])"
            parts.append(b"%b%b?+" % (re.escape(self.escape), covered))
        return re.compile(b"(?:%b)*+" % b"|".join(parts))

    def _closing(self) -> re.Pattern[bytes]:
        if not self.quote:
            return _NEVER
        q, x = re.escape(self.quote), re.escape(self.escape)
        if not self.escape:
            return re.compile(b"(?>[^%b]*+(?:%b%b[^%b]*+)*+)%b" % (q, q, q, q, q))
        # An escape in front of another character than quote and escape is data.
        return re.compile(b"(?>(?:[^%b%b]++|%b%b|%b[%b%b]?+)*+)%b" % (q, x, q, q, x, q, x, q))


@lru_cache(maxsize=64)
def grammar_of(dialect: Dialect) -> Grammar:
    """The grammar of a dialect. The patterns of a dialect are compiled once."""
    return Grammar(dialect)


def _single_bytes(text: bytes) -> list[bytes]:
    return [text[i : i + 1] for i in range(len(text))]
