"""Facts about a server, a database and a role that decide whether and how fast a load works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row, tuple_row

from pgsluice.postgres.connecting.pooler import is_pooled
from pgsluice.sql import query

_UNITS = {"B": 1, "kB": 1 << 10, "8kB": 8 << 10, "MB": 1 << 20, "ms": 1, "s": 1000, "min": 60_000}
"""The units of pg_settings: of memory in bytes, of time in milliseconds."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of ``pg_settings``."""

    name: str
    reset_val: str
    """The value that server, database, role and address set."""
    setting: str
    """The value of this session."""
    unit: str
    source: str
    """``client`` if the address sets the value."""

    @property
    def number(self) -> int:
        """The value that server, database, role and address set, in bytes or milliseconds."""
        return int(self.reset_val) * _UNITS.get(self.unit, 1)


@dataclass(frozen=True, slots=True)
class Session:
    """The role and the database of a session. Names are quoted where SQL needs quotes."""

    role: str
    database: str
    may_create_temporary: bool
    is_standby: bool
    encoding: str
    collation: str
    most_sessions: int
    """How many sessions the server, the database and the role allow."""
    sessions: int
    needs_wal: bool
    """Replication or archiving reads the WAL."""


def settings(conn: psycopg.Connection) -> dict[str, Setting]:
    """Returns the settings that matter to a load, by name. A setting that the server does not know is missing."""
    with conn.cursor(row_factory=class_row(Setting)) as cursor:
        return {row.name: row for row in cursor.execute(query("doctor", "settings"))}


def session(conn: psycopg.Connection) -> Session:
    """Returns what the server says of the session."""
    with conn.cursor(row_factory=class_row(Session)) as cursor:
        row = cursor.execute(query("doctor", "session")).fetchone()
    assert row is not None
    return row


def data_directory(conn: psycopg.Connection) -> str | None:
    """Returns the folder of the server's data; None if the role may not know it."""
    row = conn.execute(query("doctor", "data_directory")).fetchone()
    return None if row is None else str(row[0])


def extensions(conn: psycopg.Connection, names: Sequence[str]) -> list[tuple[str, bool, bool]]:
    """Returns for each extension its name, whether the server has it, and whether the database has it."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query("doctor", "available_extensions"), {"names": list(names)}).fetchall()


def on_this_machine(conn: psycopg.Connection) -> bool:
    """Whether the server runs on this machine: the connection is a Unix socket, or one to itself without a pooler."""
    host = conn.info.host
    return host.startswith(("/", "@")) or (conn.info.hostaddr in ("127.0.0.1", "::1") and not is_pooled(conn))
