"""Files of one table that contain different columns: a row has what PostgreSQL gives a row without the column."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import MappingError
from pgsluice.model import FilePlan, RunResult, Strategy, TablePlan

Connection = psycopg.Connection[tuple[object, ...]]

SCHEMA = """
CREATE SEQUENCE tickets START 500;
CREATE DOMAIN mark AS text NOT NULL DEFAULT 'unmarked' CHECK (VALUE <> '');
CREATE TABLE customers (
    id int PRIMARY KEY, name text NOT NULL, score int DEFAULT 7 CHECK (score > 0), note text, mark mark,
    ticket int NOT NULL DEFAULT nextval('tickets'), at timestamptz DEFAULT now(), serial_no serial,
    always int GENERATED ALWAYS AS IDENTITY, doubled int GENERATED ALWAYS AS (id * 2) STORED);
"""
SHOWN = "SELECT id, name, score, note, mark, ticket, at = now() OR at IS NOT NULL, serial_no, always FROM customers"
FILES = {
    "customers_1": "id,name\n1,Ann\n2,Ben\n",
    "customers_2": "name,id,note,score\nCid,3,first,9\nDan,4,,\n",
    "customers_3": "id,name,mark,ticket,serial_no,always\n5,Eve,gold,1,101,201\n6,Fay,tin,2,102,202\n",
    "customers_4": "id,name\n7,Gus\n",
}


def write(folder: Path, files: dict[str, str] = FILES) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def rows(conn: Connection, statement: str = SHOWN) -> list[tuple[object, ...]]:
    return conn.execute(f"{statement} ORDER BY 1").fetchall()  # type: ignore[arg-type]


def by_copy(conn: Connection, folder: Path) -> list[tuple[object, ...]]:
    """What PostgreSQL's COPY makes of the files, each with its own columns. The table is as before afterwards."""
    with conn.transaction(force_rollback=True):
        sequences = ["tickets", "customers_serial_no_seq", "customers_always_seq"]
        states = [conn.execute(f"SELECT last_value, is_called FROM {s}").fetchone() for s in sequences]  # type: ignore[arg-type]
        for path in sorted(folder.glob("*.csv")):
            header, rest = path.read_text().split("\n", 1)
            with conn.cursor().copy(f"COPY customers ({header}) FROM STDIN (FORMAT csv)") as copy:  # type: ignore[arg-type]
                copy.write(rest)
        found = rows(conn)
        for name, state in zip(sequences, states, strict=True):
            assert state is not None
            conn.execute("SELECT setval(%s, %s, %s)", (name, *state))
        return found


@pytest.fixture
def table(any_conn: Connection) -> Connection:
    any_conn.execute(SCHEMA)
    return any_conn


@pytest.mark.share(4)
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("parsed", [False, True])
def test_as_copy_gives_them(
    held: bool, resumable: bool, parsed: bool, any_db: str, table: Connection, tmp_path: Path
) -> None:
    """``parsed``: a value that the client is not certain of, so that rows go as text."""
    if held:
        table.execute("INSERT INTO customers (id, name) VALUES (99, 'held')")
    files = dict(FILES)
    if parsed:
        files["customers_4"] = "id,name,score\n7,Gus, 7 \n"
    write(tmp_path, files)
    wanted = by_copy(table, tmp_path)
    result = pgsluice.load(tmp_path, database_url=any_db, resumable=resumable)
    assert rows(table) == wanted
    lacks = {Path(f.path).stem: f.lacks for t in result.tables for f in t.files}
    assert lacks["customers_1"] == ("note", "score", "mark", "ticket", "serial_no", "always")
    assert lacks["customers_2"] == ("mark", "ticket", "serial_no", "always")


@pytest.mark.share(4)
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("resumable", [False, True])
def test_rows_in_doubt_have_the_defaults_too(
    held: bool, resumable: bool, any_db: str, table: Connection, tmp_path: Path
) -> None:
    """A bad value sends the rows of its block through the text stage."""
    if held:
        table.execute("INSERT INTO customers (id, name) VALUES (99, 'held')")
    write(tmp_path)
    wanted = by_copy(table, tmp_path)
    (tmp_path / "customers_1.csv").write_text("id,name\n1,Ann\nx,Bad\n2,Ben\n")
    (tmp_path / "customers_3.csv").write_text(FILES["customers_3"] + "8,Hal,,3,103,203\n")
    result = pgsluice.load(tmp_path, database_url=any_db, resumable=resumable, max_rejects="all")
    found = rows(table)
    # Which number of a sequence a row gets depends on the order in which rows are judged.
    assert [row[:5] for row in found] == [row[:5] for row in wanted]
    assert all(isinstance(n, int) for row in found for n in row[5:])
    assert len({row[5] for row in found}) == len(found)
    rejects = list(pgsluice.reject_rows(result.run_id, database_url=any_db))
    assert [(Path(r.file).stem, r.line, r.column, r.raw) for r in rejects] == [
        ("customers_1", 3, "id", "x,Bad"),
        ("customers_3", 4, "mark", "8,Hal,,3,103,203"),
    ]


def upserted(db: str, folder: Path, **options: object) -> tuple[RunResult, tuple[int, int, int]]:
    result = pgsluice.load(folder, database_url=db, mode="upsert", **options)  # type: ignore[arg-type]
    [table] = result.tables
    return result, (table.inserted, table.updated, table.unchanged)


def test_an_upsert_changes_only_what_a_file_contains(any_db: str, table: Connection, tmp_path: Path) -> None:
    table.execute(
        "INSERT INTO customers (id, name, score, note, mark, ticket) VALUES (1, 'Old', 50, 'kept', 'kept', 9),"
        " (3, 'Old', 60, 'old', 'kept', 8), (4, 'Dan', 1, NULL, 'kept', 7)"
    )
    # PostgreSQL updates no identity column that is GENERATED ALWAYS.
    gold = "id,name,mark,ticket,serial_no\n5,Eve,gold,1,101\n6,Fay,tin,2,102\n"
    write(tmp_path, {**FILES, "customers_2": "name,id,note\nCid,3,first\nDan,4,\n", "customers_3": gold})
    _, counts = upserted(any_db, tmp_path)
    assert counts == (4, 2, 1)
    assert rows(table, "SELECT id, name, score, note, mark FROM customers") == [
        (1, "Ann", 50, "kept", "kept"),
        (2, "Ben", 7, None, "unmarked"),
        (3, "Cid", 60, "first", "kept"),
        (4, "Dan", 1, None, "kept"),
        (5, "Eve", 7, None, "gold"),
        (6, "Fay", 7, None, "tin"),
        (7, "Gus", 7, None, "unmarked"),
    ]
    # Only the new rows took a number: 2 and 7.
    assert table.execute("SELECT last_value FROM tickets").fetchone() == (501,)


def test_an_upsert_judges_what_the_table_will_hold(any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    """Values that a matched row keeps decide over constraints, and not the defaults of its file's missing columns."""
    any_conn.execute(
        "CREATE TABLE kinds (kind int PRIMARY KEY); INSERT INTO kinds VALUES (1), (2);"
        "CREATE TABLE item (id int PRIMARY KEY, low int NOT NULL, high int NOT NULL DEFAULT 10, code text UNIQUE"
        " DEFAULT 'c', kind int DEFAULT 9 REFERENCES kinds, CHECK (low < high));"
        "INSERT INTO item VALUES (1, 0, 100, 'a', 1), (2, 0, 5, 'b', 2)"
    )
    write(
        tmp_path,
        {
            # 50 is right with the kept 100, 7 wrong with the kept 5, and 20 wrong with the default.
            "item_1": "id,low,kind\n1,50,1\n2,7,2\n3,20,1\n4,1,1\n5,1,1\n",
            "item_2": "id,low,high,code\n6,1,2,z\n",
        },
    )
    result, counts = upserted(any_db, tmp_path, max_rejects="all")
    assert rows(any_conn, "SELECT * FROM item") == [(1, 50, 100, "a", 1), (2, 0, 5, "b", 2), (4, 1, 10, "c", 1)]
    assert counts == (1, 1, 0)
    rejects = [(r.raw, r.sqlstate) for r in pgsluice.reject_rows(result.run_id, database_url=any_db)]
    # The second 'c' is a duplicate, and 9 is no kind.
    assert sorted(rejects) == [
        ("2,7,2", "23514"), ("3,20,1", "23514"), ("5,1,1", "23505"), ("6,1,2,z", "23503")
    ]  # fmt: skip


def test_a_file_without_a_required_column(any_db: str, table: Connection, tmp_path: Path) -> None:
    write(tmp_path, {"customers_1": "id,name\n1,Ann\n", "customers_2": "id,note\n2,x\n"})
    with pytest.raises(MappingError, match=r"customers_2\.csv: customers\.name is required"):
        pgsluice.load(tmp_path, database_url=any_db)
    table.execute("INSERT INTO customers (id, name) VALUES (2, 'Ben')")
    (tmp_path / "customers_2.csv").write_text("id,note\n2,x\n3,no name\n")
    result, counts = upserted(any_db, tmp_path, max_rejects="all")
    assert counts == (1, 1, 0)
    assert rows(table, "SELECT id, name, note FROM customers") == [(1, "Ann", None), (2, "Ben", "x")]
    [reject] = pgsluice.reject_rows(result.run_id, database_url=any_db)
    assert (reject.raw, reject.sqlstate, reject.column) == ("3,no name", "23502", "name")


def test_a_file_without_the_merge_key(any_db: str, table: Connection, tmp_path: Path) -> None:
    write(tmp_path, {"customers_1": "id,name\n1,Ann\n", "customers_2": "name\nBen\n"})
    with pytest.raises(MappingError, match=r"by id, and .*customers_2\.csv has no id"):
        pgsluice.load(tmp_path, database_url=any_db, mode="upsert")


def test_a_replace_keeps_what_a_file_lacks(db: str, conn: Connection, tmp_path: Path) -> None:
    """A shadow table would lose the values of columns that a file lacks, so the rows are matched."""
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text DEFAULT 'new'); ")
    conn.execute("INSERT INTO t SELECT i, 'old', 'kept' FROM generate_series(1, 3) AS i")
    filler = "".join(f"{i},{'x' * 200}\n" for i in range(100, 90_000))
    write(tmp_path, {"t_1": "id,a,b\n1,one,uno\n", "t_2": "id,a\n2,two\n" + filler})
    result = pgsluice.load(tmp_path, database_url=db, mode="replace")
    assert [t.way for t in result.tables] == ["stage"]
    assert rows(conn, "SELECT * FROM t WHERE id < 101") == [
        (1, "one", "uno"), (2, "two", "kept"), (100, "x" * 200, "new")
    ]  # fmt: skip


def test_a_replay_of_each_file(any_db: str, table: Connection, tmp_path: Path) -> None:
    write(tmp_path, {"customers_1": "id,name\n1,Ann\nx,Ben\n", "customers_2": "id,name,score\n3,Cid,9\ny,Dan,8\n"})
    result = pgsluice.load(tmp_path, database_url=any_db, max_rejects="all")
    assert result.rejects.path is not None
    report = Path(result.rejects.path)
    corrected = tmp_path / "corrected"
    corrected.write_text(report.read_text().replace("x,Ben", "2,Ben").replace("y,Dan", "4,Dan"))
    pgsluice.replay(result.run_id, corrected, database_url=any_db)
    assert rows(table, "SELECT id, name, score FROM customers") == [
        (1, "Ann", 7), (2, "Ben", 7), (3, "Cid", 9), (4, "Dan", 8)
    ]  # fmt: skip


def test_they_are_said(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    write(tmp_path, {f"customers_{n}": f"id,name\n{n},Ann\n" for n in range(1, 8)})
    write(tmp_path, {"customers_8": "id,name,note,score\n8,Ben,x,1\n"})
    plan = call("plan", tmp_path, cwd=tmp_path, url=db)
    assert plan.code == 0, plan
    [line] = [line for line in plan.out.splitlines() if line.startswith("  not in ")][:1]
    assert line.endswith("customers_5.csv and 2 more: note (NULL), score (default: 7).")
    load = call("load", tmp_path, cwd=tmp_path, url=db)
    assert load.code == 0, load
    assert "customers: note, score not in " in load.out
    assert "customers_5.csv and 2 more; new rows have the default." in load.out


def test_two_thousand_columns_are_compared_at_once() -> None:
    names = tuple(f"c{i}" for i in range(2000))
    files = tuple(FilePlan(file=None, columns=own) for own in (names, names[::2]))  # type: ignore[arg-type]
    plan = TablePlan(table=None, files=files, after=(), way=Strategy.SWAP, why="")  # type: ignore[arg-type]
    began = time.process_time()
    assert plan.partial == plan.lacked[1] == names[1::2]
    assert time.process_time() - began < 1
