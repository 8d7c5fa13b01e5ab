"""Parquet, JSON Lines and workbooks: PostgreSQL stores the values that the files hold."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
from pathlib import Path
from typing import Any

import openpyxl
import psycopg
import pyarrow as pa
import pytest
from pyarrow import parquet

import pgsluice
from pgsluice.errors import MappingError
from pgsluice.model import RunResult

Conn = psycopg.Connection[tuple[Any, ...]]

COLUMNS: dict[str, tuple[str, pa.DataType, list[Any]]] = {
    "b": ("boolean", pa.bool_(), [True, False, None]),
    "i8": ("smallint", pa.int8(), [-128, 127, None]),
    "u64": ("numeric", pa.uint64(), [2**64 - 1, 0, None]),
    "f32": ("real", pa.float32(), [0.1, 1.1754944e-38, None]),
    "f64": ("double precision", pa.float64(), [0.1, 1.2345678901234567e150, None]),
    "special": ("double precision", pa.float64(), [math.inf, -math.inf, None]),
    "n": ("numeric", pa.decimal128(30, 10), [decimal.Decimal("1.1000000000"), decimal.Decimal("-0.0000000001"), None]),
    "d": ("date", pa.date32(), [dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
    "t": ("time", pa.time64("us"), [dt.time(23, 59, 59, 999999), dt.time(0), None]),
    "ts": ("timestamp", pa.timestamp("us"), [dt.datetime(2024, 1, 2, 3, 4, 5, 6), dt.datetime(1, 1, 1), None]),
    "ms": ("timestamp", pa.timestamp("ms"), [dt.datetime(2024, 1, 2, 3, 4, 5, 6000), dt.datetime(1970, 1, 1), None]),
    "tz": (
        "timestamptz",
        pa.timestamp("us", "Europe/Berlin"),
        [dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None],
    ),
    "iv": ("interval", pa.duration("us"), [dt.timedelta(hours=-30, microseconds=1), dt.timedelta(0), None]),
    "s": ("text", pa.string(), ["", 'q"u,o\nté', None]),
    "dict": ("text", pa.dictionary(pa.int8(), pa.string()), ["a", "NULL", None]),
    "x": ("bytea", pa.binary(), [b"", b"\0\xff", None]),
    "l": ("jsonb", pa.list_(pa.int32()), [[1, None], [], None]),
    "st": (
        "jsonb",
        pa.struct([("k", pa.string()), ("v", pa.date32())]),
        [{"k": "é", "v": dt.date(2024, 1, 2)}, None, None],
    ),
    "m": ("jsonb", pa.map_(pa.string(), pa.int8()), [{"k": 1}, {}, None]),
    "nothing": ("int", pa.null(), [None, None, None]),
}


def load(db: str, folder: Path, *paths: Path | str, **options: Any) -> RunResult:
    return pgsluice.load(*paths, database_url=db, data_dir=str(folder / "work"), **options)


def test_parquet(conn: Conn, db: str, tmp_path: Path) -> None:
    conn.execute("SET TimeZone = 'UTC'")
    conn.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind[0]}' for name, kind in COLUMNS.items())})")
    path = tmp_path / "t.parquet"
    arrays = {
        name: pa.array([list(v.items()) if name == "m" and v is not None else v for v in values], kind)
        for name, (_, kind, values) in COLUMNS.items()
    }
    parquet.write_table(pa.table(arrays), path)
    result = load(db, tmp_path, path, null_only=["x"], empty_as_null=True)
    assert result.status == "published", result
    rows = conn.execute("SELECT * FROM t").fetchall()
    for place, (name, (_, _, values)) in enumerate(COLUMNS.items()):
        stored = [row[place] for row in rows]
        expected = [{"k": "é", "v": "2024-01-02"} if isinstance(v, dict) and "v" in v else v for v in values]
        if name == "x":
            # --empty-as-null is for columns that are not text; bytea is none. \x is not empty.
            assert stored == [b"", b"\0\xff", None]
        else:
            assert stored == expected, name
    assert load(db, tmp_path, path).status == "skipped"


def test_rejects_of_parquet_have_their_row(conn: Conn, db: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int CHECK (id > 0), name text)")
    ids, names = [1, -1, 2, None, -3], ["a\nb", "c\n\nd", "", "f", "g"]
    parquet.write_table(pa.table({"id": ids, "name": names}), tmp_path / "t.parquet")
    result = load(db, tmp_path, tmp_path / "t.parquet", max_rejects="all")
    rows = conn.execute("SELECT line, raw FROM pgsluice.reject ORDER BY line").fetchall()
    assert rows == [(2, '"-1","c\n\nd"'), (5, '"-3","g"')]
    assert [(f.read, f.rejected) for t in result.tables for f in t.files] == [(5, 2)]


def test_json_lines(conn: Conn, db: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id bigint PRIMARY KEY, n numeric, f float8, ok bool, name text, doc jsonb, raw json)")
    lines = [
        '{"id": 1, "n": 1.10, "f": 1e-7, "ok": true, "name": "", "doc": {"a": [1.10, null]}, "raw": {"b":2, "b":3}}',
        '{"n": 12345678901234567890.123, "id": 9007199254740993, "name": "NULL \\u00e9 \\ud834\\udd1e"}',
        '{"id": 3, "n": null, "ok": false, "name": "1,5"}',
        '{"id": 3}',
    ]
    path = tmp_path / "t.ndjson"
    path.write_text("\n".join(lines) + "\n")
    result = load(db, tmp_path, path, max_rejects=1, null=["NULL"], header=False, decimal=[","])
    assert result.status == "published"
    rows = conn.execute("SELECT id, n, f, ok, name, doc FROM t ORDER BY id").fetchall()
    assert rows == [
        (1, decimal.Decimal("1.10"), 1e-7, True, "", json.loads('{"a": [1.10, null]}')),
        (3, None, None, False, "1,5", None),
        (9007199254740993, decimal.Decimal("12345678901234567890.123"), None, None, "NULL é 𝄞", None),
    ]
    assert conn.execute("SELECT line FROM pgsluice.reject").fetchall() == [(4,)]


def workbook(path: Path, name: str, rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = name
    for row in rows:
        sheet.append(row)
    for cell in (c for row in sheet.iter_rows() for c in row if isinstance(c.value, str) and c.value[:1] == "#"):
        cell.data_type = "e"
    book.save(path)
    return path


def test_workbook(conn: Conn, db: str, tmp_path: Path) -> None:
    conn.execute(
        "CREATE TABLE orders (id int, name text, day date, at timestamp, amount numeric, ok bool, t time, iv interval)"
    )
    path = workbook(
        tmp_path / "orders.xlsx",
        "Sheet1",
        [
            ["id", "name", "day", "at", "amount", "ok", "t", "iv"],
            [
                1,
                "1",
                dt.date(2024, 1, 2),
                dt.datetime(2024, 1, 2, 3, 4, 5),
                0.1,
                True,
                dt.time(3, 4),
                dt.timedelta(hours=30),
            ],
            [2, "007", dt.date(2024, 12, 31), None, 1e20, False, None, None],
            [3, 7, None, None, "#N/A", None, None, None],
        ],
    )
    vetoed = load(db, tmp_path, path)
    assert vetoed.status == "vetoed"
    assert 'orders.xlsx!Sheet1:4: invalid input syntax for type numeric: "#N/A"' in vetoed.rejects.groups[0].example
    result = load(db, tmp_path, path, null=["#N/A"])
    assert result.status == "published"
    assert conn.execute("SELECT * FROM orders ORDER BY id").fetchall() == [
        (
            1,
            "1",
            dt.date(2024, 1, 2),
            dt.datetime(2024, 1, 2, 3, 4, 5),
            decimal.Decimal("0.1"),
            True,
            dt.time(3, 4),
            dt.timedelta(hours=30),
        ),
        (2, "007", dt.date(2024, 12, 31), None, decimal.Decimal(10**20), False, None, None),
        (3, "7", None, None, None, None, None, None),
    ]
    assert load(db, tmp_path, path).status == "skipped"


def test_two_members_with_the_same_size_are_two_files(conn: Conn, db: str, tmp_path: Path) -> None:
    import zipfile

    conn.execute("CREATE TABLE orders (id int)")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("orders_1.csv", "id\n1\n")
        archive.writestr("orders_2.csv", "id\n2\n")
        archive.writestr("orders_3.csv", "id\nx\n")
    result = load(db, tmp_path, tmp_path / "all.zip", max_rejects="all")
    assert [(Path(f.path).name, f.loaded) for t in result.tables for f in t.files] == [
        ("all.zip!orders_1.csv", 1),
        ("all.zip!orders_2.csv", 1),
        ("all.zip!orders_3.csv", 0),
    ]
    (reject,) = conn.execute("SELECT line, raw FROM pgsluice.reject").fetchall()
    assert reject == (2, "x")
    again = load(db, tmp_path, tmp_path / "all.zip")
    assert again.status == "skipped"


def test_two_forms_of_one_file_in_a_folder(conn: Conn, db: str, tmp_path: Path) -> None:
    import gzip

    conn.execute("CREATE TABLE t (id int)")
    data = tmp_path / "data"
    data.mkdir()
    (data / "t.csv").write_bytes(b"id\n1\n")
    (data / "T.csv.gz").write_bytes(gzip.compress(b"id\n1\n"))
    (data / "t_2.csv").write_bytes(b"id\n2\n")
    with pytest.raises(MappingError, match=r"t.csv and .*T.csv.gz have one name and feed one table") as caught:
        load(db, tmp_path, data)
    assert "--skip t.csv or --skip T.csv.gz" in caught.value.remedy
    assert load(db, tmp_path, data, skip=["T.csv.gz"]).status == "published"
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (2,)
    assert load(db, tmp_path, data / "t.csv", data / "T.csv.gz", again=True).status == "published"
