"""Records written in the plain dialect of blocks, which COPY, DuckDB and Arrow read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pgsluice.model import Dialect
from pgsluice.source.records.fast_scan import loses_blanks
from pgsluice.source.records.rules import Field


class Rewriter:
    """Writes records of a file in the plain dialect of its blocks.

    :param dialect: the dialect of the file.
    """

    def __init__(self, dialect: Dialect) -> None:
        plain = dialect.in_blocks
        self._delimiter, self._quote = plain.delimiter.encode(), plain.quote.encode()
        # A BOM at the beginning of a block is lost in DuckDB; before PostgreSQL 18 a line \. ends the data of a COPY.
        special = b"[%b%b\r\n]|\\A\xef\xbb\xbf|\\A\\\\\\.\\Z" % (re.escape(self._delimiter), re.escape(self._quote))
        self._special = re.compile(special).search
        self._kept = frozenset(text.encode() for text in plain.null_texts) | {b""}
        """Values that a field in quotes must not lose its quotes with."""
        self._loses_blanks = loses_blanks(plain)

    def line(self, fields: Sequence[Field]) -> bytes:
        """A record with its line end."""
        if len(fields) == 1 and self._loses_blanks and not fields[0][0]:
            return self._quote * 2 + b"\n"
        return self._delimiter.join([self._field(value, quoted) for value, quoted in fields]) + b"\n"

    def _field(self, value: bytes, quoted: bool) -> bytes:
        if self._special(value) or (quoted and value in self._kept):
            return self._quote + value.replace(self._quote, self._quote * 2) + self._quote
        return value
