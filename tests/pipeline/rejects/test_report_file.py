"""The file that a run's rejects are written to is the run's alone."""

from __future__ import annotations

import csv
from pathlib import Path

import psycopg
import pytest

import pgsluice
from pgsluice.errors import CallError
from pgsluice.pipeline.rejects.report import _create


def test_a_report_never_takes_the_place_of_another(tmp_path: Path) -> None:
    written = []
    for text in (b"one", b"two", b"three"):
        with _create(tmp_path, "run-1-20261124T101112") as out:
            out.write(text)
        written.append(Path(out.name).name)
    assert written == ["run-1-20261124T101112.csv", "run-1-20261124T101112_2.csv", "run-1-20261124T101112_3.csv"]
    assert [(tmp_path / name).read_bytes() for name in written] == [b"one", b"two", b"three"]


def test_a_long_record_is_kept_cut(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, note text)")
    note = "ä" * 50_000
    (tmp_path / "t.csv").write_text(f"id,note\n1,short\nx,{note}\ny,short\n", encoding="utf-8")
    result = pgsluice.load(tmp_path / "t.csv", database_url=db, data_dir=str(tmp_path), max_rejects="all")
    cut, whole = pgsluice.reject_rows(result.run_id, database_url=db)
    assert whole.raw == "y,short"
    assert cut.raw.endswith("ä[pgsluice: cut here; the record has 100002 bytes]")
    assert len(cut.raw.encode()) < 66_000
    assert result.rejects.path is not None
    with pytest.raises(CallError, match="kept cut, its record has 100,002 bytes"):
        pgsluice.replay(result.run_id, result.rejects.path, database_url=db, data_dir=str(tmp_path))
    report = tmp_path / "corrected.csv"
    with report.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("run", "reject", "raw"), (result.run_id, cut.reject_no, f"2,{note}")])
    replayed = pgsluice.replay(result.run_id, report, database_url=db, data_dir=str(tmp_path))
    assert replayed.status == "published"
    assert conn.execute("SELECT length(note) FROM t WHERE id = 2").fetchone() == (50_000,)
