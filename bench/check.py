"""What a load left behind: rows by count and checksum, and the objects that the schema asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

KINDS = ("keys", "indexes", "foreign keys", "checks")

_CONSTRAINTS = """
SELECT CASE WHEN contype IN ('p', 'u') THEN 'keys' WHEN contype = 'f' THEN 'foreign keys' ELSE 'checks' END,
    conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c')
"""

_INDEXES = """
SELECT 'indexes', pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = 'public'::regnamespace AND indisvalid
"""


@dataclass(frozen=True)
class State:
    """What is in a database."""

    rows: dict[str, tuple[int, str]]
    objects: dict[str, frozenset[str]]

    def differs(self, other: State) -> dict[str, str]:
        """By kind what this state lacks or has too much of the other; nothing when they are the same."""
        found = {}
        if self.rows != other.rows:
            tables = [t for t in other.rows if self.rows.get(t) != other.rows[t]]
            counts = [(t, self.rows.get(t, (None,))[0], other.rows[t][0]) for t in tables]
            found["rows"] = ", ".join(
                f"{t}: {'other values' if mine == theirs else f'{mine} rows instead of {theirs}'}"
                for t, mine, theirs in counts
            )
        for kind in KINDS:
            missing = other.objects[kind] - self.objects[kind]
            if missing:
                found[kind] = f"{len(missing)} of {len(other.objects[kind])} missing or different"
        return found


def columns(conn: psycopg.Connection[Any], table: str) -> list[tuple[str, str]]:
    """Names and types of a table's columns, in order."""
    return conn.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (f"public.{table}",),
    ).fetchall()


def look(
    conn: psycopg.Connection[Any], shapes: dict[str, list[tuple[str, str]]], schemas: Sequence[str] = ("public",)
) -> State:
    """The state of the database.

    Rows are compared as the types that the schema gives them, so that a table that somebody else made with
    types of their own is compared by its values.

    :param shapes: the tables, and names and types of their columns.
    :param schemas: where the tables are, if not in the first one of these.
    """
    rows = {}
    for table, shape in shapes.items():
        for schema in schemas:
            row = sql.SQL(", ").join(
                sql.SQL("{}::{}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in shape
            )
            query = sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended(ROW({})::text, 0)::numeric), 0)::text FROM {}"
            ).format(row, sql.Identifier(schema, table))
            try:
                with conn.transaction():
                    rows[table] = conn.execute(query).fetchone()
                break
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.DataError) as error:
                rows[table] = (None, str(error))
    objects: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for kind, text in conn.execute(_CONSTRAINTS + " UNION ALL " + _INDEXES):
        objects[kind].add(text)
    return State(rows, {kind: frozenset(found) for kind, found in objects.items()})
