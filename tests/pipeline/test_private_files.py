"""Who may read reports and the folder of the embedded server."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pgsluice
from pgsluice.postgres.embedded import server as embedded
from pgsluice.postgres.embedded.processes import make_private
from pgsluice.private_files import create_file

Conn = psycopg.Connection[Any]


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The umask takes nothing away, so that a test sees what pgsluice itself takes away."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def file(conn: Conn, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE t (a int PRIMARY KEY)")
    path = tmp_path / "t.csv"
    path.write_text("a\n1\nx\n")
    return path


def mode(path: Path | str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def load(file: Path, db: str, folder: Path) -> Path:
    path = pgsluice.load(file, database_url=db, data_dir=str(folder)).rejects.path
    assert path is not None
    assert "x" in Path(path).read_text()
    return Path(path)


def test_a_new_folder(db: str, file: Path, tmp_path: Path) -> None:
    report = load(file, db, tmp_path / "above" / "d")
    assert mode(report) == 0o600
    assert mode(report.parent) == mode(tmp_path / "above" / "d") == 0o700
    assert mode(tmp_path / "above") == 0o777  # this folder is not pgsluice's own


def test_a_replay(db: str, file: Path, tmp_path: Path) -> None:
    path = pgsluice.load(file, database_url=db, data_dir=str(tmp_path / "d"), max_rejects="all").rejects.path
    again = pgsluice.replay(1, str(path), database_url=db, data_dir=str(tmp_path / "d"), max_rejects="all").rejects
    assert again.path is not None
    assert mode(again.path) == 0o600


@pytest.mark.parametrize("name", [".pgsluice", "d"])
def test_a_folder_of_an_older_version_is_closed(db: str, file: Path, tmp_path: Path, name: str) -> None:
    rejects = tmp_path / name / "rejects"
    rejects.mkdir(parents=True, mode=0o755)
    (tmp_path / name).chmod(0o755)
    (rejects / "run-7-20260101T000000_2.csv").write_text("")
    load(file, db, tmp_path / name)
    assert mode(rejects) == 0o700
    # A folder of another name may be the user's own, and has nothing to read but the folder of the reports.
    assert mode(tmp_path / name) == (0o700 if name == ".pgsluice" else 0o755)


def test_a_folder_that_others_use_stays_as_it_is(db: str, file: Path, tmp_path: Path) -> None:
    rejects = tmp_path / ".pgsluice" / "rejects"
    rejects.mkdir(parents=True, mode=0o755)
    (tmp_path / ".pgsluice").chmod(0o755)
    (tmp_path / ".pgsluice" / "mine.txt").touch()
    (rejects / "notes.txt").touch()
    assert mode(load(file, db, tmp_path / ".pgsluice")) == 0o600
    assert mode(rejects) == mode(tmp_path / ".pgsluice") == 0o755


def test_a_link_in_the_place_of_a_report_is_not_followed(db: str, file: Path, tmp_path: Path) -> None:
    rejects = tmp_path / "d" / "rejects"
    rejects.mkdir(parents=True)
    victim, nowhere = tmp_path / "victim", tmp_path / "nowhere"
    victim.write_text("mine")
    for second in range(60):
        name = f"run-1-{datetime.now(UTC) + timedelta(seconds=second):%Y%m%dT%H%M%S}"
        (rejects / f"{name}.csv").symlink_to(victim)
        (rejects / f"{name}_2.csv").symlink_to(nowhere)
    report = load(file, db, tmp_path / "d")
    assert report.name.endswith("_3.csv")
    assert victim.read_text() == "mine"
    assert not nowhere.exists()
    with pytest.raises(FileExistsError):
        create_file(rejects / f"{name}.csv")


def test_the_embedded_server(file: Path) -> None:
    """As root the system user of the server has to pass through the folder; nobody can list it."""
    expected = 0o711 if os.geteuid() == 0 else 0o700
    with tempfile.TemporaryDirectory(prefix="sluice-", ignore_cleanup_errors=True) as above:
        base = Path(above) / ".pgsluice"
        try:
            with psycopg.connect(embedded.start(base), autocommit=True) as conn:
                conn.execute("CREATE TABLE t (a int PRIMARY KEY)")
            assert mode(base) == expected
            assert mode(base / "server") == 0o700
            assert mode(base / "server.lock") == 0o600
            base.chmod(0o755)
            report = pgsluice.load(file, data_dir=str(base)).rejects.path
            assert report is not None
            assert (mode(base), mode(base / "rejects"), mode(report)) == (expected, 0o700, 0o600)
            embedded.stop(base)
            base.chmod(0o755)
            with psycopg.connect(embedded.start(base)) as conn:
                assert conn.execute("SELECT count(*) FROM t").fetchone() == (0,)
            assert mode(base) == expected
        finally:
            embedded.stop(base)


def test_a_folder_in_which_initdb_runs_stays_passable(tmp_path: Path) -> None:
    """Another process may be making the server: it has the lock, and no data folder yet."""
    base = tmp_path / ".pgsluice"
    base.mkdir()
    (base / "server.lock").touch()
    base.chmod(0o755)
    make_private(base)
    assert mode(base) == (0o711 if os.geteuid() == 0 else 0o700)
