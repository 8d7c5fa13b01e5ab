"""Faults while rules are asked, tables are derived and a run is published: readers see tables and aggregates agree.

A gate stops the load where the test wants it: rules and a definition call a function that waits for an advisory lock. A
reader looks all the time.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import pytest

import pgsluice
from command import call, end, start

Connection = psycopg.Connection[tuple[object, ...]]

GATE = 4713
PATIENCE = 90.0
ROWS = 400

SCHEMA = f"""
CREATE TABLE kinds (kind int PRIMARY KEY, name text NOT NULL);
CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL REFERENCES kinds, amount int NOT NULL);
CREATE FUNCTION gate(phase text) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = 0 AS $$
BEGIN
  IF current_setting('gate.phase', true) = phase THEN
    PERFORM pg_advisory_xact_lock_shared({GATE});
  END IF;
  RETURN true;
END $$;
"""
DERIVED = {
    "by_kind": "-- incremental by: kind\n-- unique index: kind\n"
    "SELECT kind, count(*) AS items, sum(amount) AS amount FROM items GROUP BY kind",
    "by_name": "SELECT name, sum(amount) AS amount FROM items JOIN kinds USING (kind) GROUP BY name",
    # Readers do not wait for a materialized view with a unique index.
    "totals": "-- materialized: matview\n-- unique index: gate\n"
    "SELECT gate('derive') AS gate, sum(amount) AS amount FROM by_kind",
}
SETTINGS = """
[load]
paths = ["in"]
derive = ["derive"]
mode = "upsert"
max_rejects = 0
[rules.row]
table = "items"
check = "gate('row rule') AND amount >= 0"
[rules.set]
query = "SELECT 1 FROM totals WHERE NOT gate('set rule') OR amount > 1000000"
"""
AGREE = """
SELECT (SELECT sum(amount) FROM items), (SELECT sum(amount) FROM by_kind), (SELECT sum(amount) FROM by_name),
       (SELECT sum(amount) FROM totals), (SELECT count(*) FROM items), (SELECT sum(items) FROM by_kind)
"""


def write(folder: Path, first: int, count: int, amount: int) -> None:
    (folder / "in").mkdir(exist_ok=True)
    rows = [f"{n},{n % 20},{amount}" for n in range(first, first + count)]
    (folder / "in" / "items.csv").write_text("\n".join(["id,kind,amount", *rows, ""]))


@pytest.fixture
def shop(db: str, conn: Connection, tmp_path: Path) -> Path:
    conn.execute(SCHEMA)
    conn.execute("INSERT INTO kinds SELECT n, 'k' || n % 7 FROM generate_series(0, 19) AS n")
    (tmp_path / "derive").mkdir()
    for name, text in DERIVED.items():
        (tmp_path / "derive" / f"{name}.sql").write_text(f"{text}\n")
    (tmp_path / "pgsluice.toml").write_text(SETTINGS)
    write(tmp_path, 1, ROWS, 1)
    assert call("load", cwd=tmp_path, url=db).code == 0
    return tmp_path


class Reader:
    """Looks all the time whether the tables and their aggregates agree, one snapshot each time."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._stop = threading.Event()
        self.seen: set[tuple[object, ...]] = set()
        self.looks = 0
        self.failed = ""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(60)

    def _look(self) -> None:
        try:
            with psycopg.connect(self._uri, autocommit=True, application_name="reader") as conn:
                while not self._stop.is_set():
                    self.seen.update(conn.execute(AGREE).fetchall())
                    self.looks += 1
                    time.sleep(0.002)
        except psycopg.Error as error:
            self.failed = str(error)

    def look_again(self) -> None:
        """Waits until the reader has looked twice more."""
        before = self.looks
        while self.looks < before + 2 and not self.failed:
            time.sleep(0.01)

    def totals(self) -> set[object]:
        """The totals that were seen, of tables and aggregates that agree."""
        assert not self.failed
        assert self.looks > 0
        wrong = [row for row in self.seen if len(set(row[:4])) != 1 or row[4] != row[5]]
        assert not wrong, wrong
        return {row[0] for row in self.seen}


@contextmanager
def closed_gate(uri: str, conn: Connection, phase: str) -> Iterator[Callable[[], int]]:
    """Closes the gate in one phase; gives a function that waits for the load and returns its backend.

    The gate of the last phase is the row of the run in the ledger, which another session has locked.
    """
    conn.execute(
        f"ALTER DATABASE {conn.info.dbname} SET gate.phase = '{'set rule' if phase == 'publish' else phase}'".encode()
    )
    with psycopg.connect(uri, autocommit=True) as keeper, psycopg.connect(uri) as locker:
        keeper.execute("SELECT pg_advisory_lock(%s)", (GATE,))

        def waiting() -> int:
            backend = waiting_for(keeper, "locktype = 'advisory' AND objid = 4713")
            if phase == "publish":
                locker.execute("SELECT FROM pgsluice.run WHERE status = 'running' FOR UPDATE")
                keeper.execute("SELECT pg_advisory_unlock_all()")
                backend = waiting_for(keeper, "locktype = 'transactionid'")
            return backend

        try:
            yield waiting
        finally:
            conn.execute(f"ALTER DATABASE {conn.info.dbname} RESET gate.phase".encode())
            keeper.execute("SELECT pg_advisory_unlock_all()")
            locker.rollback()


def waiting_for(conn: Connection, lock: str) -> int:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        row = conn.execute(
            "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)"
            f" WHERE {lock} AND NOT granted AND datname = current_database()".encode()
        ).fetchone()
        if row is not None:
            return int(str(row[0]))
        time.sleep(0.01)
    raise AssertionError("the load did not come to the gate")


def gone(conn: Connection) -> None:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        found = conn.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgsluice%'"
        ).fetchall()
        if not found:
            return
        time.sleep(0.02)
    raise AssertionError("a session of the load does not end")


PHASES = ("row rule", "derive", "set rule", "publish")
CASES = [
    pytest.param(phase, fault, marks=[] if (i + 2 * j) % 4 == 0 else pytest.mark.slow)
    for i, phase in enumerate(PHASES)
    for j, fault in enumerate(("kill", "terminate"))
]


@pytest.mark.parametrize(("phase", "fault"), CASES)
def test_a_fault_shows_nothing(db: str, conn: Connection, shop: Path, phase: str, fault: str) -> None:
    write(shop, ROWS - 50, 100, 7)
    new = ROWS - 51 + 7 * 100
    with Reader(db) as reader:
        with closed_gate(db, conn, phase) as waiting:
            load: subprocess.Popen[str] = start("load", cwd=shop, url=db)
            backend = waiting()
            assert conn.execute(AGREE).fetchone() == (ROWS,) * 6
            if fault == "kill":
                load.kill()
                load.communicate()
                gone(conn)
            else:
                conn.execute("SELECT pg_terminate_backend(%s)", (backend,))
        if fault == "terminate":
            # The run begins again by itself.
            assert end(load).code == 0
        gone(conn)
        assert reader.totals() <= {ROWS, new}
        if fault == "kill":
            assert reader.totals() == {ROWS}
            assert call("load", cwd=shop, url=db).code == 0
        reader.look_again()
    assert new in reader.totals()
    assert conn.execute(AGREE).fetchone() == (new,) * 4 + (ROWS + 49, ROWS + 49)


def test_vetoes_and_refused_definitions_show_nothing(db: str, conn: Connection, shop: Path) -> None:
    with Reader(db) as reader:
        # A set rule that reads an aggregate is broken.
        write(shop, ROWS - 50, 100, 100_000)
        ended = call("load", cwd=shop, url=db)
        assert ended.code == 1
        assert "the rule set is broken" in ended.out
        # A row breaks a rule.
        write(shop, ROWS - 50, 100, -1)
        assert call("load", cwd=shop, url=db).code == 1
        # The last derived table cannot be computed, when the others are up to date.
        write(shop, ROWS - 50, 100, 7)
        definition = shop / "derive" / "totals.sql"
        good = definition.read_text()
        definition.write_text(good.replace("sum(amount)", "sum(1 / (items - items)) + sum(amount)"))
        ended = call("load", cwd=shop, url=db)
        assert ended.code == 3
        assert "division by zero" in ended.err
        assert reader.totals() == {ROWS}
        definition.write_text(good)
        assert call("load", cwd=shop, url=db).code == 0
        reader.look_again()
    assert reader.totals() == {ROWS, ROWS - 51 + 700}


def test_the_reader_sees_a_difference(db: str, conn: Connection, shop: Path) -> None:
    """The reader itself: a table that changes without its aggregates does not get past it."""
    with Reader(db) as reader:
        pgsluice.load(shop / "in", database_url=db, data_dir=str(shop), mode="upsert", again=True)
        conn.execute("UPDATE items SET amount = 9 WHERE id = 5")
        while not reader.looks or len(reader.seen) < 2:
            time.sleep(0.01)
    with pytest.raises(AssertionError):
        reader.totals()
