"""Rejects in a spreadsheet and back: what nobody edited arrives exactly, what was edited arrives as it was typed."""

from __future__ import annotations

import csv
import io
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pgsluice
from command import call, environment
from pgsluice.errors import CallError, FileError
from pgsluice.model import RejectSheet, RunResult
from pgsluice.report.files.workbook import write_workbook

openpyxl = pytest.importorskip("openpyxl")
Rows = list[dict[str, Any]]


@pytest.fixture
def shop(conn: psycopg.Connection, tmp_path: Path) -> Path:
    """Two tables; the column ``bad`` refuses what is not a number, so that any record can be a reject."""
    conn.execute(
        "CREATE TABLE things (id int PRIMARY KEY, bad int, code text, day text, price text, note text);"
        "CREATE TABLE others (id int PRIMARY KEY, name text NOT NULL)"
    )
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def load(db: str, shop: Path, things: str, others: str = "id,name\n1,a\n") -> RunResult:
    (shop / "things.csv").write_text(things, encoding="utf-8", newline="")
    (shop / "others.csv").write_text(others, encoding="utf-8", newline="")
    return pgsluice.load(shop, database_url=db, max_rejects="all")


def sheets(db: str, run_id: int, **options: Any) -> list[tuple[str, Rows]]:
    found = []
    for sheet in pgsluice.reject_sheets(run_id, database_url=db, **options):
        found.append((sheet.table, [dict(zip(sheet.header, row, strict=True)) for row in sheet.rows]))
    return found


def as_csv(rows: Rows, path: Path, encoding: str = "utf-8", delimiter: str = ",") -> Path:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(out.getvalue().encode(encoding, "replace"))
    return path


def as_workbook(tables: list[tuple[str, Rows]], path: Path) -> Path:
    def back() -> Iterator[RejectSheet]:
        for table, rows in tables:
            yield RejectSheet(table, tuple(rows[0]), iter([tuple(row.values()) for row in rows]))

    with path.open("wb") as file:
        write_workbook(file, back(), None)
    return path


def stored(conn: psycopg.Connection) -> dict[int, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in conn.execute("SELECT id, bad, code, day, price, note FROM things").fetchall()}


THINGS = (
    'id,bad,code,day,price,note\n1,x,007,2025-01-05,1.50,"a ""b"", c"\n2,y,"",,,=1+1\n3,z,Łódź,x,1E5,"two\nlines"\n'
)
EXPECTED = {
    1: (5, "007", "2025-01-05", "1.50", 'a "b", c'),
    2: (5, "", None, None, "=1+1"),
    3: (5, "Łódź", "x", "1E5", "two\nlines"),
}


def test_workbook_by_the_command_line(db: str, conn: psycopg.Connection, shop: Path, tmp_path: Path) -> None:
    result = load(db, shop, THINGS, "id,name\n2,\n")
    ended = call("rejects", result.run_id, "--format", "csv", "--fields", cwd=tmp_path, url=db)
    ended.complaint(2, "a CSV file has the fields of one table", "--format xlsx")
    path = tmp_path / "rejects.xlsx"
    command = (sys.executable, "-m", "pgsluice", "rejects", "--format", "xlsx", "--database-url", db)
    with path.open("wb") as out:
        subprocess.run(command, stdout=out, check=True, env=environment())
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["others", "things"]
    others, things = book["others"], book["things"]
    names = [cell.value for cell in things[1]]
    assert names[:9] == ["run", "reject_no", "file", "line", "kind", "column", "message", "detail", "record"]
    for row in things.iter_rows(min_row=2):
        cells = dict(zip(names, row, strict=True))
        assert {cells[name].number_format for name in names[2:]} == {"@"}
        cells["bad"].value = "5"
        cells["note"].data_type = "s"  # openpyxl takes texts that begin with = for formulas
    assert things.cell(3, names.index("note") + 1).value == "=1+1"
    others.cell(2, [cell.value for cell in others[1]].index("name") + 1).value = "b"
    book.save(path)
    replayed = call("replay", result.run_id, path, cwd=tmp_path, url=db)
    assert replayed.code == 0, replayed
    assert stored(conn) == EXPECTED
    assert conn.execute("SELECT name FROM others WHERE id = 2").fetchone() == ("b",)


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8-sig", ";"), ("utf-8", ","), ("utf-16", "\t"), ("cp1252", ";"), ("cp1252", ",")]
)
def test_saved_by_a_program_in_its_language(
    db: str, conn: psycopg.Connection, shop: Path, tmp_path: Path, encoding: str, delimiter: str
) -> None:
    result = load(db, shop, THINGS)
    [(_, rows)] = sheets(db, result.run_id, guard_formulas=True)
    assert "guarded_record" in rows[0]
    saved = {"007": "7", "2025-01-05": "05.01.2025", "1.50": "1,5", "1E5": "1,00E+05"}
    for row in rows:
        row["bad"] = "5"
        for name in ("code", "day", "price"):
            row[name] = saved.get(row[name], row[name])
    assert rows[1]["note"] == "'=1+1"
    path = as_csv(rows, tmp_path / "r.csv", encoding, delimiter)
    named = encoding if encoding == "cp1252" else None
    replayed = pgsluice.replay(result.run_id, path, database_url=db, encoding=named)
    assert replayed.status == "published"
    assert stored(conn) == EXPECTED
    [note] = [n for t in replayed.tables for f in t.files for n in f.notes]
    assert note.startswith(f"{4 + (encoding == 'cp1252')} cells that a program has rewritten keep the texts")
    assert "007, saved as 7" in note


@pytest.mark.parametrize("form", ["workbook", "csv", "guarded"])
@pytest.mark.parametrize("dialect", ["", ";", "text"])
def test_random_records_arrive_exactly(
    db: str, conn: psycopg.Connection, shop: Path, tmp_path: Path, form: str, dialect: str
) -> None:
    rng = random.Random(f"20261127 {form} {dialect}")
    pieces = ["a", "'", '"', ";", "=", "-", "é", "7", ".", " ", "€", "1.0", "\\", "@"]
    pieces += [] if dialect == "text" else ["\n", ","]
    count = 60

    def text() -> str | None:
        return None if rng.random() < 0.2 else "".join(rng.choices(pieces, k=rng.randint(0, 5)))

    wanted = {i: [text() for _ in range(4)] for i in range(count)}
    if dialect == "text":
        lines = ["id\tbad\tcode\tday\tprice\tnote"]
        for i, values in wanted.items():
            cells = ["\\N" if v is None else v.replace("\\", "\\\\") for v in values]
            lines.append("\t".join([str(i), "x", *cells]))
        options: dict[str, Any] = {"format": "text", "header": True}
    else:
        sign = dialect or ","
        lines = [sign.join(("id", "bad", "code", "day", "price", "note"))]
        for i, values in wanted.items():
            cells = ["" if v is None else '"' + v.replace('"', '""') + '"' for v in values]
            lines.append(sign.join([str(i), "x", *cells]))
        options = {"delimiter": dialect or ",", "quote": '"'}
    (shop / "things.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    result = pgsluice.load(shop / "things.csv", database_url=db, max_rejects="all", **options)
    assert result.rejects.count == count
    [(table, rows)] = sheets(db, result.run_id, guard_formulas=form == "guarded")
    for i, row in enumerate(rows):
        row["bad"] = "5"
        if rng.random() < 0.5:
            name = rng.choice(("code", "day", "price", "note"))
            value = rng.choice(("new", "it's", 'say "x"', "1;2", "é€", "a b", "-5"))
            row[name] = f"'{value}" if form == "guarded" and value == "-5" else value
            wanted[i][("code", "day", "price", "note").index(name)] = value
    rng.shuffle(rows)
    path = tmp_path / "back"
    path = as_workbook([(table, rows)], path) if form == "workbook" else as_csv(rows, path)
    replayed = pgsluice.replay(result.run_id, path, database_url=db)
    assert replayed.status == "published"
    assert replayed.tables[0].files[0].notes == ()
    assert stored(conn) == {i: (5, *values) for i, values in wanted.items()}


def test_a_record_with_a_fault_is_one_cell(db: str, conn: psycopg.Connection, shop: Path, tmp_path: Path) -> None:
    result = load(db, shop, "id,bad,code,day,price,note\n1,5,a\n2,5,a,b\n3,5,a,b,c,d\n4,x,a,b,c,d\n")
    [(_, rows)] = sheets(db, result.run_id)
    assert [(r["record"], r["code"]) for r in rows] == [("1,5,a", ""), ("2,5,a,b", ""), ("", "a")]
    rows[0]["record"] = "1,5,a,,,"
    rows[1] |= {"record": "", "id": "2", "bad": "5", "code": "say, what", "note": "n"}
    rows[2]["record"] = "4,5,whole,b,c,d"
    assert pgsluice.replay(result.run_id, as_csv(rows, tmp_path / "r.csv"), database_url=db).status == "published"
    assert stored(conn) == {
        1: (5, "a", None, None, None),
        2: (5, "say, what", None, None, "n"),
        3: (5, "a", "b", "c", "d"),
        4: (5, "whole", "b", "c", "d"),
    }


def test_unchanged_faults_are_rejected_again(db: str, shop: Path, tmp_path: Path) -> None:
    result = load(db, shop, "id,bad,code,day,price,note\n1,5,a\n2,x,a,b,c,d\n")
    [(_, rows)] = sheets(db, result.run_id)
    replayed = pgsluice.replay(result.run_id, as_csv(rows, tmp_path / "r.csv"), database_url=db)
    assert (replayed.status, replayed.rejects.count) == ("vetoed", 2)
    assert [r.raw for r in replayed.rejects.rows()] == ["1,5,a", "2,x,a,b,c,d"]


def test_columns_that_were_deleted_or_moved_change_nothing(
    db: str, conn: psycopg.Connection, shop: Path, tmp_path: Path
) -> None:
    result = load(db, shop, THINGS)
    [(_, rows)] = sheets(db, result.run_id)
    kept = [{"bad": "5", "record": "", "reject_no": r["reject_no"], "run": r["run"]} for r in rows]
    assert pgsluice.replay(result.run_id, as_csv(kept, tmp_path / "r.csv"), database_url=db).status == "published"
    assert stored(conn) == EXPECTED


def change(**cells: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[0].update(cells)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (change(day="01/05/2025"), "day and month are exchanged"),
        (change(note="03.04.2025"), "note is 03.04.2025 where it was"),
        (change(note="#N/A"), "note is #N/A where it was"),
        (change(remark="x"), "its file has no field 'remark'"),
        (change(record="1,5,a,b,c,d", note="x"), "both the cell record and cells of fields"),
    ],
)
def test_what_is_not_certain_is_refused(
    db: str, conn: psycopg.Connection, shop: Path, tmp_path: Path, edit: Callable[[Rows], None], said: str
) -> None:
    result = load(db, shop, THINGS.replace(",x,1E5", ",2025-01-25,1E5"))
    [(_, rows)] = sheets(db, result.run_id)
    rows[2]["day"] = "25.01.2025"
    for row in rows:
        row.setdefault("remark", "")
    edit(rows)
    rows.reverse()
    with pytest.raises(CallError, match=said):
        pgsluice.replay(result.run_id, as_csv(rows, tmp_path / "r.csv"), database_url=db)
    assert stored(conn) == {}


def test_lost_characters_in_an_edited_record(db: str, conn: psycopg.Connection, shop: Path, tmp_path: Path) -> None:
    result = load(db, shop, THINGS)
    rows = [{"run": r.original, "reject_no": r.reject_no, "raw": r.raw} for r in result.rejects.rows()]
    rows[2]["raw"] = rows[2]["raw"].replace("z", "5")
    path = as_csv(rows, tmp_path / "r.csv", "cp1252", ";")
    with pytest.raises(CallError, match="raw was edited, and has characters that the file's encoding lacks"):
        pgsluice.replay(result.run_id, path, database_url=db, encoding="cp1252")


def test_other_files(db: str, shop: Path, tmp_path: Path) -> None:
    result = load(db, shop, THINGS)
    path = tmp_path / "r.csv"
    path.write_bytes(b"run,reject_no,raw\n1,1,\xe9\n")
    with pytest.raises(FileError, match=r"not UTF-8, and its encoding is not certain.*--encoding cp1252"):
        pgsluice.replay(result.run_id, path, database_url=db)
    with pytest.raises(CallError, match="there is no encoding 'latin-99'"):
        pgsluice.replay(result.run_id, path, database_url=db, encoding="latin-99")
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.save(path)
    with pytest.raises(FileError, match="sheet Sheet: no column 'run'"):
        pgsluice.replay(result.run_id, path, database_url=db)
    rows = [{"run": result.run_id, "reject_no": 1, "raw": "1,5,007,2025-01-05,1.50,x"}]
    whole = as_workbook([("things", rows)], path)
    assert pgsluice.replay(result.run_id, whole, database_url=db).status == "published"


@pytest.mark.parametrize("form", ["workbook", "csv", "raw"])
def test_the_file_names_the_run(db: str, conn: psycopg.Connection, shop: Path, tmp_path: Path, form: str) -> None:
    result = load(db, shop, "id,bad,code,day,price,note\n1,x,a,b,c,d\n")
    [(table, rows)] = sheets(db, result.run_id)
    rows[0]["bad"] = "5"
    path = tmp_path / "back"
    if form == "raw":
        as_csv([{"run": result.run_id, "reject_no": 1, "raw": "1,5,a,b,c,d"}], path)
    elif form == "csv":
        as_csv(rows, path, delimiter=";")
    else:
        as_workbook([(table, rows)], path)
    ended = call("replay", path, cwd=tmp_path, url=db)
    assert ended.code == 0, ended
    assert f"corrected rejects of run {result.run_id}" in ended.out
    assert stored(conn) == {1: (5, "a", "b", "c", "d")}


def test_a_file_that_names_no_run(db: str, tmp_path: Path) -> None:
    path = tmp_path / "back.csv"
    path.write_text("run,reject_no,raw\nx,1,a\n")
    call("replay", path, cwd=tmp_path, url=db).complaint(2, "the first row names no run", "pgsluice replay RUN")
    path.write_text("run,reject_no,raw\n")
    call("replay", path, cwd=tmp_path, url=db).complaint(2, "no records to replay")
    path.write_text("a,b\n1,2\n")
    call("replay", path, cwd=tmp_path, url=db).complaint(2, "no column 'run'")
    call("replay", "twelve", path, cwd=tmp_path, url=db).complaint(2, "twelve is no number of a run")
