"""TODO pgsluice.ledger.rejects."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from pgsluice.ledger.statements import Connection, fetch_value
from pgsluice.postgres.copy import BinaryEncoder, copy_batch
from pgsluice.sql import query

if TYPE_CHECKING:
    import pyarrow as pa


class RejectRow(NamedTuple):
    """A row of ``pgsluice.reject`` without its numbers."""

    table_name: str
    file: str
    line: int
    ordinal: int
    kind: str
    column_name: str
    constraint_name: str
    sqlstate: str
    message: str
    raw: str
    parent_file: str | None = None
    parent_line: int | None = None
    number: int | None = None
    """Given in a replay: the one that the record has in the run that is replayed."""


# What COPY's text format writes in another way. PostgreSQL's text holds no NUL: it becomes ``\\x00``.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\\\x00"})


_BATCH = 500


# Characters that the database's encoding lacks are written as \\u20ac or \\U0001f600, the backslash doubled for COPY.
codecs.register_error(
    "pgsluice_copy",
    lambda e: ("".join(f"\\{_named(c)}" for c in e.object[e.start : e.end]), e.end),  # type: ignore[attr-defined]
)


_NAMED = re.compile(r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}")


def _named(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def with_lacking(conn: Connection, raw: str, given: bytes) -> bytes:
    """A record of a report with the characters that the ledger's ``raw`` could only name: told so, PostgreSQL refuses
    them, instead of storing their names.
    """
    codec = _codec(conn)
    for name in () if codec == "utf-8" else set(_NAMED.findall(raw)):
        number = int(name[2:], 16)
        if number <= 0x10FFFF and not 0xD800 <= number < 0xE000 and not _encodes(chr(number), codec):
            given = given.replace(name.encode(), chr(number).encode())
    return given


def _encodes(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _codec(conn: Connection) -> str:
    """Python's name for the encoding of the database; ASCII where it has none."""
    name = conn.info.parameter_status("server_encoding") or "UTF8"
    try:
        return codecs.lookup("utf-8" if name == "SQL_ASCII" else re.sub("^WIN", "cp", name)).name
    except LookupError:
        return "ascii"


def copy_rejects(conn: Connection, run_id: int, rows: Iterable[RejectRow]) -> int:
    """Write rejected rows down in bulk, numbered on from those of the run that are there, unless they have
    their numbers.

    ``rows`` is read as a stream. Returns how many rows were written.
    """
    first: int = fetch_value(conn, "next_reject", run_id=run_id)
    number = first
    lines: list[str] = []
    codec = _codec(conn)
    with conn.cursor() as cursor, cursor.copy(query("ledger", "copy_rejects")) as copy:

        def write() -> None:
            text = "".join(lines)
            copy.write(text if codec == "utf-8" else text.encode(codec, "pgsluice_copy").decode(codec))
            lines.clear()

        for number, row in enumerate(rows, start=first + 1):
            lines.append(_copy_line(run_id, number - 1 if row.number is None else row.number, row))
            if len(lines) == _BATCH:
                write()
        write()
    return number - first


def takes_report(conn: Connection) -> bool:
    """Whether :func:`copy_report` may be used: the database has all of the report's characters."""
    return _codec(conn) == "utf-8"


def copy_report(conn: Connection, rows: pa.RecordBatch) -> None:
    """Writes rejects down.

    :param rows: the columns of a report, ``parent_file`` and ``parent_line`` NULL where there is none.
    """
    copy_batch(conn, query("ledger", "copy_report"), BinaryEncoder(rows.schema), rows)


def _copy_line(run_id: int, number: int, row: RejectRow) -> str:
    """A row in COPY's text format; of a million, made by hand in a third of the time."""
    fields = [str(run_id), str(number), *(v if type(v) is str else "\\N" if v is None else str(v) for v in row[:-1])]
    line = "\t".join(fields)
    plain = line.count("\\") == row[:-1].count(None) and line.count("\t") == len(fields) - 1
    if not plain or "\n" in line or "\r" in line or "\0" in line:
        line = "\t".join("\\N" if v is None else str(v).translate(_ESCAPES) for v in (run_id, number, *row[:-1]))
    return line + "\n"
