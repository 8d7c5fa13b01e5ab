"""Sequences that a table's columns own: they go on behind the keys that a file brought, and numbers that were given to
rows which are out again are not lost.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from pgsluice.pipeline.state import TableRun


def move_sequences(conn: psycopg.Connection, state: TableRun) -> None:
    """Moves serial and identity sequences past the farthest value of their column.

    COPY and INSERT with explicit keys leave a sequence where it was, and the application's next INSERT
    fails on a duplicate key. ``ALTER SEQUENCE ... RESTART`` is transactional, ``setval`` is not.
    """
    for sequence, top in farthest(conn, state):
        advance(conn, sequence, top)


def farthest(conn: psycopg.Connection, state: TableRun) -> list[tuple[str, int]]:
    """The sequences that the loaded columns own (quoted, qualified), and the farthest value of each column:
    the largest, or the smallest where the sequence counts downwards.
    """
    if not state.plan.table.owner_is_me or not state.landed:
        return []
    ends = []
    for column in state.columns:
        if column.owned_sequence:
            row = conn.execute(
                sql.SQL(
                    "SELECT CASE WHEN q.seqincrement > 0 THEN (SELECT max({c}) FROM {t})"
                    " ELSE (SELECT min({c}) FROM {t}) END::numeric"
                    " FROM pg_sequence AS q WHERE q.seqrelid = {s}::regclass"
                ).format(c=sql.Identifier(column.name), t=state.target, s=sql.Literal(column.owned_sequence))
            ).fetchone()
            if row is not None and row[0] is not None:
                ends.append((column.owned_sequence, int(row[0])))
    return ends


def advance(conn: psycopg.Connection, sequence: str, end: int) -> None:
    """Moves a sequence past ``end`` in its direction, unless it is there already or ends there."""
    row = conn.execute(
        sql.SQL(
            "SELECT sign(q.seqincrement)::int FROM {sequence} AS s, pg_sequence AS q"
            " WHERE q.seqrelid = {name}::regclass AND CASE WHEN q.seqincrement > 0"
            " THEN {end} >= s.last_value + s.is_called::int AND {end} < q.seqmax"
            " ELSE {end} <= s.last_value - s.is_called::int AND {end} > q.seqmin END"
        ).format(sequence=sql.SQL(sequence), name=sql.Literal(sequence), end=sql.Literal(end))
    ).fetchone()
    if row is not None:
        conn.execute(sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(sql.SQL(sequence), sql.Literal(end + row[0])))
