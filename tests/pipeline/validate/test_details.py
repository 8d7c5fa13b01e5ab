"""Rejects keep PostgreSQL's DETAIL and HINT, word for word, whichever way a violation was found."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

import pgsluice
from command import call


class Case(NamedTuple):
    name: str
    schema: str
    good: str
    """A record that PostgreSQL accepts."""
    bad: str
    """A record that PostgreSQL refuses if the good record is in the table."""
    ends: str = ""
    """The end of the detail that COPY does not show: the place within a JSON text."""


UNIQUE = "CREATE TABLE t (id int, a text, b char(4), c bool, d float8, UNIQUE (id, a));"
FOREIGN = "CREATE TABLE p (id int, a char(4), UNIQUE (id, a)); INSERT INTO p VALUES (1, 'x');"

CASES = [
    Case("unique", UNIQUE, "1,x,,,", "1,x,,,"),
    Case("unique char", UNIQUE + "CREATE UNIQUE INDEX ON t (b)", "1,x,z,,", "2,x,z,,"),
    Case("unique bool", UNIQUE + "CREATE UNIQUE INDEX ON t (c, d)", "1,x,,t,1e300", "2,x,,true,1e300"),
    Case(
        "unique expression", UNIQUE + "CREATE UNIQUE INDEX ON t (lower(a), (id % 7)) WHERE id > 0", "1,x,,,", "8,X,,,"
    ),
    Case("unique names", 'CREATE TABLE t ("a b" int, "C" int, UNIQUE ("a b", "C") INCLUDE ("C"))', "1,2", "1,2"),
    Case("nulls not distinct", "CREATE TABLE t (a int, b int, UNIQUE NULLS NOT DISTINCT (a, b))", "1,", "1,"),
    Case("collation", 'CREATE TABLE t (a text); CREATE UNIQUE INDEX ON t (a COLLATE "C")', "x", "x"),
    Case("names of columns", "CREATE TABLE t (priority int, ordinal int, row_id int UNIQUE)", "1,2,3", "1,2,3"),
    Case(
        "foreign key",
        FOREIGN + "CREATE TABLE t (id int, a char(4), FOREIGN KEY (id, a) REFERENCES p (id, a))",
        "1,x",
        "2,y",
    ),
    Case(
        "match full",
        FOREIGN + "CREATE TABLE t (id int, a char(4), FOREIGN KEY (id, a) REFERENCES p (id, a) MATCH FULL)",
        "1,x",
        "1,",
    ),
    Case("itself", "CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES t)", "1,1", "2,3"),
    Case("exclusion", "CREATE TABLE t (r int4range, EXCLUDE USING gist (r WITH &&))", '"[1,3]"', '"[2,5]"'),
    Case("value with hint", "CREATE TABLE t (d date)", "2020-01-01", "2020-13-01"),
    Case("json", "CREATE TABLE t (j jsonb)", "{}", '"{""a"": x"', ' JSON data, line 1: {"a": x'),
    Case("check", "CREATE TABLE t (a int CHECK (a > 0))", "1", "-1"),
    Case("not null", "CREATE TABLE t (a int NOT NULL, b int)", "1,1", ",1"),
    Case(
        "trigger",
        "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.a < 0 THEN"
        " RAISE 'no' USING DETAIL = E'first\nsecond', HINT = 'positive'; END IF; RETURN NEW; END$$;"
        "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "1",
        "-1",
    ),
]


def words_of_postgres(conn: psycopg.Connection, case: Case) -> str:
    """The DETAIL and HINT with which COPY refuses the bad record."""
    with pytest.raises(psycopg.Error) as refused, conn.cursor().copy("COPY t FROM STDIN (FORMAT csv)") as copy:
        copy.write(case.bad + "\n")
    said = refused.value.diag
    if said.sqlstate in ("23502", "23514"):
        return ""  # it repeats the row
    hint = f"HINT: {said.message_hint}" if said.message_hint else None
    return " ".join(filter(None, (said.message_detail, hint))).replace("\n", " ")


@pytest.mark.share(4)
@pytest.mark.parametrize("stored", [False, True], ids=["in the files", "in the table"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_detail_is_that_of_postgres(
    case: Case, stored: bool, any_db: str, any_conn: psycopg.Connection, tmp_path: Path
) -> None:
    any_conn.execute(case.schema)  # type: ignore[arg-type]
    columns = [
        name
        for (name,) in any_conn.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum"
        )
    ]
    records = [case.bad] if stored else [case.good, case.bad]
    (tmp_path / "t.csv").write_text("\n".join([",".join(columns), *records, ""]))  # type: ignore[arg-type]
    if stored:
        with any_conn.cursor().copy("COPY t FROM STDIN (FORMAT csv)") as copy:
            copy.write(case.good + "\n")
    result = pgsluice.load(tmp_path / "t.csv", database_url=any_db, data_dir=str(tmp_path), max_rejects="all")
    [reject] = pgsluice.reject_rows(result.run_id, database_url=any_db)
    assert reject.detail == words_of_postgres(any_conn, case) + case.ends
    # The report, the CSV of the command and the ledger hold the same words.
    assert result.rejects.path is not None
    with open(result.rejects.path, newline="") as lines:
        [row] = csv.DictReader(lines)
    assert row["detail"] == reject.detail
    if reject.detail:
        assert result.rejects.groups[0].example.endswith(f": {reject.message}: {reject.detail}")
    written = call("rejects", "--format", "csv", cwd=tmp_path, url=any_db)
    assert [r["detail"] for r in csv.DictReader(written.out.splitlines(keepends=True))] == [reject.detail]
