"""A server that refuses: one clear line, exit code 3, nothing written; never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from command import Ended, call
from pgsluice.postgres.embedded import server as embedded

Connection = psycopg.Connection[tuple[object, ...]]

SCHEMA = """
CREATE TABLE items (id integer PRIMARY KEY, name text);
CREATE TABLE filled (id integer PRIMARY KEY, name text);
INSERT INTO filled VALUES (0, 'old');
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "items.csv").write_text("id,name\n1,a\n2,b\n")
    (tmp_path / "filled.csv").write_text("id,name\n1,a\n2,b\n")
    return tmp_path


@contextmanager
def role(conn: Connection, options: str = "") -> Iterator[str]:
    """A role that may connect and nothing else (of a superuser: whatever ``options`` say)."""
    name = f"role_{conn.info.dbname}"
    conn.execute(f"CREATE ROLE {name} LOGIN {options}")
    conn.execute(f"REVOKE ALL ON DATABASE {conn.info.dbname} FROM PUBLIC; GRANT CONNECT ON DATABASE"
                 f" {conn.info.dbname} TO {name}")  # fmt: skip
    try:
        yield name
    finally:
        conn.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def load(uri: str, data: Path, *arguments: str, user: str = "postgres", **params: str) -> Ended:
    url = make_conninfo(uri, user=user, **params)
    return call("load", *(arguments or ("items.csv", "filled.csv")), cwd=data, url=url)


def untouched(conn: Connection) -> None:
    assert conn.execute("SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM filled)").fetchone() == (0, 1)


RIGHTS = {
    "TEMP": "TEMPORARY ON DATABASE {db}",
    "CREATE": "CREATE ON DATABASE {db}",
    "SELECT": "SELECT ON filled",
    "INSERT": "INSERT ON filled",
    "USAGE": "USAGE ON SCHEMA public",
}


@pytest.mark.parametrize("missing", RIGHTS)
def test_role_without_a_right(missing: str, any_db: str, any_conn: Connection, data: Path) -> None:
    """The right that is missing is named, with the GRANT; with that GRANT the load goes through."""
    conn = any_conn
    conn.execute(SCHEMA)
    with role(conn) as name:
        conn.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        conn.execute(f"GRANT SELECT, INSERT ON items TO {name}")
        for right, grant in RIGHTS.items():
            if right != missing:
                conn.execute(f"GRANT {grant.format(db=conn.info.dbname)} TO {name}")
        ended = load(any_db, data, user=name)
        words = [] if missing == "USAGE" else [name, "GRANT"]
        ended.complaint(3 if missing != "USAGE" else ended.code, *words)
        assert ended.code in (2, 3)
        untouched(conn)
        conn.execute(f"GRANT {RIGHTS[missing].format(db=conn.info.dbname)} TO {name}")
        ended = load(any_db, data, user=name)
        assert ended.code == 0, ended
        assert conn.execute("SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM filled)").fetchone() == (2, 3)


def test_role_that_may_not_use_anothers_ledger(db: str, conn: Connection, data: Path) -> None:
    conn.execute(SCHEMA)
    assert load(db, data, "items.csv").code == 0
    with role(conn) as name:
        conn.execute(f"GRANT TEMPORARY ON DATABASE {conn.info.dbname} TO {name}; GRANT ALL ON items, filled TO {name}")
        load(db, data, "filled.csv", user=name).complaint(3, name, "GRANT")
        assert conn.execute("SELECT count(*) FROM filled").fetchone() == (1,)


@pytest.mark.parametrize("by", ["session", "database"])
def test_read_only(by: str, db: str, conn: Connection, data: Path) -> None:
    conn.execute(SCHEMA)
    params = {"options": "-c default_transaction_read_only=on"} if by == "session" else {}
    if by == "database":
        conn.execute(f"ALTER DATABASE {conn.info.dbname} SET default_transaction_read_only = on")
    load(db, data, **params).complaint(3, "read-only")
    untouched(conn)
    assert conn.execute("SELECT to_regnamespace('pgsluice')::text").fetchone() == (None,)


def test_read_only_after_the_ledger_is_there(db: str, conn: Connection, data: Path) -> None:
    conn.execute(SCHEMA)
    assert load(db, data, "items.csv", "--dry-run").code == 0
    load(db, data, options="-c default_transaction_read_only=on").complaint(3, "read-only")
    untouched(conn)


def test_statement_timeout(db: str, conn: Connection, data: Path) -> None:
    conn.execute(SCHEMA)
    conn.execute("ALTER TABLE items ADD CHECK (pg_sleep(2) IS NOT NULL)")
    load(db, data, options="-c statement_timeout=500").complaint(3, "timeout")
    untouched(conn)


def test_server_that_is_down(data: Path) -> None:
    load(f"host={data} port=5999 dbname=postgres", data).complaint(3, "no server listens")
    load("host=127.0.0.1 port=9 dbname=postgres", data).complaint(3, "no server listens", "127.0.0.1:9")


def test_database_or_role_that_does_not_exist(db: str, data: Path) -> None:
    load(db, data, dbname="no_such_database").complaint(3, "no_such_database")
    load(db, data, user="no_such_role").complaint(3, "no such role")
    call("load", "items.csv", cwd=data, url="mysql://root@localhost/x").complaint(2, "mysql")


def test_wrong_password(tmp_path: Path, data: Path) -> None:
    """A server of its own, for the password has to be asked for."""
    folder = tmp_path / "server"
    uri = embedded.start(folder)
    try:
        with psycopg.connect(uri, autocommit=True) as conn:
            (hba,) = conn.execute("SHOW hba_file").fetchone() or ()
            conn.execute("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'right'")
            conn.execute(SCHEMA)
            path = Path(str(hba))
            path.write_text("local all guarded scram-sha-256\n" + path.read_text())
            conn.execute("SELECT pg_reload_conf()")
        ended = load(uri, data, user="guarded", password="wrong-secret")
        ended.complaint(3, "wrong password for the user at socket")
        assert "guarded" not in ended.err
        assert "wrong-secret" not in ended.err
        load(uri, data, user="guarded").complaint(3, "asks for a password")
        assert load(uri, data, user="guarded", password="right").code == 0
    finally:
        embedded.stop(folder)


def test_unknown_schema_and_empty_schema(db: str, conn: Connection, data: Path) -> None:
    load(db, data, "items.csv", "--into", "nowhere").complaint(3, "nowhere")
    load(db, data, "items.csv").complaint(2, "no table is called 'items'", "--schema")


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("CREATE VIEW items AS SELECT 1 AS id, 'x' AS name", "items"),
        ("CREATE MATERIALIZED VIEW items AS SELECT 1 AS id, 'x' AS name", "items"),
    ],
)
def test_views_are_no_tables(kind: str, word: str, db: str, conn: Connection, data: Path) -> None:
    conn.execute(sql.SQL(kind))  # type: ignore[arg-type]
    load(db, data, "items.csv").complaint(2, word)
