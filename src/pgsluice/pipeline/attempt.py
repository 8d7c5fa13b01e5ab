"""An attempt: one try to load every table in one transaction. It chooses, by the strategy, who finishes a table.

The steps of an attempt: :mod:`~pgsluice.pipeline.plan` (schema file, plan, locks), :mod:`~pgsluice.pipeline.ingest`
(rows reach PostgreSQL), :mod:`~pgsluice.pipeline.apply` or :mod:`~pgsluice.pipeline.publish.shadow_tables` (constraints
are in force, rows that violate them are rejects), :mod:`~pgsluice.pipeline.settle` (balance, limits, commit).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import psycopg

from pgsluice.errors import AccountingError
from pgsluice.model import (
    Listener,
    LoadOptions,
    Mode,
    Phase,
    Plan,
    Progress,
    RejectsResult,
    RunResult,
    RunStatus,
    SourceFile,
    Strategy,
)
from pgsluice.pipeline.apply.changed_rows import follow_changes
from pgsluice.pipeline.apply.in_place import InPlace
from pgsluice.pipeline.apply.run_default import run_defaults
from pgsluice.pipeline.apply.staged import Staged
from pgsluice.pipeline.fallback import FallBack, Retreat
from pgsluice.pipeline.ingest.checkpoint import Checkpoints
from pgsluice.pipeline.ingest.loop import Ingest
from pgsluice.pipeline.plan.prepare import Preparation
from pgsluice.pipeline.publish.shadow_tables import ShadowTables
from pgsluice.pipeline.quality.quality import Quality
from pgsluice.pipeline.results import table_result
from pgsluice.pipeline.run_entry import RunEntry
from pgsluice.pipeline.scratch import create_rejects
from pgsluice.pipeline.settle import Settlement
from pgsluice.pipeline.state import RunContext, TableRun
from pgsluice.pipeline.timing import Clock
from pgsluice.pipeline.validate.parent_check import can_check_parents
from pgsluice.pipeline.validate.rules import breaks_rules
from pgsluice.postgres.catalog import catalog_snapshot
from pgsluice.postgres.rebuild_keys import drop_keys
from pgsluice.postgres.table_properties import only_insert_decides
from pgsluice.text import pluralize

if TYPE_CHECKING:
    from pgsluice.pipeline.rejects.replay import Replay

_log = logging.getLogger(__name__)


class Attempt:
    """One attempt of a run. Made for one call of :meth:`execute`."""

    def __init__(
        self,
        main: psycopg.Connection,
        ledger_conn: psycopg.Connection,
        preparation: Preparation,
        entry: RunEntry,
        options: LoadOptions,
        clock: Clock,
        listen: Listener,
        replay: Replay | None,
    ) -> None:
        self._main = main
        self._ledger_conn = ledger_conn
        self._preparation = preparation
        self._entry = entry
        self._options = options
        self._clock = clock
        self._listen = listen
        self._replay = replay
        self._settlement: Settlement | None = None
        self.plan: Plan | None = None
        """The plan, as soon as it is made."""
        self.checkpoints: Checkpoints | None = None
        """The lasting stages of a resumable run; the run closes their connection."""

    @property
    def committing(self) -> RunResult | None:
        """The complete result as soon as the COMMIT was sent; None before. Whether it is true, the ledger knows."""
        if self._settlement is None or self._settlement.committing is None:
            return None
        return self._settlement.complete(self._settlement.committing)

    @property
    def oids(self) -> list[int]:
        """The tables of the attempt."""
        return [t.table.oid for t in self._preparation.table_runs]

    def execute(self, files: Sequence[SourceFile], connect: Callable[[str], psycopg.Connection]) -> RunResult:
        """Loads the files.

        :param connect: opens a further connection with the given application name.
        :raises FallBack: a table needs a safer strategy.
        :raises SluiceError: the load cannot go on, for a reason that the user can act on.
        :raises psycopg.Error: an error that does not concern a row.
        """
        main = self._main
        with self._clock.phase("plan"):
            self._listen(Progress(Phase.PLAN))
            self.plan = plan = self._preparation.prepare(files)
        table_runs = self._preparation.table_runs
        todo = [t for t in table_runs if any(not f.skipped for f in t.files)]
        if not todo:
            return self._nothing_to_do(table_runs)
        computed = [f for t in plan.tables if t.computed for f in t.files]
        began = self._entry.began
        self._entry.open(self._ledger_conn, main, {f.file.path: f.file.field_names for f in computed})
        for table_run in todo:
            table_run.run_id = self._entry.run_id
        if not began:
            size = sum(f.plan.file.bytes for t in todo for f in t.files if not f.skipped)
            words = self._beginning(plan, todo)
            self._listen(Progress(Phase.BEGIN, "", words, 0, size, 0, len(todo), self._entry.run_id))
        _log.info("run %d: %d tables, %d files", self._entry.run_id, len(todo), len(files))
        create_rejects(main)
        follow_changes(main, todo, self._preparation.definitions)
        if self._options.resumable:
            self.checkpoints = Checkpoints(connect, self._entry.run_id)
            self.checkpoints.adopt(todo)
        in_place = [t.table for t in todo if t.strategy is Strategy.IN_PLACE]
        before = catalog_snapshot(main, [t.oid for t in in_place])
        if in_place:
            drop_keys(main, in_place)
        context = RunContext(main, self._ledger_conn, {t.table.name: t for t in table_runs}, self._clock, self._listen)
        shadows = ShadowTables(context, [t for t in todo if t.strategy is Strategy.SWAP])
        shadows.create()
        with run_defaults(main, todo):
            self._load(context, todo, plan, shadows)
        if in_place and catalog_snapshot(main, [t.oid for t in in_place]) != before:
            raise AccountingError(
                "keys or indexes differ after the load from what they were; nothing was published",
                "Please report this as a defect of pgsluice, with the tables' definitions",
            )
        self._settlement = Settlement(
            context,
            self._ledger_conn,
            self._options,
            self._entry,
            self._replay,
            self.checkpoints,
            shadows,
            Quality(context, self._options, self._preparation.definitions),
            self._preparation.lock_holders,
        )
        return self._settlement.settle(todo)

    def _load(self, context: RunContext, todo: Sequence[TableRun], plan: Plan, shadows: ShadowTables) -> None:
        """Copies the rows of every table and finishes it before the next table, so that children find their parents."""
        in_place, staged = InPlace(context), Staged(context)
        # Which rows are missing is known when all rows are there, and children are deleted before parents.
        deleting = any(t.plan.delete_missing and t.strategy is Strategy.STAGE for t in todo)
        copy_first = deleting or self.checkpoints is not None
        ingest = Ingest(context, todo, self.checkpoints)
        try:
            if copy_first:
                for table_run in todo:
                    ingest.copy(table_run)
            if self.checkpoints is not None:
                self.checkpoints.hand_over(self._main)
            if deleting:
                staged.delete_missing(todo)
            for group in _groups(todo, plan):
                if not copy_first:
                    for table_run in group:
                        direct = len(group) == 1 and _may_go_direct(self._main, table_run)
                        ingest.copy(table_run, direct=direct)
                if group[0].strategy is Strategy.SWAP:
                    self._check_shadows(group)
                finisher = {
                    Strategy.SWAP: shadows.finish,
                    Strategy.IN_PLACE: in_place.finish,
                    Strategy.STAGE: staged.finish,
                }[group[0].strategy]
                finisher(group)
                for table_run in group:
                    table_run.scratch.drop_stages(self._main)
            staged.settle_deferred()
        finally:
            ingest.close()

    def _check_shadows(self, group: Sequence[TableRun]) -> None:
        """:raises FallBack: a row of a shadow table breaks a row rule. A shadow table holds no rejects."""
        for table_run in group:
            with self._clock.phase("rules", table_run.name):
                if breaks_rules(self._main, table_run, table_run.destination, staged=False):
                    raise FallBack(table_run.table.name, "a row breaks a rule", Retreat.NO_SWAP)

    def _beginning(self, plan: Plan, todo: Sequence[TableRun]) -> str:
        """What the run does, and where, in words."""
        count = pluralize(sum(not f.skipped for t in todo for f in t.files), "file")
        what = f"Loading {count}"
        if self._entry.replay_of is not None:
            what = f"Replaying rejects of run {self._entry.replay_of}"
        elif self._options.dry_run:
            what = f"Trying {count}, without publishing,"
        return f"{what} into {plan.target.words(self._entry.run_id)}"

    def _nothing_to_do(self, table_runs: Sequence[TableRun]) -> RunResult:
        self._main.rollback()
        results = tuple(table_result(t, {}) for t in table_runs)
        return RunResult(
            run_id=0,
            status=str(RunStatus.SKIPPED),
            seconds=round(self._entry.seconds, 3),
            tables=results,
            rejects=RejectsResult(0, None),
            profile=self._clock.times(),
            reason="every file was loaded before (--again loads it once more)" if results else "no files",
        )


def _may_go_direct(conn: psycopg.Connection, table_run: TableRun) -> bool:
    """Whether COPY may write straight into a table that holds rows, without a stage.

    That requires the mode append, in which no row is matched with another, and that only constraints decide which rows
    stay. Row rules are asked of a stage. It does not pay if foreign keys can be checked in bulk: checking them row by
    row takes longer than a stage. Nor may it if the changed rows are followed, or if a column holds the run's id: the
    INSERT from the stage adds the id.
    """
    if table_run.followed is not None or table_run.run_column:
        return False
    append = table_run.strategy is Strategy.STAGE and table_run.plan.mode is Mode.APPEND and not table_run.computed
    decided_by_constraints = not only_insert_decides(table_run.table) and not table_run.plan.rules
    return append and decided_by_constraints and not can_check_parents(conn, table_run)


def _groups(todo: Sequence[TableRun], plan: Plan) -> list[list[TableRun]]:
    """The tables in load order, those of a cycle together."""
    cycle_of = {name: i for i, cycle in enumerate(plan.cycles) for name in cycle}
    groups: list[list[TableRun]] = []
    for table_run in todo:
        mine = cycle_of.get(table_run.name)
        if mine is not None and groups and cycle_of.get(groups[-1][0].name) == mine:
            groups[-1].append(table_run)
        else:
            groups.append([table_run])
    return groups
