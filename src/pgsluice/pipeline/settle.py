"""Settlement: the end of an attempt. Counts must balance; then the run is vetoed or published."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pgsluice.errors import AccountingError
from pgsluice.ledger.reports import record_notes
from pgsluice.ledger.runs import FileRecord, record_files
from pgsluice.model import (
    LoadOptions,
    Phase,
    Progress,
    RejectsResult,
    RunResult,
    RunStatus,
    Strategy,
    TableResult,
)
from pgsluice.pipeline.ingest.checkpoint import Checkpoints
from pgsluice.pipeline.publish.sequences import move_sequences
from pgsluice.pipeline.publish.shadow_tables import ShadowTables
from pgsluice.pipeline.publish.swap import Swap, write_out
from pgsluice.pipeline.quality.outcome import veto_of
from pgsluice.pipeline.quality.quality import Quality
from pgsluice.pipeline.results import nothing_loaded, run_notes, table_result, veto_reason
from pgsluice.pipeline.run_entry import RunEntry
from pgsluice.pipeline.scratch import REJECT
from pgsluice.pipeline.state import RunContext, TableRun
from pgsluice.postgres.planner_hints import analyze, analyze_if_free

if TYPE_CHECKING:
    from pgsluice.pipeline.rejects.replay import Replay

_log = logging.getLogger(__name__)

_LATE_WAIT = "500ms"
"""How long the end of a published run waits for the lock of a table whose statistics are due."""

_REPORT = "Please report this as a defect of pgsluice"


@dataclass(slots=True)
class Settlement:
    """Settles one attempt, in its transaction."""

    context: RunContext
    ledger_conn: psycopg.Connection
    options: LoadOptions
    entry: RunEntry
    replay: Replay | None
    checkpoints: Checkpoints | None
    shadows: ShadowTables
    quality: Quality
    lock_holders: Callable[[], str]
    """Says in words who holds locks on the tables of the run."""
    committing: RunResult | None = None
    """The result of a run that is being published, from before its commit on."""

    def settle(self, todo: Sequence[TableRun]) -> RunResult:
        """Publishes the rows, or rolls them back if the rejects exceed a limit or the run is a dry run.

        :param todo: the tables that had files to load.
        :raises AccountingError: read = loaded + rejected does not hold.
        :raises FallBack: a swap is not possible.
        :raises LockedError: another session holds a table that has to be swapped.
        """
        rejected = count_rejects(self.context.conn, todo)
        check_balance(todo, rejected)
        late = self._collect_statistics(todo)
        self.quality.ask(todo)
        result = self._result(rejected)
        if result.status == RunStatus.PUBLISHED:
            result = self._with_report(result, self.context.conn, todo)
            self.committing = result
            self._publish(todo, result, late)
        else:
            with self.ledger_conn.transaction():
                result = self._with_report(result, self.ledger_conn, todo)
                self.context.conn.rollback()
                self._record(self.ledger_conn, result)
                if self.checkpoints is not None:
                    self.checkpoints.drop(self.ledger_conn, todo)
        _log.info("run %d: %s, %d rejects", self.entry.run_id, result.status, result.rejects.count)
        return self.complete(result)

    def complete(self, result: RunResult) -> RunResult:
        """The result with the seconds and the profile of the whole run."""
        return replace(result, seconds=round(self.entry.seconds, 3), profile=self.context.clock.times())

    def _result(self, rejected: Mapping[int, int]) -> RunResult:
        table_runs = list(self.context.tables.values())
        tables = tuple(table_result(t, rejected) for t in table_runs)
        by_name = {t.table.name: result for t, result in zip(table_runs, tables, strict=True)}
        veto = veto_reason(self.options.limits, by_name) or veto_of(self.quality.rules)
        status = RunStatus.PUBLISHED
        if veto or self.options.dry_run:
            status = RunStatus.VETOED if veto else RunStatus.DRY_RUN
        replayable = (self.entry.replay_of or self.entry.run_id) if status is RunStatus.PUBLISHED else None
        return RunResult(
            run_id=self.entry.run_id,
            status=str(status),
            seconds=0.0,
            tables=tuple(nothing_loaded(t) for t in tables) if veto else tables,
            rejects=RejectsResult(sum(rejected.values()), None, replay=replayable),
            reason=veto,
            replay_of=self.entry.replay_of,
            rules=self.quality.rules,
            derived=self.quality.derived.results,
        )

    def _with_report(self, result: RunResult, ledger_conn: psycopg.Connection, todo: Sequence[TableRun]) -> RunResult:
        """Writes the rejects into the CSV report and, on ``ledger_conn``, into the ledger."""
        if not result.rejects.count:
            return result
        # A run without rejects does not wait for these imports.
        from pgsluice.ledger.rejects import copy_rejects, takes_report
        from pgsluice.pipeline.rejects.narrow import narrow_columns
        from pgsluice.pipeline.rejects.report import write_report
        from pgsluice.pipeline.rejects.report_file import read_report

        with self.context.clock.phase("rejects"):
            self._tell("report of rejects")
            name = f"run-{self.entry.run_id}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
            folder = Path(self.options.reports)
            if self.replay is None and takes_report(ledger_conn):
                report = write_report(self.context.conn, todo, folder, name, self.entry.run_id, ledger_conn)
            else:
                # The report of a replay has the number of the run that is replayed.
                run_id = self.entry.replay_of or self.entry.run_id
                report = write_report(self.context.conn, todo, folder, name, run_id)
                assert report.path is not None
                copy_rejects(ledger_conn, self.entry.run_id, read_report(Path(report.path)))
        groups = tuple(replace(g, first=g.first and replace(g.first, run_id=self.entry.run_id)) for g in report.groups)
        narrow = list(narrow_columns(report.groups, todo))
        remedies = (*report.remedies, *(remedy for _, remedy in narrow))
        rejects = replace(result.rejects, path=report.path, groups=groups, remedies=remedies)
        return replace(result, rejects=rejects, drift=tuple(drift for drift, _ in narrow))

    def _collect_statistics(self, todo: Sequence[TableRun]) -> list[TableRun]:
        """Collects statistics of staged tables that have changed; returns those whose statistics have to wait."""
        late: list[TableRun] = []
        for table_run in todo:
            if table_run.strategy is Strategy.STAGE and table_run.table.owner_is_me:
                with self.context.clock.phase("analyze", table_run.name):
                    if not _analyze_if_changed(self.context.conn, table_run):
                        late.append(table_run)
        return late

    def _publish(self, todo: Sequence[TableRun], result: RunResult, late: Sequence[TableRun]) -> None:
        """:param late: tables whose statistics are collected after the commit."""
        main, clock = self.context.conn, self.context.clock
        self._tell("commit")
        for table_run in todo:
            if table_run.strategy is not Strategy.SWAP:
                move_sequences(main, table_run)
        swap = Swap(main, self.shadows, self.context.listen, self.lock_holders)
        if self.shadows.made:
            with clock.phase("write out"):
                write_out(main, self.ledger_conn, self.entry.run_id)
        with clock.phase("publish"):
            self._record(main, result)
            if self.checkpoints is not None:
                self.checkpoints.drop(main, todo)
            swap.perform(self.options.lock_timeout, no_wait=self.options.no_wait)
            main.commit()
        for table_run in late:
            with clock.phase("analyze", table_run.name):
                _analyze_late(main, table_run)

    def _record(self, conn: psycopg.Connection, result: RunResult) -> None:
        """Records the files and the end of the run in the ledger."""
        records = []
        for table_run, table in zip(self.context.tables.values(), result.tables, strict=True):
            records += _file_records(table_run, table, result.status == RunStatus.PUBLISHED)
        record_files(conn, self.entry.run_id, records)
        table_runs = list(self.context.tables.values())
        notes = run_notes(table_runs, result, self.context.clock.times())
        if result.rejects.groups:
            from pgsluice.pipeline.rejects.explain import group_notes

            notes = replace(notes, groups=group_notes(result.rejects.groups, table_runs))
        record_notes(conn, self.entry.run_id, notes)
        self.quality.record(conn, self.entry.run_id, published=result.status == RunStatus.PUBLISHED)
        report = result.rejects.path
        if self.replay and result.status == RunStatus.PUBLISHED:
            from pgsluice.ledger.replays import mark_replayed
            from pgsluice.pipeline.rejects.report_file import read_report

            rejected = (row.number for row in read_report(Path(report))) if report else ()
            loaded = self.replay.numbers_but(n for n in rejected if n is not None)
            mark_replayed(conn, self.replay.run_id, self.entry.run_id, loaded)
        self.entry.finish(conn, RunStatus(result.status), result.reason, report)

    def _tell(self, step: str) -> None:
        self.context.listen(Progress(Phase.PUBLISH, step=step))


def _file_records(table_run: TableRun, table: TableResult, published: bool) -> list[FileRecord]:
    name = table_run.table.name
    oid = table_run.shadow_oid if table_run.shadow_oid and published else table_run.table.oid
    records = []
    for plan, file in zip(table_run.plan.files, table.files, strict=True):
        outcome = "skipped" if file.skipped else "loaded" if published else "vetoed"
        records.append(
            FileRecord(
                oid,
                name.schema,
                name.name,
                file.path,
                file.sha256,
                file.bytes,
                outcome,
                file.read,
                file.loaded if published else 0,
                file.rejected,
                plan.columns,
                plan.file.dialect,
                table.mode,
            )
        )
    return records


def count_rejects(conn: psycopg.Connection, todo: Sequence[TableRun]) -> dict[int, int]:
    """The number of rejects of each file, by number of the file.

    :raises AccountingError: a row is rejected twice.
    """
    counts = {f.number: 0 for t in todo for f in t.files}
    # The n-th bucket holds the ordinals from the n-th bound on, and less than the next one (manual, "Mathematical
    # Functions"). One scan counts the rejects of all files of a table.
    statement = sql.SQL(
        "SELECT pg_catalog.width_bucket(ordinal, %s::bigint[]), pg_catalog.count(*), pg_catalog.count(DISTINCT ordinal)"
        " FROM {} WHERE table_no = %s GROUP BY 1"
    ).format(REJECT)
    for table_run in todo:
        files = {f.base: f for f in table_run.files if f.read and not f.skipped}
        bounds = sorted(files.keys() | {f.base + f.read for f in files.values()})
        for bucket, rows, distinct in conn.execute(statement, (bounds, table_run.number)).fetchall() if bounds else ():
            file = files.get(bounds[bucket - 1]) if bucket else None
            if file is None:
                # No file has this ordinal. The counts will not balance.
                continue
            if rows != distinct:
                raise AccountingError(
                    f"{file.plan.file.path}: {rows - distinct:,} rows were rejected twice; nothing was published",
                    _REPORT,
                )
            counts[file.number] = rows
    return counts


def check_balance(todo: Sequence[TableRun], rejected: Mapping[int, int]) -> None:
    """Checks for each table that read = loaded + rejected, by PostgreSQL's own counts of the rows it took.

    :raises AccountingError: the counts do not balance.
    """
    for table_run in todo:
        rejects = sum(rejected[f.number] for f in table_run.files)
        landed = table_run.counts.landed
        if table_run.read != landed + rejects:
            raise AccountingError(
                f"{table_run.name}: {table_run.read:,} rows read, {landed:,} loaded and {rejects:,} rejected"
                " do not balance; nothing was published",
                f"{_REPORT}, with the table's definition",
            )


def _analyze_if_changed(conn: psycopg.Connection, table_run: TableRun) -> bool:
    """Collects statistics if a tenth or more of the table changed, as autovacuum would by default.

    :returns: False if the statistics are due and another session stands against it, for example one that builds an
        index concurrently. It waits for this transaction, so this transaction must not wait for it.
    """
    row = conn.execute("SELECT reltuples FROM pg_catalog.pg_class WHERE oid = %s", (table_run.table.oid,)).fetchone()
    counts = table_run.counts
    changed = counts.inserted + counts.updated + counts.deleted
    due = row is not None and changed > 0 and changed >= 0.1 * max(row[0], 0)
    return not due or analyze_if_free(conn, table_run.relation)


def _analyze_late(conn: psycopg.Connection, table_run: TableRun) -> None:
    """Collects statistics after the commit, if the other session ends soon. Otherwise autovacuum will do it.

    The rows are published. So no error counts.
    """
    try:
        with conn.transaction():
            conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_LATE_WAIT)))
            analyze(conn, table_run.relation)
    except psycopg.Error as error:
        _log.info("%s: no statistics after the commit: %s", table_run.name, error)
