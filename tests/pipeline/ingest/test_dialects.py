"""Files of any dialect, loaded into PostgreSQL with the options that say it, and COPY's own reading beside."""

from __future__ import annotations

import random
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from command import Ended, call
from pgsluice import api

Connection = psycopg.Connection[Any]
Load = Callable[..., Ended]

NOTES = "CREATE TABLE notes (id integer PRIMARY KEY, title text, body text)"


@pytest.fixture
def load(db: str, tmp_path: Path) -> Load:
    def load(*arguments: str, limit: str = "all") -> Ended:
        return call("load", *arguments, "--max-rejects", limit, "--json", cwd=tmp_path, url=db)

    return load


def notes(conn: Connection) -> list[tuple[object, ...]]:
    return conn.execute("SELECT id, title, body FROM notes ORDER BY id").fetchall()


PLAIN = [(1, "a", "b c"), (2, None, 'x "y" z'), (3, "p|q,r", "l1\nl2")]

SAME: dict[str, tuple[bytes, str]] = {
    "two characters": (b'id||title||body\n1||a||b c\n2||||x "y" z\n3||p|q,r||"l1\nl2"\n', "--delimiter '||'"),
    "control": (
        b'id\x01title\x01body\n1\x01a\x01b c\n2\x01\x01x "y" z\n3\x01p|q,r\x01"l1\nl2"\n',
        "--delimiter '\\x01'",
    ),
    "not ascii": ('id§title§body\n1§a§b c\n2§§x "y" z\n3§p|q,r§"l1\nl2"\n'.encode(), "--delimiter §"),
    "blanks": (
        b' id title\tbody\n1 a "b c"\n2 \\N "x ""y"" z"  \n3  p|q,r  "l1\nl2"\n',
        "--delimiter blanks --null '\\N'",
    ),
    "escape": (
        b'id,title,body\n1,"a",b c\n2,\\N,"x \\"y\\" z"\n3,p|q\\,r,l1\\\nl2\n',
        "--escape '\\'",
    ),
    "text format": (b'1\ta\tb c\n2\t\\N\tx "y" z\n3\tp|q,r\tl1\\nl2\n\\.\n', "--format text"),
    "text format, header": (
        b'id\ttitle\tbody\n1\ta\tb c\n2\t\\N\tx "y" z\n3\tp|q,r\tl1\\nl2\n',
        "--format text --header",
    ),
    "header line": (b'A title, "x\n\nid|title|body\n1|a|b c\n2||x "y" z\n3|"p|q,r"|"l1\nl2"\n', "--header-line 3"),
    "skip lines": (b'A title\nid|title|body\n1|a|b c\n2||x "y" z\n3|"p|q,r"|"l1\nl2"\n', "--skip-lines 1"),
    "footer": (
        b'id|title|body\n1|a|b c\n2||x "y" z\n3|"p|q,r"|"l1\nl2"\n\n(3 rows)\n\n',
        "--skip-footer 1 --delimiter '|'",
    ),
    "comment": (b'# x\nid;title;body\n1;a;b c\n#y;"\n2;;x "y" z\n3;p|q,r;"l1\nl2"\n', "--comment '#'"),
    "excel": (b'sep=;\r\nid;title;body\r\n1;a;b c\r\n2;;"x ""y"" z"\r\n3;p|q,r;"l1\nl2"\r\n', ""),
    "trailing": (b'id;title;body\n1;a;b c;\n2;;x "y" z;\n3;p|q,r;"l1\nl2";\n', "--trailing-delimiter --delimiter ';'"),
    "several trailing": (b'id;title;body;;;\n1;a;b c;;;\n2;;x "y" z;;;\n3;p|q,r;"l1\nl2";;;\n;;;;;\n', ""),
    "initial blanks": (
        b'id, title, body\n1, a, b c\n2, , "x ""y"" z"\n3, "p|q,r" , "l1\nl2"\n',
        "--skip-initial-blanks",
    ),
    "CR": (b'id;title;body\r1;a;b c\r2;;x "y" z\r3;p|q,r;"l1\nl2"\r', "--line-ends any --delimiter ';'"),
    "mixed ends": (b'id;title;body\r\n1;a;b c\r2;;x "y" z\n3;p|q,r;"l1\nl2"\r\n', "--line-ends any"),
    "ragged": (b'id;title;body\n1;a;b c;;\n2;;x "y" z\n3;p|q,r;"l1\nl2";\n', "--ragged drop"),
}


@pytest.mark.share(2)
@pytest.mark.parametrize("name", SAME)
def test_same_rows_in_every_dialect(name: str, load: Load, conn: Connection, tmp_path: Path) -> None:
    data, options = SAME[name]
    conn.execute(NOTES)
    (tmp_path / "notes.csv").write_bytes(data)
    ended = load("notes.csv", *shlex.split(options))
    assert ended.code == 0, ended
    assert ended.json["rejects"]["count"] == 0, ended
    assert notes(conn) == PLAIN


def test_quotes_are_data(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(NOTES)
    (tmp_path / "notes.tsv").write_bytes(
        b'id\ttitle\tbody\n1\t"Half\tx\n2\tMiddle\t"y"\n3\tother half"\t6" pipe\n4\t\x1e\t\n'
    )
    assert load("notes.tsv", "--quote", "none").code == 0
    assert notes(conn) == [(1, '"Half', "x"), (2, "Middle", '"y"'), (3, 'other half"', '6" pipe'), (4, "\x1e", None)]


def test_rejects_are_as_in_the_file_and_can_be_replayed(load: Load, db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(NOTES)
    (tmp_path / "notes.csv").write_bytes(b'Title\n# c\nid||title||body\n1||a||b\nx||c||"d\ne"\n# c\n3||f\n')
    options = ("--delimiter", "||", "--skip-lines", "1", "--comment", "#")
    assert load("notes.csv", *options).json["rejects"]["count"] == 2
    run_id, _ = api.rejects(database_url=db)
    rows = list(api.reject_rows(run_id, database_url=db))
    assert [(r.line, r.record_no, r.raw) for r in rows] == [(5, 2, 'x||c||"d\ne"'), (8, 3, "3||f")]
    report = tmp_path / "corrected.csv"
    report.write_text(
        f'run,reject_no,raw\n{run_id},{rows[0].reject_no},"2||c||""d\ne"""\n{run_id},{rows[1].reject_no},3||f||"||"\n'
    )
    api.replay(run_id, str(report), database_url=db, data_dir=str(tmp_path))
    assert notes(conn) == [(1, "a", "b"), (2, "c", "d\ne"), (3, "f", "||")]


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        (b'1,"a",x\n2,"a \\"b\\" c",y\n', "--escape '\\'"),
        (b'1,"a",x\n2,"Both" ends,y\n', "--quote none"),
        (b"1,a,x\n2,b,y,,\n", "--ragged drop"),
        (b"1,a,x\n2,b\n", "--ragged fill"),
        (b'1,a,x\n2, "b, c", d\n', "--skip-initial-blanks"),
        (b"1,a,x\n2,b,y\r3,c,z\n", "--line-ends any"),
    ],
)
def test_remedies_work_when_copied(data: bytes, remedy: str, load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute(NOTES)
    (tmp_path / "notes.csv").write_bytes(b"id,title,body\n" + data)
    # The parts are said, because the search for the dialect would find some of them.
    ended = load("notes.csv", "--delimiter", ",", "--quote", '"', "--escape", "none", "--header")
    (sentence,) = ended.json["rejects"]["remedies"]
    assert sentence.endswith(remedy)
    conn.execute("TRUNCATE notes")
    again = load("notes.csv", "--delimiter", ",", "--header", "--again", *shlex.split(remedy))
    assert again.json["rejects"]["count"] == 0, again


def test_a_shift_has_no_remedy_that_shifts(load: Load, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE items (id int PRIMARY KEY, price text, item text, note text)")
    (tmp_path / "items.csv").write_text('id,price,item,note\n1,$78.07"Table, Round",x\n2,5.00,5" pipe,y\n')
    ended = load("items.csv")
    assert ended.json["rejects"]["remedies"] == []
    assert conn.execute("SELECT id, item FROM items").fetchall() == [(2, '5" pipe')]


COPIED: dict[str, tuple[tuple[str, ...], str, list[bytes]]] = {
    "escape": (
        ("--delimiter", "|", "--escape", "\\", "--null-only", ""),
        "FORMAT csv, DELIMITER '|', ESCAPE '\\'",
        [b'"a\\"b"', b'"\\\\"', b'"x|y"', b'"l\nm"', b'"\\n"', b'"\\N"', b'""', b"", b"a b", b'"a\\|b"'],
    ),
    "no quote": (
        ("--delimiter", "|", "--quote", "none"),
        "FORMAT csv, DELIMITER '|', QUOTE E'\\x01'",
        [b'"', b'a"b', b'"a"', b"", b"\\N", b"a,b", b"\\", b"'"],
    ),
    "text": (
        ("--format", "text", "--delimiter", "|"),
        "FORMAT text, DELIMITER '|'",
        [b"\\N", b"\\n", b"\\t", b"\\\\", b"\\|", b"\\x41", b"\\101", b"\\xff", b"a\\\nb", b"",
         b'"a"', b"\\q", b"\\.", b"\\N "],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIED)
def test_same_rows_as_copy(name: str, load: Load, conn: Connection, tmp_path: Path) -> None:
    """Each record alone: what COPY stores is what the load stores, and what COPY refuses is a reject."""
    options, copy_options, parts = COPIED[name]
    dice = random.Random(8)
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    conn.execute("CREATE TABLE c (LIKE t)")
    records = []
    for number in range(300):
        count = dice.choice([2, 2, 2, 2, 1, 3])
        fields = [dice.choice(parts) for _ in range(count)]
        records.append(b"|".join([b"%d" % number, *fields]))
    statement = sql.SQL("COPY c FROM STDIN ({})").format(sql.SQL(copy_options))  # type: ignore[arg-type]
    for record in records:
        try:
            with conn.transaction(), conn.cursor().copy(statement) as copy:
                copy.write(record + b"\n")
        except psycopg.Error:
            pass
    # An unterminated quote makes a fault of its first line only; so each record is a part of its own line here.
    (tmp_path / "t.csv").write_bytes(b"\n".join(records) + b"\n")
    ended = load("t.csv", "--no-header", *options)
    assert ended.code == 0, ended
    copied = conn.execute("SELECT * FROM c ORDER BY id").fetchall()
    assert len(copied) > 50
    assert conn.execute("SELECT * FROM t ORDER BY id").fetchall() == copied
