"""Where records begin and end, and which of them are faulty: the exact rules, in one place.

The rules:

* A record ends at LF or CRLF outside quotes. A lone CR outside quotes is a fault of its record.
* A field is quoted if and only if its first byte is the quote; a doubled quote in it is one quote. A
  quote inside an unquoted field is data. Only a delimiter or the record's end may follow a closing quote.
* A line without any byte (but CR) is not a record, except when the file has one column: there it is a
  record of one unquoted empty field.
* After an unterminated quote or text behind a closing quote, the faulty record is its first physical line
  alone and scanning resumes on the next line, so that one missing quote does not swallow the file. A
  record that is not complete within ``MAX_RECORD_BYTES`` counts as unterminated.
* A record has one fault at most, the first of: structure, encoding (also NUL), lone CR, number of fields.

Three speeds: :func:`clean` judges a whole buffer by a few vectorised passes; :meth:`Walker.spans` classifies
lines by vectorised passes and walks in Python only through records that are faulty or span lines;
:func:`scan` makes an object of every record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Positions = NDArray[np.intp]
    Mask = NDArray[np.bool_]
    Octets = NDArray[np.uint8]


MAX_RECORD_BYTES = 32 << 20
"""A record that is longer is a fault; a single line that is longer ends the run (:class:`LineTooLong`)."""


WINDOW_BYTES = 1 << 20
"""How much of the data is classified at a time: keeps the arrays of positions small and in cache."""

BAD_FORMAT = "22P04"


BAD_ENCODING = "22021"


LF, CR = 10, 13


Field = tuple[bytes, bool]
"""The value of a field, quotes undone, and whether it was quoted."""


class LineTooLong(Exception):
    """A line has no end within MAX_RECORD_BYTES: this is not a CSV file, or one with CR as line end."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Record(NamedTuple):
    """A record: ``data[start:end]`` without its newline; the next one begins at ``next``.

    ``fields`` may be empty when there is a fault. ``rewrite`` says that DuckDB would not read it as it
    is: an unquoted field holds a quote, or a blank line is a record (see :func:`loses_blanks`).
    """

    start: int
    end: int
    next: int
    line: int
    fields: tuple[Field, ...]
    fault: tuple[str, str] | None
    rewrite: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` faultless records: ``data[start:next]``, every one ended by a newline.

    ``ends`` are the positions of those newlines (LF); None: every record is one line.
    """

    start: int
    next: int
    line: int
    count: int
    ends: tuple[int, ...] | None = None
