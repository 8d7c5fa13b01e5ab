"""A record as cells, one for each field, and the record that edited cells make.

Cells show a record for people, so they may hold less than it: an empty cell is NULL or an empty text, and long texts
are cut. So a record is never made of the cells alone. The cells of the kept record are computed again. A cell that is
equal to its kept cell was not edited, and its field stays as it was, quotes included. Other cells change their fields.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pgsluice.model import Dialect, Format
from pgsluice.model.reading.dialect import BLANKS
from pgsluice.source.blocks import block_of
from pgsluice.source.records.record_parser import RecordParser
from pgsluice.source.records.rules import LineTooLong

RUN, NUMBER, WHOLE = "run", "reject_no", "record"
"""Columns of a sheet: the run, the number of the reject, and the whole record if it cannot be divided into fields."""

GUARDED_WHOLE = "guarded_record"
"""The column ``record`` of a sheet whose texts are guarded against formulas."""

ABOUT = (RUN, NUMBER, "file", "line", "kind", "column", "message", "detail")
"""The first columns of a sheet, which say what is wrong."""

_RESERVED = frozenset((*ABOUT, WHOLE, GUARDED_WHOLE, "raw", "guarded_raw", "reject"))

_LONGEST_CELL = 32_000
"""A longer text is cut: Excel's cells hold 32,767 characters."""

_CUT = "[pgsluice: cut here for the spreadsheet]"

_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML, and so a workbook, cannot hold."""


class Field(NamedTuple):
    """A field of a record."""

    text: str
    quoted: bool
    """It is not NULL, whatever the text is."""


def field_names(columns: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns of a sheet for the fields of a file; '' for a field that is not shown.

    :param columns: the columns of the table in the order of the fields; '' for a field that is left out.
    :param labels: the names of the fields in the file; () if they are not known.
    """
    names: list[str] = []
    for place, column in enumerate(columns):
        name = column or (labels[place] if place < len(labels) else "")
        if name in _RESERVED:
            name = f"{name} (field)"
        while name and name in names:
            name += "'"
        names.append(name)
    return tuple(names)


def divided(raw: str, dialect: Dialect, columns: Sequence[str]) -> tuple[Field, ...] | None:
    """Divides a record into its fields; None if it has a fault.

    :param columns: names for the fields, in order.
    """
    try:
        block = block_of(raw.encode() + b"\n", dialect, columns, 0, 1)
    except LineTooLong:
        return None
    if block.count != 1 or block.faults:
        return None
    record = RecordParser(block.data, dialect.in_blocks, len(columns), columns, at_end=True).record(0, 1)
    if record is None or record.fault is not None:
        return None
    return tuple(Field(value.decode(), quoted) for value, quoted in record.fields)


def joined(fields: Sequence[Field], dialect: Dialect, columns: Sequence[str]) -> str | None:
    """Writes a record that has these fields; None if the dialect of the file has no way to write them."""
    if dialect.format is Format.TEXT:
        texts = [f.text if not f.quoted and f.text in dialect.null_texts else _escaped(f.text) for f in fields]
        delimiter = dialect.delimiter
    else:
        texts = [_written(f, dialect, first=not place) for place, f in enumerate(fields)]
        delimiter = " " if dialect.delimiter == BLANKS else dialect.delimiter
    raw = delimiter.join(texts) + delimiter * dialect.trailing_delimiters
    found = divided(raw, dialect, columns)
    nulls = dialect.null_texts
    if found is None or len(found) != len(fields):
        return None
    same = all(
        f.text == g.text and (f.quoted == g.quoted or f.text not in nulls) for f, g in zip(fields, found, strict=True)
    )
    return raw if same else None


def _written(field: Field, dialect: Dialect, *, first: bool) -> str:
    """A field as a file of the CSV family has it."""
    text, delimiter = field.text, dialect.delimiter
    special = any(c in text for c in (dialect.quote, dialect.escape, "\n", "\r", delimiter) if c)
    blank = dialect.skip_initial_blanks or delimiter == BLANKS
    special = special or (blank and any(c in " \t" for c in text)) or (not text and delimiter == BLANKS)
    special = special or bool(first and dialect.comment and text.startswith(dialect.comment))
    if dialect.quote and (field.quoted or special):
        if dialect.escape and dialect.escape != dialect.quote:
            text = text.replace(dialect.escape, dialect.escape * 2)
        return dialect.quote + text.replace(dialect.quote, dialect.quote * 2) + dialect.quote
    if dialect.escape and special:
        ends = {dialect.escape, "\n", "\r", *(dialect.comment[:1] if first else ""), *delimiter}
        return "".join(dialect.escape + c if c in ends else c for c in text)
    return text


def _escaped(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return text


def cell_of(text: str) -> str:
    """A text as a cell shows it."""
    text = _UNSHOWN.sub(lambda found: f"\\x{ord(found[0]):02x}", with_newlines(text))
    return text if len(text) <= _LONGEST_CELL else text[:_LONGEST_CELL] + _CUT


def shows_all(text: str) -> bool:
    """Whether a cell shows the text as it is, so that a change of the cell is a change of the text."""
    return cell_of(text) == with_newlines(text)


def with_newlines(text: str) -> str:
    """The text with every line end as LF, which is how spreadsheet programs write it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
