"""Memory and workers that configure_session sets: by rules, and never less memory than the server has set."""

from __future__ import annotations

from unittest import mock

import psycopg
import pytest

from pgsluice.postgres.connecting.session import configure_session


def _set(conn: psycopg.Connection, setting: str, value: str) -> None:
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {setting} = {value}")


def _shown(db: str, setting: str) -> str:
    with psycopg.connect(db) as own:
        configure_session(own)
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


@pytest.mark.parametrize(("cores", "workers"), [(1, "0"), (2, "1"), (8, "7"), (None, "0")])
def test_an_index_build_has_a_process_for_each_core(db: str, cores: int | None, workers: str) -> None:
    with mock.patch("os.cpu_count", return_value=cores):
        assert _shown(db, "max_parallel_maintenance_workers") == workers


def test_workers_are_left_alone_where_somebody_has_set_them_or_cores_are_not_known(
    db: str, conn: psycopg.Connection
) -> None:
    with mock.patch("os.cpu_count", return_value=8):
        with mock.patch.object(psycopg.ConnectionInfo, "host", "db.example"):
            assert _shown(db, "max_parallel_maintenance_workers") == "2"
        _set(conn, "max_parallel_maintenance_workers", "3")
        assert _shown(db, "max_parallel_maintenance_workers") == "3"
