"""In place: a table that was empty and was filled without its keys gets them back.

Building an index or adding a constraint validates all rows. If that fails, the validator finds the violating rows with
queries, they become rejects, and the index is built again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import psycopg

from pgsluice.model import Index, Phase, Progress
from pgsluice.pipeline.apply.heap_order import copy_stage, reject_unacceptable
from pgsluice.pipeline.fallback import FallBack, Retreat
from pgsluice.pipeline.state import RunContext, TableRun, savepoint
from pgsluice.pipeline.validate.rejecting.row_numbers import validated_relation
from pgsluice.pipeline.validate.rules import breaks_rules, find_warnings
from pgsluice.pipeline.validate.validator import Scope, validate
from pgsluice.pipeline.validate.values import judge_texts
from pgsluice.postgres.planner_hints import analyze, analyze_filled, loops_off_if_scanned
from pgsluice.postgres.rebuild_keys import add_constraints, build_index
from pgsluice.postgres.sqlstate import is_row_error, primary_message
from pgsluice.postgres.table_properties import firing_order, foreign_keys_to, only_insert_decides, unique_indexes
from pgsluice.text import pluralize


class InPlace:
    """Finishes tables that were filled in place."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._conn = context.conn

    def finish(self, group: Sequence[TableRun]) -> None:
        """Adds the rows of the text stages, builds keys, checks and indexes, and rejects the rows that violate them.

        :raises FallBack: a constraint cannot be built for a reason that no query explains.
        """
        if len(group) == 1 and self._finish_around(group[0]):
            return
        for table_run in group:
            self._add_texts(table_run)
        self._rebuild(group)

    # Suspects were held: the other rows are expected to break nothing.

    def _finish_around(self, table_run: TableRun) -> bool:
        """Builds the keys over the rows in the table, and then judges the held rows; False if that cannot be done.

        The rows in the table have passed when their keys are built. A held row has the verdict of a row that comes
        behind all of them. That is its verdict in file order, too, unless it has the key of a row that comes behind it
        in the file: then the held row might have stayed, and the result is False.
        """
        if not _may_judge_apart(table_run):
            return False
        done = False
        with savepoint(self._conn, [table_run]):
            with suppress(FallBack):
                done = self._judge_held(table_run)
            if not done:
                raise psycopg.Rollback
        return done

    def _judge_held(self, table_run: TableRun) -> bool:
        judge_texts(self._context, table_run)
        if self._build_unique(table_run, unique_indexes(table_run.table)):
            return False
        if table_run.counts.staged:
            with self._context.clock.phase("judge", table_run.name):
                self._tell(Phase.VALIDATE, table_run, f"{pluralize(table_run.counts.staged, 'held row')}")
                analyze(self._conn, table_run.scratch.stage)
                scope = Scope(rules=False, inner_keys=False)
                complete = validate(self._conn, [table_run], self._context.tables, scope, staged=True)
                if not complete or not copy_stage(self._conn, table_run):
                    return False
        self._build_plain(table_run)
        if self._add_foreign_keys([table_run]):
            return True
        if table_run.findings.repeated:
            # A held row was rejected because of a row that may itself be an orphan.
            return False
        self._validate([table_run], "foreign keys", rows=False, rules=False, unique=False)
        return self._add_foreign_keys([table_run])

    # Rows as they came.

    def _add_texts(self, table_run: TableRun) -> None:
        """Copies the rows of the text stage that PostgreSQL accepts into the table."""
        if not (table_run.counts.in_doubt or table_run.counts.staged):
            return
        with self._context.clock.phase("judge", table_run.name):
            judge_texts(self._context, table_run)
            if not only_insert_decides(table_run.table):
                scope = Scope(rules=False, unique=False, outer_keys=False, inner_keys=False)
                with savepoint(self._conn, [table_run]):
                    complete = validate(self._conn, [table_run], self._context.tables, scope, staged=True)
                    if complete and copy_stage(self._conn, table_run):
                        return
                    raise psycopg.Rollback
            reject_unacceptable(self._conn, table_run, self._context.tables)
            if not copy_stage(self._conn, table_run):
                raise _fall_back(table_run, "rows that were taken one by one are refused together")

    def _rebuild(self, group: Sequence[TableRun]) -> None:
        """Builds keys, checks and indexes; rows that violate them become rejects."""
        for table_run in group:
            find_warnings(self._conn, table_run, staged=False)
        broken_check = any(not self._add_unbroken_checks(t) for t in group if t.findings.checks_dropped)
        broken_rule = any(self._breaks_rules(t) for t in group if t.plan.rules)
        # With a broken CHECK or rule the rows are validated anyway; indexes are built after that.
        broken = broken_check or broken_rule
        waiting = {
            t.number: unique_indexes(t.table) if broken else self._build_unique(t, unique_indexes(t.table))
            for t in group
        }
        validated = broken or any(waiting.values())
        if validated:
            self._validate(group, "unique keys", rows=broken_check, rules=broken_rule, unique=True)
            for table_run in group:
                if failed := self._build_unique(table_run, waiting[table_run.number]):
                    raise _fall_back(table_run, f"index {failed[0].name} cannot be built")
                if table_run.findings.checks_dropped:
                    self._add_checks(table_run)
        for table_run in group:
            self._build_plain(table_run)
        if not self._add_foreign_keys(group):
            if not validated:
                self._validate(group, "foreign keys", rows=False, rules=False, unique=False)
            if validated or not self._add_foreign_keys(group):
                raise _fall_back(group[0], "a foreign key cannot be added")

    def _breaks_rules(self, table_run: TableRun) -> bool:
        """Whether a row of the table breaks a row rule."""
        self._tell(Phase.VALIDATE, table_run, "rules")
        with self._context.clock.phase("rules", table_run.name):
            return breaks_rules(self._conn, table_run, validated_relation(table_run, staged=False), staged=False)

    def _validate(self, group: Sequence[TableRun], what: str, *, rows: bool, rules: bool, unique: bool) -> None:
        with self._context.clock.phase("judge", group[0].name):
            self._tell(Phase.VALIDATE, group[0], what)
            scope = Scope(rows=rows, rules=rules, unique=unique)
            if not validate(self._conn, group, self._context.tables, scope, staged=False):
                # A constraint that no query can validate for one row may change the verdict on other rows.
                raise _fall_back(group[0], "a constraint can only be asked row by row")

    def _build_unique(self, table_run: TableRun, indexes: Sequence[Index]) -> list[Index]:
        """Builds unique indexes in the order of their oids, which is the order in which PostgreSQL checks them.

        :returns: the first index that cannot be built, and the indexes after it.
        """
        for i, index in enumerate(indexes):
            if not self._build(table_run, index.name, partial(build_index, self._conn, table_run.table, index)):
                return list(indexes[i:])
        return []

    def _build(self, table_run: TableRun, name: str, build: Callable[[], None]) -> bool:
        with self._context.clock.phase("index", table_run.name):
            try:
                with self._context.building(table_run.name, name), self._conn.transaction():
                    build()
            except psycopg.errors.UniqueViolation:
                return False
            except psycopg.Error as error:
                raise _fall_back_for(table_run, error) from error
        return True

    def _build_plain(self, table_run: TableRun) -> None:
        """Builds the indexes that are not unique, and collects statistics."""
        with self._context.clock.phase("index", table_run.name):
            try:
                for index in (i for i in table_run.table.indexes if not i.unique):
                    with self._context.building(table_run.name, index.name):
                        build_index(self._conn, table_run.table, index)
            except psycopg.Error as error:
                raise _fall_back_for(table_run, error) from error
        # Foreign keys are checked after that, and their query is planned with the table's real size.
        with self._context.clock.phase("analyze", table_run.name):
            analyze_filled(self._conn, table_run.relation, table_run.table)

    def _add_unbroken_checks(self, table_run: TableRun) -> bool:
        """Adds CHECKs that were dropped before a row broke one.

        Returns False if a CHECK is broken now, or if adding it would not validate the rows.
        """
        checks = table_run.table.checks
        if table_run.findings.check_violated or not all(c.validated for c in checks if c.enforced):
            return False
        try:
            self._add_checks(table_run)
        except FallBack:
            # The validator will find the row, or find that no query tells.
            return False
        return True

    def _add_checks(self, table_run: TableRun) -> None:
        with self._context.clock.phase("check", table_run.name):
            checks = table_run.table.checks
            self._tell(Phase.BUILD, table_run, f"check {', '.join(c.name for c in checks)}")
            try:
                with self._conn.transaction():
                    add_constraints(self._conn, table_run.relation, checks)
            except psycopg.Error as error:
                raise _fall_back_for(table_run, error) from error
        table_run.findings.checks_dropped = False

    def _add_foreign_keys(self, group: Sequence[TableRun]) -> bool:
        """Adds the foreign keys of all tables, all or none; False if rows break a key.

        They are added in firing order, so that the new triggers fire in the order of the old ones.
        """
        try:
            with self._conn.transaction():
                for table_run in group:
                    with self._context.clock.phase("foreign key", table_run.name):
                        for fk in firing_order(table_run.table):
                            self._tell(Phase.BUILD, table_run, f"foreign key {fk.name}")
                            with loops_off_if_scanned(self._conn, table_run.counts.landed, fk):
                                add_constraints(self._conn, table_run.relation, [fk])
        except psycopg.errors.ForeignKeyViolation:
            return False
        except psycopg.Error as error:
            raise _fall_back_for(group[0], error) from error
        return True

    def _tell(self, phase: Phase, table_run: TableRun, step: str) -> None:
        self._context.listen(Progress(phase, table_run.name, step))


def _may_judge_apart(table_run: TableRun) -> bool:
    """Whether held rows can be judged after the others: constraints alone decide, and each CHECK reads one row."""
    table, findings = table_run.table, table_run.findings
    return (
        findings.held
        and not (findings.checks_dropped or table_run.runs_user_functions or table_run.plan.rules)
        and not only_insert_decides(table)
        and not foreign_keys_to(table, {table.name}, inner=True)
    )


def _fall_back(table_run: TableRun, reason: str) -> FallBack:
    return FallBack(table_run.table.name, reason, Retreat.STAGES)


def _fall_back_for(table_run: TableRun, error: psycopg.Error) -> FallBack:
    """The fallback for an error that concerns a row.

    :raises psycopg.Error: ``error``, if it does not concern a row.
    """
    if not is_row_error(error):
        raise error
    return _fall_back(table_run, primary_message(error))
