"""The run column: which run wrote a row, in every strategy and mode."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import CallError, MappingError
from pgsluice.pipeline.ingest.route import Care, CopyRoute
from pgsluice.pipeline.plan import strategy

Conn = psycopg.Connection[Any]

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE, age int CHECK (age >= 18), loaded_by bigint NOT NULL,
                        CHECK (loaded_by > 0));
CREATE TABLE orders (loaded_by int DEFAULT 7, id int PRIMARY KEY, customer_id int REFERENCES customers, day date);
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def owners(conn: Conn, table: str) -> dict[int, int | None]:
    return dict(conn.execute(f"SELECT id, loaded_by FROM {table} ORDER BY 1").fetchall())  # type: ignore[arg-type]


def default(conn: Conn, table: str) -> str | None:
    row = conn.execute(
        "SELECT column_default FROM information_schema.columns WHERE table_name = %s AND column_name = 'loaded_by'",
        (table,),
    ).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


def load(folder: Path, db: str, **options: Any) -> pgsluice.model.RunResult:
    return pgsluice.load(folder, database_url=db, data_dir=str(folder / "d"), run_column="loaded_by", **options)


def test_each_row_has_the_run_that_wrote_it(any_db: str, any_conn: Conn, tmp_path: Path) -> None:
    any_conn.execute(SHOP)
    write(
        tmp_path,
        customers="id,email,age\n1,a,20\n2,b,30\nx,c,40\n4,d,5\n",
        orders="id,customer_id,day\n10,1,infinity\n",
    )
    first = load(tmp_path, any_db, max_rejects="all")
    assert [(t.rejected, t.loaded) for t in first.tables] == [(2, 2), (0, 1)]
    assert owners(any_conn, "customers") == {1: first.run_id, 2: first.run_id}
    assert owners(any_conn, "orders") == {10: first.run_id}
    assert (default(any_conn, "customers"), default(any_conn, "orders")) == (None, "7")

    write(tmp_path, customers="id,email,age\n3,c,40\n", orders="id,customer_id,day\n11,3,2026-01-02\n")
    second = load(tmp_path, any_db)
    write(tmp_path, customers="id,email,age\n1,a,20\n2,b,31\n5,e,50\n", orders="id,customer_id,day\n")
    third = load(tmp_path, any_db, mode="upsert")
    assert owners(any_conn, "customers") == {1: first.run_id, 2: third.run_id, 3: second.run_id, 5: third.run_id}
    customers = next(t for t in third.tables if t.table == "customers")
    assert (customers.inserted, customers.updated, customers.unchanged) == (1, 1, 1)
    again = load(tmp_path, any_db, mode="upsert", again=True)
    assert next(t.unchanged for t in again.tables if t.table == "customers") == 3
    missing = load(tmp_path, any_db, mode="insert-missing", again=True)
    assert missing.status == "published"
    assert owners(any_conn, "customers") == {1: first.run_id, 2: third.run_id, 3: second.run_id, 5: third.run_id}


def test_held_rows(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute(SHOP)
    good = "".join(f"{i},m{i},20\n" for i in range(1, 300))
    write(tmp_path, customers=f"id,email,age\n{good}1,twice,20\n400,m2,20\n401,new,17\n402,x,20\n")
    with mock.patch.object(CopyRoute, "first_care", Care.HOLDING):
        run = load(tmp_path, db, max_rejects="all")
    assert run.rejects.count == 3
    assert set(owners(conn, "customers").values()) == {run.run_id}
    assert len(owners(conn, "customers")) == 300
    assert default(conn, "customers") is None


def test_rows_that_exchange_a_unique_value(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute(SHOP)
    conn.execute(
        "DROP TABLE orders; INSERT INTO customers VALUES (1, 'a', 20, 900), (2, 'b', 20, 901), (3, 'c', 20, 902)"
    )
    write(tmp_path, customers="id,email,age\n1,b,20\n2,a,20\n3,c,20\n")
    run = load(tmp_path, db, mode="upsert")
    assert owners(conn, "customers") == {1: run.run_id, 2: run.run_id, 3: 902}


@pytest.mark.parametrize("trigger", [False, True], ids=["constraints", "trigger"])
def test_row_by_row(db: str, conn: Conn, tmp_path: Path, trigger: bool) -> None:
    conn.execute(SHOP)
    conn.execute("INSERT INTO customers VALUES (9, 'z', 20, 900)")
    if trigger:
        conn.execute("""
            CREATE FUNCTION no_three() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN IF new.id = 3 THEN RAISE 'no three'; END IF; RETURN new; END$$;
            CREATE TRIGGER no_three BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION no_three();""")
    write(tmp_path, customers="id,email,age\n1,a,20\n2,b,17\n3,c,20\n9,z,20\n")
    run = load(tmp_path, db, mode="upsert", max_rejects="all")
    assert owners(conn, "customers") == {1: run.run_id, 9: 900} | ({} if trigger else {3: run.run_id})


def test_new_table_and_its_default(db: str, conn: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy, "SWAP_BYTES", 0)
    conn.execute("CREATE TABLE orders (loaded_by int NOT NULL DEFAULT 7, id int PRIMARY KEY, day date)")
    conn.execute("INSERT INTO orders VALUES (1, 1, NULL), (1, 2, NULL)")
    before = conn.execute("SELECT 'orders'::regclass::oid").fetchone()
    write(tmp_path, orders="id,day\n2,2026-01-01\n3,\n")
    run = load(tmp_path, db, mode="replace")
    assert conn.execute("SELECT 'orders'::regclass::oid").fetchone() != before
    assert owners(conn, "orders") == {2: run.run_id, 3: run.run_id}
    assert default(conn, "orders") == "7"


def test_resumable_cycle_and_replay(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("""
        CREATE TABLE a (id int PRIMARY KEY, b int, loaded_by bigint);
        CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, loaded_by bigint);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;""")
    write(tmp_path, a="id,b\n1,1\n2,2\n", b="id,a\n1,1\n2,\n3,x\n")
    run = load(tmp_path, db, resumable=True, max_rejects="all")
    assert owners(conn, "a") == {1: run.run_id, 2: run.run_id}
    report = Path(str(run.rejects.path))
    report.write_text(report.read_text().replace("3,x", "3,1"))
    replay = pgsluice.replay(run.run_id, report, database_url=db, data_dir=str(tmp_path / "d"))
    assert owners(conn, "b") == {1: run.run_id, 2: run.run_id, 3: replay.run_id}


def test_settings_name_the_column_of_a_table(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, loaded_by bigint)")
    conn.execute("CREATE TABLE u (id int PRIMARY KEY, run int); CREATE TABLE v (id int PRIMARY KEY)")
    write(tmp_path, t="id\n1\n", u="id\n1\n", v="id\n1\n")
    (tmp_path / "pgsluice.toml").write_text(
        '[load]\nrun_column = "loaded_by"\n[tables.u]\nrun_column = "run"\n[tables.v]\nrun_column = ""\n'
    )
    run = call("load", tmp_path, "--database-url", db, "--data-dir", tmp_path / "d", cwd=tmp_path)
    assert run.code == 0, run.text
    assert conn.execute("SELECT t.loaded_by, u.run FROM t, u").fetchone() == (1, 1)
    assert "run_columns.run=loaded_by" in call("runs", "1", "--database-url", db, cwd=tmp_path).out
    plan = call("plan", tmp_path, "--database-url", db, cwd=tmp_path).out
    assert "loaded_by = the run's id" in plan
    assert "not in the files" not in plan


def test_tables_without_the_column_and_the_remedy(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("""CREATE TABLE t (id int PRIMARY KEY, loaded_by int); CREATE SCHEMA "S";
        CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE "V v" (id int PRIMARY KEY)""")
    write(tmp_path, t="id\n1\n", u="id\n1\n", **{"V v": "id\n1\n"})
    with pytest.raises(MappingError, match="u has no column loaded_by; V v has no column loaded_by") as caught:
        load(tmp_path, db)
    assert "t has" not in str(caught.value)
    statements = re.findall(r"ALTER TABLE .*? bigint", str(caught.value))
    assert len(statements) == 2
    for statement in statements:
        conn.execute(statement)
    assert owners(conn, '"V v"') == {}
    run = load(tmp_path, db)
    assert owners(conn, '"V v"') == owners(conn, "u") == owners(conn, "t") == {1: run.run_id}


@pytest.mark.parametrize(
    "column", ["smallint", "date", "bigint GENERATED ALWAYS AS (id + 1) STORED", "bigint GENERATED ALWAYS AS IDENTITY"]
)
def test_a_column_that_cannot_hold_the_run(db: str, conn: Conn, tmp_path: Path, column: str) -> None:
    conn.execute(f"CREATE TABLE t (id int PRIMARY KEY, loaded_by {column})")  # type: ignore[arg-type]
    write(tmp_path, t="id\n1\n")
    with pytest.raises(MappingError, match=r"t\.loaded_by (has the type|is an identity)") as caught:
        pgsluice.plan(tmp_path, database_url=db, run_column="loaded_by")
    statement = re.search(r"ALTER TABLE .*? bigint", str(caught.value))
    assert statement is not None
    conn.execute(statement[0])  # type: ignore[arg-type]
    option = re.search(r"--run-column (\S+)", str(caught.value))
    assert option is not None
    run = pgsluice.load(tmp_path, database_url=db, data_dir=str(tmp_path / "d"), run_column=option[1])
    assert conn.execute("SELECT loaded_by_run FROM t").fetchone() == (run.run_id,)


def test_other_values_for_the_column(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute(SHOP)
    write(tmp_path, orders="id,customer_id,day,Loaded By\n10,,,4\n")
    with pytest.raises(MappingError, match=r"fills orders\.loaded_by with the run's id.*has a field for it") as caught:
        load(tmp_path, db)
    option = re.search(r"--column '(.*?)'", str(caught.value))
    assert option is not None
    field, _, nothing = option[1].partition("=")
    run = load(tmp_path, db, columns=[(field, nothing)])
    assert owners(conn, "orders") == {10: run.run_id}
    rule = {"table": "orders", "column": "loaded_by", "constant": "4"}
    with pytest.raises(MappingError, match=r"fills orders\.loaded_by"):
        load(tmp_path, db, columns=[(field, nothing)], column_rules=[rule], again=True)
    with pytest.raises(CallError, match="names no column"):
        pgsluice.load(tmp_path, database_url=db, run_column="")
    with pytest.raises((CallError, MappingError), match="--run-column"):
        pgsluice.load(tmp_path, database_url=db, run_column="nothing=x")


def test_a_file_without_a_header(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (loaded_by bigint, id int, name text)")
    write(tmp_path, t="10,a\n11,b\n")
    run = load(tmp_path, db, header=False)
    assert owners(conn, "t") == {10: run.run_id, 11: run.run_id}


def test_the_queries_of_the_page(db: str, conn: Conn, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "run-column.md").read_text()
    conn.execute("CREATE TABLE customers (id int PRIMARY KEY); CREATE TABLE orders (order_id int PRIMARY KEY)")
    add, which, files = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    conn.execute(add)
    write(tmp_path, customers="id\n1\n", orders="order_id\n4711\n")
    run = load(tmp_path, db)
    assert [row[1] for row in conn.execute(which)] == [run.run_id]
    assert conn.execute(files).fetchall() == [(str(tmp_path / "orders.csv"), 1)]
