"""The ledger's versions: ledgers that pgsluice 0.1.0 and 0.2.0 wrote are migrated, and work before and after."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import pgsluice
from command import call
from conftest import fresh_database
from pgsluice.errors import DatabaseError, PrivilegeError
from pgsluice.ledger import schema

Conn = psycopg.Connection[Any]

DATA = Path(__file__).parent / "data"

VERSIONS = {"0.1.0": 1, "0.2.0": 2}
"""The releases that wrote a ledger in ``DATA``, with the version of the ledger."""

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL UNIQUE, age int CHECK (age >= 18), note text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, amount numeric NOT NULL);
INSERT INTO customers VALUES (1, 'a@x', 20, E'two\\nlines'), (7, 'h@x', 70, 'fine'), (2, 'b@x', 22, NULL);
INSERT INTO orders VALUES (10, 1, 1.5);
"""
"""The tables as the published runs of the dumps left them."""

FILES = {
    "customers.csv": 'id,email,age,note\n1,a@x,20,"two\nlines"\n2,b@x,many,\n3,,30,\n4,d@x,17,\n1,e@x,40,\n'
    '5,f@x,50,"open\n6,g@x,60\n7,h@x,70,fine\n',
    "orders.csv": "id,customer_id,amount\n10,1,1.5\n11,2,2.5\n12,99,3.5\n",
    "customers_2.csv": "id,email,age,note\n8,i@x,33,new\n9,j@x,44,new\n",
    "orders_2.csv": "id,customer_id,amount\n20,7,1.5\n21,98,2.5\n",
}
"""The files that the runs of the dumps read."""

STRUCTURE = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, c.oid),
               col_description(c.oid, a.attnum)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace = 'pgsluice'::regnamespace AND c.relkind = 'r' AND c.relname !~ '^(stage|fault)'
         ORDER BY 1, a.attnum""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
         WHERE connamespace = 'pgsluice'::regnamespace AND conrelid::regclass::text !~ 'staged' AND contype <> 'n'
         ORDER BY 1, 2""",
    "indexes": """
        SELECT indexname, indexdef FROM pg_indexes
         WHERE schemaname = 'pgsluice' AND tablename !~ '^stage' ORDER BY 1""",
    "comments": """
        SELECT relname, obj_description(oid, 'pg_class') FROM pg_class
         WHERE relnamespace = 'pgsluice'::regnamespace AND relkind = 'r' AND relname !~ '^(stage|fault)'
         ORDER BY 1""",
    "views": """
        SELECT c.relname, c.reloptions, pg_get_viewdef(c.oid), obj_description(c.oid, 'pg_class'),
               (SELECT array_agg(col_description(c.oid, a.attnum) ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = c.oid)
          FROM pg_class c WHERE c.relnamespace = 'pgsluice'::regnamespace AND c.relkind = 'v' ORDER BY 1""",
    "schema": "SELECT obj_description('pgsluice'::regnamespace, 'pg_namespace')",
}


def restore(conn: Conn, uri: str, folder: Path, release: str = "0.1.0") -> None:
    """Put the tables and the ledger of a release into an empty database, and the files into the folder."""
    conn.execute(SHOP)
    dump = (DATA / f"ledger-{release}.sql").read_text(encoding="utf-8").replace("/data/", f"{folder}/")
    for stand_in, table in (("4000000001", "customers"), ("4000000002", "orders")):
        row = conn.execute("SELECT %s::regclass::oid::bigint", [table]).fetchone()
        assert row is not None
        dump = dump.replace(stand_in, str(row[0]))
    # The dump sets the search path of its session.
    with psycopg.connect(uri, autocommit=True) as loading:
        loading.execute(dump.encode())
    for name, text in FILES.items():
        (folder / name).write_text(text)


@pytest.fixture
def old(conn: Conn, db: str, tmp_path: Path) -> Conn:
    restore(conn, db, tmp_path)
    return conn


@pytest.fixture
def old_2(conn: Conn, db: str, tmp_path: Path) -> Conn:
    restore(conn, db, tmp_path, "0.2.0")
    return conn


@pytest.fixture
def loader(conn: Conn) -> Iterator[str]:
    """A role that may log in and do nothing else."""
    conn.execute("DROP ROLE IF EXISTS loader; CREATE ROLE loader LOGIN")
    yield "loader"
    conn.execute("RESET ROLE; DROP OWNED BY loader CASCADE; DROP ROLE loader")


def version(conn: Conn) -> int:
    return schema._state(conn).version


def loads(conn: Conn) -> int:
    row = conn.execute("SELECT count(*) FROM pgsluice.run").fetchone()
    assert row is not None
    return int(row[0])


# --------------------------------------------------------------------------- migration


@pytest.mark.parametrize("release", VERSIONS)
def test_migrated_and_new_ledgers_are_equal(
    any_server: str, any_db: str, any_conn: Conn, tmp_path: Path, release: str
) -> None:
    restore(any_conn, any_db, tmp_path, release)
    assert version(any_conn) == VERSIONS[release]
    assert schema.exists(any_conn)
    schema.ensure(any_conn)
    assert version(any_conn) == schema.NEWEST
    with fresh_database(any_server) as other, psycopg.connect(other, autocommit=True) as new:
        assert version(new) == 0
        schema.ensure(new)
        assert version(new) == schema.NEWEST
        for what, text in STRUCTURE.items():
            mine, theirs = (c.execute(text.encode()).fetchall() for c in (any_conn, new))
            assert mine == theirs, what
            assert mine
    history = any_conn.execute("SELECT version, pgsluice FROM pgsluice.ledger_version ORDER BY version").fetchall()
    written = {2: release} if VERSIONS[release] == 2 else {}
    assert history == [(v, written.get(v, pgsluice.__version__)) for v in range(2, schema.NEWEST + 1)]


def test_old_runs_stay(old: Conn, db: str) -> None:
    before = pgsluice.runs(database_url=db)
    schema.ensure(old)
    assert pgsluice.runs(database_url=db) == before
    told = [(r.run_id, r.status, r.read, r.loaded, r.rejected, r.replayed, r.replay_of) for r in before]
    assert told == [
        (4, "running", 0, 0, 0, 0, None),
        (3, "published", 2, 1, 1, 0, 1),
        (2, "vetoed", 2, 0, 1, 0, None),
        (1, "published", 11, 3, 7, 1, None),
    ]


def test_an_old_ledger_has_reports(old: Conn, db: str) -> None:
    report = pgsluice.run_report(1, database_url=db)
    assert [(f.table, f.read, f.loaded, f.rejected, f.replayed) for f in report.files] == [
        ("customers", 8, 2, 5, 1),
        ("orders", 3, 1, 2, 0),
    ]
    assert report.balances
    assert len(report.samples) == report.rejects.count == 7
    assert (report.notes.tables, report.rules, report.profiles) == ((), (), ())
    assert pgsluice.run_report(database_url=db).run_id == 4
    assert version(old) == 1


def test_a_ledger_of_0_2_0_before_and_after_its_migration(old_2: Conn, db: str, tmp_path: Path) -> None:
    before = pgsluice.runs(database_url=db)
    assert [(r.run_id, r.status, r.rejected, r.replayed, r.replay_of) for r in before] == [
        (4, "running", 0, 0, None),
        (3, "published", 1, 0, 1),
        (2, "vetoed", 1, 0, None),
        (1, "published", 7, 1, None),
    ]
    report = pgsluice.run_report(1, database_url=db)
    assert (report.balances, len(report.samples), report.guests) == (True, 7, ())
    assert version(old_2) == 2
    resumed = pgsluice.resume(4, database_url=db)
    assert (resumed.status, resumed.rejects.count) == ("published", 1)
    assert version(old_2) == schema.NEWEST
    assert pgsluice.runs(database_url=db)[1:] == before[1:]
    again = pgsluice.load(tmp_path / "customers.csv", database_url=db, data_dir=str(tmp_path / "work"))
    assert again.status == "skipped"
    assert pgsluice.verify(database_url=db).ok


def test_migration_by_many_at_once(old: Conn, db: str) -> None:
    def migrate(_: int) -> None:
        with psycopg.connect(db, autocommit=True) as connection:
            schema.ensure(connection)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(migrate, range(12)))
    assert version(old) == schema.NEWEST
    assert old.execute("SELECT count(*) FROM pgsluice.ledger_version").fetchone() == (schema.NEWEST - 1,)


def test_a_step_that_fails_leaves_the_old_ledger(old: Conn) -> None:
    old.execute("CREATE DOMAIN pgsluice.ledger_version AS integer")  # the name of the row type of the new table
    with pytest.raises(psycopg.Error):
        schema.ensure(old)
    assert version(old) == 1
    old.execute("DROP DOMAIN pgsluice.ledger_version")
    schema.ensure(old)
    assert version(old) == schema.NEWEST


def test_an_incomplete_old_ledger(old: Conn) -> None:
    old.execute("DROP TABLE pgsluice.reject")
    schema.ensure(old)
    assert version(old) == schema.NEWEST
    assert old.execute("SELECT count(*) FROM pgsluice.reject").fetchone() == (0,)


# --------------------------------------------------------------------------- commands


def test_reading_does_not_migrate(old: Conn, db: str, tmp_path: Path) -> None:
    for _ in range(2):
        assert [run.run_id for run in pgsluice.runs(database_url=db)] == [4, 3, 2, 1]
        run_id, result = pgsluice.rejects(database_url=db)
        assert (run_id, result.count, result.replay) == (3, 1, 1)
        run_id, result = pgsluice.rejects(1, database_url=db)
        assert (result.count, result.replayed) == (7, 1)
        assert {g.kind for g in result.groups} == {
            "not_null", "check", "unique", "structure", "parent", "foreign_key",
        }  # fmt: skip
        rows = list(pgsluice.reject_rows(1, database_url=db))
        assert [row.reject_no for row in rows] == [2, 3, 4, 5, 6, 7, 8]
        assert (rows[2].parent_file, rows[2].parent_line) == (str(tmp_path / "customers.csv"), 2)
        checked = pgsluice.verify(database_url=db)
        assert checked.ok
        [detail] = [c.detail for c in checked.checks if (c.kind, c.subject) == ("rows", "customers")]
        assert detail == "3 rows; the ledger loaded 3, 1 of them corrected and replayed"
        assert version(old) == 1
        pgsluice.plan(tmp_path / "orders_2.csv", database_url=db)
        assert version(old) == 1


def test_a_load_migrates_and_knows_old_files(old: Conn, db: str, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("customers.csv", "orders.csv")]
    same = pgsluice.load(*paths, database_url=db, data_dir=str(tmp_path / "work"))
    assert same.status == "skipped"
    assert version(old) == schema.NEWEST
    more = pgsluice.load(
        *paths, tmp_path / "orders_2.csv", database_url=db, max_rejects="all", data_dir=str(tmp_path / "work")
    )
    assert (more.run_id, more.status, more.rejects.count) == (5, "published", 1)
    assert sorted(Path(f.path).name for t in more.tables for f in t.files if f.skipped) == [p.name for p in paths]
    assert old.execute("SELECT count(*) FROM orders").fetchone() == (2,)
    # The interrupted run is marked, and its scratch tables are dropped.
    assert old.execute("SELECT status FROM pgsluice.run WHERE run_id = 4").fetchone() == ("interrupted",)
    left = old.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^(stage|fault)_4'").fetchone()
    assert left == (0,)
    assert pgsluice.verify(database_url=db).ok


def test_a_replay_of_an_old_run(old: Conn, db: str, tmp_path: Path) -> None:
    written = call("rejects", "1", "--format", "csv", cwd=tmp_path, url=db)
    rows = list(csv.DictReader(io.StringIO(written.out, newline="")))
    for row in rows:
        row["raw"] = {"3,,30,": "3,c@x,30,", "12,99,3.5": "12,3,3.5"}.get(row["raw"], row["raw"])
    with (tmp_path / "corrected.txt").open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    result = pgsluice.replay(
        1, tmp_path / "corrected.txt", database_url=db, max_rejects="all", data_dir=str(tmp_path / "work")
    )
    # 3 and 12 are corrected, and the parent of 11 has been loaded by the replay in the dump.
    assert (result.run_id, result.status, result.replay_of) == (5, "published", 1)
    assert (sum(t.loaded for t in result.tables), result.rejects.count) == (3, 4)
    assert version(old) == schema.NEWEST
    run_id, open_ones = pgsluice.rejects(1, database_url=db)
    assert (run_id, open_ones.count, open_ones.replayed) == (1, 4, 4)
    assert pgsluice.verify(database_url=db).ok


def test_resume_of_an_old_run(old: Conn, db: str) -> None:
    result = pgsluice.resume(4, database_url=db)
    assert (result.run_id, result.status, result.rejects.count) == (4, "published", 1)
    assert [Path(f.path).name for t in result.tables for f in t.files if f.staged_before] == ["customers_2.csv"]
    assert version(old) == schema.NEWEST
    assert old.execute("SELECT array_agg(id ORDER BY id) FROM customers").fetchone() == ([1, 2, 7, 8, 9],)


# --------------------------------------------------------------------------- rights


def test_a_role_that_may_not_migrate(old: Conn, db: str, loader: str, tmp_path: Path) -> None:
    old.execute("""
        GRANT USAGE ON SCHEMA pgsluice TO loader;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA pgsluice TO loader;
        GRANT SELECT, INSERT ON customers, orders TO loader""")
    old.execute("SET ROLE loader")
    with pytest.raises(PrivilegeError) as caught:
        schema.ensure(old)
    assert "has version 1" in caught.value.message
    assert "role loader may not migrate it" in caught.value.message
    assert "as role postgres" in caught.value.remedy
    assert version(old) == 1
    assert schema.exists(old)

    # The owner does what the remedy says; afterwards the role has all rights that it needs.
    old.execute("RESET ROLE")
    pgsluice.load(tmp_path / "customers_2.csv", database_url=db, dry_run=True, data_dir=str(tmp_path / "work"))
    old.execute("SET ROLE loader")
    schema.ensure(old)
    assert version(old) == schema.NEWEST


def test_a_migration_keeps_the_owner(old: Conn, loader: str) -> None:
    old.execute("GRANT USAGE, CREATE ON SCHEMA pgsluice TO loader")
    for table in ("run", "file", "reject"):
        old.execute(sql.SQL("ALTER TABLE pgsluice.{} OWNER TO loader").format(sql.Identifier(table)))
    old.execute("ALTER SCHEMA pgsluice OWNER TO loader")
    database = sql.Identifier(old.info.dbname)
    old.execute(sql.SQL("ALTER DATABASE {} OWNER TO loader").format(database))  # whom a superuser trusts
    schema.ensure(old)  # by a superuser
    old.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(database))
    assert old.execute("SELECT current_user").fetchone() == ("postgres",)
    owners = old.execute("""
        SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class
         WHERE relnamespace = 'pgsluice'::regnamespace AND relname IN ('run', 'file', 'reject', 'ledger_version')
    """).fetchall()
    assert owners == [("loader",)]


# --------------------------------------------------------------------------- newer ledgers


def test_a_newer_ledger_is_refused(conn: Conn, db: str, tmp_path: Path) -> None:
    schema.ensure(conn)
    conn.execute(sql.SQL("ALTER TABLE pgsluice.ledger_version ALTER version SET DEFAULT {}").format(schema.NEWEST + 1))
    for refused in (schema.ensure, schema.exists):
        with pytest.raises(DatabaseError, match=f"has version {schema.NEWEST + 1}; .* up to {schema.NEWEST}") as caught:
            refused(conn)
        assert caught.value.remedy.startswith("Upgrade pgsluice")
    conn.execute(SHOP)
    (tmp_path / "customers_2.csv").write_text(FILES["customers_2.csv"])
    for command in (["runs"], ["rejects"], ["verify"], ["load", "customers_2.csv"]):
        call(*command, cwd=tmp_path, url=db).complaint(3, f"has version {schema.NEWEST + 1}", "Upgrade pgsluice")
    assert loads(conn) == 0


def test_one_query_is_enough(conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with a ledger of the newest version sends one query to find that out."""
    schema.ensure(conn)
    queries: list[str] = []
    original = schema.query

    def noted(file: str, name: str) -> str:
        queries.append(name)
        return original(file, name)

    monkeypatch.setattr(schema, "query", noted)
    schema.ensure(conn)
    assert queries == ["state"]
