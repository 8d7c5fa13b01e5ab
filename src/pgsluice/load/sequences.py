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
    if not state.plan.table.owner_is_me or not state.landed:
        return
    for column in state.columns:
        if not column.owned_sequence:
            continue
        sequence = sql.SQL(column.owned_sequence)
        row = conn.execute(
            sql.SQL(
                "SELECT t.top FROM (SELECT max({column})::numeric AS top FROM {table}) AS t, {sequence} AS s,"
                " pg_sequence AS q WHERE q.seqrelid = {name}::regclass AND q.seqincrement > 0"
                " AND t.top >= s.last_value + CASE WHEN s.is_called THEN 1 ELSE 0 END AND t.top < q.seqmax"
            ).format(
                column=sql.Identifier(column.name),
                table=state.target,
                sequence=sequence,
                name=sql.Literal(column.owned_sequence),
            )
        ).fetchone()
        if row is not None:
            conn.execute(sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(sequence, sql.Literal(int(row[0]) + 1)))
