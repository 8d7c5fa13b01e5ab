"""A table with many files: the statements of a load do not multiply with the files, and each file has its counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from pgsluice import api

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def items(conn: Connection) -> None:
    conn.execute("CREATE TABLE items (id int PRIMARY KEY, amount int CHECK (amount > 0))")


def write(folder: Path, contents: list[str]) -> Path:
    folder.mkdir()
    for number, rows in enumerate(contents):
        (folder / f"items_{number:03}.csv").write_text(f"id,amount\n{rows}")
    return folder


def statements(db: str, folder: Path) -> int:
    """How many statements a load sends; a COPY does not count."""
    execute, sent = psycopg.Cursor.execute, []

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        sent.append(args[0])
        return execute(self, *args, **options)

    with mock.patch.object(psycopg.Cursor, "execute", counted):
        api.load(folder, database_url=db)
    return len(sent)


def test_statements_do_not_multiply_with_files(items: None, db: str, conn: Connection, tmp_path: Path) -> None:
    few = write(tmp_path / "few", [f"{i},1\n" for i in range(2)])
    many = write(tmp_path / "many", [f"{i},2\n" for i in range(10, 30)])
    api.load(write(tmp_path / "first", ["1000,1\n"]), database_url=db)  # makes the ledger
    conn.execute("TRUNCATE items")
    of_few = statements(db, few)
    conn.execute("TRUNCATE items")
    assert statements(db, many) == of_few
    again = statements(db, few)
    assert statements(db, many) == again < of_few


def test_rejects_are_counted_file_by_file(items: None, db: str, tmp_path: Path) -> None:
    contents = ["1,1\n2,0\n", "", "3,x\n", "4,1\n", "", "5,0\n6,0\n7,1\n", ""]
    result = api.load(write(tmp_path / "in", contents), database_url=db, max_rejects="all")
    found = [(f.read, f.loaded, f.rejected) for f in result.tables[0].files]
    assert found == [(2, 1, 1), (0, 0, 0), (1, 0, 1), (1, 1, 0), (0, 0, 0), (3, 1, 2), (0, 0, 0)]


def test_copies_of_a_file_are_skipped_in_their_table_only(
    items: None, db: str, conn: Connection, tmp_path: Path
) -> None:
    conn.execute("CREATE TABLE others (LIKE items)")
    folder = write(tmp_path / "in", ["1,1\n", "2,2\n", "1,1\n"])
    (folder / "others.csv").write_text("id,amount\n1,1\n")
    first = api.load(folder, database_url=db)
    assert {str(t.table): [f.skipped for f in t.files] for t in first.tables} == {
        "items": [False, False, True],
        "others": [False],
    }
    conn.execute("TRUNCATE others")
    second = api.load(folder, database_url=db)
    assert {str(t.table): [f.skipped for f in t.files] for t in second.tables} == {
        "items": [True, True, True],
        "others": [False],
    }
