"""Constants and expressions: their results are judged like values of the files."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import MappingError
from pgsluice.model import Plan

Connection = psycopg.Connection[tuple[object, ...]]

SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name varchar(12) NOT NULL, born date, source text NOT NULL, size numeric(4,1));
CREATE TABLE pets (id int PRIMARY KEY, owner int REFERENCES people, name text);
"""
RULES = [
    {"table": "people", "column": "name", "expression": "\"First Name\" || ' ' || upper(last) -- a comment"},
    {"table": "people", "column": "born", "expression": "to_date(born, 'DD.MM.YYYY')"},
    {"table": "people", "column": "source", "constant": "it's"},
    {"table": "people", "column": "size", "expression": "round(replace(cm, ',', '.')::numeric / 100, 1)"},
]
PEOPLE = """id,First Name,last,born,cm
1,Ann,Ash,03.04.2020,"170,4"
2,Bo,Birch,31.12.1999,
3,,Cedar,01.01.2000,1
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def rows(conn: Connection, table: str = "people") -> list[str]:
    found = conn.execute(f"SELECT {table}::text FROM {table} ORDER BY id").fetchall()  # type: ignore[arg-type]
    return [str(text) for (text,) in found]


GOOD = ['(1,"Ann ASH",2020-04-03,it\'s,1.7)', '(2,"Bo BIRCH",1999-12-31,it\'s,)']


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("resumable", [False, True])
def test_values_and_rejects(held: bool, resumable: bool, any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    any_conn.execute(SCHEMA)
    if held:
        any_conn.execute("INSERT INTO people VALUES (99, 'held', NULL, 'x')")
    bad = (
        "4,Dan,Dogwood,32.01.2000,1\n"  # the expression fails
        "x,Eve,Elm,01.01.2000,1\n"  # a field that is no value
        "5,Fay,Fraser-Magnolia,01.01.2000,1\n"  # the result is too long
        '6,Gus,Gum,01.01.2000,"123456,7"\n'  # the result is too large
        "7,Hal,Hazel,01.01.2000\n"  # no record
        "1,Ivy,Ironwood,01.01.2000,1\n"  # a duplicate
    )
    write(tmp_path, people=PEOPLE + bad, pets="id,owner,name\n1,1,Rex\n2,4,Tom\n")
    result = pgsluice.load(tmp_path, database_url=any_db, column_rules=RULES, max_rejects="all", resumable=resumable)
    assert rows(any_conn)[:2] == GOOD
    assert len(rows(any_conn)) == 2 + held
    rejects = {r.raw: (r.line, r.sqlstate, r.column) for r in pgsluice.reject_rows(result.run_id, database_url=any_db)}
    assert rejects == {
        "3,,Cedar,01.01.2000,1": (4, "23502", "name"),
        "4,Dan,Dogwood,32.01.2000,1": (5, "22008", "born"),
        "x,Eve,Elm,01.01.2000,1": (6, "22P02", "id"),
        "5,Fay,Fraser-Magnolia,01.01.2000,1": (7, "22001", "name"),
        '6,Gus,Gum,01.01.2000,"123456,7"': (8, "22003", "size"),
        "7,Hal,Hazel,01.01.2000": (9, "22P04", ""),
        "1,Ivy,Ironwood,01.01.2000,1": (10, "23505", "id"),
        "2,4,Tom": (3, "23503", "owner"),
    }


def test_a_replay_computes_too(any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    any_conn.execute(SCHEMA)
    write(tmp_path, people=PEOPLE.replace("31.12.1999", "31.31.1999"))
    result = pgsluice.load(tmp_path, database_url=any_db, column_rules=RULES, max_rejects="all")
    assert rows(any_conn) == GOOD[:1]
    assert result.rejects.path is not None
    corrected = tmp_path / "corrected"
    corrected.write_text(Path(result.rejects.path).read_text().replace("31.31", "31.12").replace('"3,,C', '"3,Cy,C'))
    again = pgsluice.replay(result.run_id, corrected, database_url=any_db)
    assert (again.status, again.tables[0].loaded) == ("published", 2)
    assert rows(any_conn) == [*GOOD, '(3,"Cy CEDAR",2000-01-01,it\'s,0.0)']


def test_an_upsert_computes_and_compares(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    conn.execute("INSERT INTO people VALUES (1, 'Ann ASH', '2020-04-03', 'it''s', 1.7), (2, 'Old', NULL, 'x', 1)")
    write(tmp_path, people="".join(PEOPLE.splitlines(keepends=True)[:3]))
    result = pgsluice.load(tmp_path, database_url=db, column_rules=RULES, mode="upsert")
    [table] = result.tables
    assert (table.inserted, table.updated, table.unchanged) == (0, 1, 1)
    assert rows(conn) == GOOD


def test_files_with_other_fields(db: str, conn: Connection, tmp_path: Path) -> None:
    """Files of one table may have other fields in another order, and formats of columns apply to fields."""
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text, price numeric)")
    rules = [{"table": "t", "column": "b", "expression": "coalesce(nullif(extra, ''), a, 'none')"}]
    write(tmp_path, t_1='id,a,extra,price\n1,x,y,"1,5"\n2,x,,\n', t_2="extra,a,id\n,,3\nz,,4\n")
    pgsluice.load(tmp_path, database_url=db, column_rules=rules, decimal=[","])
    assert rows(conn, "t") == ["(1,x,y,1.5)", "(2,x,x,)", "(3,,none,)", "(4,,z,)"]


def test_no_header_and_no_field_of_a_column(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE u (id int, total int, seen bool)")
    rules = [
        {"table": "t", "column": "a", "constant": "c"},
        {"table": "u", "column": "total", "expression": "x::int + y::int"},
        {"table": "u", "column": "id", "expression": "length(x)"},
        {"table": "u", "column": "seen", "constant": "true"},
    ]
    write(tmp_path, u="x,y\n1,2\n")
    pgsluice.load(tmp_path, database_url=db, column_rules=rules)
    write(tmp_path, t="7\n8\n")
    pgsluice.load(tmp_path / "t.csv", database_url=db, column_rules=rules, header=False)
    assert (rows(conn, "u"), rows(conn, "t")) == (["(1,3,t)"], ["(7,c)", "(8,c)"])


def test_functions_of_the_user_and_names_of_the_program(any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    """Fields may have the names of a program's variables, and a function of the user is found by the user's path."""
    any_conn.execute(
        "CREATE TABLE t (id int PRIMARY KEY, a text);"
        "CREATE FUNCTION twice(x text) RETURNS text LANGUAGE sql AS $$ SELECT x || x $$"
    )
    rules = [{"table": "t", "column": "a", "expression": "twice(code || pgsluice_field) || (10 / d::int)"}]
    write(tmp_path, t="id,code,pgsluice_field,d\n1,a,b,2\n2,a,b,0\n3,c,d,5\n")
    result = pgsluice.load(tmp_path, database_url=any_db, column_rules=rules, max_rejects=1)
    assert rows(any_conn, "t") == ["(1,abab5)", "(3,cdcd2)"]
    [reject] = pgsluice.reject_rows(result.run_id, database_url=any_db)
    assert (reject.raw, reject.sqlstate, reject.column) == ("2,a,b,0", "22012", "a")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("upper(", "is not one expression"),
        ("a) || (b", "is not one expression"),
        ("a; DROP TABLE t", "is not one expression"),
        ("nothing", 'cannot be computed for .*: column "nothing" does not exist'),
        ("upper(a, a)", r"function upper\(text, text\) does not exist"),
        ("'a", "t.a"),
        ("", "is not one expression"),
    ],
)
def test_expressions_that_are_not_understood(
    expression: str, message: str, db: str, conn: Connection, tmp_path: Path
) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    write(tmp_path, t="id,a\n1,x\n")
    with pytest.raises(MappingError, match=message):
        pgsluice.plan(tmp_path, database_url=db, column_rules=[{"table": "t", "column": "a", "expression": expression}])
    assert rows(conn, "t") == []


def test_from_a_file_of_settings(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, a text, n int)")
    write(tmp_path, t="id,A b,unused\n1,x,\n")
    toml = (
        "[tables.t]\nignore = ['unused']\n[tables.t.columns.a]\nexpression = '''\n upper(a_b)\n'''\n"
        "[tables.t.columns.n]\nconstant = 5\n"
    )
    (tmp_path / "pgsluice.toml").write_text(toml)
    plan = call("plan", ".", cwd=tmp_path, url=db)
    assert plan.code == 0, plan
    assert "  a = upper(a_b)\n  n = '5'\n" in plan.out
    assert call("load", ".", cwd=tmp_path, url=db).code == 0
    assert rows(conn, "t") == ["(1,X,5)"]
    (tmp_path / "pgsluice.toml").write_text(toml.replace("constant = 5", "constant = 5\nfrom = 'x'"))
    call("load", ".", cwd=tmp_path, url=db).complaint(2, "pgsluice.toml:7: column n of t has from and constant")


def test_a_large_file_and_what_is_not_done(db: str, conn: Connection, tmp_path: Path) -> None:
    """A replace computes through a stage: a shadow table takes no row of a text stage."""
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (0, 'old')")
    write(tmp_path, t="id,a\n" + "".join(f"{i},{'x' * 200}\n" for i in range(90_000)))
    rules = [{"table": "t", "column": "a", "expression": "left(a, 2) || id"}]
    planned: Plan = pgsluice.plan(tmp_path, database_url=db, column_rules=rules, mode="replace")
    assert "columns are computed" in planned.tables[0].why
    pgsluice.load(tmp_path, database_url=db, column_rules=rules, mode="replace")
    assert conn.execute("SELECT count(*), min(a), max(length(a)) FROM t").fetchone() == (90_000, "xx0", 7)


def test_a_computed_date_is_not_read_by_luck(any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    any_conn.execute("CREATE TABLE t (id int PRIMARY KEY, d date, e timestamp)")
    rules = [
        {"table": "t", "column": "d", "expression": "replace(x, '_', '.')"},
        {"table": "t", "column": "e", "expression": "coalesce(y, '2020-01-01')"},
    ]
    write(tmp_path, t="id,x,y\n1,02_01_2020,\n2,2020-03-04,\n3,,04/05/2020 10:00\n4,02_01_2020,1/2/2020\n")
    result = pgsluice.load(tmp_path, database_url=any_db, column_rules=rules, max_rejects="all")
    assert rows(any_conn, "t") == ['(2,2020-03-04,"2020-01-01 00:00:00")']
    rejects = [
        (r.line, r.column, r.sqlstate, r.message) for r in pgsluice.reject_rows(result.run_id, database_url=any_db)
    ]
    assert [reject[:3] for reject in rejects] == [(2, "d", "22007"), (4, "e", "22007"), (5, "d", "22007")]
    said = 'nothing says whether day or month comes first in "02.01.2020"; the expression can: to_date(field, '
    assert rejects[0][3].startswith(said)
    # A DateStyle that the user has set decides.
    write(tmp_path, t="id,x,y\n5,02_01_2020,\n")
    pgsluice.load(tmp_path, database_url=any_db + "&options=-cDateStyle%3DGerman", column_rules=rules)
    assert rows(any_conn, "t")[1] == '(5,2020-01-02,"2020-01-01 00:00:00")'
