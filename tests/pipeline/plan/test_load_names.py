"""Names that would break SQL put together by hand: they are names, and nothing happens but the load."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from command import Ended, call
from pgsluice import api

Connection = psycopg.Connection[tuple[object, ...]]

HOSTILE = [
    '"; drop table',
    "'; DROP TABLE victim; --",
    "100%",
    "%s",
    "%(name)s",
    "{}",
    "{0}",
    "$$",
    "$1",
    "line\nbreak",
    "Upper Case",
    "select",
    "user",
    "back\\slash",
    "naïve, ключ 鍵",
    "x" * 63,
    "ü" * 31,
    "pgsluice_ord",
    "ctid ",
    "r",
    "s.t",
]


def name(*parts: str) -> sql.Identifier:
    return sql.Identifier(*parts)


def write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_bytes(text.getvalue().encode())


def load(uri: str, folder: Path, *arguments: str) -> Ended:
    ended = call("load", *arguments, "--max-rejects", "all", "--json", cwd=folder, url=uri)
    assert ended.code == 0, ended
    return ended


def books(ended: Ended) -> list[tuple[str, int, int, int]]:
    return [(t["table"], t["read"], t["loaded"], t["rejected"]) for t in ended.json["tables"]]


def kinds(uri: str) -> dict[str, tuple[str, str]]:
    """Raw record of each reject of the last run: its kind and column."""
    run_id, _ = api.rejects(database_url=uri)
    return {r.raw: (r.kind, r.column) for r in api.reject_rows(run_id, database_url=uri)}


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_hostile_columns(filled: bool, any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    """All of them as keys, checked and referring columns, in place and through a stage, with rejects."""
    conn = any_conn
    conn.execute("CREATE TABLE victim (id integer)")
    columns = sql.SQL(", ").join(
        sql.SQL("{} integer NOT NULL CONSTRAINT {} CHECK ({} >= 0)").format(name(c), name(f"c {c}"[:60]), name(c))
        for c in HOSTILE
    )
    conn.execute(sql.SQL("CREATE TABLE odd (id integer PRIMARY KEY, {})").format(columns))
    for i, c in enumerate(HOSTILE):
        conn.execute(sql.SQL("CREATE UNIQUE INDEX {} ON odd ({})").format(name(f"i{i} {c}"[:60]), name(c)))
    conn.execute(
        sql.SQL("ALTER TABLE odd ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES odd ({})").format(
            name('fk"; --'), name(HOSTILE[0]), name(HOSTILE[1])
        )
    )
    if filled:
        conn.execute(sql.SQL("INSERT INTO odd SELECT 0, {}").format(sql.SQL(", ").join([sql.SQL("0")] * len(HOSTILE))))
    count = len(HOSTILE)
    rows = [[n, *[n] * count] for n in range(1, 8)]
    rows[2][1:] = ["x"] * count  # value
    rows[3][5] = -1  # check
    rows[4][9] = ""  # not null
    rows[5][11] = 1  # unique
    rows[6][1] = 99  # foreign key
    write(tmp_path / "odd.csv", [["id", *HOSTILE], *rows])
    assert books(load(any_db, tmp_path, "odd.csv")) == [("odd", 7, 2, 5)]
    assert conn.execute("SELECT array_agg(id ORDER BY id) FROM odd WHERE id > 0").fetchone() == ([1, 2],)
    assert [kind for kind, _ in sorted(kinds(any_db).values())] == sorted(
        ["check", "foreign_key", "not_null", "unique", "value"]
    )
    assert {column for kind, column in kinds(any_db).values() if kind in ("check", "not_null")} == {
        HOSTILE[4],
        HOSTILE[8],
    }
    assert conn.execute("SELECT to_regclass('victim')::text").fetchone() == ("victim",)
    assert call("verify", cwd=tmp_path, url=any_db).code == 0


def test_hostile_tables(db: str, conn: Connection, tmp_path: Path) -> None:
    """Each is the parent of the next; the file's name cannot always be the table's, so --table says it."""
    arguments = []
    for i, table in enumerate(HOSTILE):
        parent = sql.SQL("REFERENCES {}").format(name(HOSTILE[i - 1])) if i else sql.SQL("")
        conn.execute(sql.SQL("CREATE TABLE {} (id integer PRIMARY KEY {})").format(name(table), parent))
        write(tmp_path / f"f{i}.csv", [["id"], [1], [2], [3] if i else [4], [1]])
        quoted = f'"{table}"' if "." in table else table
        arguments += [f"f{i}.csv", "--table", f"{quoted}=f{i}.csv"]
    ended = load(db, tmp_path, *arguments)
    assert [(read, loaded, rejected) for _, read, loaded, rejected in books(ended)] == [
        (4, 3, 1),
        *[(4, 2, 2)] * (len(HOSTILE) - 1),
    ]
    for table in HOSTILE[1:]:
        assert conn.execute(sql.SQL("SELECT count(*) FROM {}").format(name(table))).fetchone() == (2,)
    assert call("verify", cwd=tmp_path, url=db).code == 0
    assert call("plan", *arguments, cwd=tmp_path, url=db).code == 0


def test_names_of_pgsluice_itself(db: str, conn: Connection, tmp_path: Path) -> None:
    """Tables called like its temporary ones, and columns like its own, in both ways."""
    tables = [
        "pgsluice_stage_0",
        "pgsluice_text_stage_0",
        "pgsluice_reject",
        "pgsluice_violation",
        "pgsluice_rejected_keys_0",
    ]
    for i, table in enumerate(tables):
        parent = f"REFERENCES {tables[i - 1]}" if i else ""
        conn.execute(
            f"CREATE TABLE {table} (pgsluice_ordinal integer PRIMARY KEY {parent}, ordinal integer, table_no integer,"
            " row_id integer CHECK (row_id > 0), kind varchar(3))"
        )
        write(
            tmp_path / f"{table}.csv",
            [
                ["pgsluice_ordinal", "ordinal", "table_no", "row_id", "kind"],
                *([n, n, n, n, "abc"] for n in (1, 2, 3)),
                [4, 4, 4, -4, "abc"],
                [5, 5, 5, 5, "abcd"],
                [3, 6, 6, 6, "abc"],
            ],
        )
    files = [f"{table}.csv" for table in tables]
    first = load(db, tmp_path, *files)
    assert [row[1:] for row in books(first)] == [(6, 3, 3)] * 5
    again = load(db, tmp_path, *files, "--again")
    assert [row[1:] for row in books(again)] == [(6, 0, 6)] * 5
    sums = "SELECT sum(pgsluice_ordinal), sum(ordinal), sum(table_no), sum(row_id) FROM pgsluice_stage_0"
    assert conn.execute(sums).fetchone() == (6, 6, 6, 6)


def test_hostile_enum_labels(any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    conn = any_conn
    labels = [label for label in HOSTILE if len(label.encode()) <= 63]
    conn.execute(
        sql.SQL("CREATE TYPE odd AS ENUM ({})").format(sql.SQL(", ").join(sql.Literal(label) for label in labels))
    )
    conn.execute("CREATE TABLE marks (id integer PRIMARY KEY, mark odd)")
    write(tmp_path / "marks.csv", [["id", "mark"], *enumerate(labels, start=1), [99, "none of them"]])
    assert books(load(any_db, tmp_path, "marks.csv")) == [("marks", len(labels) + 1, len(labels), 1)]
    assert conn.execute("SELECT mark::text FROM marks ORDER BY id").fetchall() == [(label,) for label in labels]
    assert kinds(any_db) == {"99,none of them": ("value", "mark")}


def test_schema_with_a_hostile_name_by_into(db: str, conn: Connection, tmp_path: Path) -> None:
    schema = 'My "Shop"; %s'
    conn.execute(sql.SQL("CREATE SCHEMA {}").format(name(schema)))
    for where in ("public", schema):
        conn.execute(sql.SQL("CREATE TABLE {} (id integer PRIMARY KEY)").format(name(where, "parents")))
        conn.execute(
            sql.SQL("CREATE TABLE {} (id integer PRIMARY KEY, p integer REFERENCES {})").format(
                name(where, "Children"), name(where, "parents")
            )
        )
    write(tmp_path / "parents.csv", [["id"], [1], [1]])
    write(tmp_path / "children.csv", [["id", "p"], [1, 1], [2, 2]])
    ended = load(db, tmp_path, "children.csv", "parents.csv", "--into", schema)
    assert [row[1:] for row in books(ended)] == [(2, 1, 1), (2, 1, 1)]
    assert conn.execute(sql.SQL("SELECT * FROM {}").format(name(schema, "Children"))).fetchall() == [(1, 1)]
    assert conn.execute("SELECT count(*) FROM parents").fetchone() == (0,)
    assert call("verify", "--into", schema, cwd=tmp_path, url=db).code == 0


def test_table_in_another_schema_by_table(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(
        "CREATE SCHEMA other; CREATE TABLE other.t (id integer PRIMARY KEY); CREATE TABLE t (id integer PRIMARY KEY);"
        "CREATE TABLE child (id integer PRIMARY KEY, t integer REFERENCES other.t)"
    )
    write(tmp_path / "x1.csv", [["id"], [1], [2], [2]])
    write(tmp_path / "child.csv", [["id", "t"], [1, 1], [2, 7]])
    ended = load(db, tmp_path, "x1.csv", "child.csv", "--table", "other.t=x*.csv")
    assert books(ended) == [("other.t", 3, 2, 1), ("child", 2, 1, 1)]
    assert conn.execute("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM other.t)").fetchone() == (0, 2)


def test_search_path_does_not_decide_over_operators(db: str, conn: Connection, tmp_path: Path) -> None:
    """A role's search_path with an operator = of its own before PostgreSQL's: foreign keys do not care."""
    conn.execute(
        "CREATE SCHEMA trap; CREATE FUNCTION trap.never(integer, integer) RETURNS boolean IMMUTABLE LANGUAGE sql"
        " AS 'SELECT false'; CREATE OPERATOR trap.= (FUNCTION = trap.never, LEFTARG = integer, RIGHTARG = integer);"
        "CREATE TABLE parents (id integer PRIMARY KEY);"
        "CREATE TABLE children (id integer PRIMARY KEY, p integer REFERENCES parents)"
    )
    conn.execute(sql.SQL("ALTER DATABASE {} SET search_path = public, trap, pg_catalog").format(name(conn.info.dbname)))
    write(tmp_path / "parents.csv", [["id"], [1], [2], [2]])
    write(tmp_path / "children.csv", [["id", "p"], [1, 1], [2, 9]])
    assert [row[1:] for row in books(load(db, tmp_path, "parents.csv", "children.csv"))] == [(3, 2, 1), (2, 1, 1)]


@pytest.mark.parametrize("file_form", ["NFC", "NFD"])
@pytest.mark.parametrize("table_form", ["NFC", "NFD"])
def test_letters_with_accents_in_either_form(
    db: str, conn: Connection, tmp_path: Path, file_form: str, table_form: str
) -> None:
    """macOS may write a letter and its accent as two characters."""
    in_table, in_file = (partial(unicodedata.normalize, form) for form in (table_form, file_form))
    table, column, other = in_table("bestände"), in_table("größe"), in_table("preis_übrig")
    conn.execute(
        sql.SQL("CREATE TABLE {} ({} int, {} int)").format(*(sql.Identifier(n) for n in (table, column, other)))
    )
    (tmp_path / f"{in_file('Bestände')}_01.csv").write_text(f"{in_file('Größe')},x{in_file('é')}\n1,2\n")
    result = api.load(tmp_path, database_url=db, columns=[("xé", other)], data_dir=str(tmp_path / "d"))
    assert result.tables[0].loaded == 1
    odd = tmp_path / f"{in_file('müll')}.csv"
    odd.write_text(f"{in_file('Größe')}\n3\n")
    api.load(
        odd, database_url=db, tables=[(unicodedata.normalize("NFC", "bestände"), "mü*")], data_dir=str(tmp_path / "d")
    )
    assert conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone() == (2,)
