"""The views of the ledger: their columns stay, their names are those of the JSON output, their rows those of Python."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pgsluice
from pgsluice.errors import DatabaseError
from pgsluice.ledger import schema

Conn = psycopg.Connection[Any]

COLUMNS = {
    "runs": "run_id bigint, status text, started timestamp with time zone, ended timestamp with time zone, "
    "seconds double precision, role text, paths jsonb, replay_of bigint, tables bigint, files bigint, "
    "bytes bigint, read bigint, loaded bigint, rejected bigint, replayed bigint, detail text, version "
    "text, client text, options jsonb",
    "files": "run_id bigint, file_no integer, table_name text, path text, bytes bigint, sha256 text, status text, "
    "mode text, read bigint, loaded bigint, rejected bigint, replayed bigint",
    "tables": "run_id bigint, table_name text, mode text, strategy text, files bigint, bytes bigint, read bigint, "
    "loaded bigint, rejected bigint, replayed bigint, inserted bigint, updated bigint, unchanged bigint, "
    "deleted bigint",
    "rejects": "run_id bigint, reject_no bigint, table_name text, file text, line bigint, record_no bigint, kind "
    "text, column_name text, constraint_name text, sqlstate text, message text, detail text, parent_file "
    "text, parent_line bigint, cause bigint, raw text, replayed_by bigint, byte_offset bigint",
    "phases": "run_id bigint, table_name text, phase text, seconds double precision",
}
"""The columns with their types. Columns may be added at the end; those that are here stay as they are."""

OF_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.oid = %s::regclass ORDER BY a.attnum"""

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers);
"""


@pytest.fixture
def shop(any_db: str, any_conn: Conn, tmp_path: Path) -> Conn:
    any_conn.execute(SHOP)
    (tmp_path / "customers.csv").write_text("id,email\n1,a\n2,\n3,c\n")
    (tmp_path / "orders.csv").write_text("id,customer_id\n10,1\n11,2\n12,x\n")
    pgsluice.load(tmp_path, database_url=any_db, data_dir=str(tmp_path / "d"), max_rejects="all")
    return any_conn


def test_columns_stay_and_are_described(any_conn: Conn) -> None:
    schema.ensure(any_conn)
    page = (Path(__file__).parents[2] / "docs" / "reference" / "ledger.md").read_text()
    for view, columns in COLUMNS.items():
        found = any_conn.execute(OF_COLUMNS, (f"pgsluice.{view}",)).fetchall()
        assert ", ".join(f"{name} {kind}" for name, kind, _ in found) == columns
        section = page.partition(f"### `pgsluice.{view}`")[2].partition("\n#")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [name for name, _, _ in found], view
        undescribed = {name for name, _, words in found if not words}
        assert undescribed <= {"started", "ended"}


def test_rows_are_those_of_python(shop: Conn, any_db: str) -> None:
    [run] = pgsluice.runs(database_url=any_db)
    names = "run_id, status, seconds, tables, read, loaded, rejected, detail, replayed, replay_of"
    expected = tuple(getattr(run, name) for name in names.split(", "))
    assert shop.execute(f"SELECT {names} FROM pgsluice.runs").fetchall() == [expected]  # type: ignore[arg-type]
    report = pgsluice.run_report(database_url=any_db)
    files = [
        (f.table, f.path, f.bytes, f.status, f.mode, f.read, f.loaded, f.rejected, f.replayed) for f in report.files
    ]
    found = shop.execute(
        "SELECT table_name, path, bytes, status, mode, read, loaded, rejected, replayed FROM pgsluice.files"
        " ORDER BY file_no"
    ).fetchall()
    assert found == files
    tables = [(t.table, t.mode, t.way, t.inserted, t.updated, t.unchanged, t.deleted) for t in report.notes.tables]
    found = shop.execute(
        "SELECT table_name, mode, strategy, inserted, updated, unchanged, deleted FROM pgsluice.tables ORDER BY 1"
    ).fetchall()
    assert found == sorted(tables)
    rejects = [
        (r.original, r.reject_no, r.table, r.file, r.line, r.record_no, r.kind, r.column, r.constraint, r.sqlstate,
         r.message, r.detail, r.parent_file, r.parent_line, r.cause, r.raw, r.byte_offset)
        for r in pgsluice.reject_rows(run.run_id, database_url=any_db)
    ]  # fmt: skip
    found = shop.execute(
        "SELECT run_id, reject_no, table_name, file, line, record_no, kind, column_name, constraint_name, sqlstate,"
        " message, detail, coalesce(parent_file, ''), parent_line, cause, raw, byte_offset"
        " FROM pgsluice.rejects ORDER BY reject_no"
    ).fetchall()
    assert found == rejects
    assert len(found) == 3
    phases = {(p.table, p.phase): p.seconds for p in report.notes.phases}
    rows = shop.execute("SELECT table_name, phase, seconds FROM pgsluice.phases").fetchall()
    assert {(table, phase): seconds for table, phase, seconds in rows} == phases


def test_who_may_read_the_tables_may_read_the_views(shop: Conn) -> None:
    shop.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader; GRANT USAGE ON SCHEMA pgsluice TO reader")
    try:
        shop.execute("GRANT SELECT ON pgsluice.runs, pgsluice.run, pgsluice.file, pgsluice.rejects TO reader")
        shop.execute("SET ROLE reader")
        assert shop.execute("SELECT rejected FROM pgsluice.runs").fetchone() == (3,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="reject"):
            shop.execute("SELECT * FROM pgsluice.rejects")
    finally:
        shop.execute("RESET ROLE; DROP OWNED BY reader; DROP ROLE reader")


def test_views_of_others_are_refused(conn: Conn) -> None:
    conn.execute("CREATE SCHEMA pgsluice; CREATE TABLE pgsluice.runs (a int)")
    with pytest.raises(DatabaseError, match=r"pgsluice\.runs is not a view"):
        schema.ensure(conn)
    conn.execute("DROP TABLE pgsluice.runs; CREATE VIEW pgsluice.runs AS SELECT 1 AS run_id; DROP ROLE IF EXISTS other")
    conn.execute("CREATE ROLE other; ALTER VIEW pgsluice.runs OWNER TO other")
    try:
        with pytest.raises(DatabaseError, match="belongs to role other"):
            schema.ensure(conn)
    finally:
        conn.execute("DROP OWNED BY other; DROP ROLE other")
