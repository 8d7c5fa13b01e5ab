"""What the client finds out about rows before they are sent."""

from __future__ import annotations

import random

import psycopg
import pyarrow as pa
import pytest

from pgsluice.model import Constraint, TableName
from pgsluice.pipeline.ingest.suspects.checks import NotUnderstood, broken_by
from pgsluice.pipeline.ingest.suspects.keys import SeenKeys, numbers
from pgsluice.pipeline.ingest.suspects.parents import ParentKeys

BASES = {"n": "int4", "Odd name": "int4", "price": "numeric", "word": "text", "v": "varchar", "day": "date"}
UNDERSTOOD = [
    "n > 3", "n >= -2", "n BETWEEN -1 AND 4", "NOT (n = 4)", "n <> 4 AND word <> 'b'", "n < 0 OR word = 'it''s'",
    '"Odd name" <= 2', "price >= 0", "price > 0.5", "price < 1", "word IN ('a', 'b')", "v IN ('a', 'b')",
    "n IN (1, -3, 7)", "word IS NOT NULL", "n IS NULL OR word = 'a'", "v <> ''", "price IN (0, 1.5)",
    "n = 1 AND (word = 'a' OR word IS NULL)",
]  # fmt: skip
NOT_UNDERSTOOD = [
    "length(word) > 1", "n > \"Odd name\"", "word < 'b'", "n + 1 > 3", "word ~ '^a'", "n % 2 = 0", "lower(v) = v",
    "word COLLATE \"C\" > 'a'", "CASE WHEN n = 1 THEN word = 'a' END", "n = ANY (ARRAY[1, NULL])",
]  # fmt: skip


def _definition(conn: psycopg.Connection, condition: str) -> Constraint:
    conn.execute("DROP TABLE IF EXISTS t")
    conn.execute(
        'CREATE TABLE t (place int, n int, "Odd name" int, price numeric(10,2), word text, v varchar(9), day date,'
        f" CONSTRAINT c CHECK ({condition}))".encode()
    )
    row = conn.execute("SELECT oid, pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'c'").fetchone()
    assert row is not None
    return Constraint(row[0], "c", "c", (), "", expression=row[1])


def test_checks_are_evaluated_as_postgresql_evaluates_them(conn: psycopg.Connection) -> None:
    rng = random.Random(3)
    rows = [
        (
            rng.choice((None, -3, -1, 0, 1, 4, 7)), rng.choice((None, 2, 3)),
            rng.choice((None, "0", "0.50", "0.51", "1.50", "-1")), rng.choice((None, "", "a", "b", "it's")),
            rng.choice((None, "", "a", "b")),
        )
        for _ in range(300)
    ]  # fmt: skip
    batch = {
        "n": pa.array([r[0] for r in rows], pa.int32()),
        "Odd name": pa.array([r[1] for r in rows], pa.int32()),
        "price": pa.array([r[2] for r in rows], pa.string()).cast(pa.decimal128(10, 2)),
        "word": pa.array([r[3] for r in rows], pa.string()),
        "v": pa.array([r[4] for r in rows], pa.string()),
    }
    for condition in UNDERSTOOD:
        check = _definition(conn, condition)
        conn.execute("ALTER TABLE t DROP CONSTRAINT c")
        conn.cursor().executemany(
            "INSERT INTO t VALUES (%s, %s, %s, %s::numeric, %s, %s)", [(i, *row) for i, row in enumerate(rows)]
        )
        broken = conn.execute(f"SELECT place FROM t WHERE ({condition}) IS FALSE ORDER BY 1".encode()).fetchall()
        found = [i for i, bad in enumerate(broken_by(check, BASES)(batch)) if bad]
        assert (condition, found) == (condition, [place for (place,) in broken])


def test_other_checks_are_not_understood(conn: psycopg.Connection) -> None:
    for condition in NOT_UNDERSTOOD:
        check = _definition(conn, condition)
        with pytest.raises(NotUnderstood):
            broken_by(check, BASES)


@pytest.mark.parametrize("kind", ["int", "text", "pair"])
def test_a_key_that_was_seen_is_always_found(kind: str) -> None:
    rng = random.Random(5)
    keys = [rng.choice((i, rng.randint(0, 40_000), -i)) for i in range(30_000)]
    seen, known, wrong = SeenKeys(30_000), set(), 0
    for start in range(0, len(keys), 7_000):
        block = keys[start : start + 7_000]
        columns = [pa.array(block, pa.int64())]
        if kind != "int":
            columns = [pa.array([f"né {k}" for k in block])]
        if kind == "pair":
            columns.append(pa.array([k % 3 for k in block], pa.int32()))
        found, there = numbers(columns)
        assert there.all()
        for key, is_found in zip(block, seen.add(found), strict=True):
            assert is_found or key not in known
            wrong += bool(is_found) and key not in known
            known.add(key)
    assert wrong < 300


def test_null_is_no_key() -> None:
    _, there = numbers([pa.array([1, None, 2]), pa.array(["a", "b", None])])
    assert there.tolist() == [True, False, False]


def test_children_without_a_parent_are_found_exactly(conn: psycopg.Connection) -> None:
    conn.execute(
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT i * 3 - 50 FROM generate_series(1, 100) AS i"
    )
    fk = Constraint(0, "f", "f", ("p",), "", references=TableName("public", "p"), referenced_columns=("id",))
    parents = ParentKeys.read(conn, fk)
    assert parents is not None
    values = [*range(-100, 400), None, 2**31 - 1, -(2**31)]
    conn.execute("CREATE TABLE c (place int, p int)")
    conn.cursor().executemany("INSERT INTO c VALUES (%s, %s)", list(enumerate(values)))
    orphans = conn.execute(
        "SELECT place FROM c WHERE p IS NOT NULL AND NOT EXISTS (SELECT FROM p WHERE p.id = c.p) ORDER BY 1"
    ).fetchall()
    found = parents.lacking(pa.array(values, pa.int32()))
    assert [i for i, lacks in enumerate(found) if lacks] == [place for (place,) in orphans]
    conn.execute("TRUNCATE p")
    none = ParentKeys.read(conn, fk)
    assert none is not None
    assert none.lacking(pa.array([1, None, 2], pa.int32())).tolist() == [True, False, True]
