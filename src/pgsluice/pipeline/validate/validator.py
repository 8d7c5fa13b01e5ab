"""The validator: finds the rows that break a constraint and makes rejects of them. PostgreSQL decides, in sets.

Values are decided before, in :mod:`pgsluice.pipeline.validate.values`. Which row stays where rows exclude each other is
defined in ``docs/explanation/verdicts.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import psycopg

from pgsluice.model import TableName
from pgsluice.pipeline.scratch import DUPLICATE, VIOLATION, empty_violations, has_rows
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.elimination import eliminate, exclude_violations, record_duplicates
from pgsluice.pipeline.validate.foreign_keys import find_orphans
from pgsluice.pipeline.validate.rejecting.reject_rows import reject_violations
from pgsluice.pipeline.validate.rules import find_broken_rules, find_completed_checks, keep_broken_rules
from pgsluice.pipeline.validate.unique import find_duplicates
from pgsluice.pipeline.validate.violations import Violations, find_failed_checks, find_nulls
from pgsluice.postgres.table_properties import foreign_keys_to, only_insert_decides


@dataclass(frozen=True, slots=True)
class Scope:
    """Which constraints a validation covers."""

    rows: bool = True
    """CHECKs, and NOT NULL if the stage is validated."""
    rules: bool = True
    """Row rules of the user."""
    unique: bool = True
    """Unique indexes; the first row of a key in file order stays."""
    outer_keys: bool = True
    """Foreign keys that point out of the group."""
    inner_keys: bool = True
    """Foreign keys between tables of the group."""


def validate(
    conn: psycopg.Connection,
    group: Sequence[TableRun],
    others: Mapping[TableName, TableRun],
    scope: Scope,
    *,
    staged: bool,
    names: Collection[TableName] = (),
) -> bool:
    """Makes rejects of the rows that break a constraint and removes them from their relation.

    :param group: one table, or tables whose foreign keys form a cycle.
    :param others: all table runs by name, to find parents that were rejected themselves.
    :param staged: validate the stages; otherwise the tables themselves, which were filled in place.
    :param names: the tables of the group if ``group`` lacks those without rows.
    :returns: whether every constraint of the scope could be validated with a query. If not, only an INSERT can tell.
    """
    names = names or {t.table.name for t in group}
    empty_violations(conn)
    relations = [Violations(conn, table_run, staged=staged) for table_run in group]
    for violations in relations:
        if scope.rows:
            if staged:
                find_nulls(violations)
            find_failed_checks(violations)
        if scope.rules:
            find_broken_rules(violations)
        if scope.outer_keys:
            find_orphans(violations, foreign_keys_to(violations.table_run.table, names, inner=False))
        if scope.unique:
            find_duplicates(violations)
    keys = [
        (violations, k)
        for violations in relations
        if scope.inner_keys and (k := foreign_keys_to(violations.table_run.table, names, inner=True))
    ]
    if keys or has_rows(conn, DUPLICATE):
        exclude_violations(conn)
        eliminate(conn, group, keys)
        for violations in relations:
            record_duplicates(conn, violations)
    if has_rows(conn, VIOLATION):
        reject_violations(conn, relations, others)
    return not any(violations.incomplete for violations in relations)


def reject_broken_rules(conn: psycopg.Connection, table_run: TableRun, others: Mapping[TableName, TableRun]) -> None:
    """Makes rejects of the staged rows that break a row rule, before PostgreSQL decides about the others row by row.

    A row that breaks a NOT NULL or a CHECK as well is rejected for that, because PostgreSQL checks them first. In a
    table with triggers that is not known before the INSERT, and the row is rejected for the rule.
    """
    empty_violations(conn)
    violations = Violations(conn, table_run, staged=True)
    find_broken_rules(violations)
    if not violations.found:
        return
    if not only_insert_decides(table_run.table):
        find_nulls(violations)
        find_failed_checks(violations)
        find_completed_checks(violations)
        keep_broken_rules(violations)
    reject_violations(conn, [violations], others)
