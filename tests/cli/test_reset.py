"""Starting over: `reset` drops what it says, all or nothing, and asks first."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call, environment
from pgsluice.ledger.advisory_locks import hold_run

Conn = psycopg.Connection[tuple[object, ...]]

SCHEMA = """
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE "Big orders" (id integer PRIMARY KEY, customer integer REFERENCES customers);
CREATE VIEW names AS SELECT name FROM customers;
"""


@pytest.fixture
def data(tmp_path: Path, db: str, conn: Conn) -> Path:
    """A published run with a derived table, and a table that is not pgsluice's."""
    (tmp_path / "schema.sql").write_text(SCHEMA.rpartition("CREATE VIEW")[0])
    (tmp_path / "customers.csv").write_text("id,name\n1,a\n2,b\n")
    (tmp_path / "Big orders.csv").write_text("id,customer\n1,1\n")
    (tmp_path / "count.sql").write_text("-- materialized: table\nSELECT pg_catalog.count(*) AS n FROM customers")
    conn.execute("CREATE TABLE other (id integer); INSERT INTO other VALUES (1)")
    load = ("load", "customers.csv", "Big orders.csv", "--schema", "schema.sql", "--derive", "count.sql")
    loaded = call(*load, cwd=tmp_path, url=db)
    assert loaded.code == 0, loaded
    return tmp_path


def there(conn: Conn) -> set[object]:
    rows = conn.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace"
        " WHERE nspname = 'public' AND relkind IN ('r', 'v', 'm') UNION ALL SELECT nspname FROM pg_namespace"
        " WHERE nspname = 'pgsluice'"
    )
    return {name for (name,) in rows}


EVERYTHING = {"customers", "Big orders", "count", "other", "pgsluice"}


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (("--ledger",), EVERYTHING - {"pgsluice"}),
        (("--schema", "schema.sql"), EVERYTHING - {"customers", "Big orders"}),
        (("--all", "--schema", "schema.sql"), {"other"}),
    ],
)
def test_drops_what_it_says_and_the_files_load_again(
    options: tuple[str, ...], left: set[str], data: Path, db: str, conn: Conn
) -> None:
    call("reset", *options, cwd=data, url=db).complaint(2, "no terminal", "--yes")
    assert there(conn) == EVERYTHING
    ended = call("reset", *options, "--yes", cwd=data, url=db)
    assert ended.code == 0, ended
    assert there(conn) == left
    assert f"Dropped from {conn.info.dbname} in " in ended.out
    assert ("customers (2 rows)" in ended.out) is ("customers" not in left)
    assert ("the ledger (1 run, 0 open rejects)" in ended.out) is ("pgsluice" not in left)
    load = ("load", "customers.csv", "Big orders.csv", "--schema", "schema.sql", "--mode", "upsert")
    assert call(*load, cwd=data, url=db).out.startswith("Run ")
    if left == {"other"}:
        again = call("reset", *options, "--yes", cwd=data, url=db)
        assert again.code == 0
        assert "There is nothing to drop" in call("reset", *options, "--yes", cwd=data, url=db).out


def test_refuses_while_a_run_is_under_way_or_something_depends_on_a_table(data: Path, db: str, conn: Conn) -> None:
    with psycopg.connect(db, autocommit=True) as other:
        hold_run(other, 7)
        call("reset", "--ledger", "--yes", cwd=data, url=db).complaint(3, "under way", "run 7")
    conn.execute("CREATE VIEW names AS SELECT name FROM customers")
    refused = call("reset", "--ledger", "--schema", "schema.sql", "--yes", cwd=data, url=db)
    refused.complaint(3, "view public.names depends on table public.customers", "nothing was dropped")
    assert there(conn) == EVERYTHING | {"names"}
    call("reset", cwd=data, url=db).complaint(2, "--ledger", "--schema")
    call("reset", "--all", cwd=data, url=db).complaint(2, "--schema FILE")


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("y\n", 0)])
def test_asks_on_a_terminal(answer: str, code: int, data: Path, db: str, conn: Conn) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    command = [sys.executable, "-m", "pgsluice", "reset", "--ledger", "--database-url", db]
    try:
        done = subprocess.run(command, cwd=data, env=environment(), stdin=theirs, capture_output=True, text=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == code, done
    assert f"This drops from {conn.info.dbname} in " in done.stderr
    assert ("pgsluice" in there(conn)) is (code == 1)


def test_python(data: Path, db: str, conn: Conn) -> None:
    session = pgsluice.Session(db)
    seen = session.reset(schema=data / "schema.sql", everything=True, dry_run=True)
    assert there(conn) == EVERYTHING
    found = {(r.schema, r.name, r.kind, r.rows) for r in seen.relations}
    assert found == {
        ("public", "customers", "table", 2), ("public", "Big orders", "table", 1), ("public", "count", "table", 1),
    }  # fmt: skip
    assert (seen.runs, seen.rejects, seen.target.database) == (1, 0, conn.info.dbname)
    assert session.reset(schema=[str(data / "schema.sql")], everything=True) == seen
    assert there(conn) == {"other"}
    assert pgsluice.reset(ledger=True, database_url=db).empty
    for wrong in ({}, {"everything": True}):
        with pytest.raises(pgsluice.CallError):
            pgsluice.reset(database_url=db, **wrong)
