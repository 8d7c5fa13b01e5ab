"""Elimination: which rows stay where rows exclude each other.

``docs/explanation/verdicts.md`` defines it: the rows that would have stayed if PostgreSQL had received them one by one,
in file order.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Constraint
from pgsluice.pipeline.scratch import CONTENDER, EXCLUDED, has_rows
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.foreign_keys import find_inner_orphans
from pgsluice.pipeline.validate.unique import unique_priority
from pgsluice.pipeline.validate.violations import Violations
from pgsluice.postgres.planner_hints import execute_without_loops
from pgsluice.postgres.table_properties import unique_indexes
from pgsluice.sql import compose, query

_ROUNDS = 8
"""Rounds of set queries before the rest of a long chain of duplicates is decided row by row."""


def exclude_violations(conn: psycopg.Connection) -> int:
    """Excludes every row with a violation other than "duplicate of a stored row"; returns how many rows are new.

    A duplicate of a stored row is treated like a duplicate within the files.
    """
    statement = compose("validate", "exclude_violations", stored_duplicate=_stored_duplicate())
    return execute_without_loops(conn, statement).rowcount


def eliminate(
    conn: psycopg.Connection, group: Sequence[TableRun], keys: Sequence[tuple[Violations, Sequence[Constraint]]]
) -> None:
    """Decides which rows of a group are excluded.

    Rows that can have no parent within the group are excluded first, to any depth. Then the first row in file order
    keeps each key that several rows have, and the others are excluded. If that excludes the parent of a row, the child
    is excluded for good. The child may have been the first row of another key, so the duplicates are decided again
    without the child.

    :param keys: foreign keys within the group, by the relation that they belong to.
    """
    while True:
        while sum(find_inner_orphans(v, k, group, without_duplicates=False) for v, k in keys):
            exclude_violations(conn)
        _exclude_duplicates(conn, listed=bool(keys))
        if not sum(find_inner_orphans(v, k, group, without_duplicates=True) for v, k in keys):
            return
        conn.execute(sql.SQL("DELETE FROM {} WHERE as_duplicate").format(EXCLUDED))
        exclude_violations(conn)


def _stored_duplicate() -> sql.SQL:
    return sql.SQL(query("validate", "stored_duplicate"))


def _exclude_duplicates(conn: psycopg.Connection, *, listed: bool) -> None:
    """Excludes rows that share a unique key with an earlier row, as if PostgreSQL inserted the rows one by one.

    A row that is rejected for another reason was never in the index and excludes no other row. With several unique
    indexes a row may be later in one group and first in another. So each round excludes only duplicates whose group
    leader is the first in all of its groups, until every group has one row. The rest of a long chain is decided row by
    row.

    :param listed: also list the rows that a single index excludes. Rows that several indexes exclude are always listed.
    """
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(CONTENDER))
    execute_without_loops(conn, compose("validate", "exclude_stored_duplicates", stored_duplicate=_stored_duplicate()))
    several = conn.execute(query("validate", "several_indexes")).fetchone() == (True,)
    # The condition costs half of the time of this statement for a million rows, even if no row is excluded.
    condition = sql.SQL("WHERE NOT EXISTS (SELECT FROM {} AS e WHERE e.table_no = d.table_no AND e.row_id = d.row_id)")
    execute_without_loops(
        conn,
        compose(
            "validate",
            "contenders",
            columns=sql.SQL("*" if several else "table_no, index_no, group_no, min(ordinal) AS ordinal"),
            condition=condition.format(EXCLUDED) if has_rows(conn, EXCLUDED) else sql.SQL(""),
            group=sql.SQL("" if several else "GROUP BY table_no, index_no, group_no"),
        ),
    )
    conn.execute(sql.SQL("ANALYZE {}").format(CONTENDER))
    if not several:
        if listed:
            execute_without_loops(conn, compose("validate", "exclude_later"))
        return
    # The planner takes the result of a WITH query for a few rows: 30,000 rows took half a minute in nested loops.
    conn.execute(sql.SQL("ANALYZE {}").format(EXCLUDED))
    exclude, drop = compose("validate", "exclude_round"), compose("validate", "drop_excluded_contenders")
    rounds = _ROUNDS
    while rounds and execute_without_loops(conn, exclude).rowcount:
        execute_without_loops(conn, drop)
        rounds -= 1
    if not rounds:
        conn.execute(sql.SQL("DO {}").format(sql.Literal(query("validate", "exclude_one_by_one"))))
        execute_without_loops(conn, drop)


def record_duplicates(conn: psycopg.Connection, violations: Violations) -> None:
    """Records a violation for each excluded row that has the key of an earlier row which stays."""
    table_run = violations.table_run
    for index_no, index in enumerate(unique_indexes(table_run.table)):
        execute_without_loops(
            conn,
            compose(
                "validate",
                "duplicate_violations",
                priority=sql.Literal(unique_priority(violations, index_no, index)),
                table_no=table_run.table_no,
                index_no=sql.Literal(index_no),
            ),
        )
