"""The loop that copies a table: batches from the reader thread to the sender, file by file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Phase, Progress
from pgsluice.pipeline.fallback import FallBack, Retreat
from pgsluice.pipeline.ingest.batch import Batch, EndOfFile
from pgsluice.pipeline.ingest.checkpoint import Checkpoints
from pgsluice.pipeline.ingest.freezing import client_can_validate, shield_sequences
from pgsluice.pipeline.ingest.reader import read_tables
from pgsluice.pipeline.ingest.route import Care, CopyRoute
from pgsluice.pipeline.ingest.sender import CopySender
from pgsluice.pipeline.ingest.suspects.suspects import Suspects, understands
from pgsluice.pipeline.prefetch import Prefetch
from pgsluice.pipeline.state import RunContext, TableRun
from pgsluice.source.blocks import extent

_log = logging.getLogger(__name__)


class Ingest:
    """Copies the rows of a run's tables to PostgreSQL, table by table in load order.

    A table's rows go into the table itself, into its stage or into its shadow table, as its strategy says.
    """

    def __init__(self, context: RunContext, todo: Sequence[TableRun], checkpoints: Checkpoints | None = None) -> None:
        """:param todo: the tables that have files to load.
        :param checkpoints: the lasting stages of a resumable run.
        """
        self._context = context
        self._conn = context.conn
        self._todo = todo
        self._checkpoints = checkpoints
        self._routes = {t.number: CopyRoute(frozen=t.may_freeze) for t in todo}
        # Lasting stages are filled on a connection of their own, because they outlive the main transaction.
        self._sender = (
            CopySender(context.conn) if checkpoints is None else CopySender(checkpoints.conn, checkpoints.faults)
        )
        self._reader: Prefetch[Batch | EndOfFile]
        self._batches: Iterator[Batch | EndOfFile]
        self._read_from(todo)

    def close(self) -> None:
        """Stops the reader thread."""
        self._reader.close()

    def copy(self, table_run: TableRun, *, direct: bool = False) -> None:
        """Copies all rows of a table; tables have to come in load order.

        COPY FREEZE is used where it is allowed. PostgreSQL requires that the table was emptied in the savepoint in
        which the COPY runs (``BeginCopyFrom``, copyfrom.c), so all blocks of the table share one savepoint. If
        PostgreSQL rejects a row, the table is copied again with more care (:class:`Care`): frozen, if
        :func:`client_can_validate`, otherwise without FREEZE. A table that comes later is copied with care at once,
        because bad rows seldom come alone.

        :param direct: rows may go past the stage into the table.
        :raises FallBack: a shadow table cannot take a row.
        :raises FileError: a file cannot be read.
        :raises psycopg.Error: an error that does not concern a row.
        """
        route = self._routes[table_run.number]
        route.direct = direct
        while route.frozen:
            try:
                with self._conn.transaction():
                    self._conn.execute(sql.SQL("TRUNCATE ONLY {}").format(table_run.relation))
                    shield_sequences(self._conn, table_run)
                    if route.care is Care.HOLDING:
                        route.suspects = Suspects(self._conn, table_run)
                    self._copy_files(table_run)
                return
            except FallBack as fallback:
                if fallback.to is not Retreat.COPY_AGAIN:
                    raise
                _log.info("%s: copied again from its first row: %s", table_run.name, fallback.reason)
                self._tell(table_run, step=f"copied again from its first row: {fallback.reason}")
                self._start_again(table_run, route, fallback.__cause__)
        self._copy_files(table_run)

    def _start_again(self, table_run: TableRun, route: CopyRoute, error: BaseException | None) -> None:
        """Copies a table again with more care, and the later tables with more care as well.

        :param error: the error of PostgreSQL, if there is one.
        """
        self._reader.close()
        rest = self._todo[self._todo.index(table_run) :]
        care = self._more_care(table_run, route)
        if isinstance(error, psycopg.errors.CheckViolation) and care is Care.HOLDING:
            # Rows that break a CHECK which only PostgreSQL evaluates cannot be held.
            care = care if understands(table_run, str(error.diag.constraint_name)) else Care.VALIDATING
        route.copy_again(care)
        table_run.copy_again()
        for later in rest[1:]:
            other = self._routes[later.number]
            if other.care is Care.TRUSTING and (care := self._more_care(later, other)) is Care.HOLDING:
                other.copy_again(care)
            else:
                other.discard_blocks()
        self._read_from(rest)

    def _more_care(self, table_run: TableRun, route: CopyRoute) -> Care:
        if route.care >= Care.VALIDATING or not client_can_validate(self._conn, table_run, utc=self._utc):
            return Care.SINGLE
        return Care(route.care + 1)

    def _read_from(self, table_runs: Sequence[TableRun]) -> None:
        self._reader = read_tables(table_runs, self._routes, utc=self._utc)
        self._batches = iter(self._reader)

    @property
    def _utc(self) -> bool:
        zone = str(self._conn.info.parameter_status("TimeZone")).upper()
        return zone in {"UTC", "ETC/UTC", "GMT", "ETC/GMT"}

    def _copy_files(self, table_run: TableRun) -> None:
        files = [f for f in table_run.files if not f.skipped]
        total = sum(f.plan.file.bytes for f in files)
        before = [f for f in files if f.staged_before]
        done = sum(f.plan.file.bytes for f in before)
        base = max((f.base + f.read for f in before), default=0)
        counts = table_run.counts
        for file in (f for f in files if not f.staged_before):
            staged, in_doubt = counts.staged, counts.in_doubt
            file.base = base
            self._tell(table_run, done=done, total=total, rows=base)
            while not isinstance(batch := self._next(table_run), EndOfFile):
                with self._context.clock.phase("copy", table_run.name):
                    block = self._sender.send(batch)
                file.read += block.count
                file.extents.append(extent(block))
                self._tell(table_run, done=done + block.position, total=total, rows=base + file.read)
            file.sha256, file.remarks = batch.sha256, batch.remarks
            if self._checkpoints is not None:
                self._checkpoints.add(table_run, file, counts.staged - staged, counts.in_doubt - in_doubt)
            batch.parser.close()
            base += file.read
            done += file.plan.file.bytes
        self._tell(table_run, done=total, total=total, rows=base)

    def _next(self, table_run: TableRun) -> Batch | EndOfFile:
        """The next batch. The time spent waiting counts as time of reading."""
        with self._context.clock.phase("read", table_run.name):
            return next(self._batches)

    def _tell(self, table_run: TableRun, *, step: str = "", done: int = 0, total: int = 0, rows: int = 0) -> None:
        self._context.listen(Progress(Phase.STAGE, table_run.name, step, done, total, rows))
