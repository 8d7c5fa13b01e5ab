"""When the embedded server is made, and what is said of it."""

from __future__ import annotations

import logging
import os
import pty
import pwd
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import call, environment, run
from pgsluice.errors import ServerError
from pgsluice.postgres.embedded import processes, server

STAYS = "It keeps running; to stop it: pgsluice server stop"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "items.csv").write_text("id,name\n1,a\n2,b\n")
    (tmp_path / "schema.sql").write_text("CREATE TABLE items (id integer PRIMARY KEY, name text);")
    yield tmp_path
    server.stop(tmp_path / ".pgsluice")


def on_terminal(command: list[str], folder: Path) -> str:
    """Runs a command whose standard input is a terminal. Returns its standard error."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(command, cwd=folder, env=environment(), stdin=theirs, capture_output=True, text=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0, done
    return done.stderr


def left_over() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("pgsluice-plan-*")}


def test_a_server_is_made_where_somebody_says_or_sees_it(data: Path, db: str) -> None:
    load = ("load", "items.csv", "--schema", "schema.sql")
    refused = run(*load, cwd=data)
    refused.complaint(3, "no database is named", "--database-url", "--embedded")
    call("load", "items.csv", "--data-dir", "new", cwd=data).complaint(
        3, "no server in new", "has no tables", "--schema"
    )
    call("plan", "items.csv", cwd=data).complaint(3, "has no tables", "--schema")
    call("load", "typo.csv", "--schema", "schema.sql", "--embedded", cwd=data).complaint(2, "typo.csv")
    assert not (data / ".pgsluice").exists()
    assert not (data / "new").exists()

    before = left_over()
    planned = call("plan", "items.csv", "--schema", "schema.sql", cwd=data)
    assert planned.code == 0, planned
    assert "postgres in .pgsluice as postgres (new embedded PostgreSQL 18" in planned.out.splitlines()[0]
    assert "--embedded makes it and loads" in planned.out
    assert not (data / ".pgsluice").exists()
    assert left_over() == before

    said = on_terminal([sys.executable, "-m", "pgsluice", *load], data).splitlines()
    said = [line for line in said if "as root" not in line]
    assert said[0] == f"pgsluice: Making an embedded PostgreSQL 18 in .pgsluice. {STAYS}"
    assert said[1].startswith("Loading 1 file into postgres in .pgsluice as postgres (embedded PostgreSQL 18")

    # The folder has a server, so a job uses it; and --embedded overrides the environment.
    again = run(*load, cwd=data)
    assert (again.code, again.err) == (0, ""), again
    command = [sys.executable, "-m", "pgsluice", *load, "--embedded", "--again", "--mode", "upsert", "--json"]
    variables = environment(DATABASE_URL=db)
    done = subprocess.run(command, cwd=data, env=variables, capture_output=True, text=True, check=True)
    assert f'"data_dir": "{data / ".pgsluice"}"' in done.stdout
    call(*load, "--embedded", cwd=data, url=db).complaint(2, "--embedded", "--database-url")

    # A plan starts no server, and its remedy does.
    assert run("server", "stop", cwd=data).code == 0
    stopped = call("plan", "items.csv", cwd=data)
    stopped.complaint(3, "does not run", "pgsluice server start")
    remedy = shlex.split(re.findall(r"Start it with: pgsluice (.*)", stopped.err)[0])
    started = call(*remedy, cwd=data)
    assert (started.code, started.err.startswith("pgsluice: Starting the embedded PostgreSQL 18")) == (0, True)
    planned = call("plan", "items.csv", cwd=data)
    assert (planned.code, planned.err) == (0, "")
    assert "(embedded PostgreSQL 18" in planned.out.splitlines()[0]


def test_a_temporary_server_ends_with_its_context() -> None:
    folders = []

    def fail() -> None:
        with server.temporary() as uri:
            folders.append(Path(re.findall("host=(.*?)&", uri)[0].replace("%2F", "/")))
            assert server.status(folders[0].parent).running
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not folders[0].exists()
    assert not server.status(folders[0].parent).running


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes folders and users")
def test_root_changes_nothing_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = tmp_path / "closed"
    base = closed / "data"
    closed.mkdir(mode=0o700)
    base.mkdir(mode=0o700)
    with caplog.at_level(logging.INFO):
        assert processes.make_accessible(base, None) == pwd.getpwnam(processes.SYSTEM_USER).pw_uid
        assert processes.make_accessible(base, None) is not None
    [text] = [record.getMessage() for record in caplog.records if str(closed) in record.getMessage()]
    assert "letting every user pass through" in text
    assert closed.stat().st_mode & 0o777 == 0o711

    caplog.clear()
    monkeypatch.setattr(pwd, "getpwnam", lambda name: (_ for _ in ()).throw(KeyError(name)))
    monkeypatch.setattr(processes.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(OSError))
    with caplog.at_level(logging.INFO), pytest.raises(ServerError):
        processes.make_accessible(base, None)
    assert "making the system user pgserver" in caplog.text
