"""Row rules: they have the standing of CHECKs, whatever way the rows take."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import pgsluice
from pgsluice.errors import CallError, DatabaseError, MappingError
from pgsluice.model import RowRule, Severity

Connection = psycopg.Connection[tuple[object, ...]]

SCHEMA = """
CREATE TABLE p (id int PRIMARY KEY, q int, u numeric, t numeric CHECK (t < 100), note text DEFAULT 'x');
CREATE TABLE c (id int PRIMARY KEY, pid int REFERENCES p, d date);
"""
PARENTS = "id,q,u,t\n1,2,3,6\n2,2,3,7\n3,1,1,1\n3,1,1,2\n4,5,50,250\n"
CHILDREN = "id,pid,d\n1,1,2020-01-01\n2,2,2020-01-01\n3,3,2019-01-01\n4,1,2021-01-01\n"
RULES = [
    RowRule("total", "p", "t = q * u -- a comment"),
    RowRule("recent", "c", "d >= '2020-01-01'"),
    RowRule("several", "c", "EXISTS (SELECT FROM p WHERE p.id = c.pid AND p.q > 1)", description="a big order"),
]
REJECTED = [
    ("p.csv", 3, "rule", "total"),
    ("p.csv", 5, "rule", "total"),
    ("p.csv", 6, "check", "p_t_check"),
    ("c.csv", 3, "rule", "several"),
    ("c.csv", 4, "rule", "recent"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    (made / "p.csv").write_text(PARENTS)
    (made / "c.csv").write_text(CHILDREN)
    return made


def rejected(run_id: int, db: str) -> list[tuple[str, int, str, str]]:
    rows = pgsluice.reject_rows(run_id, database_url=db)
    return [(Path(r.file).name, r.line, r.kind, r.constraint) for r in rows]


@pytest.mark.share(2)
@pytest.mark.parametrize("mode", ["append", "upsert", "insert-missing", "replace"])
@pytest.mark.parametrize("holds", [False, True], ids=["empty", "filled"])
@pytest.mark.parametrize("resumable", [False, True], ids=["", "resumable"])
def test_rows_that_break_a_rule_are_rejects(
    db: str, conn: Connection, folder: Path, tmp_path: Path, mode: str, holds: bool, resumable: bool
) -> None:
    conn.execute(SCHEMA)
    if holds:
        conn.execute("INSERT INTO p VALUES (9, 1, 1, 1); INSERT INTO c VALUES (9, 9, '2021-01-01')")
    result = pgsluice.load(
        folder, database_url=db, data_dir=str(tmp_path), rules=RULES, mode=mode, max_rejects="all", resumable=resumable
    )
    assert result.status == "published"
    assert rejected(result.run_id, db) == REJECTED
    kept = 1 if holds and mode != "replace" else 0
    assert conn.execute("SELECT array_agg(id ORDER BY id) FROM p WHERE id < 9").fetchone() == ([1, 3],)
    assert conn.execute("SELECT count(*) FROM c").fetchone() == (2 + kept,)
    assert [(r.name, r.ok, r.count) for r in result.rules] == [
        ("total", False, 2),
        ("recent", False, 1),
        ("several", False, 1),
    ]
    messages = {r.message for r in pgsluice.reject_rows(result.run_id, database_url=db) if r.constraint == "several"}
    assert messages == {'row breaks the rule "several": a big order'}


def test_a_vetoed_run_keeps_its_rejects(db: str, conn: Connection, folder: Path, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    result = pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), rules=RULES)
    assert result.status == "vetoed"
    assert rejected(result.run_id, db) == REJECTED
    assert conn.execute("SELECT count(*) FROM p").fetchone() == (0,)


def test_a_rule_reads_columns_that_the_files_lack(db: str, conn: Connection, folder: Path, tmp_path: Path) -> None:
    conn.execute(
        "CREATE TABLE p (id int PRIMARY KEY, q int, u numeric, t numeric, note varchar(9) DEFAULT 'new',"
        " twice numeric GENERATED ALWAYS AS (t * 2) STORED);"
        "INSERT INTO p VALUES (1, 0, 0, 0, 'old'), (2, 0, 0, 0, 'keep')"
    )
    (folder / "c.csv").unlink()
    (folder / "p.csv").write_text("id,q,u,t\n1,1,1,1\n2,1,1,1\n3,1,1,1\n4,1,1,9\n")
    rules = [RowRule("note", "p", "note <> 'old'"), RowRule("twice", "p", "twice < 18")]
    result = pgsluice.load(
        folder, database_url=db, data_dir=str(tmp_path), rules=rules, mode="upsert", max_rejects="all"
    )
    assert rejected(result.run_id, db) == [("p.csv", 2, "rule", "note"), ("p.csv", 5, "rule", "twice")]
    assert conn.execute("SELECT id, q::int, note FROM p ORDER BY id").fetchall() == [
        (1, 0, "old"),
        (2, 1, "keep"),
        (3, 1, "new"),
    ]


def test_constraints_come_before_rules_where_postgresql_decides_row_by_row(
    db: str, conn: Connection, tmp_path: Path
) -> None:
    # The files lack d and s, so no query can ask the CHECKs of staged rows, and PostgreSQL decides row by row.
    conn.execute(
        "CREATE TABLE n (id int NOT NULL, v int NOT NULL CHECK (v < 90), w int, d int DEFAULT 3, s serial,"
        " CONSTRAINT differs CHECK (d <> id), CONSTRAINT numbered CHECK (s > w), UNIQUE (id));"
        "INSERT INTO n VALUES (99, 1, 0)"
    )
    (tmp_path / "n.csv").write_text("id,v,w\n1,1,0\n2,-1,0\n3,-1,0\n4,,0\n5,95,0\n6,1,0\n6,-1,0\n3,1,0\n7,1,99\n")
    rule = RowRule("positive", "n", "v BETWEEN 0 AND 89")
    result = pgsluice.load(tmp_path / "n.csv", database_url=db, data_dir=str(tmp_path), rules=[rule], max_rejects="all")
    assert sorted(rejected(result.run_id, db)) == [
        ("n.csv", 3, "rule", "positive"),
        ("n.csv", 4, "check", "differs"),
        ("n.csv", 5, "not_null", ""),
        ("n.csv", 6, "check", "n_v_check"),
        ("n.csv", 8, "rule", "positive"),
        ("n.csv", 9, "check", "differs"),
        ("n.csv", 10, "check", "numbered"),
    ]
    assert conn.execute("SELECT id FROM n ORDER BY 1").fetchall() == [(1,), (6,), (99,)]


def test_a_replay_is_asked_the_rules_of_its_run(db: str, conn: Connection, folder: Path, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    result = pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), rules=RULES, max_rejects="all")
    assert result.rejects.path is not None
    report = Path(result.rejects.path)
    corrected = report.read_text().replace("2,2,3,7", "2,2,3,6").replace("4,5,50,250", "4,5,5,26")
    report.write_text(corrected)
    again = pgsluice.replay(result.run_id, report, database_url=db, data_dir=str(tmp_path), max_rejects="all")
    assert [(line, kind, what) for _, line, kind, what in rejected(again.run_id, db)] == [
        (5, "rule", "total"),
        (6, "rule", "total"),
        (4, "rule", "recent"),
    ]
    assert conn.execute("SELECT array_agg(id ORDER BY id) FROM c").fetchone() == ([1, 2, 4],)


def test_a_large_replace_with_a_broken_rule_goes_through_a_stage(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE big (id int PRIMARY KEY, v text); INSERT INTO big VALUES (-1, 'old')")
    folder = tmp_path / "in"
    folder.mkdir()
    rows = 20_000
    (folder / "big.csv").write_text("id,v\n" + "".join(f"{i},{'x' * 900}\n" for i in range(rows)))
    # The row 77 of the table stays, as it does if a CHECK refuses the row of the files.
    for rule, way, left in (("id >= 0", "new table", rows), ("id <> 77", "stage", rows)):
        result = pgsluice.load(
            folder,
            database_url=db,
            data_dir=str(tmp_path),
            rules=[RowRule("r", "big", rule)],
            mode="replace",
            max_rejects=1,
            again=True,
        )
        assert [t.way for t in result.tables] == [way]
        assert conn.execute("SELECT count(*) FROM big").fetchone() == (left,)


@pytest.mark.parametrize(
    ("rules", "error", "words"),
    [
        ([RowRule("n", "p", "q + 1")], CallError, "its type is integer"),
        ([RowRule("m", "p", "q = 1"), RowRule("n", "p", "zz = 1", source="x.toml:7")], CallError, r"'n' \(x.toml:7\)"),
        ([RowRule("n", "p", "p IS NOT NULL")], CallError, "reads the row as a whole"),
        ([RowRule("n", "p", "EXISTS (SELECT FROM c)")], CallError, "reads c, which is not loaded before p"),
        ([RowRule("n", "pp", "true")], MappingError, "'pp', which is not a table"),
        ([RowRule("n", "p", "q = 1"), RowRule("n", "p", "q = 2")], CallError, "two rules are called 'n'"),
        ([RowRule("n", "p", "1 / (q - 1) > 0")], DatabaseError, "division by zero"),
        ([RowRule("n", "p", "q = 1", Severity.VETO)], CallError, "rejects or warns"),
    ],
)
def test_wrong_rules(
    db: str, conn: Connection, folder: Path, tmp_path: Path, rules: list[RowRule], error: type, words: str
) -> None:
    conn.execute(SCHEMA)
    with pytest.raises(error, match=words):
        pgsluice.load(folder, database_url=db, data_dir=str(tmp_path), rules=rules, max_rejects="all")
    assert conn.execute("SELECT count(*) FROM p").fetchone() == (0,)
