"""How much memory a run's session may use: by rule, and never less than the server gives."""

from __future__ import annotations

import psycopg
import pytest

from pgsluice.load.memory import for_session


def _set(conn: psycopg.Connection, setting: str, value: str) -> None:
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {setting} = {value}")


def _shown(db: str, setting: str) -> str:
    with psycopg.connect(db) as own:
        for_session(own)
        row = own.execute(f"SHOW {setting}").fetchone()
        assert own.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        assert row is not None
        return str(row[0])


@pytest.mark.parametrize(
    ("cache", "given", "maintenance", "each"),
    [
        ("1GB", "64MB", "128MB", "16MB"),
        ("100GB", "64MB", "512MB", "64MB"),
        ("1GB", "1GB", "1GB", "128MB"),
    ],
)
def test_memory(db: str, conn: psycopg.Connection, cache: str, given: str, maintenance: str, each: str) -> None:
    _set(conn, "effective_cache_size", f"'{cache}'")
    _set(conn, "maintenance_work_mem", f"'{given}'")
    assert _shown(db, "maintenance_work_mem") == maintenance
    assert _shown(db, "work_mem") == _shown(db, "temp_buffers") == each


def test_memory_is_never_less_than_the_server_gives(db: str, conn: psycopg.Connection) -> None:
    _set(conn, "work_mem", "'200MB'")
    _set(conn, "temp_buffers", "'300MB'")
    assert (_shown(db, "work_mem"), _shown(db, "temp_buffers")) == ("200MB", "300MB")
