"""Files of dialects that nobody has told: what is found is said, and what is not certain is an error that helps."""

from __future__ import annotations

import gzip
import json
import lzma
import shlex
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import MappingError
from pgsluice.source import table_dialect

SCHEMA = """
CREATE TABLE stations (id int PRIMARY KEY, operator text NOT NULL, town text, price numeric(6,3));
CREATE TABLE titles (id text, title text, year text);
"""


@pytest.fixture
def tables(conn: psycopg.Connection) -> psycopg.Connection:
    conn.execute(SCHEMA)
    return conn


def rows(conn: psycopg.Connection, table: str) -> list[tuple[object, ...]]:
    return conn.execute(f"SELECT {table}::text FROM {table} ORDER BY ctid").fetchall()  # type: ignore[call-overload]


def test_all_at_once(tables: psycopg.Connection, db: str, tmp_path: Path) -> None:
    (tmp_path / "stations.csv").write_bytes(
        b"Extract of 2025-01-06\r\n\r\nId;Operator;Town;Price;\r\n(no.);(name);(name);(EUR);\r\n"
        b'17;"Fuels; north";Lund;1.879;\r\n18;Sol, Co;Ystad;;\r\n\r\n(2 rows affected)\r\n'
    )
    result = pgsluice.load(tmp_path, database_url=db)
    assert rows(tables, "stations") == [('(17,"Fuels; north",Lund,1.879)',), ('(18,"Sol, Co",Ystad,)',)]
    (file,) = result.tables[0].files
    assert [(p.what, p.line, p.lines) for p in file.passed_over] == [("title", 1, 2), ("units", 4, 1), ("footer", 0, 1)]
    assert (file.read, file.loaded) == (2, 2)


def test_a_line_that_names_the_delimiter_is_told_once(tables: psycopg.Connection, db: str, tmp_path: Path) -> None:
    (tmp_path / "titles.csv").write_text('"sep=|"\nid|title|year\n1|a;b|1999\n')
    for command in ("plan", "load"):
        told = call(command, tmp_path, cwd=tmp_path, url=db).out
        assert told.count("sep=|") == 1
        assert "titles.csv: line 1 names the delimiter and is passed over (sep=|)." in told
    assert rows(tables, "titles") == [("(1,a;b,1999)",)]


FRAMED = "Titles of 2025\nid|title|year\n" + "".join(f"{i}|é{i}|1999\n" for i in range(100)) + "\n(100 rows affected)\n"


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("titles.csv.gz", gzip.compress(FRAMED.encode())),
        ("titles.csv.xz", lzma.compress(FRAMED.encode())),
        ("titles.csv", FRAMED.encode("utf-16")),
    ],
)
def test_the_end_of_a_packed_file_is_looked_at(
    tables: psycopg.Connection, db: str, tmp_path: Path, name: str, packed: bytes
) -> None:
    (tmp_path / name).write_bytes(packed)
    result = pgsluice.load(tmp_path, database_url=db)
    assert [p.what for p in result.tables[0].files[0].passed_over] == ["title", "footer"]
    assert len(rows(tables, "titles")) == 100


def test_a_packed_file_is_looked_at_as_far_as_the_bound(
    tables: psycopg.Connection, db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_dialect, "PASS_BYTES", 1 << 20)
    data = FRAMED.replace("\n\n(", "".join(f"\n{i}|x{'y' * 90}|2000" for i in range(20_000)) + "\n\n(").encode()
    (tmp_path / "titles.csv.gz").write_bytes(gzip.compress(data, 1))
    plan = pgsluice.plan(tmp_path, database_url=db)
    assert "only the first 1 MiB were looked at" in plan.tables[0].files[0].file.findings.evidence
    monkeypatch.setattr(table_dialect, "PASS_BYTES", 32 << 20)
    table_dialect.resolve.cache_clear()
    findings = pgsluice.plan(tmp_path, database_url=db).tables[0].files[0].file.findings
    assert [p.what for p in findings.passed_over] == ["title", "footer"]
    assert not any("were looked at" in text for text in findings.evidence)


def test_plan_and_load_say_it(tables: psycopg.Connection, db: str, tmp_path: Path) -> None:
    (tmp_path / "titles.csv").write_text("Titles\nid|title|year\n1|a|1999\nTotal|2|\n")
    shown = call("plan", tmp_path, cwd=tmp_path, url=db).out
    assert "titles.csv: header on line 2: 3 of 3 fields are columns of titles." in shown
    assert "titles.csv: line 1 is passed over (Titles)." in shown
    assert "looks like a total: Total|2|; if it is no row, use --skip-footer 1" in shown
    plan = json.loads(call("plan", tmp_path, "--json", cwd=tmp_path, url=db).out)
    file = plan["tables"][0]["files"][0]["file"]
    assert (file["dialect"]["delimiter"], file["dialect"]["skip_lines"]) == ("|", 1)
    assert file["findings"]["passed_over"][0]["text"] == "Titles"
    done = call("load", tmp_path, cwd=tmp_path, url=db)
    assert "line 1 is passed over (Titles)." in done.out
    assert "use --skip-footer 1" in done.out
    call("load", tmp_path, "--mode", "replace", "--again", "--skip-footer", "1", cwd=tmp_path, url=db)
    assert rows(tables, "titles") == [("(1,a,1999)",)]


def test_a_question_and_each_of_its_answers(tables: psycopg.Connection, db: str, tmp_path: Path) -> None:
    (tmp_path / "titles.tsv").write_text('id\ttitle\tyear\n1\t"Heroes"\tx\n2\t"Half\tx\n3\tMiddle\ty\n4\thalf"\tx\n')
    with pytest.raises(MappingError) as caught:
        pgsluice.load(tmp_path, database_url=db)
    assert "can be read in 2 ways" in caught.value.message
    assert len(caught.value.details) == 2
    for detail, count in zip(caught.value.details, (2, 4), strict=True):
        option = shlex.split(detail.partition(": ")[0])
        done = call("load", tmp_path, *option, "--mode", "replace", "--again", cwd=tmp_path, url=db)
        assert done.code == 0, done.err
        assert len(rows(tables, "titles")) == count


def test_delimiters_between_which_nothing_decides(tables: psycopg.Connection, db: str, tmp_path: Path) -> None:
    (tmp_path / "titles.csv").write_text("a,b;c,d\ne,f;g,h\n")
    with pytest.raises(MappingError) as caught:
        pgsluice.load(tmp_path, database_url=db)
    assert "--delimiter" in str(caught.value)
    assert rows(tables, "titles") == []


def test_no_header_is_said(tables: psycopg.Connection, db: str, tmp_path: Path) -> None:
    (tmp_path / "stations.csv").write_text("17;a;b;1.5\n18;c;d;2.5\n")
    done = call("load", tmp_path, cwd=tmp_path, url=db)
    assert "stations.csv: no header: each of the 4 fields of line 1 can be a value of its column." in done.out
    assert len(rows(tables, "stations")) == 2


def test_the_middle_and_the_end_of_a_long_file_count(tables: psycopg.Connection, db: str, tmp_path: Path) -> None:
    lines = "".join(f"{i}|name, {i}; x|Lund|1.5\n" for i in range(40_000))
    (tmp_path / "stations.csv").write_text(f"Title, of\nid|operator|town|price\n{lines}\nTotal: 40000 records\n")
    result = pgsluice.load(tmp_path, database_url=db)
    assert (result.status, result.tables[0].loaded) == ("published", 40_000)
    assert [p.what for p in result.tables[0].files[0].passed_over] == ["title", "footer"]


def test_replays_and_second_loads_need_no_search(tables: psycopg.Connection, db: str, tmp_path: Path) -> None:
    (tmp_path / "stations.csv").write_text("Title\nid;operator;town;price\n1;a;b;1.5\nx;a;b;1.5\n")
    result = pgsluice.load(tmp_path, database_url=db, max_rejects="all", data_dir=str(tmp_path / "d"))
    report = Path(str(result.rejects.path))
    report.write_text(report.read_text().replace("x;a;b", "2;a;b"))
    again = pgsluice.replay(result.run_id, report, database_url=db, data_dir=str(tmp_path / "d"))
    assert again.tables[0].loaded == 1
    assert pgsluice.load(tmp_path / "stations.csv", database_url=db).status == "skipped"


def test_the_text_format_with_a_header_is_asked_and_each_option_works(
    tables: psycopg.Connection, db: str, tmp_path: Path
) -> None:
    (tmp_path / "titles.tsv").write_text("id\ttitle\tyear\na\tone\\ntwo\t\\N\nb\t\\N\t1999\nc\tx\t2001\n")
    with pytest.raises(MappingError) as raised:
        pgsluice.load(tmp_path, database_url=db)
    assert "--format csv or --format text --header" in str(raised.value)
    assert not rows(tables, "titles")
    call("load", tmp_path, "--format", "text", "--header", cwd=tmp_path, url=db)
    assert rows(tables, "titles")[:2] == [('(a,"one\ntwo",)',), ("(b,,1999)",)]
    call("load", tmp_path, "--format", "csv", "--mode", "replace", "--again", cwd=tmp_path, url=db)
    assert rows(tables, "titles")[1] == ('(b,"\\\\N",1999)',)
    call("load", tmp_path, "--null", "\\N", "--mode", "replace", "--again", cwd=tmp_path, url=db)
    assert rows(tables, "titles")[1] == ("(b,,1999)",)
