"""Pouring: rows leave the stage for the table, all constraints, triggers and policies in force.

First in one statement. If PostgreSQL refuses, in windows: slices of the stage, in file order, that shrink
when a row is refused until it stands alone and grow again while rows are taken. What comes out is what
single INSERTs in file order would have made of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import psycopg
from psycopg import sql

from pgsluice.model import ObstacleKind, Strategy
from pgsluice.pipeline.apply.merge_sql import (
    insert_statement,
    key_equal,
    rewrite_statement,
    sort_out,
    update_statement,
)
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.parent_check import all_there, triggers_still
from pgsluice.postgres.sqlstate import is_row_error
from pgsluice.source.typed.ordinals import OrdinalRanges


def swallowed(state: TableRun, only: sql.Composable) -> sql.Composed | None:
    """A query for whether a trigger or rule kept a row out whose INSERT succeeded.

    An INSERT alone says so by its count. Where rows of the table may stand for rows of the file, the keys
    must all be there, which is asked only of tables that have something that could keep one out.
    """
    if not state.key or not state.plan.table.has_obstacle(ObstacleKind.TRIGGER, ObstacleKind.RULE):
        return None
    return sql.SQL("SELECT EXISTS (SELECT FROM {} AS s WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {}){})").format(
        state.stage, state.target, key_equal(state, "t", "s"), only
    )


def ask_whether_at_all(conn: psycopg.Connection, state: TableRun) -> None:
    """Plans the statements by which rows leave the stage.

    :raises psycopg.Error: PostgreSQL refuses one of them, whatever the rows: a right is missing, or an identity column
        may not be updated. Asked later, it would be taken for a verdict on each row.
    """
    for statement in (update_statement(state, _ALL), insert_statement(state, _ALL)):
        if statement is not None:
            conn.execute(sql.SQL("EXPLAIN {}").format(statement))


_ALL = sql.SQL("")


def try_pour(
    conn: psycopg.Connection,
    group: Sequence[TableRun],
    *,
    together: bool = False,
    rewrite: bool = False,
    at_once: bool = False,
    judged: bool = False,
) -> bool:
    """Pours whole stages; False when PostgreSQL refused and nothing happened.

    :param together: all in one statement. Foreign keys are asked at its end, be they deferrable or not: rows may
        refer to others wherever these stand in the group.
    :param rewrite: rows that change are deleted and inserted anew: see :func:`rewrite_statement`.
    :param at_once: foreign keys are asked of all rows at once: see :mod:`pgsluice.pipeline.validate.parent_check`.
    :param judged: no foreign key is known to be broken; if one is all the same, PostgreSQL is to say so of the row.
    """
    done = False
    try:
        with conn.transaction():
            counts = _in_one(conn, group) if together else [_in_turn(conn, s, rewrite, at_once, judged) for s in group]
            done = all(_complete(conn, s, inserted) for s, (_, inserted) in zip(group, counts, strict=True))
            if not done:
                raise psycopg.Rollback
    except psycopg.Error as error:
        if not is_row_error(error):
            raise
        return False
    if done:
        for state, (updated, inserted) in zip(group, counts, strict=True):
            count_poured(conn, state, state.staged, inserted, updated)
    return done


def _in_turn(conn: psycopg.Connection, state: TableRun, rewrite: bool, at_once: bool, judged: bool) -> tuple[int, int]:
    """Pours one stage; says how many rows were updated and inserted."""
    updated = 0
    if rewrite and (statement := rewrite_statement(state)) is not None:
        updated = conn.execute(statement).rowcount
    changed, absent = sort_out(conn, state)
    if changed is not None and (statement := update_statement(state, _ALL, changed)) is not None:
        updated += conn.execute(statement).rowcount
    if absent is None:
        return updated, 0
    there = all_there(conn, state, absent) if at_once else None
    if there is False and not judged:
        raise psycopg.errors.ForeignKeyViolation
    with triggers_still(conn) if there else nullcontext():
        return updated, conn.execute(insert_statement(state, _ALL, absent)).rowcount


def _in_one(conn: psycopg.Connection, group: Sequence[TableRun]) -> list[tuple[int, int]]:
    """Pours the stages of a group in one statement; says for each how many rows were updated and inserted.

    After-triggers, which foreign keys are, fire when all of the statement's WITH queries have run
    (``standard_ExecutorFinish``, execMain.c). Those run in the order in which their counts are asked for.
    """
    parts: list[sql.Composable] = []
    counts: list[sql.Composable] = []
    for state in group:
        for statement in (update_statement(state, _ALL), insert_statement(state, _ALL)):
            if statement is None:
                counts.append(sql.SQL("0"))
                continue
            name = sql.Identifier(f"pgsluice_{len(parts)}")
            parts.append(sql.SQL("{} AS ({} RETURNING 1)").format(name, statement))
            counts.append(sql.SQL("(SELECT count(*) FROM {})").format(name))
    comma = sql.SQL(", ")
    row = conn.execute(sql.SQL("WITH {} SELECT {}").format(comma.join(parts), comma.join(counts))).fetchone()
    assert row is not None
    return list(zip(row[::2], row[1::2], strict=True))


def _complete(conn: psycopg.Connection, state: TableRun, inserted: int) -> bool:
    """Whether every staged row is in the table: no trigger or rule kept one out."""
    lost = swallowed(state, _ALL)
    if lost is not None and conn.execute(lost).fetchone() == (True,):
        return False
    return bool(state.key) or inserted == state.staged


def count_poured(conn: psycopg.Connection, state: TableRun, count: int, inserted: int, updated: int) -> None:
    """Counts staged rows as landed."""
    state.landed += count
    state.inserted += inserted
    state.updated += updated
    if state.way is Strategy.IN_PLACE and count:
        # Their place in the heap is behind all others, in the order of their ordinals.
        runs = conn.execute(
            sql.SQL(
                "SELECT min({o}), count(*)"
                " FROM (SELECT {o}, {o} - row_number() OVER (ORDER BY {o}) AS g FROM {s}) AS x"
                " GROUP BY g ORDER BY 1"
            ).format(o=sql.Identifier(state.ordinal), s=state.stage)
        ).fetchall()
        state.segments.add(OrdinalRanges(tuple((int(a), int(n)) for a, n in runs)), 0)
