"""Standard output or standard error that is full or closed: real processes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from command import SECONDS, environment

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")

Conn = psycopg.Connection[Any]


@pytest.fixture
def folder(conn: Conn, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE t (a int PRIMARY KEY)")
    (tmp_path / "t.csv").write_text("a\n1\n2\n")
    (tmp_path / "bad.csv").write_text("a\n3\nx\n")
    return tmp_path


def shell(folder: Path, db: str, arguments: str, redirections: str) -> tuple[int, str, str]:
    """Runs a command with redirections of the shell."""
    command = f"exec {shlex.quote(sys.executable)} -m pgsluice {arguments} {redirections}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment(DATABASE_URL=db),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def complaints(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("pgsluice: ")]


@pytest.mark.share(4)
@pytest.mark.parametrize("how", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("form", ["", "--json", "--quiet --json", "--profile"])
def test_a_published_run(folder: Path, db: str, conn: Conn, how: str, form: str) -> None:
    code, _, err = shell(folder, db, f"load t.csv {form}", how)
    assert code == 4
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (2,)
    (line,) = complaints(err)
    assert "cannot be written to standard output" in line
    assert "run 1 ended all the same: published" in line


@pytest.mark.share(2)
@pytest.mark.parametrize("how", ["> /dev/full", ">&-"])
def test_a_vetoed_run(folder: Path, db: str, conn: Conn, how: str) -> None:
    code, _, err = shell(folder, db, "load bad.csv --table t=bad.csv", how)
    assert code == 1
    assert "ended all the same: vetoed" in complaints(err)[-1]
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.share(6)
@pytest.mark.parametrize("how", ["> /dev/full", ">&-"])
@pytest.mark.parametrize(
    "arguments",
    [
        *("runs", "runs --json", "plan t.csv", "verify", "rejects", "rejects --format csv", "rejects --format json"),
        *("--version", "server status"),
    ],
)
def test_other_commands(folder: Path, db: str, how: str, arguments: str) -> None:
    code, _, err = shell(folder, db, arguments, how)
    assert code == 4
    assert ["cannot be written to standard output" in line for line in complaints(err)] == [True]


@pytest.mark.share(3)
@pytest.mark.parametrize("how", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("arguments", ["--help", "load --help", "server --help"])
def test_help(folder: Path, db: str, how: str, arguments: str) -> None:
    code, _, err = shell(folder, db, arguments, how)
    assert code == 2
    assert ["the system refuses" in line for line in complaints(err)] == [True]


def test_nothing_to_write(folder: Path, db: str) -> None:
    assert shell(folder, db, "load t.csv --quiet", ">&-")[0] == 0


@pytest.mark.share(3)
@pytest.mark.parametrize("how", ["2> /dev/full", "2>&-", "2>&- <&-"])
def test_standard_error(folder: Path, db: str, conn: Conn, how: str) -> None:
    code, out, _ = shell(folder, db, "load t.csv --json", how)
    assert code == 0
    assert out.startswith("{")
    assert out.count("\n") == 1
    assert shell(folder, db, "load t.csv --again --mode upsert", how)[0] == 0
    code, out, _ = shell(folder, db, "load nothing.csv", how)
    assert (code, out) == (2, "")
    code, out, _ = shell(folder, db, "load --no-such-option", how)
    assert (code, out) == (2, "")


@pytest.mark.share(2)
@pytest.mark.parametrize("how", [">&- 2>&- <&-", "> /dev/full 2> /dev/full"])
def test_everything(folder: Path, db: str, conn: Conn, how: str) -> None:
    assert shell(folder, db, "load t.csv", how)[0] == 4
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (2,)
