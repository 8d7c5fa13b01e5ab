"""Rejects on their way out: each gets its file, line and raw record, and goes into the report and the ledger.

The judge knows a rejected row by its ordinal only. Lines and raw bytes are read from the files again,
for those records alone, and nothing is held in memory but the row at hand.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import psycopg

from pgsluice.errors import CallError
from pgsluice.load.ledger import RejectRow
from pgsluice.load.state import FileLoad, TableLoad
from pgsluice.model import Reject
from pgsluice.source.corrections import HEADER, PLACEHOLDERS
from pgsluice.source.records import BAD_ENCODING


def csv_writer(out: TextIO) -> Any:
    """A writer of reports. A bare CR in a raw record would end the row for readers if it were not quoted."""
    return csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


def csv_row(r: Reject) -> tuple[object, ...]:
    """A reject of the ledger as a row below HEADER."""
    return (
        r.original, r.number, r.table, r.file, r.line, r.record, r.kind, r.column, r.constraint, r.sqlstate, r.message,
        r.parent_file, "" if r.parent_line is None else r.parent_line, r.raw,
    )  # fmt: skip


def write_report(conn: psycopg.Connection, states: Sequence[TableLoad], path: Path, run_id: int) -> int:
    """Writes the run's rejects as CSV, in load order, file by file and line by line.

    :param run_id: the run whose rejects they are: in a replay, the one that is replayed.
    :returns: how many.
    :raises CallError: the folder cannot be written.
    """
    _lines_of_parents(conn, states)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv_writer(out)
            writer.writerow(HEADER)
            count = 0
            for number, row in _located(conn, states):
                count += 1
                writer.writerow((run_id, count if number is None else number, *row))
    except OSError as error:
        raise CallError(
            f"the report of rejects cannot be written to {path}: {error.strerror}",
            "Nothing was published. Make the folder writable or run from another one",
        ) from error
    return count


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


def _lines_of_parents(conn: psycopg.Connection, states: Sequence[TableLoad]) -> None:
    conn.execute("CREATE TEMP TABLE pgsluice_line (tab integer, ord bigint, file text, line bigint) ON COMMIT DROP")
    for state in states:
        wanted = [
            row[0]
            for row in conn.execute(
                "SELECT DISTINCT parent_ord FROM pg_temp.pgsluice_reject WHERE parent_tab = %s ORDER BY 1",
                (state.number,),
            )
        ]
        if not wanted:
            continue
        with conn.cursor() as cursor, cursor.copy("COPY pg_temp.pgsluice_line FROM STDIN") as copy:
            for file in state.files:
                mine = [o - file.base for o in wanted if file.base <= o < file.base + file.read]
                for place in file.locate(mine):
                    copy.write_row((state.number, file.base + place.ordinal, file.plan.file.path, place.line))


# Some input functions cut the value that they quote in the middle of a character: a message may not be UTF-8.
_ROWS = """
SELECT r.tab, r.ord, r.kind, r.col, r.con, r.code, textsend(r.message), p.file, p.line
FROM pg_temp.pgsluice_reject AS r
LEFT JOIN pg_temp.pgsluice_line AS p ON p.tab = r.parent_tab AND p.ord = r.parent_ord
ORDER BY r.tab, r.ord
"""


def _located(conn: psycopg.Connection, states: Sequence[TableLoad]) -> Iterator[tuple[int | None, tuple[object, ...]]]:
    """Number (of a replay) and the row below HEADER, from the table on."""
    by_number = {s.number: s for s in states}
    with conn.cursor(name="pgsluice_report") as cursor:
        cursor.itersize = 5000
        rows = _Lookahead(cursor.execute(_ROWS))
        while (row := rows.peek()) is not None:
            state = by_number[row[0]]
            yield from _of_file(rows, state, state.file_of(row[1]))


def _of_file(rows: _Lookahead, state: TableLoad, file: FileLoad) -> Iterator[tuple[int | None, tuple[object, ...]]]:
    pending: deque[tuple[Any, ...]] = deque()
    # A block's rejects wait here while their records are read; most of them say the same.
    said: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def ordinals() -> Iterator[int]:
        while (row := rows.peek()) is not None and row[0] == state.number and row[1] < file.base + file.read:
            words = rows.take()[2:]
            if len(said) > 1000:
                said.clear()
            pending.append(said.setdefault(words, words))
            yield row[1] - file.base

    for place in file.locate(ordinals()):
        kind, column, constraint, code, message, parent_file, parent_line = pending.popleft()
        message = message.decode("utf-8", "replace")
        if parent_file:
            message = f"{message} (its parent, {parent_file} line {parent_line}, was rejected)"
        # What no text of PostgreSQL holds either; a report reads like the ledger.
        raw = place.raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        if len(raw.encode()) != len(place.raw) and code != BAD_ENCODING:
            message += PLACEHOLDERS
        yield place.number, (
            state.name, file.plan.file.path, place.line, place.record, kind, column, constraint, code or "", message,
            parent_file or "", parent_line or "", raw,
        )  # fmt: skip


class _Lookahead:
    """Rows with a look at the next one."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)

    def peek(self) -> tuple[Any, ...] | None:
        return self._next

    def take(self) -> tuple[Any, ...]:
        row = self._next
        assert row is not None
        self._next = next(self._rows, None)
        return row
