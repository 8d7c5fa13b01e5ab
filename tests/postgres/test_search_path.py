"""The user's path: tables, triggers, files and types of the user work under it, and nothing of pgsluice does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import pgsluice
from pgsluice.postgres.connecting.connect import connect
from pgsluice.postgres.schema_files.apply import apply_missing
from pgsluice.postgres.search_path import current_schema, user_path

Connection = psycopg.Connection[Any]

# A type like citext, in a schema that is not on any path: equal without regard to case.
TYPE = """
CREATE SCHEMA ext;
CREATE TYPE ext.ci;
CREATE FUNCTION ext.ci_in(cstring) RETURNS ext.ci LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION ext.ci_out(ext.ci) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE ext.ci (INPUT = ext.ci_in, OUTPUT = ext.ci_out, LIKE = text, CATEGORY = 'S');
CREATE CAST (ext.ci AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE FUNCTION ext.ci_cmp(ext.ci, ext.ci) RETURNS int LANGUAGE sql IMMUTABLE STRICT
    AS 'SELECT pg_catalog.bttextcmp(pg_catalog.lower($1::text), pg_catalog.lower($2::text))';
"""
OPERATORS = {"lt": "<", "le": "<=", "eq": "=", "ge": ">=", "gt": ">"}
CLASS = """
CREATE OPERATOR CLASS ext.ci_ops DEFAULT FOR TYPE ext.ci USING btree AS OPERATOR 1 ext.<, OPERATOR 2 ext.<=,
    OPERATOR 3 ext.=, OPERATOR 4 ext.>=, OPERATOR 5 ext.>, FUNCTION 1 ext.ci_cmp(ext.ci, ext.ci);
CREATE DOMAIN ext.dci AS ext.ci;
"""


def make_type(conn: Connection) -> None:
    conn.execute(TYPE)
    for name, operator in OPERATORS.items():
        conn.execute(
            f"CREATE FUNCTION ext.ci_{name}(ext.ci, ext.ci) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT"
            f" AS 'SELECT ext.ci_cmp($1, $2) {operator} 0';"
            f"CREATE OPERATOR ext.{operator} (FUNCTION = ext.ci_{name}, LEFTARG = ext.ci, RIGHTARG = ext.ci)"
        )
    conn.execute(CLASS)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


@pytest.mark.share(4)
@pytest.mark.parametrize("key", ["ext.ci", "ext.dci"])
@pytest.mark.parametrize("nulls", ["", "NULLS NOT DISTINCT"])
def test_keys_of_a_type_with_an_equality_of_its_own(
    key: str, nulls: str, any_db: str, any_conn: Connection, tmp_path: Path
) -> None:
    """As text, 'A' and 'a' would be two keys; under the safe path an operator = without a schema would take text's."""
    make_type(any_conn)
    any_conn.execute(
        f"CREATE TABLE t (k {key} PRIMARY KEY, v int, o {key}, CONSTRAINT o UNIQUE {nulls} (o));"
        f"CREATE TABLE c (id int PRIMARY KEY, k {key} REFERENCES t);"
        "INSERT INTO t VALUES ('Anna', 1, 'x'), ('Zoe', 1, 'z')"
    )
    write(tmp_path, t="k,v,o\nANNA,2,X\nBob,3,y\nbob,4,q\nCarl,5,Y\n", c="id,k\n1,aNNa\n2,BOB\n3,nobody\n")
    load = {"database_url": any_db, "max_rejects": "all"}
    result = pgsluice.load(tmp_path, mode="upsert", delete_missing=True, **load)
    found = [(r.file[-5], r.line, r.kind) for r in pgsluice.reject_rows(result.run_id, database_url=any_db)]
    assert found == [("t", 4, "unique"), ("t", 5, "unique"), ("c", 4, "foreign_key")]
    rows = "SELECT k::text, v, o::text FROM t ORDER BY v"
    assert any_conn.execute(rows).fetchall() == [("Anna", 2, "X"), ("Bob", 3, "y")]
    write(tmp_path, t="k,v,o\nANNA,9,X\nDora,7,w\n", c="id,k\n7,DORA\n")
    pgsluice.load(tmp_path, mode="insert-missing", **load)
    assert any_conn.execute(rows).fetchall() == [("Anna", 2, "X"), ("Bob", 3, "y"), ("Dora", 7, "w")]
    assert pgsluice.verify(database_url=any_db).ok


def test_another_role_cannot_replace_the_equality_of_a_domain(db: str, conn: Connection, tmp_path: Path) -> None:
    make_type(conn)
    conn.execute(
        "CREATE TABLE t (k ext.dci PRIMARY KEY, v int); INSERT INTO t VALUES ('a', 1);"
        "CREATE FUNCTION ext.trap(ext.dci, ext.dci) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';"
        "CREATE OPERATOR ext.= (FUNCTION = ext.trap, LEFTARG = ext.dci, RIGHTARG = ext.dci)"
    )
    pgsluice.load(write(tmp_path, t="k,v\nA,2\nB,3\n"), database_url=db, mode="upsert")
    assert conn.execute("SELECT k::text, v FROM t ORDER BY v").fetchall() == [("a", 2), ("B", 3)]


TRIGGERS = """
CREATE SCHEMA app;
CREATE TABLE app.t (id int PRIMARY KEY, n int DEFAULT 0);
CREATE TABLE app.audit (id int, path text);
CREATE FUNCTION app.fine(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN inner_fine($1); END';
CREATE FUNCTION app.inner_fine(int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 < 100';
CREATE DOMAIN app.d AS int CHECK (app.fine(VALUE));
CREATE FUNCTION app.watch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 3 THEN RAISE EXCEPTION 'three'; END IF;
    INSERT INTO audit VALUES (NEW.id, current_setting('search_path'));
    RETURN NEW;
END $$;
ALTER TABLE app.t ADD d app.d, ADD CHECK (app.fine(n));
CREATE TRIGGER watch AFTER INSERT OR UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.watch();
CREATE TABLE app.u (id int PRIMARY KEY, d app.d CHECK (app.fine(d)));
"""


@pytest.mark.parametrize("way", ["role", "into"])
def test_code_of_the_user_runs_under_the_path_of_the_user(
    way: str, any_db: str, any_conn: Connection, tmp_path: Path
) -> None:
    """Triggers, domains and CHECKs may name tables and functions without a schema, as in any other session."""
    any_conn.execute(TRIGGERS)
    into = "app" if way == "into" else None
    if way == "role":
        any_conn.execute(f"ALTER DATABASE {any_conn.info.dbname} SET search_path = app")
    load = {"database_url": any_db, "into": into, "max_rejects": "all"}
    write(tmp_path, t="id,n,d\n1,1,1\n2,2,2\n3,3,3\n4,4,400\n5,500,5\nx,1,1\n", u="id,d\n1,1\n2,200\ny,1\n")
    result = pgsluice.load(tmp_path, **load)
    found = sorted((r.file[-5], r.line, r.kind) for r in pgsluice.reject_rows(result.run_id, database_url=any_db))
    assert [(f, n) for f, n, _ in found] == [("t", 4), ("t", 5), ("t", 6), ("t", 7), ("u", 3), ("u", 4)]
    assert any_conn.execute("SELECT id, path FROM app.audit ORDER BY 1").fetchall() == [(1, "app"), (2, "app")]
    write(tmp_path, t="id,n,d\n1,9,1\n8,8,8\n", u="id,d\n3,3\n")
    pgsluice.load(tmp_path, mode="upsert", **load)
    assert any_conn.execute("SELECT id FROM app.audit OFFSET 2").fetchall() == [(1,), (8,)]


def test_messages_name_types_as_before(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TYPE color AS ENUM ('red'); CREATE TABLE t (id int PRIMARY KEY, c color)")
    result = pgsluice.load(write(tmp_path, t="id,c\n1,red\n2,blue\n"), database_url=db, max_rejects="all")
    messages = [r.message for r in pgsluice.reject_rows(result.run_id, database_url=db)]
    assert messages == ['invalid input value for enum color: "blue"']


def test_files_of_the_user(db: str, conn: Connection, tmp_path: Path) -> None:
    """A schema file may set a path; the tables are then found under it, and no path of the file outlives it."""
    conn.execute("CREATE SCHEMA shop; CREATE TABLE public.x (id int)")
    schema = tmp_path / "schema.sql"
    schema.write_text("SET search_path = shop; CREATE TABLE x (id int PRIMARY KEY)")
    pgsluice.load(write(tmp_path, x="id\n1\n"), database_url=db, schema=schema)
    assert conn.execute("SELECT (SELECT count(*) FROM shop.x), (SELECT count(*) FROM public.x)").fetchone() == (1, 0)
    queries = tmp_path / "q.sql"
    queries.write_text("-- name: path\nSHOW search_path")
    assert pgsluice.verify(database_url=db, sql=queries).queries[0].rows == (('"$user", public',),)


@pytest.mark.parametrize(
    "text", ["SET search_path = shop", "RESET ALL", "SELECT set_config('search_path', 'public', false)", "SELECT 1"]
)
def test_no_path_of_a_schema_file_outlives_it(text: str, db: str, tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(text)
    with connect(db) as conn:
        apply_missing(conn, str(file))
        assert conn.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)
        conn.commit()
        assert conn.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)


def test_the_first_statement_sets_the_path(db: str, conn: Connection) -> None:
    conn.execute(f"CREATE SCHEMA s; ALTER DATABASE {conn.info.dbname} SET search_path = missing, s, public")
    with connect(make_conninfo(db)) as own:
        assert own.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert own.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)
        assert current_schema(own) == "s"
        own.rollback()
        assert own.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)
        with user_path(own):
            assert own.execute("SHOW search_path").fetchone() == ("missing, s, public",)
        with pytest.raises(psycopg.errors.DivisionByZero), own.transaction(), user_path(own):
            own.execute("SELECT 1 / 0")
        assert own.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)
