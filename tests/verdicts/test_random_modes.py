"""Modes against a model: random rows in a table, random files, and what a run makes of them row by row.

The model is the text of ``docs/how-to/modes.md`` in Python. It is asked of tables with a simple and a composite
key, with and without triggers, in which case rows cannot be judged in sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg
import pytest

import pgsluice
from pgsluice.errors import DatabaseError

Key = tuple[int, ...]
Row = tuple[int | None, str | None, int]

SCHEMA = """
DROP TABLE IF EXISTS t, parent CASCADE;
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent VALUES (1), (2), (3);
CREATE TABLE t ({keys}, p int REFERENCES parent, v text CHECK (v <> 'no'), n int NOT NULL, PRIMARY KEY ({key}));
CREATE OR REPLACE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE OR REPLACE FUNCTION no_nine() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN IF new.n = 9 THEN RAISE ''nine''; END IF; RETURN new; END';
"""
TRIGGERS = {
    "": "",
    "before": "CREATE TRIGGER a BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION pass()",
    "after": "CREATE TRIGGER a AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no_nine()",
}


@dataclass
class Case:
    """Drawn from a seed."""

    mode: str
    delete_missing: bool
    trigger: str
    columns: tuple[str, ...]
    initial: dict[Key, Row]
    records: list[list[str]]


@dataclass
class Outcome:
    rows: dict[Key, Row]
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejects: dict[int, str] = field(default_factory=dict)
    """By line; of a row that comes second, and would be refused for another reason as well: either."""
    ends: bool = False
    """With an error, because rows are to be deleted and nobody knows whose row a record is."""


def draw(seed: int) -> Case:
    random = Random(seed)
    columns = random.choice([("id",), ("id",), ("id", "id2")])
    most = random.randint(1, 12)

    def key() -> Key:
        return tuple(random.randint(1, most) for _ in columns)

    def row() -> Row:
        return random.choice([None, 1, 2, 3]), random.choice([None, "a", "b"]), random.randint(1, 8)

    initial = {key(): row() for _ in range(random.randint(1, 10))}
    dirty = random.choice([0, 0, 0.1, 0.3])
    records = []
    for _ in range(random.randint(1, 14)):
        one, values = key(), row()
        if random.random() < 0.4:
            one = random.choice(list(initial))
            values = initial[one] if random.random() < 0.5 else (*initial[one][:2], random.randint(1, 8))
        record = ["" if value is None else str(value) for value in (*one, *values)]
        if random.random() < dirty:
            place, text = random.choice([(-3, "77"), (-2, "no"), (-1, "x"), (-1, ""), (-1, "9"), (0, "x")])
            record[place] = text
        records.append(record)
    mode = random.choice(["upsert", "upsert", "insert-missing", "replace"])
    delete_missing = mode == "upsert" and random.random() < 0.3
    return Case(mode, delete_missing, random.choice(list(TRIGGERS)), columns, initial, records)


def model(case: Case) -> Outcome:
    width = len(case.columns)
    out = Outcome(dict(case.initial))
    brought: set[Key] = set()
    for line, record in enumerate(case.records, 2):
        parent, text, number = record[width:]
        if "x" in record:
            out.rejects[line] = "value"
            continue
        if not number or text == "no":
            out.rejects[line] = "check" if number else "not_null"
            continue
        key = tuple(map(int, record[:width]))
        row = int(parent) if parent else None, text or None, int(number)
        known = key in case.initial
        changes = not known or (case.mode != "insert-missing" and case.initial[key] != row)
        late = ""
        if parent == "77":
            late = "foreign_key"
        elif changes and case.trigger == "after" and number == "9":
            late = "trigger"
        if key in brought:
            out.rejects[line] = f"unique {late}"
        elif late:
            out.rejects[line] = late
        else:
            if not (known and case.mode == "insert-missing"):
                brought.add(key)
                out.rows[key] = row
            out.inserted += not known
            out.updated += known and changes
            out.unchanged += known and not changes
    if case.mode == "replace" or case.delete_missing:
        if any("x" in r[:width] for r in case.records):
            return Outcome(dict(case.initial), ends=True)
        keys = {tuple(map(int, r[:width])) for r in case.records}
        out.rows = {key: row for key, row in out.rows.items() if key in keys}
    return out


def perform(case: Case, conn: psycopg.Connection, db: str, folder: Path) -> Outcome:
    names = ", ".join(case.columns)
    declared = ", ".join(f"{name} int" for name in case.columns)
    conn.execute(SCHEMA.replace("{keys}", declared).replace("{key}", names))  # type: ignore[call-overload]
    places = ", ".join(["%s"] * (len(case.columns) + 3))
    for key, row in case.initial.items():
        conn.execute(f"INSERT INTO t VALUES ({places})", (*key, *row))  # type: ignore[arg-type]
    if case.trigger:
        conn.execute(TRIGGERS[case.trigger])  # type: ignore[arg-type]
    header = ",".join([*case.columns, "p", "v", "n"])
    (folder / "t.csv").write_text("\n".join([header, *map(",".join, case.records)]) + "\n")
    ended = ""
    try:
        result = pgsluice.load(
            folder, database_url=db, mode=case.mode, delete_missing=case.delete_missing, max_rejects="all", again=True
        )
    except DatabaseError as error:
        ended = str(error)
        assert "the key cannot be read, so nobody knows" in ended
    width = len(case.columns)
    rows = {tuple(r[:width]): tuple(r[width:]) for r in conn.execute("SELECT * FROM t").fetchall()}
    if ended:
        return Outcome(rows, ends=True)  # type: ignore[arg-type]
    [table] = result.tables
    rejects = pgsluice.reject_rows(result.run_id, database_url=db) if table.rejected else ()
    return Outcome(  # type: ignore[arg-type]
        rows, table.inserted, table.updated, table.unchanged, {r.line: r.kind for r in rejects}
    )


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in (1, 2, 3))])
def test_modes_make_of_random_rows_what_the_docs_say(
    db: str, conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder := tmp_path / "files").mkdir()
    for seed in range(part * 25, part * 25 + 25):
        case = draw(seed)
        wanted, found = model(case), perform(case, conn, db, folder)
        assert found.rejects.keys() == wanted.rejects.keys(), (seed, case)
        assert all(kind in wanted.rejects[line].split() for line, kind in found.rejects.items()), (seed, case)
        found.rejects = wanted.rejects
        assert found == wanted, (seed, case)
