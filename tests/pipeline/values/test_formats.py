"""Options for the formats of values, in every way that rows take into a table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import psycopg
import pytest

import pgsluice
from pgsluice.errors import CallError, MappingError
from pgsluice.model import ColumnFormat, Dialect
from pgsluice.options import build_options, restore_dialect, restore_options

SCHEMA = """CREATE TABLE items (id int PRIMARY KEY, day date, seen timestamp, price numeric(12, 2), pieces int,
active boolean, note text)"""
LINES = [
    "id;day;seen;price;pieces;active;note",
    '1;02.01.2020;02.01.2020 10:30;"1.234,56";12.0;ja; x',
    "2;31.12.2019;31.12.2019 1:02 PM;1234,5;7;nein;y",
    "3;31.02.2020;;1;1;ja;z",
    "4;;;1.5;1;;z",
]
OPTIONS = {
    "date_format": ["DMY"],
    "decimal": [","],
    "thousands": ["price=."],
    "true": ["ja"],
    "false": ["items.active=nein"],
    "integer_decimals": False,
}
ROWS = [
    (1, "2020-01-02", "2020-01-02 10:30:00", "1234.56", 12, True, " x"),
    (2, "2019-12-31", "2019-12-31 13:02:00", "1234.50", 7, False, "y"),
]


def rows(conn: psycopg.Connection) -> list[tuple[object, ...]]:
    return conn.execute(
        "SELECT id, day::text, seen::text, price::text, pieces, active, note FROM items ORDER BY id"
    ).fetchall()


def write(folder: Path, lines: list[str]) -> Path:
    (folder / "items.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.share(4)
@pytest.mark.parametrize("mode", ["append", "upsert", "replace"])
@pytest.mark.parametrize("filled", [False, True])
def test_formats_apply_in_every_mode(
    any_db: str, any_conn: psycopg.Connection, tmp_path: Path, mode: str, filled: bool
) -> None:
    any_conn.execute(SCHEMA)
    if filled:
        any_conn.execute("INSERT INTO items (id) VALUES (9)")
    lines = [line.replace("12.0", "12") for line in LINES]
    result = pgsluice.load(
        write(tmp_path, lines), database_url=any_db, mode=mode, max_rejects="all", data_dir=str(tmp_path), **OPTIONS
    )
    assert rows(any_conn)[:2] == ROWS
    assert result.rejects.count == 2
    rejects = list(pgsluice.reject_rows(result.run_id, database_url=any_db))
    # The report has the text of the file; the message says why it was not read.
    assert [r.raw for r in rejects] == lines[3:]
    assert [r.message for r in rejects] == [
        'invalid input syntax for type date: "31.02.2020 (not DMY)"',
        'invalid input syntax for type numeric: "1.5 (decimal sign ,)"',
    ]


def test_a_replay_reads_the_formats_of_its_run(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    lines = [LINES[0], LINES[2], "1;32.01.2020;02.01.2020 10:30;1.234,56;12;ja; x"]
    first = pgsluice.load(write(tmp_path, lines), database_url=db, max_rejects="all", data_dir=str(tmp_path), **OPTIONS)
    report = Path(first.rejects.path or "")
    report.write_text(report.read_text().replace("1;32.01", "1;02.01"))
    pgsluice.replay(first.run_id, report, database_url=db, data_dir=str(tmp_path))
    assert rows(conn) == ROWS


def test_integer_decimals_are_zeros(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE items (id int PRIMARY KEY, pieces bigint)")
    folder = write(tmp_path, ["id,pieces", "1.0,1362.0", "2.0,1362.5", "3.0,1.05076E+11"])
    result = pgsluice.load(folder, database_url=db, max_rejects="all", integer_decimals=True, data_dir=str(tmp_path))
    assert conn.execute("SELECT id, pieces FROM items").fetchall() == [(1, 1362)]
    assert result.rejects.count == 2


def test_trimming_reaches_texts_and_nulls(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE items (ip inet, pieces int, note text)")
    folder = write(tmp_path, ["ip,pieces,note", " 192.0.2.10\u00a0, ,\u200ba b ", "\ufeff192.0.2.11, NULL ,"])
    pgsluice.load(folder, database_url=db, trim=True, null=["NULL"], data_dir=str(tmp_path))
    assert conn.execute("SELECT host(ip), pieces, note FROM items ORDER BY ip").fetchall() == [
        ("192.0.2.10", None, "a b"),
        ("192.0.2.11", None, None),
    ]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"date_format": ["items.dai=DMY"]}, "names a column that no file has"),
        ({"date_format": ["note=DMY"]}, "items.note is of type text"),
        ({"decimal": ["."], "thousands": ["."]}, "is the decimal sign and the sign between groups"),
        ({"true": ["price=ja"]}, "is of type numeric"),
    ],
)
def test_a_format_that_suits_no_column_is_an_error(
    db: str, conn: psycopg.Connection, tmp_path: Path, option: dict[str, list[str]], message: str
) -> None:
    conn.execute(SCHEMA)
    with pytest.raises(MappingError, match=message):
        pgsluice.plan(write(tmp_path, LINES), database_url=db, **option)


@pytest.mark.parametrize(
    "option", [{"date_format": ["DD.MM"]}, {"date_format": ["%Q"]}, {"decimal": ["ab"]}, {"strip": [""]}]
)
def test_a_format_that_is_none_is_an_error(option: dict[str, list[str]]) -> None:
    with pytest.raises(CallError):
        pgsluice.plan("nothing.csv", database_url="postgresql:///none", **option)


def test_the_closest_option_wins(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE items (a date, b date, c date)")
    folder = write(tmp_path, ["a,b,c", "01/02/2020,01/02/2020,01/02/20"])
    pgsluice.load(
        folder,
        database_url=db,
        date_format=["YMD", "items.*=DMY", "items.b=MDY", "c=%d/%m/%y"],
        data_dir=str(tmp_path),
    )
    assert conn.execute("SELECT a::text, b::text, c::text FROM items").fetchall() == [
        ("2020-02-01", "2020-01-02", "2020-02-01")
    ]


def test_the_ledger_keeps_the_formats_of_a_run() -> None:
    """A resumed run and a replay take them from the JSON of the ledger; older ledgers have none."""
    options = build_options(date_format=["t.day=DMY"], strip=["€"], trim=True, default_on_empty=["t.*"])
    stored = json.loads(json.dumps(asdict(options)))
    assert restore_options(stored).formats == options.formats
    del stored["formats"]
    assert restore_options(stored).formats == ()
    dialect = Dialect(formats=(ColumnFormat("day", date="DMY", true=("ja",), why="line 2"), ColumnFormat("n")))
    kept = json.loads(json.dumps(asdict(dialect)))
    assert restore_dialect(kept) == dialect
    # A ledger may have fewer properties of a format.
    kept["formats"] = [{"column": "day", "date": "DMY"}]
    assert restore_dialect(kept).formats == (ColumnFormat("day", date="DMY"),)
    # Version 0.2 kept whether there is such a delimiter.
    del kept["trailing_delimiters"]
    assert restore_dialect({**kept, "trailing_delimiter": True}).trailing_delimiters == 1


def test_money_is_never_read_with_other_digits(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    """PostgreSQL reads ``12,50`` as 1250 where the point is the decimal sign of lc_monetary."""
    conn.execute("CREATE TABLE items (id int, price money)")

    def load(values: list[str], **options: object) -> tuple[list[str], int]:
        conn.execute("TRUNCATE items")
        folder = write(tmp_path, ["id;price", *(f"{i};{value}" for i, value in enumerate(values))])
        result = pgsluice.load(
            folder, database_url=db, max_rejects="all", again=True, data_dir=str(tmp_path), **options
        )
        rows = conn.execute("SELECT price::numeric::text FROM items ORDER BY id").fetchall()
        return [row[0] for row in rows], result.rejects.count

    assert load(["12,50", "1,5", "$1,234.50", "-7", "1,2345", "12.5"]) == (["1234.50", "-7.00", "12.50"], 3)
    german = {"decimal": [","], "thousands": ["."], "strip": ["€"]}
    assert load(["12,50 €", "1.234,5", "1,234.5", "7"], **german) == (["12.50", "1234.50", "7.00"], 1)
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET lc_monetary = 'C'")
    assert load(["12,50"]) == (["1250.00"], 0)
