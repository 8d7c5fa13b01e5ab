"""The rules of records, and the types that the modules of this package share.

The rules:

* A record ends at LF or CRLF outside quotes. A lone CR outside quotes makes its record a fault.
* A field is quoted if and only if its first byte is the quote; a doubled quote in it is one quote. A
  quote inside an unquoted field is data, but not if two of them enclose a delimiter as a quoted field does
  (:mod:`~pgsluice.source.records.inner_quotes`): the record is a fault then. Only a delimiter or the record's end may
  follow a closing quote.
* A line without any byte (but CR) is not a record, except when the file has one column: there the line is a
  record of one unquoted empty field.
* After an unterminated quote or text behind a closing quote, the fault is the record's first physical line
  alone and parsing resumes on the next line, so that one missing quote does not consume the file. A
  record that is not complete within ``MAX_RECORD_BYTES`` counts as unterminated.
* A fault has one reason, the first of: structure, encoding (also NUL), lone CR, number of fields.
* A header has at most ``MAX_FIELDS`` fields, so that a record with more fields is always a fault.

The reasons have the messages and SQLSTATEs of PostgreSQL's COPY wherever COPY refuses the record as well.
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
"""A longer record is a fault; a longer line ends the run (:class:`LineTooLong`)."""

MAX_FIELDS = 1600
"""How many columns a table can have (MaxHeapAttributeNumber in htup_details.h)."""

WINDOW_BYTES = 1 << 20
"""How many bytes are classified at a time: small enough that the arrays of positions stay in the CPU cache."""

BAD_FORMAT = "22P04"
"""SQLSTATE bad_copy_file_format (PostgreSQL manual, appendix A)."""

BAD_ENCODING = "22021"
"""SQLSTATE character_not_in_repertoire (PostgreSQL manual, appendix A)."""

UNTERMINATED = "unterminated CSV quoted field"
TEXT_BEHIND_QUOTE = "text after a closing quote"
TOO_LONG = "record is longer than 32 MiB"
TOO_MANY = f"more than {MAX_FIELDS:,} fields"
UNQUOTED_CR = "unquoted carriage return found in data"
TEXT_CR = "literal carriage return found in data"
TEXT_END_MARKER = "end-of-copy marker is not alone on its line, or not at the end of the file"

QUOTE_FAULTS = frozenset({UNTERMINATED, TEXT_BEHIND_QUOTE, TOO_LONG})
"""The messages of records whose quotes do not pair."""

LF, CR = 10, 13


Field = tuple[bytes, bool]
"""The value of a field, without its quotes, and whether the field was quoted."""


class LineTooLong(Exception):
    """A line has no end within MAX_RECORD_BYTES: the file is not CSV, or its lines end with CR."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class FaultReason(NamedTuple):
    """Why a record is a fault, as PostgreSQL's COPY reports it."""

    sqlstate: str
    message: str


class Record(NamedTuple):
    """A record of a buffer: ``data[start:end]`` without its line end; the next record begins at ``next``.

    ``fields`` may be empty when the record is a fault. ``rewrite`` is true when DuckDB would not read the record as it
    stands: an unquoted field holds a quote, or a blank line is a record
    (:func:`~pgsluice.source.records.fast_scan.loses_blanks`).
    """

    start: int
    end: int
    next: int
    line: int
    """The physical line on which the record begins, from 1."""
    fields: tuple[Field, ...]
    fault: FaultReason | None
    rewrite: bool = False


@dataclass(frozen=True, slots=True)
class CleanSpan:
    """``count`` neighbouring faultless records: ``data[start:next]``, each with its line end.

    ``ends`` are the positions of the LFs that end the records; None says that every record is one line.
    """

    start: int
    next: int
    line: int
    """The physical line on which the first record begins, from 1."""
    count: int
    ends: tuple[int, ...] | None = None
