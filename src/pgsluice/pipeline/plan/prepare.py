"""Before a run: the schema file, who may feed what, the locks, and the plan that holds once they are there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from pgsluice.ledger.advisory_locks import lock_tables
from pgsluice.model import (
    Listener,
    LoadOptions,
    Obstacle,
    ObstacleKind,
    Plan,
    Progress,
    SourceFile,
    Strategy,
    Table,
    TableName,
)
from pgsluice.pipeline.plan.already_loaded import skip_loaded
from pgsluice.pipeline.plan.planner import fed_tables, make_plan, named_exist, split_name, telling_of_schema
from pgsluice.pipeline.plan.table_locks import check_rights, holders, lock_for_load, notice_lost_client
from pgsluice.pipeline.rejects.replay import Replay
from pgsluice.pipeline.state import TableRun, table_load
from pgsluice.postgres import schema_file
from pgsluice.postgres.catalog import read_tables, require_schema
from pgsluice.postgres.connect import where

SCHEMA_LOCK = 0
"""The advisory "table" that runs hold which may create tables: no table has oid 0."""


_SILENT_WAIT = 0.5
"""Seconds that a lock may take before anybody is told."""


@dataclass(slots=True)
class Learnt:
    """What earlier attempts of a run found out about its tables."""

    forced: dict[TableName, str] = field(default_factory=dict)
    """Why they could not be finished in place."""
    unfit: dict[TableName, str] = field(default_factory=dict)
    """Why no new table can take their place."""


class Preparation:
    """Makes a run's tables ready, in the main transaction, once for each attempt.

    Afterwards ``states`` are the tables that have files, and ``oids`` those that this run has spoken for.
    """

    def __init__(
        self,
        main: psycopg.Connection,
        book: psycopg.Connection,
        options: LoadOptions,
        learnt: Learnt,
        listen: Listener,
        replay: Replay | None = None,
    ) -> None:
        self._main = main
        self._book = book
        self._options = options
        self._learnt = learnt
        self._listen = listen
        self._replay = replay
        self.states: list[TableRun] = []
        self.oids: list[int] = []
        self._applied: schema_file.SchemaApplied | None = None

    def prepare(self, files: Sequence[SourceFile]) -> Plan:
        """Takes the tables' locks and says what is to be done with them.

        :raises SluiceError, psycopg.Error: what stands against it; nothing but the schema file has been done.
        """
        main, options = self._main, self._options
        self._limit_waits(0.1 if options.no_wait else options.lock_timeout)
        notice_lost_client(main)
        if options.schema_file:
            lock_tables(main, [SCHEMA_LOCK], no_wait=options.no_wait, listen=self._listen)
        # Constraints that may wait for the end of the transaction are asked at once: a verdict is wanted
        # while its row is at hand.
        main.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if options.into:
            main.execute("SELECT set_config('search_path', quote_ident(%s), true)", (options.into,))
        there: set[int] | None = None
        if options.schema_file:
            there = {oid for (oid,) in main.execute("SELECT oid::bigint FROM pg_catalog.pg_class WHERE relkind = 'r'")}
            self._applied = schema_file.apply_missing(main, options.schema_file, options.into)
            if options.resumable and self._applied.executed:
                # Stages are made on another connection, which must see the tables.
                main.commit()
                return self.prepare(files)
        # Runs tell each other first who is at a table, for to look into one waits for whoever has it locked.
        with telling_of_schema(self._applied, options.schema_file):
            names = target_tables(main, options, files, self._further, look=False)
            self.oids = sorted(held := fed_tables(files, names, options.tables))
        lock_tables(main, self.oids, no_wait=options.no_wait, listen=self._listen)
        with main.transaction(force_rollback=True):
            # A first plan, for who is to be locked. Rolled back, because whoever holds the tables may need
            # the locks that it took by looking at them.
            plan = self._plan(files)
            check_rights(main, plan)
        while True:
            self.oids = oids = [t.table.oid for t in plan.tables]
            lock_tables(main, sorted(set(oids) - held), no_wait=options.no_wait, listen=self._listen)
            held |= set(oids)
            self._lock(plan)
            # Somebody may have put rows in before the locks were there, or a new table in the old one's place.
            plan = self._plan(files)
            if {t.table.oid for t in plan.tables} <= held:
                break
        # The tables are ours; what may still have to wait a moment (a row of the ledger, a catalog) does.
        self._limit_waits(options.lock_timeout)
        self.states = _make_states(plan)
        # Frozen rows are seen by snapshots that are older than they are. Where all tables of the run were empty, such
        # a snapshot still sees one state of the set; and in none can a table be empty that has just been made.
        all_empty = all(s.way is Strategy.IN_PLACE for s in self.states)
        for state in self.states:
            made = there is not None and state.plan.table.oid not in there
            state.frozen = state.way is Strategy.IN_PLACE and (made or all_empty)
        if self._replay:
            for file in (f for s in self.states for f in s.files):
                file.corrections = self._replay.corrections[file.plan.file.path]
        if not options.again:
            skip_loaded(main, self._book, self.states)
        return plan

    def _limit_waits(self, seconds: float) -> None:
        self._main.execute("SELECT set_config('lock_timeout', %s, true)", (f"{int(seconds * 1000)}ms",))

    def _lock(self, plan: Plan) -> None:
        """Takes the tables' locks; whoever has to wait is told for whom, before the time is up."""
        options = self._options
        if not options.no_wait and options.lock_timeout > _SILENT_WAIT:
            try:
                with self._main.transaction():
                    self._limit_waits(_SILENT_WAIT)
                    lock_for_load(self._main, plan)
                self._limit_waits(options.lock_timeout)
                return
            except psycopg.errors.LockNotAvailable:
                self._listen(Progress("wait", step=f"waiting for {self.holders()}"))
        lock_for_load(self._main, plan)

    def _plan(self, files: Sequence[SourceFile]) -> Plan:
        with telling_of_schema(self._applied, self._options.schema_file):
            return self._plan_of(files)

    def _plan_of(self, files: Sequence[SourceFile]) -> Plan:
        tables = target_tables(self._main, self._options, files, self._further)
        if self._options.resumable:
            tables = tuple(
                replace(t, obstacles=(*t.obstacles, Obstacle(ObstacleKind.RESUMABLE, "the run is to be resumable")))
                for t in tables
            )
        if self._learnt.forced:
            # Where one table could not be finished in place, all go through stages: a key that stays up
            # keeps the keys up that it leans on.
            why = next(iter(self._learnt.forced.values()))
            tables = tuple(
                replace(t, obstacles=(*t.obstacles, Obstacle(ObstacleKind.FAILED_ATTEMPT, why))) for t in tables
            )
        named_exist("--max-rejects", [name for name, _ in self._options.limits.tables], tables)
        return make_plan(
            self._main,
            tables,
            files,
            self._options.tables,
            columns=self._options.columns,
            modes=self._options.modes,
            database=where(self._main),
            unfit=self._learnt.unfit,
        )

    @property
    def _further(self) -> Collection[str]:
        return self._replay.schemas if self._replay else ()

    def holders(self) -> str:
        """Who has a lock on one of the tables, in words."""
        try:
            return holders(self._book, self._main.info.backend_pid, self.oids)
        except psycopg.Error:
            return "another session"


def target_tables(
    conn: psycopg.Connection,
    options: LoadOptions,
    files: Sequence[SourceFile],
    further: Collection[str] = (),
    *,
    look: bool = True,
) -> tuple[Table, ...]:
    """The tables a load may feed: those of its schema, and those of others that ``--table`` names.

    :param further: more schemas.
    :param look: look into the tables that the files feed; of all others the names are enough.
    :raises MappingError: a file without a table.
    """
    if options.into:
        require_schema(conn, options.into)

    def read(only: Collection[int]) -> tuple[Table, ...]:
        tables = read_tables(conn, options.into, only)
        schemas = {t.name.schema for t in tables}
        for schema in (*further, *(split_name(name)[0] for name, _ in options.tables)):
            if schema is not None and schema not in schemas:
                schemas.add(schema)
                tables += read_tables(conn, schema, only)
        return tables

    names = read(())
    return read(fed_tables(files, names, options.tables)) if look else names


def _make_states(plan: Plan) -> list[TableRun]:
    watched: dict[TableName, list[str]] = {}
    for t in plan.tables:
        for fk in t.table.foreign_keys:
            if fk.references is not None:
                watched.setdefault(fk.references, []).extend(fk.referenced_columns)
    states = []
    first = 0
    for number, t in enumerate(plan.tables):
        names = tuple(dict.fromkeys(watched.get(t.table.name, ())))
        states.append(table_load(number, t, names, first))
        first += len(t.files)
    return states
