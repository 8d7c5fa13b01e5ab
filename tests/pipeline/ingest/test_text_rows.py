"""A NULL where none may be costs its own row a question, not the others of its block."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import psycopg

from pgsluice.api import load, reject_rows
from pgsluice.pipeline.ingest.text_rows import TextRows


def test_only_the_rows_with_a_null_are_in_doubt(db: str, conn: psycopg.Connection[Any], tmp_path: Path) -> None:
    """The column of type inet sends the table as text, where one bad row spoils a whole COPY."""
    conn.execute("CREATE TABLE t (a inet NOT NULL, b integer NOT NULL, c integer)")
    rows = [("" if i % 100 == 7 else "10.0.0.1", "" if i % 150 == 9 else str(i), "") for i in range(2000)]
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    bad = [line for line, (a, b, _) in enumerate(rows, start=2) if not (a and b)]
    doubted: list[int] = []
    send = TextRows.send

    def counting(self: TextRows, table_run: Any, columns: Any, rows: Any, *rest: Any) -> None:
        doubted.append(rows.num_rows)
        send(self, table_run, columns, rows, *rest)

    with mock.patch.object(TextRows, "send", counting):
        result = load(path, database_url=db, data_dir=str(tmp_path), max_rejects="all")
    rejects = list(reject_rows(result.run_id, database_url=db))
    assert [(r.line, r.kind, r.sqlstate) for r in rejects] == [(line, "not_null", "23502") for line in bad]
    assert sum(doubted) == len(bad)
    kept = [int(b) for a, b, _ in rows if a and b]
    assert conn.execute("SELECT count(*), sum(b) FROM t").fetchone() == (len(kept), sum(kept))


def test_a_domain_that_takes_no_null_does_not_hide_who_is_wrong(
    any_db: str, any_conn: psycopg.Connection, tmp_path: Path
) -> None:
    """Where one column is such a domain, each record is asked about by itself."""
    any_conn.execute(
        "CREATE DOMAIN pos AS int CHECK (VALUE > 0); CREATE DOMAIN nn AS int NOT NULL;"
        "CREATE TABLE t (a int, b pos, c nn)"
    )
    (tmp_path / "t.csv").write_text("a,b,c\n1,1,1\n2,-1,1\n3,1,\nx,1,1\n4,1,y\n5,,2\n")
    result = load(tmp_path, database_url=any_db, max_rejects="all")
    found = [(r.line, r.column, r.sqlstate) for r in reject_rows(result.run_id, database_url=any_db)]
    assert found == [(3, "b", "23514"), (4, "c", "23502"), (5, "a", "22P02"), (6, "c", "22P02")]
