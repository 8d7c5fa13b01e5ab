"""Foreign keys: rows whose parent does not exist."""

from __future__ import annotations

import re
from collections.abc import Sequence

from psycopg import sql

from pgsluice.model import Constraint, RejectKind, Verdict
from pgsluice.pipeline.scratch import EXCLUDED
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.rejecting.details import key_not_present
from pgsluice.pipeline.validate.rejecting.row_numbers import validated_relation
from pgsluice.pipeline.validate.violations import INNER_KEY, TRIGGER, Violations
from pgsluice.postgres.planner_hints import NO_FENCE, execute_without_loops, fence
from pgsluice.postgres.sql_fragments import identifier, keys_match
from pgsluice.sql import query

Parents = Sequence[tuple[sql.Composable, sql.Composable, sql.SQL]]
"""Relations that may hold the parent of a row, each with a condition on its rows ``p`` and the end of the subquery for
them (:data:`~pgsluice.postgres.planner_hints.FENCE` or nothing)."""


def find_orphans(violations: Violations, keys: Sequence[Constraint]) -> None:
    """Finds rows whose parent does not exist in the database, for foreign keys that point out of the group."""
    for fk in keys:
        if _can_validate(violations, fk):
            priority = TRIGGER + violations.trigger_order[fk.name]
            _record(violations, fk, priority, [_parent_table(violations, fk)])


def find_inner_orphans(
    violations: Violations, keys: Sequence[Constraint], group: Sequence[TableRun], *, without_duplicates: bool
) -> int:
    """Finds rows whose parent exists neither in the database nor among the rows of the group that stay.

    Rows in the scratch table of excluded rows are left out, as children and as parents.

    :param without_duplicates: rows that were excluded as duplicates do not count as parents; otherwise they do.
    :returns: how many violations were found.
    """
    found = 0
    for fk in keys:
        if not _can_validate(violations, fk):
            continue
        parents = [_parent_table(violations, fk)] if violations.staged else []
        for other in group:
            if other.table.name == fk.references and (other.scratch.stage_made or not violations.staged):
                stay = _stays("p", other, without_duplicates)
                parents.append((validated_relation(other, violations.staged), stay, NO_FENCE))
        stays = _stays("r", violations.table_run, without_duplicates)
        priority = INNER_KEY + violations.trigger_order[fk.name]
        found += _record(violations, fk, priority, parents, stays)
    return found


def _record(
    violations: Violations, fk: Constraint, priority: int, parents: Parents, stays: sql.Composable | None = None
) -> int:
    orphans = _orphans(violations, fk, parents, stays)
    return violations.record(orphans, priority, _verdict(fk), key_not_present(fk), execute=execute_without_loops)


def _can_validate(violations: Violations, fk: Constraint) -> bool:
    if not fk.enforced:
        return False
    # A foreign key with PERIOD (PostgreSQL 18) requires that a range is covered, if need be by several parents.
    lacking = violations.staged and not set(fk.columns) <= violations.brought
    if lacking or re.search(r"\bPERIOD\b", fk.definition):
        violations.incomplete = True
        return False
    return True


def _parent_table(violations: Violations, fk: Constraint) -> tuple[sql.Composable, sql.Composable, sql.SQL]:
    """The referenced table as the key's trigger reads it: all of its rows, without tables that inherit from it."""
    assert fk.references is not None
    name = identifier(fk.references)
    row = violations.conn.execute(
        query("validate", "parent"), {"schema": fk.references.schema, "name": fk.references.name}
    ).fetchone()
    assert row is not None
    partitioned, row_security = row
    if row_security:
        violations.incomplete = True
    relation = name if partitioned else sql.SQL("ONLY {}").format(name)
    return relation, sql.SQL("true"), fence(violations.conn, violations.rows, fk.references)


def _orphans(
    violations: Violations, fk: Constraint, parents: Parents, stays: sql.Composable | None = None
) -> sql.Composable:
    """A query for the ctids of rows ``r`` without a parent.

    :param stays: a condition on the rows to look at.
    """
    child = [sql.Identifier("r", c) for c in fk.columns]
    match = keys_match(fk, "p", "r")
    absent = sql.SQL("").join(
        sql.SQL(" AND NOT EXISTS (SELECT FROM {} AS p WHERE {} AND {}{})").format(parent, match, condition, end)
        for parent, condition, end in parents
    )
    stays = stays or sql.SQL("true")
    whole = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(c) for c in child)
    rows = sql.SQL("SELECT r.ctid FROM {} AS r WHERE {} AND {}{}").format(violations.relation, stays, whole, absent)
    if fk.match_full and len(child) > 1:
        some = sql.SQL(" OR ").join(sql.SQL("{} IS NOT NULL").format(c) for c in child)
        rows = sql.SQL("{} UNION ALL SELECT r.ctid FROM {} AS r WHERE {} AND ({}) AND NOT ({})").format(
            rows, violations.relation, stays, some, whole
        )
    return rows


def _stays(alias: str, table_run: TableRun, without_duplicates: bool) -> sql.Composed:
    """The condition that a row is not excluded."""
    return sql.SQL(
        "NOT EXISTS (SELECT FROM {excluded} AS l WHERE l.table_no = {table_no} AND l.row_id = {row_id}{duplicates})"
    ).format(
        excluded=EXCLUDED,
        table_no=table_run.table_no,
        row_id=sql.Identifier(alias, "ctid"),
        duplicates=sql.SQL("" if without_duplicates else " AND NOT l.as_duplicate"),
    )


def _verdict(fk: Constraint) -> Verdict:
    assert fk.table is not None
    return Verdict(
        RejectKind.FOREIGN_KEY,
        ", ".join(fk.columns),
        fk.name,
        "23503",
        f'insert or update on table "{fk.table.name}" violates foreign key constraint "{fk.name}"',
    )
