"""Set rules, warnings and profiles: asked and recorded in the transaction that publishes."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import pgsluice
from pgsluice.errors import CallError
from pgsluice.model import RowRule, SetRule, Severity

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def folder(conn: Connection, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE n (id int PRIMARY KEY, v int, w text, b boolean)")
    made = tmp_path / "in"
    made.mkdir()
    rows = [f"{i},{i % 7},{'ab'[i % 2]},{'tf'[i % 4 == 0]}" for i in range(1, 101)]
    (made / "n_1.csv").write_text("\n".join(["id,v,w,b", *rows[:60], ""]))
    (made / "n_2.csv").write_text("\n".join(["id,v,w,b", *rows[60:], "200,x,a,t", "201,6,a,t", ""]))
    return made


def test_a_broken_set_rule_vetoes_the_run_and_keeps_the_evidence(
    db: str, conn: Connection, folder: Path, tmp_path: Path
) -> None:
    rules = [
        SetRule("few", "SELECT count(*) FROM n", maximum=100),
        SetRule("sevens", "SELECT id, v FROM n WHERE id % 7 = 0 ORDER BY id;", Severity.WARN),
        SetRule("else", "SELECT 1", table="other"),
    ]
    result = pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), rules=rules, max_rejects="all")
    assert result.status == "vetoed"
    assert result.reason == "the rule few is broken: 101 is more than 100"
    assert conn.execute("SELECT count(*) FROM n").fetchone() == (0,)
    few, sevens = result.rules
    assert (few.ok, few.value, sevens.ok, sevens.count) == (False, "101", False, 14)
    assert sevens.evidence == (("id", "v"), ("7", "0"), ("14", "0"), ("21", "0"), ("28", "0"), ("35", "0"))
    assert conn.execute("SELECT rule, ok, value, count, evidence FROM pgsluice.rule_result ORDER BY 1").fetchall() == [
        ("few", False, "101", 1, []),
        ("sevens", False, "", 14, [list(row) for row in sevens.evidence]),
    ]
    again = pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), rules=rules[1:], max_rejects="all")
    assert again.status == "published"


def test_rows_that_a_rule_warns_of_are_published_and_recorded(
    db: str, conn: Connection, folder: Path, tmp_path: Path
) -> None:
    rules = [RowRule("small", "n", "v < 6", Severity.WARN), RowRule("id", "n", "id <> 201")]
    for mode in ("append", "upsert"):
        result = pgsluice.load(
            folder, database_url=db, data_dir=str(tmp_path), rules=rules, max_rejects="all", mode=mode, again=True
        )
        assert [(r.name, r.severity, r.count) for r in result.rules] == [("small", "warn", 14), ("id", "reject", 1)]
        found = conn.execute(
            "SELECT regexp_replace(file, '.*/', ''), line, raw FROM pgsluice.warning WHERE run_id = %s",
            (result.run_id,),
        ).fetchall()
        # Row 201 breaks both rules. A row that is rejected gives no warning.
        assert found == [
            (f"n_{1 + (i > 60)}.csv", (i - 60 if i > 60 else i) + 1, f"{i},6,{'ab'[i % 2]},{'tf'[i % 4 == 0]}")
            for i in range(6, 101, 7)
        ]


@pytest.mark.parametrize(("said", "ok"), [("100000000000000.02", True), ("100000000000000.01", False), ("nan", None)])
def test_a_control_total_is_compared_digit_by_digit(
    db: str, conn: Connection, tmp_path: Path, said: str, ok: bool | None
) -> None:
    conn.execute("CREATE TABLE big (id int PRIMARY KEY, amount numeric)")
    (tmp_path / "big.csv").write_text(f"id,amount\n1,100000000000000\n2,0.02\nTRAILER,{said}\n")
    rule = {"name": "total", "table": "big", "query": "SELECT sum(amount) FROM big",
            "equals_file": str(tmp_path / "big.csv"), "equals_pattern": "TRAILER,(.*)"}  # fmt: skip
    if ok is None:
        with pytest.raises(CallError, match="holds no number"):
            pgsluice.load(tmp_path / "big.csv", database_url=db, data_dir=str(tmp_path), rules=[rule], skip_footer=1)
        return
    for own in ([rule], [SetRule("total", "SELECT sum(amount) FROM big", minimum=said, maximum=said)]):
        result = pgsluice.load(
            tmp_path / "big.csv", database_url=db, data_dir=str(tmp_path), rules=own, skip_footer=1, dry_run=True
        )
        assert result.rules[0].ok is ok


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (SetRule("r", "SELECT 1 / 0"), "division by zero"),
        (SetRule("r", "SELECT 1, 2", minimum=1), "1 row of 2 columns, not one value"),
        (SetRule("r", "SELECT 'a'", minimum=1), "'a' is not a number"),
        (SetRule("r", "WITH d AS (DELETE FROM n RETURNING 1) TABLE d", source="x.toml:3"), r"x.toml:3\) cannot"),
        (SetRule("r", "SELECT nowhere"), "does not exist"),
        (SetRule("r", "SELECT 1", Severity.REJECT), "severity reject"),
    ],
)
def test_wrong_set_rules(db: str, conn: Connection, folder: Path, tmp_path: Path, rule: SetRule, words: str) -> None:
    with pytest.raises(CallError, match=words):
        pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), rules=[rule], max_rejects="all")
    assert conn.execute("SELECT count(*) FROM n").fetchone() == (0,)


def test_a_set_rule_that_writes_changes_nothing(db: str, conn: Connection, folder: Path, tmp_path: Path) -> None:
    conn.execute("CREATE FUNCTION busy() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM n; RETURN 1; END'")
    with pytest.raises(CallError, match="read-only transaction"):
        pgsluice.load(
            folder, database_url=db, data_dir=str(tmp_path), rules=[SetRule("r", "SELECT busy()")], max_rejects="all"
        )


def test_a_published_run_profiles_its_columns(db: str, conn: Connection, folder: Path, tmp_path: Path) -> None:
    result = pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), max_rejects="all")
    columns = "column_name, rows, nulls, exact, distinct_values, minimum, maximum, round(mean::numeric, 2)::text"
    assert conn.execute(
        f"SELECT {columns} FROM pgsluice.column_profile WHERE run_id = %s ORDER BY column_no".encode(), (result.run_id,)
    ).fetchall() == [
        ("id", 101, 0, True, 101, "1", "201", "51.99"),
        ("v", 101, 0, True, 7, "0", "6", "3.00"),
        ("w", 101, 0, True, 2, None, None, None),
        ("b", 101, 0, True, 2, None, None, "0.75"),
    ]
    row = conn.execute("SELECT frequent, bounds FROM pgsluice.column_profile WHERE column_name = 'w'").fetchone()
    assert row is not None
    assert row[0] == [["a", pytest.approx(51 / 101)], ["b", pytest.approx(50 / 101)]]
    vetoed = pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), again=True)
    assert vetoed.status == "vetoed"
    assert conn.execute("SELECT count(DISTINCT run_id) FROM pgsluice.column_profile").fetchone() == (1,)


def test_a_small_append_to_a_large_table_does_not_scan_it(
    db: str, conn: Connection, folder: Path, tmp_path: Path
) -> None:
    conn.execute("INSERT INTO n SELECT g, g, 'c', true FROM generate_series(1000, 21000) AS g; ANALYZE n")
    pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), max_rejects="all")
    row = conn.execute("SELECT rows, exact, maximum FROM pgsluice.column_profile WHERE column_name = 'id'").fetchone()
    assert row == (20001, False, "21000")


def test_drift_is_measured_against_earlier_published_runs(
    db: str, conn: Connection, folder: Path, tmp_path: Path
) -> None:
    def load(rows: int, nulls: int) -> list[tuple[str, bool, str]]:
        for path in folder.iterdir():
            path.unlink()
        lines = [f"{i},{'' if i <= nulls else i % 5}" for i in range(1, rows + 1)]
        (folder / "n.csv").write_text("\n".join(["id,v", *lines, ""]))
        rules = [
            {"name": "rows", "table": "n", "drift": "rows"},
            {"name": "nulls", "table": "n", "column": "v", "drift": "nulls", "deviations": 3, "severity": "warn"},
        ]
        result = pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), rules=rules, mode="replace")
        return [(result.status, r.ok, r.value) for r in result.rules]

    for rows in (100, 102, 98, 101):
        assert [ok for _, ok, _ in load(rows, 10)] == [True, True]
    # The median of rows is 100.5, its MAD 1: right is 100.5 ± 7.4.
    assert load(109, 10)[0] == ("vetoed", False, "109")
    assert load(104, 40) == [("published", True, "104"), ("published", False, "0.384615")]


def test_numbers_wider_than_double_precision_have_no_mean(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE wide (id int PRIMARY KEY, f float8, n numeric)")
    (tmp_path / "wide.csv").write_text(f"id,f,n\n1,1.7e308,1{'0' * 400}\n2,1.7e308,Infinity\n3,-1.7e308,NaN\n")
    result = pgsluice.load(tmp_path / "wide.csv", database_url=db, data_dir=str(tmp_path))
    assert result.status == "published"
    found = conn.execute("SELECT column_name, rows, nulls, mean FROM pgsluice.column_profile ORDER BY 1").fetchall()
    assert found == [("f", 3, 0, None), ("id", 3, 0, None), ("n", 3, 0, None)]
