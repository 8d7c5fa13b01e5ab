"""Insert: whole stages go into their tables, with all constraints, triggers and policies in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.model import Strategy
from pgsluice.pipeline.apply.changed_rows import count_undone, follows, keep_new
from pgsluice.pipeline.apply.merge_sql import (
    ALL_ROWS,
    insert_statement,
    keep_old_statement,
    keys_equal,
    match_stage,
    rewrite_statement,
    update_statement,
)
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.parent_check import lock_parents, triggers_disabled
from pgsluice.postgres.planner_hints import FENCE, execute_examined, execute_without_loops, scan_is_cheap
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sqlstate import is_row_error
from pgsluice.postgres.table_properties import may_swallow_rows, only_insert_decides
from pgsluice.source.typed.ordinals import OrdinalRanges
from pgsluice.sql import compose


def check_statements(conn: psycopg.Connection, table_run: TableRun) -> None:
    """EXPLAINs the INSERT and UPDATE of a stage, so that an error that concerns no row is raised now.

    Such an error (a missing privilege, an identity column that cannot be updated) would later look like a rejection of
    every row.

    :raises psycopg.Error: PostgreSQL refuses a statement.
    """
    for statement in (update_statement(table_run, ALL_ROWS), insert_statement(table_run, ALL_ROWS)):
        if statement is not None:
            _execute(conn, sql.SQL("EXPLAIN {}").format(statement))


def insert_tables(
    conn: psycopg.Connection, group: Sequence[TableRun], *, bulk_keys: bool = False, validated: bool = False
) -> bool:
    """Inserts whole stages, table by table; False if PostgreSQL refused a row, and then nothing has changed.

    :param bulk_keys: check foreign keys in bulk: see :mod:`pgsluice.pipeline.validate.parent_check`.
    :param validated: no foreign key is known to be broken. If the bulk check finds an orphan all the same, the triggers
        fire, so that PostgreSQL says of which row.
    """
    return _insert(conn, group, lambda: [_insert_one(conn, t, bulk_keys, validated) for t in group])


def insert_rewriting(conn: psycopg.Connection, table_run: TableRun) -> bool:
    """As :func:`insert_tables` for one table, but deletes and inserts rows that change, instead of updating them."""

    def insert() -> list[tuple[int, int]]:
        statement = rewrite_statement(table_run)
        rewritten = 0 if statement is None else _write(conn, [table_run], statement).rowcount
        updated, inserted = _insert_one(conn, table_run, bulk_keys=False, validated=False)
        return [(rewritten + updated, inserted)]

    return _insert(conn, [table_run], insert)


def insert_in_one_statement(conn: psycopg.Connection, group: Sequence[TableRun]) -> bool:
    """Inserts the stages of a group with one statement; False if PostgreSQL refused a row.

    PostgreSQL checks foreign keys, deferrable or not, at the end of the statement, so rows may reference any row of the
    group.
    """
    return _insert(conn, group, lambda: _insert_together(conn, group))


def _insert(conn: psycopg.Connection, group: Sequence[TableRun], insert: Callable[[], list[tuple[int, int]]]) -> bool:
    """Runs an insert in a savepoint, checks that no row was swallowed, and counts the rows."""
    counts: list[tuple[int, int]] = []
    done = False
    with count_undone(conn, group) as undone:
        try:
            with conn.transaction():
                counts = insert()
                done = all(_complete(conn, t, inserted) for t, (_, inserted) in zip(group, counts, strict=True))
                if not done:
                    raise psycopg.Rollback
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
            done = False
        if not done:
            undone += group
    if done:
        for table_run, (updated, inserted) in zip(group, counts, strict=True):
            count_landed(conn, table_run, table_run.counts.staged, inserted, updated)
    return done


def _insert_one(conn: psycopg.Connection, table_run: TableRun, bulk_keys: bool, validated: bool) -> tuple[int, int]:
    """Inserts one stage; returns how many rows were updated and inserted."""
    updated = 0
    changed, new = match_stage(conn, table_run)
    if changed is not None and (statement := update_statement(table_run, ALL_ROWS, changed)) is not None:
        if follows(conn, table_run, changed):
            _write(conn, [table_run], keep_old_statement(table_run, changed))
            statement = keep_new(table_run, statement, "t.*")
        updated = _write(conn, [table_run], statement).rowcount
    if new is None:
        return updated, 0
    have_parents = lock_parents(conn, table_run, new, table_run.counts.staged) if bulk_keys else None
    if have_parents is False and not validated:
        raise psycopg.errors.ForeignKeyViolation
    with triggers_disabled(conn) if have_parents else nullcontext():
        statement = insert_statement(table_run, ALL_ROWS, new)
        if follows(conn, table_run, new):
            statement = keep_new(table_run, statement, "*")
        return updated, _execute(conn, statement).rowcount


def _insert_together(conn: psycopg.Connection, group: Sequence[TableRun]) -> list[tuple[int, int]]:
    """Inserts the stages of a group in one statement; returns for each table how many rows were updated and inserted.

    After-triggers, foreign keys among them, fire when all WITH queries of the statement have run
    (``standard_ExecutorFinish``, execMain.c). The WITH queries run in the order in which their counts are selected.
    """
    parts: list[sql.Composable] = []
    counts: list[sql.Composable] = []
    for table_run in group:
        for statement in (update_statement(table_run, ALL_ROWS), insert_statement(table_run, ALL_ROWS)):
            if statement is None:
                counts.append(sql.SQL("0"))
                continue
            name = sql.Identifier(f"pgsluice_{len(parts)}")
            parts.append(sql.SQL("{} AS ({} RETURNING 1)").format(name, statement))
            counts.append(sql.SQL("(SELECT pg_catalog.count(*) FROM {})").format(name))
    comma = sql.SQL(", ")
    statement = sql.SQL("WITH {} SELECT {}").format(comma.join(parts), comma.join(counts))
    row = _write(conn, group, statement).fetchone()
    assert row is not None
    return list(zip(row[::2], row[1::2], strict=True))


def _execute(conn: psycopg.Connection, statement: sql.Composed) -> psycopg.Cursor[Any]:
    """Executes a statement that writes rows of the user's tables. Triggers and defaults run under the user's path."""
    with user_path(conn):
        return conn.execute(statement)


def _write(conn: psycopg.Connection, group: Sequence[TableRun], statement: sql.Composed) -> psycopg.Cursor[Any]:
    """Executes a statement that joins the rows of a group with its tables and writes to them.

    Triggers and defaults run under the user's path. The queries of user-defined triggers would be planned with nested
    loops off as well, and their plans would stay in the session. So nested loops are off for a table with triggers only
    if the plan shows that they must be.
    """
    rows = max(t.counts.staged for t in group)
    fires = any(only_insert_decides(t.table) for t in group)
    cheap = not fires and all(scan_is_cheap(conn, rows, t.table.name) for t in group)
    with user_path(conn):
        return execute_without_loops(conn, statement) if cheap else execute_examined(conn, statement, rows)


def _complete(conn: psycopg.Connection, table_run: TableRun, inserted: int) -> bool:
    """Whether every staged row is in the table: no trigger or rule kept a row out."""
    lost = swallowed(table_run, ALL_ROWS)
    if lost is not None and conn.execute(lost).fetchone() == (True,):
        return False
    return bool(table_run.merge_key) or inserted == table_run.counts.staged


def swallowed(table_run: TableRun, condition: sql.Composable) -> sql.Composed | None:
    """A query for whether a trigger or rule kept a row out whose INSERT succeeded; None if nothing can.

    Without a merge key the count of the INSERT says it. With a merge key, rows of the table may match rows of the
    files, so all keys must be there. Only tables with a trigger or rule are queried.
    """
    if not table_run.merge_key or not may_swallow_rows(table_run.table):
        return None
    return compose(
        "apply",
        "swallowed",
        stage=table_run.scratch.stage,
        table=table_run.relation,
        match=keys_equal(table_run, "t", "s"),
        fence=FENCE,
        condition=condition,
    )


def count_landed(conn: psycopg.Connection, table_run: TableRun, count: int, inserted: int, updated: int) -> None:
    """Counts staged rows as landed and, for a table filled in place, appends them to the row map."""
    counts = table_run.counts
    counts.landed += count
    counts.inserted += inserted
    counts.updated += updated
    if table_run.strategy is Strategy.IN_PLACE and count:
        # The rows stand behind all others in the heap, in the order of their ordinals.
        ranges = conn.execute(
            compose("apply", "ordinal_ranges", ordinal=table_run.ordinal, stage=table_run.scratch.stage)
        ).fetchall()
        table_run.row_map.add(OrdinalRanges(tuple((int(a), int(n)) for a, n in ranges)), 0)
