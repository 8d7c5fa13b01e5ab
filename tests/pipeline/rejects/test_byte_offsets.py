"""The byte offset of a reject: its record begins there in the file."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import psycopg
import pytest

import pgsluice

ROWS = ["1,é", "x,a", '2,"two\nlines"', "y,€", "", "z,last"]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_records_begin_at_their_offsets(
    db: str, conn: psycopg.Connection, tmp_path: Path, ends: str, mark: bytes
) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    content = mark + ends.join(["# made by hand", "id,v", *ROWS, ""]).encode()
    (tmp_path / "t.csv").write_bytes(content)
    result = pgsluice.load(tmp_path / "t.csv", database_url=db, max_rejects="all", comment="#", data_dir=str(tmp_path))
    rows = list(result.rejects.rows())
    assert len(rows) == 3
    for row in rows:
        assert row.byte_offset is not None
        assert content[row.byte_offset :].startswith(row.raw.encode())
    assert result.rejects.path
    with open(result.rejects.path, newline="", encoding="utf-8") as report:
        assert [int(r["byte_offset"]) for r in csv.DictReader(report)] == [r.byte_offset for r in rows]
    first = result.rejects.groups[0].first
    assert first is not None
    assert first.byte_offset == rows[0].byte_offset
    assert conn.execute("SELECT byte_offset FROM pgsluice.rejects ORDER BY reject_no").fetchall() == [
        (r.byte_offset,) for r in rows
    ]


@pytest.mark.parametrize(("name", "encoding"), [("t.csv.gz", "utf-8"), ("t.csv", "utf-16"), ("t.csv", "cp1252")])
def test_packed_and_transcoded_files_have_none(
    db: str, conn: psycopg.Connection, tmp_path: Path, name: str, encoding: str
) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    content = "\n".join(["id,v", *ROWS[:3], ""]).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    result = pgsluice.load(
        tmp_path / name, database_url=db, max_rejects="all", encoding=encoding, data_dir=str(tmp_path)
    )
    assert [row.byte_offset for row in result.rejects.rows()] == [None]
