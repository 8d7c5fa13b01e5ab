"""A value that ANALYZE cannot process is loaded all the same."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import pgsluice

WIDE = f"[0,{'9' * 400}]"


@pytest.mark.parametrize("way", ["in place", "dirty", "stage", "one by one", "new table", "key"])
def test_a_range_too_wide_for_statistics(way: str, any_conn: psycopg.Connection, any_db: str, tmp_path: Path) -> None:
    key = "r" if way == "key" else "id"
    any_conn.execute(f"CREATE TABLE t (id int, r numrange, PRIMARY KEY ({key}))")  # type: ignore[arg-type]
    any_conn.execute("CREATE TABLE c (id int PRIMARY KEY, t int)")
    if way in ("stage", "one by one", "new table"):
        count = 5000 if way == "new table" else 1
        any_conn.execute("INSERT INTO t SELECT -n, 'empty' FROM generate_series(1, %s) AS n", (count,))
    if way == "one by one":
        any_conn.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
        any_conn.execute("CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
    # ANALYZE makes a histogram only if the ranges have different widths.
    rows = [f'{n},"[{n},{10**n}]"' for n in range(1, 40)] + [f'40,"{WIDE}"', f'41,"{WIDE[:-2]}]"']
    bad = (
        [] if way in ("in place", "stage", "new table") else ['7,"[0,1]"' if key == "id" else f'90,"{WIDE}"', "x,empty"]
    )
    (tmp_path / "t.csv").write_text("\n".join(["id,r", *rows, *bad]) + "\n")
    mode = "replace" if way == "new table" else "append"
    result = pgsluice.load(tmp_path, database_url=any_db, mode=mode, max_rejects="all")
    assert (result.tables[0].loaded, result.rejects.count) == (len(rows), len(bad))
    assert any_conn.execute("SELECT count(*) FROM t WHERE id > 0").fetchone() == (len(rows),)
    if way != "new table":
        with pytest.raises(psycopg.errors.NumericValueOutOfRange):
            any_conn.execute("ANALYZE t")
