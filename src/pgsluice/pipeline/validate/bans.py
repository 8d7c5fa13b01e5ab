"""Bans: rows that the bisecting insert must reject although PostgreSQL, with deferred foreign keys, would accept them.

Where the foreign keys of a group are deferred and rows are inserted one by one, PostgreSQL does not say which rows have
no parent. This module finds them from what PostgreSQL refused, as :mod:`~pgsluice.pipeline.validate.elimination` does
where every constraint can be validated with a query.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import psycopg
from psycopg import sql

from pgsluice.model import TableName
from pgsluice.pipeline.scratch import REFUSED, empty_violations
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.elimination import exclude_violations
from pgsluice.pipeline.validate.foreign_keys import find_inner_orphans, find_orphans
from pgsluice.pipeline.validate.rejecting.details import detail_parts
from pgsluice.pipeline.validate.violations import Violations
from pgsluice.postgres.planner_hints import execute_without_loops
from pgsluice.postgres.table_properties import foreign_keys_to
from pgsluice.sql import compose, query


class RefusedRow(NamedTuple):
    """A row that PostgreSQL refused when rows were inserted one by one."""

    table_no: int
    ordinal: int
    as_duplicate: bool
    """The row was refused only because an earlier row is there."""


def create_bans(conn: psycopg.Connection) -> None:
    """Creates the scratch table of banned rows unless it exists."""
    conn.execute(query("scratch", "create_banned"))


def ban_orphans(
    conn: psycopg.Connection, group: Sequence[TableRun], names: Collection[TableName], refused: Iterable[RefusedRow]
) -> int:
    """Bans staged rows that have no parent if the refused rows do not stay.

    PostgreSQL may have refused a row as a duplicate although the row also lacks a parent outside of the group, because
    it checks unique indexes first. Such a row is banned all the same, whichever row has its key, and its children with
    it.

    :param names: the tables of the group, those without rows included.
    :returns: how many rows are newly banned.
    """
    empty_violations(conn)
    conn.execute(query("scratch", "create_refused"))
    with conn.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(REFUSED)) as copy:
        for row in refused:
            copy.write_row(row)
    for table_run in group:
        execute_without_loops(
            conn,
            compose(
                "validate",
                "exclude_refused",
                stage=table_run.scratch.stage,
                ordinal=table_run.ordinal,
                table_no=table_run.table_no,
            ),
        )
    relations = [Violations(conn, t, staged=True) for t in group]
    for violations in relations:
        find_orphans(violations, foreign_keys_to(violations.table_run.table, names, inner=False))
    exclude_violations(conn)
    keys = [(v, foreign_keys_to(v.table_run.table, names, inner=True)) for v in relations]
    while sum(find_inner_orphans(v, k, group, without_duplicates=False) for v, k in keys):
        exclude_violations(conn)
    if banned := _ban_violations(conn, relations):
        return banned
    for violations, k in keys:
        find_inner_orphans(violations, k, group, without_duplicates=True)
    return _ban_violations(conn, relations)


def _ban_violations(conn: psycopg.Connection, relations: Sequence[Violations]) -> int:
    """Bans the staged rows that have violations; returns how many were not banned before."""
    banned = 0
    for violations in relations:
        table_run = violations.table_run
        detail, detailed_rows = detail_parts(violations, sql.SQL("o.row_id"))
        statement = compose(
            "validate",
            "ban",
            ordinal=table_run.ordinal,
            stage=table_run.scratch.stage,
            table_no=table_run.table_no,
            detail=detail,
            detailed_rows=detailed_rows,
        )
        banned += execute_without_loops(conn, statement).rowcount
    return banned
