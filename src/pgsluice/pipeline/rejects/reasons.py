"""Reasons: the rejects of a run with their verdicts, fetched from the scratch tables in load order and in portions.

Each reject is fetched with what is its own. Verdicts that many rejects share are fetched once, and lines of related
rows as numbers. The texts are put together here, thousands at a time, while the server is busy with other rejects.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pgsluice.pipeline.scratch import RELATED_LINE
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.copy import copy_in, csv_bytes
from pgsluice.sql import compose, query

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = ("table_no", "ordinal", "related_line", "related_file", "verdict_no")
_TEXTS = ("kind", "column", "constraint", "sqlstate", "message")
"""The parts of a verdict that many rejects may share."""

# How many rejects are in memory at once. A message may quote a value of a megabyte.
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 32_768, 4 << 20


def locate_related(conn: psycopg.Connection, table_runs: Sequence[TableRun]) -> None:
    """Fills the scratch table with the lines of rows that rejects name: rejected parents, earlier rows with the key."""
    import numpy as np
    import pyarrow as pa

    conn.execute(query("scratch", "create_related_line"))
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(RELATED_LINE)
    for table_run in table_runs:
        rows = conn.execute(query("report", "related"), {"table_no": table_run.number})
        wanted = np.fromiter((row[0] for row in rows), np.int64)
        if not wanted.size:
            continue
        for file in table_run.files:
            low, high = wanted.searchsorted((file.base, file.base + file.read))
            for places in file.locate([wanted[low:high] - file.base] if high > low else []):
                count = places.ordinals.size
                lines = pa.table(
                    {
                        "table_no": pa.repeat(table_run.number, count),
                        "ordinal": places.ordinals + file.base,
                        "file_no": pa.repeat(file.number, count),
                        "line": places.lines,
                    }
                )
                copy_in(conn, statement, csv_bytes(lines))
    conn.execute(sql.SQL("ANALYZE {}").format(RELATED_LINE))


def fetch_rejects(conn: psycopg.Connection, busy: threading.Lock, table_runs: Sequence[TableRun]) -> Iterator[pa.Table]:
    """The rejects of the run in load order, some thousands at a time.

    :param busy: held while the connection is in use, because another thread may use it in between.
    :returns: tables with the columns ``table_no``, ``ordinal``, ``kind``, ``column``, ``constraint``, ``sqlstate``,
        ``message`` (with the place of the related row), ``detail``, ``related_file`` ('' if there is none),
        ``related_line`` and ``cause`` (the number of the reject that is the cause of a child). Texts are binary,
        because some input functions cut the value that they quote within a character.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [*_NUMBERS, *_TEXTS, "detail", "cause"]
    types = {name: pa.int64() if name in (*_NUMBERS, "cause") else pa.binary() for name in names}
    read = arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=1 << 30)
    convert = arrow_csv.ConvertOptions(column_types=types)
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    with conn.cursor() as cursor:
        with busy:
            longest = cursor.execute(query("report", "longest")).fetchone()
            verdicts = cursor.execute(query("report", "verdicts")).fetchall()
            # All rows will be fetched. The plan with the fastest first row may be the slowest for all of them.
            cursor.execute("SET LOCAL cursor_tuple_fraction = 1")
            cursor.execute(query("report", "open"))
        shared = _Shared(verdicts, table_runs)
        count = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // longest[0])) if longest and longest[0] else _ROWS_AT_ONCE
        following = compose("report", "next", count=sql.Literal(count))
        while True:
            with busy:
                cursor.execute(following)
            found = cursor.pgresult
            assert found is not None
            lines = b"".join(found.get_value(i, 0) or b"" for i in range(found.ntuples))
            if not lines:
                break
            yield shared.add_to(arrow_csv.read_csv(pa.BufferReader(lines), read, parse, convert).combine_chunks())
        with busy:
            cursor.execute("CLOSE pgsluice_rejects")


class _Shared:
    """Texts that many rejects share: verdicts and paths of files, by number."""

    def __init__(self, verdicts: Sequence[tuple[str, ...]], table_runs: Sequence[TableRun]) -> None:
        """:param verdicts: in the order of their numbers from 1."""
        import pyarrow as pa

        self._texts = {
            name: pa.array([row[i].encode() for row in verdicts], pa.binary()) for i, name in enumerate(_TEXTS)
        }
        paths = {file.number: file.plan.file.path.encode() for t in table_runs for file in t.files}
        self._files = pa.array([paths.get(i, b"") for i in range(max(paths, default=-1) + 1)], pa.binary())

    def add_to(self, rows: pa.Table) -> pa.Table:
        """The rejects with their shared texts, and with the place of the related row in the message."""
        import pyarrow as pa
        from pyarrow import compute as pc

        own = {name: rows[name].combine_chunks() for name in (*_NUMBERS, *_TEXTS)}
        verdict = pc.subtract(own["verdict_no"], 1)
        texts = {name: pc.coalesce(self._texts[name].take(verdict), own[name]) for name in _TEXTS}
        # A reject with a shared verdict may have a kind of its own.
        texts["kind"] = pc.if_else(pc.equal(own["kind"], b""), texts["kind"], own["kind"])
        files = self._files.take(own["related_file"])
        child = pc.equal(texts["kind"], b"parent")
        with_place = pc.binary_join_element_wise(
            texts["message"],
            pc.if_else(child, pa.scalar(b" (its parent, "), pa.scalar(b" (")),
            files,
            b" line ",
            own["related_line"].cast(pa.string()).cast(pa.binary()),
            pc.if_else(child, pa.scalar(b", was rejected)"), pa.scalar(b" has it)")),
            b"",
        )
        texts["message"] = pc.coalesce(with_place, texts["message"])
        return pa.table(
            {
                "table_no": own["table_no"],
                "ordinal": own["ordinal"],
                **texts,
                "detail": rows["detail"].combine_chunks(),
                "related_file": pc.coalesce(files, pa.scalar(b"")),
                "related_line": own["related_line"],
                "cause": rows["cause"].combine_chunks(),
            }
        )
