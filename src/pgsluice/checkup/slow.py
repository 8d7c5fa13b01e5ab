"""Findings about what makes the load at hand slow, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from pgsluice.model import Finding, ObstacleKind, Plan, State, Strategy, TablePlan
from pgsluice.postgres.catalog import is_empty
from pgsluice.postgres.table_properties import only_insert_decides
from pgsluice.sql import query

Connection = psycopg.Connection[Any]


def slow_findings(conn: Connection, plan: Plan) -> Iterator[Finding]:
    """Yields why tables take longer than they would otherwise. The load is correct all the same."""
    staged = [t for t in plan.tables if t.strategy is Strategy.STAGE]
    for t in staged:
        yield from _stage(conn, t)
        if only_insert_decides(t.table):
            yield Finding(
                "rows one by one",
                State.SLOW,
                f"{t.table.name}: only an INSERT tells which rows PostgreSQL accepts"
                f" ({_because(t)}); bad rows are found by halving, which takes long if there are many",
            )
    deleting = {t.table.oid: t for t in staged if t.delete_missing}
    for oid, child, columns in conn.execute(query("doctor", "unindexed_references"), {"oids": list(deleting)}):
        yield Finding(
            "rows without an index",
            State.SLOW,
            f"{deleting[oid].table.name}: for each row that the load deletes PostgreSQL searches all rows of {child},"
            f" because no index begins with {columns}",
            f"CREATE INDEX ON {child} ({columns})",
        )
    checked = {t.table.oid: t for t in staged if t.table.foreign_keys and not only_insert_decides(t.table)}
    for oid, role, may_set, parents in conn.execute(query("doctor", "foreign_keys"), {"oids": list(checked)}):
        grants = [] if may_set else [f"as a superuser: GRANT SET ON PARAMETER session_replication_role TO {role};"]
        grants += [f"GRANT SELECT, UPDATE ON TABLE {parent} TO {role};" for parent in parents]
        if grants:
            yield Finding(
                "foreign keys",
                State.SLOW,
                f"{checked[oid].table.name}: PostgreSQL checks foreign keys row by row, which takes twice as long",
                " ".join(grants),
            )


def _stage(conn: Connection, t: TablePlan) -> Iterator[Finding]:
    """Why an empty table goes through a stage. A table that holds rows does so in any case."""
    if t.table.obstacles and _is_empty(conn, t):
        reasons = "; ".join(obstacle.text for obstacle in t.table.obstacles)
        owner = t.table.has_obstacle(ObstacleKind.OWNER)
        yield Finding(
            "strategy",
            State.SLOW,
            f"table {t.table.name} is loaded through a stage, and its keys and indexes stay: {reasons}",
            "The owner of the table can load it in place" if owner else "The load is correct all the same",
        )


def _is_empty(conn: Connection, t: TablePlan) -> bool:
    """Whether the table is empty, as far as the role may see."""
    try:
        with conn.transaction():
            return is_empty(conn, t.table.name)
    except psycopg.errors.InsufficientPrivilege:
        return False


def _because(t: TablePlan) -> str:
    kinds = {ObstacleKind.TRIGGER, ObstacleKind.KEY_TRIGGER, ObstacleKind.RULE, ObstacleKind.ROW_SECURITY}
    found = next((o.text for o in t.table.obstacles if o.kind in kinds), None)
    return found or ("it has generated columns" if t.table.kind == "r" else "it is no ordinary table")
