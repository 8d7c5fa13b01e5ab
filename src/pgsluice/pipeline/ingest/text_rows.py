"""Rows as texts on their way into a text stage, where PostgreSQL's input functions will judge them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from pgsluice.model import Column, RejectKind, Verdict
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.copy import copy_in, copy_statement, csv_bytes
from pgsluice.postgres.sqlstate import detail_of, is_row_error, primary_message
from pgsluice.source.typed.ordinals import OrdinalRanges

if TYPE_CHECKING:
    import pyarrow as pa


class TextRows:
    """Sends rows as texts to the text stage of their table."""

    def __init__(self, conn: psycopg.Connection, faults: sql.Identifier) -> None:
        """:param faults: the table for rejects of rows that not even a text column takes."""
        self._conn = conn
        self._faults = faults

    def send(
        self, table_run: TableRun, columns: Sequence[str], rows: pa.Table, ordinals: OrdinalRanges, base: int
    ) -> None:
        """Copies rows to the text stage.

        :param columns: the columns of the text stage that the fields of ``rows`` go into.
        :param ordinals: the ordinals of the rows within their file; ``base`` is added to each.
        """
        names = [table_run.scratch.ordinal, *columns]
        table_run.scratch.ensure_text_stage(self._conn)
        table_run.findings.suspect = True
        statement = copy_statement(table_run.scratch.text_stage, names, binary=False)
        table_run.counts.in_doubt += self._copy(table_run, statement, names, with_ordinals(rows, ordinals, base))

    def _copy(self, table_run: TableRun, statement: sql.Composed, names: Sequence[str], rows: pa.Table) -> int:
        """Copies rows; a row with a character that the database's encoding lacks becomes a reject.

        Such rows are found by bisecting. Returns how many rows were copied.
        """
        try:
            with self._conn.transaction():
                return copy_in(self._conn, statement, csv_bytes(rows))
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
            if rows.num_rows > 1:
                half = rows.num_rows // 2
                first = self._copy(table_run, statement, names, rows.slice(0, half))
                return first + self._copy(table_run, statement, names, rows.slice(half))
            self._reject(table_run, names, rows, error)
            return 0

    def _reject(self, table_run: TableRun, names: Sequence[str], row: pa.Table, error: psycopg.Error) -> None:
        ordinal, *values = (column[0].as_py() for column in row.columns)
        column = next((n for n, v in zip(names[1:], values, strict=True) if v and not self._storable(v)), "")
        verdict = Verdict(RejectKind.VALUE, column, "", error.sqlstate or "", primary_message(error), detail_of(error))
        self._conn.execute(
            sql.SQL(
                "INSERT INTO {} (table_no, ordinal, kind, column_name, constraint_name, sqlstate, message, detail)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            ).format(self._faults),
            (
                table_run.number,
                ordinal,
                verdict.kind,
                verdict.column,
                verdict.constraint,
                verdict.sqlstate,
                verdict.message,
                verdict.detail,
            ),
        )

    def _storable(self, text: str) -> bool:
        """Whether the database's encoding has all characters of the text."""
        try:
            with self._conn.transaction():
                self._conn.execute("SELECT %s::pg_catalog.text", (text,))
            return True
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
            return False


def with_ordinals(table: pa.Table, ordinals: OrdinalRanges, base: int) -> pa.Table:
    """The rows with their ordinals as first column."""
    return table.add_column(0, "ord", ordinal_array(ordinals, base))


def ordinal_array(ordinals: OrdinalRanges, base: int) -> pa.Array:
    """The ordinals as an Arrow array, ``base`` added to each."""
    import numpy as np
    import pyarrow as pa

    parts = [np.arange(base + first, base + first + n, dtype=np.int64) for first, n in ordinals.ranges]
    return pa.array(np.concatenate(parts))


def forbidden_nulls(table: pa.Table, columns: Sequence[Column]) -> Any:
    """Which rows have a NULL in a NOT NULL column, as a numpy array of booleans; None if no row has."""
    found = None
    for column, values in zip(columns, table.columns, strict=True):
        if column.not_null and values.null_count:
            nulls = values.is_null().to_numpy()
            found = nulls if found is None else found | nulls
    return found
