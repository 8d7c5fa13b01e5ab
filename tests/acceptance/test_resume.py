"""An interrupted run goes on with the files that it had not staged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import CallError, FileError

ROWS = 20_000
PARTS = 4

TABLES = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, amount numeric(10,2));
"""


@pytest.fixture
def files(conn: psycopg.Connection, tmp_path: Path) -> Path:
    conn.execute(TABLES)
    folder = tmp_path / "data"
    folder.mkdir()
    names = "".join(f"{i},name {i}\n" for i in range(100))
    (folder / "customers.csv").write_text("id,name\n" + names + "1,again\nnone,x\n5,too,many\n")
    for part in range(PARTS):
        rows = "".join(f"{i},{i % 120},1.50\n" for i in range(part * ROWS, (part + 1) * ROWS))
        (folder / f"orders_{part}.csv").write_text("id,customer_id,amount\n" + rows)
    return folder


def interrupted(files: Path, db: str, after: int) -> int:
    """A resumable load that is killed when it has staged so many files; returns its id."""
    command = [sys.executable, "-m", "pgsluice", "load", str(files), "--resumable", "--max-rejects", "all"]
    loading = subprocess.Popen([*command, "--database-url", db], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with psycopg.connect(db, autocommit=True) as watcher:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if watcher.execute("SELECT to_regclass('pgsluice.staged')").fetchone() != (None,):
                row = watcher.execute("SELECT count(*), max(run_id) FROM pgsluice.staged").fetchone()
                assert row is not None
                if row[0] >= after:
                    os.kill(loading.pid, signal.SIGKILL)
                    break
            time.sleep(0.002)
        loading.communicate()
        row = watcher.execute("SELECT max(run_id) FROM pgsluice.run").fetchone()
    assert row is not None
    assert loading.returncode == -signal.SIGKILL, "it ended before it could be killed"
    return int(row[0])


def leftovers(conn: psycopg.Connection) -> list[str]:
    rows = conn.execute("SELECT relname FROM pg_class WHERE relname ~ '^(stage|doubt|fault)_[0-9]'").fetchall()
    return [str(r[0]) for r in rows]


@pytest.mark.parametrize("after", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_resume_goes_on_where_the_run_was_killed(db: str, conn: psycopg.Connection, files: Path, after: int) -> None:
    run = interrupted(files, db, after)
    assert conn.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    ended = call("resume", run, "--json", cwd=files.parent, url=db)
    assert ended.code == 0, ended
    result = ended.json
    assert (result["run_id"], result["status"]) == (run, "published")
    assert sum(f["staged_before"] for t in result["tables"] for f in t["files"]) >= after
    # 20 customers of 120 are not there: a sixth of the orders are orphans.
    orphans = sum(1 for i in range(PARTS * ROWS) if i % 120 >= 100)
    assert conn.execute("SELECT count(*) FROM customers").fetchone() == (100,)
    assert conn.execute("SELECT count(*) FROM orders").fetchone() == (PARTS * ROWS - orphans,)
    books = conn.execute(
        "SELECT sum(rows_read), sum(rows_loaded), sum(rows_rejected) FROM pgsluice.file WHERE run_id = %s", (run,)
    ).fetchone()
    assert books == (PARTS * ROWS + 103, PARTS * ROWS - orphans + 100, orphans + 3)
    first = [(r.file, r.line, r.kind) for r in pgsluice.reject_rows(run, database_url=db)][:3]
    assert [(Path(f).name, line, kind) for f, line, kind in first] == [
        ("customers.csv", 102, "unique"), ("customers.csv", 103, "value"), ("customers.csv", 104, "structure"),
    ]  # fmt: skip
    assert leftovers(conn) == []
    with pytest.raises(CallError, match="cannot be resumed"):
        pgsluice.resume(run, database_url=db)


def test_another_load_drops_what_was_staged(db: str, conn: psycopg.Connection, files: Path) -> None:
    run = interrupted(files, db, 2)
    assert leftovers(conn)
    pgsluice.load(files, database_url=db, max_rejects="all")
    assert leftovers(conn) == []
    assert conn.execute("SELECT count(*) FROM pgsluice.staged").fetchone() == (0,)
    assert conn.execute("SELECT status FROM pgsluice.run WHERE run_id = %s", (run,)).fetchone() == ("interrupted",)


def test_a_staged_file_that_changed_is_noticed(db: str, conn: psycopg.Connection, files: Path) -> None:
    run = interrupted(files, db, 2)
    with (files / "customers.csv").open("a") as more:
        more.write("500,later\n")
    with pytest.raises(FileError, match="have changed"):
        pgsluice.resume(run, database_url=db)
    assert conn.execute("SELECT count(*) FROM customers").fetchone() == (0,)


def test_stages_that_a_crash_emptied_are_made_anew(db: str, conn: psycopg.Connection, files: Path) -> None:
    run = interrupted(files, db, 3)
    for table in leftovers(conn):
        conn.execute(f"TRUNCATE pgsluice.{table}")  # type: ignore[arg-type] # what a crash does to unlogged tables
    result = pgsluice.resume(run, database_url=db)
    assert result.status == "published"
    assert conn.execute("SELECT count(*) FROM customers").fetchone() == (100,)


def test_a_resumable_run_that_is_not_interrupted_leaves_nothing(db: str, conn: psycopg.Connection, files: Path) -> None:
    assert pgsluice.load(files, database_url=db, resumable=True).status == "vetoed"
    assert leftovers(conn) == []
    assert pgsluice.load(files, database_url=db, resumable=True, max_rejects="all").status == "published"
    assert leftovers(conn) == []
