"""Two loads at once on the same tables, in every mode, as two processes.

The first is stopped in the middle by a lock that the test holds on what it writes; the second then comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from command import call, end, start

Connection = psycopg.Connection[tuple[object, ...]]

GATE = 4712
# In this database: another worker's test may wait at the gate of its own.
AT_THE_GATE = """
SELECT 1 FROM pg_locks
 WHERE objid = %s AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# Every row that is written waits for the gate.
SCHEMA = f"""
CREATE TABLE items (id int PRIMARY KEY, v text);
CREATE TABLE parts (id int PRIMARY KEY, item_id int REFERENCES items, v text);
CREATE TABLE elsewhere (id int PRIMARY KEY, v text);
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
  $$ BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN NULL; END $$;
CREATE TRIGGER gate AFTER INSERT OR UPDATE ON items FOR EACH STATEMENT EXECUTE FUNCTION wait_at_gate();
INSERT INTO items SELECT n, 'old' FROM generate_series(1, 10) AS n;
INSERT INTO parts SELECT n, n, 'old' FROM generate_series(1, 10) AS n;
INSERT INTO elsewhere SELECT n, 'old' FROM generate_series(1, 10) AS n;
"""
MODES = {
    "upsert": ["--mode", "upsert"],
    "insert-missing": ["--mode", "insert-missing"],
    "replace": ["--mode", "replace"],
    "synchronise": ["--mode", "upsert", "--delete-missing"],
}


def write(folder: Path, what: str, first: int, last: int, *tables: str) -> Path:
    folder.mkdir()
    for table in tables or ("items", "parts"):
        middle = ",item_id" if table == "parts" else ""
        lines = (f"{n}{f',{n}' if middle else ''},{what}" for n in range(first, last + 1))
        (folder / f"{table}.csv").write_text("\n".join([f"id{middle},v", *lines, ""]))
    return folder


def eventually(holds: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < limit, what
        time.sleep(0.02)


def rows(conn: Connection, table: str) -> dict[object, object]:
    return dict(conn.execute(f"SELECT id, v FROM {table} ORDER BY 1").fetchall())  # type: ignore[arg-type]


def expected(mode: str, first: range, second: range) -> dict[object, object]:
    """What the two loads leave, one after the other."""
    found: dict[object, object] = dict.fromkeys(range(1, 11), "old")
    for what, numbers in (("first", first), ("second", second)):
        new: dict[object, object] = dict.fromkeys(numbers, what)
        if mode == "insert-missing":
            found = new | found
        elif mode == "upsert":
            found = found | new
        else:
            found = new
    return found


@pytest.mark.parametrize(
    "mode", [pytest.param(m, marks=() if m in ("upsert", "replace") else pytest.mark.slow) for m in MODES]
)
def test_the_second_waits_or_fails_at_once(db: str, conn: Connection, tmp_path: Path, mode: str) -> None:
    conn.execute(SCHEMA)
    one = write(tmp_path / "one", "first", 6, 15)
    two = write(tmp_path / "two", "second", 11, 20)
    apart = write(tmp_path / "apart", "apart", 6, 15, "elsewhere")
    with psycopg.connect(db, autocommit=True) as keeper:
        keeper.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        first = start("load", one, *MODES[mode], cwd=tmp_path, url=db)
        eventually(
            lambda: keeper.execute(AT_THE_GATE, (GATE,)).fetchone() is not None,
            "the first load does not get to the gate",
        )
        second = start("load", two, *MODES[mode], cwd=tmp_path, url=db)
        assert second.stderr is not None
        told = next(line for line in second.stderr if "waiting" in line)
        assert "waiting for run 1 (pid " in told
        began = time.monotonic()
        call("load", two, *MODES[mode], "--no-wait", cwd=tmp_path, url=db).complaint(3, "run 1")
        assert time.monotonic() - began < 5
        # Another table is nobody's business.
        assert call("load", apart, *MODES[mode], cwd=tmp_path, url=db).code == 0
        assert first.poll() is None
        assert second.poll() is None
        assert rows(conn, "items") == dict.fromkeys(range(1, 11), "old")
    assert end(first).code == 0
    assert end(second).code == 0
    for table in ("items", "parts"):
        assert rows(conn, table) == expected(mode, range(6, 16), range(11, 21))
    statuses = [s for (s,) in conn.execute("SELECT status FROM pgsluice.run ORDER BY run_id").fetchall()]
    assert statuses == ["published"] * 3
