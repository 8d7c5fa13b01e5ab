"""The report: rejects get their file, line and raw record, and go into a CSV file and the ledger.

Validation knows a rejected row by its ordinal. Lines and raw bytes are read from the files again, for those records
alone and some thousands at a time, because a run may reject a million rows.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from pgsluice.errors import CallError
from pgsluice.ledger.groups import causes_first
from pgsluice.ledger.rejects import copy_report
from pgsluice.model import Reject, RejectGroup, RejectsResult
from pgsluice.pipeline.prefetch import Prefetch
from pgsluice.pipeline.rejects.causes import Causes
from pgsluice.pipeline.rejects.consequences import find_causes
from pgsluice.pipeline.rejects.explain import explained
from pgsluice.pipeline.rejects.reasons import fetch_rejects, locate_related
from pgsluice.pipeline.rejects.report_file import CUT, CUT_END, HEADER, PLACEHOLDERS, RAW_BYTES
from pgsluice.pipeline.rejects.report_folder import make_report_folder
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.private_files import create_file
from pgsluice.source.records.rules import BAD_ENCODING

if TYPE_CHECKING:
    import pyarrow as pa

    from pgsluice.source.locate import Numbers, Places

# Pieces of the report that may wait to be written.
_AHEAD = 2


def write_report(
    conn: psycopg.Connection,
    table_runs: Sequence[TableRun],
    folder: Path,
    name: str,
    run_id: int,
    ledger_conn: psycopg.Connection | None = None,
) -> RejectsResult:
    """Writes the rejects of the run as CSV, in load order, file by file and line by line.

    A thread fetches the rejects and formats the report some thousands ahead of the caller, which waits for the server
    to store them in the ledger.

    :param folder: the folder of the report; created if it does not exist.
    :param name: the name of the file without ``.csv``. If it exists, because runs of two databases have the same number
        and end in the same second, the new file gets a number behind its name.
    :param run_id: the run whose rejects they are: in a replay, the run that is replayed.
    :param ledger_conn: the connection that stores them in the ledger at the same time; None: do not store them.
    :returns: how many rejects there are, the file, the groups of rejects as
        :func:`pgsluice.ledger.queries.reject_groups` counts them, and the remedies.
    :raises CallError: the folder cannot be written.
    """
    locate_related(conn, table_runs)
    consequences = find_causes(conn, table_runs)
    groups = _Groups()
    causes = Causes({f"{t.name}.{c.name}" for t in table_runs for c in t.columns if c.has_default or c.identity})
    path = folder / f"{name}.csv"
    # The two threads may share a connection; one waits while the other has a statement under way.
    busy = threading.Lock()
    try:
        make_report_folder(folder)
        with _create(folder, name) as out:
            path = Path(out.name)
            try:
                out.write(",".join(f'"{column}"' for column in HEADER).encode() + b"\n")
                pieces = Prefetch(_pieces(conn, busy, table_runs, run_id, groups, causes), _AHEAD, "pgsluice-rejects")
                with closing(pieces):
                    for piece, rows in pieces:
                        out.write(piece)
                        if ledger_conn is not None:
                            with busy if ledger_conn is conn else nullcontext():
                                copy_report(ledger_conn, rows)
                out.flush()
            except BaseException:
                # A partial report would be taken for a complete one.
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise CallError(
            f"the report of rejects cannot be written to {path}: {error.strerror}",
            "Nothing was published. Make the folder writable or run from another one",
        ) from error
    found = explained(causes_first(groups.in_order(), consequences), table_runs, causes)
    return RejectsResult(sum(g.count for g in found), str(path), found, remedies=causes.remedies())


def _pieces(
    conn: psycopg.Connection,
    busy: threading.Lock,
    table_runs: Sequence[TableRun],
    run_id: int,
    groups: _Groups,
    causes: Causes,
) -> Generator[tuple[memoryview, pa.RecordBatch], None, None]:
    """The report without its header, piece by piece, each piece as CSV and as rows for the ledger."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    # Quotes every text and no number, as report_file.csv_writer does.
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
    count = 0
    for table_run, file, rows, places in _located(conn, busy, table_runs):
        report = _report(run_id, count, table_run, file, rows, places)
        count += report.num_rows
        groups.add(report)
        causes.add(report, file)
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(report, sink, options)
        yield memoryview(sink.getvalue()), _ledger_rows(report, rows, places)


def _create(folder: Path, name: str) -> BufferedWriter:
    """A new file of this name, or of this name with a number behind it. Only its owner can read the file."""
    for number in itertools.count(1):
        path = folder / (f"{name}.csv" if number == 1 else f"{name}_{number}.csv")
        with suppress(FileExistsError):
            return create_file(path)
    raise AssertionError


class _Groups:
    """Counts the rejects by table, kind, column, constraint and SQLSTATE while they are written."""

    _KEYS = ("table", "kind", "column", "constraint", "sqlstate")

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str, str, str], tuple[int, Reject]] = {}
        """The count of each group, and its first reject."""

    def add(self, report: pa.Table) -> None:
        """Counts the rejects of one piece of the report."""
        from pyarrow import compute as pc

        groups = report.group_by(list(self._KEYS)).aggregate([("reject_no", "count"), ("reject_no", "min")])
        for group in groups.to_pylist():
            table, kind, column, constraint, sqlstate = (group[name] for name in self._KEYS)
            key = table, kind, column, constraint, sqlstate
            count, first = self._found.get(key, (0, None))
            if first is None or group["reject_no_min"] < first.reject_no:
                place = pc.index(report["reject_no"], group["reject_no_min"]).as_py()
                first = _as_reject(report.slice(place, 1).to_pylist()[0])
            self._found[key] = (count + group["reject_no_count"], first)

    def in_order(self) -> list[RejectGroup]:
        """The groups in the order of their first rejects."""
        found = sorted(self._found.items(), key=lambda item: item[1][1].reject_no)
        return [RejectGroup(*key, count, _example(first), first=first) for key, (count, first) in found]


def _as_reject(row: dict[str, Any]) -> Reject:
    """A row of a report as a reject of the run that it names."""
    return Reject(
        run_id=row["run"],
        table=row["table"],
        file=row["file"],
        line=row["line"],
        kind=row["kind"],
        column=row["column"],
        constraint=row["constraint"],
        sqlstate=row["sqlstate"],
        message=row["message"],
        raw=row["raw"],
        original=row["run"],
        reject_no=row["reject_no"],
        record_no=row["record_no"],
        parent_file=row["parent_file"],
        parent_line=int(row["parent_line"]) if row["parent_line"] else None,
        detail=row["detail"],
        cause=int(row["cause"]) if row["cause"] else None,
        byte_offset=int(row["byte_offset"]) if row["byte_offset"] else None,
    )


def _example(first: Reject) -> str:
    return ": ".join(filter(None, (f"{first.file}:{first.line}", first.message, first.detail)))


def _located(
    conn: psycopg.Connection, busy: threading.Lock, table_runs: Sequence[TableRun]
) -> Iterator[tuple[TableRun, FileRun, pa.Table, Places]]:
    """The rejects with their places in the files, some thousands of one file at a time."""
    by_number = {t.number: t for t in table_runs}
    portions = _Portions(by_number, fetch_rejects(conn, busy, table_runs))
    for table_run, file in portions:
        # Portions wait here, complete or in part, while their records are read.
        waiting: deque[pa.Table] = deque()
        for places in file.locate(portions.ordinals(table_run, file, waiting)):
            count = places.ordinals.size
            yield table_run, file, waiting[0].slice(0, count), places
            rest = waiting.popleft().slice(count)
            if rest.num_rows:
                waiting.appendleft(rest)


class _Portions:
    """Rejects in portions, cut where a file ends."""

    def __init__(self, table_runs: Mapping[int, TableRun], rejects: Iterator[pa.Table]) -> None:
        self._table_runs = table_runs
        self._rejects = rejects
        self._next = next(rejects, None)

    def __iter__(self) -> Iterator[tuple[TableRun, FileRun]]:
        """The files that have rejects. The ordinals of a file have to be consumed before the next file is taken."""
        while self._next is not None:
            table_run = self._table_runs[self._next["table_no"][0].as_py()]
            yield table_run, table_run.file_of(self._next["ordinal"][0].as_py())

    def ordinals(self, table_run: TableRun, file: FileRun, waiting: deque[pa.Table]) -> Iterator[Numbers]:
        """The ordinals of a file's rejects within the file; their rows are appended to ``waiting``."""
        while self._next is not None:
            rejects = self._next
            own = int(rejects["table_no"].to_numpy().searchsorted(table_run.number, "right"))
            ordinals = rejects["ordinal"].to_numpy()[:own]
            own = int(ordinals.searchsorted(file.base + file.read))
            if own:
                waiting.append(rejects.slice(0, own))
            rest = rejects.slice(own)
            self._next = rest if rest.num_rows else next(self._rejects, None)
            if own:
                yield ordinals[:own] - file.base
            if rest.num_rows:
                return


def _report(run_id: int, count: int, table_run: TableRun, file: FileRun, rows: pa.Table, places: Places) -> pa.Table:
    """Rows of the report.

    :param count: how many rows precede them.
    """
    import numpy as np
    import pyarrow as pa
    from pyarrow import compute as pc

    length = rows.num_rows
    numbers = np.arange(count + 1, count + length + 1) if places.numbers is None else places.numbers
    # A replay gives its rejects the numbers of another run, which do not follow each other.
    causes = rows["cause"].combine_chunks() if places.numbers is None else pa.nulls(length, pa.int64())
    raws, marked = _readable(places.raws)
    raws = _bounded(raws, places.raws)
    messages = _text(rows["message"])
    if marked is not None:
        marked = pc.and_(marked, pc.not_equal(rows["sqlstate"].combine_chunks(), BAD_ENCODING.encode()))
        messages = pc.if_else(marked, pc.binary_join_element_wise(messages, PLACEHOLDERS, ""), messages)
    columns = (
        pa.repeat(run_id, length),
        numbers,
        pa.repeat(table_run.name, length),
        pa.repeat(file.plan.file.path, length),
        places.lines,
        places.records,
        _text(rows["kind"]),
        _text(rows["column"]),
        _text(rows["constraint"]),
        _text(rows["sqlstate"]),
        messages,
        _text(rows["detail"]),
        _text(rows["related_file"]),
        pc.fill_null(rows["related_line"].cast(pa.string()), ""),
        pc.fill_null(causes.cast(pa.string()), ""),
        pc.fill_null(_offsets(places).cast(pa.string()), ""),
        raws,
    )
    return pa.table(dict(zip(HEADER, columns, strict=True)))


def _offsets(places: Places) -> pa.Int64Array:
    """Where the records begin in their file; NULL if that is not known."""
    import pyarrow as pa

    return (
        pa.nulls(places.ordinals.size, pa.int64()) if places.offsets is None else pa.array(places.offsets, pa.int64())
    )


def _ledger_rows(report: pa.Table, rows: pa.Table, places: Places) -> pa.RecordBatch:
    """Rows of the report as the ledger stores them: NULL where there is no related row, and no offset."""
    import pyarrow as pa
    from pyarrow import compute as pc

    columns = {name: report[name].combine_chunks() for name in HEADER}
    columns["parent_line"] = rows["related_line"].combine_chunks()
    columns["cause"] = rows["cause"].combine_chunks()
    columns["byte_offset"] = _offsets(places)
    columns["parent_file"] = pc.if_else(pc.equal(columns["parent_file"], ""), None, columns["parent_file"])
    return pa.RecordBatch.from_pydict(columns)


def _text(values: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    whole = values.combine_chunks()
    try:
        return whole.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([value.decode("utf-8", "replace") for value in whole.to_pylist()])


def _bounded(texts: pa.Array, raws: pa.BinaryArray) -> pa.Array:
    """The texts, of which the long ones are cut; a note behind them says how long the record is.

    :param raws: the records of which the texts were made.
    """
    import pyarrow as pa
    from pyarrow import compute as pc

    sizes = pc.binary_length(raws)
    long = pc.greater(sizes, RAW_BYTES)
    if not pc.any(long).as_py():
        return texts
    cut = [
        f"{text.as_py().encode()[:RAW_BYTES].decode(errors='ignore')}{CUT}{size}{CUT_END}"
        for text, size in zip(texts.filter(long), sizes.filter(long), strict=True)
    ]
    return pc.replace_with_mask(texts, long, pa.array(cut, texts.type))


def _readable(raws: pa.BinaryArray) -> tuple[pa.Array, pa.Array | None]:
    r"""Raw records as text, and which of them hold bytes that are no text and are written as ``\xNN``; None: no record
    does.
    """
    import pyarrow as pa
    from pyarrow import compute as pc

    try:
        texts = raws.cast(pa.string())
        if not pc.any(pc.match_substring(texts, "\0")).as_py():
            return texts, None
    except pa.ArrowInvalid:
        pass
    # PostgreSQL's text cannot hold NUL, so report and ledger both write \x00.
    texts = pa.array([raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00") for raw in raws.to_pylist()])
    return texts, pc.not_equal(pc.binary_length(texts), pc.binary_length(raws))
