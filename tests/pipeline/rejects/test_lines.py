"""Rows that are refused after they stood in a table that is filled in place are named by the right line.

Their place in the heap tells which records they are, so every way by which rows come into such a table must keep
their order, also where rows are of very different length and pages have room left.
"""

from __future__ import annotations

import random
from pathlib import Path

import psycopg
import pytest

import pgsluice

SCHEMA = """
CREATE TABLE par (e text PRIMARY KEY);
INSERT INTO par VALUES ('parent');
CREATE TABLE t (id int, d date, e text {constraint}, j {type}, pad text{more});
"""
CONSTRAINTS = {
    "unique": "UNIQUE",
    "primary key": "PRIMARY KEY",
    "foreign key": "REFERENCES par",
    "check": "CHECK (e NOT LIKE 'bad%')",
}
# An aclitem has no binary form.
TYPES = {
    "int": ("1", "x"),
    "jsonb": ("{}", "no"),
    "int[]": ("{1}", "{x}"),
    "interval": ("1 day", "long"),
    "aclitem": ("=r/postgres", "x"),
}


def _file(path: Path, constraint: str, kind: str, dice: random.Random) -> dict[int, str]:
    """Writes a file; says which of its lines are to be refused, and as what."""
    good, bad = TYPES[kind]
    count = dice.choice((600, 1500, 4000))
    no_date = set(dice.sample(range(1, count), dice.randint(0, 5)))
    no_value = set(dice.sample(range(1, count), dice.randint(1, 3)))
    broken = set(dice.sample(range(6, count), 8))
    expected, seen = {}, set()
    lines = ["id,d,e,j,pad"]
    for n in range(1, count + 1):
        text = {"foreign key": "parent" if n % 7 else "", "check": f"good{n}"}.get(constraint, f"e{n}")
        if n in broken:
            text = {"foreign key": f"none{n}", "check": f"bad{n}"}.get(constraint, f"e{dice.randint(n - 5, n + 5)}")
        verdict = {"foreign key": "foreign_key", "check": "check"}.get(constraint, "unique")
        if n in no_date or n in no_value:
            expected[n + 1] = "value"
        elif text in seen if verdict == "unique" else n in broken:
            expected[n + 1] = verdict
        else:
            seen.add(text)
        pad = "x" * dice.choice((1, 1, dice.randint(1, 300), dice.randint(1, 3000)))
        lines.append(
            f"{n},{'2024-02-30' if n in no_date else '2024-02-20'},{text},{bad if n in no_value else good},{pad}"
        )
    path.write_text("\n".join(lines) + "\n")
    return expected


@pytest.mark.share(3)
@pytest.mark.parametrize("made", ["before", "by the load", "beside one with rows"])
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_lines_of_refused_rows(
    constraint: str, kind: str, made: str, conn: psycopg.Connection, db: str, tmp_path: Path
) -> None:
    dice = random.Random(f"{constraint} {kind} {made}")
    # Only an INSERT tells what a generated column becomes.
    more = ", twice int GENERATED ALWAYS AS (id * 2) STORED" if made == "beside one with rows" else ""
    schema = SCHEMA.format(constraint=CONSTRAINTS[constraint], type=kind, more=more)
    files = tmp_path / "files"
    files.mkdir()
    expected = _file(files / "t.csv", constraint, kind, dice)
    if made == "by the load":
        (tmp_path / "schema.sql").write_text(schema)
    else:
        conn.execute(schema.encode())
    if made == "beside one with rows":
        conn.execute("CREATE TABLE other (n int); INSERT INTO other VALUES (1)")
        (files / "other.csv").write_text("n\n2\n")
    result = pgsluice.load(
        files,
        database_url=db,
        schema=tmp_path / "schema.sql" if made == "by the load" else None,
        max_rejects="all",
    )
    assert {t.way for t in result.tables if t.table == "t"} == {"in place"}
    found = {r.line: r.kind for r in pgsluice.reject_rows(result.run_id, database_url=db)}
    assert found == expected
    kept = {n for (n,) in conn.execute("SELECT id FROM t")}
    assert kept == set(range(1, result.tables[-1].read + 1)) - {line - 1 for line in expected}


MOST = """
CREATE TABLE t (id int, k int, d date, j jsonb, pad text, more int DEFAULT 7,
  own int GENERATED ALWAYS AS IDENTITY UNIQUE, twice int GENERATED ALWAYS AS (k * 2) STORED{constraint});
CREATE UNIQUE INDEX once ON t ((100 / k)) WHERE k <> 0;
CREATE INDEX ON t (id);
"""


@pytest.mark.share(2)
@pytest.mark.parametrize("share", [0.4, 0.9, 1])
@pytest.mark.parametrize("doubts", [False, True])
@pytest.mark.parametrize("constraint", ["", ", CHECK (id % 10 <> 3)"])
def test_most_rows_are_refused(
    constraint: str, doubts: bool, share: float, conn: psycopg.Connection, db: str, tmp_path: Path
) -> None:
    """The few that stay are written anew, with what the file does not bring."""
    conn.execute(MOST.format(constraint=constraint))  # type: ignore[arg-type]
    dice = random.Random(f"{constraint}{doubts}{share}")
    lines, seen, stay, refused = ["id,k,d,j,pad"], set[int](), [], []
    for n in range(1500):
        # 100 / k is 0 from 101 on: one of those may stay. k = 0 is not in the index, and could not be asked for.
        k = 200 if dice.random() < share else 0
        value = "no" if doubts and n in (5, 700) else f'"{n}"' if doubts and n % 97 == 0 else "1"
        lines.append(f"{n},{k},2024-02-20,{value},{'x' * dice.choice((1, 400, 3000))}".replace('"', ""))
        bad = value == "no" or (constraint and n % 10 == 3) or (k and 0 in seen)
        if not bad and k:
            seen.add(0)
        (refused if bad else stay).append(n)
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    result = pgsluice.load(tmp_path / "t.csv", database_url=db, max_rejects="all")
    assert result.tables[0].way == "in place"
    assert [r.line for r in pgsluice.reject_rows(result.run_id, database_url=db)] == [n + 2 for n in refused]
    assert [row[0] for row in conn.execute("SELECT id FROM t ORDER BY id")] == stay
    assert conn.execute("SELECT count(*) FROM t WHERE more <> 7 OR twice <> 2 * k OR own IS NULL").fetchone() == (0,)
    assert result.tables[0].loaded == len(stay)
    assert conn.execute("SELECT count(*) FROM t WHERE id >= 0").fetchone() == (len(stay),)
