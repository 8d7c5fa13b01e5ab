"""``pgsluice rejects --purge --older-than AGE``: what is deleted, what stays, and what a purged run says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import pgsluice
from command import Ended, call
from pgsluice.errors import CallError

Conn = psycopg.Connection[Any]


@pytest.fixture
def runs(db: str, conn: Conn, tmp_path: Path) -> list[Path]:
    """The reports of four runs: published 40 days ago, vetoed 40 days ago, its replay 35 days ago, published today."""
    conn.execute("CREATE TABLE t (a int PRIMARY KEY)")
    (tmp_path / "t.csv").write_text("a\n1\nx\ny\n")
    (tmp_path / "t_2.csv").write_text("a\n2\nz\n")
    data = str(tmp_path / "d")
    first = pgsluice.load(tmp_path / "t.csv", database_url=db, data_dir=data, max_rejects="all")
    vetoed = pgsluice.load(tmp_path / "t_2.csv", database_url=db, data_dir=data)
    corrected = tmp_path / "corrected.csv"
    corrected.write_text("run,reject,raw\n1,1,7\n1,2,yy\n")
    again = pgsluice.replay(1, corrected, database_url=db, data_dir=data, max_rejects="all")
    last = pgsluice.load(tmp_path / "t_2.csv", database_url=db, data_dir=data, max_rejects="all")
    for run_id, days in ((1, 40), (2, 40), (3, 35)):
        conn.execute(
            "UPDATE pgsluice.run SET started = started - %s::interval, ended = ended - %s::interval WHERE run_id = %s",
            (f"{days} days", f"{days} days", run_id),
        )
    reports = [Path(str(result.rejects.path)) for result in (first, vetoed, again, last)]
    assert all(report.exists() for report in reports)
    return reports


def purge(folder: Path, db: str, age: str, *options: str) -> Ended:
    return call("rejects", "--purge", "--older-than", age, "--data-dir", "d", *options, cwd=folder, url=db)


def open_rejects(conn: Conn) -> list[tuple[int, int]]:
    return conn.execute("SELECT run_id, count(*)::int FROM pgsluice.reject GROUP BY 1 ORDER BY 1").fetchall()


def test_purge(db: str, conn: Conn, tmp_path: Path, runs: list[Path]) -> None:
    files = conn.execute("SELECT * FROM pgsluice.file ORDER BY run_id").fetchall()
    assert open_rejects(conn) == [(1, 2), (2, 1), (3, 1), (4, 1)]
    ended = purge(tmp_path, db, "36d")
    assert ended.code == 0
    assert "3 rejects of 2 runs, and 2 reports in d/rejects." in ended.out
    assert open_rejects(conn) == [(3, 1), (4, 1)]
    assert [report.exists() for report in runs] == [False, False, True, True]
    # The counts stay, so every file balances.
    assert conn.execute("SELECT * FROM pgsluice.file ORDER BY run_id").fetchall() == files
    assert pgsluice.verify(database_url=db).ok
    ended = purge(tmp_path, db, "840h", "--format", "json")
    found = ended.json
    assert (found["rejects"], found["runs"], found["reports"], found["elsewhere"]) == (1, 1, 1, [])
    assert [report.exists() for report in runs] == [False, False, False, True]
    assert purge(tmp_path, db, "1w").out == "No run that ended more than 1w ago has rejects.\n"
    assert open_rejects(conn) == [(4, 1)]


def test_what_a_purged_run_says(db: str, tmp_path: Path, runs: list[Path]) -> None:
    purge(tmp_path, db, "36d")
    assert call("rejects", "1", cwd=tmp_path, url=db).out == "The 2 rejects of run 1 were purged from the ledger.\n"
    assert call("rejects", "1", "--format", "json", cwd=tmp_path, url=db).json["purged"] == 2
    (tmp_path / "c.csv").write_text("run,reject,raw\n1,2,8\n")
    ended = call("replay", "1", "c.csv", cwd=tmp_path, url=db)
    ended.complaint(2, "the rejects of run 1 (2) were purged from the ledger", "cannot be replayed")
    assert "Run 4" in call("rejects", cwd=tmp_path, url=db).out
    assert call("runs", cwd=tmp_path, url=db).code == 0


def test_reports_that_the_ledger_must_not_choose(db: str, conn: Conn, tmp_path: Path, runs: list[Path]) -> None:
    """A path of the ledger deletes nothing outside of the folder of the reports, and no file that is no report."""
    victim = tmp_path / "run-1-20260101T000000.csv"
    victim.write_text("mine")
    inside = runs[0].parent / "notes.csv"
    inside.write_text("mine")
    link = runs[0].parent / "run-9-20260101T000000.csv"
    link.symlink_to(victim)
    for run_id, path in ((1, victim), (2, inside), (3, link)):
        conn.execute("UPDATE pgsluice.run SET rejects_path = %s WHERE run_id = %s", (str(path), run_id))
    ended = purge(tmp_path, db, "1d")
    assert ended.code == 0
    assert "0 reports in d/rejects" in ended.out
    assert all(str(path) in ended.out for path in (victim, inside, link))
    assert victim.exists()
    assert inside.exists()
    assert link.is_symlink()
    assert all(report.exists() for report in runs)


def test_a_run_that_is_under_way_and_a_run_without_an_end(
    db: str, conn: Conn, tmp_path: Path, runs: list[Path]
) -> None:
    conn.execute("UPDATE pgsluice.run SET status = 'running', ended = NULL WHERE run_id = 1")
    conn.execute("UPDATE pgsluice.run SET ended = NULL WHERE run_id = 2")
    purge(tmp_path, db, "36d")
    assert open_rejects(conn) == [(1, 2), (3, 1), (4, 1)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--purge"], "--purge and --older-than need each other"),
        (["--older-than", "3d"], "--purge and --older-than need each other"),
        (["1", "--purge", "--older-than", "3d"], "--purge deletes the rejects of all runs"),
        (["--table", "t", "--purge", "--older-than", "3d"], "--purge deletes the rejects of all runs"),
        (["--limit", "3", "--purge", "--older-than", "3d"], "--purge deletes the rejects of all runs"),
        (["--format", "csv", "--purge", "--older-than", "3d"], "--purge deletes the rejects of all runs"),
        (["--purge", "--older-than", "3"], "--older-than 3 is no age"),
        (["--purge", "--older-than", "-3d"], "--older-than -3d is no age"),
        (["--purge", "--older-than", "3 months"], "is no age"),
    ],
)
def test_wrong_options(server: str, tmp_path: Path, options: list[str], words: str) -> None:
    call("rejects", *options, cwd=tmp_path, url=server).complaint(2, words)


def test_no_ledger(db: str, tmp_path: Path) -> None:
    assert purge(tmp_path, db, "1d").out.startswith("No run that ended")


def test_a_role_that_may_not_delete(db: str, conn: Conn, tmp_path: Path, runs: list[Path]) -> None:
    role = f"{conn.info.dbname}_reader"
    conn.execute(f"CREATE ROLE {role} LOGIN")
    try:
        conn.execute(f"GRANT USAGE ON SCHEMA pgsluice TO {role}")
        conn.execute(f"GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA pgsluice TO {role}")
        ended = purge(tmp_path, make_conninfo(db, user=role), "1d")
        ended.complaint(3, "may not delete rejects", f"GRANT DELETE ON pgsluice.reject TO {role}")
        assert len(open_rejects(conn)) == 4
        assert all(report.exists() for report in runs)
    finally:
        conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_python(db: str, tmp_path: Path, runs: list[Path]) -> None:
    result = pgsluice.purge_rejects("36d", database_url=db, data_dir=str(tmp_path / "d"))
    assert (result.rejects, result.runs, result.reports) == (3, 2, 2)
    with pytest.raises(CallError, match="is no age"):
        pgsluice.purge_rejects("soon", database_url=db)


def test_a_purge_deletes_what_rules_and_profiles_have_kept(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (a int PRIMARY KEY, kind int)")
    (tmp_path / "t.csv").write_text("a,kind\n" + "".join(f"{n},{n % 40}\n" for n in range(1, 401)))
    rules = [
        {"name": "small", "table": "t", "check": "a < 399", "severity": "warn"},
        {"name": "few", "query": "SELECT a FROM t WHERE a > 397", "severity": "warn"},
    ]
    pgsluice.load(tmp_path / "t.csv", database_url=db, data_dir=str(tmp_path / "d"), rules=rules)
    # All values of a column that has few of them are kept, so that there is a histogram.
    row = conn.execute("SELECT jsonb_array_length(frequent) FROM pgsluice.column_profile WHERE column_name = 'kind'")
    assert row.fetchone() == (40,)
    page = tmp_path / "d" / "reports" / "run-1.html"
    page.parent.mkdir(parents=True)
    page.write_text("page")
    other = page.with_name("mine.html")
    other.write_text("mine")
    conn.execute("UPDATE pgsluice.run SET ended = ended - interval '40 days'")
    ended = purge(tmp_path, db, "30d")
    assert ended.code == 0, ended
    assert "Also: 2 warnings, 1 rule result, 2 profiles, 1 page." in ended.out
    assert (page.exists(), other.exists()) == (False, True)
    assert conn.execute("SELECT count(*) FROM pgsluice.warning").fetchone() == (0,)
    assert conn.execute("SELECT count FROM pgsluice.rule_result WHERE evidence = '[]' ORDER BY 1").fetchall() == [
        (2,),
        (3,),
    ]
    assert conn.execute(
        "SELECT DISTINCT rows, minimum, frequent, bounds, distinct_values IS NULL FROM pgsluice.column_profile"
    ).fetchall() == [(400, None, [], [], False)]
    assert "has rejects" in purge(tmp_path, db, "30d").out
