"""Write rejects into the ledger, in any encoding that a database may have.

A report is UTF-8. The ledger has the encoding of its database, which may lack characters of the report; such a
character is stored as its name, ``\\u20ac`` or ``\\U0001f600``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pgsluice.ledger.statements import Connection, fetch_value
from pgsluice.model import Verdict
from pgsluice.postgres.copy import BinaryEncoder, copy_batch
from pgsluice.sql import query

if TYPE_CHECKING:
    import pyarrow as pa


class RejectRow(NamedTuple):
    """A row of ``pgsluice.reject`` without its run."""

    table_name: str
    file: str
    line: int
    ordinal: int
    """The number of the record in its file, from 1."""
    verdict: Verdict
    raw: str
    parent_file: str | None = None
    parent_line: int | None = None
    number: int | None = None
    """``reject_no``; None before :func:`copy_rejects` numbers the row. In a replay: the number of the record in the
    run that is replayed."""
    replayed_by: int | None = None
    """The run that loaded the corrected record."""
    cause: int | None = None
    """``cause_no``."""
    byte_offset: int | None = None
    """Where the record begins in its file, in bytes from 0; None if that is not known."""


# COPY's text format writes these characters as escapes. PostgreSQL's text holds no NUL: NUL becomes ``\\x00``.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\\\x00"})

_ROWS_PER_WRITE = 500

_NAME = re.compile(r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}")
"""The name of a character that the encoding of the database lacks."""


def takes_report(conn: Connection) -> bool:
    """Says whether :func:`copy_report` may be called: the database can store every character of a report."""
    return _codec(conn) == "utf-8"


def copy_report(conn: Connection, rows: pa.RecordBatch) -> None:
    """Copies rejects from a report into the ledger, in COPY's binary format.

    :param rows: the columns of a report; ``parent_file`` and ``parent_line`` are NULL where a reject has no parent.
    """
    copy_batch(conn, query("ledger", "copy_report"), BinaryEncoder(rows.schema), rows)


def copy_rejects(conn: Connection, run_id: int, rows: Iterable[RejectRow]) -> int:
    """Copies rejects into the ledger, in COPY's text format.

    :param rows: read as a stream. Rows without a number are numbered on from those that the run has already.
    :returns: how many rows were written.
    """
    first: int = fetch_value(conn, "next_reject", run_id=run_id)
    number = first
    lines: list[str] = []
    codec = _codec(conn)
    with conn.cursor() as cursor, cursor.copy(query("ledger", "copy_rejects")) as copy:

        def write() -> None:
            text = "".join(lines)
            copy.write(text if codec == "utf-8" else _name_lacking(text, codec))
            lines.clear()

        for number, row in enumerate(rows, start=first + 1):
            lines.append(_copy_line(run_id, number - 1 if row.number is None else row.number, row))
            if len(lines) == _ROWS_PER_WRITE:
                write()
        write()
    return number - first


def restore_lacking(conn: Connection, stored: str, corrected: bytes) -> bytes:
    """Puts the characters back that the ledger could only store by name.

    PostgreSQL then rejects the record, instead of storing the names of the characters.

    :param stored: the ledger's ``raw``.
    :param corrected: the record of a corrected report, in UTF-8.
    """
    codec = _codec(conn)
    for name in () if codec == "utf-8" else set(_NAME.findall(stored)):
        number = int(name[2:], 16)
        if number <= 0x10FFFF and not 0xD800 <= number < 0xE000 and not _encodes(chr(number), codec):
            corrected = corrected.replace(name.encode(), chr(number).encode())
    return corrected


def _name_lacking(text: str, codec: str) -> str:
    """Replaces the characters that the encoding lacks by their names, the backslash doubled for COPY."""
    return text.encode(codec, _error_handler()).decode(codec)


@cache
def _error_handler() -> str:
    """Registers the error handler for :meth:`str.encode` with Python, once, and return its name."""
    name = "pgsluice_copy"
    codecs.register_error(
        name,
        lambda e: ("".join(f"\\{_name_of(c)}" for c in e.object[e.start : e.end]), e.end),  # type: ignore[attr-defined]
    )
    return name


def _name_of(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _encodes(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _codec(conn: Connection) -> str:
    """Returns Python's name for the encoding of the database; ASCII where Python has no such encoding."""
    name = conn.info.parameter_status("server_encoding") or "UTF8"
    try:
        return codecs.lookup("utf-8" if name == "SQL_ASCII" else re.sub("^WIN", "cp", name)).name
    except LookupError:
        return "ascii"


def _copy_line(run_id: int, number: int, row: RejectRow) -> str:
    """Returns a row in COPY's text format.

    A row without special characters is joined without a translation of its fields, which takes a third of the time.
    """
    v = row.verdict
    values = (
        run_id, number, row.table_name, row.file, row.line, row.ordinal,
        v.kind, v.column, v.constraint, v.sqlstate, v.message, v.detail, row.raw, row.parent_file, row.parent_line,
        row.cause, row.byte_offset,
    )  # fmt: skip
    line = "\t".join(["\\N" if value is None else str(value) for value in values])
    plain = line.count("\\") == values.count(None) and line.count("\t") == len(values) - 1
    if not plain or "\n" in line or "\r" in line or "\0" in line:
        line = "\t".join("\\N" if value is None else str(value).translate(_ESCAPES) for value in values)
    return line + "\n"
