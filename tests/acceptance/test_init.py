"""``pgsluice init`` as a command: from a folder of files to a database, with what it refuses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import psycopg
import pytest

from command import Ended, call
from pgsluice.arguments import INFER_ARGUMENTS
from pgsluice.cli.init import OPTIONS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    customers = "".join(f"{n};name {n};0{n}/0{n + 1}/2020\n" for n in range(1, 6))
    (folder / "customers.csv").write_text("CustomerID;Name;Since\n" + customers)
    orders = "".join(f"{n},{n % 5 + 1},{n}.50,{n:02}.12.2024\n" for n in range(1, 31))
    (folder / "orders.csv").write_text("order no,customer_id,total,day\n" + orders)
    return folder


def _init(tmp_path: Path, *options: str) -> Ended:
    return call("init", "data", *options, cwd=tmp_path)


def test_from_a_folder_to_a_database(tmp_path: Path, data: Path, db: str) -> None:
    ended = _init(tmp_path, "--load", "--yes", "--database-url", db)
    assert ended.code == 0, ended
    assert "35 rows loaded into 2 tables" in ended.out
    with psycopg.connect(db) as conn:
        row = conn.execute("SELECT day::text, total, customer_id FROM orders WHERE order_no = 7").fetchone()
        keys = conn.execute("SELECT conname FROM pg_constraint WHERE contype IN ('p', 'f') ORDER BY 1").fetchall()
    assert row is not None
    assert tuple(map(str, row)) == ("2024-12-07", "7.50", "3")
    assert [k[0] for k in keys if k[0].startswith(("cust", "ord"))] == [
        "customers_pkey",
        "orders_customer_id_fkey",
        "orders_pkey",
    ]


def test_the_printed_commands_work(tmp_path: Path, data: Path, db: str) -> None:
    ended = _init(tmp_path)
    assert ended.code == 0, ended
    asked = re.search(r"pgsluice init again with (.*)", ended.out)
    assert asked is not None, ended.out
    answers = asked[1].split(" or ")
    assert answers == ["--date-format customers.since=DMY", "--date-format customers.since=MDY"]
    assert "since" in (tmp_path / "schema.sql").read_text()
    ended = _init(tmp_path, "--force", *shlex.split(answers[1]))
    assert ended.code == 0, ended
    assert "Questions" not in ended.out
    command = re.search(r"Load the files: pgsluice (.*)", ended.out)
    assert command is not None
    ended = call(*shlex.split(command[1]), cwd=tmp_path, url=db)
    assert ended.code == 0, ended
    with psycopg.connect(db) as conn:
        assert conn.execute("SELECT min(since)::text FROM customers").fetchone() == ("2020-01-02",)


def test_the_settings_may_stand_elsewhere(tmp_path: Path, data: Path, db: str) -> None:
    (tmp_path / "out here").mkdir()
    ended = _init(tmp_path, "-o", "out here/shop.sql")
    assert ended.code == 0, ended
    command = re.search(r"Load the files: pgsluice (.*)", ended.out)
    assert command is not None
    ended = call(*shlex.split(command[1]), cwd=tmp_path, url=db)
    assert ended.code == 0, ended
    assert "35 rows loaded" in ended.out


def test_files_that_exist_stay(tmp_path: Path, data: Path) -> None:
    (tmp_path / "pgsluice.toml").write_text("# mine\n")
    _init(tmp_path).complaint(2, "pgsluice.toml exists", "--force")
    assert not (tmp_path / "schema.sql").exists()
    (tmp_path / "schema.sql").write_text("-- mine\n")
    _init(tmp_path).complaint(2, "schema.sql exists", "--force")
    assert (tmp_path / "schema.sql").read_text() == "-- mine\n"
    assert (tmp_path / "pgsluice.toml").read_text() == "# mine\n"
    assert _init(tmp_path, "--force").code == 0
    assert "CREATE TABLE" in (tmp_path / "schema.sql").read_text()


def test_json(tmp_path: Path, data: Path) -> None:
    found = _init(tmp_path, "--json").json
    assert [t["name"] for t in found["tables"]] == ["customers", "orders"]
    assert found["tables"][1]["foreign_keys"][0]["references"] == "customers"
    assert found["questions"][0]["column"] == "since"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["init"], ("no path is given", "pgsluice init data/")),
        (["init", "-"], ("standard input",)),
        (["init", "nowhere"], ("nowhere",)),
        (["init", "data", "--ask"], ("--ask needs a terminal",)),
        (["init", "data", "-o", "no folder/x.sql"], ("no folder",)),
        (["init", "data", "-o", "data"], ("data is no file",)),
    ],
)
def test_wrong_calls(arguments: list[str], words: tuple[str, ...], tmp_path: Path, data: Path) -> None:
    ended = call(*arguments, cwd=tmp_path)
    ended.complaint(2, *words)
    assert not list(tmp_path.glob("*.sql"))


def test_records_that_cannot_be_read_are_named(tmp_path: Path, data: Path) -> None:
    with (data / "orders.csv").open("a") as out:
        out.write("31,1\n")
    ended = _init(tmp_path)
    assert ended.code == 0
    assert "data/orders.csv:32: the record cannot be read" in ended.out


def test_the_options_are_the_arguments() -> None:
    assert {o.argument for o in OPTIONS} == set(INFER_ARGUMENTS)
