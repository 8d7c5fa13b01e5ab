"""Help, nearest options and commands, and what a shell completes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from command import call, environment


@pytest.mark.parametrize(
    ("words", "long"),
    [
        (("-h",), ("--help",)),
        (("load", "-h"), ("load", "--help")),
        (("help",), ("--help",)),
        (("help", "load"), ("load", "--help")),
        (("help", "server", "start"), ("server", "start", "--help")),
    ],
)
def test_help_by_other_words(words: tuple[str, ...], long: tuple[str, ...], tmp_path: Path) -> None:
    said = call(*words, cwd=tmp_path)
    assert (said.code, said.err) == (0, "")
    assert said.out == call(*long, cwd=tmp_path).out
    assert said.out.startswith("Usage: pgsluice")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("load", "--upsert", "d"), "No such option: --upsert. Did you mean --mode upsert?"),
        (("load", "--insert-missing", "d"), "Did you mean --mode insert-missing?"),
        (("load", "--delimeter", ";", "d"), "Did you mean --delimiter or --trailing-delimiter?"),
        (("verify", "--upsert"), "No such option: --upsert\n"),
        (("runs", "--limt", "5"), "Did you mean --limit?"),
        (("lod",), "No such command 'lod'. Did you mean 'load'?"),
        (("help", "lod"), "No such command 'lod'. Did you mean 'load'?"),
        (("server", "stat"), "Did you mean"),
    ],
)
def test_the_nearest_is_named(words: tuple[str, ...], meant: str, tmp_path: Path) -> None:
    said = call(*words, cwd=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert meant in said.err


def test_the_mode_that_is_proposed_works(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    (tmp_path / "t.csv").write_text("id\n1\n")
    refused = call("load", "t.csv", "--upsert", cwd=tmp_path, url=db)
    proposed = refused.err.partition("Did you mean ")[2].partition("?")[0].split()
    assert call("load", "t.csv", *proposed, "-q", cwd=tmp_path, url=db).code == 0
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (1,)


def complete(line: str, cwd: Path, **variables: str) -> list[str]:
    words = line.split(" ")
    asked = {"_PGSLUICE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    command = [sys.executable, "-c", "from pgsluice.cli import run; run()"]
    kept = environment(**asked, **variables)
    ended = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stderr == ""
    return ended.stdout.split()


def test_completion(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE customers (id int); CREATE TABLE orders (id int); CREATE VIEW other AS SELECT 1")
    assert complete("pgsluice re", tmp_path) == ["rejects", "resume", "replay", "report", "reset"]
    assert complete("pgsluice load --delim", tmp_path) == ["--delimiter"]
    assert complete("pgsluice load --mode up", tmp_path) == ["upsert"]
    assert complete("pgsluice rejects --table o", tmp_path, DATABASE_URL=db) == ["orders"]
    assert complete("pgsluice load --table ", tmp_path, DATABASE_URL=db) == ["customers=", "orders="]
    assert complete("pgsluice rejects --table o", tmp_path) == []
    assert list(tmp_path.iterdir()) == [], "a completion makes no server"


def test_completion_does_not_hang(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d"
        began = time.monotonic()
        assert complete("pgsluice rejects --table o", tmp_path, DATABASE_URL=url) == []
        # The process itself takes its time on a busy machine; a connection would be waited for longer.
        assert time.monotonic() - began < 9


def test_script_of_a_shell(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    kept = environment(HOME=str(home), _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    command = [sys.executable, "-c", "from pgsluice.cli import run; run()", "--install-completion", "bash"]
    ended = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended
    written = [path for path in home.rglob("*") if path.is_file()]
    assert any("_PGSLUICE_COMPLETE=complete_bash" in path.read_text() for path in written)
    assert os.path.isfile(home / ".bashrc")
