"""Owned sequences (serial, identity): move them past the keys that the files contained."""

from __future__ import annotations

import psycopg
from psycopg import sql

from pgsluice.pipeline.state import TableRun
from pgsluice.sql import compose


def move_sequences(conn: psycopg.Connection, table_run: TableRun) -> None:
    """Moves the sequences of the loaded columns past the farthest value of their column.

    COPY and INSERT with explicit keys do not move a sequence, so the application's next INSERT would fail with a
    duplicate key. ``ALTER SEQUENCE ... RESTART`` is transactional, ``setval`` is not.
    """
    for sequence, value in farthest_values(conn, table_run):
        advance(conn, sequence, value)


def farthest_values(conn: psycopg.Connection, table_run: TableRun) -> list[tuple[str, int]]:
    """The sequences that the loaded columns own (qualified and quoted), each with the farthest value of its column.

    The farthest value is the largest, or the smallest if the sequence counts down.
    """
    if not table_run.table.owner_is_me or not table_run.counts.landed:
        return []
    found = []
    for column in table_run.columns:
        if column.owned_sequence:
            row = conn.execute(
                compose(
                    "publish",
                    "farthest_value",
                    column=sql.Identifier(column.name),
                    relation=table_run.destination,
                    sequence=sql.Literal(column.owned_sequence),
                )
            ).fetchone()
            if row is not None and row[0] is not None:
                found.append((column.owned_sequence, int(row[0])))
    return found


def advance(conn: psycopg.Connection, sequence: str, value: int) -> None:
    """Moves a sequence past ``value`` in its direction, unless it is past the value or ends there."""
    row = conn.execute(
        compose(
            "publish",
            "sequence_step",
            sequence=sql.SQL(sequence),
            name=sql.Literal(sequence),
            value=sql.Literal(value),
        )
    ).fetchone()
    if row is not None:
        conn.execute(
            sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(sql.SQL(sequence), sql.Literal(value + row[0]))
        )
