"""No plan depends on luck: loads while another session makes the statistics say what suits it.

The other session acts whenever the load begins a step, so the statistics are always those of the worst moment: ANALYZE
counts no row of the load, and the tables seem to be nearly empty.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from psycopg import sql

import pgsluice
from pgsluice.model import Progress
from shop_files import write_files

SCHEMA = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL UNIQUE, age int CHECK (age >= 18), note text);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, amount numeric NOT NULL, at timestamptz);
CREATE TABLE items (
    id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, customer_id int REFERENCES customers, n int);
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON items (order_id);
CREATE INDEX ON items (customer_id);
INSERT INTO customers SELECT n, 'c' || n || '@x', 20 + n % 50, 'old' FROM generate_series(1, {rows}) AS n;
INSERT INTO orders SELECT n, 1 + n % {rows}, n % 97, '2024-01-01'::timestamptz FROM generate_series(1, {rows}) AS n;
INSERT INTO items SELECT n, 1 + n % {rows}, 1 + n % {rows}, n % 97 FROM generate_series(1, {rows}) AS n;
"""
TABLES = ("customers", "orders", "items")
SHARE, NOISE = 20, 1.0
"""A statement may take this many times its time under good statistics, and some seconds."""
LIMIT = "20s"
"""A statement that takes longer fails, so that a hang does not stop the tests."""

MODES: dict[str, dict[str, Any]] = {
    "append": {},
    "upsert": {"mode": "upsert"},
    "insert-missing": {"mode": "insert-missing"},
    "synchronise": {"mode": "upsert", "delete_missing": True},
    "replace": {"mode": "replace"},
}


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Measures the statements that psycopg executes: the seconds of each, by its text without numbers."""
    seconds: dict[str, float] = defaultdict(float)
    execute = psycopg.Cursor.execute

    def measured(cursor: psycopg.Cursor, statement: Any, *args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        try:
            return execute(cursor, statement, *args, **kwargs)
        finally:
            text = statement if isinstance(statement, str | bytes) else statement.as_string(cursor)
            seconds[str(text).removeprefix("SET LOCAL enable_nestloop = off; ")[:300]] += time.monotonic() - began

    with mock.patch.object(psycopg.Cursor, "execute", measured):
        yield seconds


def at_each_step(act: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """A listener that acts when a step begins."""
    seen = set()

    def listen(progress: Progress) -> None:
        key = (progress.phase, progress.table, progress.step)
        if key not in seen:
            seen.add(key)
            act(progress)

    return listen


def content(conn: psycopg.Connection) -> list[object]:
    texts = "SELECT md5(string_agg(t::text, ',' ORDER BY t.id)) FROM {} AS t"
    return [conn.execute(texts.format(t)).fetchone() for t in TABLES]  # type: ignore[arg-type]


def fill(conn: psycopg.Connection, rows: int) -> None:
    conn.execute("DROP TABLE IF EXISTS customers, orders, items")
    conn.execute(SCHEMA.format(rows=rows))  # type: ignore[arg-type]
    name = sql.Identifier(conn.info.dbname)
    conn.execute(sql.SQL("ALTER DATABASE {} SET statement_timeout = {}").format(name, sql.Literal(LIMIT)))


@pytest.mark.share(3)
@pytest.mark.parametrize("bad", [False, True], ids=["clean", "rejects"])
@pytest.mark.parametrize("mode", MODES)
def test_no_statement_takes_more_than_its_share(
    mode: str, bad: bool, conn: psycopg.Connection, db: str, tmp_path: Path
) -> None:
    first = 100_001 if mode == "append" and not bad else 1
    files = write_files(tmp_path / "files", first, 100 if bad else None, 2500)

    def count(_: Progress) -> None:
        with suppress(psycopg.errors.LockNotAvailable):
            conn.execute("ANALYZE customers, orders, items")

    conn.execute("SET lock_timeout = '50ms'")
    options = {"database_url": db, "data_dir": str(tmp_path), "max_rejects": "all", "again": True, **MODES[mode]}
    found = []
    for listen in (None, at_each_step(count)):
        fill(conn, 50)
        with timed() as seconds:
            pgsluice.load(files, **options, **({"listen": listen} if listen else {}))
        found.append((seconds, content(conn)))
    (usual, expected), (seen, rows) = found
    assert rows == expected
    slow = {text: (s, usual.get(text)) for text, s in seen.items() if s > SHARE * usual.get(text, 0) + NOISE}
    assert not slow


def load_with(db: str, conn: psycopg.Connection, folder: Path, mode: str, at: str, statement: str) -> list[str]:
    """A load during which another session executes a statement when ``at`` begins; returns the steps of the load."""
    fill(conn, 600)
    files = write_files(folder / "files", 100_001, None, 2000)
    steps = []
    with ThreadPoolExecutor(1) as pool:

        def act(progress: Progress) -> None:
            steps.append(f"{progress.phase} {progress.table} {progress.step}".strip())
            if steps[-1] == at:
                done = pool.submit(conn.execute, statement)  # type: ignore[arg-type]
                # CONCURRENTLY waits for the end of the load. It has its lock by then.
                with suppress(TimeoutError):
                    done.result(0.5)

        result = pgsluice.load(files, database_url=db, data_dir=str(folder), mode=mode, listen=at_each_step(act))
    assert result.status == "published"
    assert conn.execute("SELECT count(*) FROM items").fetchone() == (18_600,)
    return steps


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_analyze_by_another_session(mode: str, conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    """The join of orders with their customers was a nested loop over all pairs."""
    began = time.monotonic()
    load_with(db, conn, tmp_path, mode, "stage orders", "ANALYZE customers")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("mode", ["append", "upsert"])
@pytest.mark.parametrize(
    "statement",
    [
        "REINDEX INDEX CONCURRENTLY customers_pkey",
        "CREATE INDEX CONCURRENTLY late ON customers (note)",
        "REINDEX TABLE CONCURRENTLY orders",
    ],
)
def test_index_builds_wait_without_a_deadlock(
    statement: str, mode: str, conn: psycopg.Connection, db: str, tmp_path: Path
) -> None:
    """ANALYZE before the commit would wait for the build, which waits for the load."""
    steps = load_with(db, conn, tmp_path, mode, "stage orders", statement)
    assert not [step for step in steps if step.startswith("wait")]
    assert conn.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone() == (0,)
