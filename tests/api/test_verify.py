"""The checks of ``verify`` and the queries of the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

import pgsluice
from pgsluice.errors import FileError, SchemaFileError
from pgsluice.ledger.runs import FileRecord, finish_run, record_files, start_run
from pgsluice.ledger.schema import ensure
from pgsluice.model import Check, QueryResult
from pgsluice.report.console import verify_parts
from pgsluice.report.parts import Line
from pgsluice.verification import verify

Conn = psycopg.Connection[Any]

SHOP = """
CREATE TABLE customers (a int, b int, name text NOT NULL, PRIMARY KEY (a, b));
CREATE TABLE "Orders" (id int8 PRIMARY KEY, ca int8, cb int,
                       CONSTRAINT k FOREIGN KEY (ca, cb) REFERENCES customers);
INSERT INTO customers VALUES (1, 1, 'x'), (2, 2, 'y');
INSERT INTO "Orders" VALUES (1, 1, 1), (2, 2, 2), (3, NULL, 7), (4, NULL, NULL);
"""


def record_load(conn: Conn, table: str, loaded: int, status: str = "published") -> None:
    ensure(conn)
    row = conn.execute("SELECT %s::regclass::oid::bigint", [table]).fetchone()
    assert row is not None
    run_id = start_run(conn, {})
    record_files(
        conn,
        run_id,
        [FileRecord(row[0], "public", table, "f.csv", "a", 1, "loaded", loaded, loaded, 0)],
    )
    finish_run(conn, run_id, status, 1.0)


def check(conn: Conn, kind: str, start: str = "") -> Check:
    found = [c for c in verify(conn, None).checks if c.kind == kind and c.subject.startswith(start)]
    assert len(found) == 1, found
    return found[0]


def break_by(conn: Conn, sql: str) -> None:
    """Changes rows without a check of the foreign keys."""
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute(sql)


def test_all_tables_without_a_ledger(any_conn: Conn) -> None:
    any_conn.execute(SHOP)
    result = verify(any_conn, None)
    assert result.ok
    assert result.queries == ()
    assert result.checks == (
        Check("rows", "Orders", True, "4 rows; the ledger knows of no load", asked=False),
        Check("not_null", "Orders.id", True, "0 NULLs", guaranteed=True),
        Check("foreign_key", "Orders(ca, cb) -> customers(a, b)", True, "0 orphans", guaranteed=True),
        Check("rows", "customers", True, "2 rows; the ledger knows of no load", asked=False),
        Check("not_null", "customers.a", True, "0 NULLs", guaranteed=True),
        Check("not_null", "customers.b", True, "0 NULLs", guaranteed=True),
        Check("not_null", "customers.name", True, "0 NULLs", guaranteed=True),
    )


def test_rows_against_the_ledger(conn: Conn) -> None:
    conn.execute(SHOP)
    record_load(conn, "customers", 1000, "vetoed")
    record_load(conn, "customers", 1)
    record_load(conn, "customers", 1)
    assert {c.subject.partition(".")[0] for c in verify(conn, None).checks} == {"customers"}
    assert check(conn, "rows") == Check("rows", "customers", True, "2 rows; the ledger loaded 2")
    conn.execute("INSERT INTO customers SELECT n, n, '' FROM generate_series(3, 1500) AS n")
    assert check(conn, "rows").detail == "1,500 rows; the ledger loaded 2; 1,498 came another way"
    record_load(conn, "customers", 2000)
    failed = check(conn, "rows")
    assert not failed.ok
    assert failed.detail.startswith("1,500 rows; the ledger loaded 2,002; 502 are missing")


def test_orphans(any_conn: Conn) -> None:
    any_conn.execute(SHOP)
    break_by(any_conn, "DELETE FROM customers WHERE a = 2")
    result = verify(any_conn, None)
    assert not result.ok
    assert check(any_conn, "foreign_key").detail == "1 orphan"


def test_match_full(conn: Conn) -> None:
    conn.execute(SHOP.replace("REFERENCES customers", "REFERENCES customers MATCH FULL").replace("(3, NULL, 7),", ""))
    assert check(conn, "foreign_key").ok
    break_by(conn, 'INSERT INTO "Orders" VALUES (9, NULL, 7), (10, 8, 8)')
    failed = check(conn, "foreign_key")
    assert (failed.ok, failed.detail) == (
        False,
        "1 orphan, 1 row with some of the columns NULL (MATCH FULL)",
    )


def test_operators_of_the_key_and_odd_names(conn: Conn) -> None:
    conn.execute("""
        CREATE SCHEMA "o d";
        CREATE TABLE "o d"."par""ent" ("K 1" char(3) PRIMARY KEY);
        CREATE TABLE child (parent char(5) REFERENCES "o d"."par""ent", child int);
        INSERT INTO "o d"."par""ent" VALUES ('Ab');
        INSERT INTO child VALUES ('Ab', 1);
    """)
    assert check(conn, "foreign_key") == Check(
        "foreign_key", 'child(parent) -> o d.par"ent(K 1)', True, "0 orphans", guaranteed=True
    )


def test_partitioned_parent_and_own_parent(any_conn: Conn) -> None:
    any_conn.execute("""
        CREATE TABLE parent (id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE parent_1 PARTITION OF parent FOR VALUES FROM (0) TO (10);
        CREATE TABLE child (id int PRIMARY KEY REFERENCES parent, up int REFERENCES child);
        INSERT INTO parent VALUES (1), (2);
        INSERT INTO child VALUES (1, 2), (2, 1);
    """)
    assert verify(any_conn, None).ok


def test_unvalidated(conn: Conn) -> None:
    conn.execute("""
        CREATE TABLE p (id int PRIMARY KEY);
        CREATE TABLE t (a int);
        INSERT INTO t VALUES (-1), (NULL), (1);
        ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;
        ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p NOT VALID;
    """)
    assert check(conn, "check") == Check("check", "t.c", False, "not validated; broken by 1 row")
    assert check(conn, "foreign_key").detail == "2 orphans; not validated"
    conn.execute("""
        ALTER TABLE t DROP CONSTRAINT c; ALTER TABLE t DROP CONSTRAINT k;
        ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p NOT ENFORCED;
        ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED;
    """)
    assert check(conn, "check") == Check("check", "t.c", True, "not enforced; broken by 1 row")
    assert check(conn, "foreign_key").detail == "2 orphans; not enforced"


def test_period(conn: Conn) -> None:
    conn.execute("""
        CREATE TABLE t (a int4range, p daterange, PRIMARY KEY (a, p WITHOUT OVERLAPS));
        CREATE TABLE u (a int4range, p daterange, FOREIGN KEY (a, PERIOD p) REFERENCES t (a, PERIOD p));
    """)
    found = check(conn, "foreign_key")
    assert (found.asked, found.detail) == (False, "a foreign key over periods")


def test_inside_a_transaction_of_the_caller(conn: Conn) -> None:
    conn.execute(SHOP)
    with conn.transaction():
        conn.execute("INSERT INTO customers VALUES (7, 7, 'z')")
        assert check(conn, "rows", "customers").detail.startswith("3 rows")
        conn.execute("INSERT INTO customers VALUES (8, 8, 'z')")  # writing is allowed again


# --------------------------------------------------------------------------- queries of the user


def queries(conn: Conn, tmp_path: Path, text: str) -> tuple[QueryResult, ...]:
    path = tmp_path / "q.sql"
    path.write_text(text)
    return verify(conn, None, str(path)).queries


def test_queries(conn: Conn, tmp_path: Path) -> None:
    conn.execute(SHOP)
    text = """
-- name: How many; really?
SELECT count(*) AS "n%", '50%' AS share, 1.50 AS x, NULL AS nothing, true FROM customers;
-- name: names
SELECT name FROM customers ORDER BY a; SET work_mem = '5MB';
"""
    assert queries(conn, tmp_path, text) == (
        QueryResult("How many; really?", ("n%", "share", "x", "nothing", "?column?"), (("2", "50%", "1.50", "", "t"),)),
        QueryResult("names", ("name",), (("x",), ("y",))),
        QueryResult("line 5", (), ()),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;\n\nDELETE FROM t;", "q.sql:3: cannot execute DELETE in a read-only transaction"),
        ("SELECT 1;\nCOMMIT; DELETE FROM t;", "q.sql:2: COMMIT in a file of queries"),
        ("SET TRANSACTION READ WRITE", "q.sql:1: SET in a file of queries"),
        (
            "SET transaction_read_only = off; DELETE FROM t",
            "transaction read-write mode must be set before any query",
        ),
        ("SELECT nope FROM t", 'q.sql:1: column "nope" does not exist'),
        ("COPY t TO STDOUT", "q.sql:1: COPY"),
    ],
)
def test_bad_queries(conn: Conn, tmp_path: Path, text: str, message: str) -> None:
    conn.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    with pytest.raises(SchemaFileError) as caught:
        queries(conn, tmp_path, text)
    assert message in caught.value.message
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_missing_file(conn: Conn) -> None:
    with pytest.raises(FileError):
        verify(conn, None, "/no/such.sql")


def test_counts_after_modes_that_change_rows(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    (tmp_path / "t.csv").write_text("id\n1\n2\n")
    pgsluice.load(tmp_path, database_url=db, mode="upsert")
    found = pgsluice.verify(database_url=db)
    [rows] = [c for c in found.checks if c.kind == "rows"]
    assert (rows.asked, rows.detail) == (True, "2 rows; the runs left 2")
    written = "\n".join(part.text for part in verify_parts(found) if isinstance(part, Line))
    assert written.endswith("Verified: 2 checks, all hold.")
    conn.execute("DELETE FROM t WHERE id = 1")
    assert not pgsluice.verify(database_url=db).ok
    pgsluice.load(tmp_path, database_url=db, mode="replace", again=True)
    assert pgsluice.verify(database_url=db).ok
    (tmp_path / "t.csv").write_text("id\n2\n3\n")
    pgsluice.load(tmp_path, database_url=db, mode="upsert", delete_missing=True)
    [rows] = [c for c in pgsluice.verify(database_url=db).checks if c.kind == "rows"]
    assert rows.detail == "2 rows; the runs left 2"
    # A ledger that an older release has written does not know what runs inserted.
    conn.execute("DELETE FROM pgsluice.run_summary")
    found = pgsluice.verify(database_url=db)
    assert [c.asked for c in found.checks if c.kind == "rows"] == [False]
    written = "\n".join(part.text for part in verify_parts(found) if isinstance(part, Line))
    assert written.endswith("Verified: 1 check, all hold; 1 table not compared.")
