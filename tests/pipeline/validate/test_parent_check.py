"""Foreign keys of rows that join those of a table: asked at once where that comes to the same, row by row elsewhere.

Which way was taken, a default tells that notes whether triggers were to be still while the row came in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import pgsluice

SCHEMA = """
CREATE TABLE p (id int PRIMARY KEY, w text COLLATE "C" UNIQUE, other text);
INSERT INTO p SELECT n, 'p' || n FROM generate_series(1, 9) AS n;
CREATE TABLE c (id int PRIMARY KEY, p int CONSTRAINT fk REFERENCES p, more int,
  triggers text DEFAULT current_setting('session_replication_role'));
INSERT INTO c (id, p) VALUES (1, 1);
"""
FILE = "id,p,more\n1,2,\n2,2,\n3,77,\n4,,\n5,9,\n6,0,\n5,9,\n"


# A foreign key compares as its operator's types do, not as the columns' types would.
TYPES = {
    # parent, child, values of the child, those that have a parent 'a', 'b' or 1
    "char in varchar": ("varchar", "char(3)", ["a", "b  ", "c"], 1),
    "text in char": ("char(3)", "text", ["a  ", "b", "c"], 2),
    "varchar in text": ("text", "varchar(4)", ["a", "b ", "A"], 1),
    "text in name": ("name", "text", ["a", "b ", "c"], 1),
    "collation": ('text COLLATE "C"', 'text COLLATE "POSIX"', ["a", "B", "b"], 2),
    "collation of the child": ("text", 'text COLLATE "C"', ["a", "B", "b"], 2),
    "int in numeric": ("numeric", "int", ["1", "2", "-1"], 1),
    "numeric in numeric": ("numeric", "numeric(6,2)", ["1", "1.00", "1.01"], 2),
    "bigint in int": ("int", "bigint", ["1", "5000000000", "-1"], 1),
    "float in float": ("float8", "float4", ["1", "1.5", "NaN"], 1),
    "array": ("text[]", "text[]", ["{a}", "{b}", "{}"], 1),
    "enum": ("e", "e", ["a", "b", "c"], 2),
    "range": ("int4range", "int4range", ['"[1,2)"', '"[1,1]"', "empty"], 2),
}


@pytest.mark.share(4)
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("types", TYPES)
def test_types_that_are_compared(
    types: str, held: bool, any_conn: psycopg.Connection, any_db: str, tmp_path: Path
) -> None:
    parent, child, values, good = TYPES[types]
    parents = {"array": "('{a}')", "range": "('[1,2)')", "char in varchar": "('a  '), ('b')"}.get(types)
    parents = parents or ("(1)" if parent.startswith(("num", "int", "flo")) else "('a'), ('b')")
    any_conn.execute(
        f"CREATE TYPE e AS ENUM ('a', 'b', 'c'); CREATE TABLE p (k {parent} PRIMARY KEY);"
        f" INSERT INTO p VALUES {parents}; CREATE TABLE c (id int PRIMARY KEY, k {child} REFERENCES p)"  # type: ignore[arg-type]
    )
    if held:
        any_conn.execute("INSERT INTO c VALUES (0, NULL)")
    # Row by row, as PostgreSQL says it.
    refused = []
    for line, value in enumerate(values, 2):
        try:
            with any_conn.transaction():
                any_conn.execute("INSERT INTO c VALUES (%s, %s)", (100 + line, value.strip('"')))
        except psycopg.errors.ForeignKeyViolation:
            refused.append(line)
    any_conn.execute("DELETE FROM c WHERE id > 100")
    assert len(refused) == len(values) - good
    (tmp_path / "c.csv").write_text("id,k\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values, 1)))
    result = pgsluice.load(tmp_path, database_url=any_db, max_rejects="all")
    found = [(r.line, r.kind) for r in pgsluice.reject_rows(result.run_id, database_url=any_db)]
    assert found == [(line, "foreign_key") for line in refused]
    assert pgsluice.verify(database_url=any_db).ok
    any_conn.execute("ALTER TABLE c DROP CONSTRAINT c_k_fkey, ADD FOREIGN KEY (k) REFERENCES p")


def test_a_child_that_does_not_tell_case(any_conn: psycopg.Connection, any_db: str, tmp_path: Path) -> None:
    """The parent's collation decides."""
    try:
        any_conn.execute(
            "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
            "CREATE TABLE p (k text PRIMARY KEY); INSERT INTO p VALUES ('a'), ('b');"
            "CREATE TABLE c (id int PRIMARY KEY, k text COLLATE ci REFERENCES p); INSERT INTO c VALUES (0, NULL)"
        )
    except psycopg.Error as error:
        pytest.skip(f"no such collation or key here: {error}")
    (tmp_path / "c.csv").write_text("id,k\n1,A\n2,b\n")
    result = pgsluice.load(tmp_path, database_url=any_db, max_rejects="all")
    assert [r.line for r in pgsluice.reject_rows(result.run_id, database_url=any_db)] == [2]


def test_functions_write_with_triggers_in_force(conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    """What a default writes into another table is no affair of this table's foreign keys."""
    conn.execute(
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);"
        "CREATE TABLE log (p int REFERENCES p);"
        "CREATE FUNCTION note() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (77); RETURN 1; END';"
        "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p, n int DEFAULT note()); INSERT INTO c VALUES (0, 1, 0)"
    )
    (tmp_path / "c.csv").write_text("id,p\n1,1\n2,1\n")
    result = pgsluice.load(tmp_path, database_url=db, max_rejects="all")
    found = [(r.sqlstate, r.constraint) for r in pgsluice.reject_rows(result.run_id, database_url=db)]
    assert found == [("23503", "log_p_fkey")] * 2
    assert conn.execute("SELECT count(*) FROM log").fetchone() == (0,)


@pytest.mark.parametrize("held", ["p", "c"])
def test_a_parent_that_gets_another_name(
    held: str, conn: psycopg.Connection, db: str, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """Renamed after the plan was made: the foreign key still means the same table."""
    conn.execute(SCHEMA)
    conn.execute("CREATE TABLE p_new (LIKE p INCLUDING ALL); INSERT INTO p_new VALUES (50)")
    (tmp_path / "c.csv").write_text("id,p,more\n2,2,\n3,50,\n")
    with psycopg.connect(db) as other:
        if held == "c":
            # The load has made its plan when it waits here.
            other.execute("LOCK TABLE c IN SHARE MODE")
        else:
            other.execute("LOCK TABLE p IN EXCLUSIVE MODE")
        done = pool.submit(lambda: pgsluice.load(tmp_path, database_url=db, max_rejects="all"))
        until(lambda: waits(conn))
        other.execute("ALTER TABLE p RENAME TO p_old; ALTER TABLE p_new RENAME TO p")
    only_line_three_is_refused(done.result(60), conn, db)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture
def role(conn: psycopg.Connection) -> Iterator[str]:
    """A role that may load into tables on which it has rights; for the server's roles, one of this database alone."""
    name = f"loader_{conn.info.dbname}"
    conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")  # type: ignore[arg-type]
    conn.execute(f'GRANT CREATE ON DATABASE "{conn.info.dbname}" TO {name}')  # type: ignore[arg-type]
    yield name
    conn.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")  # type: ignore[arg-type]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def only_line_three_is_refused(result: pgsluice.model.RunResult, conn: psycopg.Connection, db: str) -> None:
    assert [(r.line, r.kind) for r in pgsluice.reject_rows(result.run_id, database_url=db)] == [(3, "foreign_key")]
    assert conn.execute("SELECT id FROM c ORDER BY id").fetchall() == [(1,), (2,)]


def waits(conn: psycopg.Connection) -> bool:
    return conn.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'pgsluice' AND wait_event_type = 'Lock')"
    ).fetchone() == (True,)


@pytest.mark.parametrize("mode", ["append", "upsert", "insert-missing"])
def test_orphans_are_found(mode: str, any_conn: psycopg.Connection, any_db: str, tmp_path: Path) -> None:
    any_conn.execute(SCHEMA)
    (tmp_path / "c.csv").write_text(FILE)
    result = pgsluice.load(tmp_path, database_url=any_db, mode=mode, max_rejects="all")
    found = [(r.line, r.kind, r.sqlstate) for r in pgsluice.reject_rows(result.run_id, database_url=any_db)]
    known = [(2, "unique", "23505")] if mode == "append" else []
    assert found == [*known, (4, "foreign_key", "23503"), (7, "foreign_key", "23503"), (8, "unique", "23505")]
    rows = any_conn.execute("SELECT id, p, triggers FROM c WHERE id > 1 ORDER BY id").fetchall()
    assert rows == [(2, 2, "replica"), (4, None, "replica"), (5, 9, "replica")]
    assert any_conn.execute("SELECT p FROM c WHERE id = 1").fetchone() == (2 if mode == "upsert" else 1,)


@pytest.mark.parametrize(
    ("way", "ddl"),
    [
        ("replica", ""),
        ("replica", "ALTER TABLE c ALTER CONSTRAINT fk DEFERRABLE INITIALLY DEFERRED"),
        ("replica", "ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p ON UPDATE CASCADE ON DELETE SET NULL"),
        ("replica", "CREATE TABLE g (c int REFERENCES c ON UPDATE CASCADE)"),
        ("origin", "ALTER TABLE c DROP CONSTRAINT fk"),
        ("origin", "ALTER TABLE c ADD UNIQUE (more) DEFERRABLE"),
        ("origin", "ALTER TABLE c ADD FOREIGN KEY (more) REFERENCES c"),
        ("origin", "ALTER TABLE c ADD k int DEFAULT 3 REFERENCES p"),
        ("origin", "ALTER TABLE c ADD UNIQUE (id, more), ADD FOREIGN KEY (id, more) REFERENCES c (id, more)"),
        ("origin", "CREATE TABLE q (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (id);"
         "CREATE TABLE q1 PARTITION OF q DEFAULT; ALTER TABLE c ADD FOREIGN KEY (p, more) REFERENCES q"),
        ("origin", "CREATE TABLE q (id int, d int, PRIMARY KEY (id, d));"
         "ALTER TABLE c ADD FOREIGN KEY (p, more) REFERENCES q MATCH FULL NOT VALID"),
        ("origin", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
         "CREATE TRIGGER t AFTER INSERT ON c EXECUTE FUNCTION f()"),
        ("origin", "ALTER TABLE c DISABLE TRIGGER ALL"),
        ("origin", "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';"
         "ALTER TABLE c ADD one int DEFAULT one()"),
        ("origin", "CREATE FUNCTION yes(int) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
         "ALTER TABLE c ADD CHECK (yes(id))"),
        ("origin", "CREATE DOMAIN d AS int CHECK (VALUE > 0); ALTER TABLE c ALTER id TYPE d"),
        ("replica", "ALTER TABLE c ALTER more TYPE text COLLATE \"POSIX\"; ALTER TABLE c ADD FOREIGN KEY (more)"
         " REFERENCES p (w)"),
    ],
)  # fmt: skip
def test_where_all_are_asked_at_once(way: str, ddl: str, conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    conn.execute(ddl)  # type: ignore[arg-type]
    more = "p1" if "POSIX" in ddl else ""
    (tmp_path / "c.csv").write_text(f"id,p,more\n2,2,{more}\n3,3,{more}\n4,,\n")
    result = pgsluice.load(tmp_path / "c.csv", database_url=db, max_rejects="all")
    refused = {r.line for r in pgsluice.reject_rows(result.run_id, database_url=db)}
    # Of a MATCH FULL key one column alone may not be NULL.
    assert refused == ({2, 3} if "MATCH FULL" in ddl else set())
    ways = conn.execute("SELECT DISTINCT triggers FROM c WHERE id > 1").fetchall()
    assert ways == [(way,)]


@pytest.mark.parametrize(
    ("way", "grants"),
    [
        ("origin", ""),
        ("origin", "GRANT SET ON PARAMETER session_replication_role TO {role}"),
        ("replica", "GRANT SET ON PARAMETER session_replication_role TO {role}; GRANT SELECT, UPDATE ON p TO {role}"),
        (
            "origin",
            "GRANT SET ON PARAMETER session_replication_role TO {role}; GRANT SELECT, UPDATE ON p TO {role};"
            " ALTER TABLE p ENABLE ROW LEVEL SECURITY",
        ),
    ],
)
def test_rights(way: str, grants: str, role: str, conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    conn.execute(f"GRANT SELECT, INSERT, UPDATE ON c TO {role};" + grants.format(role=role))  # type: ignore[arg-type]
    (tmp_path / "c.csv").write_text("id,p,more\n2,2,\n3,33,\n4,,\n")
    loader = make_conninfo(db, user=role, password="x")
    result = pgsluice.load(tmp_path / "c.csv", database_url=loader, max_rejects="all")
    assert [r.line for r in pgsluice.reject_rows(result.run_id, database_url=loader)] == [3]
    assert conn.execute("SELECT DISTINCT triggers FROM c WHERE id > 1").fetchall() == [(way,)]


def test_a_parent_in_a_schema_that_is_closed(role: str, conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    """The key's trigger looks there as its owner; so it is asked."""
    conn.execute(
        "CREATE SCHEMA away; CREATE TABLE away.p (id int PRIMARY KEY); INSERT INTO away.p VALUES (1);"
        "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES away.p); INSERT INTO c VALUES (9, 1);"
        f"GRANT SELECT, INSERT ON c TO {role}"  # type: ignore[arg-type]
    )
    (tmp_path / "c.csv").write_text("id,p\n1,1\n2,2\n3,1\n")
    loader = make_conninfo(db, user=role, password="x")
    result = pgsluice.load(tmp_path / "c.csv", database_url=loader, max_rejects="all")
    found = [(r.line, r.kind) for r in pgsluice.reject_rows(result.run_id, database_url=loader)]
    assert found == [(3, "foreign_key")]


def test_a_parent_that_goes_meanwhile(
    conn: psycopg.Connection, db: str, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """Deleted before the question is answered: the load waits for that, and its row has no parent."""
    conn.execute(SCHEMA)
    (tmp_path / "c.csv").write_text("id,p,more\n2,2,\n3,3,\n")
    with psycopg.connect(db) as other:
        other.execute("DELETE FROM p WHERE id = 3")
        done = pool.submit(lambda: pgsluice.load(tmp_path, database_url=db, max_rejects="all"))
        until(lambda: waits(conn))
    only_line_three_is_refused(done.result(60), conn, db)


def test_parents_stay_until_the_commit(
    conn: psycopg.Connection, db: str, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    conn.execute(SCHEMA)
    (tmp_path / "c.csv").write_text("id,p,more\n2,2,\n3,3,\n")
    with psycopg.connect(db) as other:
        # The load has asked for its parents when it waits for what becomes of this key.
        other.execute("INSERT INTO c (id) VALUES (3)")
        done: Future[pgsluice.model.RunResult] = pool.submit(lambda: pgsluice.load(tmp_path, database_url=db))
        until(lambda: waits(conn))
        conn.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            conn.execute("DELETE FROM p WHERE id = 3")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            conn.execute("UPDATE p SET id = 33 WHERE id = 3")
        # Nobody who changes anything else of it has to wait.
        conn.execute("UPDATE p SET other = 'new' WHERE id = 3")
        other.rollback()
    assert done.result(60).status == "published"
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        conn.execute("DELETE FROM p WHERE id = 3")


def test_a_foreign_key_that_comes_meanwhile(
    conn: psycopg.Connection, db: str, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """Added after the plan was made: the row that breaks it is not loaded."""
    conn.execute(SCHEMA)
    (tmp_path / "c.csv").write_text("id,p,more\n2,2,5\n3,3,55\n")
    with psycopg.connect(db) as other:
        other.execute("ALTER TABLE c ADD CONSTRAINT late FOREIGN KEY (more) REFERENCES p")
        done = pool.submit(lambda: pgsluice.load(tmp_path, database_url=db, max_rejects="all"))
        until(lambda: waits(conn))
    only_line_three_is_refused(done.result(60), conn, db)
