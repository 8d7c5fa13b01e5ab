"""Why rows were rejected, as the server has it, on the way to the report: in load order and in portions.

Of a reject comes what is its own. What is said of many comes once, and where parents stand as numbers; the words are
put together here, by the thousand, while the server is busy with other rows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.copy import copy_in, csv_bytes
from pgsluice.sql import query

if TYPE_CHECKING:
    import pyarrow as pa


_NUMBERS = ("tab", "ord", "parent_line", "parent", "why")


_WORDS = ("kind", "col", "con", "code", "message")


# How much of the rejects is in memory at once. A message may quote a value of a megabyte.
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 32_768, 4 << 20


def note_parents(conn: psycopg.Connection, states: Sequence[TableRun]) -> None:
    """Notes on which lines the rows stand that rejects name as their parents, or as those that have their keys."""
    import numpy as np
    import pyarrow as pa

    conn.execute("CREATE TEMP TABLE pgsluice_line (tab integer, ord bigint, file integer, line bigint) ON COMMIT DROP")
    for state in states:
        rows = conn.execute(
            "SELECT DISTINCT parent_ord FROM pg_temp.pgsluice_reject WHERE parent_tab = %s ORDER BY 1", (state.number,)
        )
        wanted = np.fromiter((row[0] for row in rows), np.int64)
        if not wanted.size:
            continue
        for file in state.files:
            low, high = wanted.searchsorted((file.base, file.base + file.read))
            for places in file.locate([wanted[low:high] - file.base] if high > low else []):
                count = places.ordinals.size
                rows = pa.table(
                    {
                        "tab": pa.repeat(state.number, count),
                        "ord": places.ordinals + file.base,
                        "file": pa.repeat(file.number, count),
                        "line": places.lines,
                    }
                )
                copy_in(conn, "COPY pg_temp.pgsluice_line FROM STDIN (FORMAT csv)", csv_bytes(rows))
    conn.execute("ANALYZE pg_temp.pgsluice_line")


def fetched(conn: psycopg.Connection, busy: threading.Lock, states: Sequence[TableRun]) -> Iterator[pa.Table]:
    """The run's rejects: ``tab``, ``ord``, ``kind``, ``col``, ``con``, ``code``, ``message`` with the place of the
    parent in it, ``parent_file`` ('' for none) and ``parent_line``. Words are binary: some input functions cut the
    value that they quote in the middle of a character.

    :param busy: held while the connection is in use.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [*_NUMBERS, *_WORDS]
    types = {name: pa.int64() if name in _NUMBERS else pa.binary() for name in names}
    read = arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=1 << 30)
    convert = arrow_csv.ConvertOptions(column_types=types)
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    with conn.cursor() as cursor:
        with busy:
            longest = cursor.execute(query("rejects", "longest")).fetchone()
            words = cursor.execute(query("rejects", "words")).fetchall()
            # All rows will be fetched: the plan that is the fastest for the first of them may be the slowest.
            cursor.execute("SET LOCAL cursor_tuple_fraction = 1")
            cursor.execute(query("rejects", "open"))
        said = _Said(words, states)
        count = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // longest[0])) if longest and longest[0] else _ROWS_AT_ONCE
        following = sql.SQL(query("rejects", "next")).format(count=sql.Literal(count))
        while True:
            with busy:
                cursor.execute(following)
            found = cursor.pgresult
            assert found is not None
            lines = b"".join(found.get_value(i, 0) or b"" for i in range(found.ntuples))
            if not lines:
                break
            yield said.put_together(arrow_csv.read_csv(pa.BufferReader(lines), read, parse, convert).combine_chunks())
        with busy:
            cursor.execute("CLOSE pgsluice_rejects")


class _Said:
    """What is said of many, and the names of files, to be looked up by number."""

    def __init__(self, words: Sequence[tuple[str, ...]], states: Sequence[TableRun]) -> None:
        """:param words: of the reasons, in the order of their numbers from 1."""
        import pyarrow as pa

        self._words = {name: pa.array([row[i].encode() for row in words], pa.binary()) for i, name in enumerate(_WORDS)}
        paths = {file.number: file.plan.file.path.encode() for state in states for file in state.files}
        self._files = pa.array([paths.get(i, b"") for i in range(max(paths, default=-1) + 1)], pa.binary())

    def put_together(self, rows: pa.Table) -> pa.Table:
        import pyarrow as pa
        from pyarrow import compute as pc

        own = {name: rows[name].combine_chunks() for name in (*_NUMBERS, *_WORDS)}
        why = pc.subtract(own["why"], 1)
        words = {name: pc.coalesce(self._words[name].take(why), own[name]) for name in _WORDS}
        # A reason that many have may yet be told apart.
        words["kind"] = pc.if_else(pc.equal(own["kind"], b""), words["kind"], own["kind"])
        files = self._files.take(own["parent"])
        child = pc.equal(words["kind"], b"parent")
        place = pc.binary_join_element_wise(
            words["message"],
            pc.if_else(child, pa.scalar(b" (its parent, "), pa.scalar(b" (")),
            files,
            b" line ",
            own["parent_line"].cast(pa.string()).cast(pa.binary()),
            pc.if_else(child, pa.scalar(b", was rejected)"), pa.scalar(b" has it)")),
            b"",
        )
        words["message"] = pc.coalesce(place, words["message"])
        return pa.table(
            {
                "tab": own["tab"],
                "ord": own["ord"],
                **words,
                "parent_file": pc.coalesce(files, pa.scalar(b"")),
                "parent_line": own["parent_line"],
            }
        )
