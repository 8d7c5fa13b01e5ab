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


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


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
        # The query would not know by which collation to compare.
        ("origin", "ALTER TABLE c ALTER more TYPE text COLLATE \"POSIX\"; ALTER TABLE c ADD FOREIGN KEY (more)"
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
        ("origin", "GRANT SET ON PARAMETER session_replication_role TO loader"),
        ("replica", "GRANT SET ON PARAMETER session_replication_role TO loader; GRANT SELECT, UPDATE ON p TO loader"),
        (
            "origin",
            "GRANT SET ON PARAMETER session_replication_role TO loader; GRANT SELECT, UPDATE ON p TO loader;"
            " ALTER TABLE p ENABLE ROW LEVEL SECURITY",
        ),
    ],
)
def test_rights(way: str, grants: str, conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    conn.execute("CREATE ROLE loader LOGIN PASSWORD 'x'")
    try:
        name = conn.info.dbname
        conn.execute(
            f'GRANT CREATE ON DATABASE "{name}" TO loader; GRANT SELECT, INSERT, UPDATE ON c TO loader; {grants}'
        )  # type: ignore[arg-type]
        (tmp_path / "c.csv").write_text("id,p,more\n2,2,\n3,33,\n4,,\n")
        loader = make_conninfo(db, user="loader", password="x")
        result = pgsluice.load(tmp_path / "c.csv", database_url=loader, max_rejects="all")
        assert [r.line for r in pgsluice.reject_rows(result.run_id, database_url=db)] == [3]
        assert conn.execute("SELECT DISTINCT triggers FROM c WHERE id > 1").fetchall() == [(way,)]
    finally:
        conn.execute("DROP OWNED BY loader CASCADE; DROP ROLE loader")


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
    result = done.result(60)
    assert [(r.line, r.kind) for r in pgsluice.reject_rows(result.run_id, database_url=db)] == [(3, "foreign_key")]
    assert conn.execute("SELECT id FROM c ORDER BY id").fetchall() == [(1,), (2,)]


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
    result = done.result(60)
    assert [(r.line, r.kind) for r in pgsluice.reject_rows(result.run_id, database_url=db)] == [(3, "foreign_key")]
    assert conn.execute("SELECT id FROM c ORDER BY id").fetchall() == [(1,), (2,)]
