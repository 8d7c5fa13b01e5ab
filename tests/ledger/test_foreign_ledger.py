"""A ledger that another role made, or that bears code: no command uses it, and the message says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import pgsluice
from pgsluice.errors import DatabaseError
from pgsluice.ledger import schema

Connection = psycopg.Connection[Any]


@pytest.fixture
def mallory(conn: Connection) -> Iterator[str]:
    """A role that may create schemas in the database."""
    name = f"mallory_{conn.info.dbname}"
    conn.execute(f"CREATE ROLE {name} LOGIN; GRANT CREATE ON DATABASE {conn.info.dbname} TO {name}")
    yield name
    conn.execute(f"ALTER DATABASE {conn.info.dbname} OWNER TO postgres; DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


@pytest.fixture
def data(conn: Connection, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    (tmp_path / "t.csv").write_text("id\n1\n")
    return tmp_path / "t.csv"


def loaded(db: str, data: Path) -> int:
    """Loads the file; returns the number of inserted rows."""
    return sum(t.inserted for t in pgsluice.load(data, database_url=db).tables)


def owned_by(db: str, role: str) -> None:
    """The role makes the ledger, as its own load would."""
    with psycopg.connect(make_conninfo(db, user=role), autocommit=True) as theirs:
        schema.ensure(theirs)


COMMANDS = {
    "load": lambda db, data: pgsluice.load(data, database_url=db),
    "verify": lambda db, data: pgsluice.verify(database_url=db),
    "runs": lambda db, data: pgsluice.runs(database_url=db),
    "rejects": lambda db, data: pgsluice.rejects(database_url=db),
    "reject_rows": lambda db, data: list(pgsluice.reject_rows(1, database_url=db)),
    "replay": lambda db, data: pgsluice.replay(1, data, database_url=db),
    "resume": lambda db, data: pgsluice.resume(1, database_url=db),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_code_of_another_role_runs(command: str, mallory: str, db: str, conn: Connection, data: Path) -> None:
    owned_by(db, mallory)
    with psycopg.connect(make_conninfo(db, user=mallory), autocommit=True) as theirs:
        theirs.execute(
            "CREATE FUNCTION pgsluice.rise() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN EXECUTE format(''ALTER ROLE %I"
            " SUPERUSER'', (SELECT usename FROM pg_user WHERE usename LIKE ''mallory%''LIMIT 1)); RETURN NEW; END';"
            "CREATE TRIGGER rise BEFORE INSERT ON pgsluice.run FOR EACH ROW EXECUTE FUNCTION pgsluice.rise()"
        )
    with pytest.raises(DatabaseError) as caught:
        COMMANDS[command](db, data)
    assert f"belongs to role {mallory}" in caught.value.message
    assert caught.value.exit_code == 3
    assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (mallory,)).fetchone() == (False,)


def test_the_remedy_is_complete(mallory: str, db: str, conn: Connection, data: Path) -> None:
    owned_by(db, mallory)
    with pytest.raises(DatabaseError) as caught:
        pgsluice.load(data, database_url=db)
    statements = caught.value.remedy.removeprefix("If you trust what is in it, as a superuser: ").split("; if not")[0]
    conn.execute(statements)
    assert loaded(db, data) == 1


def test_moved_away(mallory: str, db: str, conn: Connection, data: Path) -> None:
    owned_by(db, mallory)
    with pytest.raises(DatabaseError) as caught:
        pgsluice.load(data, database_url=db)
    conn.execute(caught.value.remedy.split("move it away: ")[1])
    assert loaded(db, data) == 1


def test_the_owner_of_the_database_is_trusted(mallory: str, db: str, conn: Connection, data: Path) -> None:
    conn.execute(f"ALTER DATABASE {conn.info.dbname} OWNER TO {mallory}")
    owned_by(db, mallory)
    assert loaded(db, data) == 1


def test_a_role_uses_the_ledger_of_a_superuser(mallory: str, db: str, conn: Connection, data: Path) -> None:
    schema.ensure(conn)
    conn.execute(
        f"GRANT USAGE ON SCHEMA pgsluice TO {mallory}; GRANT SELECT, INSERT ON t TO {mallory};"
        f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA pgsluice TO {mallory}"
    )
    assert loaded(make_conninfo(db, user=mallory), data) == 1


def test_a_role_does_not_use_the_ledger_of_another_role(mallory: str, db: str, conn: Connection, data: Path) -> None:
    owned_by(db, mallory)
    victim = f"victim_{conn.info.dbname}"
    conn.execute(f"CREATE ROLE {victim} LOGIN; GRANT CREATE ON DATABASE {conn.info.dbname} TO {victim}")
    try:
        with pytest.raises(DatabaseError, match=f"belongs to role {mallory}"):
            pgsluice.runs(database_url=make_conninfo(db, user=victim))
        conn.execute(f"GRANT {mallory} TO {victim}")  # a member has the rights of the role, and trusts it
        assert pgsluice.runs(database_url=make_conninfo(db, user=victim)) == ()
    finally:
        conn.execute(f"DROP OWNED BY {victim} CASCADE; DROP ROLE {victim}")


@pytest.mark.parametrize(
    ("ddl", "words"),
    [
        ("CREATE TRIGGER g BEFORE INSERT ON pgsluice.run FOR EACH ROW EXECUTE FUNCTION evil()", "DROP TRIGGER g"),
        ("CREATE RULE r AS ON INSERT TO pgsluice.file DO ALSO NOTHING", "DROP RULE r ON pgsluice.file"),
        ("ALTER TABLE pgsluice.reject ENABLE ROW LEVEL SECURITY", "pgsluice.reject DISABLE ROW LEVEL SECURITY"),
    ],
)
def test_code_on_a_ledger_of_a_trusted_role(ddl: str, words: str, db: str, conn: Connection, data: Path) -> None:
    schema.ensure(conn)
    conn.execute("CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    conn.execute(ddl)
    with pytest.raises(DatabaseError, match="has triggers, rules or policies") as caught:
        pgsluice.load(data, database_url=db)
    assert words in caught.value.remedy
    conn.execute(caught.value.remedy.removeprefix("As the owner of the tables: "))
    assert loaded(db, data) == 1


@pytest.mark.parametrize(
    ("ddl", "words"),
    [
        ("ALTER TABLE pgsluice.run ALTER detail SET DEFAULT evil()", "pgsluice.run calls function"),
        ("ALTER TABLE pgsluice.run ADD CHECK (evil() <> status)", "pgsluice.run calls function"),
        ("CREATE INDEX ON pgsluice.run (evil())", "pgsluice.run calls function"),
        ("ALTER TABLE pgsluice.run ADD more text", "pgsluice.run has an unknown column more"),
        ("ALTER TABLE pgsluice.reject DROP raw CASCADE", "pgsluice.reject has no column raw"),
        ("CREATE TABLE child () INHERITS (pgsluice.reject)", "inherits"),
        (
            "DROP VIEW pgsluice.rejects; CREATE DOMAIN d AS text; ALTER TABLE pgsluice.reject ALTER raw TYPE d",
            "type that is not PostgreSQL's",
        ),
        ("DROP TABLE pgsluice.reject CASCADE; CREATE VIEW pgsluice.reject AS SELECT 1", "not an ordinary table"),
    ],
)
def test_the_shape_of_the_ledger(ddl: str, words: str, db: str, conn: Connection, data: Path) -> None:
    schema.ensure(conn)
    conn.execute("CREATE FUNCTION evil() RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT NULL::text'")
    conn.execute(ddl)
    for call in (COMMANDS["load"], COMMANDS["runs"]):
        with pytest.raises(DatabaseError, match=words) as caught:
            call(db, data)
        assert "ALTER SCHEMA pgsluice RENAME TO pgsluice_old;" in caught.value.remedy


def test_a_stage_that_another_role_made(mallory: str, db: str, conn: Connection, data: Path) -> None:
    schema.ensure(conn)
    conn.execute(f"GRANT USAGE, CREATE ON SCHEMA pgsluice TO {mallory}")
    with psycopg.connect(make_conninfo(db, user=mallory), autocommit=True) as theirs:
        theirs.execute(
            "CREATE UNLOGGED TABLE pgsluice.fault_1 (table_no integer, ordinal bigint, kind text, column_name text,"
            " constraint_name text, sqlstate text, message text)"
        )
    with pytest.raises(DatabaseError, match=f"pgsluice.fault_1 of role {mallory}"):
        pgsluice.load(data, database_url=db, resumable=True)


def test_everybody_has_no_right_on_a_new_ledger(db: str, conn: Connection, data: Path) -> None:
    conn.execute(
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;"
        " ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC"
    )
    pgsluice.load(data, database_url=db)
    rights = conn.execute(
        "SELECT has_schema_privilege('public', 'pgsluice', 'USAGE, CREATE'),"
        " bool_or(has_table_privilege('public', oid, 'SELECT') OR has_table_privilege('public', oid, 'TRIGGER'))"
        " FROM pg_class WHERE relnamespace = 'pgsluice'::regnamespace AND relkind IN ('r', 'v')"
    ).fetchone()
    assert rights == (False, False)
