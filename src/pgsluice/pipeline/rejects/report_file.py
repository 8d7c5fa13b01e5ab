"""The format of a report: the CSV file with the rejects of a run."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pgsluice.ledger.rejects import RejectRow
from pgsluice.model import Reject, Verdict
from pgsluice.source.records.lines import raise_field_limit
from pgsluice.source.spreadsheets.formulas import GUARDED_RAW, guard

HEADER = (
    "run", "reject_no", "table", "file", "line", "record_no", "kind", "column", "constraint", "sqlstate", "message",
    "detail", "parent_file", "parent_line", "cause", "byte_offset", "raw",
)  # fmt: skip
"""The columns of a report. A replay reads ``run``, ``reject_no`` and ``raw`` of a corrected report."""

GUARDED_HEADER = (*HEADER[:-1], GUARDED_RAW)
"""The columns of a report whose texts are guarded against spreadsheet programs."""

RAW_BYTES = 64 << 10
"""A longer record is kept cut, so that the report and the ledger stay small beside the files."""

CUT, CUT_END = "[pgsluice: cut here; the record has ", " bytes]"
"""What stands behind a record that is kept cut, before and behind the length of the whole record."""

_CUT = re.compile(re.escape(CUT.encode()) + rb"([0-9]+)" + re.escape(CUT_END.encode()) + rb"\s*$")

PLACEHOLDERS = " (each \\xNN stands for a byte that cannot be read)"
"""The end of a reject's message if ``raw`` holds undecodable bytes, but another fault is the reason to reject."""


def cut_from(raw: bytes) -> int | None:
    """Returns the length of the record of which a report kept only the beginning; None for a whole record.

    :param raw: the column ``raw`` of a report.
    """
    found = _CUT.search(raw[-200:])
    return None if found is None else int(found[1])


def csv_writer(out: TextIO) -> Any:
    """Returns a CSV writer for the rows of a report.

    The writer quotes every text: an unquoted CR in ``raw`` would end the row for many readers.
    """
    return csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


def csv_row(r: Reject) -> tuple[object, ...]:
    """Returns a reject of the ledger as a row of a report, in the order of :data:`HEADER`."""
    return (
        r.original, r.reject_no, r.table, r.file, r.line, r.record_no, r.kind, r.column, r.constraint, r.sqlstate,
        r.message, r.detail, r.parent_file, _number(r.parent_line), _number(r.cause),
        _number(r.byte_offset), r.raw,
    )  # fmt: skip


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def guarded_row(r: Reject) -> tuple[object, ...]:
    """Returns a reject as a row of a guarded report, in the order of :data:`GUARDED_HEADER`."""
    return tuple(guard(cell) if isinstance(cell, str) else cell for cell in csv_row(r))


def read_report(path: Path) -> Iterator[RejectRow]:
    """Yields the rows of a report as rows for the ledger, with the numbers that the report gives them."""
    raise_field_limit()
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        next(reader)
        for _, number, table, file, line, record, *verdict, parent_file, parent_line, cause, byte_offset, raw in reader:
            yield RejectRow(
                table_name=table,
                file=file,
                line=int(line),
                ordinal=int(record),
                verdict=Verdict(*verdict),
                raw=raw,
                parent_file=parent_file or None,
                parent_line=int(parent_line) if parent_line else None,
                number=int(number),
                cause=int(cause) if cause else None,
                byte_offset=int(byte_offset) if byte_offset else None,
            )
