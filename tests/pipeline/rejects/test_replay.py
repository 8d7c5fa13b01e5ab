"""Rejects corrected and replayed: what is loaded then, what stays open, and the books of both runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import CallError, FileError, LockedError, MappingError, PrivilegeError
from pgsluice.model import RunResult

Conn = psycopg.Connection[Any]

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL UNIQUE, age int CHECK (age >= 18), note text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, amount numeric NOT NULL);
"""

CUSTOMERS = """\
id,email,age,note
1,a@x,20,"two
lines"
2,b@x,many,
3,,30,
4,d@x,17,
1,e@x,40,
5,f@x,50,"open
6,g@x,60
7,h@x,70,fine
"""

ORDERS = """\
id,customer_id,amount
10,1,1.5
11,2,2.5
12,99,3.5
"""


@pytest.fixture
def shop(conn: Conn) -> Conn:
    conn.execute(SHOP)
    return conn


@pytest.fixture
def dirty(db: str, shop: Conn, tmp_path: Path) -> RunResult:
    """Three rows loaded, eight rejected, one of every common kind."""
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    (tmp_path / "orders.csv").write_text(ORDERS)
    result = load(db, tmp_path)
    assert [(t.read, t.loaded, t.rejected) for t in result.tables] == [(8, 2, 6), (3, 1, 2)]
    return result


def load(db: str, folder: Path, **options: Any) -> RunResult:
    options = {"max_rejects": "all", "data_dir": str(folder / "work")} | options
    return pgsluice.load(*sorted(folder.glob("*.csv")), database_url=db, **options)


def written(db: str, run_id: int, folder: Path, *options: str) -> list[dict[str, str]]:
    """What the command line writes to be corrected."""
    ended = call("rejects", str(run_id), "--format", "csv", *options, cwd=folder, url=db)
    assert ended.code == 0, ended
    return list(csv.DictReader(io.StringIO(ended.out, newline="")))


def corrected(rows: list[dict[str, str]], folder: Path, mend: Callable[[dict[str, str]], str | None]) -> Path:
    """The rows with ``raw`` as ``mend`` makes it; None: the row is left out."""
    file = folder / "corrected.txt"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        for row in rows:
            if (raw := mend(row)) is not None:
                writer.writerow(row | {"raw": raw})
    return file


def replay(db: str, run_id: int, file: Path, **options: Any) -> RunResult:
    options = {"data_dir": str(file.parent / "work")} | options
    return pgsluice.replay(run_id, file, database_url=db, **options)


def books(conn: Conn, run_id: int) -> dict[str, tuple[int, int, int, int]]:
    """By table: read, loaded, rejected, replayed; the rejects that are open are counted against it."""
    found = conn.execute(
        "SELECT table_name, sum(rows_read)::int, sum(rows_loaded)::int, sum(rows_rejected)::int,"
        " sum(rows_replayed)::int FROM pgsluice.file WHERE run_id = %s GROUP BY 1",
        [run_id],
    ).fetchall()
    for table, read, in_tables, rejected, replayed in found:
        assert read == in_tables + rejected + replayed
        marks = conn.execute(
            "SELECT count(*) FILTER (WHERE replayed_by IS NULL), count(replayed_by) FROM pgsluice.reject"
            " WHERE run_id = %s AND table_name = %s",
            [run_id, table],
        ).fetchone()
        assert marks == (rejected, replayed)
    return {row[0]: row[1:] for row in found}


MENDED = {
    "2,b@x,many,": "2,b@x,33,mended",
    "3,,30,": "3,c@x,30,",
    "4,d@x,17,": "4,d@x,18,",
    "1,e@x,40,": "8,e@x,40,",
    '5,f@x,50,"open': '5,f@x,50,"no\nlonger ""open"""',
    "6,g@x,60": "6,g@x,60,",
    "11,2,2.5": "11,2,2.5",
    "12,99,3.5": "12,3,3.5",
}


def test_every_kind_is_corrected_and_replayed(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    rows = written(db, dirty.run_id, tmp_path)
    assert [(r["table"], r["line"], r["record_no"], r["kind"], r["raw"]) for r in rows] == [
        ("customers", "4", "2", "value", "2,b@x,many,"),
        ("customers", "5", "3", "not_null", "3,,30,"),
        ("customers", "6", "4", "check", "4,d@x,17,"),
        ("customers", "7", "5", "unique", "1,e@x,40,"),
        ("customers", "8", "6", "structure", '5,f@x,50,"open'),
        ("customers", "9", "7", "structure", "6,g@x,60"),
        ("orders", "3", "2", "parent", "11,2,2.5"),
        ("orders", "4", "3", "foreign_key", "12,99,3.5"),
    ]
    assert list(rows[0])[-1] == "raw"
    file = corrected(rows, tmp_path, lambda r: MENDED[r["raw"]])
    result = replay(db, dirty.run_id, file)
    assert (result.status, result.replay_of, result.rejects.count) == ("published", dirty.run_id, 0)
    assert [(t.table, t.read, t.loaded) for t in result.tables] == [("customers", 6, 6), ("orders", 2, 2)]
    assert shop.execute("SELECT * FROM customers ORDER BY 1").fetchall() == [
        (1, "a@x", 20, "two\nlines"), (2, "b@x", 33, "mended"), (3, "c@x", 30, None), (4, "d@x", 18, None),
        (5, "f@x", 50, 'no\nlonger "open"'), (6, "g@x", 60, None), (7, "h@x", 70, "fine"), (8, "e@x", 40, None),
    ]  # fmt: skip
    assert shop.execute("SELECT id, customer_id FROM orders ORDER BY 1").fetchall() == [(10, 1), (11, 2), (12, 3)]
    assert books(shop, dirty.run_id) == {"customers": (8, 2, 0, 6), "orders": (3, 1, 0, 2)}
    assert books(shop, result.run_id) == {"customers": (6, 6, 0, 0), "orders": (2, 2, 0, 0)}
    verified = pgsluice.verify(database_url=db)
    assert verified.ok
    assert "the ledger loaded 8, 6 of them corrected and replayed" in str(verified.checks)
    assert pgsluice.rejects(dirty.run_id, database_url=db)[1].replayed == 8
    assert list(pgsluice.reject_rows(dirty.run_id, database_url=db)) == []


def test_on_every_version(any_db: str, any_conn: Conn, tmp_path: Path) -> None:
    any_conn.execute("CREATE TABLE t (a int CHECK (a > 0))")
    (tmp_path / "t.csv").write_text("a\n1\nx\n-3\n")
    run = load(any_db, tmp_path).run_id
    rows = written(any_db, run, tmp_path)
    replay(any_db, run, corrected(rows, tmp_path, lambda r: r["raw"].replace("x", "2")), max_rejects=1)
    assert any_conn.execute("SELECT a FROM t ORDER BY a").fetchall() == [(1,), (2,)]
    assert books(any_conn, run) == {"t": (3, 1, 1, 1)}


def test_the_report_beside_the_run_is_the_same_file(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    assert dirty.rejects.path is not None
    report = Path(dirty.rejects.path)
    ended = call("rejects", str(dirty.run_id), "--format", "csv", cwd=tmp_path, url=db)
    assert report.read_bytes() == ended.out.encode()
    report.write_text(report.read_text().replace("3,,30,", "3,c@x,30,"))
    result = replay(db, dirty.run_id, report, max_rejects="all")
    assert shop.execute("SELECT email FROM customers WHERE id = 3").fetchone() == ("c@x",)
    assert (result.rejects.count, books(shop, dirty.run_id)["customers"]) == (7, (8, 2, 5, 1))


def test_the_second_time_is_refused(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    file = corrected(written(db, dirty.run_id, tmp_path), tmp_path, lambda r: MENDED[r["raw"]])
    first = replay(db, dirty.run_id, file)
    before = books(shop, dirty.run_id)
    ended = call("replay", dirty.run_id, file, cwd=tmp_path, url=db)
    ended.complaint(2, "customers.csv:4", f"already replayed, by run {first.run_id}", "nothing was loaded")
    assert books(shop, dirty.run_id) == before
    assert shop.execute("SELECT count(*) FROM customers").fetchone() == (8,)
    assert shop.execute("SELECT max(run_id) FROM pgsluice.run").fetchone() == (first.run_id,)


def test_two_replays_at_once(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    """Who comes second to the locks finds its rejects taken and loads nothing, keys or no keys."""
    shop.execute("ALTER TABLE orders DROP CONSTRAINT orders_pkey")
    rows = written(db, dirty.run_id, tmp_path, "--table", "orders")
    file = corrected(rows, tmp_path, lambda r: r["raw"].replace(",99,", ",1,") if r["raw"].startswith("12") else None)
    nested: list[RunResult] = []

    def overtaken(_: object) -> None:
        if not nested:
            nested.append(replay(db, dirty.run_id, file, no_wait=True))

    with pytest.raises(CallError, match="another replay"):
        replay(db, dirty.run_id, file, listen=overtaken)
    assert nested[0].status == "published"
    assert shop.execute("SELECT count(*) FROM orders WHERE id = 12").fetchone() == (1,)
    assert books(shop, dirty.run_id)["orders"] == (3, 1, 1, 1)


def test_still_bad_vetoes_or_stays_open(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    mend = MENDED | {"2,b@x,many,": "2,b@x,few,", "6,g@x,60": "6,g@x,60"}
    file = corrected(written(db, dirty.run_id, tmp_path), tmp_path, lambda r: mend[r["raw"]])
    vetoed = replay(db, dirty.run_id, file)
    assert (vetoed.status, vetoed.rejects.count) == ("vetoed", 3)
    assert books(shop, dirty.run_id) == {"customers": (8, 2, 6, 0), "orders": (3, 1, 2, 0)}
    assert shop.execute("SELECT count(*) FROM customers").fetchone() == (2,)

    result = replay(db, dirty.run_id, file, max_rejects="all")
    assert result.status == "published"
    again = list(pgsluice.reject_rows(result.run_id, database_url=db))
    assert [(r.original, r.reject_no, Path(r.file).name, r.line, r.record_no, r.kind, r.raw) for r in again] == [
        (dirty.run_id, 1, "customers.csv", 4, 2, "value", "2,b@x,few,"),
        (dirty.run_id, 6, "customers.csv", 9, 7, "structure", "6,g@x,60"),
        (dirty.run_id, 7, "orders.csv", 3, 2, "parent", "11,2,2.5"),
    ]
    assert again[0].message == 'invalid input syntax for type integer: "few"'
    assert again[2].parent_file.endswith("customers.csv")
    assert again[2].parent_line == 4
    assert books(shop, dirty.run_id) == {"customers": (8, 2, 2, 4), "orders": (3, 1, 1, 1)}
    assert books(shop, result.run_id) == {"customers": (6, 4, 2, 0), "orders": (2, 1, 1, 0)}
    # In the run itself they stay as they were.
    assert next(pgsluice.reject_rows(dirty.run_id, database_url=db)).raw == "2,b@x,many,"

    # The report of the replay is the next file to correct, and belongs to the first run.
    assert result.rejects.path is not None
    report = Path(result.rejects.path)
    report.write_text(report.read_text().replace("few", "30").replace("6,g@x,60", "6,g@x,60,"))
    with pytest.raises(CallError, match=f"Replay run {dirty.run_id}"):
        replay(db, result.run_id, report)
    last = replay(db, dirty.run_id, report)
    assert last.rejects.count == 0
    assert books(shop, dirty.run_id) == {"customers": (8, 2, 0, 6), "orders": (3, 1, 0, 2)}
    assert list(pgsluice.reject_rows(result.run_id, database_url=db)) == []
    assert pgsluice.verify(database_url=db).ok


def test_rows_left_out_stay_open(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    rows = written(db, dirty.run_id, tmp_path, "--table", "customers")
    assert len(rows) == 6
    file = corrected(rows, tmp_path, lambda r: MENDED[r["raw"]] if r["kind"] == "check" else None)
    ended = call("replay", dirty.run_id, file, cwd=tmp_path, url=db)
    assert ended.code == 0
    assert "1 row loaded into 1 table" in ended.out
    assert f"replay of corrected rejects of run {dirty.run_id}" in ended.out
    assert books(shop, dirty.run_id) == {"customers": (8, 2, 5, 1), "orders": (3, 1, 2, 0)}
    shown = call("rejects", dirty.run_id, cwd=tmp_path, url=db).out
    assert f"Run {dirty.run_id}: 7 rejects (1 corrected and replayed since)." in shown
    listed = call("runs", cwd=tmp_path, url=db).out
    assert "replayed" in listed
    assert f"replay of run {dirty.run_id}" in listed


def test_a_dry_run_leaves_the_books_alone(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    file = corrected(written(db, dirty.run_id, tmp_path), tmp_path, lambda r: MENDED[r["raw"]])
    ended = call("replay", dirty.run_id, file, "--dry-run", "--json", cwd=tmp_path, url=db)
    assert (ended.code, ended.json["status"], ended.json["replay_of"]) == (0, "dry_run", dirty.run_id)
    assert books(shop, dirty.run_id)["customers"] == (8, 2, 6, 0)
    assert replay(db, dirty.run_id, file).status == "published"


def test_runs_that_cannot_be_replayed(db: str, shop: Conn, tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text("id,email,age,note\n1,a@x,1,\n")
    file = tmp_path / "corrected.txt"
    for options, status in (({"max_rejects": 0}, "vetoed"), ({"dry_run": True}, "dry_run")):
        result = load(db, tmp_path, **options)
        corrected(written(db, result.run_id, tmp_path), tmp_path, lambda _: "1,a@x,18,")
        ended = call("replay", result.run_id, file, cwd=tmp_path, url=db)
        ended.complaint(2, f"not published ({status})", "load them again")
    call("replay", 99, file, cwd=tmp_path, url=db).complaint(2, "no run 99")
    assert shop.execute("SELECT count(*) FROM customers").fetchone() == (0,)


def test_a_file_that_is_not_meant(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    file = tmp_path / "corrected.txt"
    run = dirty.run_id

    def refused(text: str, kind: type[Exception], match: str) -> None:
        file.write_text(text)
        with pytest.raises(kind, match=match):
            replay(db, run, file)

    refused("id,email\n1,a\n", FileError, "no column 'run'")
    refused("", FileError, "no column 'run'")
    refused("run,reject,raw\n", CallError, "no records")
    refused(f"run,reject,raw\n{run},1\n", FileError, "corrected.txt:2: 2 cells")
    refused(f'run,reject,raw\n{run},1,"a\nb"\n{run + 1},1,x\n', CallError, f"txt:4: this is a reject of run {run + 1}")
    refused(f"run,reject,raw\n{run},x,1\n", CallError, "no numbers")
    refused(f"run,reject,raw\n{run},99,1\n", CallError, "has no reject 99")
    refused(f"run,reject,raw\n{run},2,1\n{run},1,1\n{run},2,1\n", CallError, "lines 2 and 4 both correct reject 2")
    file.write_bytes(f"run,reject,raw\n{run},1,\xe9\n".encode("latin-1"))
    with pytest.raises(FileError, match="not UTF-8"):
        replay(db, run, file)
    with pytest.raises(FileError, match="no such file"):
        replay(db, run, tmp_path / "none.csv")
    assert shop.execute("SELECT max(run_id) FROM pgsluice.run").fetchone() == (run,)


def test_as_a_spreadsheet_saves_it(db: str, shop: Conn, tmp_path: Path) -> None:
    """BOM, semicolons, CRLF also within cells, columns moved and dropped."""
    (tmp_path / "customers.csv").write_bytes(b'id,email,age,note\n1,a@x,10,"x\ny"\n2,,20,"x\ny"\n')
    run = load(db, tmp_path).run_id
    file = tmp_path / "corrected.txt"
    file.write_bytes(
        f'\ufeffraw;reject;run\r\n"1,a@x,20,""x\r\ny""";1;{run}\r\n"2,,20,""x\r\ny""";2;{run}\r\n;;\r\n'.encode()
    )
    shop.execute("ALTER TABLE customers ALTER email DROP NOT NULL")
    assert replay(db, run, file).status == "published"
    # What was corrected is taken as it is; what was not, as the file has it.
    assert shop.execute("SELECT note FROM customers ORDER BY id").fetchall() == [("x\r\ny",), ("x\ny",)]


def test_bytes_that_cannot_be_read_are_not_loaded_as_their_names(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (a text, b text)")
    (tmp_path / "t.csv").write_bytes(b"a,b\nx,caf\xe9\ny,\xff\n\xff\nz,nul\0\nw,\\xff\nv,cr\r\r\n")
    run = load(db, tmp_path, encoding="utf-8").run_id
    rows = written(db, run, tmp_path)
    assert [r["raw"] for r in rows] == ["x,caf\\xe9", "y,\\xff", "\\xff", "z,nul\\x00", "v,cr\r"]
    mend = {
        "x,caf\\xe9": "x,caf\xe9",
        "y,\\xff": "yy,\\xff",
        "\\xff": "\\xff,v",
        "z,nul\\x00": "z,nul\\x00",
        "v,cr\r": "v,cr\r",
    }
    result = replay(db, run, corrected(rows, tmp_path, lambda r: mend[r["raw"]]), max_rejects="all")
    assert conn.execute("SELECT a, b FROM t ORDER BY a").fetchall() == [("w", "\\xff"), ("x", "caf\xe9")]
    again = list(pgsluice.reject_rows(result.run_id, database_url=db))
    assert [(r.line, r.kind, r.sqlstate, r.message) for r in again] == [
        (3, "structure", "22021", "\\xff stands for a byte that could not be read and is still there"),
        (4, "structure", "22021", "\\xff stands for a byte that could not be read and is still there"),
        (5, "structure", "22021", 'invalid byte sequence for encoding "UTF8": 0x00'),
        (7, "structure", "22P04", "unquoted carriage return found in data"),
    ]


def test_records_that_are_none_or_many(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (a int, b int)")
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,x\n3,x\n4,x\n5,x\n")
    run = load(db, tmp_path).run_id
    mend = {"1,x": "", "2,x": "2,2\n3,3", "3,x": '3,"3', "4,x": "4,4,4", "5,x": '5,"5"\n'}
    file = corrected(written(db, run, tmp_path), tmp_path, lambda r: mend[r["raw"]])
    result = replay(db, run, file, max_rejects="all")
    assert conn.execute("SELECT a, b FROM t").fetchall() == [(5, 5)]
    assert [r.message for r in pgsluice.reject_rows(result.run_id, database_url=db)] == [
        "the corrected record is empty",
        "the corrected record holds 2 records instead of one",
        "unterminated CSV quoted field",
        "extra data after last expected column",
    ]


@pytest.mark.parametrize("in_place", [True, False])
def test_both_ways(db: str, shop: Conn, tmp_path: Path, in_place: bool) -> None:
    shop.execute("DROP TABLE orders")
    (tmp_path / "customers.csv").write_text("id,email,age,note\n1,a@x,1,\n2,b@x,1,\n1,c@x,1,\n")
    run = load(db, tmp_path).run_id
    if not in_place:
        shop.execute("INSERT INTO customers VALUES (9, 'z@x', 20, '')")
    file = corrected(written(db, run, tmp_path), tmp_path, lambda r: r["raw"].replace(",1,", ",20,"))
    result = replay(db, run, file, max_rejects=1)
    assert [(t.way, t.loaded, t.rejected) for t in result.tables] == [("in place" if in_place else "stage", 2, 1)]
    assert books(shop, run) == {"customers": (3, 0, 1, 2)}
    assert [(r.line, r.kind) for r in pgsluice.reject_rows(result.run_id, database_url=db)] == [(4, "unique")]


def test_dialect_and_columns_are_the_files_own(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (a int, b text, c text DEFAULT 'c', d date)")
    (tmp_path / "t-1.csv").write_text("d;b;a\nnever;'x;''y';1\n2020-01-01;-;2\nnever;-;3\n")
    (tmp_path / "t-2.csv").write_bytes("a|b|d\n4|caf\xe9|never\n".encode("latin-1"))
    one = pgsluice.load(
        tmp_path / "t-1.csv", database_url=db, max_rejects="all", delimiter=";", quote="'", null=["-"],
        data_dir=str(tmp_path),
    )  # fmt: skip
    two = pgsluice.load(
        tmp_path / "t-2.csv", database_url=db, max_rejects="all", encoding="latin-1", data_dir=str(tmp_path)
    )
    for path in tmp_path.glob("t-*.csv"):
        path.unlink()  # a replay needs the ledger only
    for run, loaded in ((one, 2), (two, 1)):
        rows = written(db, run.run_id, tmp_path)
        result = replay(db, run.run_id, corrected(rows, tmp_path, lambda r: r["raw"].replace("never", "2024-02-29")))
        assert [t.loaded for t in result.tables] == [loaded]
    assert conn.execute("SELECT a, b, c FROM t WHERE d = '2024-02-29' ORDER BY a").fetchall() == [
        (1, "x;'y", "c"), (3, None, "c"), (4, "caf\xe9", "c"),
    ]  # fmt: skip


def test_hostile_names(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute(
        """CREATE SCHEMA "s.%s ""x"; CREATE TABLE "s.%s ""x"."Tab.le ""1"" %d" ("a "" b" int, "Select" int);"""
    )
    folder = tmp_path / "%s [x]*"
    folder.mkdir()
    (folder / 'Tab.le "1" %d.csv').write_text('"a "" b",Select\n1,x\n2,2\n')
    loaded = load(db, folder, into='s.%s "x')
    rows = written(db, loaded.run_id, tmp_path)
    assert replay(db, loaded.run_id, corrected(rows, tmp_path, lambda _: "1,1")).status == "published"
    found = conn.execute('SELECT * FROM "s.%%s ""x"."Tab.le ""1"" %%d" ORDER BY 1', []).fetchall()
    assert found == [(1, 1), (2, 2)]


def test_upsert_and_its_doubles(db: str, shop: Conn, tmp_path: Path) -> None:
    shop.execute("INSERT INTO customers VALUES (1, 'a@x', 20, 'old'), (2, 'b@x', 30, 'old')")
    (tmp_path / "customers.csv").write_text(
        "id,email,age,note\n1,a@x,21,new\n1,a@x,22,double\n2,b@x,3,new\n3,a@x,20,\n4,d@x,20,\n4,d@x,25,double\n"
    )
    first = load(db, tmp_path, mode="upsert")
    rows = written(db, first.run_id, tmp_path)
    assert [(r["line"], r["kind"]) for r in rows] == [("3", "unique"), ("4", "check"), ("5", "unique"), ("7", "unique")]
    # Another key than the one that rows are matched by may have become free.
    shop.execute("UPDATE customers SET email = 'moved' WHERE id = 1")
    file = corrected(
        rows, tmp_path, lambda r: "4,d@x,26,meant" if r["line"] == "7" else r["raw"].replace(",3,", ",33,")
    )
    result = replay(db, first.run_id, file, max_rejects="all")
    assert [(t.mode, t.inserted, t.updated, t.rejected) for t in result.tables] == [("upsert", 1, 2, 1)]
    [double] = pgsluice.reject_rows(result.run_id, database_url=db)
    assert (double.line, double.kind, double.constraint, double.sqlstate) == (3, "unique", "customers_pkey", "23505")
    assert shop.execute("SELECT id, email, age, note FROM customers ORDER BY 1").fetchall() == [
        (1, "moved", 21, "new"), (2, "b@x", 33, "new"), (3, "a@x", 20, None), (4, "d@x", 26, "meant"),
    ]  # fmt: skip


@pytest.mark.parametrize("options", [{"mode": "replace"}, {"mode": "upsert", "delete_missing": True}])
def test_nothing_is_deleted(db: str, shop: Conn, tmp_path: Path, options: dict[str, Any]) -> None:
    shop.execute("INSERT INTO customers VALUES (1, 'a@x', 20, 'old'), (2, 'b@x', 30, 'old'), (3, 'c@x', 40, 'old')")
    (tmp_path / "customers.csv").write_text("id,email,age,note\n1,a@x,21,new\n2,b@x,3,new\n")
    first = load(db, tmp_path, **options)
    assert [t.deleted for t in first.tables] == [1]
    file = corrected(written(db, first.run_id, tmp_path), tmp_path, lambda _: "2,b@x,33,new")
    result = replay(db, first.run_id, file)
    assert [(t.updated, t.deleted) for t in result.tables] == [(1, 0)]
    assert shop.execute("SELECT id, age FROM customers ORDER BY 1").fetchall() == [(1, 21), (2, 33)]


def test_replace_of_a_table_without_a_key(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE log (n int); INSERT INTO log VALUES (1)")
    (tmp_path / "log.csv").write_text("n\n2\nx\n")
    first = load(db, tmp_path, mode="replace")
    replay(db, first.run_id, corrected(written(db, first.run_id, tmp_path), tmp_path, lambda _: "3"))
    assert conn.execute("SELECT n FROM log ORDER BY n").fetchall() == [(2,), (3,)]


def test_another_table_of_that_name(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (a int)")
    (tmp_path / "t.csv").write_text("a\nx\n")
    run = load(db, tmp_path).run_id
    file = corrected(written(db, run, tmp_path), tmp_path, lambda _: "1")
    conn.execute("DROP TABLE t; CREATE TABLE t (a int)")
    with pytest.raises(MappingError, match="made anew since"):
        replay(db, run, file)
    conn.execute("DROP TABLE t")
    with pytest.raises(MappingError, match="no longer there"):
        replay(db, run, file)


def test_a_role_that_may_not_keep_the_books(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    file = corrected(written(db, dirty.run_id, tmp_path), tmp_path, lambda r: MENDED[r["raw"]])
    shop.execute(
        "CREATE ROLE clerk_of_replays LOGIN; GRANT USAGE ON SCHEMA pgsluice TO clerk_of_replays;"
        "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA pgsluice TO clerk_of_replays"
    )
    try:
        with pytest.raises(PrivilegeError, match="GRANT UPDATE"):
            replay(db.replace("//postgres@", "//clerk_of_replays@"), dirty.run_id, file)
    finally:
        shop.execute("DROP OWNED BY clerk_of_replays; DROP ROLE clerk_of_replays")


def test_tables_in_use(db: str, shop: Conn, dirty: RunResult, tmp_path: Path) -> None:
    file = corrected(written(db, dirty.run_id, tmp_path), tmp_path, lambda r: MENDED[r["raw"]])
    with psycopg.connect(db) as other:
        other.execute("LOCK TABLE customers")
        with pytest.raises(LockedError):
            replay(db, dirty.run_id, file, no_wait=True)
    assert replay(db, dirty.run_id, file).status == "published"


def test_many_records_in_several_batches(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
    (tmp_path / "t.csv").write_text("id,v\n" + "".join(f"{i},x{i}\n" for i in range(12_000)))
    run = load(db, tmp_path).run_id
    rows = written(db, run, tmp_path)
    # One record that is none, in the middle of the second batch; and the order of the file does not matter.
    file = corrected(rows[::-1], tmp_path, lambda r: r["raw"].replace("x", "" if r["reject_no"] != "7001" else "1,"))
    result = replay(db, run, file, max_rejects=1)
    assert conn.execute("SELECT count(*), count(DISTINCT id), bool_and(id = v) FROM t").fetchone() == (
        11_999, 11_999, True,
    )  # fmt: skip
    [refused] = pgsluice.reject_rows(result.run_id, database_url=db)
    assert (refused.reject_no, refused.line, refused.raw) == (7001, 7002, "7000,1,7000")
    assert books(conn, run) == {"t": (12_000, 0, 1, 11_999)}
