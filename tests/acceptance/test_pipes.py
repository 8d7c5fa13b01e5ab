"""Standard input, pipes and process substitution: read once, loaded like files."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

Conn = psycopg.Connection[tuple[Any, ...]]

PGSLUICE = [sys.executable, "-m", "pgsluice"]


def shell(command: str, db: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    text = command.replace("pgsluice", shlex.join(PGSLUICE))
    environment = os.environ | {"DATABASE_URL": db, "TMPDIR": str(folder / "tmp")}
    (folder / "tmp").mkdir(exist_ok=True)
    return subprocess.run(
        ["bash", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, **options
    )


@pytest.fixture
def table(conn: Conn, tmp_path: Path) -> Conn:
    conn.execute("CREATE TABLE events (id int PRIMARY KEY, name text)")
    (tmp_path / "a.csv").write_text("id,name\n" + "".join(f"{i},n{i}\n" for i in range(50_000)))
    return conn


@pytest.mark.parametrize(
    "command",
    [
        "cat a.csv | pgsluice load - --table events=-",
        pytest.param("pgsluice load - --table events=- < a.csv", marks=pytest.mark.slow),
        pytest.param("cat a.csv | pgsluice load /dev/stdin --table 'events=*'", marks=pytest.mark.slow),
        "pgsluice load <(cat a.csv) --table 'events=*'",
        "gzip -c a.csv | pgsluice load - --table events=-",
        "mkfifo events.csv; (sleep 1; cat a.csv > events.csv) & pgsluice load events.csv",
    ],
)
def test_pipes(table: Conn, db: str, tmp_path: Path, command: str) -> None:
    ended = shell(command, db, tmp_path)
    assert ended.returncode == 0, ended
    assert table.execute("SELECT count(*), sum(id) FROM events").fetchone() == (50_000, 1249975000)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_rejects_of_standard_input_have_their_lines(table: Conn, db: str, tmp_path: Path) -> None:
    ended = shell("printf 'id,name\\n1,a\\nx,b\\n' | pgsluice load - --table events=- --max-rejects all", db, tmp_path)
    assert ended.returncode == 0, ended
    assert table.execute("SELECT file, line, raw FROM pgsluice.reject").fetchall() == [("-", 3, "x,b")]
    again = shell("printf 'id,name\\n1,a\\nx,b\\n' | pgsluice load - --table events=-", db, tmp_path)
    assert "already loaded" in again.stdout


def test_what_cannot_be_read(table: Conn, db: str, tmp_path: Path) -> None:
    for command, words in {
        "pgsluice load - --table events=- < /dev/null": "-: the file is empty",
        "pgsluice load - < a.csv": "-: no table is called '-'",
        "pgsluice load - --table events=- --resumable < a.csv": "-: a run that reads a pipe cannot be resumed",
        "pgsluice load - --table events=- <&-": "-: standard input is closed",
        "pgsluice load /dev/zero --table 'events=*'": "/dev/zero: this is no file but a device",
    }.items():
        ended = shell(command, db, tmp_path)
        assert ended.returncode == 2, ended
        assert words in ended.stderr, ended
        assert "Traceback" not in ended.stderr


def test_a_pipe_that_nobody_writes_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pgsluice.errors import FileError
    from pgsluice.model import DialectOptions
    from pgsluice.source.discover import discover
    from pgsluice.source.places import spool

    monkeypatch.setattr(spool, "_WRITER_WAIT", 0.2)
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(FileError, match=r"t.csv: no program writes into this pipe"):
        discover([str(tmp_path / "t.csv")], DialectOptions())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_no_room_for_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    from pgsluice.errors import FileError
    from pgsluice.source.places import spool

    monkeypatch.setattr(spool.tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb", buffering=0))  # noqa: SIM115
    with pytest.raises(FileError, match=r"-: no room for a copy in .* .No space left"):
        spool.Spool("-", [b"x"])
