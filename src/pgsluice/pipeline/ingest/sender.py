"""The sender: copies batches to PostgreSQL by COPY, into the table itself, its stage or its shadow table.

A COPY runs in a savepoint, so a COPY that PostgreSQL refuses leaves nothing behind. A frozen COPY is the exception: all
frozen COPY commands of a table share the savepoint of :mod:`pgsluice.pipeline.ingest.loop`. The rows of a refused block
are parsed and sent again in two parts: certain rows in binary, the others as text. If PostgreSQL refuses a part as
well, its rows go, as texts, into the table's text stage, where PostgreSQL's input functions find the bad rows
(:mod:`pgsluice.pipeline.validate.values`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pgsluice.model import Strategy
from pgsluice.pipeline.fallback import FallBack, Retreat, read_numbers
from pgsluice.pipeline.ingest.batch import ArrowBatch, Batch, RawBatch, SplitBatch
from pgsluice.pipeline.ingest.broken_keys import store_readable_keys
from pgsluice.pipeline.ingest.defaults import Defaults
from pgsluice.pipeline.ingest.route import Care
from pgsluice.pipeline.ingest.suspects.suspects import Suspects
from pgsluice.pipeline.ingest.text_rows import TextRows, forbidden_nulls, ordinal_array, with_ordinals
from pgsluice.pipeline.scratch import REJECT, field_column
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.copy import BinaryEncoder, copy_as_is, copy_batch, copy_in, copy_statement, csv_bytes
from pgsluice.postgres.rebuild_keys import drop_checks
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sqlstate import is_row_error, primary_message
from pgsluice.source.blocks import Block
from pgsluice.source.typed.duckdb_reader import Chunk
from pgsluice.source.typed.number_signs import has_other_signs
from pgsluice.source.typed.ordinals import OrdinalRanges, split_ordinals

if TYPE_CHECKING:
    import pyarrow as pa


_FAULTS_AT_ONCE = 10_000
"""How many faults are in memory at once as objects; a block may have a hundred thousand."""


class CopySender:
    """Sends the batches of a run; the table runs count what PostgreSQL took."""

    def __init__(self, conn: psycopg.Connection, faults: sql.Identifier = REJECT) -> None:
        """:param faults: the table for records that cannot be parsed."""
        self._conn = conn
        self._faults = faults
        self._text_rows = TextRows(conn, faults)
        self._defaults = Defaults(conn)

    def send(self, batch: Batch) -> Block:
        """Sends one batch whole if PostgreSQL takes it; otherwise certain rows in binary and the others as text.

        Records that cannot be parsed become rejects.

        :returns: the block. Where PostgreSQL refused it, it has been parsed again and may have more faults.
        :raises FallBack: PostgreSQL refused a row of a COPY FREEZE.
        :raises psycopg.Error: an error that does not concern a row.
        """
        table_run, route = batch.table_run, batch.route
        route.block_taken()
        if route.care is Care.VALIDATING and not table_run.findings.checks_dropped:
            self._drop_checks(table_run)
        if isinstance(batch, SplitBatch):
            chunk = batch.chunk
        elif self._send_whole(batch):
            return batch.block
        else:
            route.stop_as_is()
            chunk = batch.parser.read(batch.block)
        parser = batch.parser
        chunk = self._defaults.fill_chunk(table_run, parser.columns, parser.dialect, chunk)
        self._send_chunk(batch, chunk)
        return chunk.block

    # A block as a whole.

    def _send_whole(self, batch: RawBatch | ArrowBatch) -> bool:
        """Sends a block as one COPY; False if PostgreSQL refused it, and then nothing has changed."""
        route, block = batch.route, batch.block
        if route.suspects is not None and isinstance(batch, ArrowBatch):
            self._reject_faults(batch, block)
            self._send_certain(batch, route.suspects, batch.rows, OrdinalRanges(block.ordinals))
            return True
        start = time.perf_counter()
        copy = self._copy_arrow if isinstance(batch, ArrowBatch) else self._copy_raw
        count = copy(batch)  # type: ignore[arg-type]
        if count is None and route.direct:
            route.direct = False
            count = copy(batch)  # type: ignore[arg-type]
        if count is None:
            return False
        seconds = time.perf_counter() - start
        route.block_sent(binary=isinstance(batch, ArrowBatch), size=len(block.data), seconds=seconds)
        self._reject_faults(batch, block)
        self._count(batch, count, OrdinalRanges(block.ordinals))
        return True

    def _copy_arrow(self, batch: ArrowBatch) -> int | None:
        return self._copy_typed(batch, batch.rows, OrdinalRanges(batch.block.ordinals))

    def _copy_raw(self, batch: RawBatch) -> int | None:
        block, table_run, conn = batch.block, batch.table_run, self._conn
        if _goes_to_stage(batch):
            # A sequence numbers the staged rows, so the ordinals of the block must be consecutive.
            if len(block.ordinals) > 1:
                return None
            table_run.scratch.ensure_stage(conn)
            table_run.scratch.number_from(conn, batch.file.base + block.ordinals[0][0])
        names = [c.name for c in batch.parser.columns]
        dialect = batch.file.plan.file.dialect.in_blocks
        forced = [c.name for c in batch.parser.columns if dialect.empty_as_null and not c.is_text]
        statement = copy_as_is(
            _destination(batch), names, dialect, block.data, force_null=forced, freeze=_freezes(batch)
        )

        def copy() -> int:
            count = copy_in(conn, statement, memoryview(block.data))
            # Before PostgreSQL 18 a line with \. ends the data of a COPY, wherever the line stands.
            if count != block.rows:
                raise psycopg.errors.BadCopyFileFormat(f"{count} records instead of {block.rows}")
            return count

        return self._guarded(batch, copy)

    # A block in two parts: certain rows, and rows as text.

    def _send_chunk(self, batch: Batch, chunk: Chunk) -> None:
        table_run, route = batch.table_run, batch.route
        self._reject_faults(batch, chunk.block)
        if table_run.computed:
            if chunk.text is not None and chunk.text.num_rows:
                self._to_text_stage(batch, chunk.text, chunk.text_ordinals)
            return
        if table_run.strategy is Strategy.STAGE:
            if route.direct and self._send_direct(batch, chunk):
                return
            route.direct = False
            table_run.scratch.ensure_stage(self._conn)
        if route.suspects is not None and not batch.parser.text_only:
            self._send_sifted(batch, route.suspects, chunk)
            return
        if chunk.typed is not None and chunk.typed.num_rows and not self._send_typed(batch, chunk, chunk.typed):
            # The whole block is in the text stage now, the rows that came as text included.
            return
        if chunk.text is not None and chunk.text.num_rows:
            self._send_text(batch, chunk.text, chunk.text_ordinals)

    def _send_sifted(self, batch: Batch, suspects: Suspects, chunk: Chunk) -> None:
        """Holds the rows of a chunk whose values are not certain, and those that may break a constraint."""
        if chunk.typed is not None and chunk.typed.num_rows:
            self._send_certain(batch, suspects, chunk.typed, chunk.typed_ordinals)
        if chunk.text is not None and chunk.text.num_rows:
            suspects.held(chunk.text.num_rows)
            self._to_text_stage(batch, chunk.text, chunk.text_ordinals)
        self._retreat_from(batch, suspects)

    def _send_certain(self, batch: Batch, suspects: Suspects, rows: pa.RecordBatch, ordinals: OrdinalRanges) -> None:
        """Sends rows whose values are certain into the table, but suspects into the stage."""
        import pyarrow as pa

        table_run = batch.table_run
        names = [c.name for c in batch.parser.columns]
        table_run.findings.held = True
        if (found := suspects.find(names, rows)) is not None:
            self._retreat_from(batch, suspects)
            held, ordinals = split_ordinals(ordinals.ranges, found)
            table_run.counts.staged += self._into_stage(batch, rows.filter(pa.array(found)), held)()
            rows = rows.filter(pa.array(~found))
        if rows.num_rows:
            count = self._copy_typed(batch, rows, ordinals)
            assert count is not None  # A frozen COPY that is refused raises FallBack.
            self._count(batch, count, ordinals)

    def _retreat_from(self, batch: Batch, suspects: Suspects) -> None:
        """:raises FallBack: so many rows are suspects that they had better be judged in the table."""
        if suspects.too_many:
            raise FallBack(batch.table_run.table.name, "many rows may be bad", Retreat.COPY_AGAIN)

    def _into_stage(self, batch: Batch, rows: pa.RecordBatch, ordinals: OrdinalRanges) -> Callable[[], int]:
        """Makes the stage unless it exists; returns the COPY of certain rows into the stage, in binary."""
        scratch = batch.table_run.scratch
        scratch.ensure_stage(self._conn)
        rows = _batch_with_ordinals(rows, ordinals, batch.file.base)
        names, jsonb = (
            [scratch.ordinal, *(c.name for c in batch.parser.columns)],
            [i + 1 for i in _jsonb_columns(batch)],
        )
        statement = copy_statement(scratch.stage, names, binary=True)
        return lambda: copy_batch(self._conn, statement, BinaryEncoder(rows.schema, jsonb), rows)

    def _send_direct(self, batch: Batch, chunk: Chunk) -> bool:
        """Sends a chunk past the stage into its table, with all constraints in force.

        Returns False if PostgreSQL refused a row, and then nothing has changed.
        """
        table_run, parser = batch.table_run, batch.parser
        names = [c.name for c in parser.columns]

        def copy() -> int:
            count = 0
            if chunk.typed is not None and chunk.typed.num_rows:
                encoder = BinaryEncoder(chunk.typed.schema, _jsonb_columns(batch))
                statement = copy_statement(table_run.relation, names, binary=True)
                count += copy_batch(self._conn, statement, encoder, chunk.typed)
            if chunk.text is not None and chunk.text.num_rows:
                statement = copy_statement(table_run.relation, names, binary=False)
                count += copy_in(self._conn, statement, csv_bytes(chunk.text))
            return count

        if (count := self._guarded(batch, copy)) is None:
            return False
        self._count(batch, count, OrdinalRanges(chunk.block.ordinals))
        return True

    def _send_typed(self, batch: Batch, chunk: Chunk, rows: pa.RecordBatch) -> bool:
        """Sends the certain rows of a chunk. If PostgreSQL refuses a row, the whole block goes to the text stage."""
        if (count := self._copy_typed(batch, rows, chunk.typed_ordinals)) is None:
            parser = batch.parser
            texts = self._defaults.fill(batch.table_run, parser.columns, parser.dialect, parser.texts(chunk.block))
            self._to_text_stage(batch, texts, OrdinalRanges(chunk.block.ordinals))
            return False
        self._count(batch, count, chunk.typed_ordinals)
        return True

    def _copy_typed(self, batch: Batch, rows: pa.RecordBatch, ordinals: OrdinalRanges) -> int | None:
        """Copies certain rows in binary, into the table or its stage; None if PostgreSQL refused a row."""
        if _goes_to_stage(batch):
            return self._guarded(batch, self._into_stage(batch, rows, ordinals))
        names, jsonb = [c.name for c in batch.parser.columns], _jsonb_columns(batch)
        statement = copy_statement(batch.table_run.destination, names, binary=True, freeze=_freezes(batch))
        return self._guarded(batch, lambda: copy_batch(self._conn, statement, BinaryEncoder(rows.schema, jsonb), rows))

    def _send_text(self, batch: Batch, table: pa.Table, ordinals: OrdinalRanges) -> None:
        table_run, columns = batch.table_run, batch.parser.columns
        names = [c.name for c in columns]
        in_place = table_run.strategy is Strategy.IN_PLACE
        if in_place and (nulls := forbidden_nulls(table, columns)) is not None:
            # A row with a forbidden NULL would send all other rows of the COPY to the text stage.
            bad, ordinals = split_ordinals(ordinals.ranges, nulls)
            self._to_text_stage(batch, table.filter(nulls), bad)
            table = table.filter(~nulls)
            if not table.num_rows:
                return
        rows = table
        if table_run.strategy is Strategy.STAGE:
            # A stage has no NOT NULL. A validation finds a forbidden NULL before the rows leave the stage.
            table_run.findings.suspect = True
            rows, names = with_ordinals(table, ordinals, batch.file.base), [table_run.scratch.ordinal, *names]
        frozen = table_run.strategy is Strategy.SWAP
        statement = copy_statement(_destination(batch), names, binary=False, freeze=frozen)
        count = self._guarded(batch, lambda: copy_in(self._conn, statement, csv_bytes(rows)), frozen=frozen)
        if count is None:
            self._to_text_stage(batch, table, ordinals)
        else:
            self._count(batch, count, ordinals)

    def _to_text_stage(self, batch: Batch, rows: pa.Table, ordinals: OrdinalRanges) -> None:
        table_run, plan = batch.table_run, batch.file.plan
        columns = batch.parser.columns
        if batch.file.unread_numbers and has_other_signs(columns, batch.parser.dialect, rows):
            raise read_numbers(table_run.table.name, plan.file.path)
        names = [c.name for c in columns]
        if table_run.computed:
            names = [field_column(i) for i in range(len(plan.columns))]
        self._text_rows.send(table_run, names, rows, ordinals, batch.file.base)

    # What every COPY shares.

    def _guarded(self, batch: Batch, copy: Callable[[], int], *, frozen: bool | None = None) -> int | None:
        """Runs a COPY; returns its row count, or None if PostgreSQL refused a row and nothing has changed.

        :param frozen: the COPY freezes rows, which forbids a savepoint of its own; None: as the table's route says.
        :raises FallBack: PostgreSQL refused a row of a COPY FREEZE.
        """
        table_run = batch.table_run
        if _freezes(batch) if frozen is None else frozen:
            try:
                with user_path(self._conn, table_run.runs_user_functions):
                    return copy()
            except psycopg.Error as error:
                if not is_row_error(error):
                    raise
                retreat = Retreat.COPY_AGAIN if table_run.strategy is Strategy.IN_PLACE else Retreat.NO_SWAP
                raise FallBack(table_run.table.name, f"a row is refused: {primary_message(error)}", retreat) from error
        while True:
            try:
                with self._conn.transaction(), user_path(self._conn, table_run.runs_user_functions):
                    return copy()
            except psycopg.Error as error:
                if not is_row_error(error):
                    raise
                # The COPY is tried at most once more, because the second COPY cannot violate a dropped CHECK.
                if not self._drop_violated_checks(table_run, error):
                    return None

    def _drop_violated_checks(self, table_run: TableRun, error: psycopg.Error) -> bool:
        """Drops the CHECKs of an empty table after the first row that violates a CHECK; False if nothing is dropped.

        When all rows are in the table, one scan validates the CHECKs. Otherwise each bad row would end a COPY.
        """
        checks = {c.name for c in table_run.table.checks}
        findings = table_run.findings
        in_place = table_run.strategy is Strategy.IN_PLACE
        if not in_place or findings.checks_dropped or error.diag.constraint_name not in checks:
            return False
        if not self._drop_checks(table_run):
            return False
        findings.check_violated = findings.suspect = True
        return True

    def _drop_checks(self, table_run: TableRun) -> bool:
        """Drops the CHECKs of a table that is empty but for the rows of the run; False if they have to stay."""
        findings = table_run.findings
        if not findings.checks_stay:
            findings.checks_dropped = drop_checks(self._conn, table_run.table)
            findings.checks_stay = not findings.checks_dropped
        return findings.checks_dropped

    def _reject_faults(self, batch: Batch, block: Block) -> None:
        """Makes rejects of the records that cannot be parsed."""
        faults = block.faults
        if not faults:
            return
        import pyarrow as pa

        table_run, base = batch.table_run, batch.file.base
        if table_run.strategy is Strategy.SWAP:
            reason = f"a record is refused: {faults[0].verdict.message}"
            raise FallBack(table_run.table.name, reason, Retreat.NO_SWAP)
        texts = ("kind", "column", "constraint", "sqlstate", "message", "detail")
        statement = sql.SQL(
            "COPY {} (table_no, ordinal, kind, column_name, constraint_name, sqlstate, message, detail)"
            " FROM STDIN (FORMAT csv, FORCE_NOT_NULL (detail))"
        ).format(self._faults)
        following = iter(faults)
        while some := tuple(islice(following, _FAULTS_AT_ONCE)):
            rows = pa.table(
                [pa.repeat(table_run.number, len(some)), pa.array([base + f.ordinal for f in some])]
                + [pa.array([getattr(f.verdict, name) for f in some]) for name in texts],
                names=["table_no", "ordinal", *texts],
            )
            copy_in(self._conn, statement, csv_bytes(rows))
            if self._faults is REJECT:
                store_readable_keys(self._conn, batch, some, translated=block.translated)

    def _count(self, batch: Batch, count: int, ordinals: OrdinalRanges) -> None:
        table_run, counts = batch.table_run, batch.table_run.counts
        if _goes_to_stage(batch):
            counts.staged += count
            return
        counts.landed += count
        if batch.route.direct:
            counts.inserted += count
        if table_run.strategy is Strategy.IN_PLACE:
            table_run.row_map.add(ordinals, batch.file.base)


def _freezes(batch: Batch) -> bool:
    return batch.table_run.strategy is Strategy.SWAP or batch.route.frozen


def _goes_to_stage(batch: Batch) -> bool:
    return batch.table_run.strategy is Strategy.STAGE and not batch.route.direct


def _destination(batch: Batch) -> sql.Identifier:
    return batch.table_run.scratch.stage if _goes_to_stage(batch) else batch.table_run.destination


def _jsonb_columns(batch: Batch) -> list[int]:
    return [i for i, c in enumerate(batch.parser.columns) if c.base == "jsonb"]


def _batch_with_ordinals(batch: pa.RecordBatch, ordinals: OrdinalRanges, base: int) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays(
        [ordinal_array(ordinals, base), *batch.columns], names=["ord", *batch.schema.names]
    )
