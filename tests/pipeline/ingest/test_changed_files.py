"""A file that changes between plan and read ends the run: nothing is published, and the message says what changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import psycopg
import pytest

from command import Ended, call
from pgsluice import api
from pgsluice.errors import FileError
from pgsluice.model import Mode, Progress, Strategy
from pgsluice.options import restore_options
from pgsluice.pipeline.plan import strategy

Connection = psycopg.Connection[tuple[object, ...]]
Change = Callable[[Path], object]

TABLES = "CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL, c int)"
OLD = 12_000
NEW = "a,b,c\n" + "".join(f"{n},{2 * n},{3 * n}\n" for n in range(OLD))

AFTER_PLAN = "pgsluice.pipeline.run.warm_up"
"""What a run calls between discovery and plan."""

CHANGES: dict[str, tuple[Change, str]] = {
    "empty": (lambda p: p.write_bytes(b""), "bytes, now 0)"),
    "half": (lambda p: os.truncate(p, len(NEW) // 2), f"bytes, now {len(NEW) // 2:,})"),
    "columns": (lambda p: p.write_text(NEW.replace("a,b,c", "b,a,c")), "it was written again"),
    "delimiter": (lambda p: p.write_text(NEW.replace(",", ";")), "it was written again"),
    "vanished": (lambda p: p.unlink(), "no file has its name any more"),
}
MODES: dict[str, tuple[list[str], int]] = {
    "replace": (["--mode", "replace"], strategy.SWAP_BYTES),
    "swap": (["--mode", "replace"], 0),
    "delete-missing": (["--mode", "upsert", "--delete-missing"], strategy.SWAP_BYTES),
    "upsert": (["--mode", "upsert"], strategy.SWAP_BYTES),
    "resumable": (["--mode", "replace", "--resumable"], strategy.SWAP_BYTES),
}


@pytest.fixture
def path(conn: Connection, tmp_path: Path) -> Path:
    """The file of a table that holds other rows."""
    conn.execute(TABLES)
    conn.execute("INSERT INTO t SELECT n, n, n FROM generate_series(0, %s) AS n", (OLD - 1,))
    path = tmp_path / "t.csv"
    path.write_text(NEW)
    return path


def content(conn: Connection) -> tuple[object, ...] | None:
    return conn.execute("SELECT count(*), sum(b)::bigint, sum(c)::bigint FROM t").fetchone()


BEFORE = (OLD, sum(range(OLD)), sum(range(OLD)))


def load(path: Path, db: str, options: list[str], change: Callable[[], object]) -> Ended:
    """The command, with a change of its file between the plan of the file and the rest of the run."""
    with mock.patch(AFTER_PLAN, side_effect=change):
        return call("load", path.name, *options, cwd=path.parent, url=db)


@pytest.mark.share(3)
@pytest.mark.parametrize(("options", "swap_bytes"), MODES.values(), ids=MODES)
@pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=CHANGES)
def test_changed_after_the_plan(
    db: str, conn: Connection, path: Path, options: list[str], swap_bytes: int, change: Change, words: str
) -> None:
    with mock.patch.object(strategy, "SWAP_BYTES", swap_bytes):
        ended = load(path, db, options, lambda: change(path))
    ended.complaint(2, "t.csv: the file has changed since it was planned", words, "nothing was published")
    assert content(conn) == BEFORE
    row = conn.execute("SELECT status, detail FROM pgsluice.run").fetchone()
    assert row is not None
    assert row[0] == "failed"
    assert words in str(row[1])


def test_a_swap_is_what_the_test_says(db: str, path: Path) -> None:
    with mock.patch.object(strategy, "SWAP_BYTES", 0):
        assert api.plan(path, database_url=db, mode="replace").tables[0].strategy is Strategy.SWAP


@pytest.mark.parametrize("mode", list(Mode))
def test_changed_while_an_earlier_file_is_loaded(db: str, conn: Connection, path: Path, mode: Mode) -> None:
    """The window is the time of all tables before: the file of the second table changes while the first is loaded."""
    conn.execute("CREATE TABLE u (id int PRIMARY KEY, t_a int REFERENCES t)")
    later = path.with_name("u.csv")
    later.write_text("id,t_a\n" + "".join(f"{n},{n}\n" for n in range(1000)))

    def listen(event: Progress) -> None:
        if event.phase == "plan":
            later.write_text("id,t_a\n1,1\n")

    with pytest.raises(FileError, match=r"u\.csv: the file has changed since it was planned"):
        api.load(path, later, database_url=db, mode=mode, listen=listen, max_rejects="all")
    assert content(conn) == BEFORE
    assert conn.execute("SELECT count(*) FROM u").fetchone() == (0,)


def test_a_file_that_changes_is_not_skipped_as_loaded(db: str, conn: Connection, tmp_path: Path) -> None:
    """The content of another version of the file is known, and the file becomes that version after its plan."""
    conn.execute(TABLES)
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n1,1,1\n")
    api.load(path, database_url=db)
    path.write_text("a,b,c\n2,2,2\n")
    load(path, db, [], lambda: path.write_text("a,b,c\n1,1,1\n")).complaint(2, "has changed since it was planned")
    path.write_text("a,b,c\n2,2,2\n")
    assert load(path, db, [], lambda: None).code == 0
    assert conn.execute("SELECT array_agg(a ORDER BY a) FROM t").fetchone() == ([1, 2],)


def test_a_staged_file_that_changes_while_its_run_is_resumed(db: str, conn: Connection, path: Path) -> None:
    other = path.with_name("t_2.csv")
    other.write_text("a,b,c\n" + "".join(f"{n},1,1\n" for n in range(OLD, OLD + 10)))

    def listen(event: Progress) -> None:
        if event.phase == "stage" and event.rows > OLD:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.load(path, other, database_url=db, mode="replace", resumable=True, listen=listen)
    assert conn.execute("SELECT path FROM pgsluice.staged").fetchall() == [(str(path),)]
    with (
        mock.patch(AFTER_PLAN, side_effect=lambda: path.write_text("a,b,c\n")),
        pytest.raises(FileError, match=r"t\.csv: the file has changed since it was planned"),
    ):
        api.resume(1, database_url=db)
    assert content(conn) == BEFORE
    path.write_text(NEW)
    assert api.resume(1, database_url=db).status == "published"
    assert content(conn) == (OLD + 10, 2 * sum(range(OLD)) + 10, 3 * sum(range(OLD)) + 10)


def test_the_ledger_has_the_size_of_what_was_read(db: str, conn: Connection, path: Path) -> None:
    api.load(path, database_url=db, mode="replace")
    assert conn.execute("SELECT bytes, rows_read FROM pgsluice.file").fetchone() == (len(NEW), OLD)


# --------------------------------------------------------------------------- --settle


def test_settle(db: str, conn: Connection, path: Path) -> None:
    ended = call("load", "t.csv", "--mode", "replace", "--settle", "3600", cwd=path.parent, url=db)
    ended.complaint(2, "t.csv: the file may not be complete: it was written", "--settle", "Load it again later")
    assert content(conn) == BEFORE
    assert conn.execute("SELECT to_regnamespace('pgsluice')").fetchone() == (None,)
    os.utime(path, (0, time.time() - 3601))
    assert call("load", "t.csv", "--mode", "replace", "--settle", "3600", cwd=path.parent, url=db).code == 0
    stored = conn.execute("SELECT options FROM pgsluice.run").fetchone()
    assert stored is not None
    options = stored[0]
    assert isinstance(options, dict)
    assert restore_options(options).settle == 3600
    # An older pgsluice wrote no such option.
    del options["settle"]
    assert restore_options(options).settle == 0


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_settle_is_a_number_of_seconds(path: Path, db: str, seconds: str) -> None:
    ended = call("load", "t.csv", "--settle", seconds, cwd=path.parent, url=db)
    ended.complaint(2, f"--settle {seconds} is no age of a file", "Say seconds")
