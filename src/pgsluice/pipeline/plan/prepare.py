"""Preparation of an attempt: the schema file, the plan, the locks, and the files that are already loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from pgsluice.ledger.advisory_locks import lock_tables as lock_against_other_runs
from pgsluice.model import (
    Definition,
    DriftKind,
    Listener,
    LoadOptions,
    Obstacle,
    ObstacleKind,
    Phase,
    Plan,
    Progress,
    Severity,
    SourceFile,
    Strategy,
    Table,
    TableName,
    Target,
)
from pgsluice.pipeline.plan.already_loaded import skip_loaded
from pgsluice.pipeline.plan.columns.new_columns import add_columns
from pgsluice.pipeline.plan.file_tables import FileTables, check_names
from pgsluice.pipeline.plan.planner import make_plan, mention_schema_file
from pgsluice.pipeline.plan.rights.missing import check_privileges
from pgsluice.pipeline.plan.table_locks import lock_holders, lock_tables, notice_lost_client
from pgsluice.pipeline.plan.target_tables import target_tables
from pgsluice.pipeline.plan.values.decide import DecidedFiles, decide_values
from pgsluice.pipeline.state import TableRun, new_table_run
from pgsluice.postgres.asking.target import read_target
from pgsluice.postgres.schema_files.apply import SchemaApplied, apply_missing
from pgsluice.postgres.search_path import choose_schema, current_schema
from pgsluice.postgres.table_properties import may_run_functions, tables_with_user_functions
from pgsluice.source.corrections import Corrections
from pgsluice.sql import query

SCHEMA_LOCK = 0
"""The "table" whose advisory lock is held by runs that may create tables. No table has the oid 0."""

_ASKED_BEFORE = "rules or derived tables read the new rows before they are published"

_SILENT_WAIT = 0.5
"""Seconds to wait for a lock before anybody is told."""


@dataclass(slots=True)
class Lessons:
    """What earlier attempts of a run found out about its tables; each attempt plans accordingly."""

    stages: dict[TableName, str] = field(default_factory=dict)
    """Tables that could not be finished in place, and why."""
    no_swap: dict[TableName, str] = field(default_factory=dict)
    """Tables that cannot be swapped, and why."""
    values: DecidedFiles = field(default_factory=DecidedFiles)
    """What the values of the files decide: the orders of day and month in their dates."""


@dataclass(frozen=True, slots=True)
class ReplayFiles:
    """The corrected records of a replay, by path of their file."""

    schemas: frozenset[str]
    """The schemas of the tables that the files feed."""
    corrections: Mapping[str, Corrections]


class Preparation:
    """Prepares the tables of an attempt, on the main connection.

    Afterwards ``table_runs`` holds the tables that have files, and ``oids`` the tables that the run has locked.
    """

    def __init__(
        self,
        main: psycopg.Connection,
        ledger_conn: psycopg.Connection,
        options: LoadOptions,
        lessons: Lessons,
        listen: Listener,
        replay: ReplayFiles | None = None,
    ) -> None:
        self._main = main
        self._ledger_conn = ledger_conn
        self._options = options
        self._lessons = lessons
        self._listen = listen
        self._replay = replay
        self.table_runs: list[TableRun] = []
        self.oids: list[int] = []
        self.definitions: tuple[Definition, ...] = ()
        """The definitions of derived tables."""
        self._applied: SchemaApplied | None = None
        self._schema: str | None = None
        self._target: Target

    def prepare(self, files: Sequence[SourceFile]) -> Plan:
        """Applies the schema file, locks the tables and plans the load.

        :raises SluiceError: something stands against the load. Nothing has changed except by the schema file.
        :raises psycopg.Error: PostgreSQL refuses a statement, or a lock is not free in time.
        """
        main, options = self._main, self._options
        self._limit_waits(0.1 if options.no_wait else options.lock_timeout)
        notice_lost_client(main)
        if options.schema_file:
            self._lock_against_other_runs([SCHEMA_LOCK])
        # Deferrable constraints are checked at once: a verdict is wanted while its row is known.
        main.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if options.into:
            choose_schema(main, options.into)
        existing: set[int] | None = None
        if options.schema_file:
            existing = {oid for (oid,) in main.execute(query("plan", "ordinary_tables"))}
            self._applied = apply_missing(main, options.schema_file, options.into)
            if options.resumable and self._applied.executed:
                # Lasting stages are created on another connection, which must see the tables.
                main.commit()
                return self.prepare(files)
        # Looked up once for all plans, because that takes a round trip.
        self._schema = options.into or current_schema(main)
        self._target = read_target(main, self._schema)
        if options.derive:
            from pgsluice.postgres.derived.definitions import read_definitions

            self.definitions = read_definitions(options.derive, self._schema or "public")
        plan = self._plan_under_locks(files)
        if any(drift.kind == DriftKind.ADDED_COLUMN for drift in plan.drift):
            add_columns(main, {str(t.table.name): t.table.name for t in plan.tables}, plan.drift)
            # The catalog has the columns now.
            plan = replace(self._plan(files), drift=plan.drift)
        # The tables are locked. What may still have to wait a moment (a row of the ledger, a catalog) waits.
        self._limit_waits(options.lock_timeout)
        self.table_runs = _new_table_runs(plan)
        with_functions = tables_with_user_functions(
            main, [t.table.oid for t in self.table_runs if may_run_functions(t.table)]
        )
        for table_run in self.table_runs:
            table_run.runs_user_functions = table_run.table.oid in with_functions
        self._allow_freezing(existing)
        if self._replay:
            for file in (f for t in self.table_runs for f in t.files):
                file.corrections = self._replay.corrections[file.plan.file.path]
        if not options.again:
            skip_loaded(main, self._ledger_conn, self.table_runs)
        decide_values(main, self.table_runs, self._lessons.values)
        return plan

    def _plan_under_locks(self, files: Sequence[SourceFile]) -> Plan:
        """Plans until the plan's tables are exactly the locked tables."""
        main, options = self._main, self._options
        # Runs exclude each other by advisory locks before they read the tables, because PostgreSQL's functions that
        # describe a table wait for a session that has the table locked.
        with mention_schema_file(self._applied, options.schema_file):
            names = target_tables(main, options, files, self._schema, self._schemas, details=False)
            held, complete = FileTables(names, options.tables).fed_by(files)
            self.oids = sorted(held)
        if not complete:
            # The plan names all files and fields that do not fit at once, and does not wait for other runs to say so.
            # It finds a table for each file only if another session has created the tables in this moment.
            with main.transaction(force_rollback=True):
                self._plan(files)
        self._lock_against_other_runs(self.oids)
        with main.transaction(force_rollback=True):
            # A first plan tells which tables to lock. It is rolled back, because a session that holds a table may need
            # the locks that reading the table took.
            plan = self._plan(files)
            check_privileges(main, plan, options)
        while True:
            self.oids = oids = [t.table.oid for t in plan.tables]
            self._lock_against_other_runs(sorted(set(oids) - held))
            held |= set(oids)
            self._lock(plan)
            # Before the locks another session may have inserted rows, or created a new table in place of the old one.
            plan = self._plan(files)
            if {t.table.oid for t in plan.tables} <= held:
                return plan

    def _allow_freezing(self, existing: set[int] | None) -> None:
        """Decides which tables may be copied frozen.

        Snapshots older than frozen rows see them. If all tables of the run were empty, such a snapshot still sees one
        state of all tables. A table that this transaction created is invisible to every older snapshot.

        :param existing: the tables that existed before the schema file was applied; None if there was no file.
        """
        all_empty = all(t.strategy is Strategy.IN_PLACE for t in self.table_runs)
        for table_run in self.table_runs:
            created = existing is not None and table_run.table.oid not in existing
            in_place = table_run.strategy is Strategy.IN_PLACE and not table_run.computed
            table_run.may_freeze = in_place and (created or all_empty)

    def _limit_waits(self, seconds: float) -> None:
        self._main.execute("SELECT pg_catalog.set_config('lock_timeout', %s, true)", (f"{int(seconds * 1000)}ms",))

    def _lock_against_other_runs(self, oids: Sequence[int]) -> None:
        lock_against_other_runs(self._main, oids, no_wait=self._options.no_wait, listen=self._listen)

    def _lock(self, plan: Plan) -> None:
        """Takes the tables' locks. A wait of more than half a second is reported, with the sessions it waits for."""
        options = self._options
        if not options.no_wait and options.lock_timeout > _SILENT_WAIT:
            try:
                with self._main.transaction():
                    self._limit_waits(_SILENT_WAIT)
                    lock_tables(self._main, plan)
                self._limit_waits(options.lock_timeout)
                return
            except psycopg.errors.LockNotAvailable:
                self._listen(Progress(Phase.WAIT, step=f"waiting for {self.lock_holders()}"))
        lock_tables(self._main, plan)

    def _plan(self, files: Sequence[SourceFile]) -> Plan:
        with mention_schema_file(self._applied, self._options.schema_file):
            tables = target_tables(self._main, self._options, files, self._schema, self._schemas)
            if self._options.resumable:
                tables = _add_obstacle(tables, ObstacleKind.RESUMABLE, "the run is to be resumable")
            if self._lessons.stages:
                # If one table could not be finished in place, all tables go through stages: a key that stays keeps the
                # keys that it references.
                why = next(iter(self._lessons.stages.values()))
                tables = _add_obstacle(tables, ObstacleKind.FAILED_ATTEMPT, why)
            no_swap = dict.fromkeys((t.name for t in tables), _ASKED_BEFORE) if self._asked_before else {}
            check_names("--max-rejects", [name for name, _ in self._options.limits.tables], tables)
            return make_plan(
                self._main,
                tables,
                files,
                self._options.tables,
                fields=self._options.fields,
                modes=self._options.modes,
                target=self._target,
                rules=self._options.quality.rows,
                no_swap=no_swap | self._lessons.no_swap,
            )

    @property
    def _asked_before(self) -> bool:
        """Whether something reads the new rows before they are published, under the name of their table."""
        rules = self._options.quality
        return bool(rules.sets or self.definitions) or any(rule.severity is Severity.WARN for rule in rules.rows)

    @property
    def _schemas(self) -> Collection[str]:
        return self._replay.schemas if self._replay else ()

    def lock_holders(self) -> str:
        """The sessions that hold a lock on one of the tables, in words."""
        try:
            return lock_holders(self._ledger_conn, self._main.info.backend_pid, self.oids)
        except psycopg.Error:
            return "another session"


def _add_obstacle(tables: Sequence[Table], kind: ObstacleKind, text: str) -> tuple[Table, ...]:
    return tuple(replace(t, obstacles=(*t.obstacles, Obstacle(kind, text))) for t in tables)


def _new_table_runs(plan: Plan) -> list[TableRun]:
    referenced: dict[TableName, list[str]] = {}
    for t in plan.tables:
        for fk in t.table.foreign_keys:
            if fk.references is not None:
                referenced.setdefault(fk.references, []).extend(fk.referenced_columns)
    table_runs = []
    first_file = 0
    for number, t in enumerate(plan.tables):
        table_runs.append(new_table_run(number, t, referenced.get(t.table.name, []), first_file))
        first_file += len(t.files)
    return table_runs
