"""One run in the ledger: what it loaded, how, by whom, and where its time went; and which runs had a file."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import DatabaseError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "ledger.md"


@pytest.fixture
def loaded(db: str, conn: psycopg.Connection, tmp_path: Path) -> str:
    """Run 1 loads a.csv and b.csv, run 2 (rejects allowed) a2.csv into a."""
    conn.execute("CREATE TABLE a (id int PRIMARY KEY, v int CHECK (v > 0)); CREATE TABLE b (id int)")
    for folder, name, rows in (("one", "a", "1,1\n"), ("one", "b", "5\n"), ("two", "a", "2,1\n1,7\n3,-1\n")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.csv").write_text(("id,v\n" if name == "a" else "id\n") + rows)
    pgsluice.load(tmp_path / "one", database_url=db, data_dir=str(tmp_path / "d"))
    options = {"mode": "upsert", "max_rejects": ["50%", "a=1"]}
    pgsluice.load(tmp_path / "two", database_url=db, data_dir=str(tmp_path / "d"), **options)  # type: ignore[arg-type]
    return db


def test_one_run(loaded: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    out = call("runs", "2", cwd=tmp_path, url=loaded).out
    role = conn.execute("SELECT current_user").fetchone()
    assert role is not None
    for told in (
        r"\ARun 2 published after ",
        rf"role: +{role[0]}\n",
        r"options: +max_rejects=50%, max_rejects=a=1, modes.run=upsert\n",
        rf"paths: +{tmp_path}/two\n",
        rf"a +18 B +3 +2 +1 +{tmp_path}/two/a.csv\n",
        r"a +upsert +stage +1 +1 +0 +0 ",
        r"plan +\d+\.\d\d +\d+%",
        r"1 open reject in 1 group: pgsluice rejects 2 ",
    ):
        assert re.search(told, out), (told, out)
    report = call("runs", "2", "--json", cwd=tmp_path, url=loaded).json
    assert report["role"] == role[0]
    assert report["options"]["modes"]["run"] == "upsert"
    assert "options:  all at their defaults" in call("runs", "1", cwd=tmp_path, url=loaded).out
    assert call("runs", "9", cwd=tmp_path, url=loaded).code == 2


def test_runs_of_a_file_and_of_a_table(loaded: str, tmp_path: Path) -> None:
    def ids(**chosen: str) -> list[int]:
        return [run.run_id for run in pgsluice.runs(database_url=loaded, **chosen)]  # type: ignore[arg-type]

    assert ids() == [2, 1]
    assert ids(file="a.csv") == [2, 1]
    assert ids(file="one/a.csv") == [1]
    assert ids(file=f"{tmp_path}/two/a.csv") == [2]
    assert ids(file=".csv") == ids(file="a_csv") == ids(file="%a.csv") == [], "a name, no pattern and no part of a name"
    assert ids(table="b") == ids(table="public.b") == [1]
    assert ids(table="b", file="a.csv") == []
    assert ids(limit="1", file="a.csv") == [2]
    assert "No run had a file x.csv" in call("runs", "--file", "x.csv", cwd=tmp_path, url=loaded).out
    assert call("runs", "2", "--file", "a.csv", cwd=tmp_path, url=loaded).code == 2


def test_a_run_that_failed_keeps_its_times(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int)")
    conn.execute(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '53000'; END $$"
    )
    conn.execute("CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
    (tmp_path / "t.csv").write_text("id\n1\n")
    with pytest.raises((DatabaseError, psycopg.Error)):
        pgsluice.load(tmp_path / "t.csv", database_url=db, data_dir=str(tmp_path / "d"))
    report = pgsluice.run_report(database_url=db)
    assert report.status == "failed"
    assert any(phase.phase == "plan" and phase.seconds for phase in report.notes.phases)


def test_the_page_names_every_column_and_its_queries_run(loaded: str, conn: psycopg.Connection) -> None:
    text = PAGE.read_text()
    tables = text.partition("\n## Tables\n")[2]
    rows = conn.execute(
        "SELECT c.relname::text, pg_catalog.array_agg(a.attname::text) FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relnamespace = 'pgsluice'::regnamespace AND c.relkind = 'r' GROUP BY 1"
    ).fetchall()
    for table, columns in rows:
        line = re.search(rf"^\| `{table}` \|.*$", tables, re.MULTILINE)
        assert line, table
        assert set(re.findall(r"`(\w+)`", line[0])) >= set(columns), table
    queries = re.findall(r"^```sql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(queries) >= 3
    for query in queries:
        conn.execute(query)
