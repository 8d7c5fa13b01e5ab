"""The format of a report: the CSV file with the rejects of a run."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pgsluice.ledger.rejects import RejectRow
from pgsluice.model import Reject, Verdict
from pgsluice.source.corrections import raise_field_limit
from pgsluice.source.formulas import GUARDED_RAW, guard

HEADER = (
    "run", "reject", "table", "file", "line", "record", "kind", "column", "constraint", "sqlstate", "message",
    "parent_file", "parent_line", "raw",
)  # fmt: skip
"""The columns of a report. A replay reads ``run``, ``reject`` and ``raw`` of a corrected report."""

GUARDED_HEADER = (*HEADER[:-1], GUARDED_RAW)
"""The columns of a report whose texts are guarded against spreadsheet programs."""

PLACEHOLDERS = " (each \\xNN stands for a byte that cannot be read)"
"""The end of a reject's message if ``raw`` holds undecodable bytes, but another fault is the reason to reject."""


def csv_writer(out: TextIO) -> Any:
    """Returns a CSV writer for the rows of a report.

    The writer quotes every text: an unquoted CR in ``raw`` would end the row for many readers.
    """
    return csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


def csv_row(r: Reject) -> tuple[object, ...]:
    """Returns a reject of the ledger as a row of a report, in the order of :data:`HEADER`."""
    return (
        r.original, r.number, r.table, r.file, r.line, r.record, r.kind, r.column, r.constraint, r.sqlstate, r.message,
        r.parent_file, "" if r.parent_line is None else str(r.parent_line), r.raw,
    )  # fmt: skip


def guarded_row(r: Reject) -> tuple[object, ...]:
    """Returns a reject as a row of a guarded report, in the order of :data:`GUARDED_HEADER`."""
    return tuple(guard(cell) if isinstance(cell, str) else cell for cell in csv_row(r))


def read_report(path: Path) -> Iterator[RejectRow]:
    """Yields the rows of a report as rows for the ledger, with the numbers that the report gives them."""
    raise_field_limit()
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        next(reader)
        for _, number, table, file, line, record, *verdict, parent_file, parent_line, raw in reader:
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
            )
