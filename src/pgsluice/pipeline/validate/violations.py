"""Violations: the rows of one relation that break a constraint, found with one query for each constraint.

This module finds NULLs in NOT NULL columns and violated CHECKs; :mod:`~pgsluice.pipeline.validate.unique` finds
duplicate keys and :mod:`~pgsluice.pipeline.validate.foreign_keys` finds orphans. The relation is the stage, or the
table itself, filled in place while its constraints were dropped. Both are addressed by ``ctid``; the ordinal of a row
comes from the stage or from the row map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, RejectKind, Verdict
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.rejecting.row_numbers import validated_relation
from pgsluice.postgres.sqlstate import is_row_error
from pgsluice.postgres.table_properties import trigger_order
from pgsluice.sql import compose

NOT_NULL, CHECK, RULE, UNIQUE, TRIGGER, INNER_KEY = 0, 100_000, 150_000, 200_000, 300_000, 400_000
"""Base priorities in the order in which PostgreSQL checks a row: NOT NULL by column number, CHECK by name, unique
indexes by oid, then the triggers of deferrable unique keys and of foreign keys by trigger name (ExecConstraints in
execMain.c, execIndexing.c, trigger.c). The row rules of the user come behind the CHECKs. Foreign keys within a group
are validated when all rows of the group are there, so they come last."""


Execute = Callable[[psycopg.Connection, sql.Composed], psycopg.Cursor[Any]]
"""A function that executes a statement."""


class Violations:
    """Records the violations of one relation in the scratch tables of a validation.

    A constraint that cannot be validated with a query (a CHECK that raises an error, a column that the stage lacks) is
    left out, and ``incomplete`` becomes true: then only an INSERT can tell.
    """

    def __init__(self, conn: psycopg.Connection, table_run: TableRun, *, staged: bool) -> None:
        """:param staged: validate the stage; otherwise the table itself."""
        self.conn = conn
        self.table_run = table_run
        self.staged = staged
        self.relation = validated_relation(table_run, staged)
        self.brought = table_run.stage_decides if staged else frozenset(c.name for c in table_run.columns)
        """The columns of the stage whose values the table will hold."""
        self.trigger_order = trigger_order(table_run.table)
        self.incomplete = False
        self.found = 0
        """How many constraints rows violate. A query finds a row once, so one constraint gives no row twice."""
        self.details: dict[int, sql.Composable] = {}
        """For some priorities the DETAIL of PostgreSQL's error, as an expression over the columns of the relation."""

    @property
    def rows(self) -> int:
        """The number of rows of the relation."""
        counts = self.table_run.counts
        return counts.staged if self.staged else counts.landed

    def record(
        self,
        rows: sql.Composable,
        priority: int,
        verdict: Verdict,
        detail: sql.Composable | None = None,
        *,
        execute: Execute = psycopg.Connection.execute,
    ) -> int:
        """Records the rows whose ctid the query ``rows`` returns as violations; returns how many.

        :param detail: as for :meth:`add_verdict`.
        """
        count = self.run(
            compose(
                "validate",
                "violations",
                table_no=self.table_run.table_no,
                priority=sql.Literal(priority),
                rows=rows,
            ),
            execute=execute,
        )
        if count:
            self.add_verdict(priority, verdict, detail)
        return count or 0

    def add_verdict(self, priority: int, verdict: Verdict, detail: sql.Composable | None = None) -> None:
        """Records the verdict of a priority that was found.

        :param detail: the DETAIL that PostgreSQL would give, as an expression over the columns of the relation.
        """
        self.found += 1
        if detail is not None:
            self.details[priority] = detail
        self.insert_verdict(priority, verdict)

    def insert_verdict(self, priority: int, verdict: Verdict) -> None:
        """Records the verdict of one of several priorities that one query found."""
        words = (verdict.kind, verdict.column, verdict.constraint, verdict.sqlstate, verdict.message)
        self.conn.execute(
            compose(
                "validate",
                "verdict",
                table_no=self.table_run.table_no,
                priority=sql.Literal(priority),
                verdict=sql.SQL(", ").join(sql.Literal(str(word)) for word in words),
            )
        )

    def run(
        self, statement: sql.Composed, *, last: bool = True, execute: Execute = psycopg.Connection.execute
    ) -> int | None:
        """Executes a statement as :meth:`attempt` does; returns its row count, or None if a row made it fail."""
        cursor = self.attempt(statement, last=last, execute=execute)
        return None if cursor is None else cursor.rowcount

    def attempt(
        self, statement: sql.Composed, *, last: bool = True, execute: Execute = psycopg.Connection.execute
    ) -> psycopg.Cursor[Any] | None:
        """Executes a statement in a savepoint; returns its cursor, or None if a row made it fail.

        :param execute: executes the statement; see :mod:`pgsluice.postgres.planner_hints`.
        :param last: there is no other way to find these violations, so a failure makes the validation incomplete.
        """
        try:
            with self.conn.transaction():
                return execute(self.conn, statement)
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
            self.incomplete = self.incomplete or last
            return None


def find_nulls(violations: Violations) -> None:
    """Finds NULLs in NOT NULL columns."""
    table_run = violations.table_run
    for column in table_run.columns:
        if column.not_null and column.name in violations.brought:
            violations.record(
                sql.SQL("SELECT ctid FROM {} WHERE {} IS NULL").format(
                    violations.relation, sql.Identifier(column.name)
                ),
                NOT_NULL + column.number,
                Verdict(
                    RejectKind.NOT_NULL,
                    column.name,
                    "",
                    "23502",
                    f'null value in column "{column.name}" of relation'
                    f' "{table_run.table.name.name}" violates not-null constraint',
                ),
            )


def find_failed_checks(violations: Violations) -> None:
    """Finds rows for which a CHECK is false. (A CHECK that is NULL passes.)

    All CHECKs are evaluated in one scan or, if one of them raises an error, each in a scan of its own.
    """
    asked = []
    for priority, check in enforced_checks(violations.table_run):
        if lacks_columns(violations, check):
            violations.incomplete = True
        else:
            asked.append((priority, check))
    if len(asked) < 2 or not evaluate_checks(violations, asked, violations.relation, last=False):
        for one in asked:
            evaluate_checks(violations, [one], violations.relation, last=True)


def enforced_checks(table_run: TableRun) -> list[tuple[int, Constraint]]:
    """The CHECKs of a table in the order in which PostgreSQL checks them, with their priorities."""
    enforced = sorted((c for c in table_run.table.checks if c.enforced), key=lambda c: c.name.encode())
    return [(CHECK + i, check) for i, check in enumerate(enforced)]


def lacks_columns(violations: Violations, check: Constraint) -> bool:
    """Whether a CHECK reads columns whose values the stage does not have."""
    return violations.staged and not set(check.columns) <= violations.brought


def evaluate_checks(
    violations: Violations, asked: Sequence[tuple[int, Constraint]], relation: sql.Composable, *, last: bool
) -> bool:
    """Finds rows that break one of these CHECKs, by the first CHECK that is false; False if a CHECK raised an error.

    :param relation: the rows, with their ctid and the columns that the CHECKs read.
    """
    table_run = violations.table_run
    name = table_run.table.name.name
    cases = sql.SQL(" ").join(
        sql.SQL("WHEN ({}) IS FALSE THEN {}").format(sql.SQL(check.expression), sql.Literal(priority))
        for priority, check in asked
    )
    count = violations.run(
        compose(
            "validate",
            "check_violations",
            table_no=table_run.table_no,
            alias=sql.Identifier(name),
            cases=cases,
            relation=relation,
        ),
        last=last,
    )
    violations.found += bool(count)
    for priority, check in asked if count else ():
        violations.insert_verdict(
            priority,
            Verdict(
                RejectKind.CHECK,
                check.columns[0] if len(check.columns) == 1 else "",
                check.name,
                "23514",
                f'new row for relation "{name}" violates check constraint "{check.name}"',
            ),
        )
    return count is not None
