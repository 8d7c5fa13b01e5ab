"""Poolers between pgsluice and the server, with a real pgbouncer."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import pgsluice
from command import call
from pgsluice.errors import ConnectError

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer (Debian: apt-get install pgbouncer)")

Pooler = Callable[..., str]


@pytest.fixture
def pooler(db: str, tmp_path: Path) -> Iterator[Pooler]:
    """Starts a pgbouncer in front of ``db`` with the given settings; returns the address."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**settings: object) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        target = conninfo_to_dict(db)
        log = tmp_path / "pgbouncer.log"
        lines = {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "any", "unix_socket_dir": ""} | settings
        log.touch()
        (tmp_path / "pgbouncer.ini").write_text(
            "\n".join(
                [
                    "[databases]",
                    f"{target['dbname']} = host={target['host']} port={target['port']} user=postgres",
                    "[pgbouncer]",
                    *(f"{name} = {value}" for name, value in lines.items()),
                    "",
                ]
            )
        )
        # Only the user of an embedded server can enter the folder of its socket.
        user = {"user": Path(str(target["host"])).owner()} if os.geteuid() == 0 else {}
        with log.open("wb") as out:
            started.append(
                subprocess.Popen(
                    [str(PGBOUNCER), str(tmp_path / "pgbouncer.ini")],
                    stdout=out,
                    stderr=out,
                    **user,  # type: ignore[call-overload]
                )
            )
        address = f"postgresql://postgres@127.0.0.1:{port}/{target['dbname']}"
        for _ in range(100):
            try:
                psycopg.connect(address).close()
                return address
            except psycopg.OperationalError:
                assert started[-1].poll() is None, log.read_text()
                time.sleep(0.1)
        raise AssertionError(log.read_text())

    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path("/tmp") or not os.access(folder, os.W_OK):
            break
        folder.chmod(folder.stat().st_mode | 0o011)
    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def write(folder: Path) -> Path:
    (folder / "data").mkdir()
    (folder / "data" / "t.csv").write_text("id\n1\n2\n")
    return folder / "data"


def advisory_locks(conn: psycopg.Connection) -> int:
    # Of this database: tests of other workers hold locks on the server, too.
    row = conn.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_pooler_of_transactions_is_refused(
    mode: str, pooler: Pooler, db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    address = pooler(pool_mode=mode)
    ended = call("load", write(tmp_path), "--data-dir", tmp_path, cwd=tmp_path, url=address)
    ended.complaint(3, f"pools {mode}s", "pool_mode = session")
    assert advisory_locks(conn) == 0
    assert conn.execute("SELECT to_regnamespace('pgsluice')").fetchone() == (None,)
    with psycopg.connect(address, autocommit=True) as other:
        # Another client of the pooler gets the session that pgsluice had.
        assert other.execute("SHOW search_path").fetchone() == ('"$user", public',)
    result = pgsluice.load(tmp_path / "data", database_url=db, data_dir=str(tmp_path), no_wait=True)
    assert result.status == "published"


def test_pooler_with_other_sessions_in_its_pool(pooler: Pooler, db: str, tmp_path: Path) -> None:
    """The pool holds several sessions, so a second connection need not get that of the first."""
    address = pooler(pool_mode="transaction", server_round_robin=1)
    others = [psycopg.connect(address) for _ in range(4)]
    for other in others:
        other.execute("SELECT 1")
    for other in others:
        other.rollback()
    with pytest.raises(ConnectError, match="pools transactions"):
        pgsluice.runs(database_url=address)
    for other in others:
        other.close()


def test_pooler_of_sessions(pooler: Pooler, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    address = pooler(pool_mode="session")
    result = pgsluice.load(write(tmp_path), database_url=address, data_dir=str(tmp_path))
    assert result.status == "published"
    # The pooler resets the sessions as soon as it notices that the clients are gone.
    for _ in range(100):
        if not (left := advisory_locks(conn)):
            break
        time.sleep(0.1)
    assert not left


def test_pool_of_one_session(pooler: Pooler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgsluice.postgres.connecting.pooler._SECONDS", 1)
    address = pooler(pool_mode="session", default_pool_size=1)
    with pytest.raises(ConnectError, match="gave no second session"):
        pgsluice.runs(database_url=address)
