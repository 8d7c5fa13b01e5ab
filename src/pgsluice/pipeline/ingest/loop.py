"""The passage of all rows: files are read, chunks land, and each group of tables is finished in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Listener, Mode, Plan, Progress, Strategy
from pgsluice.pipeline.apply.finish import Finisher
from pgsluice.pipeline.fallback import Thaw
from pgsluice.pipeline.ingest.adaptive import FormatChooser
from pgsluice.pipeline.ingest.checkpoint import Staging
from pgsluice.pipeline.ingest.freezing import may_be_careful, shield
from pgsluice.pipeline.ingest.reader import Piece, producer
from pgsluice.pipeline.ingest.sender import CopySender
from pgsluice.pipeline.prefetch import Prefetch
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.timing import Clock
from pgsluice.pipeline.validate.parent_check import may_ask
from pgsluice.postgres.capabilities import only_insert_decides
from pgsluice.source.blocks import extent


class Passage:
    """Brings the rows of a run's tables to PostgreSQL, in load order."""

    def __init__(
        self,
        conn: psycopg.Connection,
        todo: Sequence[TableRun],
        plan: Plan,
        clock: Clock,
        listen: Listener,
        staging: Staging | None = None,
    ) -> None:
        """:param todo: the tables that have files to load.
        :param staging: of a run that can be resumed.
        """
        self._conn = conn
        self._todo = todo
        self._plan = plan
        self._staging = staging
        self._clock = clock
        self._listen = listen
        self._producer: Prefetch[Piece]
        self._pieces: Iterator[Piece]
        self._at: tuple[int, int]

    def bring(self, finisher: Finisher) -> None:
        """Lands every table and has it finished before the next one, so that children find their parents.

        :raises Reconsider, SluiceError, psycopg.Error: as landing and finishing do.
        """
        self._read(self._todo)
        lander = CopySender(self._conn)
        if self._staging is not None:
            # Stages that outlive the run are not the main transaction's.
            lander = CopySender(self._staging.conn, self._staging.faults)
        # Which rows are missing is known when all rows are there, and children go before parents.
        deleting = any(s.plan.delete_missing and s.way is Strategy.STAGE for s in self._todo)
        all_first = deleting or self._staging is not None
        try:
            if all_first:
                for state in self._todo:
                    self._fill(state, lander)
            if self._staging is not None:
                self._staging.hand_over(self._conn)
            if deleting:
                finisher.delete_missing(self._todo)
            for group in _groups(self._todo, self._plan):
                if not all_first:
                    for state in group:
                        state.direct = len(group) == 1 and _may_go_directly(self._conn, state)
                        self._fill(state, lander)
                finisher.finish(group)
            finisher.settle_deferred()
        finally:
            self._producer.close()

    @property
    def _utc(self) -> bool:
        zone = str(self._conn.info.parameter_status("TimeZone")).upper()
        return zone in {"UTC", "ETC/UTC", "GMT", "ETC/GMT"}

    def _read(self, tables: Sequence[TableRun]) -> None:
        """Has the files of these tables read, from the first on."""
        self._producer = producer(tables, utc=self._utc)
        self._pieces = iter(self._producer)

    def _fill(self, state: TableRun, lander: CopySender) -> None:
        """Lands a table: frozen if it may be; from its first row on when one is refused: with care, if that may do, and
        else unfrozen.

        COPY ... FREEZE wants the table emptied in the very savepoint that it runs in (``BeginCopyFrom``, copyfrom.c),
        so that all of the table's blocks share one.
        """
        while state.frozen:
            try:
                with self._conn.transaction():
                    self._conn.execute(sql.SQL("TRUNCATE ONLY {}").format(state.target))
                    shield(self._conn, state)
                    self._land(state, lander)
                return
            except Thaw as reason:
                self._listen(Progress("stage", state.name, f"once more from its first row: {reason}"))
                self._producer.close()
                once = state.careful_from is None and may_be_careful(self._conn, state, utc=self._utc)
                state.start_again(self._at if once else None)
                rest = self._todo[self._todo.index(state) :]
                for later in rest[1:]:
                    # What was read ahead of it is not there any more.
                    later.pace = FormatChooser()
                self._read(rest)
        self._land(state, lander)

    def _land(self, state: TableRun, lander: CopySender) -> None:
        files = [f for f in state.files if not f.skipped]
        total = sum(f.plan.file.bytes for f in files)
        before = [f for f in files if f.staged_before]
        done = sum(f.plan.file.bytes for f in before)
        base = max((f.base + f.read for f in before), default=0)
        for file in (f for f in files if not f.staged_before):
            staged, doubts = state.staged, state.doubts
            file.base = base
            self._listen(Progress("stage", state.name, done=done, total=total, rows=base))
            while (block := (piece := self._next(state)).block) is not None:
                self._at = file.number, block.first_ordinal
                with self._clock.phase("copy", state.name):
                    block = lander.land(piece)
                file.read += block.count
                file.extents.append(extent(block))
                at = done + block.position
                self._listen(Progress("stage", state.name, done=at, total=total, rows=base + file.read))
            file.sha256 = piece.sha256
            if self._staging is not None:
                self._staging.note(state, file, state.staged - staged, state.doubts - doubts)
            piece.reader.close()
            base += file.read
            done += file.plan.file.bytes
        self._listen(Progress("stage", state.name, done=total, total=total, rows=base))

    def _next(self, state: TableRun) -> Piece:
        """The next piece; the time spent waiting for it is the reader's."""
        with self._clock.phase("read", state.name):
            return next(self._pieces)


def _may_go_directly(conn: psycopg.Connection, state: TableRun) -> bool:
    """Whether a table that holds rows may take new ones without a stage: nothing but its constraints tells
    who stays, and no row is matched with another. Foreign keys that can be asked of all staged rows at once take longer
    to ask of each than the stage takes.
    """
    append = state.way is Strategy.STAGE and state.plan.mode is Mode.APPEND
    return append and not only_insert_decides(state.plan.table) and not may_ask(conn, state)


def _groups(todo: Sequence[TableRun], plan: Plan) -> list[list[TableRun]]:
    cycle_of = {name: i for i, cycle in enumerate(plan.cycles) for name in cycle}
    groups: list[list[TableRun]] = []
    for state in todo:
        mine = cycle_of.get(state.name)
        if mine is not None and groups and cycle_of.get(groups[-1][0].name) == mine:
            groups[-1].append(state)
        else:
            groups.append([state])
    return groups
