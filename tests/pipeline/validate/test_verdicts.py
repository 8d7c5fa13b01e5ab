"""One test per kind of constraint: which rows are rejected, with file, line, constraint and SQLSTATE, and that
the others are kept; in place into empty tables and through a stage into tables that hold rows.

``tests/verdicts`` does the same with random schemas, against an oracle.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import pgsluice
from pgsluice.model import RunResult
from pgsluice.postgres.embedded.processes import binary

Rejected = list[tuple[Any, ...]]


def load(uri: str, folder: Path, files: dict[str, str], **options: Any) -> tuple[RunResult, Rejected]:
    """Loads the files; the result, and (file, line, kind, constraint, SQLSTATE) of each reject, in load order."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for name, text in files.items():
        (data / name).write_text(text)
    result = pgsluice.load(data, database_url=uri, data_dir=str(folder), max_rejects="all", delimiter=",", **options)
    assert result.status == "published"
    with psycopg.connect(uri) as conn:
        found = conn.execute(
            "SELECT regexp_replace(file, '^.*/', ''), line, kind, constraint_name, sqlstate FROM pgsluice.reject"
            " WHERE run_id = %s ORDER BY reject_no",
            (result.run_id,),
        ).fetchall()
    return result, found


@dataclass(frozen=True)
class Kind:
    """``ddl`` makes table t with a column id; ``row`` is in it beforehand when it is to go through a stage."""

    name: str
    ddl: str
    row: str
    csv: str
    rejected: tuple[tuple[int, str, str, str], ...]
    kept: tuple[int, ...]
    always_staged: bool = False


UNIQUE = ((3, "unique", "u", "23505"),)

KINDS = (
    Kind("not null", "CREATE TABLE t (id int, a text NOT NULL)", "9, 'x'", "id,a\n1,x\n2,\n3,z\n",
         ((3, "not_null", "", "23502"),), (1, 3)),
    Kind("check", "CREATE TABLE t (id int, a int CONSTRAINT c CHECK (a > 0))", "9, 1", "id,a\n1,1\n2,0\n3,\n",
         ((3, "check", "c", "23514"),), (1, 3)),
    Kind("check of several columns", "CREATE TABLE t (id int, a int, b int, CONSTRAINT c CHECK (a < b))", "9, 1, 2",
         "id,a,b\n1,1,2\n2,2,1\n3,,1\n", ((3, "check", "c", "23514"),), (1, 3)),
    Kind("checks in the order of their names",
         "CREATE TABLE t (id int, a int, CONSTRAINT z CHECK (a > 0), CONSTRAINT b CHECK (a > 1))", "9, 5",
         "id,a\n1,5\n2,0\n", ((3, "check", "b", "23514"),), (1,)),
    Kind("check that calls a function",
         "CREATE FUNCTION even(int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 % 2 = 0';"
         "CREATE TABLE t (id int, a int CONSTRAINT c CHECK (even(a)))", "9, 2", "id,a\n1,2\n2,3\n",
         ((3, "check", "c", "23514"),), (1,)),
    Kind("check that raises", "CREATE TABLE t (id int, a int, CONSTRAINT c CHECK (6 / a > 1), CONSTRAINT d CHECK"
         " (id < 9))", "8, 1", "id,a\n1,1\n2,0\n3,6\n9,1\n4,2\n",
         ((3, "value", "", "22012"), (4, "check", "c", "23514"), (5, "check", "d", "23514")), (1, 4)),
    Kind("unique", "CREATE TABLE t (id int, a text CONSTRAINT u UNIQUE)", "9, 'y'", "id,a\n1,x\n2,x\n3,\n4,\n",
         UNIQUE, (1, 3, 4)),
    Kind("unique over several columns", "CREATE TABLE t (id int, a int, b int, CONSTRAINT u UNIQUE (a, b))", "9, 9, 9",
         "id,a,b\n1,1,1\n2,1,1\n3,1,2\n4,1,\n5,1,\n", UNIQUE, (1, 3, 4, 5)),
    Kind("nulls not distinct", "CREATE TABLE t (id int, a int, CONSTRAINT u UNIQUE NULLS NOT DISTINCT (a))", "9, 9",
         "id,a\n1,\n2,\n3,1\n", UNIQUE, (1, 3)),
    Kind("partial unique", "CREATE TABLE t (id int, a int); CREATE UNIQUE INDEX u ON t (a) WHERE id < 3", "9, 1",
         "id,a\n1,1\n2,1\n3,1\n4,1\n", UNIQUE, (1, 3, 4)),
    Kind("unique expression", "CREATE TABLE t (id int, a text); CREATE UNIQUE INDEX u ON t (lower(a))", "9, 'q'",
         "id,a\n1,x\n2,X\n3,y\n", UNIQUE, (1, 3)),
    Kind("unique with included columns", "CREATE TABLE t (id int, a int, CONSTRAINT u UNIQUE (a) INCLUDE (id))",
         "9, 9", "id,a\n1,1\n2,1\n", UNIQUE, (1,)),
    Kind("deferrable unique", "CREATE TABLE t (id int, a int, CONSTRAINT u UNIQUE (a) DEFERRABLE INITIALLY DEFERRED)",
         "9, 9", "id,a\n1,1\n2,1\n", UNIQUE, (1,)),
    Kind("nondeterministic collation",
         "CREATE COLLATION nd (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
         "CREATE TABLE t (id int, a text COLLATE nd CONSTRAINT u UNIQUE)", "9, 'q'", "id,a\n1,x\n2,X\n", UNIQUE, (1,)),
    Kind("primary key", "CREATE TABLE t (id int, a int, CONSTRAINT u PRIMARY KEY (a))", "9, 9",
         "id,a\n1,1\n2,1\n3,\n", (*UNIQUE, (4, "not_null", "", "23502")), (1,)),
    Kind("several unique keys: a refused row displaces nobody",
         "CREATE TABLE t (id int, a int CONSTRAINT u UNIQUE, b int CONSTRAINT v UNIQUE)", "9, 9, 9",
         "id,a,b\n1,1,1\n2,1,2\n3,3,2\n4,3,4\n", (*UNIQUE, (5, "unique", "u", "23505")), (1, 3)),
    Kind("exclusion", "CREATE TABLE t (id int, r int4range, CONSTRAINT x EXCLUDE USING gist (r WITH &&))",
         "9, '[90,99)'", 'id,r\n1,"[1,5)"\n2,"[3,7)"\n3,"[6,8)"\n', ((3, "exclusion", "x", "23P01"),), (1, 3), True),
    Kind("generated column that fails", "CREATE TABLE t (id int, a int, g int GENERATED ALWAYS AS (6 / a) STORED)",
         "9, 9", "id,a\n1,1\n2,0\n3,3\n", ((3, "value", "", "22012"),), (1, 3)),
    Kind("trigger that raises",
         "CREATE TABLE t (id int, a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
         " 'BEGIN IF NEW.a = 0 THEN RAISE EXCEPTION ''no''; END IF; RETURN NEW; END';"
         "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "9, 9", "id,a\n1,1\n2,0\n3,1\n",
         ((3, "trigger", "", "P0001"),), (1, 3), True),
    Kind("trigger that keeps rows out, before a unique key",
         "CREATE TABLE t (id int, a int CONSTRAINT u UNIQUE); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
         " 'BEGIN IF NEW.id = 1 THEN RETURN NULL; END IF; RETURN NEW; END';"
         "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "9, 9", "id,a\n1,1\n2,1\n3,1\n",
         ((2, "trigger", "", ""), (4, "unique", "u", "23505")), (2,), True),
    Kind("trigger that mends what a constraint would refuse",
         "CREATE TABLE t (id int, a int NOT NULL); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
         " 'BEGIN NEW.a := coalesce(NEW.a, NEW.id); RETURN NEW; END';"
         "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "9, 9", "id,a\n1,1\n2,\n",
         (), (1, 2), True),
    Kind("partitioned", "CREATE TABLE t (id int, a int, CONSTRAINT u PRIMARY KEY (a)) PARTITION BY RANGE (a);"
         "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)", "9, 9", "id,a\n1,1\n2,1\n3,77\n",
         ((3, "unique", "t1_pkey", "23505"), (4, "check", "", "23514")), (1,), True),
    Kind("inherited", "CREATE TABLE base (id int, a int CONSTRAINT c CHECK (a > 0));"
         "CREATE TABLE t (CONSTRAINT u UNIQUE (id)) INHERITS (base)", "9, 9", "id,a\n1,1\n1,2\n2,0\n",
         ((3, "unique", "u", "23505"), (4, "check", "c", "23514")), (1,), True),
    Kind("foreign key to a table outside of the load",
         "CREATE TABLE p (k int PRIMARY KEY); INSERT INTO p VALUES (1);"
         "CREATE TABLE t (id int, a int CONSTRAINT f REFERENCES p)", "9, 1", "id,a\n1,1\n2,2\n3,\n",
         ((3, "foreign_key", "f", "23503"),), (1, 3)),
    Kind("foreign key that is NOT VALID",
         "CREATE TABLE p (k int PRIMARY KEY); INSERT INTO p VALUES (1); CREATE TABLE t (id int, a int);"
         "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES p NOT VALID", "9, 1", "id,a\n1,1\n2,2\n",
         ((3, "foreign_key", "f", "23503"),), (1,), True),
    Kind("deferrable foreign key",
         "CREATE TABLE p (k int PRIMARY KEY); INSERT INTO p VALUES (1);"
         "CREATE TABLE t (id int, a int CONSTRAINT f REFERENCES p DEFERRABLE INITIALLY DEFERRED)", "9, 1",
         "id,a\n1,1\n2,2\n", ((3, "foreign_key", "f", "23503"),), (1,)),
    Kind("composite foreign key, simple",
         "CREATE TABLE p (k int, l int, PRIMARY KEY (k, l)); INSERT INTO p VALUES (1, 1);"
         "CREATE TABLE t (id int, a int, b int, CONSTRAINT f FOREIGN KEY (a, b) REFERENCES p)", "9, 1, 1",
         "id,a,b\n1,1,1\n2,1,2\n3,7,\n", ((3, "foreign_key", "f", "23503"),), (1, 3)),
    Kind("composite foreign key, full",
         "CREATE TABLE p (k int, l int, PRIMARY KEY (k, l)); INSERT INTO p VALUES (1, 1);"
         "CREATE TABLE t (id int, a int, b int, CONSTRAINT f FOREIGN KEY (a, b) REFERENCES p MATCH FULL)", "9, 1, 1",
         "id,a,b\n1,1,1\n2,1,\n3,,\n", ((3, "foreign_key", "f", "23503"),), (1, 3)),
    Kind("self-reference, to later rows too",
         "CREATE TABLE t (id int CONSTRAINT u PRIMARY KEY, a int CONSTRAINT f REFERENCES t)", "9, 9",
         "id,a\n1,3\n2,7\n3,\n3,\n4,4\n", ((3, "foreign_key", "f", "23503"), (5, "unique", "u", "23505")), (1, 3, 4)),
    Kind("an orphan does not displace a later row with its key",
         "CREATE TABLE p (k int PRIMARY KEY); INSERT INTO p VALUES (1);"
         "CREATE TABLE t (id int, a int CONSTRAINT f REFERENCES p, b int CONSTRAINT u UNIQUE)", "9, 1, 9",
         "id,a,b\n1,2,1\n2,1,1\n3,2,1\n", ((2, "foreign_key", "f", "23503"), (4, "unique", "u", "23505")), (2,)),
    Kind("index row that is too large",
         "CREATE TABLE t (id int, a text); CREATE INDEX i ON t (a)", "9, 'x'",
         "id,a\n1,x\n2," + "".join(f"{n:x}" for n in range(3**9, 3**9 + 90_000, 7)) + "\n3,y\n",
         ((3, "other", "", "54000"),), (1, 3)),
    Kind("domain with a check", "CREATE DOMAIN small AS int CONSTRAINT d CHECK (VALUE < 10);"
         "CREATE TABLE t (id int, a small)", "9, 9", "id,a\n1,1\n2,11\n", ((3, "value", "", "23514"),), (1,)),
    Kind("the order: value, not null, check, unique, foreign key",
         "CREATE TABLE p (k int PRIMARY KEY); INSERT INTO p VALUES (1);"
         "CREATE TABLE t (id int CONSTRAINT u UNIQUE, a int NOT NULL CONSTRAINT c CHECK (a < 5),"
         " f int CONSTRAINT f REFERENCES p)", "99, 1, 1",
         "id,a,f\n1,1,1\n1,x,2\n1,,2\n1,7,2\n1,1,2\n2,1,2\n",
         ((3, "value", "", "22P02"), (4, "not_null", "", "23502"), (5, "check", "c", "23514"),
          (6, "unique", "u", "23505"), (7, "foreign_key", "f", "23503")), (1,)),
)  # fmt: skip


@pytest.mark.share(2)
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "filled"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_the_rows_rejected_are_those_that_an_insert_refuses(kind: Kind, empty: bool, db: str, tmp_path: Path) -> None:
    with psycopg.connect(db, autocommit=True) as conn:
        try:
            conn.execute(kind.ddl.encode())
        except psycopg.errors.FeatureNotSupported as error:
            pytest.skip(str(error))  # a server without ICU
        if not empty:
            conn.execute(f"INSERT INTO t VALUES ({kind.row})".encode())
            before = [i for (i,) in conn.execute("SELECT id FROM t")]
    result, rejected = load(db, tmp_path, {"t.csv": kind.csv})
    assert rejected == [("t.csv", *r) for r in kind.rejected]
    with psycopg.connect(db) as conn:
        kept = [i for (i,) in conn.execute("SELECT id FROM t ORDER BY id")]
    assert kept == sorted([*kind.kept, *([] if empty else before)])
    if kind.always_staged or not empty:
        assert result.tables[0].way == "stage"


def test_a_key_that_the_table_holds_is_taken(db: str, tmp_path: Path) -> None:
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (id int CONSTRAINT u PRIMARY KEY, a int)")
        conn.execute("INSERT INTO t VALUES (1, 0)")
    _, rejected = load(db, tmp_path, {"t.csv": "id,a\n1,5\n2,6\n2,7\n"})
    assert rejected == [("t.csv", 2, "unique", "u", "23505"), ("t.csv", 4, "unique", "u", "23505")]


CHAIN = (
    "CREATE TABLE a (id int CONSTRAINT ak PRIMARY KEY, n int CONSTRAINT ac CHECK (n > 0))",
    "CREATE TABLE b (id int CONSTRAINT bk PRIMARY KEY, a int CONSTRAINT bf REFERENCES a)",
    "CREATE TABLE c (id int CONSTRAINT ck PRIMARY KEY, b int CONSTRAINT cf REFERENCES b)",
    "CREATE TABLE d (id int CONSTRAINT dk PRIMARY KEY, c int CONSTRAINT df REFERENCES c)",
    "CREATE TABLE e (id int CONSTRAINT ek PRIMARY KEY, d int CONSTRAINT ef REFERENCES d)",
)


@pytest.mark.parametrize("empty", [True, False], ids=["empty", "filled"])
def test_children_of_rejected_parents_name_them_to_any_depth(empty: bool, db: str, tmp_path: Path) -> None:
    with psycopg.connect(db, autocommit=True) as conn:
        for statement in CHAIN:
            conn.execute(statement)
        if not empty:
            conn.execute("INSERT INTO a VALUES (77, 1); INSERT INTO b VALUES (77, 77); INSERT INTO c VALUES (77, 77);"
                         "INSERT INTO d VALUES (77, 77); INSERT INTO e VALUES (77, 77)")  # fmt: skip
    files = {"a.csv": 'id,n\n1,1\n"2",0\n', "b.csv": "id,a\n1,1\n2,2\n", "c.csv": "id,b\n1,1\n2,2\n",
             "d.csv": "id,c\n1,1\n2,2\n", "e.csv": "id,d\n1,1\n5,2\n6,99\n"}  # fmt: skip
    result, rejected = load(db, tmp_path, files)
    assert rejected == [
        ("a.csv", 3, "check", "ac", "23514"),
        ("b.csv", 3, "parent", "bf", "23503"),
        ("c.csv", 3, "parent", "cf", "23503"),
        ("d.csv", 3, "parent", "df", "23503"),
        ("e.csv", 3, "parent", "ef", "23503"),
        ("e.csv", 4, "foreign_key", "ef", "23503"),
    ]
    with psycopg.connect(db) as conn:
        parents = conn.execute(
            "SELECT regexp_replace(parent_file, '^.*/', ''), parent_line FROM pgsluice.reject"
            " WHERE run_id = %s AND kind = 'parent' ORDER BY reject_no",
            (result.run_id,),
        ).fetchall()
    assert parents == [(f"{t}.csv", 3) for t in "abcd"]
    assert {t.way for t in result.tables} == ({"in place"} if empty else {"stage"})


@pytest.mark.parametrize("empty", [True, False], ids=["empty", "filled"])
def test_a_self_reference_falls_with_its_ancestors(empty: bool, db: str, tmp_path: Path) -> None:
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (id int CONSTRAINT u PRIMARY KEY, p int CONSTRAINT f REFERENCES t)")
        if not empty:
            conn.execute("INSERT INTO t VALUES (50, NULL)")
    # 2 hangs on nothing; 3 and 4 hang on 2, and so on down to depth 4; 2 comes again as a root, and is kept.
    _, rejected = load(db, tmp_path, {"t.csv": "id,p\n1,\n3,22\n4,3\n5,4\n6,5\n22,99\n"})
    assert [(line, kind) for _, line, kind, _, _ in rejected] == [
        (3, "parent"), (4, "parent"), (5, "parent"), (6, "parent"), (7, "foreign_key"),
    ]  # fmt: skip


@pytest.mark.parametrize("empty", [True, False], ids=["empty", "filled"])
def test_tables_that_refer_to_each_other_are_judged_together(empty: bool, db: str, tmp_path: Path) -> None:
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute("CREATE TABLE a (id int CONSTRAINT ak PRIMARY KEY, b int);"
                     "CREATE TABLE b (id int CONSTRAINT bk PRIMARY KEY, a int CONSTRAINT bf REFERENCES a);"
                     "ALTER TABLE a ADD CONSTRAINT af FOREIGN KEY (b) REFERENCES b")  # fmt: skip
        if not empty:
            conn.execute("INSERT INTO a VALUES (50, NULL); INSERT INTO b VALUES (50, 50)")
    files = {"a.csv": "id,b\n1,1\n2,2\n3,3\n", "b.csv": "id,a\n1,1\n2,9\n3,2\n"}
    _, rejected = load(db, tmp_path, files)
    assert sorted(rejected) == [
        ("a.csv", 3, "parent", "af", "23503"),
        ("a.csv", 4, "parent", "af", "23503"),
        ("b.csv", 3, "foreign_key", "bf", "23503"),
        ("b.csv", 4, "parent", "bf", "23503"),
    ]


def test_row_security_refuses_for_a_role_that_does_not_bypass_it(db: str, tmp_path: Path) -> None:
    name = conninfo_to_dict(db)["dbname"]
    role = f"r_{name}"
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {name} TO {role}".encode())
        conn.execute("CREATE TABLE t (id int CONSTRAINT u UNIQUE, a text NOT NULL); ALTER TABLE t ENABLE ROW LEVEL"
                     " SECURITY; CREATE POLICY p ON t USING (true) WITH CHECK (a <> 'secret')")  # fmt: skip
        conn.execute(f"GRANT SELECT, INSERT ON t TO {role}".encode())
    try:
        _, rejected = load(make_conninfo(db, user=role), tmp_path, {"t.csv": "id,a\n1,x\n2,secret\n1,secret\n2,y\n"})
        assert rejected == [("t.csv", 3, "policy", "", "42501"), ("t.csv", 4, "policy", "", "42501")]
    finally:
        with psycopg.connect(db, autocommit=True) as conn:
            conn.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


def test_what_is_not_data_is_the_same_after_rejects(db: str, tmp_path: Path) -> None:
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute("CREATE TABLE p (k int, l int, CONSTRAINT pk PRIMARY KEY (k) INCLUDE (l) DEFERRABLE,"
                     " CONSTRAINT pu UNIQUE NULLS NOT DISTINCT (l), CONSTRAINT pu2 UNIQUE (k));"
                     "CREATE TABLE t (id int CONSTRAINT tk PRIMARY KEY WITH (fillfactor = 70), a int,"
                     " f int, CONSTRAINT c CHECK (a > 0), CONSTRAINT f FOREIGN KEY (f) REFERENCES p (k)"
                     " ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);"
                     "CREATE UNIQUE INDEX tu ON t (lower(a::text) DESC NULLS LAST) WHERE a < 9;"
                     "CREATE INDEX ti ON t USING brin (id); ALTER TABLE t CLUSTER ON tk;"
                     "ALTER TABLE t REPLICA IDENTITY USING INDEX tk; COMMENT ON CONSTRAINT c ON t IS 'why';"
                     "COMMENT ON INDEX tu IS 'lower'; COMMENT ON CONSTRAINT tk ON t IS 'key'")  # fmt: skip
    before = _schema(db, tmp_path)
    result, rejected = load(
        db, tmp_path, {"p.csv": "k,l\n1,1\n2,1\n1,3\n", "t.csv": "id,a,f\n1,1,1\n1,2,1\n2,0,1\n3,1,1\n4,4,2\n5,x,1\n"}
    )
    assert {t.way for t in result.tables} == {"in place"}
    assert [(f, n, k) for f, n, k, _, _ in rejected] == [
        ("p.csv", 3, "unique"), ("p.csv", 4, "unique"), ("t.csv", 3, "unique"), ("t.csv", 4, "check"),
        ("t.csv", 5, "unique"), ("t.csv", 6, "parent"), ("t.csv", 7, "value"),
    ]  # fmt: skip
    assert _schema(db, tmp_path) == before


def _schema(uri: str, folder: Path) -> str:
    with psycopg.connect(uri) as conn:
        version = conn.info.server_version // 10000
    pg_dump = binary("pg_dump", version)
    dump = [str(pg_dump), "--schema-only", "--schema=public", uri]
    done = subprocess.run(dump, check=True, capture_output=True, text=True)
    # A random word against injection, new in each dump.
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))
