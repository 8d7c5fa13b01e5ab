"""How many rejects a table may have, by the table's name in either spelling."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import pgsluice
from pgsluice.errors import MappingError


@pytest.fixture
def files(conn: psycopg.Connection, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE a (n int PRIMARY KEY); CREATE TABLE b (n int PRIMARY KEY)")
    (tmp_path / "a.csv").write_text("n\n1\nx\n")
    (tmp_path / "b.csv").write_text("n\n1\n2\n")
    return tmp_path


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (["a=1"], "published"),
        (["public.a=1"], "published"),
        (["a=0"], "vetoed"),
        (["public.a=0", "all"], "vetoed"),
        (["b=all"], "vetoed"),
        (["1", "b=0"], "published"),
    ],
)
def test_a_limit_of_one_table(db: str, files: Path, limits: list[str], status: str) -> None:
    assert pgsluice.load(files, database_url=db, max_rejects=limits).status == status


def test_a_limit_of_no_table(db: str, files: Path) -> None:
    with pytest.raises(MappingError, match="--max-rejects names 'order', which is not a table"):
        pgsluice.load(files, database_url=db, max_rejects=["order=1"])
