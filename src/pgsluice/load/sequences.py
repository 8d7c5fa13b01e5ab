"""Sequences that a table's columns own go on behind the keys that a file brought."""

from __future__ import annotations

import psycopg
from psycopg import sql

from pgsluice.load.state import TableLoad


def move_sequences(conn: psycopg.Connection, state: TableLoad) -> None:
    """Moves serial and identity sequences past the largest value of their column.

    COPY and INSERT with explicit keys leave a sequence where it was, and the application's next INSERT
    fails on a duplicate key. ``ALTER SEQUENCE ... RESTART`` is transactional, ``setval`` is not.
    """
    for sequence, top in largest(conn, state):
        advance(conn, sequence, top)


def largest(conn: psycopg.Connection, state: TableLoad) -> list[tuple[str, int]]:
    """The sequences that the loaded columns own (quoted, qualified), and the largest value of each column."""
    if not state.plan.table.owner_is_me or not state.landed:
        return []
    tops = []
    for column in state.columns:
        if column.owned_sequence:
            row = conn.execute(
                sql.SQL("SELECT max({})::numeric FROM {}").format(sql.Identifier(column.name), state.target)
            ).fetchone()
            if row is not None and row[0] is not None:
                tops.append((column.owned_sequence, int(row[0])))
    return tops


def advance(conn: psycopg.Connection, sequence: str, top: int) -> None:
    """Moves a sequence that counts upwards past ``top``, unless it is there already or ends there."""
    row = conn.execute(
        sql.SQL(
            "SELECT FROM {sequence} AS s, pg_sequence AS q WHERE q.seqrelid = {name}::regclass AND q.seqincrement > 0"
            " AND {top} >= s.last_value + CASE WHEN s.is_called THEN 1 ELSE 0 END AND {top} < q.seqmax"
        ).format(sequence=sql.SQL(sequence), name=sql.Literal(sequence), top=sql.Literal(top))
    ).fetchone()
    if row is not None:
        conn.execute(sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(sql.SQL(sequence), sql.Literal(top + 1)))
