"""Each command says where it works: in its first and last line, in its log and in its JSON, and nothing else of the
address."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from command import Ended, call
from pgsluice.model import Target

Connection = psycopg.Connection[tuple[object, ...]]

SECRET = "XQZJKV"


@pytest.fixture
def data(tmp_path: Path, conn: Connection) -> Path:
    """Files, and a role that owns the tables that they go into."""
    name = conn.info.dbname
    conn.execute(
        f"CREATE ROLE owner_{name} LOGIN; CREATE SCHEMA shop AUTHORIZATION owner_{name};"
        f"GRANT ALL ON DATABASE {name} TO owner_{name};"
        f"SET ROLE owner_{name}; CREATE TABLE shop.items (id integer PRIMARY KEY, name text); RESET ROLE"
    )
    (tmp_path / "items.csv").write_text("id,name\n1,a\n2,b\n")
    (tmp_path / "copy.sql").write_text("-- as: table\nSELECT id, name FROM items")
    return tmp_path


@pytest.fixture
def url(db: str, conn: Connection) -> str:
    """The address of the role, with a password and options that nobody may see."""
    options = f"-c application_name={SECRET}"
    return make_conninfo(db, user=f"owner_{conn.info.dbname}", password=SECRET, options=options)


def place(conn: Connection, run: int = 0) -> str:
    """The database in words, as the server describes it."""
    version = str(conn.info.parameter_status("server_version")).split(" ")[0]
    name, folder = conn.info.dbname, Path(conn.info.host).parent
    said = f"{name} in {folder} as owner_{name} (embedded PostgreSQL {version}, schema shop"
    return f"{said}, run {run})" if run else f"{said})"


def test_each_command_begins_and_ends_with_the_database(data: Path, url: str, conn: Connection) -> None:
    log = data / "log"

    def lines(*arguments: str) -> tuple[Ended, list[str]]:
        ended = call(*arguments, "--into", "shop", cwd=data, url=url)
        assert ended.code in (0, 1), ended
        return ended, ended.out.splitlines()

    _, out = lines("plan", "items.csv")
    assert out[0] == f"1 file into 1 table of {place(conn)}, in this order:"
    assert out[-1] == f"Database: {place(conn)}"
    ended, out = lines("load", "items.csv", "--log-file", str(log))
    assert ended.err.splitlines()[0] == f"Loading 1 file into {place(conn, 1)}"
    assert out[-1] == f"Database: {place(conn, 1)}"
    text = log.read_text()
    assert f"Loading 1 file into {place(conn, 1)}" in text
    assert place(conn, 1) in text.splitlines()[-1]
    # A run that rejects, and the replay of its rejects.
    (data / "items.csv").write_text("id,name\n2,b\n3,c\n")
    _, out = lines("load", "items.csv", "--max-rejects", "1")
    assert out[-1] == f"Database: {place(conn, 2)}"
    (report,) = (data / ".pgsluice" / "rejects").iterdir()
    report.write_text(report.read_text().replace("2,b", "4,d"))
    ended = call("replay", "2", report, cwd=data, url=url)
    assert ended.err.splitlines()[0] == f"Replaying rejects of run 2 into {place(conn, 3)}"
    _, out = lines("verify")
    assert (out[0], out[-1]) == (f"Verifying {place(conn)}", f"Database: {place(conn)}")
    _, out = lines("derive", "copy.sql")
    assert (out[0], out[-1]) == (f"Derived tables of {place(conn)}", f"Database: {place(conn)}")
    assert SECRET not in text


@pytest.mark.parametrize("command", ["plan items.csv", "load items.csv", "verify", "derive copy.sql"])
def test_json_has_the_database_and_nothing_else_of_the_address(
    command: str, data: Path, url: str, conn: Connection
) -> None:
    ended = call(*command.split(), "--into", "shop", "--json", cwd=data, url=url)
    assert ended.code == 0, ended
    assert ended.json["version"]
    assert ended.json["target"] == {
        "database": conn.info.dbname,
        "host": conn.info.host,
        "port": 5432,
        "role": f"owner_{conn.info.dbname}",
        "server_version": str(conn.info.parameter_status("server_version")).split(" ")[0],
        "schema": "shop",
        "data_dir": str(Path(conn.info.host).parent),
        "new": False,
    }
    assert SECRET not in ended.out + ended.err


def test_the_role_in_force_is_named(data: Path, db: str, conn: Connection) -> None:
    role = f"owner_{conn.info.dbname}"
    ended = call("plan", "items.csv", "--into", "shop", cwd=data, url=make_conninfo(db, options=f"-c role={role}"))
    assert f" as {role} (" in ended.out.splitlines()[0]


def test_words_of_servers() -> None:
    target = Target("shop", "db1", 5432, "loader", "18.6", "public")
    assert target.words(26) == "shop on db1:5432 as loader (PostgreSQL 18.6, schema public, run 26)"
    assert (
        Target("shop", "::1", 5433, "me", "15.2", "").words() == "shop on [::1]:5433 as me (PostgreSQL 15.2, no schema)"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("load", "nowhere", "--json"), 2, "FileError"),
        (("load", "items.csv", "--mode", "sideways", "--json"), 2, "CallError"),
        (("rejects", "99", "--format", "json"), 2, "CallError"),
        (("load", "items.csv", "--nonsense", "--json"), 2, "NoSuchOption"),
        (("load", "items.csv", "--into", "nowhere", "--json"), 3, "DatabaseError"),
    ],
)
def test_errors_are_objects(arguments: tuple[str, ...], code: int, kind: str, data: Path, url: str) -> None:
    ended = call(*arguments, cwd=data, url=url)
    assert ended.code == code, ended
    error = ended.json["error"]
    assert (error["type"], error["exit_code"]) == (kind, code)
    assert error["message"].split("\n")[0] in " ".join(ended.err.split())


def test_an_address_that_no_server_answers_is_an_object_without_the_password(data: Path) -> None:
    ended = call("load", "items.csv", "--json", cwd=data, url=f"postgresql://me:{SECRET}@127.0.0.1:9/shop")
    assert (ended.code, ended.json["error"]["exit_code"]) == (3, 3)
    assert "127.0.0.1:9" in ended.json["error"]["message"]
    assert SECRET not in ended.out + ended.err
