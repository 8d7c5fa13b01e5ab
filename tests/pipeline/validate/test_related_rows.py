"""A row that is refused because another has its key says which one has it, if that is a row of the files."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import pgsluice

SCHEMA = """
CREATE TABLE p (id int PRIMARY KEY, email text UNIQUE, n int CHECK (n > 0));
CREATE TABLE c (id int PRIMARY KEY, p int NOT NULL REFERENCES p);
"""
SAID = 'duplicate key value violates unique constraint "{}"'


@pytest.mark.parametrize("way", ["in place", "staged", "upsert"])
def test_the_row_that_has_the_key_is_named(way: str, conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    options: dict[str, object] = {}
    if way != "in place":
        conn.execute("INSERT INTO p VALUES (90, 'old@x', 1)")
    if way == "upsert":
        options["mode"] = ["upsert"]
    (tmp_path / "p.csv").write_text(
        "id,email,n\n"
        "1,a@x,1\n"
        "2,b@x,0\n"  # CHECK: it never has a key
        "2,c@x,1\n"
        "1,d@x,1\n"  # the key of line 2
        "3,c@x,1\n"  # the e-mail of line 4
        "3,e@x,1\n"  # free, for line 6 is out
        "1,c@x,1\n"  # two keys: the first that PostgreSQL asks
        "2,f@x,0\n"  # CHECK comes before the key of line 4
        "3,old@x,1\n"  # of line 7
        "4,old@x,1\n"  # of the table, unless it is empty
    )
    (tmp_path / "c.csv").write_text("id,p\n7,1\n8,9\n7,2\n")
    result = pgsluice.load(tmp_path, database_url=db, max_rejects="all", **options)  # type: ignore[arg-type]
    found = [
        (Path(r.file).name, r.line, r.kind, Path(r.parent_file).name, r.parent_line, r.message)
        for r in pgsluice.reject_rows(result.run_id, database_url=db)
    ]

    def unique(file: str, line: int, index: str, rival: int | None) -> tuple[object, ...]:
        said = SAID.format(index) + (f" ({tmp_path / file} line {rival} has it)" if rival else "")
        return file, line, "unique", file if rival else "", rival, said

    check = 'new row for relation "p" violates check constraint "p_n_check"'
    foreign = 'insert or update on table "c" violates foreign key constraint "c_p_fkey"'
    assert found == [
        ("p.csv", 3, "check", "", None, check),
        unique("p.csv", 5, "p_pkey", 2),
        unique("p.csv", 6, "p_email_key", 4),
        unique("p.csv", 8, "p_pkey", 2),
        ("p.csv", 9, "check", "", None, check),
        unique("p.csv", 10, "p_pkey", 7),
        *([] if way == "in place" else [unique("p.csv", 11, "p_email_key", None)]),
        ("c.csv", 3, "foreign_key", "", None, foreign),
        unique("c.csv", 4, "c_pkey", 2),
    ]


def test_a_row_of_another_file_has_the_key(conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE p (id int PRIMARY KEY, email text UNIQUE, n int)")
    (tmp_path / "p_1.csv").write_text("id,email,n\n1,a@x,1\n2,b@x,1\n")
    (tmp_path / "p_2.csv").write_text("id,email,n\n3,c@x,1\n2,d@x,1\n")
    result = pgsluice.load(tmp_path, database_url=db, max_rejects="all", tables=[("p", str(tmp_path / "p_*.csv"))])
    [reject] = pgsluice.reject_rows(result.run_id, database_url=db)
    assert (reject.file, reject.line) == (str(tmp_path / "p_2.csv"), 3)
    assert (reject.parent_file, reject.parent_line) == (str(tmp_path / "p_1.csv"), 3)
