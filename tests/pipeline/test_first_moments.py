"""A server that ends a connection: in the first moments of a run, or because the connection is idle for too long."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import pgsluice
from pgsluice.errors import ConnectError
from pgsluice.model import Progress
from pgsluice.pipeline import run as run_module
from pgsluice.postgres.connecting.connect import connect

Conn = psycopg.Connection[Any]


@pytest.fixture
def file(conn: Conn, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE t (a int PRIMARY KEY)")
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n2\n")
    return path


def killed_once(original: Callable[..., Any], db: str) -> Callable[..., Any]:
    """Stands for a function of a connection: ends the connection before its first call."""
    done = False

    def function(conn: Conn, *args: Any) -> Any:
        nonlocal done
        if not done:
            done = True
            with psycopg.connect(db, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (conn.info.backend_pid,))
        return original(conn, *args)

    return function


@pytest.mark.parametrize("moment", ["configure_session", "ensure", "mark_interrupted", "drop_left_behind"])
def test_a_connection_that_ends_in_the_first_moments(
    db: str, conn: Conn, file: Path, tmp_path: Path, moment: str
) -> None:
    waits: list[Progress] = []

    def listen(event: Progress) -> None:
        if event.phase == "wait":
            waits.append(event)

    with mock.patch.object(run_module, moment, killed_once(getattr(run_module, moment), db)):
        result = pgsluice.load(file, database_url=db, data_dir=str(tmp_path / "d"), listen=listen)
    assert result.status == "published"
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (2,)
    assert ["trying again" in event.step for event in waits] == [True]


def test_an_address_that_leads_nowhere_is_refused_at_once(file: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ConnectError):
        pgsluice.load(file, database_url="host=127.0.0.1 port=1 dbname=d", data_dir=str(tmp_path / "d"))
    assert time.monotonic() - began < 0.4


def test_a_server_that_closes_connections_while_they_open(file: Path, tmp_path: Path, db: str) -> None:
    fails = [ConnectError("the server ended the connection while it was opened", passes=True)] * 2
    opened = []

    def flaky(conninfo: str, name: str) -> Conn:
        opened.append(name)
        if fails:
            raise fails.pop()
        return connect(conninfo, application_name=name)

    with mock.patch("pgsluice.api.loading.open_connection", flaky), mock.patch.object(run_module, "PAUSES", (0, 0)):
        assert pgsluice.load(file, database_url=db, data_dir=str(tmp_path / "d")).status == "published"
    assert opened == ["pgsluice", "pgsluice", "pgsluice", "pgsluice ledger"]


# --------------------------------------------------------------------------- timeouts of the server


def test_timeouts_are_off_in_every_version(any_db: str) -> None:
    with psycopg.connect(any_db, autocommit=True) as admin:
        name = admin.info.dbname
        names = ["statement_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout"]
        names += ["transaction_timeout"] if admin.info.server_version >= 170000 else []
        for setting in names:
            admin.execute(f"ALTER DATABASE {name} SET {setting} = '1h'")
    with connect(any_db) as conn:
        shown = [conn.execute(f"SHOW {setting}").fetchone() for setting in names]
        assert shown == [("0",)] * len(names)
        conn.rollback()
        assert conn.execute("SHOW statement_timeout").fetchone() == ("0",)
    with connect(make_conninfo(any_db, options="-c statement_timeout=7s")) as conn:
        assert conn.execute("SHOW statement_timeout").fetchone() == ("7s",)
        assert conn.execute("SHOW idle_session_timeout").fetchone() == ("0",)


def test_a_veto_keeps_its_rejects_whatever_the_timeouts(db: str, conn: Conn, file: Path, tmp_path: Path) -> None:
    """The ledger connection is idle while the rows are copied, here for longer than the server allows."""
    for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
        conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {setting} = '200ms'")
    file.write_text("a\n1\nx\n")

    def slow(event: Progress) -> None:
        if event.phase == "stage" and not event.done:
            time.sleep(0.6)

    result = pgsluice.load(file, database_url=db, data_dir=str(tmp_path / "d"), listen=slow)
    assert result.status == "vetoed"
    with psycopg.connect(db) as fresh:
        fresh.execute("SET idle_in_transaction_session_timeout = 0")
        assert fresh.execute("SELECT status FROM pgsluice.run").fetchall() == [("vetoed",)]
        assert fresh.execute("SELECT raw FROM pgsluice.reject").fetchall() == [("x",)]
