"""Mistakes of a user: one line that says what, where and what to do; the right exit code; nothing lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import pgsluice
from command import call
from pgsluice.errors import CallError, DatabaseError, FileError, MappingError


@pytest.fixture
def numbers(conn: psycopg.Connection, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE n (id int PRIMARY KEY, v int); INSERT INTO n VALUES (1, 1), (9, 9)")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "n.csv").write_text("id,v\n1,2\n2,2\n3,x\n")
    return folder


@pytest.mark.parametrize(("mode", "counts"), [("append", (3, 1, 0, 2, 0)), ("replace", (3, 1, 1, 1, 1))])
def test_a_dry_run_says_what_would_be_loaded_and_books_nothing(
    db: str, numbers: Path, conn: psycopg.Connection, mode: str, counts: tuple[int, ...]
) -> None:
    result = pgsluice.load(numbers, database_url=db, mode=mode, max_rejects="all", dry_run=True)
    [t] = result.tables
    assert (t.read, t.inserted, t.updated, t.rejected, t.deleted) == counts
    assert t.loaded == t.read - t.rejected
    assert conn.execute("SELECT rows_read, rows_loaded FROM pgsluice.file").fetchall() == [(3, 0)]
    assert conn.execute("SELECT * FROM n ORDER BY id").fetchall() == [(1, 1), (9, 9)]
    said = call("load", numbers, "--mode", mode, "--max-rejects", "all", "--dry-run", cwd=numbers.parent, url=db)
    done = "1 row would be loaded into 1 table" if mode == "append" else "1 row would be inserted, 1 updated, 1 deleted"
    assert f"was a dry run: {done}" in said.out


def test_a_file_whose_name_is_no_text(db: str, numbers: Path) -> None:
    os.rename(os.fsencode(numbers / "n.csv"), os.path.join(os.fsencode(numbers), b"n_\xff.csv"))
    with pytest.raises(FileError, match=r"n_\\xff\.csv: the name is not UTF-8") as error:
        pgsluice.load(numbers, database_url=db, tables=[("n", "*")])
    str(error.value).encode()


def test_a_reject_number_that_no_run_can_have(db: str, numbers: Path, tmp_path: Path) -> None:
    run = pgsluice.load(numbers, database_url=db, max_rejects="all").run_id
    (file := tmp_path / "corrected.csv").write_text(f'run,reject,raw\n{run},99999999999999999999,"2,2"\n')
    with pytest.raises(CallError, match=r"corrected\.csv:2: run 1 has no reject 99999999999999999999"):
        pgsluice.replay(run, str(file), database_url=db)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e30, 0, -1])
def test_no_time_to_wait(db: str, numbers: Path, seconds: float) -> None:
    with pytest.raises(CallError, match=r"--lock-timeout .* is no time to wait"):
        pgsluice.load(numbers, database_url=db, lock_timeout=seconds)


def test_names_of_what_is_not_there(db: str, numbers: Path) -> None:
    run = pgsluice.load(numbers, database_url=db, max_rejects="all").run_id
    with pytest.raises(DatabaseError, match="there is no schema 'nosuch'"):
        pgsluice.verify(database_url=db, into="nosuch")
    with pytest.raises(CallError, match="run 1 had no file for a table nosuch"):
        pgsluice.rejects(run, database_url=db, table="nosuch")
    assert pgsluice.rejects(run, database_url=db, table="public.n")[1].count == 2


@pytest.mark.parametrize("options", [{"mode": "replace"}, {"mode": "upsert", "delete_missing": True}])
def test_a_file_without_a_header_deletes_nothing(
    db: str, conn: psycopg.Connection, numbers: Path, options: dict[str, object]
) -> None:
    (numbers / "n.csv").write_bytes(b"")
    with pytest.raises(MappingError, match=r"is empty and has no header; .* would delete every row of n"):
        pgsluice.load(numbers, database_url=db, allow_empty=True, **options)  # type: ignore[arg-type]
    (numbers / "n.csv").write_text("id,v\n")
    assert pgsluice.load(numbers, database_url=db, **options).tables[0].deleted == 2  # type: ignore[arg-type]


def test_an_empty_gzip_file_is_a_truncated_one(db: str, conn: psycopg.Connection, numbers: Path) -> None:
    (numbers / "n.csv").unlink()
    (numbers / "n.csv.gz").touch()
    with pytest.raises(FileError, match="the gzip file is truncated"):
        pgsluice.load(numbers, database_url=db)


@pytest.mark.parametrize(
    "command",
    [("verify",), ("runs",), ("rejects",), ("rejects", "9"), ("resume", "9"), ("replay", "9", "r.csv")],
)
def test_who_only_looks_makes_no_server(tmp_path: Path, command: tuple[str, ...]) -> None:
    ended = call(*command, "--data-dir", "typo", cwd=tmp_path)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        "pgsluice: there is no server in typo. Name its folder with --data-dir, or a database with --database-url\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_run_where_none_was(db: str) -> None:
    with pytest.raises(CallError, match="there is no run 9"):
        pgsluice.rejects(9, database_url=db)


@pytest.mark.parametrize("command", ["load", "plan"])
def test_a_schema_file_for_tables_that_are_there(db: str, numbers: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "s.sql").write_text("CREATE TABLE n (number int); CREATE TABLE other (a int);")
    (numbers / "n.csv").write_text("number\n1\n")
    ended = call(command, numbers, "--schema", "s.sql", cwd=tmp_path, url=db)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert ended.err.endswith(". Tables that were there before stay as they are, whatever s.sql says\n")


def test_resume_reads_the_variables_of_libpq(db: str, numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pgsluice.load(numbers, database_url=db, max_rejects="all")
    for key, value in conninfo_to_dict(db).items():
        monkeypatch.setenv("PGDATABASE" if key == "dbname" else f"PG{key.upper()}", str(value))
    with pytest.raises(CallError, match="run 9"):
        pgsluice.resume(9)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_rejects": 0.01}, "max_rejects=0.01 is not a limit"),
        ({"max_rejects": [1]}, "max_rejects=1 is not a limit"),
        ({"tables": {"t": "*.csv"}}, "tables: 't' is no pair"),
        ({"tables": ["t=*.csv"]}, "tables: 't=[*].csv' is no pair"),
    ],
)
def test_arguments_of_another_type(options: dict[str, Any], said: str, db: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(CallError, match=said):
        pgsluice.load(tmp_path / "t.csv", database_url=db, **options)


def test_an_argument_that_does_not_exist_is_named_with_the_nearest() -> None:
    with pytest.raises(CallError, match="no argument 'delimitter'") as caught:
        pgsluice.load("x.csv", delimitter=";")  # type: ignore[call-arg]
    assert caught.value.remedy == "Did you mean delimiter?"
