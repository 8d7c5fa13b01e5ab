"""Drift: fields that the table has no column for, and columns that are too narrow."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import CallError, MappingError
from pgsluice.model import ColumnDrift
from pgsluice.options.rules import parse_drift, restore_drift

Connection = psycopg.Connection[tuple[object, ...]]

SCHEMA = "CREATE TABLE t (id int PRIMARY KEY, a varchar(3), b text DEFAULT 'none')"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def rows(conn: Connection) -> list[object]:
    return [row[0] for row in conn.execute("SELECT t::text FROM t ORDER BY id")]


def types(conn: Connection) -> dict[object, object]:
    found = conn.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum"
    )
    return dict(found.fetchall())


def named(drift: tuple[ColumnDrift, ...]) -> list[tuple[str, ...]]:
    return [(d.kind, d.name, d.type, *(Path(f).stem for f in d.files)) for d in drift]


def test_error_is_the_default_and_names_the_option(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    write(tmp_path, t_1="id,new,Other\n1,2,3\n", t_2="id,third\n1,2\n")
    with pytest.raises(MappingError) as caught:
        pgsluice.load(tmp_path, database_url=db)
    assert len(caught.value.details) == 2
    assert "'new', 'Other'" in caught.value.details[0]
    for option in ("--drift ignore", "--drift add"):
        assert option in caught.value.details[0]
        write(tmp_path, t_2="id,third\n2,2\n")
        ended = call("load", tmp_path, *option.split(), "--dry-run", cwd=tmp_path, url=db)
        assert ended.code == 0, ended


def test_ignore(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    write(tmp_path, t_1="id,new,a\n1,x,y\n", t_2="id,New,\n2,x,z\n")
    ended = call("load", tmp_path, "--drift", "t=ignore", "--json", cwd=tmp_path, url=db)
    assert ended.code == 0, ended
    assert rows(conn) == ["(1,y,none)", "(2,,none)"]
    assert [(d["kind"], d["name"]) for d in ended.json["drift"]] == [
        ("ignored_field", "new"), ("ignored_field", "New"), ("ignored_field", ""),
        ("missing_column", "a"), ("missing_column", "b"),
    ]  # fmt: skip
    text = call("load", tmp_path, "--drift", "ignore", "--again", "--mode", "upsert", cwd=tmp_path, url=db)
    assert "t: the field new has no column and is left out (" in text.out
    # A field that could mean two columns is no new field.
    conn.execute('ALTER TABLE t ADD "NE W" int, ADD "ne-w" int')
    with pytest.raises(MappingError, match="could be"):
        pgsluice.load(tmp_path, database_url=db, drift="ignore", again=True)


NEW = """id,Big Number,price,yes-no,day,moment,zoned,zip,mixed,nothing,a
1,12,1.50,true,2020-02-29,2020-01-02 03:04:05,2020-01-02T03:04:05+01:00,01234,5,,x
2,-999999999999999999,7,FALSE,1999-12-31,1999-12-31T00:00:00.25,2020-01-02T03:04:05Z,99999,x,,
3,,,,,,,,,,y
"""


@pytest.mark.parametrize("held", [False, True])
def test_add(held: bool, any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    any_conn.execute(SCHEMA)
    if held:
        any_conn.execute("INSERT INTO t VALUES (99, 'old', 'row')")
    write(tmp_path, t_1=NEW, t_2="id,price,late\n4,12345678901234567890.5,2020-02-30\n")
    plan = pgsluice.plan(tmp_path, database_url=any_db, drift="add")
    assert list(types(any_conn)) == ["id", "a", "b"]
    result = pgsluice.load(tmp_path, database_url=any_db, drift=["t=add"])
    wanted = {
        "big_number": "bigint", "price": "numeric", "yes_no": "boolean", "day": "date",
        "moment": "timestamp without time zone", "zoned": "timestamp with time zone", "zip": "text", "mixed": "text",
        "nothing": "text", "late": "text",
    }  # fmt: skip
    assert types(any_conn) == {"id": "integer", "a": "character varying(3)", "b": "text", **wanted}
    added = [("added_column", n, t, *(("t_1", "t_2") if n == "price" else ("t_2",) if n == "late" else ("t_1",)))
             for n, t in wanted.items()]  # fmt: skip
    assert named(plan.drift)[: len(added)] == named(result.drift)[: len(added)] == added
    assert any_conn.execute(
        "SELECT big_number, price::text, yes_no, day::text, zip, late FROM t WHERE id < 99 ORDER BY id"
    ).fetchall() == [
        (12, "1.50", True, "2020-02-29", "01234", None),
        (-999999999999999999, "7", False, "1999-12-31", "99999", None),
        (None, None, None, None, None, None),
        (None, "12345678901234567890.5", None, None, None, "2020-02-30"),
    ]
    # The next load finds the columns.
    write(tmp_path, t_1=NEW.replace("1,12,", "11,12,").replace("\n2,", "\n12,").replace("\n3,", "\n13,"))
    again = pgsluice.load(tmp_path / "t_1.csv", database_url=any_db)
    assert again.tables[0].loaded == 3
    assert not [d for d in again.drift if d.kind == "added_column"]


def test_what_is_added_is_published_with_the_rows(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    write(tmp_path, t="id,new\n1,2\nx,3\n")
    vetoed = call("load", tmp_path, "--drift", "add", cwd=tmp_path, url=db)
    assert vetoed.code == 1, vetoed
    assert "t: column new (bigint) would be added for" in vetoed.out
    assert call("load", tmp_path, "--drift", "add", "--dry-run", "--max-rejects", "1", cwd=tmp_path, url=db).code == 0
    assert list(types(conn)) == ["id", "a", "b"]
    result = pgsluice.load(tmp_path, database_url=db, drift="add", max_rejects=1)
    assert rows(conn) == ["(1,,none,2)"]
    assert result.rejects.path is not None
    corrected = tmp_path / "corrected"
    corrected.write_text(Path(result.rejects.path).read_text().replace("x,3", "2,3"))
    pgsluice.replay(result.run_id, corrected, database_url=db)
    assert rows(conn) == ["(1,,none,2)", "(2,,none,3)"]


def test_a_table_of_another_role(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    conn.execute(
        "CREATE ROLE drift_loader LOGIN; GRANT ALL ON t TO drift_loader; GRANT CREATE ON SCHEMA public TO drift_loader"
    )
    try:
        write(tmp_path, t="id,new\n1,2\n")
        url = db.replace("postgres@", "drift_loader@")
        with pytest.raises(MappingError, match=r'As it: ALTER TABLE "public"."t" ADD COLUMN "new" pg_catalog.int8'):
            pgsluice.plan(tmp_path, database_url=url, drift="add")
    finally:
        conn.execute("DROP OWNED BY drift_loader; DROP ROLE drift_loader")


def test_mistakes(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute(SCHEMA)
    write(tmp_path, t="id,new\n1,2\n")
    with pytest.raises(CallError, match="--drift 'ad' is not a mode"):
        pgsluice.load(tmp_path, database_url=db, drift="ad")
    with pytest.raises(CallError, match="does not go with --resumable"):
        pgsluice.load(tmp_path, database_url=db, drift="t=add", resumable=True)
    with pytest.raises(MappingError, match="--drift names 'x', which is not a table"):
        pgsluice.load(tmp_path, database_url=db, drift=["add", "x=add"])


def test_resume_knows_it() -> None:
    modes = parse_drift(["ignore", "t=error"], True)
    assert restore_drift({"drift": json.loads(json.dumps(dataclasses.asdict(modes)))}) == modes


def test_a_column_that_is_too_narrow(any_db: str, any_conn: Connection, tmp_path: Path) -> None:
    """The remedy of the summary works when it is copied."""
    any_conn.execute('CREATE TABLE "select" (id smallint PRIMARY KEY, "A b" varchar(3), n numeric(4,2))')
    write(tmp_path, select='id,A b,n\n1,four,1\n40000,abc,2\n3,fives,3\n4,x,100\n5,y,"ten"\n')
    result = pgsluice.load(tmp_path, database_url=any_db, max_rejects="all")
    assert sorted((d.name, d.type, d.count) for d in result.drift if d.kind == "narrow_column") == [
        ("A b", "character varying(3)", 2), ("id", "smallint", 1), ("n", "numeric(4,2)", 1)
    ]  # fmt: skip
    statements = [r.partition("To widen the column: ")[2] for r in result.rejects.remedies]
    statements = [s for s in statements if s]
    assert 'ALTER TABLE "public"."select" ALTER "A b" TYPE text' in statements
    for statement in statements:
        any_conn.execute(statement)  # type: ignore[call-overload]
    assert pgsluice.load(tmp_path, database_url=any_db, max_rejects=1, again=True, mode="upsert").rejects.count == 1


@pytest.mark.parametrize("mode", ["ignore", "add"])
def test_a_misspelt_field_is_not_new(mode: str, db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, customer_id int, email text)")
    write(tmp_path, t="id,custmer_id,email2\n1,2,x\n")
    with pytest.raises(MappingError, match=r"t has no column 'custmer_id' \(nearest: customer_id\)"):
        pgsluice.load(tmp_path, database_url=db, drift=mode)
    # With the column beside it, the field is new.
    write(tmp_path, t="id,customer_id,custmer_id,email2\n1,7,2,x\n")
    pgsluice.load(tmp_path, database_url=db, drift=mode)
    wanted = {"ignore": ["(1,7,)"], "add": ["(1,7,,2,x)"]}
    assert rows(conn) == wanted[mode]
