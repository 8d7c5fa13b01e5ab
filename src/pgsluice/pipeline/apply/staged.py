"""Staged: rows leave their stage for the table, whose constraints are all in force.

The rows of a group are inserted whole. If PostgreSQL refuses a row, the validator rejects the violating rows with
queries and the rest is inserted; where queries cannot tell, PostgreSQL decides row by row.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from pgsluice.errors import DatabaseError
from pgsluice.model import Mode, Phase, Progress, Strategy, TableName
from pgsluice.pipeline.apply import cycle_keys
from pgsluice.pipeline.apply.bisect import Bisected, accept, insert_by_bisecting
from pgsluice.pipeline.apply.delete_missing import Deferred, MissingRows, referrers_among
from pgsluice.pipeline.apply.insert import (
    check_statements,
    insert_in_one_statement,
    insert_rewriting,
    insert_tables,
)
from pgsluice.pipeline.apply.merge_sql import can_rewrite, drop_matched, has_duplicate_keys
from pgsluice.pipeline.state import RunContext, TableRun, savepoint
from pgsluice.pipeline.validate.bans import RefusedRow, ban_orphans, create_bans
from pgsluice.pipeline.validate.parent_check import can_check_parents
from pgsluice.pipeline.validate.rules import breaks_rules, find_warnings
from pgsluice.pipeline.validate.validator import Scope, reject_broken_rules, validate
from pgsluice.pipeline.validate.values import judge_texts
from pgsluice.postgres.planner_hints import analyze
from pgsluice.postgres.sqlstate import primary_message
from pgsluice.postgres.table_properties import foreign_keys_to, only_insert_decides


class Staged:
    """Finishes tables whose rows are in stages, and deletes missing rows."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._conn = context.conn
        self._missing = MissingRows(context.conn, referrers_among(context.tables))
        self._late: list[TableRun] = []
        """Tables with deferred deletes."""
        self._deferred: list[TableRun] = []
        """Tables whose foreign keys to each other are deferred until the end of the run."""

    def finish(self, group: Sequence[TableRun]) -> None:
        """Inserts the staged rows of a group; rows that PostgreSQL refuses become rejects.

        :raises psycopg.Error: an error that does not concern a row.
        """
        # A table of the group without rows still counts: foreign keys that reference it are deferred like the others.
        names = {t.table.name for t in group}
        for table_run in group:
            judge_texts(self._context, table_run)
            if table_run.plan.mode is Mode.INSERT_MISSING and table_run.scratch.stage_made:
                # A row that would change nothing must be valid all the same, except for its keys.
                scope = Scope(unique=False, inner_keys=False)
                validate(self._conn, [table_run], self._context.tables, scope, staged=True, names=names)
                drop_matched(self._conn, table_run)
        group = [t for t in group if t.scratch.stage_made]
        if not group:
            return
        for table_run in group:
            check_statements(self._conn, table_run)
            find_warnings(self._conn, table_run, staged=True)
        only_insert = any(only_insert_decides(t.table) for t in group)
        self._apply_rules(group, now=only_insert)
        if self._worth_trying(group, only_insert):
            if self._insert(group, names):
                return
            [first, *others] = group
            alone = not (only_insert or others)
            if alone and can_rewrite(self._conn, first) and insert_rewriting(self._conn, first):
                return
        if not only_insert:
            with savepoint(self._conn, group):
                if self._validate(group, names) and self._insert(group, names, validated=True):
                    return
                # A constraint that no query can validate for one row may change the verdict on other rows.
                raise psycopg.Rollback
            self._apply_rules(group, now=True)
        self._insert_row_by_row(group, names)

    def _apply_rules(self, group: Sequence[TableRun], *, now: bool) -> None:
        """Finds out whether staged rows break row rules.

        :param now: such rows become rejects at once, because PostgreSQL will decide about the others row by row and
            knows no rule. Otherwise the validation of all constraints rejects them.
        """
        for table_run in group:
            if not table_run.plan.rules:
                continue
            with self._context.clock.phase("rules", table_run.name):
                self._tell(Phase.VALIDATE, table_run, "rules")
                if not breaks_rules(self._conn, table_run, table_run.scratch.stage, staged=True):
                    continue
                table_run.findings.suspect = True
                if now:
                    reject_broken_rules(self._conn, table_run, self._context.tables)

    def _worth_trying(self, group: Sequence[TableRun], only_insert: bool) -> bool:
        """Whether inserting all rows may succeed and would show every violation.

        INSERT and UPDATE do not detect two staged rows with the same existing key (both become updates), nor orphans
        while foreign keys are deferred.
        """
        return (
            (only_insert or not any(t.findings.suspect for t in group))
            and not self._deferred
            and not any(t.merge_key and has_duplicate_keys(self._conn, t) for t in group)
        )

    def _validate(self, group: Sequence[TableRun], names: set[TableName]) -> bool:
        with self._context.clock.phase("judge", group[0].name):
            self._tell(Phase.VALIDATE, group[0], "constraints")
            for table_run in group:
                analyze(self._conn, table_run.scratch.stage)
            return validate(self._conn, group, self._context.tables, Scope(), staged=True, names=names)

    def _insert(self, group: Sequence[TableRun], names: set[TableName], *, validated: bool = False) -> bool:
        """Inserts whole stages; False if PostgreSQL refused a row, and then nothing has changed.

        Rows that may reference others of the group are inserted with one statement where that has the same result, and
        otherwise table by table with the foreign keys between the tables deferred.
        """
        name = group[0].name
        inner = not self._deferred and any(foreign_keys_to(t.table, names, inner=True) for t in group)
        together = inner and cycle_keys.one_statement_suffices(self._conn, group)
        defers = inner and not together and len(names) > 1
        bulk_keys = len(names) == 1 and not self._deferred and can_check_parents(self._conn, group[0])
        try:
            with savepoint(self._conn, group):
                if defers:
                    cycle_keys.defer(self._conn, group, names)
                self._tell(Phase.PUBLISH, group[0], "insert")
                with self._context.clock.phase("insert", name):
                    if together:
                        done = insert_in_one_statement(self._conn, group)
                    else:
                        done = insert_tables(self._conn, group, bulk_keys=bulk_keys, validated=validated)
                    if not done:
                        raise psycopg.errors.IntegrityConstraintViolation
                if defers:
                    cycle_keys.check(self._conn, group, names)
        except psycopg.IntegrityError:
            return False
        return True

    def _insert_row_by_row(self, group: Sequence[TableRun], names: set[TableName]) -> None:
        """Lets PostgreSQL decide row by row.

        Where a row may reference a later row, the foreign keys are deferred until the last row. Rows that turn out to
        have no parent are banned, and the rows are inserted again without them.
        """
        if self._deferred or any(foreign_keys_to(t.table, names, inner=True) for t in group):
            create_bans(self._conn)
            refused: list[RefusedRow] = []
            while True:
                with savepoint(self._conn, group):
                    refused = [row for outcome in self._bisect(group, names) for row in outcome.refused_rows()]
                    raise psycopg.Rollback
                if not ban_orphans(self._conn, group, names, refused):
                    break
        accept(self._conn, self._bisect(group, names), self._context.tables)
        if not self._deferred:
            cycle_keys.check(self._conn, group, names)

    def _bisect(self, group: Sequence[TableRun], names: set[TableName]) -> list[Bisected]:
        if not self._deferred:
            cycle_keys.defer(self._conn, group, names)
        outcomes = []
        for table_run in group:
            with self._context.clock.phase("insert", table_run.name):
                outcomes.append(insert_by_bisecting(self._conn, table_run))
        return outcomes

    # Missing rows.

    def delete_missing(self, table_runs: Sequence[TableRun]) -> None:
        """Deletes rows whose keys the files do not contain, children before parents, before anything is validated.

        Rows that others reference wait until :meth:`settle_deferred`. If they stand in the way of new rows, they are
        deleted now, and the foreign keys between the run's tables are deferred instead. That takes an exclusive lock,
        so readers wait.

        :raises DatabaseError: a row to delete is referenced from outside of the load, or its key is not known.
        """
        staged = [t for t in table_runs if t.strategy is Strategy.STAGE]
        for table_run in staged:
            judge_texts(self._context, table_run)
        for table_run in reversed(staged):
            if table_run.plan.delete_missing:
                self._tell(Phase.PUBLISH, table_run, "delete missing rows")
                with self._context.clock.phase("delete", table_run.name):
                    self._missing.delete(table_run)
        self._late = [t for t in reversed(staged) if self._missing.deferred(t) is not Deferred.NONE]
        if any(self._missing.stand_in_the_way(t) for t in self._late):
            self._missing.refuse_actions(self._late)
            self._deferred = staged
            cycle_keys.defer(self._conn, staged, {t.table.name for t in table_runs})
            for table_run in self._late:
                self._missing.delete_deferred(table_run, check_referrers=False)
            self._late = []

    def settle_deferred(self) -> None:
        """After the last table: deletes deferred rows, checks deferred foreign keys and restores their definitions.

        :raises DatabaseError: a row that stays references a row that is deleted.
        """
        for table_run in self._late:
            self._missing.delete_deferred(table_run, check_referrers=True)
        if not self._deferred:
            return
        try:
            cycle_keys.check(self._conn, self._deferred, {t.table.name for t in self._context.tables.values()})
        except psycopg.errors.ForeignKeyViolation as error:
            raise DatabaseError(
                f"rows that the files do not have are still referred to: {primary_message(error)}",
                "Load the tables that refer to them in the same mode, or load without deleting (--mode upsert)",
            ) from error

    def _tell(self, phase: Phase, table_run: TableRun, step: str) -> None:
        self._context.listen(Progress(phase, table_run.name, step))
