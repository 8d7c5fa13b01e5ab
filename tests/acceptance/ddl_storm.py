"""The storm: loads in every mode, while other sessions build indexes, VACUUM and ANALYZE at random moments.

    python tests/acceptance/ddl_storm.py [--rounds N] [--seed N]

The statistics of the tables then say anything between "empty" and the truth, and locks come and go. Each load must end
with the rows of an undisturbed load, and none may take ten times as long as the others of its mode.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from unittest import mock

import psycopg
from psycopg import sql

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pgsluice
from pgsluice.pipeline.plan import strategy
from pgsluice.postgres.embedded import server as embedded
from shop_files import write_files

SCHEMA = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL UNIQUE, age int CHECK (age >= 18), note text);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, amount numeric NOT NULL, at timestamptz);
CREATE INDEX orders_customer ON orders (customer_id);
CREATE TABLE items (
    id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, customer_id int REFERENCES customers, n int);
CREATE INDEX items_order ON items (order_id);
CREATE INDEX items_customer ON items (customer_id);
"""
TABLES = ("customers", "orders", "items")
INDEXES = ("customers_pkey", "customers_email_key", "orders_pkey", "orders_customer", "items_pkey", "items_order")
ROWS = """
TRUNCATE customers, orders, items;
INSERT INTO customers SELECT n, 'c' || n || '@x', 20 + n % 50, 'old' FROM generate_series(1, {rows}) AS n;
INSERT INTO orders SELECT n, 1 + n % {rows}, n % 97, '2024-01-01'::timestamptz + n * interval '1 min'
  FROM generate_series(1, 2 * {rows}) AS n;
INSERT INTO items SELECT n, 1 + n % (2 * {rows}), 1 + n % {rows}, n % 97 FROM generate_series(1, 2 * {rows}) AS n;
"""
CONTENT = "SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t.id), '')), count(*) FROM {} AS t"
INVALID = """
SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid AND indrelid::regclass::text = ANY (%s)
UNION SELECT relname FROM pg_class WHERE relname = 'storm'
"""

MODES: dict[str, tuple[dict[str, object], int, bool]] = {
    "append to empty": ({}, 0, False),
    "append": ({}, 300, False),
    "append with rejects": ({}, 300, True),
    "upsert": ({"mode": "upsert"}, 600, False),
    "upsert with rejects": ({"mode": "upsert"}, 600, True),
    "synchronise": ({"mode": "upsert", "delete_missing": True}, 600, True),
    "insert-missing": ({"mode": "insert-missing"}, 600, True),
    "replace": ({"mode": "replace"}, 300, False),
    "replace by swap": ({"mode": "replace"}, 6000, False),
}
"""For each mode: options, rows of ``customers`` before the load (the other tables have twice as many), and whether the
files have bad rows."""

TIMES = 10
NOISE = 4.0
"""Seconds that a round may always take: two deadlocks that PostgreSQL resolves, and a busy machine."""


class Storm:
    """Two sessions that disturb: one builds indexes concurrently, the other changes statistics."""

    def __init__(self, uri: str, seed: int) -> None:
        self._uri = uri
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._blow, args=(act, seed + i), daemon=True)
            for i, act in enumerate((self._build, self._count))
        ]

    def __enter__(self) -> Storm:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _blow(self, act: object, seed: int) -> None:
        dice = random.Random(seed)
        with psycopg.connect(self._uri, autocommit=True) as conn:
            while not self._end.wait(dice.expovariate(8)):
                # A deadlock may end the statement of this session.
                with suppress(psycopg.errors.OperationalError, psycopg.errors.ProgrammingError):
                    act(conn, dice)  # type: ignore[operator]

    def _build(self, conn: psycopg.Connection, dice: random.Random) -> None:
        if dice.random() < 0.6:
            conn.execute(f"REINDEX INDEX CONCURRENTLY {dice.choice(INDEXES)}")  # type: ignore[arg-type]
            return
        table = dice.choice(TABLES)
        column = {"customers": "note", "orders": "amount", "items": "n"}[table]
        # A deadlock leaves an invalid index behind.
        conn.execute("DROP INDEX CONCURRENTLY IF EXISTS storm")
        conn.execute(f"CREATE INDEX CONCURRENTLY storm ON {table} ({column})")  # type: ignore[arg-type]
        conn.execute("DROP INDEX CONCURRENTLY storm")

    def _count(self, conn: psycopg.Connection, dice: random.Random) -> None:
        conn.execute("SET lock_timeout = '200ms'")
        what = dice.choice(("ANALYZE", "ANALYZE", "ANALYZE", "VACUUM", "VACUUM ANALYZE", "VACUUM FULL"))
        conn.execute(f"{what} {dice.choice(TABLES)}")  # type: ignore[arg-type]


class Rounds:
    """Rounds on one database. Each has a mode, a seed, a time and perhaps a complaint."""

    def __init__(self, uri: str, folder: Path, scale: int = 1000) -> None:
        self._uri = uri
        self._folder = folder
        self._scale = scale
        self._expected: dict[str, object] = {}
        self.seconds: dict[str, list[float]] = {}
        with psycopg.connect(uri, autocommit=True) as conn:
            conn.execute(SCHEMA)  # type: ignore[arg-type]
            conn.execute(
                sql.SQL("ALTER DATABASE {} SET statement_timeout = '60s'").format(sql.Identifier(conn.info.dbname))
            )

    def play(self, mode: str, seed: int) -> str:
        """Plays a round; returns what is wrong, or ''."""
        if mode not in self._expected:
            self._load(mode)
            self._expected[mode] = self._content()
        self._reset(mode)
        with Storm(self._uri, seed):
            began = time.monotonic()
            status = self._load(mode, reset=False)
            self.seconds.setdefault(mode, []).append(time.monotonic() - began)
        wrong = [] if status == "published" else [f"the load ended as {status}"]
        if self._content() != self._expected[mode]:
            wrong.append("the rows differ from those of an undisturbed load")
        return ", ".join(wrong)

    def slow(self) -> list[str]:
        """The rounds that took too long beside the others of their mode."""
        found = []
        for mode, seconds in self.seconds.items():
            bound = TIMES * statistics.median(seconds) + NOISE
            found += [f"{mode}: {s:.1f} s, more than {bound:.1f} s" for s in seconds if s > bound]
        return found

    def _load(self, mode: str, *, reset: bool = True) -> str:
        options, rows, bad = MODES[mode]
        files = self._folder / f"{rows}-{mode.split()[0]}-{bad}"
        if not files.exists():
            # Half of the rows of the tables are in the files; in the mode append none. A bad row whose key the table
            # has would keep a row that other rows reference, so no bad row has such a key.
            first = 100_001 if mode.startswith("append") else 1 + rows // 2
            write_files(files, first, max(first, 2 * rows) + 20 if bad else None, self._scale)
        if reset:
            self._reset(mode)
        small = 0 if mode == "replace by swap" else strategy.SWAP_BYTES
        with mock.patch.object(strategy, "SWAP_BYTES", small):
            return pgsluice.load(
                files,
                database_url=self._uri,
                data_dir=str(self._folder / "reports"),
                max_rejects="all",
                again=True,
                **options,  # type: ignore[arg-type]
            ).status

    def _reset(self, mode: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as conn:
            for (index,) in conn.execute(INVALID, (list(TABLES),)).fetchall():
                conn.execute(f"DROP INDEX {index}")
            conn.execute(ROWS.format(rows=MODES[mode][1]) if MODES[mode][1] else "TRUNCATE customers, orders, items")

    def _content(self) -> object:
        with psycopg.connect(self._uri) as conn:
            return [conn.execute(CONTENT.format(t)).fetchone() for t in TABLES]  # type: ignore[arg-type]


def main() -> int:
    parser = argparse.ArgumentParser(description="loads under a storm of DDL")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    folder = Path(tempfile.mkdtemp(prefix="sluice-storm-"))
    folder.chmod(0o711)
    bad = 0
    try:
        uri = embedded.start(folder / "server")
        rounds = Rounds(uri, folder / "files")
        modes = list(MODES)
        for i in range(options.rounds):
            mode = modes[i % len(modes)]
            if wrong := rounds.play(mode, options.seed + 2 * i):
                bad += 1
                print(f"round {i} (seed {options.seed + 2 * i}), {mode}: {wrong}", flush=True)
        for mode, seconds in rounds.seconds.items():
            median = statistics.median(seconds)
            print(f"{mode:20} {len(seconds):4} rounds, median {median:.2f} s, longest {max(seconds):.2f} s")
        slow = rounds.slow()
        print("\n".join(slow) or "no round is too slow")
        return 1 if bad or slow else 0
    finally:
        embedded.stop(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
