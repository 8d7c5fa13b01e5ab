"""``--column``: fields that are not called like their columns, and fields that are left out."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import CallError, MappingError
from pgsluice.model import LoadOptions
from pgsluice.options import restore_options

SCHEMA = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, amount numeric(8,2) CHECK (amount > 0),
  note text DEFAULT 'none');
"""
COLUMNS = [
    ("", ""),  # what pandas calls an index
    ("customers.cust no", "id"),
    ("cust no", "customer_id"),
    ("order=no", "id"),
    ("orders.remark", ""),
    ("amount.net", "amount"),
]
CUSTOMERS = ",cust no,name\n0,1,Ann\n1,2,Ben\n"
ORDERS = (
    ",cust no,remark,order=no,amount.net\n"
    '0,1,"a ""quoted"" remark,\nof two lines",10,1.50\n'
    "1,2,,11,2\n"
)  # fmt: skip


@pytest.fixture
def shop(conn: psycopg.Connection, tmp_path: Path) -> psycopg.Connection:
    conn.execute(SCHEMA)
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    (tmp_path / "orders.csv").write_text(ORDERS)
    return conn


def orders(conn: psycopg.Connection) -> list[tuple[object, ...]]:
    return conn.execute("SELECT id, customer_id, amount::text, note FROM orders ORDER BY id").fetchall()


@pytest.mark.parametrize("mode", ["append", "upsert"])
@pytest.mark.parametrize("held", [False, True])
def test_renamed_and_left_out(mode: str, held: bool, shop: psycopg.Connection, db: str, tmp_path: Path) -> None:
    if held:
        shop.execute("INSERT INTO customers VALUES (9, 'Zoe'); INSERT INTO orders VALUES (99, 9, 1, 'kept')")
    result = pgsluice.load(tmp_path, database_url=db, columns=COLUMNS, mode=mode)
    assert [t.way for t in result.tables] == ["stage" if held else "in place"] * 2
    kept = [(99, 9, "1.00", "kept")] if held else []
    assert orders(shop) == [(10, 1, "1.50", "none"), (11, 2, "2.00", "none"), *kept]


def test_rejects_keep_whole_records(shop: psycopg.Connection, db: str, tmp_path: Path) -> None:
    bad = {
        5: "2,1,x,12,many",
        6: "3,1,x,12,-1",
        7: "4,7,x,12,1",
        8: "5,1,x,10,1",
        9: "6,1,x,12",
        10: '7,1,"x,12,1',
    }
    (tmp_path / "orders.csv").write_text(ORDERS + "\n".join(bad.values()) + "\n")
    result = pgsluice.load(tmp_path, database_url=db, columns=COLUMNS, max_rejects="all")
    found = {r.line: (r.kind, r.column, r.raw) for r in pgsluice.reject_rows(result.run_id, database_url=db)}
    assert found == {
        5: ("value", "amount", bad[5]),
        6: ("check", "amount", bad[6]),
        7: ("foreign_key", "customer_id", bad[7]),
        8: ("unique", "id", bad[8]),
        9: ("structure", "", bad[9]),
        10: ("structure", "", bad[10]),
    }
    assert [row[0] for row in orders(shop)] == [10, 11]


def test_replay_leaves_the_same_out(shop: psycopg.Connection, db: str, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS + '2,1,"x, y",12,many\n3,1,,13\n')
    result = pgsluice.load(tmp_path, database_url=db, columns=COLUMNS, max_rejects="all")
    report = Path(str(result.rejects.path))
    report.write_text(report.read_text().replace("many", "3.25").replace("3,1,,13", "3,2,,13,4"))
    again = pgsluice.replay(result.run_id, report, database_url=db)
    assert (again.tables[0].loaded, again.rejects.count) == (2, 0)
    assert orders(shop)[2:] == [(12, 1, "3.25", "none"), (13, 2, "4.00", "none")]


def test_resume_knows_them() -> None:
    options = LoadOptions(columns=tuple(COLUMNS), resumable=True)
    assert restore_options(json.loads(json.dumps(asdict(options)))) == options


def test_command(shop: psycopg.Connection, db: str, tmp_path: Path) -> None:
    options = [word for field, column in COLUMNS for word in ("--column", f"{field}={column}")]
    shown = call("plan", tmp_path, *options, cwd=tmp_path, url=db)
    assert "orders: '' -> left out, cust no -> customer_id, remark -> left out, order=no -> id" in shown.out
    done = call("load", tmp_path, *options, cwd=tmp_path, url=db)
    assert done.code == 0, done.err
    assert len(orders(shop)) == 2


@pytest.mark.parametrize(
    ("columns", "message", "remedy"),
    [
        ([], "customers has no column 'cust no', for the field without a name (1)", "--column = leaves out"),
        ([("", "")], "customers has no column 'cust no'", "--column 'cust no='"),
        ([("", ""), ("cust no", "customer")], "customers has no column 'customer'", "id, name"),
        ([*COLUMNS, ("oders.remark", "")], "--column oders.remark= names a field that no file has", "first line"),
        ([("orders.cust no", "id"), *COLUMNS], "column id comes twice", "one of them only"),
        ([("name", ""), *COLUMNS], "customers.name is required", ""),
    ],
)
def test_mistakes(
    columns: list[tuple[str, str]], message: str, remedy: str, shop: psycopg.Connection, db: str, tmp_path: Path
) -> None:
    with pytest.raises(MappingError) as caught:
        pgsluice.load(tmp_path, database_url=db, columns=columns)
    assert message in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("text", "columns", "message", "remedy"),
    [
        # No first line with names: nothing can be said of a field.
        ("1,a,5\n2,b,6\n", [("a", "")], "--column a= names a field that no file has", "first line"),
        ("1,,5\n2,b,6\n", [("", "")], "--column = names a field that no file has", "first line"),
        ("id,s,s\n1,a,b\n", [], "column s comes twice ('s', 's')", "Give them names of their own in the file"),
        ("id,x,s\n1,a,b\n", [("x", "s")], "column s comes twice ('x', 's')", "Leave one out with --column s="),
    ],
)
def test_fields_that_cannot_be_told(
    text: str,
    columns: list[tuple[str, str]],
    message: str,
    remedy: str,
    conn: psycopg.Connection,
    db: str,
    tmp_path: Path,
) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, s text, n int)")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(MappingError) as caught:
        pgsluice.load(tmp_path, database_url=db, columns=columns, header=None if text.startswith("id") else False)
    assert message in caught.value.message
    assert remedy in caught.value.remedy
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_no_pair(db: str, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="no pair"):
        pgsluice.load(tmp_path, database_url=db, columns=["id"])  # type: ignore[list-item]
    wrong = call("load", tmp_path, "--column", "id", cwd=tmp_path, url=db)
    wrong.complaint(2, "--column id is not FIELD=COLUMN")


def test_fields_named_in_order(conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    """Names that come twice or are empty: the options that the message prints load the file."""
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, s text, n int)")
    (tmp_path / "t.csv").write_text("id,s,s,,n\n1,a,b,,5\n")
    options: list[str] = []
    for said in ("for the field without a name (4)", "s comes twice"):
        wrong = call("load", "t.csv", *options, cwd=tmp_path, url=db)
        assert wrong.code == 2, wrong
        assert said in wrong.err, wrong.err
        named = re.search(r"--header --columns \S+", wrong.err)
        assert named is not None, wrong.err
        options = options or ["--column", "="]
    assert call("load", "t.csv", *shlex.split(named[0]), cwd=tmp_path, url=db).code == 0
    assert conn.execute("SELECT * FROM t").fetchall() == [(1, "a", 5)]


@pytest.mark.parametrize("mark", ["\u200b", "\ufeff", "\u2060", "\u00ad"])
def test_an_invisible_character_in_a_name_is_shown_and_the_remedy_can_be_copied(
    db: str, conn: psycopg.Connection, tmp_path: Path, mark: str
) -> None:
    """The error shows the character as an escape, and ``--column`` takes the escape."""
    conn.execute("CREATE TABLE nodes (id int, fingerprint text)")
    path = tmp_path / "nodes.csv"
    path.write_text(f"id,{mark}fingerprint\n1,AA\n")
    failed = call("load", path, "--database-url", db, cwd=tmp_path)
    assert failed.code == 2
    escape = mark.encode("unicode_escape").decode()
    remedy = re.search(r"--column '[^']*'", failed.err)
    assert remedy is not None
    assert escape in remedy[0]
    done = call("load", path, "--database-url", db, *shlex.split(remedy[0]), cwd=tmp_path)
    assert done.code == 0, done.err
    assert conn.execute("SELECT * FROM nodes").fetchall() == [(1, "AA")]
