"""Merge SQL: the statements by which staged rows update, replace or join the rows of their table.

All modes share the stage, the validation and the one transaction. They differ in these statements, and in which keys
count as taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext

import psycopg
from psycopg import sql

from pgsluice.model import Column, Mode
from pgsluice.pipeline.apply.changed_rows import keep_old
from pgsluice.pipeline.scratch import CHANGED, MATCHED, NEW
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.planner_hints import (
    FENCE,
    execute_examined,
    execute_without_loops,
    fence,
    planner_setting_off,
    scan_is_cheap,
)
from pgsluice.postgres.sql_fragments import equal
from pgsluice.postgres.table_properties import has_triggers_or_rules, key_indexes
from pgsluice.sql import compose

ACTIONS = re.compile(r" ON DELETE (CASCADE|SET NULL|SET DEFAULT)")
"""A foreign key that deletes or changes rows when the row that they reference is deleted."""

ALL_ROWS = sql.SQL("")
"""The condition of a statement that covers the whole stage."""


def keys_equal(table_run: TableRun, left: str, right: str) -> sql.Composed:
    """The condition that two rows have the same merge key."""
    return sql.SQL(" AND ").join(
        equal(table_run.table.column(c).equality, sql.Identifier(left, c), sql.Identifier(right, c))
        for c in table_run.merge_key
    )


def has_duplicate_keys(conn: psycopg.Connection, table_run: TableRun) -> bool:
    """Whether two staged rows have the same merge key. If the table contains the key, no constraint would say so."""
    names = key_indexes(table_run.table, table_run.merge_key)
    sorts = not any(i.collated for i in table_run.table.indexes if i.name in names)
    # Sorting takes half of the time of hashing, and files are often in order. A collation makes comparing expensive.
    with planner_setting_off(conn, "enable_hashagg") if sorts else nullcontext():
        return conn.execute(
            compose("apply", "duplicate_merge_keys", stage=table_run.scratch.stage, key=_key(table_run))
        ).fetchone() == (True,)


def store_duplicate_keys(conn: psycopg.Connection, table_run: TableRun) -> None:
    """Fills the scratch table of duplicate merge keys."""
    scratch = table_run.scratch
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(scratch.duplicate_keys))
    conn.execute(
        compose(
            "apply",
            "store_duplicate_keys",
            duplicate_keys=scratch.duplicate_keys,
            ordinal=table_run.ordinal,
            stage=scratch.stage,
            key=_key(table_run),
        )
    )


def _key(table_run: TableRun) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, table_run.merge_key))


def _updatable(table_run: TableRun) -> list[str]:
    """The columns that an update may change; none if rows of the table stay as they are."""
    if table_run.plan.mode is Mode.INSERT_MISSING or not table_run.merge_key:
        return []
    return [c.name for c in table_run.columns if c.name not in table_run.merge_key]


def _updated(table_run: TableRun, column: str) -> sql.Composable:
    """The value that an update gives a column: of the staged row, or the old value if its file lacks the column."""
    staged = sql.Identifier("s", column)
    if column not in table_run.partial:
        return staged
    return _if_brought(table_run, column, staged, sql.Identifier("t", column))


def _inserted(table_run: TableRun, column: Column) -> sql.Composable:
    """The value of a column in a new row: of the staged row, or the column's default if its file lacks the column."""
    staged = sql.Identifier("s", column.name)
    if not table_run.merge_key or column.name not in table_run.partial:
        # Without a merge key the stage itself has the default.
        return staged
    return _if_brought(table_run, column.name, staged, sql.SQL(column.default_sql or "NULL"))


def _run_value(table_run: TableRun) -> dict[str, sql.Composable]:
    """The run column with the run's id, if the table has one. It is not compared: a row that stays keeps its value."""
    return {table_run.run_column: sql.Literal(table_run.run_id)} if table_run.run_column else {}


def _if_brought(table_run: TableRun, column: str, then: sql.Composable, otherwise: sql.Composable) -> sql.Composed:
    return sql.SQL("CASE WHEN {} OPERATOR(pg_catalog.@>) {} THEN {} ELSE {} END").format(
        table_run.ordinals_with(column), sql.Identifier("s", table_run.scratch.ordinal), then, otherwise
    )


def _differs(table_run: TableRun, columns: Sequence[str]) -> sql.Composed:
    """The condition that an update of ``t`` with ``s`` changes a column.

    ``*<>`` compares binary images: 1.5 and 1.50, or two spellings that a collation takes for equal, differ. Types
    without an equality operator (json, point) can be compared as well.
    """
    old = sql.SQL(", ").join(sql.Identifier("t", c) for c in columns)
    new = sql.SQL(", ").join(_updated(table_run, c) for c in columns)
    return sql.SQL("ROW({})::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW({})::pg_catalog.record").format(old, new)


def update_statement(
    table_run: TableRun, condition: sql.Composable, changed: sql.Composable | None = None
) -> sql.Composed | None:
    """The UPDATE of the rows that differ; None if the files contain nothing but the merge key.

    :param condition: a further condition on the staged rows, with its leading AND.
    :param changed: a relation with the staged rows that may change a row; None: the stage.
    """
    if not (columns := _updatable(table_run)):
        return None
    values = {c: _updated(table_run, c) for c in columns} | _run_value(table_run)
    return compose(
        "apply",
        "update",
        table=table_run.relation,
        assignments=sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(c), v) for c, v in values.items()),
        rows=changed or table_run.scratch.stage,
        match=keys_equal(table_run, "t", "s"),
        differs=_differs(table_run, columns),
        condition=condition,
    )


def keep_old_statement(table_run: TableRun, changed: sql.Composable) -> sql.Composed:
    """The statement that keeps the rows which :func:`update_statement` will change.

    :param changed: as for :func:`update_statement`.
    """
    differs = _differs(table_run, _updatable(table_run))
    return keep_old(table_run, changed, keys_equal(table_run, "t", "s"), differs)


def can_rewrite(conn: psycopg.Connection, table_run: TableRun) -> bool:
    """Whether deleting and inserting a row has the same effect as updating it, and is worth trying.

    It is worth trying if the table has another unique key, whose values two rows may exchange. The effect is the same
    if no trigger and no rule exists, and no foreign key would delete or change rows.
    """
    table = table_run.table
    unique = [i for i in table.indexes if i.unique and i.name not in key_indexes(table, table_run.merge_key)]
    acts = any(ACTIONS.search(fk.definition) for fk in table.referenced_by)
    return bool(table_run.merge_key and unique) and not acts and not has_triggers_or_rules(conn, table.oid)


def rewrite_statement(table_run: TableRun) -> sql.Composed | None:
    """The statement that deletes and inserts the rows that differ; None as for :func:`update_statement`."""
    if not (values := _updatable(table_run)):
        return None
    columns = [c.name for c in table_run.table.columns]
    return compose(
        "apply",
        "rewrite",
        table=table_run.relation,
        stage=table_run.scratch.stage,
        match=keys_equal(table_run, "t", "s"),
        differs=_differs(table_run, values),
        kept=sql.SQL(", ").join(_kept(table_run, c) for c in columns),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        ordinal=table_run.ordinal,
    )


def _kept(table_run: TableRun, column: str) -> sql.Composable:
    """The value of a column in a row that is deleted and inserted again."""
    if column == table_run.run_column:
        return sql.SQL("{} AS {}").format(sql.Literal(table_run.run_id), sql.Identifier(column))
    if not any(c.name == column for c in table_run.columns):
        return sql.Identifier("t", column)
    value = _updated(table_run, column)
    return sql.SQL("{} AS {}").format(value, sql.Identifier(column)) if column in table_run.partial else value


def insert_statement(table_run: TableRun, condition: sql.Composable, new: sql.Composable | None = None) -> sql.Composed:
    """The INSERT of the staged rows; in every mode except append, of those whose merge key the table lacks.

    :param condition: as for :func:`update_statement`.
    :param new: a relation with exactly the rows to insert; None: the stage.
    """
    values = {c.name: _inserted(table_run, c) for c in table_run.columns} | _run_value(table_run)
    return compose(
        "apply",
        "insert",
        table=table_run.relation,
        columns=sql.SQL(", ").join(map(sql.Identifier, values)),
        values=sql.SQL(", ").join(values.values()),
        rows=new or table_run.scratch.stage,
        new=sql.SQL("") if new is not None else _is_new(table_run),
        condition=condition,
        ordinal=sql.Identifier("s", table_run.scratch.ordinal),
    )


def _is_new(table_run: TableRun) -> sql.Composable:
    """The condition that the table lacks the merge key of ``s``; without a merge key, nothing."""
    if not table_run.merge_key:
        return sql.SQL("")
    return sql.SQL(" AND NOT EXISTS (SELECT FROM {} AS t WHERE {}{})").format(
        table_run.relation, keys_equal(table_run, "t", "s"), FENCE
    )


def match_stage(conn: psycopg.Connection, table_run: TableRun) -> tuple[sql.Composable | None, sql.Composable | None]:
    """Matches the staged rows with the rows of the table, once for UPDATE and INSERT.

    :returns: two relations: the rows that change a row of the table, and the rows that are new; None for an empty
        relation. Without a merge key all rows are new.
    """
    if not table_run.merge_key:
        return None, table_run.scratch.stage
    columns = _updatable(table_run)
    differs = sql.SQL(" OR {}").format(_differs(table_run, columns)) if columns else sql.SQL("")
    is_new = sql.SQL("({} IS NULL)").format(sql.Identifier("t", table_run.merge_key[0]))
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}, {}, {}").format(CHANGED, NEW, MATCHED))
    parts = {"table": table_run.relation, "match": keys_equal(table_run, "t", "s")}
    scans = scan_is_cheap(conn, table_run.counts.staged, table_run.table.name)
    statement = compose(
        "apply",
        "match",
        is_new=is_new,
        stage=table_run.scratch.stage,
        matches=compose("apply", "matches_by_scan" if scans else "matches_by_lookup", **parts),
        differs=differs,
    )
    count = (execute_without_loops(conn, statement) if scans else conn.execute(statement)).rowcount
    if not count:
        return None, None
    conn.execute(sql.SQL("ANALYZE {}").format(MATCHED))
    found: list[sql.Composable | None] = []
    for relation, which in ((CHANGED, "NOT m.is_new"), (NEW, "m.is_new")):
        made = execute_examined(
            conn,
            compose("apply", "matched_rows", name=relation, stage=table_run.scratch.stage, which=sql.SQL(which)),
            table_run.counts.staged,
        ).rowcount
        found.append(relation if made else None)
    return found[0], found[1]


def drop_matched(conn: psycopg.Connection, table_run: TableRun) -> None:
    """In the mode insert-missing: deletes staged rows whose merge key the table contains and counts them as landed."""
    statement = compose(
        "apply",
        "drop_matched",
        stage=table_run.scratch.stage,
        table=table_run.relation,
        match=keys_equal(table_run, "t", "s"),
        fence=fence(conn, table_run.counts.staged, table_run.table.name),
    )
    matched = execute_without_loops(conn, statement).rowcount
    table_run.counts.staged -= matched
    table_run.counts.landed += matched
