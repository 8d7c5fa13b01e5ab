"""Schema files: what is executed, skipped and refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pgsluice
from pgsluice.errors import FileError, SchemaFileError
from pgsluice.postgres.schema_files.apply import SchemaApplied, apply_missing
from pgsluice.verification import verify

Conn = psycopg.Connection[Any]

SHOP = """
-- A shop; the semicolon here; does not matter.
BEGIN;
CREATE SCHEMA IF NOT EXISTS extra;
CREATE TYPE mood AS ENUM ('sad; or', 'ok');
CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE >= 0);
CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS $$ SELECT x; $$;
CREATE TABLE IF NOT EXISTS customers (id int PRIMARY KEY, m mood);
CREATE TABLE "Orders" (id int, c int, amount price);
CREATE UNIQUE INDEX orders_id ON "Orders" (id);
CREATE INDEX IF NOT EXISTS orders_c ON ONLY "Orders" USING btree (c);
ALTER TABLE ONLY "Orders" ADD FOREIGN KEY (c) REFERENCES customers;
COMMENT ON TABLE "Orders" IS 'orders; all';
COMMENT ON COLUMN "Orders".id IS 'id';
COMMENT ON CONSTRAINT customers_pkey ON customers IS 'key';
COMMENT ON INDEX orders_id IS 'ix';
COMMENT ON TYPE mood IS 'a mood';
CREATE VIEW v AS SELECT id FROM customers;
GRANT SELECT ON customers TO public;
INSERT INTO customers VALUES (1, 'ok');
COMMIT;
"""


@pytest.fixture
def work(db: str) -> Any:
    """A connection that is not in autocommit mode."""
    with psycopg.connect(db) as connection:
        yield connection


def apply(conn: Conn, tmp_path: Path, text: str, into: str | None = None) -> SchemaApplied:
    path = tmp_path / "s.sql"
    path.write_text(text)
    return apply_missing(conn, str(path), into)


def relations(conn: Conn) -> set[str]:
    return {row[0] for row in conn.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")}


def test_on_an_empty_database_and_again(work: Conn, tmp_path: Path) -> None:
    first = apply(work, tmp_path, SHOP)
    assert first == SchemaApplied(17, 2, ("customers", '"Orders"'))
    assert {"customers", "Orders", "orders_id", "orders_c", "v"} <= relations(work)
    work.commit()
    assert apply(work, tmp_path, SHOP) == SchemaApplied(0, 19, ())
    assert work.execute("SELECT count(*) FROM customers").fetchone() == (1,)


def test_only_what_is_missing(work: Conn, tmp_path: Path) -> None:
    work.execute("CREATE TABLE customers (id int CONSTRAINT mine PRIMARY KEY)")
    text = SHOP.replace("COMMENT ON CONSTRAINT customers_pkey", "COMMENT ON CONSTRAINT no_such")
    text = text.replace("INSERT INTO", "INSERT INTO customers VALUES (1); INSERT INTO")
    applied = apply(work, tmp_path, text)
    assert applied.tables_made == ('"Orders"',)
    assert work.execute("SELECT count(*) FROM customers").fetchone() == (0,)


def test_indexes_of_tables_that_were_there_are_not_made(work: Conn, tmp_path: Path) -> None:
    work.execute("CREATE TABLE t (a int)")
    text = "CREATE INDEX i ON t (a); COMMENT ON INDEX i IS 'x'; ALTER TABLE t ADD b int;"
    assert apply(work, tmp_path, text) == SchemaApplied(0, 3, ())


def test_nothing_is_committed(work: Conn, db: str, tmp_path: Path) -> None:
    apply(work, tmp_path, "CREATE TABLE t (a int); COMMIT; CREATE TABLE u (a int)")
    with psycopg.connect(db) as other:
        assert other.execute("SELECT to_regclass('t')").fetchone() == (None,)
    work.rollback()
    assert work.execute("SELECT to_regclass('u')").fetchone() == (None,)


def test_pg_dump(work: Conn, tmp_path: Path) -> None:
    text = r"""
\restrict aBc1
SET statement_timeout = 1234567;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
SET default_tablespace = '';
CREATE TABLE public.t (id integer NOT NULL);
ALTER TABLE public.t OWNER TO postgres;
CREATE SEQUENCE public.t_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.t_id_seq OWNED BY public.t.id;
ALTER TABLE ONLY public.t ALTER COLUMN id SET DEFAULT nextval('public.t_id_seq'::regclass);
ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);
COMMENT ON SCHEMA public IS 'not mine';
\unrestrict aBc1
"""
    assert apply(work, tmp_path, text).tables_made == ("t",)
    work.commit()
    assert work.execute("SHOW search_path").fetchone() == ('"$user", public',)
    assert work.execute("SHOW statement_timeout").fetchone() == ("0",)
    again = apply(work, tmp_path, text)
    assert (again.executed, again.tables_made) == (3, ())  # the three SETs


def test_set_search_path_holds_for_the_transaction(work: Conn, tmp_path: Path) -> None:
    work.execute("CREATE SCHEMA s")
    work.commit()
    assert apply(work, tmp_path, "SET search_path = s; CREATE TABLE t (a int)").tables_made == ("t",)
    assert work.execute("SELECT 't'::regclass::oid = 's.t'::regclass::oid, current_schema()").fetchone() == (
        True,
        "s",
    )
    work.commit()
    assert work.execute("SELECT current_schema()").fetchone() == ("public",)


def test_objects_are_looked_up_in_the_schema_where_create_would_make_them(work: Conn, tmp_path: Path) -> None:
    work.execute("CREATE TABLE t (a int); CREATE SCHEMA s; SET LOCAL search_path TO s, public")
    assert apply(work, tmp_path, "CREATE TABLE t (a int)", "s") == SchemaApplied(1, 0, ("t",))
    assert work.execute("SELECT to_regclass('s.t')").fetchone() != (None,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE TABLE t (a int);\n\nDROP TABLE IF EXISTS t;", "s.sql:3: DROP in a schema file"),
        ("TRUNCATE t", "s.sql:1: TRUNCATE in a schema file"),
        ("\\c other\nSELECT 1;", r"s.sql:1: \c is a command of psql"),
        (
            "SELECT 1;\nCREATE TABLE t (\n a int,\n b no_such_type\n);",
            's.sql:4: type "no_such_type" does not exist',
        ),
        ("SELECT 1;\nCREATE TABEL t (a int)", 's.sql:2: syntax error at or near "TABEL"'),
        ("ALTER TABLE missing ADD a int", 's.sql:1: relation "missing" does not exist'),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", "cannot run inside a transaction block"),
    ],
)
def test_refused(work: Conn, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SchemaFileError) as caught:
        apply(work, tmp_path, text)
    assert message in caught.value.message
    assert caught.value.remedy


REFUSED = [
    "DELETE FROM t",
    "update t SET a = 1",
    "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
    "DO $$ BEGIN DELETE FROM t; END $$",
    "CALL p()",
    "LOAD 'auto_explain'",
    "PREPARE x AS DELETE FROM t",
    "EXECUTE x",
    "WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x",
    "WITH x AS MATERIALIZED (\n UPDATE t SET a = 2 RETURNING a) SELECT * FROM x",
    "WITH x AS (SELECT 1) DELETE FROM ONLY t USING x",
    "WITH x AS (SELECT 1) UPDATE t SET a = 3",
    'INSERT INTO u WITH x AS (UPDATE "t" SET a = 1 RETURNING a) SELECT a FROM x',
    "EXPLAIN ANALYZE DELETE FROM t",
    "EXPLAIN (ANALYZE, VERBOSE) UPDATE t SET a = 4",
    "CREATE ROLE r SUPERUSER",
    "CREATE USER r",
    "ALTER ROLE postgres SET work_mem = '1GB'",
    "ALTER USER postgres PASSWORD 'x'",
    "DROP ROLE r",
    "GRANT postgres TO public",
    "GRANT SUPERUSER TO r",
    "REVOKE pg_read_all_data FROM r",
    "GRANT SET ON PARAMETER work_mem TO public",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "ALTER DATABASE postgres SET work_mem = '1GB'",
    "CREATE DATABASE d",
    "CREATE TABLESPACE s LOCATION '/tmp'",
    "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_statements_that_change_more_than_they_define(work: Conn, tmp_path: Path, statement: str) -> None:
    before = "CREATE TABLE t (a int);\nCREATE TABLE u (a int);\nINSERT INTO t VALUES (1);\n"
    with pytest.raises(SchemaFileError, match=r"s\.sql:4: .* in a schema file") as caught:
        apply(work, tmp_path, f"{before}{statement};")
    assert caught.value.remedy


def test_statements_that_look_alike(work: Conn, tmp_path: Path) -> None:
    text = """
CREATE TABLE lookup (id int PRIMARY KEY, "do" text, update text, delete text);
INSERT INTO lookup (id, update) VALUES (1, 'update t'), (2, 'delete from t');
INSERT INTO lookup (update, id) VALUES ('a', 3) ON CONFLICT (id) DO UPDATE SET update = 'b';
INSERT INTO lookup WITH x AS (SELECT 4) SELECT * FROM x FOR UPDATE;
SELECT * FROM (SELECT id FROM lookup) AS x FOR UPDATE;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM lookup; RETURN NULL; END $$;
CREATE FUNCTION g() RETURNS void BEGIN ATOMIC DELETE FROM lookup; END;
CREATE TRIGGER tr AFTER DELETE OR UPDATE ON lookup EXECUTE FUNCTION f();
CREATE RULE r AS ON DELETE TO lookup DO ALSO (UPDATE lookup SET id = 1);
ALTER TABLE lookup ADD FOREIGN KEY (id) REFERENCES lookup ON DELETE CASCADE;
GRANT UPDATE, DELETE ON lookup TO public;
CREATE POLICY p ON lookup FOR UPDATE USING (true);
"""
    applied = apply(work, tmp_path, text)
    assert (applied.executed, applied.skipped) == (12, 0)
    assert work.execute("SELECT count(*) FROM lookup").fetchone() == (4,)


@pytest.mark.parametrize("what", ["fifo", "device"])
def test_a_pipe_or_a_device(work: Conn, tmp_path: Path, what: str) -> None:
    path = tmp_path / "s.sql"
    if what == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(FileError, match="no file but a pipe or a device"):
        apply_missing(work, str(path))
    with pytest.raises(FileError, match="no file but a pipe or a device"):
        verify(work, None, str(path))


def test_missing_file(work: Conn) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        apply_missing(work, "/no/such.sql")


def test_every_version(any_db: str, tmp_path: Path) -> None:
    with psycopg.connect(any_db) as conn:
        assert apply(conn, tmp_path, SHOP).tables_made == ("customers", '"Orders"')
        assert apply(conn, tmp_path, SHOP).executed == 0


def test_a_role_without_a_schema_is_told_the_option(db: str, tmp_path: Path) -> None:
    """Some services give their roles an empty search_path."""
    (tmp_path / "s.sql").write_text("CREATE TABLE t (id int PRIMARY KEY);")
    (tmp_path / "t.csv").write_text("id\n1\n")
    address = f"{db}{'&' if '?' in db else '?'}options=-c%20search_path%3D"
    arguments: dict[str, Any] = {"schema": tmp_path / "s.sql", "database_url": address, "data_dir": str(tmp_path)}
    with pytest.raises(SchemaFileError, match="no schema has been selected to create in") as caught:
        pgsluice.load(tmp_path / "t.csv", **arguments)
    assert str(caught.value.remedy).endswith("--into public")
    assert pgsluice.load(tmp_path / "t.csv", into="public", **arguments).status == "published"
