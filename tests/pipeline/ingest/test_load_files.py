"""Files as they come: each one loaded for real, with the lines of the rejects where there are some."""

from __future__ import annotations

import gzip
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from command import Ended, call
from pgsluice import api
from pgsluice.errors import FileError
from pgsluice.model import Dialect, Progress

Connection = psycopg.Connection[tuple[object, ...]]
Load = Callable[..., Ended]

ITEMS = "CREATE TABLE items (id integer PRIMARY KEY, name text, price numeric(8, 2))"


@pytest.fixture
def load(db: str, tmp_path: Path) -> Load:
    """Loads what is called by its name in ``tmp_path``; everything that may be rejected may be."""

    def load(*arguments: str, limit: str = "all") -> Ended:
        return call("load", *arguments, "--max-rejects", limit, "--json", cwd=tmp_path, url=db)

    return load


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def items(conn: Connection) -> list[tuple[object, ...]]:
    return conn.execute("SELECT id, name, price::text FROM items ORDER BY id").fetchall()


def books(ended: Ended) -> list[tuple[int, int, int]]:
    """Read, loaded, rejected of each table."""
    assert ended.code == 0, ended
    return [(t["read"], t["loaded"], t["rejected"]) for t in ended.json["tables"]]


def rejects(uri: str) -> list[tuple[int, str, str]]:
    """Line, kind and raw record of the last run's rejects."""
    run_id, _ = api.rejects(database_url=uri)
    return [(r.line, r.kind, r.raw) for r in api.reject_rows(run_id, database_url=uri)]


# --------------------------------------------------------------------------- what is read the same


VARIANTS: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "plain": ("items.csv", b"id,name,price\n1,a,1.5\n2,,2\n", ()),
    "no final newline": ("items.csv", b"id,name,price\n1,a,1.5\n2,,2", ()),
    "CRLF": ("items.csv", b"id,name,price\r\n1,a,1.5\r\n2,,2\r\n", ()),
    "CRLF without the last": ("items.csv", b"id,name,price\r\n1,a,1.5\r\n2,,2", ()),
    "byte order mark": ("items.csv", b"\xef\xbb\xbfid,name,price\n1,a,1.5\n2,,2\n", ()),
    "mark before a quote": ("items.csv", b'\xef\xbb\xbf"id","name","price"\n1,a,1.5\n2,,2\n', ()),
    "semicolon": ("items.csv", b"id;name;price\n1;a;1.5\n2;;2\n", ()),
    "tab": ("items.tsv", b"id\tname\tprice\n1\ta\t1.5\n2\t\t2\n", ()),
    "pipe": ("items.csv", b"id|name|price\n1|a|1.5\n2||2\n", ("--delimiter", "|")),
    "gzip": ("items.csv.gz", gzip.compress(b"id,name,price\n1,a,1.5\n2,,2\n"), ()),
    "two gzip members": (
        "items.csv.gz",
        gzip.compress(b"id,name,price\n1,a,") + gzip.compress(b"1.5\n2,,2\n"),
        (),
    ),
    "UTF-16 with a mark": ("items.csv", "id,name,price\n1,a,1.5\n2,,2\n".encode("utf-16"), ()),
    "other order of columns": ("items.csv", b"price,id,name\n1.5,1,a\n2,2,\n", ()),
    "names written otherwise": ("ITEMS.CSV", b"ID, Name ,PRICE\n1,a,1.5\n2,,2\n", ()),
    "a text for NULL": ("items.csv", b"id,name,price\n1,a,1.5\n2,NA,2\n", ("--null", "NA")),
    "two texts for NULL": ("items.csv", b"id,name,price\n1,a,1.5\n2,-,2\n", ("--null", "NA", "--null", "-")),
    "single quotes": ("items.csv", b"id,name,price\n1,'a',1.5\n2,,2\n", ("--quote", "'")),
    "no header": ("items.csv", b"1,a,1.5\n2,,2\n", ()),
    "a part's number": ("items_07.csv", b"id,name,price\n1,a,1.5\n2,,2\n", ()),
    "mapped by --table": ("x.dat", b"id,name,price\n1,a,1.5\n2,,2\n", ("--table", "items=*.dat")),
}


@pytest.mark.share(2)
@pytest.mark.parametrize("variant", VARIANTS)
def test_same_rows_however_they_are_written(variant: str, load: Load, conn: Connection, tmp_path: Path) -> None:
    name, content, options = VARIANTS[variant]
    conn.execute(ITEMS)
    put(tmp_path, name, content)
    assert books(load(name, *options)) == [(2, 2, 0)]
    assert items(conn) == [(1, "a", "1.50"), (2, None, "2.00")]


def test_core_set_on_every_version(any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    """Multi-line values, a quoted delimiter, and rejects behind them with their exact lines."""
    any_conn.execute(ITEMS)
    put(
        tmp_path,
        "items.csv",
        'id,name,price\r\n1,"two\r\nlines, and a comma",1\r\n2,"he said ""yes""",x\r\n3,"a\n\nb",3\r\n'
        '4,short\r\n5,,5\r\n5,"second\nfive",6\r\n6,"",1e9\r\n7,"",7\r\n',
    )
    ended = call("load", "items.csv", "--max-rejects", "all", "--json", cwd=tmp_path, url=any_db)
    assert books(ended) == [(8, 4, 4)]
    assert items(any_conn) == [
        (1, "two\r\nlines, and a comma", "1.00"),
        (3, "a\n\nb", "3.00"),
        (5, None, "5.00"),
        (7, "", "7.00"),
    ]
    assert rejects(any_db) == [
        (4, "value", '2,"he said ""yes""",x'),
        (8, "structure", "4,short"),
        (10, "unique", '5,"second\nfive",6'),
        (12, "value", '6,"",1e9'),
    ]


def test_null_text_leaves_the_empty_field_empty(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    put(tmp_path, "items.csv", 'id,name,price\n1,NA,NA\n2,"NA",1\n3,,1\n4,"",1\n')
    assert books(load("items.csv", "--null-only", "NA")) == [(4, 4, 0)]
    assert items(conn) == [(1, None, None), (2, "NA", "1.00"), (3, "", "1.00"), (4, "", "1.00")]


def test_null_adds_to_the_empty_field(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    put(tmp_path, "items.csv", 'id,name,price\n1,NA,NA\n2,"NA",1\n3,,\\N\n4,"",1\n')
    assert books(load("items.csv", "--null", "NA", "--null", "\\N")) == [(4, 4, 0)]
    assert items(conn) == [(1, None, None), (2, "NA", "1.00"), (3, None, None), (4, "", "1.00")]


def test_the_summary_names_the_option_that_cures_the_rejects(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    rows = "".join(f"{i},a,\\N\n" for i in range(1, 4)) + '4,b,""\n5,c,x\n'
    put(tmp_path, "items.csv", "id,name,price\n" + rows)
    ended = call("load", "items.csv", cwd=tmp_path, url=db)
    assert ended.code == 1
    assert r"= help: If \N means NULL: --null '\N'" in ended.out
    assert '= or:   If "" means NULL: --empty-as-null' in ended.out
    remedies = [remedy.rpartition("NULL: ")[2] for remedy in ended.out.splitlines() if "means NULL" in remedy]
    options = [word for remedy in remedies for word in shlex.split(remedy)]
    assert books(call("load", "items.csv", "--max-rejects", "1", "--json", *options, cwd=tmp_path, url=db)) == [
        (5, 4, 1)
    ]
    assert [price for _, _, price in items(conn)] == [None] * 4


@pytest.mark.parametrize("many", [False, True])
def test_null_texts_in_some_blocks_only(many: bool, load: Load, conn: Connection, tmp_path: Path) -> None:
    """A block without the text is sent as it stands, a block with the text is parsed: the rows are the same."""
    conn.execute(ITEMS)
    rows = [(i, "NA" if many and i % 3 == 0 else f"n{i}", "" if i % 5 == 0 else f"{i}.25") for i in range(200_000)]
    rows[150_000] = (150_000, "NA", "NA")
    put(tmp_path, "items.csv", "id,name,price\n" + "".join(f"{i},{n},{p}\n" for i, n, p in rows))
    assert books(load("items.csv", "--null", "NA")) == [(200_000, 200_000, 0)]
    assert items(conn) == [(i, None if n == "NA" else n, None if p in ("", "NA") else p) for i, n, p in rows]


STAFF = "CREATE TABLE staff (id int PRIMARY KEY, boss int REFERENCES staff, left_on date, pay numeric(10,2), nick text)"


@pytest.mark.parametrize("bad", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_quoted_empty_fields_as_null(held: bool, bad: bool, load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(STAFF)
    if held:
        conn.execute("INSERT INTO staff VALUES (9)")
    rows = '"1","3","","100.00",""\n"2","3","2024-12-31","","dee"\n"3","","","250.50",""\n'
    put(tmp_path, "staff.csv", '"id","boss","left_on","pay","nick"\n' + rows + ('"4","x","","",""\n' if bad else ""))
    assert books(load("staff.csv")) == [(3 + bad, 0, 3 + bad)]
    ended = load("staff.csv", "--empty-as-null", "--max-rejects", "1", "--again")
    assert books(ended) == [(3 + bad, 3, int(bad))]
    found = conn.execute(
        "SELECT id, boss, left_on::text, pay::text, nick FROM staff WHERE id < 9 ORDER BY id"
    ).fetchall()
    assert found == [(1, 3, None, "100.00", ""), (2, 3, "2024-12-31", None, "dee"), (3, None, None, "250.50", "")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--null", '""'], "--empty-as-null"),
        (["--null", "a\nb"], "the end of a line"),
        (["--null", "a,b"], "the text 'a,b' for NULL contains ','"),
        (["--null", "a", "--null-only", "b"], "exclude each other"),
        (["--columns", "id,name,price"], "--no-header"),
    ],
)
def test_options_that_contradict(options: list[str], words: str, load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    put(tmp_path, "items.csv", "id,name,price\n1,a,1\n")
    load("items.csv", *options).complaint(2, words)


def test_a_first_line_that_may_be_either_is_refused(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, city text)")
    conn.execute("CREATE TABLE sales (region text, y1 int, y2 int)")
    put(tmp_path, "people.csv", "alice,london\nbob,paris\n")
    put(tmp_path, "sales.csv", "Area,2023,2024\nNorth,10,20\n")
    for name in ("people.csv", "sales.csv"):
        load(name).complaint(2, "--no-header", "--columns", "--column FIELD=COLUMN")
    load("people.csv", "--no-header").complaint(2, "--columns")
    assert books(load("people.csv", "--no-header", "--columns", "name,city")) == [(2, 2, 0)]
    assert conn.execute("SELECT name, city FROM people ORDER BY id").fetchall() == [
        ("alice", "london"),
        ("bob", "paris"),
    ]
    assert books(load("sales.csv", "--header", "--columns", "sales=region,,y2")) == [(1, 1, 0)]
    assert conn.execute("SELECT * FROM sales").fetchall() == [("North", None, 20)]


def test_files_of_a_folder_that_are_not_loaded_are_named(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int)")
    (tmp_path / "d/more").mkdir(parents=True)
    put(tmp_path, "d/a.csv", "id\n1\n")
    put(tmp_path, "d/b.txt", "id\n2\n")
    put(tmp_path, "d/e.dat", b"\0\1\2\xff" * 100)
    put(tmp_path, "d/log.csv", "y\n1\n")
    put(tmp_path, "d/notes.csv", "x\n1\n")
    put(tmp_path, "d/readme.txt", "Read me first\n")
    put(tmp_path, "d/readme.md", "Read me first\n")
    put(tmp_path, "d/more/c.csv", "id\n3\n")
    ended = load("d")
    ended.complaint(2, "2 files do not fit")
    assert "--skip log.csv" in ended.err
    assert "--skip notes.csv" in ended.err
    put(tmp_path, "d/c.dat", b"\0\1\2\xff" * 100)
    ended = load("d", "--skip", "*notes*", "--skip", "log.csv")
    ended.complaint(2, "c.dat", "not UTF-8", "Its name is that of the table c")
    (tmp_path / "d/c.dat").unlink()
    load("d", "--skip", "no such").complaint(2, "--skip 'no such' matches no file")
    ended = load("d", "--skip", "*notes*", "--skip", "log.csv", "--recursive")
    assert sorted(books(ended)) == [(1, 1, 0)] * 3
    why = {Path(f["path"]).name: f["why"] for f in ended.json["ignored"]}
    assert "not UTF-8" in why.pop("e.dat")
    assert why == {
        "notes.csv": "--skip '*notes*'",
        "log.csv": "--skip log.csv",
        "readme.md": "its suffix is not that of a CSV file; name the file to load it",
        "readme.txt": "no table is called 'readme'; name it with --table",
    }


def test_json_files_of_a_folder_are_loaded_or_explained(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE a (id int PRIMARY KEY)")
    (tmp_path / "d").mkdir()
    put(tmp_path, "d/package.json", '{"name": "x",\n "version": 1}')
    put(tmp_path, "d/a.json", '[{"id": 1}, {"id": 2}]')
    load("d").complaint(2, "a.json: this is a JSON array", "jq -c '.[]' FILE", "name is that of the table a")
    put(tmp_path, "d/a.json", '{"id": 1}\n{"id": 2}\n')
    ended = load("d")
    assert books(ended) == [(2, 2, 0)]
    (why,) = (f["why"] for f in ended.json["ignored"])
    assert "no table is called 'package'" in why
    assert conn.execute("SELECT array_agg(id) FROM a").fetchone() == ([1, 2],)


def test_latin_1_with_encoding(db: str, load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    put(tmp_path, "items.csv", "id,name,price\n1,Köln ±,1\n".encode("latin-1"))
    load("items.csv").complaint(2, "not UTF-8 (line 2)", "'Köln ±' in cp1252", "--encoding items.csv=cp1252")
    assert books(load("items.csv", "--encoding", "utf-8")) == [(1, 0, 1)]
    assert rejects(db) == [(2, "structure", "1,K\\xf6ln \\xb1,1")]
    assert books(load("items.csv", "--encoding", "latin-1")) == [(1, 1, 0)]
    assert items(conn) == [(1, "Köln ±", "1.00")]


# --------------------------------------------------------------------------- little in it, or much


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"id,name,price\n", b"id,name,price", b"\n\n"])
def test_files_without_rows(content: bytes, load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    put(tmp_path, "items.csv", content)
    if not content.removeprefix(b"\xef\xbb\xbf"):
        ended = load("items.csv", limit="0")
        assert (ended.code, "items.csv: the file is empty" in ended.err) == (2, True)
    assert books(load("items.csv", "--allow-empty", limit="0")) == [(0, 0, 0)]
    assert items(conn) == []
    assert conn.execute("SELECT count(*) FROM pg_index WHERE indrelid = 'items'::regclass").fetchone() == (1,)


def test_empty_file_beside_others(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    put(tmp_path, "items_1.csv", "")
    put(tmp_path, "items_2.csv", "id,name,price\n1,a,1\n")
    assert books(load("items_1.csv", "items_2.csv", "--allow-empty")) == [(1, 1, 0)]


def test_a_field_of_10_mb(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    field = 'äb\n,""' * 1_800_000
    put(tmp_path, "items.csv", f'id,name,price\n1,a,1\n2,"{field}",2\n3,c,3\n')
    assert books(load("items.csv")) == [(3, 3, 0)]
    expected = field.replace('""', '"')
    assert conn.execute(
        "SELECT name = %s, octet_length(name) > 10000000 FROM items WHERE id = 2", (expected,)
    ).fetchone() == (
        True,
        True,
    )


def test_500_columns(db: str, load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(f"CREATE TABLE wide (c0 integer PRIMARY KEY, {', '.join(f'c{i} integer' for i in range(1, 500))})")
    header = ",".join(f"c{i}" for i in range(500))
    rows = [",".join(str(n * 1000 + i) for i in range(500)) for n in range(50)]
    rows[20] = rows[20].replace("20499", "x")
    put(tmp_path, "wide.csv", "\n".join([header, *rows, ""]))
    assert books(load("wide.csv")) == [(50, 49, 1)]
    assert conn.execute("SELECT sum(c499), count(*) FROM wide").fetchone() == (
        sum(n * 1000 + 499 for n in range(50) if n != 20),
        49,
    )
    ((line, kind, _),) = rejects(db)
    assert (line, kind) == (22, "value")


# --------------------------------------------------------------------------- faulty bytes


def test_nul_and_invalid_bytes_are_rejected_with_their_lines(
    db: str, load: Load, conn: Connection, tmp_path: Path
) -> None:
    conn.execute(ITEMS)
    put(
        tmp_path,
        "items.csv",
        b'id,name,price\n1,"a\nb",1\n2,nul\x00byte,2\n3,c,3\n4,bad\xff\xfe,4\n5,"open\nquote",5\n6,cut\xc3,6\n7,g,7\n',
    )
    # Without the option the bytes 0xff and 0xc3 could be letters of another encoding, and pgsluice asks.
    load("items.csv").complaint(2, "not UTF-8 (lines 6, 9)", "--encoding items.csv=utf-8")
    assert books(load("items.csv", "--encoding", "utf-8")) == [(7, 4, 3)]
    assert [row[0] for row in items(conn)] == [1, 3, 5, 7]
    assert rejects(db) == [
        (4, "structure", "2,nul\\x00byte,2"),
        (6, "structure", "4,bad\\xff\\xfe,4"),
        (9, "structure", "6,cut\\xc3,6"),
    ]


def test_one_missing_quote_does_not_swallow_the_rest(db: str, load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    rows = [f'{n},"n{n}",{n}' for n in range(1, 2001)]
    rows[999] = '1000,"n1000,1000'
    put(tmp_path, "items.csv", "\n".join(["id,name,price", *rows, ""]))
    ended = load("items.csv")
    (read, loaded, rejected), *_ = books(ended)
    assert read == loaded + rejected
    assert loaded >= 1990
    found = rejects(db)
    assert {kind for _, kind, _ in found} == {"structure"}
    assert found[0][0] == 1001


# --------------------------------------------------------------------------- several files


def test_parts_go_together_in_the_order_of_their_numbers(db: str, load: Load, conn: Connection, tmp_path: Path) -> None:
    """Of two rows with one key the first in the order of the files stays: part 2 comes before part 10."""
    conn.execute(ITEMS)
    folder = tmp_path / "parts"
    folder.mkdir()
    put(folder, "items_10.csv", "price,name,id\n1,ten,1\n1,ten,2\n")
    put(folder, "items_2.csv", "id,name,price\n1,two,1\n3,two,1\n")
    put(folder, "readme.txt", "not a CSV file")
    ended = load("parts")
    assert books(ended) == [(4, 3, 1)]
    assert [(f["path"], f["read"], f["loaded"], f["rejected"]) for f in ended.json["tables"][0]["files"]] == [
        ("parts/items_2.csv", 2, 2, 0),
        ("parts/items_10.csv", 2, 1, 1),
    ]
    assert items(conn) == [(1, "two", "1.00"), (2, "ten", "1.00"), (3, "two", "1.00")]
    assert rejects(db) == [(2, "unique", "1,ten,1")]


def test_a_file_given_twice_and_the_same_content_twice(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE loose (a integer)")
    put(tmp_path, "loose.csv", "a\n1\n2\n")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    assert books(load("loose.csv", "./loose.csv", "link/loose.csv")) == [(2, 2, 0)]
    put(tmp_path, "loose_1.csv", "a\n3\n")
    put(tmp_path, "loose_2.csv", "a\n3\n")
    ended = load("loose_1.csv", "loose_2.csv")
    assert books(ended) == [(1, 1, 0)]
    assert [f["skipped"] for f in ended.json["tables"][0]["files"]] == [False, True]
    assert conn.execute("SELECT array_agg(a ORDER BY a) FROM loose").fetchone() == ([1, 2, 3],)


def test_same_content_into_two_tables_is_no_repetition(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE one (a integer); CREATE TABLE two (a integer)")
    put(tmp_path, "one.csv", "a\n1\n")
    put(tmp_path, "two.csv", "a\n1\n")
    assert books(load("one.csv", "two.csv")) == [(1, 1, 0), (1, 1, 0)]
    put(tmp_path, "renamed.csv", "a\n1\n")
    assert load("renamed.csv", "--table", "one=renamed.csv").json["status"] == "skipped"
    assert books(load("renamed.csv", "--table", "one=renamed.csv", "--again")) == [(1, 1, 0)]
    assert conn.execute("SELECT count(*) FROM one").fetchone() == (2,)


# --------------------------------------------------------------------------- errors before anything is written


WRONG: dict[str, tuple[dict[str, str | bytes], list[str], list[str]]] = {
    "missing": ({}, ["items.csv"], ["items.csv"]),
    "folder without CSV files": ({"readme.md": "x"}, ["."], ["no file to load in this folder", "it holds readme.md"]),
    "folder of other text files": ({"readme.txt": "x"}, ["."], ["readme.txt", "--table"]),
    "folder called like a file": (
        {"items.csv/readme.md": "x"},
        ["items.csv"],
        ["no file to load in this folder", "it holds readme.md"],
    ),
    "no table": ({"others.csv": "id\n1\n"}, ["others.csv"], ["others", "--table"]),
    "unknown column": ({"items.csv": "id,colour\n1,red\n"}, ["items.csv"], ["items.csv", "colour"]),
    "required column missing": ({"items.csv": "name,price\na,1\n"}, ["items.csv"], ["id", "required"]),
    "column twice": ({"items.csv": "id,name,NAME\n1,a,b\n"}, ["items.csv"], ["name", "twice"]),
    "generated column": ({"sums.csv": "a,twice\n1,2\n"}, ["sums.csv"], ["twice", "generated"]),
    "required column in one file only": (
        {"items_1.csv": "id,name\n1,a\n", "items_2.csv": "name,price\na,1\n"},
        ["items_1.csv", "items_2.csv"],
        ["items_2.csv", "id", "required"],
    ),
    "gzip cut off": ({"items.csv.gz": gzip.compress(os.urandom(9000))[:4000]}, ["items.csv.gz"], ["items.csv.gz"]),
    "not gzip at all": ({"items.csv.gz": "id,name,price\n1,a,1\n"}, ["items.csv.gz"], ["items.csv.gz"]),
    "open quote in the header": ({"items.csv": 'id,"name,price\n1,a,1\n'}, ["items.csv"], ["items.csv"]),
    "unknown encoding": ({"items.csv": "id\n1\n"}, ["items.csv", "--encoding", "klingon"], ["klingon"]),
    "delimiter over lines": ({"items.csv": "id\n1\n"}, ["items.csv", "--delimiter", "a\n"], ["delimiter"]),
    "table of --table unknown": ({"a.csv": "id\n1\n"}, ["a.csv", "--table", "nope=a.csv"], ["nope"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_end_in_one_clear_line(case: str, db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    conn.execute("CREATE TABLE sums (a integer, twice integer GENERATED ALWAYS AS (a * 2) STORED)")
    files, arguments, words = WRONG[case]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        put(tmp_path, name, content)
    call("load", *arguments, cwd=tmp_path, url=db).complaint(2, *words)
    assert items(conn) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    put(tmp_path, "items.csv", "id\n1\n").chmod(0)
    call("load", "items.csv", cwd=tmp_path, url=db).complaint(2, "items.csv", "ermission")


def test_unreadable_file_of_another_kind(db: str, conn: Connection, tmp_path: Path) -> None:
    """A file that cannot be read even by root: reading it fails with EIO."""
    path = Path("/proc/self/mem")
    if not path.exists():
        pytest.skip("no /proc here")
    conn.execute(ITEMS)
    call("load", str(path), "--table", "items=mem", cwd=tmp_path, url=db).complaint(2, "mem")


def test_generated_column_is_left_out(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE sums (a integer, twice integer GENERATED ALWAYS AS (a * 2) STORED)")
    put(tmp_path, "sums.csv", "a\n1\n2\n")
    assert books(load("sums.csv")) == [(2, 2, 0)]
    assert conn.execute("SELECT sum(twice) FROM sums").fetchone() == (6,)


def test_plan_says_how_a_file_is_read(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    put(tmp_path, "items.csv", "\ufeffid;name;price\n1;a;1\n")
    ended = call("plan", "items.csv", "--json", cwd=tmp_path, url=db)
    assert ended.code == 0, ended
    file: dict[str, Any] = ended.json["tables"][0]["files"][0]
    # Every part but the delimiter has its default.
    assert file["file"]["dialect"] == json.loads(json.dumps(asdict(Dialect(delimiter=";"))))
    assert file["columns"] == ["id", "name", "price"]


def test_a_pipe_that_no_program_writes_into(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    os.mkfifo(tmp_path / "items.csv")
    load("items.csv").complaint(2, "items.csv: no program writes into this pipe")


def test_a_file_that_is_replaced_meanwhile(conn: Connection, db: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE p (id int PRIMARY KEY, n text, k int CHECK (k < 6))")
    path = put(tmp_path, "p.csv", "id,n,k\n" + "".join(f"{n},old,{1 if n % 5 else 8}\n" for n in range(1000, 2000)))
    other = put(tmp_path, "other", "id,n,k\n" + "".join(f"{n},new,2\n" for n in range(5000, 6000)))

    def listen(event: Progress) -> None:
        if event.phase == "judge" and other.exists():
            os.replace(other, path)

    with pytest.raises(FileError, match="the file has changed while it was read"):
        api.load(path, database_url=db, max_rejects="all", listen=listen)
    assert conn.execute("SELECT count(*) FROM p").fetchone() == (0,)


@pytest.mark.parametrize("limit", ["all", "0"], ids=["published", "vetoed"])
def test_no_half_report_is_left(limit: str, db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(ITEMS)
    put(tmp_path, "items.csv", "id,name,price\n1,a,1\nx,b,2\n")
    with (
        mock.patch("pgsluice.pipeline.rejects.report.copy_report", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        api.load(tmp_path / "items.csv", database_url=db, data_dir=str(tmp_path), max_rejects=limit)
    assert list((tmp_path / "rejects").iterdir()) == []
    assert items(conn) == []
    api.load(tmp_path / "items.csv", database_url=db, data_dir=str(tmp_path), max_rejects="all")
    assert len(list((tmp_path / "rejects").iterdir())) == 1
