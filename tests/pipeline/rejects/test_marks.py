"""Marks: the parts of a record that a reject is about, in every dialect; and what the summary says to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.model import BLANKS, Dialect, Format, Reject
from pgsluice.pipeline.rejects.marks import Marker

CSV = Dialect()


def marked(raw: str, dialect: Dialect, columns: tuple[str, ...], **about: str) -> list[str]:
    """The parts of a record that are marked."""
    verdict = {"kind": "value", "column": "b", "constraint": "", "sqlstate": "22P02", "message": ""} | about
    marker = Marker({("t", "t.csv"): (columns, dialect)}, {("t", "key"): ("c", "a")})
    reject = marker.marked(Reject(1, "t", "t.csv", 2, raw=raw, **verdict))
    return [raw[m.start : m.stop] for m in reject.marks]


@pytest.mark.parametrize(
    ("raw", "dialect"),
    [
        ("1,BAD,3", CSV),
        ('"x,\n""y""",BAD,3', CSV),
        ("東京;BAD;3", replace(CSV, delimiter=";")),
        ("1||BAD||3", replace(CSV, delimiter="||")),
        ("  1   BAD   3", replace(CSV, delimiter=BLANKS)),
        ("a\\\tb\tBAD\t3", Dialect("\t", "", format=Format.TEXT)),
        ("'a,''b', BAD,3", replace(CSV, quote="'", skip_initial_blanks=True)),
        ('"a\\",b",BAD,3', replace(CSV, escape="\\")),
        ('a"b,BAD,3', replace(CSV, quote="")),
    ],
)
def test_the_field_of_the_column_is_marked(raw: str, dialect: Dialect) -> None:
    assert marked(raw, dialect, ("a", "b", "c")) == ["BAD"]
    assert marked(raw, dialect, ("a", "b", ""), constraint="key") == [raw[: raw.index("BAD")].rstrip(";,|\t ").lstrip()]
    assert marked(raw, dialect, ("a", "", "c")) == [], "the column is not in the file"


def test_all_columns_of_a_key_are_marked_quotes_included() -> None:
    assert marked('1,"x y",3', CSV, ("a", "b", "c"), constraint="key") == ["3", "1"]
    assert marked('1,"x y",3', CSV, ("a", "b", "c")) == ['"x y"']


@pytest.mark.parametrize(
    ("raw", "message", "sqlstate", "expected"),
    [
        ("1,2", 'missing data for column "c"', "22P04", [""]),
        ("1,2,3,4,5", "extra data after last expected column", "22P04", ["4,5"]),
        ('1,"2,3', "unterminated CSV quoted field", "22P04", ['"2,3']),
        ('1,"2"x,3', "text after a closing quote", "22P04", ["x,3"]),
        ("1,M\\xfcl,\\xff\\xfe", 'invalid byte sequence for encoding "UTF8": 0xfc', "22021", ["\\xfc", "\\xff\\xfe"]),
    ],
)
def test_what_is_wrong_with_a_record_is_marked(raw: str, message: str, sqlstate: str, expected: list[str]) -> None:
    about = {"kind": "structure", "column": "", "message": message, "sqlstate": sqlstate}
    assert marked(raw, CSV, ("a", "b", "c"), **about) == expected


SCHEMA = """
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE TABLE parent (id int PRIMARY KEY, v int CONSTRAINT positive CHECK (v > 0));
CREATE TABLE child (a int, b int, s state, p int CONSTRAINT to_parent REFERENCES parent, n text NOT NULL,
                    CONSTRAINT ab UNIQUE (a, b));
"""


def test_each_kind_of_reject_says_why_and_what_to_do(any_db: str, tmp_path: Path) -> None:
    with psycopg.connect(any_db) as conn:
        conn.execute(SCHEMA)
    (tmp_path / "parent.csv").write_text("id,v\n1,5\n2,-7\n")
    rows = "1,1,new,1,x\n1,1,paid,1,x\n2,2,old,1,x\n3,3,new,9,x\n4,4,new,2,x\n5,5,new,1,\n"
    (tmp_path / "child.csv").write_text("a,b,s,p,n\n" + rows)
    loaded = call("load", tmp_path, "--data-dir", tmp_path / "d", cwd=tmp_path, url=any_db)
    assert loaded.code == 1
    for told in (
        "parent: 1 row breaks CHECK positive; 1 other is its child (child 1)",
        "3 | 2,-7\n  |   ^^\n  = v is -7, but the CHECK requires v > 0\n",
        "3 | 1,1,paid,1,x\n  | ^ ^\n  = Key (a, b)=(1, 1) already exists. The other record:",
        "  = help: Keep one of the two records\n",
        '4 | 2,2,old,1,x\n  |     ^^^\n  = invalid input value for enum state: "old" (one of new, paid)\n',
        "5 | 3,3,new,9,x\n  |         ^\n  = Key (p)=(9) is not present in table",
        "  = help: Add the missing rows to the files of parent, or correct p\n",
        "7 | 5,5,new,1,\n  |           ^\n  = n is NULL, and the column is NOT NULL\n  = help: Write a value",
    ):
        assert told in loaded.out, (told, loaded.out)
    recalled = call("rejects", cwd=tmp_path, url=any_db).out
    assert loaded.out[loaded.out.index("parent: 1 row") : loaded.out.index("\n\nAll of")] in recalled
    result, found = pgsluice.rejects(database_url=any_db)
    rejects = list(pgsluice.reject_rows(result, marks=True, database_url=any_db))
    firsts = {g.first.reject_no: g.first for g in found.groups if g.first}
    assert [r for r in rejects if r.reject_no in firsts] == [firsts[n] for n in sorted(firsts)]
    assert all(r.marks for r in rejects)


def test_a_delta_names_the_mode_that_loads_it(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    """Each mode that is named loads the file when its option is copied."""
    conn.execute("CREATE TABLE customers (id int PRIMARY KEY, name text); INSERT INTO customers VALUES (1, 'old')")
    conn.execute("CREATE TABLE notes (id serial PRIMARY KEY, code int CONSTRAINT code_key UNIQUE, note text)")
    conn.execute("INSERT INTO notes (code, note) VALUES (7, 'old')")
    (tmp_path / "customers.csv").write_text("id,name\n1,new\n2,two\n")
    (tmp_path / "notes.csv").write_text("code,note\n7,new\n8,eight\n")
    vetoed = pgsluice.load(tmp_path, database_url=db, data_dir=str(tmp_path / "d"))
    options = [[text.partition(": --")[2] for text in g.help] for g in vetoed.rejects.groups]
    assert options == [
        ["mode customers=upsert", "mode customers=insert-missing"],
        ["mode notes=upsert --key notes=code_key", "mode notes=insert-missing --key notes=code_key"],
    ]
    for which, expected in ((1, "old"), (0, "new")):
        copied = [word for texts in options for word in f"--{texts[which]}".split()]
        loaded = call("load", tmp_path, "--again", *copied, "--data-dir", tmp_path / "d", cwd=tmp_path, url=db)
        assert loaded.code == 0, loaded.err
        assert conn.execute("SELECT name FROM customers WHERE id = 1").fetchone() == (expected,)
        assert conn.execute("SELECT note FROM notes WHERE code = 7").fetchone() == (expected,)


def test_another_key_names_no_mode(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    """To match rows by it would change the primary key of a row."""
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE); INSERT INTO t VALUES (1, 'a@b')")
    (tmp_path / "t.csv").write_text("id,mail\n2,a@b\n")
    vetoed = pgsluice.load(tmp_path / "t.csv", database_url=db, data_dir=str(tmp_path / "d"))
    assert [g.help for g in vetoed.rejects.groups] == [()]


def test_a_row_without_a_partition(any_db: str, tmp_path: Path) -> None:
    """PostgreSQL gives the violation no name."""
    with psycopg.connect(any_db) as conn:
        conn.execute(
            "CREATE TABLE m (d date) PARTITION BY RANGE (d);"
            "CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')"
        )
    (tmp_path / "m.csv").write_text("d\n2020-05-05\n2021-05-05\n")
    loaded = call("load", "m.csv", "--data-dir", tmp_path / "d", cwd=tmp_path, url=any_db)
    assert loaded.code == 1
    assert "m: 1 row fits no partition\n --> m.csv:3\n" in loaded.out, loaded.out
    assert "  = help: Create a partition of m that holds such rows, or a DEFAULT partition\n" in loaded.out
