"""A run: from paths to a published set of tables, in one transaction.

Two connections work side by side. The *main* one holds the transaction in which everything happens that
a reader of the tables may see; killed at any moment, PostgreSQL rolls it back. The *ledger* one writes
down, in small transactions of its own, that the run exists and how it ended when it did not publish.
That it did publish is written by the main transaction itself, so the ledger cannot say otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from pgsluice.errors import AccountingError, ConnectError, LockedError
from pgsluice.ledger.advisory_locks import hold_run, lock_tables
from pgsluice.ledger.rejects import copy_rejects, takes_report
from pgsluice.ledger.replays import mark_replayed
from pgsluice.ledger.runs import FileRecord, finish_run, mark_interrupted, record_files, start_run
from pgsluice.ledger.schema import ensure
from pgsluice.model import (
    Listener,
    LoadOptions,
    Progress,
    RejectsResult,
    RunResult,
    SourceFile,
    Strategy,
)
from pgsluice.pipeline.apply.finish import Finisher
from pgsluice.pipeline.fallback import Reconsider, Unfit
from pgsluice.pipeline.ingest.checkpoint import Staging, sweep
from pgsluice.pipeline.ingest.loop import Passage
from pgsluice.pipeline.plan.prepare import Learnt, Preparation
from pgsluice.pipeline.publish.sequences import move_sequences
from pgsluice.pipeline.publish.shadow_tables import Shadows
from pgsluice.pipeline.publish.swap import Swap, write_out
from pgsluice.pipeline.rejects.replay import Replay
from pgsluice.pipeline.rejects.report import write_report
from pgsluice.pipeline.rejects.report_file import read_report
from pgsluice.pipeline.results import table_result, unloaded
from pgsluice.pipeline.results import veto as veto_of
from pgsluice.pipeline.retry import LOCKED, PAUSES, passing
from pgsluice.pipeline.scratch import create_reject
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.timing import Clock
from pgsluice.postgres import session as means
from pgsluice.postgres.catalog import fingerprint
from pgsluice.postgres.ddl import drop_keys
from pgsluice.postgres.planner_hints import analyze
from pgsluice.source.discover import discover
from pgsluice.source.records.fast_scan import warm_up


class Run:
    """One load. Made for one call of :meth:`execute`.

    The way through: :class:`~pgsluice.pipeline.plan.prepare.Preparation` (schema file, plan, locks, what was loaded before),
    :class:`~pgsluice.pipeline.ingest.loop.Passage` (rows reach PostgreSQL table by table, each finished before the
    next), :meth:`_settle` (books, limits, rejects, commit or rollback).
    """

    def __init__(
        self,
        connect: Callable[[str], psycopg.Connection],
        paths: Sequence[str],
        options: LoadOptions,
        listen: Listener,
        replay: Replay | None = None,
        resume: int = 0,
    ) -> None:
        """:param connect: opens a connection to the target that goes by the name given.
        :param resume: the id of the interrupted run that this one goes on with.
        :param replay: load these corrected rejects of an earlier run; ``paths`` name the corrected file.
        """
        self._connect = connect
        self._main: psycopg.Connection
        self._book: psycopg.Connection
        self._paths = paths
        self._options = options
        self._listen = listen
        self._replay = replay
        self._clock = Clock()
        self._started = time.perf_counter()
        self._run_id = resume
        self._learnt = Learnt()
        self._prepared: Preparation
        self._shadows: Shadows
        self._states: list[TableRun] = []
        self._committing: RunResult | None = None
        self._staging: Staging | None = None

    def execute(self) -> RunResult:
        """Runs the load; errors that pass are tried again (see :mod:`pgsluice.pipeline.retry`).

        :raises SluiceError: whatever stops it; nothing was published then.
        """
        files = self._replay.files if self._replay else discover(self._paths, self._options.dialect)
        # Hidden behind the connections and the plan.
        warm_up()
        self._open()
        try:
            ensure(self._book)
            if self._run_id:
                hold_run(self._book, self._run_id)
            mark_interrupted(self._book)
            sweep(self._book, self._run_id)
            return self._attempts(files)
        except BaseException as error:
            if (result := self._fail(error)) is None:
                raise
            return result
        finally:
            for conn in (self._main, self._book, *([self._staging.conn] if self._staging else [])):
                conn.close()

    def _open(self) -> None:
        self._main = self._connect("pgsluice")
        means.configure_session(self._main)
        self._book = self._connect("pgsluice ledger")
        self._book.autocommit = True
        self._prepared = Preparation(self._main, self._book, self._options, self._learnt, self._listen, self._replay)

    def _attempts(self, files: Sequence[SourceFile]) -> RunResult:
        pauses = iter(() if self._options.no_wait else PAUSES)
        again = False
        while True:
            try:
                if self._staging is not None:
                    self._staging.conn.close()
                if again:
                    self._reopen()
                    if (result := self._committed_after_all()) is not None:
                        return result
                return self._once(files)
            except Reconsider as reason:
                # PostgreSQL would not take the table as it stands; once more, the careful way.
                self._main.rollback()
                self._learnt.forced[reason.table] = reason.reason
                self._listen(Progress("plan", str(reason.table), f"starting again: {reason.reason}"))
            except Unfit as reason:
                # No new table can take this one's place; once more, through its stage.
                self._main.rollback()
                self._learnt.unfit[reason.table] = reason.reason
                self._listen(Progress("plan", str(reason.table), f"starting again: {reason.reason}"))
            except (psycopg.Error, ConnectError) as error:
                what = passing(error, self._main, self._book)
                held = getattr(error, "sqlstate", None) == LOCKED
                if held:
                    what = f"the tables are in use by {self._prepared.holders()}"
                pause = next(pauses, None)
                if not what or pause is None:
                    if held:
                        raise LockedError(what, "Try again when they have ended") from error
                    raise
                self._listen(Progress("wait", step=f"{what}; trying again in {pause:g} s"))
                time.sleep(pause)
                again = True

    def _reopen(self) -> None:
        """Back to the start: the transaction rolled back, or new connections where the old ones broke."""
        try:
            self._main.rollback()
            self._book.execute("SELECT 1")
        except psycopg.Error:
            self._main.close()
            self._book.close()
            self._open()

    def _committed_after_all(self) -> RunResult | None:
        """The result, if the connection was lost while it committed and the commit came through.

        The ledger knows, for it is written by the same transaction; and it can be asked once the lost
        session has ended, which it has when its locks on the tables are to be had.
        """
        if self._committing is None:
            return None
        oids = [s.plan.table.oid for s in self._states]
        lock_tables(self._main, oids, no_wait=False, listen=self._listen)
        if self._published():
            return self._told(self._committing)
        self._committing = None
        return None

    def _fail(self, error: BaseException) -> RunResult | None:
        """Writes down that the run ended without a result, as far as the connections still live.

        :returns: the result after all, if what stopped the run came too late to stop its commit.
        """
        if self._committing is not None:
            with suppress(psycopg.Error, ConnectError):
                self._reopen()
        with suppress(psycopg.Error):
            self._main.rollback()
        if self._run_id:
            interrupted = isinstance(error, KeyboardInterrupt)
            said = "interrupted" if interrupted else str(error).strip().split("\n")[0]
            status = "interrupted" if interrupted else "failed"
            # Where even this cannot be said, the next run finds no living session and marks it interrupted.
            with suppress(psycopg.Error):
                # Waits for a commit that is under way, and leaves the word of one that came through.
                finish_run(self._book, self._run_id, status, self._seconds(), said)
                if self._committing is not None:
                    if self._published():
                        return self._told(self._committing)
                    self._listen(Progress("rollback"))
        return None

    def _published(self) -> bool:
        row = self._book.execute("SELECT status FROM pgsluice.run WHERE run_id = %s", (self._run_id,)).fetchone()
        return row == ("published",)

    def _seconds(self) -> float:
        return time.perf_counter() - self._started

    def _once(self, files: Sequence[SourceFile]) -> RunResult:
        with self._clock.phase("plan"):
            self._listen(Progress("plan"))
            plan = self._prepared.prepare(files)
            self._states = self._prepared.states
        todo = [s for s in self._states if any(not f.skipped for f in s.files)]
        if not todo:
            return self._nothing_to_do()
        self._open_run()
        create_reject(self._main)
        if self._options.resumable:
            self._staging = Staging(self._connect, self._run_id)
            self._staging.adopt(todo)
        in_place = [s for s in todo if s.way is Strategy.IN_PLACE]
        before = fingerprint(self._main, [s.plan.table.oid for s in in_place])
        if in_place:
            drop_keys(self._main, [s.plan.table for s in in_place])
        self._shadows = Shadows(self._main, [s for s in todo if s.way is Strategy.SWAP], self._clock, self._listen)
        self._shadows.create()
        by_name = {st.plan.table.name: st for st in self._states}
        finisher = Finisher(self._main, by_name, self._clock, self._listen, self._shadows)
        Passage(self._main, todo, plan, self._clock, self._listen, self._staging).bring(finisher)
        if in_place and fingerprint(self._main, [s.plan.table.oid for s in in_place]) != before:
            raise AccountingError(
                "keys or indexes differ after the load from what they were; nothing was published",
                "Please report this as a defect of pgsluice, with the tables' definitions",
            )
        return self._settle(todo)

    @property
    def _replay_of(self) -> int | None:
        return self._replay.run_id if self._replay else None

    def _nothing_to_do(self) -> RunResult:
        self._main.rollback()
        results = tuple(table_result(s, {}) for s in self._states)
        return RunResult(
            run_id=0,
            status="skipped",
            seconds=round(self._seconds(), 3),
            tables=results,
            rejects=RejectsResult(0, None),
            profile=self._clock.times(),
            reason="every file was loaded before (--again loads it once more)" if results else "no files",
        )

    def _open_run(self) -> None:
        if not self._run_id:
            options: dict[str, Any] = asdict(self._options) | {"paths": list(self._paths)}
            self._run_id = start_run(self._book, options, self._replay_of)
        hold_run(self._main, self._run_id)

    # ------------------------------------------------------------------- the end

    def _settle(self, todo: Sequence[TableRun]) -> RunResult:
        main = self._main
        rejected = self._rejected(todo)
        self._balance(todo, rejected)
        total = sum(rejected.values())
        tables = tuple(table_result(s, rejected) for s in self._states)
        veto = veto_of(self._options.limits, {s.plan.table.name: t for s, t in zip(self._states, tables, strict=True)})
        status = "vetoed" if veto else "dry_run" if self._options.dry_run else "published"
        result = RunResult(
            run_id=self._run_id,
            status=status,
            seconds=0.0,
            tables=tuple(unloaded(t) for t in tables) if veto else tables,
            rejects=RejectsResult(
                total, None, replay=(self._replay_of or self._run_id) if status == "published" else None
            ),
            reason=veto,
            replay_of=self._replay_of,
        )
        if status == "published":
            result = self._with_rejects(result, main, todo)
            self._committing = result
            self._publish(todo, result)
        else:
            with self._book.transaction():
                result = self._with_rejects(result, self._book, todo)
                main.rollback()
                self._record(self._book, result)
                if self._staging is not None:
                    self._staging.drop(self._book, todo)
        return self._told(result)

    def _with_rejects(self, result: RunResult, book: psycopg.Connection, todo: Sequence[TableRun]) -> RunResult:
        """Writes the rejects into the report and, on the connection ``book``, into the ledger."""
        if not result.rejects.count:
            return result
        with self._clock.phase("rejects"):
            self._listen(Progress("publish", step="report of rejects"))
            name = f"run-{self._run_id}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
            folder = Path(self._options.reports)
            if self._replay is None and takes_report(book):
                path, groups = write_report(self._main, todo, folder, name, self._run_id, book)
            else:
                # The report of a replay bears the number of the run that is replayed.
                path, groups = write_report(self._main, todo, folder, name, self._replay_of or self._run_id)
                copy_rejects(book, self._run_id, read_report(path))
        return replace(result, rejects=replace(result.rejects, path=str(path), groups=groups))

    def _told(self, result: RunResult) -> RunResult:
        """The result with what is only known in the end."""
        return replace(result, seconds=round(self._seconds(), 3), profile=self._clock.times())

    def _publish(self, todo: Sequence[TableRun], result: RunResult) -> None:
        self._listen(Progress("publish", step="commit"))
        for state in todo:
            if state.way is not Strategy.SWAP:
                move_sequences(self._main, state)
            if state.way is Strategy.STAGE and state.plan.table.owner_is_me:
                with self._clock.phase("analyze", state.name):
                    _analyze_if_grown(self._main, state)
        swap = Swap(self._main, self._shadows, self._listen, self._prepared.holders)
        if self._shadows.made:
            with self._clock.phase("write out"):
                write_out(self._main, self._book, self._run_id)
        with self._clock.phase("publish"):
            self._record(self._main, result)
            if self._staging is not None:
                self._staging.drop(self._main, todo)
            swap.perform(self._options.lock_timeout, no_wait=self._options.no_wait)
            self._main.commit()

    def _record(self, conn: psycopg.Connection, result: RunResult) -> None:
        records = []
        for state, pluralize in zip(self._states, result.tables, strict=True):
            table = state.plan.table
            oid = state.becomes if state.becomes and result.status == "published" else table.oid
            for plan, file in zip(state.plan.files, pluralize.files, strict=True):
                outcome = "skipped" if file.skipped else "loaded" if result.status == "published" else "vetoed"
                records.append(
                    FileRecord(
                        oid,
                        table.name.schema,
                        table.name.name,
                        file.path,
                        file.sha256,
                        file.bytes,
                        outcome,
                        file.read,
                        file.loaded if result.status == "published" else 0,
                        file.rejected,
                        plan.columns,
                        plan.file.dialect,
                        pluralize.mode,
                    )
                )
        record_files(conn, self._run_id, records)
        report = result.rejects.path
        if self._replay and result.status == "published":
            refused = (row.number for row in read_report(Path(report))) if report else ()
            loaded = self._replay.numbers_but(n for n in refused if n is not None)
            mark_replayed(conn, self._replay.run_id, self._run_id, loaded)
        finish_run(conn, self._run_id, result.status, self._seconds(), result.reason, report)

    def _rejected(self, todo: Sequence[TableRun]) -> dict[int, int]:
        """Rejects by number of the file."""
        counts = {f.number: 0 for s in todo for f in s.files}
        for state in todo:
            for file in state.files:
                if file.skipped:
                    continue
                row = self._main.execute(
                    "SELECT count(*), count(DISTINCT ord) FROM pg_temp.pgsluice_reject"
                    " WHERE tab = %s AND ord >= %s AND ord < %s",
                    (state.number, file.base, file.base + file.read),
                ).fetchone()
                assert row is not None
                if row[0] != row[1]:
                    raise AccountingError(
                        f"{file.plan.file.path}: {row[0] - row[1]:,} rows were rejected twice; nothing was published",
                        "Please report this as a defect of pgsluice",
                    )
                counts[file.number] = row[0]
        return counts

    def _balance(self, todo: Sequence[TableRun], rejected: dict[int, int]) -> None:
        """read = loaded + rejected, by PostgreSQL's own counts of what it took."""
        for state in todo:
            refused = sum(rejected[f.number] for f in state.files)
            if state.read != state.landed + refused:
                raise AccountingError(
                    f"{state.name}: {state.read:,} rows read, {state.landed:,} loaded and {refused:,} rejected"
                    " do not balance; nothing was published",
                    "Please report this as a defect of pgsluice, with the table's definition",
                )


def _analyze_if_grown(conn: psycopg.Connection, state: TableRun) -> None:
    """Fresh statistics when a tenth or more of the table changed, which is where autovacuum would take them."""
    row = conn.execute("SELECT reltuples FROM pg_class WHERE oid = %s", (state.plan.table.oid,)).fetchone()
    changed = state.inserted + state.updated + state.deleted
    if row is not None and changed and changed >= 0.1 * max(row[0], 0):
        analyze(conn, state.target)
