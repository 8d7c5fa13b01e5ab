"""The summary tells causes first, and counts their consequences with them."""

from __future__ import annotations

import csv
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.model import BLANKS, Dialect, Format, RejectsResult
from pgsluice.source.records.readable import readable_fields

SCHEMA = """
CREATE TABLE station (id int PRIMARY KEY, name text, city text, boss int REFERENCES station);
CREATE TABLE reading (id int PRIMARY KEY, station_id int NOT NULL REFERENCES station);
CREATE TABLE flag (id int PRIMARY KEY, reading_id int NOT NULL REFERENCES reading);
"""


def write(folder: Path, stations: str) -> Path:
    data = folder / "data"
    data.mkdir()
    (data / "station.csv").write_text("id,name,city,boss\n" + stations)
    (data / "reading.csv").write_text("id,station_id\n" + "".join(f"{i},{1 + i % 3}\n" for i in range(30)))
    (data / "flag.csv").write_text("id,reading_id\n" + "".join(f"{i},{i}\n" for i in range(30)))
    return data


@pytest.mark.share(3)
@pytest.mark.parametrize("mode", ["append", "upsert", "replace"])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("2,two\n", 'missing data for column "city"'),
        ("2,two,Berlin,1,x\n", "extra data after last expected column"),
        ('2,"two,Berlin,1\n', "unterminated CSV quoted field"),
        ("2,two\xff,Berlin,1\n", "invalid byte sequence"),
    ],
)
def test_children_of_a_broken_record(
    bad: str, reason: str, mode: str, db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(SCHEMA)
    data = write(tmp_path, "1,one,Bonn,\n")
    with (data / "station.csv").open("ab") as out:
        out.write(bad.encode("latin-1"))
        out.write(b"4,four,Ulm,2\n")
    result = pgsluice.load(
        data, database_url=db, data_dir=str(tmp_path), max_rejects="all", mode=mode, encoding="utf-8"
    )
    causes = [g for g in result.rejects.groups if g.consequences]
    assert [(g.table, g.kind, g.count, g.consequences, g.grandchildren) for g in causes] == [
        ("station", "structure", 1, 21, True),
        # Station 3 has no record at all.
        ("reading", "foreign_key", 10, 10, False),
    ]
    assert dict(causes[0].consequence_tables) == {"station": 1, "reading": 10, "flag": 10}
    assert reason in causes[0].example
    assert pgsluice.rejects(result.run_id, database_url=db)[1].groups == result.rejects.groups
    rows = list(pgsluice.reject_rows(result.run_id, database_url=db))
    broken = next(r for r in rows if r.kind == "structure")
    mine = [r for r in rows if r.cause == broken.reject_no]
    assert len(mine) == 21
    assert {(r.parent_file, r.parent_line) for r in mine if r.table == "reading"} == {(broken.file, broken.line)}
    assert all(r.kind == "parent" and r.cause is not None for r in rows if r.table == "flag")
    assert result.rejects.path is not None
    with open(result.rejects.path, newline="") as lines:
        assert [row["cause"] for row in csv.DictReader(lines)] == [str(r.cause or "") for r in rows]


@pytest.mark.share(3)
@pytest.mark.parametrize(
    ("delimiter", "options"),
    [
        ("||", {}),
        ("\x01", {}),
        (" ", {"delimiter": "blanks"}),
        ("\t", {"quote": "none"}),
        ("\t", {"format": "text", "header": True}),
        (",", {"escape": "\\"}),
    ],
)
@pytest.mark.parametrize("bad", [["2,two,x"], ["2,two,x", "3,three,Ulm,1,x"]], ids=["short", "short and long"])
def test_children_of_a_broken_record_in_another_dialect(
    bad: list[str],
    delimiter: str,
    options: dict[str, str],
    db: str,
    conn: psycopg.Connection,
    tmp_path: Path,
) -> None:
    """A short and a long record of a block have the right number of fields together, so the block is translated whole
    before its records are found to be broken."""
    conn.execute(SCHEMA)
    data = write(tmp_path, "")
    lines = ["id,name,city,boss", "1,one,Bonn,1", *bad, "4,four,Ulm,4"]
    (data / "station.csv").write_text("".join(line.replace(",", delimiter) + "\n" for line in lines))
    for name in ("reading", "flag"):
        (data / f"{name}.csv").write_text((data / f"{name}.csv").read_text().replace(",", delimiter))
    result = pgsluice.load(
        data, database_url=db, data_dir=str(tmp_path), max_rejects="all", **{"delimiter": delimiter} | options
    )
    orphans = 0 if len(bad) == 2 else 10
    kinds = {g.kind: g.count for g in result.rejects.groups if g.table == "reading"}
    assert kinds.get("foreign_key", 0) == orphans
    assert kinds["parent"] == 20 - orphans


def test_summary_names_the_cause_first(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    data = write(tmp_path, "1,one,Bonn,\n2,two\n3,three,Ulm,1\n")
    loaded = call("load", data, "--data-dir", tmp_path, cwd=tmp_path, url=db)
    assert loaded.code == 1
    told = (
        "station: 1 record cannot be read; 20 others are its children and grandchildren (reading 10, flag 10)\n"
        f" --> {data}/station.csv:3\n"
        "3 | 2,two\n"
        "  |      ^\n"
        '  = missing data for column "city"\n'
    )
    assert told in loaded.out
    assert "rejected parent row" not in loaded.out
    assert told in call("rejects", cwd=tmp_path, url=db).out


def test_largest_cause_is_not_hidden(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    """Seven causes with two rejects each stand before the children in the list, but not before their cause."""
    conn.execute("CREATE TABLE a (id int PRIMARY KEY, v int CHECK (v > 0)); CREATE TABLE b (a int REFERENCES a)")
    conn.execute("CREATE TABLE c (c1 int, c2 int, c3 int, c4 int, c5 int, c6 int, c7 int)")
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("id,v\n1,-1\n")
    (data / "b.csv").write_text("a\n" + "1\n" * 50)
    lines = [",".join("x" if i == n else "1" for i in range(7)) + "\n" for n in range(7) for _ in range(2)]
    (data / "c.csv").write_text("c1,c2,c3,c4,c5,c6,c7\n" + "".join(lines))
    result = pgsluice.load(data, database_url=db, data_dir=str(tmp_path))
    assert [(g.table, g.count, g.consequences) for g in result.rejects.groups[:2]] == [("a", 1, 50), ("c", 2, 0)]
    assert result.rejects.groups[-1].kind == "parent"


def test_a_long_chain_has_one_cause(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES t, v int CHECK (v > 0))")
    rows = 1500  # beyond the depth of recursion that Python allows
    (tmp_path / "t.csv").write_text("id,p,v\n0,,-1\n" + "".join(f"{i},{i - 1},1\n" for i in range(1, rows)))
    result = pgsluice.load(tmp_path / "t.csv", database_url=db, data_dir=str(tmp_path), max_rejects="all")
    assert [(g.kind, g.count, g.consequences) for g in result.rejects.groups] == [
        ("check", 1, rows - 1),
        ("parent", rows - 1, 0),
    ]
    assert {r.cause for r in pgsluice.reject_rows(result.run_id, database_url=db)} == {None, 1}


def test_a_replayed_cause_is_a_cause_no_more(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    data = write(tmp_path, "1,one,Bonn,\n2,two\n3,three,Ulm,1\n")
    result = pgsluice.load(data, database_url=db, data_dir=str(tmp_path), max_rejects="all")
    (tmp_path / "corrected.csv").write_text(f'run,reject,raw\n{result.run_id},1,"2,two,Rom,1"\n')
    replay = pgsluice.replay(result.run_id, tmp_path / "corrected.csv", database_url=db, data_dir=str(tmp_path))
    assert replay.status == "published"
    _, left = pgsluice.rejects(result.run_id, database_url=db)
    assert isinstance(left, RejectsResult)
    assert [(g.kind, g.count, g.consequences) for g in left.groups] == [("parent", 10, 0), ("parent", 10, 0)]


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ("7,seven", ["7", "seven"]),
        ('7,"se""ven",\xff,x', ["7", 'se"ven', None, "x"]),
        ('7,"seven,x', ["7"]),
        ('7,"seven"x,y', ["7"]),
        ('"",,x', ["", None, "x"]),
        ("1,2,3,4,5", ["1", "2", "3", "4"]),
        ("", [None]),
    ],
)
def test_readable_fields(raw: str, fields: list[str | None]) -> None:
    assert readable_fields(raw.encode("latin-1"), Dialect(), 4) == fields


@pytest.mark.parametrize(
    ("raw", "dialect", "fields"),
    [
        ("7||se|ven", Dialect(delimiter="||"), ["7", "se|ven"]),
        (" 7  seven\tx", Dialect(delimiter=BLANKS), ["7", "seven", "x"]),
        ('7 "se ven" x', Dialect(delimiter=BLANKS), []),
        ("7\t\\N\tx", Dialect(delimiter="\t", quote="", null=("\\N",), format=Format.TEXT), ["7", None, "x"]),
        ("7\tse\\tven\tx", Dialect(delimiter="\t", quote="", null=("\\N",), format=Format.TEXT), ["7"]),
        ("7;se\\;ven;x", Dialect(delimiter=";", escape="\\"), ["7"]),
        ('7;"a\\";b";x', Dialect(delimiter=";", escape="\\"), ["7"]),
        ("7;seven", Dialect(delimiter=";", escape="\\"), ["7", "seven"]),
        ('7, "se,ven", x', Dialect(skip_initial_blanks=True), ["7", "se,ven", "x"]),
    ],
)
def test_readable_fields_of_other_dialects(raw: str, dialect: Dialect, fields: list[str | None]) -> None:
    assert readable_fields(raw.encode(), dialect, 4) == fields
