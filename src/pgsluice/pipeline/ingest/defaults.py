"""Defaults for empty fields (``--default-on-empty``): the server computes a value for each of them.

The DEFAULT option of COPY (PostgreSQL 16) works in text formats only. Here rows with such a field are texts, and
receive the value as text, so that all versions and all ways of a row do the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pgsluice.model import Column, Dialect
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.search_path import user_path
from pgsluice.source.typed.duckdb_reader import Chunk
from pgsluice.sql import compose, query

if TYPE_CHECKING:
    import pyarrow as pa


class Defaults:
    """Fills empty fields of text rows with the defaults of their columns."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn
        self._expressions: dict[int, dict[str, str]] = {}
        """The default expressions of the columns, by the oid of their table."""

    def fill_chunk(self, table_run: TableRun, columns: Sequence[Column], dialect: Dialect, chunk: Chunk) -> Chunk:
        """The chunk with its text rows filled. Rows with an empty field that has a default are never typed."""
        if chunk.text is None or not chunk.text.num_rows:
            return chunk
        return replace(chunk, text=self.fill(table_run, columns, dialect, chunk.text))

    def fill(self, table_run: TableRun, columns: Sequence[Column], dialect: Dialect, rows: pa.Table) -> pa.Table:
        """The rows with values in the place of NULL, in columns whose format says so.

        :param columns: the columns that the fields of ``rows`` go into.
        :raises psycopg.Error: the server cannot compute a default.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = {f.column for f in dialect.formats if f.default_on_empty}
        for i, column in enumerate(columns):
            texts = rows.column(i)
            if column.name in wanted and texts.null_count:
                values = pa.array(self._compute(table_run, column, texts.null_count), pa.string())
                filled = pc.replace_with_mask(texts.combine_chunks(), pc.is_null(texts.combine_chunks()), values)
                rows = rows.set_column(i, rows.schema.names[i], filled)
        return rows

    def _compute(self, table_run: TableRun, column: Column, count: int) -> list[str | None]:
        expression = self._expressions_of(table_run.table.oid)[column.name]
        statement = compose("apply", "defaults", expression=sql.SQL(expression))
        # The expression may call a function of the user.
        with self._conn.transaction(), user_path(self._conn, table_run.runs_user_functions):
            return [row[0] for row in self._conn.execute(statement, {"count": count})]

    def _expressions_of(self, oid: int) -> dict[str, str]:
        if oid not in self._expressions:
            found = self._conn.execute(query("apply", "default_expressions"), {"oid": oid}).fetchall()
            self._expressions[oid] = dict(found)
        return self._expressions[oid]
