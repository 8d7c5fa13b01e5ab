"""Statistics after a load: all columns have some, and which columns of a wide table have the full number of buckets."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from pgsluice import api
from pgsluice.pipeline.plan import strategy

Connection = psycopg.Connection[tuple[object, ...]]

ROWS = 1_000
FULL, SMALLER = 101, 34
"""Bounds of a histogram for the statistics target 100, and for a third of it."""


def load(db: str, conn: Connection, folder: Path, columns: int, rest: str = "", mode: str = "append") -> dict[str, int]:
    """Loads a table of so many columns, and returns the number of bounds that the statistics of each column have."""
    names = [f"c{i}" for i in range(columns)]
    conn.execute(f"CREATE TABLE t ({', '.join(f'{n} integer' for n in names)}, PRIMARY KEY (c0)) {rest}")
    conn.execute("CREATE INDEX ON t (c1)")
    lines = [",".join([str(row)] * columns) for row in range(ROWS)]
    (folder / "t.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    if mode == "replace":
        conn.execute(f"INSERT INTO t SELECT {', '.join(['g'] * columns)} FROM generate_series(1, 10) AS g")
    result = api.load(folder / "t.csv", database_url=db, mode=mode)
    assert result.status == "published"
    found = conn.execute(
        "SELECT attname::text, array_length(histogram_bounds::text::text[], 1) FROM pg_stats WHERE tablename = 't'"
    ).fetchall()
    assert len(found) == columns
    return {str(name): int(str(bounds)) for name, bounds in found}


def test_all_columns_of_a_usual_table_are_alike(db: str, conn: Connection, tmp_path: Path) -> None:
    assert set(load(db, conn, tmp_path, 50).values()) == {FULL}


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_keys_of_a_wide_table_come_first(
    db: str, conn: Connection, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy, "SWAP_BYTES", 0)
    bounds = load(db, conn, tmp_path, 51, mode=mode)
    assert {name for name, n in bounds.items() if n == FULL} == {"c0", "c1"}
    assert {n for name, n in bounds.items() if name not in ("c0", "c1")} == {SMALLER}
    # Autovacuum will analyze the table again: the rows count as changes since the last ANALYZE.
    due = (
        "SELECT n_mod_since_analyze >= 1000 OR last_autoanalyze IS NOT NULL FROM pg_stat_user_tables"
        " WHERE relname = 't'"
    )
    deadline = time.monotonic() + 10
    while conn.execute(due).fetchone() != (True,):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    "own",
    ["WITH (autovacuum_enabled = off)", "WITH (autovacuum_analyze_threshold = 1000000)"],
)
def test_a_table_that_autovacuum_leaves_alone(db: str, conn: Connection, tmp_path: Path, own: str) -> None:
    assert set(load(db, conn, tmp_path, 51, own).values()) == {FULL}
