"""``pgsluice.toml`` with real loads, and ``pgsluice config show``."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import CallError

Connection = psycopg.Connection[tuple[object, ...]]

SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, born date);
CREATE TABLE orders (id int PRIMARY KEY, person_id int REFERENCES people, total numeric);
"""
TOML = """
[load]
paths = ["data"]
schema = "schema.sql"
mode = "upsert"

[files."*.txt"]
table = "orders"
delimiter = "|"
encoding = "cp1252"

[files."leute.csv"]
table = "people"
header = false

[tables.people]
fields = ["id", "", "name", "born"]
ignore = ["nothing"]
[tables.people.columns.born]
date_format = "DMY"

[tables.orders]
decimal = ","
ignore = ["Remark"]
[tables.orders.columns.person_id]
from = "cust_no"
[tables.orders.columns.total]
from = "Betrag (€)"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "schema.sql").write_text(SCHEMA)
    (tmp_path / "pgsluice.toml").write_text(TOML)
    (data / "leute.csv").write_text("1,x,Ann,03.04.2020\n2,y,Bo,31.12.1999\n")
    (data / "export_1.txt").write_bytes("id|cust no|Betrag (€)|remark\n10|1|1,50|ä\n11|2|2,25|\n".encode("cp1252"))
    return tmp_path


def rows(conn: Connection, table: str) -> list[tuple[object, ...]]:
    return conn.execute(f"SELECT {table}::text FROM {table} ORDER BY id").fetchall()  # type: ignore[arg-type]


def test_a_load_without_arguments(db: str, conn: Connection, folder: Path) -> None:
    ended = call("load", cwd=folder, url=db)
    assert ended.code == 0, ended
    assert "Settings: pgsluice.toml" in ended.out
    assert rows(conn, "people") == [("(1,Ann,2020-04-03)",), ("(2,Bo,1999-12-31)",)]
    assert rows(conn, "orders") == [("(10,1,1.50)",), ("(11,2,2.25)",)]


def test_the_folder_that_is_loaded_has_the_file(db: str, conn: Connection, folder: Path) -> None:
    (folder / "data" / "pgsluice.toml").write_text(TOML.replace("schema.sql", "../schema.sql").replace("data", "."))
    (folder / "pgsluice.toml").unlink()
    ended = call("load", "data", "--json", cwd=folder, url=db)
    assert ended.code == 0, ended
    assert ended.json["config"] == "data/pgsluice.toml"
    assert ended.json["ignored"] == []
    assert len(rows(conn, "orders")) == 2
    ended = call("load", "data", "--no-config", "--schema", "schema.sql", cwd=folder, url=db)
    assert ended.code == 2, ended


def test_a_part_of_the_files(db: str, conn: Connection, folder: Path) -> None:
    """Settings of tables that have no file in this load are no error."""
    conn.execute(SCHEMA)
    ended = call("plan", "data/leute.csv", cwd=folder, url=db)
    assert ended.code == 0, ended
    ended = call("load", "data/leute.csv", "--mode", "append", cwd=folder, url=db)
    assert ended.code == 0, ended
    assert len(rows(conn, "people")) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("columns.total]", "columns.totl]", "orders has no column 'totl'. Did you mean total?"),
        (
            "tables.orders.columns.person_id",
            "tables.order.columns.person_id",
            "'order', which is not a table of the target schema, has rules. Did you mean orders?",
        ),
        ("header = false", "", "needs to know what the first line is, and so does fields in pgsluice.toml"),
        ('paths = ["data"]', "", 'no path is given, and pgsluice.toml has none. Write paths = ["data"]'),
        ('mode = "upsert"', 'mode = "merge"', "'merge' is not a mode"),
        ("[load]", '[load]\ndatabase = "postgresql://me:secret@host/db"', "is no address without a password"),
    ],
)
def test_what_is_wrong(old: str, new: str, message: str, db: str, folder: Path) -> None:
    (folder / "pgsluice.toml").write_text(TOML.replace(old, new))
    url = None if "database" in new else db
    ended = call("load", cwd=folder, url=url)
    ended.complaint(2, message)
    assert "secret" not in ended.err


def test_no_path_and_no_file(db: str, tmp_path: Path) -> None:
    call("load", cwd=tmp_path, url=db).complaint(2, "no path is given, and there is no pgsluice.toml here")
    call("plan", "--config", "x.toml", cwd=tmp_path, url=db).complaint(2, "x.toml: No such file or directory")
    call("plan", "--config", "x.toml", "--no-config", cwd=tmp_path, url=db).complaint(2, "exclude each other")


def test_from_python(db: str, conn: Connection, folder: Path) -> None:
    result = pgsluice.load(config=folder / "pgsluice.toml", database_url=db, mode="append")
    assert result.config == str(folder / "pgsluice.toml")
    assert [t.mode for t in result.tables] == ["append", "append"]
    # No file is looked for.
    with pytest.raises(CallError, match="no path is given"):
        pgsluice.load(database_url=db)


def test_the_database_of_the_file(db: str, conn: Connection, folder: Path) -> None:
    (folder / "pgsluice.toml").write_text(TOML.replace("[load]", f"[load]\ndatabase = {json.dumps(db)}"))
    ended = call("load", cwd=folder)
    assert ended.code == 0, ended
    assert len(rows(conn, "people")) == 2


def test_config_show(folder: Path) -> None:
    shown = call("config", "show", "--mode", "append", "--lock-timeout", "5", "--json", cwd=folder)
    assert shown.code == 0, shown
    assert shown.json["config"] == "pgsluice.toml"
    settings = {(s["key"], s["source"]): s for s in shown.json["settings"]}
    mode = settings["load.mode", "pgsluice.toml"]
    assert (mode["value"], mode["line"], mode["overridden_by"]) == ("upsert", 5, "--mode")
    assert settings["load.mode", "option --mode"]["value"] == ["append"]
    assert settings["load.lock_timeout", "option --lock-timeout"]["value"] == 5.0
    assert settings["tables.orders.columns.person_id.from", "pgsluice.toml"]["line"] == 26
    assert settings["load.recursive", "default"]["value"] is False
    assert settings["load.paths", "pgsluice.toml"]["value"] == ["data"]
    with mock.patch.dict("os.environ"):
        text = call("config", "show", "elsewhere", "--database-url", "postgresql://me:secret@h/d", cwd=folder)
    assert "secret" not in text.out
    lines = {line.split("  ")[0].strip(): " ".join(line.split()) for line in reversed(text.out.splitlines())}
    assert lines["load.mode"] == "load.mode upsert pgsluice.toml:5"
    assert lines["load.database"].endswith("... option --database-url")
    assert "load.paths data pgsluice.toml:3; overridden by the paths of the call" in " ".join(text.out.split())
    nothing = call("config", "show", "--no-config", cwd=folder)
    assert nothing.out.startswith("Settings of this call, without pgsluice.toml:")
