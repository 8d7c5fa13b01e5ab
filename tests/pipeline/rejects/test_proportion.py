"""The time of a load grows in proportion to its rejects, whatever the kind.

Measured is processor time, of this process and of the server's session, so that a busy machine does not count.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

import pgsluice
from pgsluice.model import Progress

TICKS = os.sysconf("SC_CLK_TCK")
TIMES = 4
"""How many times as many rejects the second load has."""
MOST = 9
"""A load may take this many times as long as one with a quarter of the rejects; the square would be 16 times."""
NOISE = 0.3
"""Seconds that either load may take in addition."""


class Kind(NamedTuple):
    name: str
    schema: str
    """With ``{n}`` for the number of rows."""
    files: dict[str, tuple[str, str]]
    """Header and record of each file; ``{i}`` is the number of the record, ``{h}`` its half, ``{t}`` its third."""
    rejects: float
    """The share of all records that is rejected."""


KINDS = [
    Kind(
        "nulls not distinct",
        "CREATE TABLE a (id int PRIMARY KEY, v int, w int, UNIQUE NULLS NOT DISTINCT (v, w))",
        {"a": ("id,v,w", "{i},{h},")},
        1 / 2,
    ),
    Kind(
        "nulls not distinct, stored",
        "CREATE TABLE a (id int PRIMARY KEY, v int, w int, UNIQUE NULLS NOT DISTINCT (v, w));"
        "INSERT INTO a SELECT -i - 1, i, NULL FROM generate_series(0, {n} - 1) AS i",
        {"a": ("id,v,w", "{i},{i},")},
        1,
    ),
    Kind(
        "values and orphans",
        "CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);"
        "CREATE TABLE c (id int PRIMARY KEY, v int, w int)",
        {"a": ("id,v", "{i},x"), "b": ("id,a", "{i},{i}"), "c": ("id,v,w", "{i},x,2")},
        1,
    ),
    Kind(
        "unique",
        "CREATE TABLE a (id int PRIMARY KEY, v int UNIQUE)",
        {"a": ("id,v", "{h},{t}")},
        2 / 3,
    ),
    Kind(
        "check and not null",
        "CREATE TABLE a (id int PRIMARY KEY, v int CHECK (v > 0), CHECK (id < 0));"
        "CREATE TABLE b (id int PRIMARY KEY, v int NOT NULL)",
        {"a": ("id,v", "{i},-1"), "b": ("id,v", "{i},")},
        1,
    ),
    Kind(
        "broken parents",
        "CREATE TABLE a (id int PRIMARY KEY, v int, w int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)",
        {"a": ("id,v,w", "{i},1"), "b": ("id,a", "{i},{i}")},
        1,
    ),
    Kind(
        "grandchildren",
        "CREATE TABLE a (id int PRIMARY KEY, v int CHECK (v > 0)); CREATE TABLE b (id int PRIMARY KEY, a int"
        " REFERENCES a); CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b)",
        {"a": ("id,v", "{i},-1"), "b": ("id,a", "{i},{i}"), "c": ("id,b", "{i},{i}")},
        1,
    ),
    Kind(
        "exclusion",
        "CREATE TABLE a (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&))",
        {"a": ("id,r", '{i},"[{h},{h}]"')},
        1 / 2,
    ),
    Kind(
        "trigger",
        "CREATE TABLE a (id int PRIMARY KEY, v int);"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;"
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()",
        {"a": ("id,v", "{i},1")},
        1,
    ),
]
FAST = 3
"""How many of the kinds the fast tests take."""
MODES: dict[str, dict[str, Any]] = {"append": {}, "upsert": {"mode": "upsert"}, "replace": {"mode": "replace"}}


def seconds_of_server(conn: psycopg.Connection) -> float:
    """Processor time of the sessions that load into this database. A session may end while it is looked at."""
    sessions = conn.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgsluice' AND datname = current_database()"
        " AND backend_type = 'client backend'"
    ).fetchall()
    seconds = 0.0
    for (pid,) in sessions:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def seconds_of_load(kind: Kind, mode: str, rows: int, db: str, conn: psycopg.Connection, folder: Path) -> float:
    conn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    conn.execute(kind.schema.replace("{n}", str(rows)))  # type: ignore[arg-type]
    folder.mkdir()
    for name, (header, record) in kind.files.items():
        lines = (record.format(i=i, h=i // 2, t=i // 3) for i in range(rows))
        (folder / f"{name}.csv").write_text("\n".join([header, *lines, ""]))
    server = 0.0

    def listen(_: Progress) -> None:
        nonlocal server
        server = max(server, seconds_of_server(conn))

    began = time.process_time()
    result = pgsluice.load(
        folder, database_url=db, data_dir=str(folder), max_rejects="all", again=True, listen=listen, **MODES[mode]
    )
    expected = kind.rejects * rows * len(kind.files)
    assert abs(result.rejects.count - expected) < 4, result.rejects
    return time.process_time() - began + server


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor time is read from /proc")
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        pytest.param(k, m, id=f"{k.name}, {m}", marks=() if m == "append" and n < FAST else pytest.mark.slow)
        for n, k in enumerate(KINDS)
        for m in MODES
        # What the upsert finds in the table, it updates; the replace empties the table. Where PostgreSQL decides row by
        # row, the mode makes no difference.
        if m == "append" or k.name not in ("nulls not distinct, stored", "exclusion", "trigger")
    ],
)
def test_time_is_in_proportion(kind: Kind, mode: str, db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    seconds_of_load(kind, mode, 10, db, conn, tmp_path / "first")  # imports and caches
    rows = 5_000
    few = seconds_of_load(kind, mode, rows, db, conn, tmp_path / "few")
    many = seconds_of_load(kind, mode, TIMES * rows, db, conn, tmp_path / "many")
    assert many < MOST * few + NOISE, (few, many)
