"""Addresses of databases, connections, and the messages of refused connections."""

from __future__ import annotations

import os
import socket
import tempfile
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import command
from command import Ended, environment
from pgsluice.errors import CallError, ConnectError, DatabaseError
from pgsluice.postgres.connecting import connect as target
from pgsluice.postgres.embedded import server as embedded

SECRET = "s3cret%word"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGUSER", "PGPORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    for name in ("PGTZ", "PGDATESTYLE", "PGGEQO", "PGOPTIONS"):
        monkeypatch.delenv(name, raising=False)


# --------------------------------------------------------------------------- resolve


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("postgresql://u:p@h:1/d?sslmode=require", "postgresql://u:p@h:1/d?sslmode=require"),
        ("postgres://h/d", "postgresql://h/d"),
        ("postgresql+psycopg://h/d", "postgresql://h/d"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql://u:p@h/d"),
        ("host=h dbname=d", "host=h dbname=d"),
        ("password=a://b host=h", "password=a://b host=h"),
    ],
)
def test_forms(given: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert target.resolve(given, None) == address
    monkeypatch.setenv("DATABASE_URL", given)
    assert target.resolve(None, None) == address


@pytest.mark.parametrize("given", ["mysql://u:topsecret@h/d", "jdbc:postgresql://h/topsecret", "topsecret", ""])
def test_not_postgresql(given: str) -> None:
    with pytest.raises(CallError) as caught:
        target.resolve(given, None)
    assert "topsecret" not in str(caught.value)
    assert caught.value.remedy


def test_order(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(embedded, "start", lambda data_dir: started.append(data_dir) or f"at {data_dir}")
    assert target.resolve(None, None) == "at .pgsluice"
    monkeypatch.setenv("PGDATABASE", "d")
    assert target.resolve(None, None) == ""
    monkeypatch.setenv("DATABASE_URL", "postgresql://from-env")
    assert target.resolve(None, None) == "postgresql://from-env"
    assert target.resolve(None, "mine") == "at mine"
    assert target.resolve("postgresql://given", "mine") == "postgresql://given"
    assert started == [".pgsluice", "mine"]


# --------------------------------------------------------------------------- connect


def test_connect_any_version(any_db: str) -> None:
    with target.connect(any_db) as conn:
        row = conn.execute(
            "SELECT current_setting('application_name'), current_setting('client_encoding'), current_database()"
        ).fetchone()
        assert row is not None
        assert row[:2] == ("pgsluice", "UTF8")
        assert not conn.autocommit
        assert target.where(conn) == f"{row[2]} at {conninfo_to_dict(any_db)['host']}"


def test_the_address_decides(db: str) -> None:
    with target.connect(make_conninfo(db, application_name="mine"), application_name="other") as conn:
        assert conn.execute("SHOW application_name").fetchone() == ("mine",)


def test_variables(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    params = conninfo_to_dict(db)
    for key in ("host", "port", "user"):
        monkeypatch.setenv(f"PG{key.upper()}", str(params[key]))
    monkeypatch.setenv("PGDATABASE", str(params["dbname"]))
    with target.connect(target.resolve(None, None)) as conn:
        assert conn.info.dbname == params["dbname"]


def refusal(conninfo: str, **variables: str) -> ConnectError:
    """The error of a connection, with these environment variables."""
    with pytest.raises(ConnectError) as caught, mock.patch.dict(os.environ, variables):
        target.connect(conninfo)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    assert SECRET not in str(caught.value)
    return caught.value


def test_no_such_database(server: str) -> None:
    error = refusal(make_conninfo(server, dbname="nowhere"))
    assert 'no database "nowhere"' in error.message
    assert "createdb nowhere" in error.remedy


def test_no_such_role(server: str) -> None:
    error = refusal(make_conninfo(server, user="nobody-knows"))
    assert "no such role at socket" in error.message
    assert "nobody-knows" not in str(error)


def test_server_down() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = refusal(make_conninfo(host="127.0.0.1", port=port, dbname="d", password=SECRET))
    assert f"no server listens at 127.0.0.1:{port}" in error.message
    assert "no server listens at socket /nowhere" in refusal("host=/nowhere dbname=d").message


def test_no_answer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        error = refusal(f"host=127.0.0.1 port={port} dbname=d connect_timeout=2")
    assert f"no answer from 127.0.0.1:{port} in 2 s" in error.message


def test_unknown_host_does_not_give_away_the_password() -> None:
    error = refusal("postgresql://u:half@otherhalf@host.invalid/d")
    assert "host.invalid" in error.message
    assert "half" not in str(error)
    assert "%40" in error.remedy


def test_unreadable_address_does_not_give_away_the_password() -> None:
    error = refusal(f"postgresql://u:{SECRET}@h/d")
    assert "cannot be read" in error.message


def test_server_too_old(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "OLDEST_SERVER", 99)
    with pytest.raises(DatabaseError, match=r"runs PostgreSQL \d+\.\d+\. pgsluice needs PostgreSQL 99"):
        target.connect(db)


# --------------------------------------------------------------------------- settings that the server refuses


def test_time_zone_that_the_server_does_not_know(any_db: str) -> None:
    error = refusal(any_db, PGTZ="Nowhere/Land")
    assert "does not know the time zone Nowhere/Land that PGTZ names" in error.message
    assert error.remedy.endswith("or take the time zone of the server: unset PGTZ")
    assert not error.passes
    target.connect(any_db).close()


@pytest.mark.parametrize("zone", ["", "UTC+200", "Land of nowhere; DROP"])
def test_time_zone_that_is_none(db: str, zone: str) -> None:
    error = refusal(db, PGTZ=zone)
    assert "does not know the time zone" in error.message
    assert "DROP" not in str(error)
    assert "unset PGTZ" in error.remedy


def test_old_name_of_a_time_zone(db: str, tmp_path: Path) -> None:
    """The test's server knows every old name, so the name is made up, and so is the operating system's table."""
    (tmp_path / "tzdata.zi").write_text("# version x\nZ Asia/Kolkata 5:53:28 - LMT 1854\nL Asia/Kolkata Asia/Bengal\n")
    zoneinfo.reset_tzpath([tmp_path / "absent", tmp_path])
    try:
        error = refusal(db, PGTZ="Asia/Bengal")
    finally:
        zoneinfo.reset_tzpath()
    assert error.remedy == "Asia/Bengal is an old name of Asia/Kolkata: export PGTZ=Asia/Kolkata"
    present = error.remedy.rpartition("=")[2]
    with mock.patch.dict(os.environ, PGTZ=present), target.connect(db) as conn:
        assert conn.execute("SHOW TimeZone").fetchone() == (present,)


def test_time_zone_in_options(db: str) -> None:
    """The options are a part of the address, whose values are not shown."""
    options = "-c timezone=Nowhere/Land"
    error = refusal(make_conninfo(db, options=options), PGTZ="UTC", PGOPTIONS="-c timezone=UTC")
    assert error.message.endswith("does not know the time zone that the address names")
    assert "Nowhere" not in str(error)
    error = refusal(db, PGTZ="UTC", PGOPTIONS=options)
    assert error.message.endswith("does not know the time zone that PGOPTIONS names")


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PGDATESTYLE", "sideways", "refuses the value of PGDATESTYLE"),
        ("PGGEQO", "perhaps", "refuses the value of PGGEQO"),
        ("PGOPTIONS", "-c work_mem=many", "refuses a setting that PGOPTIONS names"),
        ("PGOPTIONS", "-c work_mem=1", "refuses a setting that PGOPTIONS names"),
        ("PGOPTIONS", "-c no_such_setting=1", "refuses a setting that PGOPTIONS names"),
    ],
)
def test_other_settings(db: str, variable: str, value: str, says: str) -> None:
    error = refusal(db, **{variable: value})
    assert error.message.endswith(says)
    assert variable in error.remedy
    assert value not in str(error)


def test_time_zone_of_the_machine_is_not_sent(db: str, tmp_path: Path) -> None:
    """Drivers of other languages send the name of the machine's time zone. Here only libpq's variables count."""

    def runs(**variables: str) -> Ended:
        with mock.patch.object(command, "environment", return_value=environment(**variables)):
            return command.run("runs", cwd=tmp_path, url=db)

    ended = runs(TZ="Nowhere/Land")
    assert (ended.code, ended.err) == (0, "")
    runs(PGTZ="Nowhere/Land").complaint(3, "the time zone Nowhere/Land that PGTZ names", "unset PGTZ")


# --------------------------------------------------------------------------- passwords


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """The URI, without user, of a server that requires passwords."""
    with tempfile.TemporaryDirectory(prefix="sluice-", ignore_cleanup_errors=True) as folder:
        uri = embedded.start(folder)
        with psycopg.connect(uri, autocommit=True) as conn:
            conn.execute(f"CREATE ROLE mia LOGIN PASSWORD '{SECRET}'")
            rules = "local all postgres trust\nlocal postgres mia scram-sha-256\n"
            (Path(folder) / "server" / "pg_hba.conf").write_text(rules)
            conn.execute("SELECT pg_reload_conf()")
        yield uri
        embedded.stop(folder)


def test_passwords(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with target.connect(make_conninfo(guarded, user="mia", password=SECRET)) as conn:
        assert SECRET not in target.where(conn)
    wrong = refusal(make_conninfo(guarded, user="mia", password=f"{SECRET}!"))
    assert wrong.message.startswith("wrong password for the user at socket")
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    assert "asks for a password" in refusal(make_conninfo(guarded, user="mia")).message


def test_not_admitted(guarded: str) -> None:
    error = refusal(make_conninfo(guarded, user="mia", dbname="template1", password=SECRET))
    assert "does not admit this client" in error.message
