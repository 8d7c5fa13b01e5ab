"""Decoys: whatever another role makes in a schema of the search_path, no statement of pgsluice calls it.

The scenario runs twice. The first time the test collects all statements that pgsluice sends. The second time, in
another database, schema public holds a decoy for each function, operator, type and table whose name occurs in these
statements, so a new name cannot be forgotten. A decoy that is called moves a sequence, which no rollback takes back.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from psycopg import sql

import pgsluice
from conftest import fresh_database

Connection = psycopg.Connection[Any]

TABLES = """
CREATE TYPE color AS ENUM ('red', 'green');
CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE TABLE customers (id serial PRIMARY KEY, email varchar(20) NOT NULL UNIQUE, age int CHECK (age >= 18),
    c color, s small, born date, amount numeric(8,2), note text, later timestamp DEFAULT now());
CREATE UNIQUE INDEX lower_email ON customers (lower(email)) WHERE age > 20;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, amount numeric NOT NULL,
    code char(3), UNIQUE NULLS NOT DISTINCT (customer_id, code));
CREATE TABLE a (id int PRIMARY KEY, b int);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
CREATE TABLE audit (what int);
CREATE TABLE watched (id int PRIMARY KEY, bad boolean, twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN IF NEW.bad THEN RAISE EXCEPTION ''bad''; END IF; INSERT INTO audit VALUES (NEW.id); RETURN NEW; END';
CREATE TRIGGER watch BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION watch();
"""

CUSTOMERS = "id,email,age,c,s,born,amount,note"
FIRST = {
    "customers": f"{CUSTOMERS}\n1,a@x,20,red,1,2020-01-01,1.5,x\n2,b@x,30,green,2,2020-01-02,2.5,y\n2,c@x,30,red,1,,,\n"
    "3,d@x,10,red,1,,,\n4,,20,red,1,,,\n5,e@x,20,blue,1,,,\n6,f@x,20,red,100,,,\n7,A@x,70,red,1,,,\n8,a@X,80,red,1,,,\n"
    "9,i@x,20,red,1,no,,\n10,j@x,20,red\n11,k@x,20,red,1,,1e9,\n12,l@x,20,red,1,,,\n",
    "orders": "id,customer_id,amount,code\n1,1,1.5,a\n2,3,1,b\n3,99,1,c\n4,2,x,d\n5,2,1,e\n6,2,2,e\n",
    "a": "id,b\n1,1\n2,2\n3,9\n",
    "b": "id,a\n1,1\n2,2\n3,3\n",
    "watched": "id,bad\n1,f\n2,t\n3,f\n3,f\nx,f\n",
}
SECOND = {
    "customers": f"{CUSTOMERS}\n1,a@x,21,red,1,2020-01-01,1.5,z\n2,n@x,30,green,2,,,\n20,b@x,30,red,1,,,\n"
    "21,b@x,3,,,,,\n"
    "20,q@x,30,red,1,,,\n22,v@x,30,pink,1,,,\n",
    "orders": "id,customer_id,amount,code\n1,1,2.5,a\n7,20,1,b\n8,99,1,c\n",
    "a": "id,b\n1,2\n4,4\n5,9\n",
    "b": "id,a\n1,2\n4,4\n",
    "watched": "id,bad\n4,f\n5,t\n",
}
GOOD = {
    "customers": f"{CUSTOMERS}\n1,a@x,20,red,1,2020-01-01,1.5,x\n2,b@x,30,green,2,2020-01-02,2.5,y\n",
    "orders": "id,customer_id,amount,code\n1,1,1.5,a\n",
}
ALL = "SELECT to_jsonb(t.*) - 'later' FROM public.{} AS t ORDER BY 1"


def scenario(uri: str, folder: Path) -> list[object]:
    """Loads in every way, verifies, replays, resumes; returns what the results and the tables say."""
    said: list[object] = []
    load = {"database_url": uri, "data_dir": folder / "data", "max_rejects": "all"}

    def note(result: pgsluice.RunResult) -> pgsluice.RunResult:
        said.append(
            [(t.table, t.read, t.inserted, t.updated, t.unchanged, t.rejected, t.deleted) for t in result.tables]
        )
        _, counted = pgsluice.rejects(result.run_id, database_url=uri)
        said.extend(sorted(str(group).replace(str(folder), "") for group in counted.groups))
        return result

    def files(name: str, texts: dict[str, str]) -> Path:
        (folder / name).mkdir()
        for table, text in texts.items():
            (folder / name / f"{table}.csv").write_text(text)
        return folder / name

    schema = folder / "schema.sql"
    schema.write_text("CREATE TABLE extra (id int PRIMARY KEY); CREATE INDEX ON extra (id)")
    first, second = files("first", FIRST), files("second", SECOND)
    pgsluice.plan(first, database_url=uri, schema=schema)
    run = note(pgsluice.load(first, schema=schema, **load))
    note(pgsluice.load(first / "orders.csv", again=True, dry_run=True, **load))
    for mode in ("append", "insert-missing", "upsert"):
        note(pgsluice.load(second, mode=mode, again=True, delete_missing=mode == "upsert", **load))
    note(pgsluice.load(second, mode="replace", again=True, **load))
    note(pgsluice.load(files("good", GOOD), mode="replace", again=True, **load))
    report = folder / "report.csv"
    with report.open("w") as out:
        out.write("run,reject,raw\n")
        for number, raw in enumerate(pgsluice.reject_rows(run.run_id, database_url=uri), 1):
            out.write(f'{run.run_id},{number},"{raw.raw.rstrip().replace("3,99", "30,1")}"\n')
    note(pgsluice.replay(run.run_id, report, **load))
    note(_interrupted(first, load))
    said.append([(c.kind, c.subject, c.ok, c.detail) for c in pgsluice.verify(database_url=uri).checks])
    said.append([r.status for r in pgsluice.runs(database_url=uri)])
    with psycopg.connect(uri, options="-c search_path=pg_catalog") as conn:
        said += [conn.execute(sql.SQL(ALL).format(sql.Identifier(table))).fetchall() for table in (*FIRST, "audit")]
    return said


def _interrupted(folder: Path, load: dict[str, Any]) -> pgsluice.RunResult:
    """A resumable run that ends when its files are staged, and is resumed."""

    def listen(event: pgsluice.model.Progress) -> None:
        if event.phase not in ("plan", "wait", "stage"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pgsluice.load(folder, mode="upsert", again=True, resumable=True, listen=listen, **load)
    newest = pgsluice.runs(database_url=load["database_url"])[0]
    assert newest.status == "interrupted"
    return pgsluice.resume(newest.run_id, database_url=load["database_url"], data_dir=load["data_dir"])


@contextlib.contextmanager
def collected() -> Iterator[list[str]]:
    """The texts of all statements that psycopg sends in the block."""
    texts: list[str] = []

    def note(cursor: psycopg.Cursor[Any], statement: Any) -> None:
        texts.append(statement if isinstance(statement, str) else statement.as_string(cursor))

    with contextlib.ExitStack() as stack:
        for name in ("execute", "executemany", "copy"):
            real = getattr(psycopg.Cursor, name)

            def noting(self: Any, statement: Any, *args: Any, real: Any = real, **more: Any) -> Any:
                note(self, statement)
                return real(self, statement, *args, **more)

            stack.enter_context(mock.patch.object(psycopg.Cursor, name, noting))
        yield texts


DECOYS = """
CREATE SEQUENCE public.decoy_calls;
CREATE FUNCTION public.decoy_note() RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.nextval(''public.decoy_calls''); RETURN true; END';
CREATE FUNCTION public.decoy_make(statement pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$
BEGIN EXECUTE statement; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
"""
"""``decoy_make`` leaves out what only C can make, for example a function with an argument of type internal. No role but
a superuser could make it."""

BODY = "LANGUAGE plpgsql AS 'BEGIN PERFORM public.decoy_note(); RETURN NULL; END'"
COMMON = (
    "string_to_array('bigint,integer,smallint,text,name,oid,varchar,bpchar,boolean,tid,\"char\",oid[],text[]', ',')"
)

FUNCTIONS = f"""
WITH f AS (
    SELECT DISTINCT proname, prokind, pronargs, args, prorettype::regtype::text AS result
      FROM pg_proc
     CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(t::regtype::text, ', ' ORDER BY n), '')
          FROM unnest(proargtypes) WITH ORDINALITY x (t, n)
        UNION
        SELECT string_agg(replace(t::regtype::text, 'text', 'name'), ', ' ORDER BY n)
          FROM unnest(proargtypes) WITH ORDINALITY x (t, n)
        UNION
        SELECT string_agg(CASE WHEN y.typtype = 'p' THEN c ELSE t::regtype::text END, ', ' ORDER BY n)
          FROM unnest({COMMON}) AS c, unnest(proargtypes) WITH ORDINALITY x (t, n) JOIN pg_type y ON y.oid = t
         WHERE provariadic = 0 GROUP BY c) AS variant (args)
     WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (%(words)s) AND args IS NOT NULL
)
SELECT count(*) FILTER (WHERE CASE WHEN prokind = 'a' THEN public.decoy_make(format(
           'CREATE FUNCTION public.decoy_step(pg_catalog.int8%%s) RETURNS pg_catalog.int8 {BODY.replace("'", "''")}',
           ', ' || nullif(args, '')))
           AND public.decoy_make(format(
           'CREATE AGGREGATE public.%%I(%%s) (SFUNC = public.decoy_step, STYPE = pg_catalog.int8)',
           proname, coalesce(nullif(args, ''), '*')))
       ELSE public.decoy_make(format(
           'CREATE FUNCTION public.%%I(%%s) RETURNS %%s {BODY.replace("'", "''")}', proname, args,
           CASE WHEN result IN ('internal', '"any"') THEN 'text' ELSE result END)) END)
  FROM f
"""
OPERATORS = f"""
WITH pair AS (
    SELECT oprname, oprleft::regtype::text AS l, oprright::regtype::text AS r, oprresult::regtype::text AS result
      FROM pg_operator
     WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprname = ANY (%(operators)s) AND oprleft <> 0
    UNION
    SELECT o, l, r, CASE WHEN o IN ('=', '<>', '<', '>', '<=', '>=', '~', '!~', '~~', '&&') THEN 'boolean' ELSE l END
      FROM unnest(%(operators)s) AS o, unnest({COMMON}) AS l, unnest({COMMON}) AS r
)
SELECT count(*) FILTER (WHERE public.decoy_make(format(
           'CREATE FUNCTION public.decoy_operator(%%s, %%s) RETURNS %%s {BODY.replace("'", "''")}', l, r, result))
       IS NOT NULL AND public.decoy_make(format(
           'CREATE OPERATOR public.%%s (FUNCTION = public.decoy_operator, LEFTARG = %%s, RIGHTARG = %%s)',
           oprname, l, r)))
  FROM pair
"""
TYPES = """
SELECT count(*) FILTER (WHERE public.decoy_make(format(
           'CREATE DOMAIN public.%%I AS pg_catalog.%%I CHECK (public.decoy_note())', typname, typname)))
  FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typname = ANY (%(words)s) AND typrelid = 0
"""
RELATIONS = """
SELECT count(*) FILTER (WHERE public.decoy_make(format(
           'CREATE VIEW public.%%I AS SELECT * FROM %%I.%%I WHERE public.decoy_note()',
           c.relname, n.nspname, c.relname)))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname IN ('pg_catalog', 'scratch') AND c.relname = ANY (%(words)s) AND c.relkind IN ('r', 'v')
"""


LEAST = {"relations": 40, "types": 15, "functions": 200, "operators": 1000}
"""A smaller number of decoys would mean that the test makes them no longer."""


def names_in(texts: list[str]) -> tuple[set[str], set[str]]:
    """All words and operators of the texts, also within strings, because programs are sent as strings."""
    text = "\n".join(texts)
    words = {word.lower() for word in re.findall(r"\w+", text)}
    operators = set(re.findall(r"[-+*/<>=~!@#%^&|]+", text)) - {"--", "*", "<-", "=>"}
    return words, operators | {"=", "<>", "<", ">", "<=", ">=", "~~", "*<>"}


def make_decoys(conn: Connection, texts: list[str]) -> dict[str, int]:
    """Makes a decoy for every name; returns how many there are of each kind."""
    words, operators = names_in(texts)
    conn.execute(DECOYS)
    conn.execute("CREATE SCHEMA scratch; CREATE TABLE scratch.run (x int); CREATE TABLE scratch.file (x int)")
    for word in words:
        if word.startswith("pgsluice_") or word in ("reject", "staged", "ledger_version"):
            conn.execute(sql.SQL("CREATE TABLE scratch.{} (x int)").format(sql.Identifier(word)))
    parts = {"words": sorted(words), "operators": sorted(operators)}
    made: dict[str, int] = {}
    for kind, query in (("relations", RELATIONS), ("types", TYPES), ("functions", FUNCTIONS), ("operators", OPERATORS)):
        row = conn.execute(query, parts).fetchone()
        assert row is not None
        made[kind] = row[0]
    return made


@pytest.mark.parametrize("path", ["public, pg_catalog", pytest.param('"$user", public', marks=pytest.mark.slow)])
def test_no_decoy_is_called(path: str, server: str, tmp_path: Path) -> None:
    """The superuser's load has the same results, and no decoy was called."""
    for name in ("without", "with"):
        (tmp_path / name).mkdir()
    with fresh_database(server) as uri, psycopg.connect(uri, autocommit=True) as conn, collected() as texts:
        conn.execute(TABLES)
        expected = scenario(uri, tmp_path / "without")
    with fresh_database(server) as uri, psycopg.connect(uri, autocommit=True) as conn:
        conn.execute(TABLES)
        conn.execute("SET search_path = pg_catalog")
        made = make_decoys(conn, texts)
        assert all(made[kind] > least for kind, least in LEAST.items()), made
        conn.execute(f"ALTER DATABASE {conn.info.dbname} SET search_path = {path}")
        try:
            found = scenario(uri, tmp_path / "with")
        finally:
            calls = conn.execute("SELECT is_called FROM public.decoy_calls").fetchone()
    assert calls == (False,)
    assert found == expected
