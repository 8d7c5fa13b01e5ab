"""Landing: chunks of a table reach PostgreSQL by COPY, into the table itself or into its stage.

Each COPY runs in a savepoint, so that one that PostgreSQL refuses leaves nothing behind; its rows then go,
as the texts they were, into the table's *doubt* table, where the judge finds out which of them are bad.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from pgsluice.model import Column, Strategy
from pgsluice.pipeline.fallback import Thaw, Unfit
from pgsluice.pipeline.ingest.reader import Piece
from pgsluice.pipeline.scratch import REJECT, make_doubt, make_stage, number_from
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.copy import BinaryEncoder, copy_as_is, copy_batch, copy_in, copy_statement, csv_bytes
from pgsluice.postgres.sqlstate import about_rows, primary
from pgsluice.source.blocks import Block, Fault
from pgsluice.source.typed.duckdb_reader import Chunk, DuckDBReader
from pgsluice.source.typed.ordinals import OrdinalRanges, split_ordinals

if TYPE_CHECKING:
    import pyarrow as pa


class CopySender:
    """Sends one run's pieces to PostgreSQL; the states keep what was sent."""

    def __init__(self, conn: psycopg.Connection, faults: sql.Identifier = REJECT) -> None:
        """:param faults: the table that takes the records which could not be read."""
        self._conn = conn
        self._faults = faults

    def land(self, piece: Piece) -> Block:
        """One block: as it is, if PostgreSQL takes it so; else certain rows in binary, the others as text,
        faulty records as rejects.

        :returns: the block, which may have more faults than it seemed to have.
        :raises psycopg.Error: an error that is not a verdict on rows.
        """
        block, chunk = piece.block, piece.chunk
        assert block is not None
        piece.table.pace.taken()
        if piece.table.careful_from is not None and not piece.table.checks_down:
            self._take_checks_down(piece.table)
        if chunk is None and not self._as_it_is(piece, block):
            piece.table.as_it_is = False
            chunk = piece.reader.read(block)
        if chunk is not None:
            self._chunk(piece, chunk)
            block = chunk.block
        return block

    def _chunk(self, piece: Piece, chunk: Chunk) -> None:
        state = piece.table
        self._faulty(piece, chunk.faults)
        if state.way is Strategy.STAGE:
            if state.direct and self._directly(piece, chunk):
                return
            state.direct = False
            make_stage(self._conn, state)
        if chunk.typed is not None and chunk.typed.num_rows and not self._typed(piece, chunk, chunk.typed):
            # What stood in the block's binary part is in doubt now, together with the uncertain rows.
            return
        if chunk.text is not None and chunk.text.num_rows:
            self._text(state, piece.reader, chunk.text, chunk.text_runs, piece.file.base)

    def _faulty(self, piece: Piece, faults: Sequence[Fault]) -> None:
        if not faults:
            return
        state = piece.table
        if state.way is Strategy.SWAP:
            raise Unfit(state.plan.table.name, f"a record is refused: {faults[0].verdict.message}")
        self._reject_faults(state, piece.file.base, faults)

    def _as_it_is(self, piece: Piece, block: Block) -> bool:
        """Sends a block as the file has it, or as the typed columns it was read into; False, and nothing happened, when
        PostgreSQL refuses it.
        """
        state = piece.table
        start = time.perf_counter()
        count = self._send_whole(piece, block)
        if count is None and state.direct:
            state.direct = False
            count = self._send_whole(piece, block)
        if count is None:
            return False
        state.pace.sent(binary=piece.batch is not None, size=len(block.data), seconds=time.perf_counter() - start)
        self._faulty(piece, block.faults)
        self._landed(state, count, OrdinalRanges(block.ordinals), piece.file.base)
        return True

    def _send_whole(self, piece: Piece, block: Block) -> int | None:
        if piece.batch is not None:
            return self._send_batch(piece, block, piece.batch)
        state, dialect = piece.table, piece.file.plan.file.dialect
        names = [c.name for c in piece.reader.columns]
        if _staged(state):
            # A staged row gets its ordinal from a sequence.
            if len(block.ordinals) > 1:
                return None
            make_stage(self._conn, state)
            number_from(self._conn, state, piece.file.base + block.ordinals[0][0])
        statement = copy_as_is(_landing(state), names, dialect, block.data, freeze=_freezes(state))

        def send() -> int:
            count = self._copy(statement, memoryview(block.data))
            # Before version 18 a line with \. ends all of the data, wherever it stands.
            if count != block.rows:
                raise psycopg.errors.BadCopyFileFormat(f"{count} records instead of {block.rows}")
            return count

        return self._attempt(state, send)

    def _send_batch(self, piece: Piece, block: Block, batch: pa.RecordBatch) -> int | None:
        return self._send_typed(piece, batch, OrdinalRanges(block.ordinals))

    def _send_typed(self, piece: Piece, batch: pa.RecordBatch, runs: OrdinalRanges) -> int | None:
        """Sends certain rows in binary, into the table or its stage; None when PostgreSQL refuses one.

        :param runs: their ordinals.
        """
        state, columns = piece.table, piece.reader.columns
        names = [c.name for c in columns]
        jsonb = [i for i, c in enumerate(columns) if c.base == "jsonb"]
        if _staged(state):
            make_stage(self._conn, state)
            batch = _batch_with_ordinals(batch, runs, piece.file.base)
            names, jsonb = [state.ordinal, *names], [i + 1 for i in jsonb]
        statement = copy_statement(_landing(state), names, binary=True, freeze=_freezes(state))
        return self._attempt(state, lambda: self._binary(statement, BinaryEncoder(batch.schema, jsonb), batch))

    def _reject_faults(self, state: TableRun, base: int, faults: Sequence[Fault]) -> None:
        import pyarrow as pa

        texts = ("kind", "column", "constraint", "sqlstate", "message")
        rows = pa.table(
            [pa.repeat(state.number, len(faults)), pa.array([base + f.ordinal for f in faults])]
            + [pa.array([getattr(f.verdict, name) for f in faults]) for name in texts],
            names=["tab", "ord", *texts],
        )
        statement = sql.SQL("COPY {} (tab, ord, kind, col, con, code, message) FROM STDIN (FORMAT csv)")
        self._copy(statement.format(self._faults), csv_bytes(rows))

    def _directly(self, piece: Piece, chunk: Chunk) -> bool:
        """Sends a chunk into a table whose constraints are all up; False, and nothing happened, when
        PostgreSQL refuses a row of it.
        """
        state, reader = piece.table, piece.reader
        names = [c.name for c in reader.columns]

        def send() -> int:
            count = 0
            if chunk.typed is not None and chunk.typed.num_rows:
                assert reader.rules is not None
                encoder = BinaryEncoder(chunk.typed.schema, [i for i, rule in enumerate(reader.rules) if rule.jsonb])
                count += self._binary(copy_statement(state.target, names, binary=True), encoder, chunk.typed)
            if chunk.text is not None and chunk.text.num_rows:
                count += self._copy(copy_statement(state.target, names, binary=False), csv_bytes(chunk.text))
            return count

        if (count := self._attempt(state, send)) is None:
            return False
        self._landed(state, count, OrdinalRanges(chunk.block.ordinals), piece.file.base)
        return True

    def _typed(self, piece: Piece, chunk: Chunk, batch: pa.RecordBatch) -> bool:
        state, reader, base = piece.table, piece.reader, piece.file.base
        if (count := self._send_typed(piece, batch, chunk.typed_runs)) is None:
            self._doubt(state, reader, reader.texts(chunk.block), OrdinalRanges(chunk.block.ordinals), base)
            return False
        self._landed(state, count, chunk.typed_runs, base)
        return True

    def _text(self, state: TableRun, reader: DuckDBReader, table: pa.Table, runs: OrdinalRanges, base: int) -> None:
        names = [c.name for c in reader.columns]
        if state.way is Strategy.IN_PLACE and (lacking := _lacking(table, reader.columns)) is not None:
            # One such row would put all others of the block in doubt with it.
            bad, runs = split_ordinals(runs.ranges, lacking)
            self._doubt(state, reader, table.filter(lacking), bad, base)
            table = table.filter(~lacking)
            if not table.num_rows:
                return
        rows = table
        if state.way is Strategy.STAGE:
            # A NULL where none may be is only found when rows leave the stage.
            state.suspect = True
            rows, names = _text_with_ordinals(table, runs, base), [state.ordinal, *names]
        frozen = state.way is Strategy.SWAP
        statement = copy_statement(_landing(state), names, binary=False, freeze=frozen)
        count = self._attempt(state, lambda: self._copy(statement, csv_bytes(rows)), frozen=frozen)
        if count is None:
            self._doubt(state, reader, table, runs, base)
        else:
            self._landed(state, count, runs, base)

    def _attempt(self, state: TableRun, send: Callable[[], int], *, frozen: bool | None = None) -> int | None:
        """Rows that a COPY brought in; None when PostgreSQL refused one of them and all are out again.

        :param frozen: the COPY freezes rows; by default, whether the table's rows are to be frozen.
        :raises Unfit, Thaw: PostgreSQL refused a row of a table that takes COPY ... FREEZE, but not in a savepoint.
        """
        if _freezes(state) if frozen is None else frozen:
            try:
                return send()
            except psycopg.Error as error:
                if not about_rows(error):
                    raise
                if state.way is Strategy.IN_PLACE:
                    raise Thaw(f"a row is refused: {primary(error)}") from error
                raise Unfit(state.plan.table.name, f"a row is refused: {primary(error)}") from error
        while True:
            try:
                with self._conn.transaction():
                    return send()
            except psycopg.Error as error:
                if not about_rows(error):
                    raise
                # Once more at the most: what is down cannot be taken down again.
                if not self._check_is_broken(state, error):
                    return None

    def _check_is_broken(self, state: TableRun, error: psycopg.Error) -> bool:
        """After the first row that violates a CHECK of an empty table: the CHECKs come down until the
        table is full and then judge all rows in one pass each, instead of ending one COPY after another.
        """
        checks = {c.name for c in state.plan.table.checks}
        if state.way is not Strategy.IN_PLACE or state.checks_down or error.diag.constraint_name not in checks:
            return False
        self._take_checks_down(state)
        state.checks_broken = state.suspect = True
        return True

    def _take_checks_down(self, state: TableRun) -> None:
        for check in state.plan.table.checks:
            name = sql.Identifier(check.name)
            self._conn.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(state.target, name))
            state.checks_down = True

    def _landed(self, state: TableRun, count: int, runs: OrdinalRanges, base: int) -> None:
        if _staged(state):
            state.staged += count
            return
        state.landed += count
        if state.direct:
            state.inserted += count
        if state.way is Strategy.IN_PLACE:
            state.segments.add(runs, base)

    def _doubt(self, state: TableRun, reader: DuckDBReader, table: pa.Table, runs: OrdinalRanges, base: int) -> None:
        names = [state.ordinal, *(c.name for c in reader.columns)]
        make_doubt(self._conn, state)
        state.suspect = True
        statement = copy_statement(state.doubt, names, binary=False)
        state.doubts += self._keep(state, statement, names, _text_with_ordinals(table, runs, base))

    def _keep(self, state: TableRun, statement: sql.Composed, names: Sequence[str], rows: pa.Table) -> int:
        """Puts texts into the doubt table. One that not even a text column takes, because the database's
        encoding lacks a character, is a reject; such rows are found by halving.
        """
        try:
            with self._conn.transaction():
                return self._copy(statement, csv_bytes(rows))
        except psycopg.Error as error:
            if not about_rows(error):
                raise
            if rows.num_rows > 1:
                half = rows.num_rows // 2
                first = self._keep(state, statement, names, rows.slice(0, half))
                return first + self._keep(state, statement, names, rows.slice(half))
            self._reject_text(state, names, rows, error)
            return 0

    def _reject_text(self, state: TableRun, names: Sequence[str], row: pa.Table, error: psycopg.Error) -> None:
        ordinal, *values = (column[0].as_py() for column in row.columns)
        column = next((n for n, v in zip(names[1:], values, strict=True) if v and not self._storable(v)), "")
        self._conn.execute(
            sql.SQL(
                "INSERT INTO {} (tab, ord, kind, col, con, code, message) VALUES (%s, %s, %s, %s, '', %s, %s)"
            ).format(self._faults),
            (state.number, ordinal, "value", column, error.sqlstate, primary(error)),
        )

    def _storable(self, text: str) -> bool:
        try:
            with self._conn.transaction():
                self._conn.execute("SELECT %s::text", (text,))
            return True
        except psycopg.Error as error:
            if not about_rows(error):
                raise
            return False

    def _binary(self, statement: sql.Composed, encoder: BinaryEncoder, batch: pa.RecordBatch) -> int:
        return copy_batch(self._conn, statement, encoder, batch)

    def _copy(self, statement: sql.Composed, data: memoryview) -> int:
        return copy_in(self._conn, statement, data)


def _freezes(state: TableRun) -> bool:
    return state.way is Strategy.SWAP or state.frozen


def _staged(state: TableRun) -> bool:
    """Whether rows go into the stage now."""
    return state.way is Strategy.STAGE and not state.direct


def _landing(state: TableRun) -> sql.Identifier:
    return state.stage if _staged(state) else state.target


def _lacking(table: pa.Table, columns: Sequence[Column]) -> Any:
    """Which rows have a NULL in a column that takes none, as a numpy array; None when no row has one."""
    found = None
    for column, values in zip(columns, table.columns, strict=True):
        if column.not_null and values.null_count:
            nulls = values.is_null().to_numpy()
            found = nulls if found is None else found | nulls
    return found


def _ordinals(runs: OrdinalRanges, base: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    parts = [np.arange(base + first, base + first + n, dtype=np.int64) for first, n in runs.ranges]
    return pa.array(np.concatenate(parts))


def _batch_with_ordinals(batch: pa.RecordBatch, runs: OrdinalRanges, base: int) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([_ordinals(runs, base), *batch.columns], names=["ord", *batch.schema.names])


def _text_with_ordinals(table: pa.Table, runs: OrdinalRanges, base: int) -> pa.Table:
    return table.add_column(0, "ord", _ordinals(runs, base))
