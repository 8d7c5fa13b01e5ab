"""Readers while the tables are replaced: none fails, none sees a mixture, none waits long."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from readers import SCHEMA, Reader, write

import pgsluice
from command import run

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.mark.parametrize("children", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", ["replace", pytest.param("upsert", marks=pytest.mark.slow)])
def test_readers_see_the_old_or_the_new(db: str, conn: Connection, tmp_path: Path, mode: str, children: int) -> None:
    conn.execute(SCHEMA)
    pgsluice.load(write(tmp_path / "g0", 0, children), database_url=db, data_dir=str(tmp_path))
    new = write(tmp_path / "g1", 1, children)
    delete = [] if mode == "replace" else ["--delete-missing"]
    with Reader(db) as one, Reader(db) as two:
        ended = run("load", new, "--mode", mode, *delete, cwd=tmp_path, url=db)
    assert ended.code == 0, ended
    assert not one.wrong, one.wrong[:3]
    assert not two.wrong, two.wrong[:3]
    assert one.looks > 20
    assert one.generations | two.generations == {0, 1} or one.generations == {0}
    # Far above what it is on an idle machine, far below what a lock held through the load would cost.
    longest = max(one.longest, two.longest)
    print(f"longest wait of a reader: {longest * 1000:.0f} ms")
    assert longest < 1.0
    with Reader(db) as after:
        pass
    assert after.wrong == []
    assert conn.execute("SELECT count(*), min(generation), max(generation) FROM child").fetchone() == (children, 1, 1)


def test_a_mixture_is_seen(db: str, conn: Connection, tmp_path: Path) -> None:
    """The reader itself: tables that are replaced one by one do not get past it."""
    conn.execute(SCHEMA)
    pgsluice.load(write(tmp_path / "g0", 0, 2000), database_url=db, data_dir=str(tmp_path))
    conn.execute("UPDATE apart SET generation = 1")
    with Reader(db) as reader:
        while not reader.looks and not reader.wrong:
            pass
    assert reader.wrong
    assert re.match("a mixture", reader.wrong[0])
