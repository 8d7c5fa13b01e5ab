"""Suspects are held, and judged when the keys are built over the other rows: the verdicts are those of file order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import psycopg

import pgsluice
from pgsluice.pipeline.apply.in_place import InPlace
from pgsluice.pipeline.ingest.route import Care, CopyRoute
from pgsluice.pipeline.validate.validator import validate

SCHEMA = """
CREATE TABLE parents (id int PRIMARY KEY, code text UNIQUE CHECK (code <> ''));
CREATE TABLE children (
    id bigint PRIMARY KEY, parent int NOT NULL REFERENCES parents, code text REFERENCES parents (code),
    mail text UNIQUE, amount numeric(10,2) CHECK (amount >= 0), state text CHECK (state IN ('new', 'old'))
);
CREATE INDEX ON children (parent);
"""
PARENTS = "id,code\n" + "".join(f"{i},c{i}\n" for i in range(1, 101))
HEADER = "id,parent,code,mail,amount,state\n"
GOOD = [f"{i},{1 + i % 100},c{1 + i % 100},m{i},1.50,new\n" for i in range(2000)]


@contextmanager
def holding() -> Iterator[list[tuple[str, bool]]]:
    """Suspects are held from the first row on. Yields the tables whose held rows were judged apart, and the results."""
    seen: list[tuple[str, bool]] = []
    original = InPlace._finish_around

    def wrapper(self: InPlace, table_run: object) -> bool:
        done = original(self, table_run)  # type: ignore[arg-type]
        seen.append((table_run.name, done))  # type: ignore[attr-defined]
        return done

    with (
        mock.patch.object(InPlace, "_finish_around", wrapper),
        mock.patch.object(CopyRoute, "first_care", Care.HOLDING),
    ):
        yield seen


def rejected(db: str, folder: Path, rows: Sequence[str]) -> list[tuple[object, ...]]:
    """Loads rows; the rejects by line, kind, constraint, and the line of the related row."""
    (folder / "parents.csv").write_text(PARENTS)
    (folder / "children.csv").write_text(HEADER + "".join(rows))
    result = pgsluice.load(folder, database_url=db, max_rejects="all")
    assert result.status == "published"
    found = pgsluice.reject_rows(result.run_id, database_url=db)
    return [(r.line, r.kind, r.constraint, r.parent_line) for r in found]


BAD = {
    500: ("500,x,c1,,1,new\n", ("value", "", None)),
    700: ("700,1,c1,,-1,new\n", ("check", "children_amount_check", None)),
    701: ("701,1,c1,,1,lost\n", ("check", "children_state_check", None)),
    900: ("900,,c1,,1,new\n", ("not_null", "", None)),
    1000: ("7,1,c1,,1,new\n", ("unique", "children_pkey", 9)),
    1001: ("1001,1,c1,m8,1,new\n", ("unique", "children_mail_key", 10)),
    1002: ("1002,5000,c1,,1,new\n", ("foreign_key", "children_parent_fkey", None)),
    # A key of several suspects: the first that PostgreSQL accepts stays.
    1100: ("1100,1,c1,,-1,new\n", ("check", "children_amount_check", None)),
    1101: ("1100,2,c2,stays,1,new\n", None),
    1102: ("1100,3,c3,,1,new\n", ("unique", "children_pkey", 1103)),
}


def test_each_kind_of_bad_row_is_held_and_has_its_verdict(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    rows = [BAD[i][0] if i in BAD else row for i, row in enumerate(GOOD)]
    with (
        holding() as seen,
        mock.patch("pgsluice.pipeline.apply.in_place.validate", side_effect=validate) as validated,
    ):
        found = rejected(db, tmp_path, rows)
    assert seen == [("parents", True), ("children", True)]
    assert found == [(i + 2, *verdict) for i, (_, verdict) in sorted(BAD.items()) if verdict is not None]
    # PostgreSQL was asked about the held rows alone.
    assert [call.kwargs["staged"] for call in validated.call_args_list] == [True]
    assert conn.execute("SELECT count(*), count(DISTINCT id) FROM children").fetchone() == (1991, 1991)
    assert conn.execute("SELECT mail FROM children WHERE id = 1100").fetchone() == ("stays",)
    assert conn.execute("SELECT count(*) FROM pg_index WHERE indrelid = 'children'::regclass").fetchone() == (3,)


def test_one_refused_row_makes_all_later_tables_hold_their_suspects(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(SCHEMA)
    rows = [BAD[i][0] if i in BAD else row for i, row in enumerate(GOOD)]
    steps: list[str] = []
    with holding() as seen, mock.patch.object(CopyRoute, "first_care", Care.TRUSTING):
        (tmp_path / "parents.csv").write_text(PARENTS + '200,""\n')
        (tmp_path / "children.csv").write_text(HEADER + "".join(rows))
        result = pgsluice.load(
            tmp_path, database_url=db, max_rejects="all", listen=lambda p: steps.append(f"{p.table}: {p.step}")
        )
    assert (result.status, result.rejects.count) == ("published", 10)
    assert [s.split(":")[0] for s in steps if "copied again" in s] == ["parents"]
    assert seen == [("parents", True), ("children", True)]


def test_a_held_row_keeps_its_key_although_a_later_row_was_sent_before_it(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    """The client does not know that +1500 is 1500. So the table is judged as a whole."""
    conn.execute(SCHEMA)
    with holding() as seen:
        found = rejected(db, tmp_path, [*GOOD[:300], "+1500,3,c3,,1,new\n", *GOOD[300:]])
    assert found == [(1503, "unique", "children_pkey", 302)]
    assert seen[1] == ("children", False)
    assert conn.execute("SELECT mail FROM children WHERE id = 1500").fetchone() == (None,)


def test_orphans_that_were_not_expected_are_found_in_the_table(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(SCHEMA)
    rows = [*GOOD, "3000,1,none,,1,new\n", "3001,1,c1,,-1,new\n"]
    with holding() as seen:
        assert rejected(db, tmp_path, rows) == [
            (2002, "foreign_key", "children_code_fkey", None), (2003, "check", "children_amount_check", None),
        ]  # fmt: skip
    assert seen[1] == ("children", True)


def test_a_row_with_the_key_of_an_unexpected_orphan_stays(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    with holding() as seen:
        found = rejected(db, tmp_path, [*GOOD, "3000,1,none,,1,new\n", "3000,1,c1,second,1,new\n"])
    assert found == [(2002, "foreign_key", "children_code_fkey", None)]
    assert seen[1] == ("children", False)
    assert conn.execute("SELECT mail FROM children WHERE id = 3000").fetchone() == ("second",)


def test_a_check_that_only_postgresql_evaluates_does_not_stop_the_load(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(SCHEMA + "ALTER TABLE children ADD CONSTRAINT odd CHECK (length(mail) < 6)")
    with holding():
        found = rejected(db, tmp_path, [*GOOD, "3000,1,c1,too long,1,new\n", "3001,1,c1,,x,new\n"])
    assert found == [(2002, "check", "odd", None), (2003, "value", "", None)]


def test_a_check_that_postgresql_would_write_in_another_way_is_not_dropped(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    """The second writing of a list of varchar values differs from the first: the load ended with an error."""
    conn.execute(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(9) CHECK (v IN ('a', 'b')), n int CHECK (n + 1 > 0), j jsonb)"
    )
    (tmp_path / "t.csv").write_text("id,v,n,j\n1,a,1,{}\n2,c,1,{}\n3,b,-5,{}\n4,b,x,{}\n5,b,1,{}\n")
    result = pgsluice.load(tmp_path, database_url=db, max_rejects="all")
    found = pgsluice.reject_rows(result.run_id, database_url=db)
    assert [(r.line, r.kind, r.constraint) for r in found] == [
        (3, "check", "t_v_check"), (4, "check", "t_n_check"), (5, "value", ""),
    ]  # fmt: skip
    assert conn.execute("SELECT array_agg(id ORDER BY id) FROM t").fetchone() == ([1, 5],)
