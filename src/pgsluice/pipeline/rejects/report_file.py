"""TODO pgsluice.pipeline.rejects.report_file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pgsluice.ledger.rejects import RejectRow
from pgsluice.model import Reject

if TYPE_CHECKING:
    pass


def csv_writer(out: TextIO) -> Any:
    """A writer of reports. A bare CR in a raw record would end the row for readers if it were not quoted."""
    return csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


def csv_row(r: Reject) -> tuple[object, ...]:
    """A reject of the ledger as a row below HEADER."""
    return (
        r.original, r.number, r.table, r.file, r.line, r.record, r.kind, r.column, r.constraint, r.sqlstate, r.message,
        r.parent_file, "" if r.parent_line is None else str(r.parent_line), r.raw,
    )  # fmt: skip


def read_report(path: Path) -> Iterator[RejectRow]:
    """The rows of a report, for the ledger."""
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        next(reader)
        for r in reader:
            _, number, table, file, line, record, kind, column, constraint, code, message, parent, parent_line, raw = r
            yield RejectRow(
                table, file, int(line), int(record), kind, column, constraint, code, message, raw,
                parent or None, int(parent_line) if parent_line else None, int(number),
            )  # fmt: skip


HEADER = (
    "run", "reject", "table", "file", "line", "record", "kind", "column", "constraint", "sqlstate", "message",
    "parent_file", "parent_line", "raw",
)  # fmt: skip
"""The columns of a report of rejects. Of a corrected one ``run``, ``reject`` and ``raw`` are read."""


PLACEHOLDERS = " (each \\xNN stands for a byte that cannot be read)"
"""Ends the message of a reject whose fault is another one, where its ``raw`` has such bytes as well."""
