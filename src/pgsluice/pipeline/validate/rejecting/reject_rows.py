"""Violating rows become rejects: each gets one verdict, its keys are stored, and it is removed from its relation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from pgsluice.model import TableName
from pgsluice.pipeline.scratch import REJECT, REJECTED_ROW, REMAINING, VIOLATION
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.rejecting.details import detail_parts
from pgsluice.pipeline.validate.rejecting.rejected_keys import key_texts, name_parents, needs_ordinals, store_keys
from pgsluice.pipeline.validate.rejecting.row_numbers import lack_ordinals, numbered, validated_relation
from pgsluice.pipeline.validate.violations import Violations
from pgsluice.postgres.planner_hints import execute_examined, execute_without_loops
from pgsluice.postgres.search_path import user_path
from pgsluice.sql import compose, query


def reject_violations(
    conn: psycopg.Connection, relations: Sequence[Violations], others: Mapping[TableName, TableRun]
) -> None:
    """Makes rejects of the violating rows, stores their keys and removes the rows.

    :param relations: the relations that were validated, one for each table of the group.
    :param others: all table runs by name.
    """
    conn.execute(query("scratch", "create_rejected_row"))
    conn.execute(query("validate", "share_verdicts"))
    counts: dict[int, int] = {}
    rejected: dict[int, sql.Composed] = {}
    for violations in relations:
        table_run = violations.table_run
        rows, rejected[table_run.number] = _rejected_rows(conn, violations, others)
        # Each constraint may have found each row.
        most = violations.rows * violations.found
        detail, detailed_rows = detail_parts(violations, sql.SQL("v.row_id"))
        statement = compose(
            "validate",
            "reject_violations",
            rows=rows,
            table_no=table_run.table_no,
            detail=detail,
            detailed_rows=detailed_rows,
        )
        counts[table_run.number] = execute_examined(conn, statement, most).rowcount
    # The statements below remove or read few rows of a large relation by their ctid: nested loops are the right plan.
    conn.execute(sql.SQL("ANALYZE {}, {}").format(VIOLATION, REJECTED_ROW))
    for violations in relations:
        number = violations.table_run.number
        _store_keys(conn, violations.table_run, violations.relation, rejected[number], counts[number])
    for violations in relations:
        table_run = violations.table_run
        name_parents(
            conn,
            table_run,
            others,
            validated_relation(table_run, violations.staged),
            rejected[table_run.number],
        )
    for violations in relations:
        table_run = violations.table_run
        rows = rejected[table_run.number]
        if violations.staged:
            table_run.counts.staged -= _delete(conn, table_run.scratch.stage, rows, table_run.counts.staged)
        else:
            table_run.counts.landed -= _remove(conn, table_run, rows, counts[table_run.number])


def reject_refused(conn: psycopg.Connection, group: Sequence[TableRun], others: Mapping[TableName, TableRun]) -> None:
    """Removes the staged rows that are among the rejects, after their keys are stored and their parents named."""
    rejected = {
        t.number: compose(
            "validate", "rejected_staged_rows", ordinal=t.ordinal, stage=t.scratch.stage, table_no=t.table_no
        )
        for t in group
    }
    # The statistics of an earlier table of the run know none of these rejects.
    conn.execute(sql.SQL("ANALYZE {}").format(REJECT))
    for table_run in group:
        stage, staged = table_run.scratch.stage, table_run.counts.staged
        _store_keys(conn, table_run, stage, rejected[table_run.number], staged)
    for table_run in group:
        name_parents(conn, table_run, others, table_run.scratch.stage, rejected[table_run.number])
    for table_run in group:
        rows = rejected[table_run.number]
        table_run.counts.staged -= _delete(conn, table_run.scratch.stage, rows, table_run.counts.staged)


def _rejected_rows(
    conn: psycopg.Connection, violations: Violations, others: Mapping[TableName, TableRun]
) -> tuple[sql.Composed, sql.Composed]:
    """Two queries for the violating rows, each row once, with row_id, ordinal, priority and earlier_ordinal.

    The first query has to be executed next, as :func:`~pgsluice.pipeline.validate.rejecting.row_numbers.rank` says.
    The second may lack the ordinals if nothing needs them.
    """
    table_run = violations.table_run
    found = sql.SQL("SELECT row_id, ordinal, priority, earlier_ordinal FROM {} WHERE table_no = {}")
    several, lacking = violations.found > 1, lack_ordinals(conn, table_run, VIOLATION)
    if several:
        once = rows = compose("validate", "first_violation", table_no=table_run.table_no)
    else:
        once = rows = found.format(VIOLATION, table_run.table_no)
    if lacking:
        rows = sql.SQL(
            "SELECT row_id, coalesce(ordinal, found_ordinal) AS ordinal, priority, earlier_ordinal FROM ({}) AS p"
        ).format(numbered(conn, table_run, once, violations.staged))
    if not several and not (lacking and needs_ordinals(table_run, others)):
        return rows, once
    conn.execute(
        sql.SQL("INSERT INTO {} SELECT {}, row_id, ordinal, priority, earlier_ordinal FROM ({}) AS o").format(
            REJECTED_ROW, table_run.table_no, rows
        )
    )
    stored = found.format(REJECTED_ROW, table_run.table_no)
    return stored, stored


def _store_keys(
    conn: psycopg.Connection, table_run: TableRun, relation: sql.Composable, rejected: sql.Composable, most: int
) -> None:
    keys = key_texts(table_run.scratch.watched, "r")
    rows = compose("validate", "keys_of_rejected", keys=keys, relation=relation, rejected=rejected)
    store_keys(conn, table_run, rows, most)


def _remove(conn: psycopg.Connection, table_run: TableRun, rejected: sql.Composable, count: int) -> int:
    """Removes rejected rows from a table filled in place; returns how many rows were removed.

    Deleted rows would be in every index that is built next. So if most rows are rejected, the table is emptied and the
    remaining rows are written again.

    :param count: how many rows are rejected.
    """
    landed = table_run.counts.landed
    stay = landed - count
    relation = validated_relation(table_run, staged=False)
    if stay >= count:
        return _delete(conn, relation, rejected, landed)
    columns = sql.SQL(", ").join(sql.Identifier(c.name) for c in table_run.table.loadable)
    if stay:
        remaining = compose("validate", "remaining_rows", columns=columns, relation=relation, rejected=rejected)
        execute_without_loops(conn, remaining)
    conn.execute(sql.SQL("TRUNCATE ONLY {}").format(table_run.relation))
    if not stay:
        return landed
    with user_path(conn, table_run.runs_user_functions):
        kept = conn.execute(
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
                table_run.relation, columns, columns, REMAINING
            )
        ).rowcount
    conn.execute(sql.SQL("DROP TABLE {}").format(REMAINING))
    return landed - kept


def _delete(conn: psycopg.Connection, relation: sql.Composable, rejected: sql.Composable, most: int) -> int:
    statement = sql.SQL("DELETE FROM {} AS r USING ({}) AS o WHERE r.ctid = o.row_id").format(relation, rejected)
    return execute_examined(conn, statement, most).rowcount
