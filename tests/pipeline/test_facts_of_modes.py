"""Facts of docs/how-to/modes.md: rows of other sessions during a replace, and dead rows of a load that ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

import pgsluice
from pgsluice.model import Progress
from pgsluice.pipeline.plan import strategy

Conn = psycopg.Connection[Any]


@pytest.fixture
def table(conn: Conn, tmp_path: Path) -> Conn:
    conn.execute(
        "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t SELECT g, 'old' FROM generate_series(1, 9) g"
    )
    (tmp_path / "t.csv").write_text("a,b\n1,new\n2,new\n")
    return conn


@pytest.mark.parametrize(("swap_bytes", "rows"), [(0, [1, 2]), (1 << 40, [1, 2, 50])], ids=["new table", "stage"])
def test_rows_that_others_commit_while_a_table_is_replaced(
    db: str, table: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap_bytes: int, rows: list[int]
) -> None:
    monkeypatch.setattr(strategy, "SWAP_BYTES", swap_bytes)
    said: list[Progress] = []

    def listen(event: Progress) -> None:
        if (event.phase, event.step) == ("publish", "commit"):
            table.execute("INSERT INTO t VALUES (50, 'of others')")
            said.append(event)

    data = str(tmp_path / "d")
    oid = table.execute("SELECT 't'::regclass::oid").fetchone()
    pgsluice.load(tmp_path / "t.csv", database_url=db, mode="replace", data_dir=data, listen=listen)
    assert len(said) == 1
    assert (table.execute("SELECT 't'::regclass::oid").fetchone() != oid) == (swap_bytes == 0)
    assert [a for (a,) in table.execute("SELECT a FROM t ORDER BY a")] == rows


def test_dead_rows_of_a_vetoed_load(db: str, table: Conn, tmp_path: Path) -> None:
    table.execute("ALTER TABLE t SET (autovacuum_enabled = false)")
    lines = "".join(f"{n},{'x' * 100}\n" for n in range(100, 5100))
    (tmp_path / "t.csv").write_text(f"a,b\n{lines}1,twice\n")
    before = table.execute("SELECT pg_relation_size('t')").fetchone()
    assert pgsluice.load(tmp_path / "t.csv", database_url=db, data_dir=str(tmp_path / "d")).status == "vetoed"
    assert table.execute("SELECT count(*) FROM t").fetchone() == (9,)
    after = table.execute("SELECT pg_relation_size('t')").fetchone()
    assert before is not None
    assert after is not None
    assert after[0] > before[0] + 400_000
    table.execute("VACUUM t")
    assert table.execute("SELECT pg_relation_size('t')").fetchone() == before
