"""``pgsluice rejects`` writes CSV: to a terminal, and for a spreadsheet program."""

from __future__ import annotations

import csv
import io
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pgsluice
from command import SECONDS, call, environment

Conn = psycopg.Connection[Any]

FORMULAS = ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''x", "'", "x", "a=1", "＝1"]


@pytest.fixture
def table(conn: Conn) -> Conn:
    conn.execute("CREATE TABLE t (a text CHECK (coalesce(a, '') = 'ok'), b text)")
    return conn


def reject(db: str, folder: Path, texts: list[str]) -> int:
    """A published run whose rejects have these texts as raw records."""
    (folder / "t.csv").write_bytes("".join(f"{text},z\n" for text in ["a", *texts]).replace("a,z", "a,b", 1).encode())
    result = pgsluice.load(
        folder / "t.csv", database_url=db, data_dir=str(folder / "d"), max_rejects="all", again=True, quote='"'
    )
    assert result.rejects.count == len(texts)
    return result.run_id


def test_a_terminal_gets_escapes(db: str, table: Conn, tmp_path: Path) -> None:
    reject(db, tmp_path, ["\x1b]0;renamed\x07\x1b[2J", "\x9b31m", "fine"])
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pgsluice", "rejects", "--format", "csv"],
        cwd=tmp_path, env=environment(DATABASE_URL=db), stdin=subprocess.DEVNULL, stdout=follower,
    )  # fmt: skip
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 65536):
            shown += piece
    except OSError:  # Linux: the other end of the terminal is closed
        pass
    assert process.wait(SECONDS) == 0
    text = shown.decode()
    assert "\\x1b]0;renamed\\x07\\x1b[2J" in text
    assert "\\x9b31m" in text
    assert not {c for c in text if not c.isprintable()} - {"\r", "\n"}
    # Elsewhere the CSV stays exact.
    assert "\x1b]0;renamed\x07" in call("rejects", "--format", "csv", cwd=tmp_path, url=db).out


def test_guarded_formulas(db: str, table: Conn, tmp_path: Path) -> None:
    run_id = reject(db, tmp_path, FORMULAS)
    exact = call("rejects", "--format", "csv", cwd=tmp_path, url=db).out
    guarded = call("rejects", "--format", "csv", "--guard-formulas", cwd=tmp_path, url=db).out
    rows = list(csv.DictReader(io.StringIO(guarded, newline="")))
    assert [row["guarded_raw"] for row in rows] == [
        *("'=1+2,z", "'+1,z", "'-1,z", "'@SUM(A1),z", "'\t=1,z", "''=1,z", "'''x,z", "'',z", "x,z", "a=1,z", "'＝1,z"),
    ]
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    raws = [row["raw"] for row in csv.DictReader(io.StringIO(exact, newline=""))]
    assert raws == [f"{text},z" for text in FORMULAS]
    # A replay gets the exact records back: unchanged records are rejected again with the same raw.
    (tmp_path / "guarded.csv").write_text(guarded, newline="")
    again = pgsluice.replay(
        run_id, tmp_path / "guarded.csv", database_url=db, data_dir=str(tmp_path / "d"), max_rejects="all"
    )
    stored = table.execute("SELECT raw FROM pgsluice.reject WHERE run_id = %s ORDER BY reject_no", [again.run_id])
    assert [raw for (raw,) in stored.fetchall()] == raws


def test_a_correction_in_a_guarded_report(db: str, table: Conn, tmp_path: Path) -> None:
    table.execute("ALTER TABLE t DROP CONSTRAINT t_a_check, ADD CHECK (a LIKE '=%')")
    run_id = reject(db, tmp_path, ["'=1", "y"])
    guarded = call("rejects", "--format", "csv", "--guard-formulas", cwd=tmp_path, url=db).out
    assert "''=1,z" in guarded
    (tmp_path / "g.csv").write_text(guarded.replace("''=1,z", "'=2,z").replace('"y,z"', '"=3,z"'), newline="")
    result = pgsluice.replay(run_id, tmp_path / "g.csv", database_url=db, data_dir=str(tmp_path / "d"))
    assert result.status == "published"
    assert table.execute("SELECT a FROM t ORDER BY a").fetchall() == [("=2",), ("=3",)]


_SIGNS = st.text("=+-@'\t＝a1 ;é", max_size=5)


@settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(_SIGNS, min_size=1, max_size=8))
def test_any_raw_survives(db: str, table: Conn, tmp_path: Path, texts: list[str]) -> None:
    survives(db, table, tmp_path, texts)


@pytest.mark.slow
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(_SIGNS, min_size=1, max_size=8))
def test_more_of_any_raw_survive(db: str, table: Conn, tmp_path: Path, texts: list[str]) -> None:
    survives(db, table, tmp_path, texts)


def survives(db: str, table: Conn, tmp_path: Path, texts: list[str]) -> None:
    run_id = reject(db, tmp_path, texts)
    guarded = call("rejects", str(run_id), "--format", "csv", "--guard-formulas", cwd=tmp_path, url=db).out
    (tmp_path / "g.csv").write_text(guarded, newline="")
    again = pgsluice.replay(
        run_id, tmp_path / "g.csv", database_url=db, data_dir=str(tmp_path / "d"), max_rejects="all"
    )
    query = "SELECT raw FROM pgsluice.reject WHERE run_id = %s ORDER BY reject_no"
    before, after = (table.execute(query, [run]).fetchall() for run in (run_id, again.run_id))
    assert before == after == [(f"{text},z",) for text in texts]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--guard-formulas"], "--guard-formulas is for --format csv"),
        (["--format", "json", "--guard-formulas"], "--guard-formulas is for --format csv"),
    ],
)
def test_wrong_options(tmp_path: Path, options: list[str], words: str) -> None:
    ended = call("rejects", *options, cwd=tmp_path)
    assert ended.code == 2
    assert words in ended.err
    assert ("json" in options) == bool(ended.out), "with JSON the error is an object on standard output, too"


def test_a_report_with_both_columns(db: str, table: Conn, tmp_path: Path) -> None:
    run_id = reject(db, tmp_path, ["x"])
    (tmp_path / "g.csv").write_text("run,reject,raw,guarded_raw\n1,1,a,a\n")
    call("replay", str(run_id), "g.csv", cwd=tmp_path, url=db).complaint(2, "raw and guarded_raw")
