"""Rejects on their way out: each gets its file, line and raw record, and goes into the report and the ledger.

The judge knows a rejected row by its ordinal only. Lines and raw bytes are read from the files again,
for those records alone, some thousands at a time: a run may reject a million rows.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from pgsluice.errors import CallError
from pgsluice.ledger.rejects import copy_report
from pgsluice.model import RejectGroup
from pgsluice.pipeline.prefetch import Prefetch
from pgsluice.pipeline.rejects.reasons import fetched, note_parents
from pgsluice.pipeline.rejects.report_file import HEADER, PLACEHOLDERS
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.source.records.rules import BAD_ENCODING

if TYPE_CHECKING:
    import pyarrow as pa

    from pgsluice.source.locate import Numbers, Places


# Pieces of the report that may wait to be written.
_AHEAD = 2


def write_report(
    conn: psycopg.Connection,
    states: Sequence[TableRun],
    folder: Path,
    name: str,
    run_id: int,
    book: psycopg.Connection | None = None,
) -> tuple[Path, tuple[RejectGroup, ...]]:
    """Writes the run's rejects as CSV, in load order, file by file and line by line.

    A thread of its own asks for them and makes the report, some thousands ahead of this one, which waits for
    the server to write them into the ledger.

    :param folder: where to write it; made if it is not there.
    :param name: the file's name without ``.csv``. If there is one, because runs of two databases have one number
        and end in the same second, the new one gets a number behind its name.
    :param run_id: the run whose rejects they are: in a replay, the one that is replayed.
    :param book: the connection on which they go into the ledger at the same time; None: they do not.
    :returns: the file, and how many there are of which kind, as :func:`pgsluice.ledger.queries.reject_groups` counts
        them.
    :raises CallError: the folder cannot be written.
    """
    note_parents(conn, states)
    groups = _Groups()
    path = folder / f"{name}.csv"
    # The two threads may share a connection; while one has a statement under way on it, the other waits.
    busy = threading.Lock()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _create(folder, name) as out:
            path = Path(out.name)
            try:
                head = ",".join(f'"{name}"' for name in HEADER).encode() + b"\n"
                out.write(head)
                with closing(Prefetch(_parts(conn, busy, states, run_id, groups), _AHEAD, "pgsluice-rejects")) as parts:
                    for part, rows in parts:
                        out.write(part)
                        if book is not None:
                            with busy if book is conn else nullcontext():
                                copy_report(book, rows)
                out.flush()
            except BaseException:
                # Half a report would be taken for a whole one.
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise CallError(
            f"the report of rejects cannot be written to {path}: {error.strerror}",
            "Nothing was published. Make the folder writable or run from another one",
        ) from error
    return path, groups.most_first()


def _parts(
    conn: psycopg.Connection, busy: threading.Lock, states: Sequence[TableRun], run_id: int, groups: _Groups
) -> Generator[tuple[memoryview, pa.RecordBatch], None, None]:
    """The report without its header, piece by piece; each also as rows for the ledger."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    # Every text quoted, and no number: as :func:`csv_writer` does.
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
    count = 0
    for state, file, rows, places in _located(conn, busy, states):
        report = _report(run_id, count, state, file, rows, places)
        count += report.num_rows
        groups.add(report)
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(report, sink, options)
        yield memoryview(sink.getvalue()), _entries(report, rows["parent_line"])


def _create(folder: Path, name: str) -> BufferedWriter:
    """A new file of this name, or of one with a number behind it; made by nobody else."""
    for number in itertools.count(1):
        path = folder / (f"{name}.csv" if number == 1 else f"{name}_{number}.csv")
        with suppress(FileExistsError):
            return path.open("xb")
    raise AssertionError


class _Groups:
    """Counts the rows of a report by table, kind, column, constraint and SQLSTATE, as they are written."""

    _KEYS = ("table", "kind", "column", "constraint", "sqlstate")

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str, str, str], tuple[int, int, str]] = {}

    def add(self, report: pa.Table) -> None:
        from pyarrow import compute as pc

        pluralize = report.group_by(list(self._KEYS)).aggregate([("reject", "count"), ("reject", "min")])
        for group in pluralize.to_pylist():
            table, kind, column, constraint, sqlstate = (group[name] for name in self._KEYS)
            key = table, kind, column, constraint, sqlstate
            count, first, example = self._found.get(key, (0, group["reject_min"] + 1, ""))
            if group["reject_min"] < first:
                first = group["reject_min"]
                row = report.slice(pc.index(report["reject"], first).as_py(), 1).to_pylist()[0]
                example = f"{row['file']}:{row['line']}: {row['message']}"
            self._found[key] = (count + group["reject_count"], first, example)

    def most_first(self) -> tuple[RejectGroup, ...]:
        """Causes before consequences: rows whose parents were rejected come last."""
        found = sorted(self._found.items(), key=lambda item: (item[0][1] == "parent", -item[1][0], item[1][1]))
        return tuple(RejectGroup(*key, count, example) for key, (count, _, example) in found)


def _located(
    conn: psycopg.Connection, busy: threading.Lock, states: Sequence[TableRun]
) -> Iterator[tuple[TableRun, FileRun, pa.Table, Places]]:
    """Rejects and where they stand, some of one file at a time."""
    by_number = {s.number: s for s in states}
    portions = _Files(by_number, fetched(conn, busy, states))
    for state, file in portions:
        # Portions wait here, in whole or in part, while their records are read.
        waiting: deque[pa.Table] = deque()
        for places in file.locate(portions.ordinals(state, file, waiting)):
            count = places.ordinals.size
            yield state, file, waiting[0].slice(0, count), places
            rest = waiting.popleft().slice(count)
            if rest.num_rows:
                waiting.appendleft(rest)


class _Files:
    """Portions of rejects, cut where a file ends."""

    def __init__(self, states: dict[int, TableRun], tables: Iterator[pa.Table]) -> None:
        self._states = states
        self._tables = tables
        self._next = next(tables, None)

    def __iter__(self) -> Iterator[tuple[TableRun, FileRun]]:
        """The files that have rejects; :meth:`ordinals` of one is to be used up before the next is taken."""
        while self._next is not None:
            state = self._states[self._next["tab"][0].as_py()]
            yield state, state.file_of(self._next["ord"][0].as_py())

    def ordinals(self, state: TableRun, file: FileRun, waiting: deque[pa.Table]) -> Iterator[Numbers]:
        """The ordinals of a file's rejects; their rows go into ``waiting``."""
        while self._next is not None:
            table = self._next
            own = int(table["tab"].to_numpy().searchsorted(state.number, "right"))
            ordinals = table["ord"].to_numpy()[:own]
            own = int(ordinals.searchsorted(file.base + file.read))
            if own:
                waiting.append(table.slice(0, own))
            rest = table.slice(own)
            self._next = rest if rest.num_rows else next(self._tables, None)
            if own:
                yield ordinals[:own] - file.base
            if rest.num_rows:
                return


def _report(run_id: int, count: int, state: TableRun, file: FileRun, rows: pa.Table, places: Places) -> pa.Table:
    """Rows of the report, the first of them number ``count`` + 1."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import compute as pc

    length = rows.num_rows
    numbers = np.arange(count + 1, count + length + 1) if places.numbers is None else places.numbers
    raws, marked = _readable(places.raws)
    messages = _text(rows["message"])
    if marked is not None:
        marked = pc.and_(marked, pc.not_equal(rows["code"].combine_chunks(), BAD_ENCODING.encode()))
        messages = pc.if_else(marked, pc.binary_join_element_wise(messages, PLACEHOLDERS, ""), messages)
    columns = (
        pa.repeat(run_id, length), numbers, pa.repeat(state.name, length), pa.repeat(file.plan.file.path, length),
        places.lines, places.records, _text(rows["kind"]), _text(rows["col"]), _text(rows["con"]), _text(rows["code"]),
        messages, _text(rows["parent_file"]), pc.fill_null(rows["parent_line"].cast(pa.string()), ""), raws,
    )  # fmt: skip
    return pa.table(dict(zip(HEADER, columns, strict=True)))


def _entries(report: pa.Table, parent_lines: pa.ChunkedArray) -> pa.RecordBatch:
    """Rows of a report as the ledger has them: no parent is NULL."""
    import pyarrow as pa
    from pyarrow import compute as pc

    columns = {name: report[name].combine_chunks() for name in HEADER}
    columns["parent_line"] = parent_lines.combine_chunks()
    columns["parent_file"] = pc.if_else(pc.equal(columns["parent_file"], ""), None, columns["parent_file"])
    return pa.RecordBatch.from_pydict(columns)


def _text(values: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    whole = values.combine_chunks()
    try:
        return whole.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([value.decode("utf-8", "replace") for value in whole.to_pylist()])


def _readable(raws: pa.BinaryArray) -> tuple[pa.Array, pa.Array | None]:
    r"""Raw records as text; which of them have bytes that are none, and stand as ``\xNN``: None is no record."""
    import pyarrow as pa
    from pyarrow import compute as pc

    try:
        texts = raws.cast(pa.string())
        if not pc.any(pc.match_substring(texts, "\0")).as_py():
            return texts, None
    except pa.ArrowInvalid:
        pass
    # What no text of PostgreSQL holds either; a report reads like the ledger.
    texts = pa.array([raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00") for raw in raws.to_pylist()])
    return texts, pc.not_equal(pc.binary_length(texts), pc.binary_length(raws))
