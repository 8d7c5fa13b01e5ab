"""Consequences: children of rejected rows, each with the reject that is its cause.

A child of a child has the same cause as its parent. The causes are followed in sets, in steps that double the number of
generations, so that a chain of a million rows takes twenty steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.ledger.groups import Consequences
from pgsluice.pipeline.scratch import CAUSE, has_rows
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.planner_hints import execute_without_loops
from pgsluice.sql import query

_MOST_STEPS = 40
"""More generations than a table can have rows. Rows that reference each other in a circle would never end."""


def find_causes(conn: psycopg.Connection, table_runs: Sequence[TableRun]) -> tuple[Consequences, ...]:
    """Finds the cause of each reject that is a child of a rejected row, and stores it for the report.

    :returns: the consequences, counted.
    """
    conn.execute(query("report", "create_causes"))
    if not has_rows(conn, CAUSE):
        return ()
    conn.execute(sql.SQL("ANALYZE {}").format(CAUSE))
    steps = _MOST_STEPS
    while steps and execute_without_loops(conn, sql.SQL(query("report", "follow_causes")).format()).rowcount:
        steps -= 1
    execute_without_loops(conn, sql.SQL(query("report", "number_causes")).format())
    names = {t.number: t.name for t in table_runs}
    found = execute_without_loops(conn, sql.SQL(query("report", "consequences")).format()).fetchall()
    return tuple(
        Consequences(names[table_no], kind, column, constraint, sqlstate, names[child_no], count, indirect)
        for table_no, kind, column, constraint, sqlstate, child_no, count, indirect in found
    )
