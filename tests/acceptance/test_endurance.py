"""Many loads in one process leave nothing behind, and a full disk loses nothing."""

from __future__ import annotations

import gc
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import run
from pgsluice.postgres.embedded import server as embedded

Connection = psycopg.Connection[tuple[object, ...]]

SCHEMA = """
CREATE TABLE items (id int PRIMARY KEY, v text NOT NULL);
CREATE TABLE parts (id int PRIMARY KEY, item_id int NOT NULL REFERENCES items, v text);
CREATE INDEX ON parts (item_id);
"""
LEFT = """
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'pg_temp%'),
       (SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text NOT IN
         ('pg_catalog', 'pg_toast', 'information_schema', 'public', 'pgsluice') AND relkind = 'r'),
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()),
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
       (SELECT count(*) FROM pgsluice.run WHERE status = 'running')
"""
"""What a load must not leave: temporary tables, tables elsewhere, sessions, advisory locks, open runs."""


def write(folder: Path, number: int) -> None:
    """A set of files whose rows are new in each call; each fifth set has a row that PostgreSQL refuses."""
    folder.mkdir(exist_ok=True)
    first = number * 20
    items = [f"{first + i},v{number}" for i in range(20)]
    parts = [f"{first + i},{first + i if number % 5 else -1 if i == 7 else first + i},x" for i in range(20)]
    (folder / "items.csv").write_text("\n".join(["id,v", *items, ""]))
    (folder / "parts.csv").write_text("\n".join(["id,item_id,v", *parts, ""]))


def resident() -> int:
    """The memory of this process, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


@pytest.mark.slow
def test_two_hundred_loads_in_one_process_leave_nothing_behind(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    folder = tmp_path / "in"
    seen: list[tuple[int, int]] = []
    for number in range(200):
        write(folder, number)
        mode = ["append", "upsert", "insert-missing", "replace"][number % 4]
        allowed = "all" if number % 2 else 0
        result = pgsluice.load(
            folder, database_url=db, data_dir=str(tmp_path), mode=mode, max_rejects=allowed, resumable=number % 7 == 3
        )
        assert result.status == ("vetoed" if number % 10 == 0 else "published"), number
        if number % 50 == 49:
            gc.collect()
            assert conn.execute(LEFT).fetchone() == (0, 0, 0, 0, 0)
            seen.append((resident(), len(os.listdir("/proc/self/fd"))))
    assert conn.execute("SELECT count(*) FROM pgsluice.run").fetchone() == (200,)
    megabytes, handles = zip(*seen, strict=True)
    assert handles[-1] <= handles[0], seen
    assert megabytes[-1] <= megabytes[0] + 20, seen


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 110 MB, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=110m,mode=0755", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    for above in [folder, *folder.parents][:-2]:
        # The server runs as another user than root.
        above.chmod(above.stat().st_mode | 0o111)
    try:
        yield folder
    finally:
        embedded.stop(folder / "data")
        subprocess.run(["umount", "-l", str(folder)], check=True)


def restarted(data: Path) -> Connection:
    """A connection to the server, which restarts by itself if it could not write its log of changes."""
    limit = time.monotonic() + 60
    while True:
        try:
            return psycopg.connect(embedded.start(data), autocommit=True)
        except psycopg.OperationalError:
            assert time.monotonic() < limit
            time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append", "upsert", "replace"])
def test_a_full_disk_publishes_nothing_and_the_same_load_goes_through_later(
    small_disk: Path, tmp_path: Path, mode: str
) -> None:
    data, files = small_disk / "data", tmp_path / "in"
    uri = embedded.start(data)
    files.mkdir()
    rows = 200_000
    (files / "items.csv").write_text("id,v\n" + "".join(f"{i},{'x' * 300}\n" for i in range(rows)))
    with psycopg.connect(uri, autocommit=True) as conn:
        conn.execute(SCHEMA)
        conn.execute("INSERT INTO items VALUES (-1, 'before')")
        conn.execute("ALTER SYSTEM SET max_wal_size = '32MB'")
        conn.execute("SELECT pg_reload_conf()")
    load = ("load", files, "--mode", mode)
    failed = run(*load, cwd=tmp_path, url=uri)
    assert failed.code == 3, failed
    assert "Traceback" not in failed.err
    assert failed.err.count("pgsluice: ") == 1, failed
    subprocess.run(["mount", "-o", "remount,size=2g", str(small_disk)], check=True)
    with restarted(data) as conn:
        assert conn.execute("SELECT id, v FROM items").fetchall() == [(-1, "before")]
    again = run(*load, cwd=tmp_path, url=uri)
    assert again.code == 0, again
    with psycopg.connect(uri, autocommit=True) as conn:
        kept = 0 if mode == "replace" else 1
        assert conn.execute("SELECT count(*) FROM items").fetchone() == (rows + kept,)
        assert conn.execute("SELECT count(*) FROM pgsluice.run WHERE status = 'running'").fetchone() == (0,)
