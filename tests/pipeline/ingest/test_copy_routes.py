"""Blocks that PostgreSQL gets as the file has them, or as typed columns, and rows that go past the stage: the same rows
stay, the same are refused, as when DuckDB reads and everything is staged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import psycopg
import pytest

import pgsluice
from pgsluice.pipeline.ingest.adaptive import FormatChooser
from pgsluice.pipeline.ingest.sender import CopySender
from pgsluice.pipeline.scratch import ScratchTables
from pgsluice.source.blocks import BlockReader
from pgsluice.source.typed.duckdb_reader import DuckDBReader

TABLE = """
DROP TABLE IF EXISTS t;
CREATE TABLE t (id int PRIMARY KEY, email text UNIQUE, amount numeric(10,2) CHECK (amount >= 0), at timestamptz);
"""
ROW = "(100, 'old@x', 1, NULL)"


@contextmanager
def watched(method: str, owner: type = CopySender) -> Iterator[list[object]]:
    """What a method returned, call by call."""
    seen: list[object] = []
    original = getattr(owner, method)

    def wrapper(self: object, *args: object) -> object:
        result = original(self, *args)
        seen.append(result)
        return result

    with mock.patch.object(owner, method, wrapper):
        yield seen


@contextmanager
def small_blocks(size: int) -> Iterator[None]:
    original = BlockReader.__init__

    def small(self: BlockReader, file: object, columns: object) -> None:
        original(self, file, columns, size)  # type: ignore[arg-type]

    with mock.patch.object(BlockReader, "__init__", small):
        yield


def outcome(conn: psycopg.Connection, db: str, path: Path, **options: object) -> tuple[object, ...]:
    """Rows, and rejects without the number of the run."""
    result = pgsluice.load(path, database_url=db, max_rejects="all", again=True, **options)
    refused = [
        (r.line, r.kind, r.column, r.constraint, r.sqlstate, r.message, r.raw)
        for r in pgsluice.reject_rows(result.run_id, database_url=db)
    ]
    return conn.execute("SELECT * FROM t ORDER BY id").fetchall(), refused


FILES = {
    "plain": ('id,email,amount,at\n1,a@x,1.50,2024-01-02 03:04:05+00\n2,,,\n3,"",2,2024-01-02\n', {}),
    "crlf": ("id,email,amount,at\r\n1,a@x,1.50,\r\n2,,,\r\n", {}),
    "mixed line ends": ("id,email,amount,at\n1,a@x,1.50,\r\n2,,,\n", {}),
    "blank lines": ("id,email,amount,at\n\n1,a@x,1.50,\n\n\n2,,,\n", {}),
    "quotes": ('id,email,amount,at\n1,"a""\n,x",1.50,\n2,b"c,2,\n3,"é",3,\n', {}),
    "semicolons": ("id;email;amount;at\n1;'a,;''x';1.50;\n2;;;\n", {"delimiter": ";", "quote": "'"}),
    "tabs": ("id\temail\tamount\tat\n1\ta,x\t1.50\t\n2\t\t\t\n", {"delimiter": "\t"}),
    "a word for NULL": ('id,email,amount,at\n1,NULL,1.50,NULL\n2,"NULL",1,NULL\n3,,2,NULL\n', {"null": ["NULL"]}),
    "two words for NULL": ("id,email,amount,at\n1,NULL,1.50,\n2,,1,NULL\n", {"null": ["NULL", ""]}),
    "the end of data": ('id,email,amount,at\n1,"x\n\\.\ny",1,\n2,\\.,2,\n3,c,3,\n', {}),
    "latin 1": ("id,email,amount,at\n1,é,1,\n", {"encoding": "latin-1"}),
    "bad values": ("id,email,amount,at\n1,a,1,\nx,b,1,\n3,c,1e400,\n4,d,4,soon\n5,e,5,\n", {}),
    "constraints": ("id,email,amount,at\n1,a,1,\n1,b,1,\n3,a,1,\n4,d,-4,\n,e,5,\n6,old@x,1,\n", {}),
    "too many and too few fields": ("id,email,amount,at\n1,a,1,\n2,b\n3,c,3,,\n4,d,4,\n5,e,5,,,\n6,f\n7,g,7,\n", {}),
    "faulty bytes": ("id,email,amount,at\n1,a,1,\n2,\0,2,\n3,c,3,\n", {}),
}


QUICK = FILES.keys() - {"plain", "two words for NULL", "bad values", "constraints"}
"""Those of which Arrow reads a block."""

SEVERAL_NULLS = {"a word for NULL", "two words for NULL"}

WAYS = ("file", "quick", "duckdb")


@contextmanager
def going(way: str) -> Iterator[None]:
    """Blocks go as the file has them, or as Arrow reads them, or as DuckDB does."""
    with (
        mock.patch("pgsluice.pipeline.ingest.reader.AS_IS", way != "duckdb"),
        mock.patch.object(FormatChooser, "prefers_binary", return_value=way == "quick"),
    ):
        yield


def any_way(db: str, conn: psycopg.Connection, path: Path, name: str, mode: str, rows: str) -> None:
    text, options = FILES[name]
    path.write_bytes(text.encode(str(options.get("encoding", "utf-8"))))
    found = []
    for way in WAYS:
        conn.execute(TABLE.encode())
        if rows:
            conn.execute(f"INSERT INTO t VALUES {rows}".encode())
        with going(way), watched("_send_whole") as taken, watched("_copy_arrow") as batches:
            found.append(outcome(conn, db, path, mode=mode, **options))
        assert bool(taken) <= (way != "duckdb")
        # COPY has one text for NULL, so Arrow reads the block if the file has several.
        assert bool(batches) == ((way == "quick" and name in QUICK) or (way != "duckdb" and name in SEVERAL_NULLS))
    assert found[0] == found[1] == found[2], name


@pytest.mark.share(5)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("mode", "rows"), [("append", ""), ("append", ROW), ("upsert", ROW)])
def test_the_same_any_way(db: str, conn: psycopg.Connection, tmp_path: Path, name: str, mode: str, rows: str) -> None:
    any_way(db, conn, tmp_path / "t.csv", name, mode, rows)


def test_types_that_are_read_quickly(any_db: str, any_conn: psycopg.Connection, tmp_path: Path) -> None:
    """Every type, NULLs and quotes among its values, into an empty table and through a stage."""
    any_conn.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN few AS integer CHECK (VALUE < 10);"
        "CREATE TABLE t (id int PRIMARY KEY, a smallint, b bigint, c numeric(12,3), d numeric, e real,"
        " f double precision, g boolean, h text, i varchar(5), j char(3), k date, l time, m timestamp, n timestamptz,"
        " o uuid, p json, q jsonb, r mood, s few)"
    )
    rows = [
        "1,-3,9000000000,1.5,2.50,0.1,-1e0,t,x,abc,ab,2024-02-29,11:08,2024-02-29 11:08:09.5,2024-02-29T11:08+05:30,"
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,{},"{""a"": [1]}",sad,3',
        "2,,,,,,,,,,,,,,,,,,,",
        '3," 7",-0,"-0.001",-0.25,16777217,0.30000000000000004,FALSE,"a\n""b""","","",0001-01-01,23:59:59.999999,'
        "0001-01-01 00:00,9999-12-31 23:59:59+14:00,A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12,[1],null,ok,-9",
    ]
    (tmp_path / "t.csv").write_text(
        "id,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s\n" + "\n".join(rows).replace("-1e0", "-1.0")
    )
    found = []
    for way in WAYS:
        for mode in ("append", "upsert"):
            any_conn.execute("TRUNCATE t")
            if mode == "upsert":
                any_conn.execute("INSERT INTO t (id) VALUES (3)")
            with going(way), watched("_copy_arrow") as batches:
                pgsluice.load(tmp_path, database_url=any_db, mode=mode, again=True)
            assert bool(batches) == (way == "quick")
            found.append(any_conn.execute("SELECT record_send(t) FROM t ORDER BY id").fetchall())
    assert len(found[0]) == 3
    assert all(rows == found[0] for rows in found)


def test_a_line_that_ended_the_data_before_18(any_db: str, any_conn: psycopg.Connection, tmp_path: Path) -> None:
    any_way(any_db, any_conn, tmp_path / "t.csv", "the end of data", "append", "")


def test_a_clean_file_needs_no_duckdb(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(TABLE)
    (tmp_path / "t.csv").write_text(FILES["plain"][0])
    with mock.patch.object(DuckDBReader, "_open", side_effect=AssertionError):
        outcome(conn, db, tmp_path)
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (3,)


def test_a_refused_block_is_read_by_duckdb_and_so_are_those_behind_it(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    # Beside a table that holds rows none are frozen.
    conn.execute(TABLE + "; CREATE TABLE u (id int); INSERT INTO u VALUES (0)")
    lines = [f"{i},m{i},1,\n" for i in range(600)]
    lines[150] = "150,x,nothing,\n"
    (tmp_path / "t.csv").write_text("id,email,amount,at\n" + "".join(lines))
    (tmp_path / "u.csv").write_text("id\n1\n")
    with small_blocks(500), watched("_send_whole") as taken, watched("read", DuckDBReader) as read:
        _, refused = outcome(conn, db, tmp_path)
    assert refused == [
        (152, "value", "amount", "", "22P02", 'invalid input syntax for type numeric: "nothing"', "150,x,nothing,")
    ]
    # Some blocks were on their way already when PostgreSQL said so.
    assert taken.count(False) == 1
    assert len(taken) - taken.index(False) <= 4
    assert len(read) > 2
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (599,)


@pytest.mark.share(2)
@pytest.mark.parametrize("way", ["file", "quick"])
@pytest.mark.parametrize("bad", ["150,x,nothing,", "150,x,-1,", "150,x,nothing,\n151,m151,-1,", "m150,150,1,2,3"])
def test_a_bad_row_is_no_reason_not_to_freeze_the_others(
    db: str, conn: psycopg.Connection, tmp_path: Path, way: str, bad: str
) -> None:
    """The second time rows that may be bad are held, and Arrow reads the others of their blocks."""
    conn.execute(TABLE)
    lines = [f"{i},m{i},1,\n" for i in range(600)]
    lines[150:152] = [f"{bad}\n"] if "\n" in bad else [f"{bad}\n", lines[151]]
    (tmp_path / "t.csv").write_text("id,email,amount,at\n" + "".join(lines))
    steps: list[str] = []
    with small_blocks(500), going(way), watched("read", DuckDBReader) as read:
        result = pgsluice.load(tmp_path, database_url=db, max_rejects="all", listen=lambda p: steps.append(p.step))
    assert (result.tables[0].loaded, result.rejects.count) == (600 - len(bad.split("\n")), len(bad.split("\n")))
    fault = bad.startswith("m")
    assert sum("copied again" in s for s in steps) == (not fault)
    assert read == []
    # The page of a row that broke a CHECK is not visible to all any more.
    frozen, pages = conn.execute("SELECT relallvisible, relpages FROM pg_class WHERE relname = 't'").fetchone() or (
        0,
        0,
    )
    assert 0 < pages - 2 <= frozen
    checks = conn.execute("SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'")
    assert checks.fetchone() == (1,)


def test_where_typing_does_not_tell_rows_are_frozen_or_started_again_without(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    """JSON and domains are PostgreSQL's to ask, and it may refuse what is certain to the readers."""
    conn.execute("CREATE DOMAIN few AS int CHECK (VALUE < 10)")
    for kind, good, bad in (("jsonb", "{}", "{"), ("few", "1", "11"), ("varchar(2)", "ab", "abc")):
        conn.execute("DROP TABLE IF EXISTS t")
        conn.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {kind})".encode())
        lines = [f"{i},{good}\n" for i in range(600)]
        lines[300] = f"300,{bad}\n"
        (tmp_path / "t.csv").write_text("id,v\n" + "".join(lines))
        for way in WAYS:
            conn.execute("TRUNCATE t")
            with small_blocks(500), going(way):
                result = pgsluice.load(tmp_path, database_url=db, max_rejects="all", again=True)
            assert (result.tables[0].loaded, result.rejects.count) == (599, 1)
            frozen = conn.execute("SELECT relallvisible > 0 FROM pg_class WHERE relname = 't'").fetchone()
            assert frozen == (kind.startswith("v"),), (kind, way)


@pytest.mark.share(5)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bad", ["x,1", "290,-1"])
@pytest.mark.parametrize(
    "key", ["smallserial", "serial", "int GENERATED BY DEFAULT AS IDENTITY", "int GENERATED ALWAYS AS IDENTITY"]
)
def test_a_table_that_starts_again_numbers_its_rows_from_the_beginning(
    db: str, conn: psycopg.Connection, tmp_path: Path, way: str, bad: str, key: str
) -> None:
    conn.execute(f"CREATE TABLE t (id {key} PRIMARY KEY, a int, b int CHECK (b > 0))".encode())
    conn.execute("CREATE TABLE u (t int REFERENCES t)")
    conn.execute("ALTER SEQUENCE t_id_seq MAXVALUE 310; SELECT nextval('t_id_seq')")
    lines = [f"{i},1\n" for i in range(300)]
    lines[290] = bad + "\n"
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(lines))
    (tmp_path / "u.csv").write_text("t\n" + "".join(f"{i}\n" for i in range(2, 290)))
    with small_blocks(500), going(way):
        result = pgsluice.load(tmp_path, database_url=db, max_rejects="all")
    assert [(t.loaded, t.rejected) for t in result.tables] == [(299, 1), (288, 0)]
    assert conn.execute("SELECT min(id), count(*), max(id) <= 310 FROM t").fetchone() == (2, 299, True)


@pytest.mark.parametrize("way", WAYS)
def test_a_check_that_looks_into_its_table_stays_up(
    db: str, conn: psycopg.Connection, tmp_path: Path, way: str
) -> None:
    """It sees no row of the COPY that it is asked in, and would see all of them in the end."""
    conn.execute(
        "CREATE TABLE t (a int, b int); CREATE FUNCTION few() RETURNS bool LANGUAGE plpgsql VOLATILE AS"
        " $$BEGIN RETURN (SELECT count(*) FROM t) < 50; END$$; ALTER TABLE t ADD CHECK (few())"
    )
    lines = [f"{i},{i}\n" for i in range(100)]
    lines[90] = "x,1\n"
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(lines))
    with going(way):
        result = pgsluice.load(tmp_path, database_url=db, max_rejects="all")
    assert result.tables[0].loaded == 99


def test_a_check_that_is_not_validated_is_asked_of_new_rows(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    """Put back, it does not look at rows: so the judge does."""
    conn.execute("CREATE TABLE t (id int, n int); ALTER TABLE t ADD CONSTRAINT few CHECK (n < 10) NOT VALID")
    (tmp_path / "t.csv").write_text("id,n\n" + "".join(f"{i},1\n" for i in range(300)) + "x,1\n301,11\n")
    for way in WAYS:
        conn.execute("TRUNCATE t")
        with small_blocks(500), going(way):
            result = pgsluice.load(tmp_path, database_url=db, max_rejects="all", again=True)
        assert [(g.kind, g.count) for g in result.rejects.groups] == [("value", 1), ("check", 1)]
        assert conn.execute("SELECT convalidated FROM pg_constraint WHERE conname = 'few'").fetchone() == (False,)


def test_appended_rows_go_past_the_stage_until_one_is_refused(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(TABLE + f"; INSERT INTO t VALUES {ROW}")
    (tmp_path / "t_1.csv").write_text("id,email,amount,at\n1,a,1,\n2,b,2,\n")
    with mock.patch.object(ScratchTables, "ensure_stage", side_effect=AssertionError):
        outcome(conn, db, tmp_path)
    # The second file has a bad row; the first of two rows with one key is in front of it, the second behind.
    (tmp_path / "t_1.csv").write_text("id,email,amount,at\n11,k,1,\n12,l,2,\n")
    (tmp_path / "t_2.csv").write_text("id,email,amount,at\n13,m,-1,\n14,k,2,\n15,n,2,\n")
    (tmp_path / "t_3.csv").write_text("id,email,amount,at\n16,n,1,\n17,a,2,\n18,o,3,\n")
    with mock.patch.object(
        ScratchTables, "ensure_stage", autospec=True, side_effect=ScratchTables.ensure_stage
    ) as staged:
        _, refused = outcome(conn, db, tmp_path)
    assert staged.called
    assert [(r[-1], r[3]) for r in refused] == [
        ("13,m,-1,", "t_amount_check"), ("14,k,2,", "t_email_key"), ("16,n,1,", "t_email_key"),
        ("17,a,2,", "t_email_key"),
    ]  # fmt: skip
    assert [r[0] for r in conn.execute("SELECT id FROM t ORDER BY 1")] == [1, 2, 11, 12, 15, 18, 100]


def test_rows_with_a_trigger_are_staged(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(TABLE + f"; INSERT INTO t VALUES {ROW}")
    conn.execute(
        "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF NEW.id % 2 = 0 THEN RETURN NULL; END IF; RETURN NEW; END$$;"
        "CREATE TRIGGER odd BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION odd()"
    )
    (tmp_path / "t.csv").write_text("id,email,amount,at\n1,a,1,\n2,b,2,\n3,c,3,\n")
    _, refused = outcome(conn, db, tmp_path)
    assert [(r[0], r[1]) for r in refused] == [(3, "trigger")]


FROZEN = b"SELECT relallvisible = relpages AND relpages > 0, relpages > 0 FROM pg_class WHERE relname = 't'"
"""COPY ... FREEZE marks the pages as visible to all; ANALYZE counts these."""


@pytest.mark.parametrize("way", WAYS)
def test_rows_of_an_empty_table_arrive_frozen(db: str, conn: psycopg.Connection, tmp_path: Path, way: str) -> None:
    schema = tmp_path / "schema.sql"
    schema.write_text("CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY, n int CHECK (n > 0)); CREATE INDEX ON t (n);")
    good = "".join(f"{i},{i}\n" for i in range(1, 1000))
    (tmp_path / "t.csv").write_text("id,n\n" + good)
    with going(way):
        # The bad row is held, so no page holds a row that was deleted.
        for text, rejected in ((good, 0), (good + "0,0\n", 1)):
            conn.execute("DROP TABLE IF EXISTS t")
            (tmp_path / "t.csv").write_text("id,n\n" + text)
            result = pgsluice.load(tmp_path / "t.csv", database_url=db, schema=schema, max_rejects="all")
            assert (result.status, result.rejects.count) == ("published", rejected)
            assert conn.execute(FROZEN).fetchone() == (True, True)
            assert conn.execute("SELECT count(*) FROM t").fetchone() == (999,)
        conn.execute("TRUNCATE t")
        (tmp_path / "t.csv").write_text("id,n\n" + good)
        pgsluice.load(tmp_path / "t.csv", database_url=db, schema=schema, again=True)
        assert conn.execute(FROZEN).fetchone() == (True, True)


def test_rows_are_not_frozen_beside_a_table_that_holds_some(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    """A snapshot that is older than the load would see the new rows of this table, and not those of the other."""
    conn.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (0)")
    for name in ("t", "u"):
        (tmp_path / f"{name}.csv").write_text("id\n1\n2\n")
    pgsluice.load(tmp_path, database_url=db)
    assert conn.execute(FROZEN).fetchone() == (False, True)


@pytest.mark.parametrize("way", WAYS)
def test_a_row_refused_late_costs_its_table_a_second_reading_and_nothing_else(
    db: str, conn: psycopg.Connection, tmp_path: Path, way: str
) -> None:
    conn.execute(
        "CREATE TABLE a (id int PRIMARY KEY);"
        "CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES a, n int CHECK (n > 0))"
    )
    (tmp_path / "a.csv").write_text("id\n" + "".join(f"{i}\n" for i in range(1000)))
    lines = [f"{i},{i % 1000},{1 + i % 7}\n" for i in range(2000)]
    lines[5] = "too few\n"
    (tmp_path / "t_1.csv").write_text("id,a,n\n" + "".join(lines[:1000]))
    lines[1500], lines[1990], lines[1995] = "1500,1,0\n", "x,1,1\n", "1995,5000,1\n"
    (tmp_path / "t_2.csv").write_text("id,a,n\n" + "".join(lines[1000:]))
    steps: list[str] = []
    with small_blocks(4096), going(way):
        result = pgsluice.load(
            tmp_path, database_url=db, max_rejects="all", listen=lambda p: steps.append(f"{p.table}: {p.step}")
        )
    [again] = [s for s in steps if "copied again" in s]
    assert again.startswith("t: copied again from its first row: a row is refused: ")
    assert [(t.table, t.read, t.loaded, t.rejected) for t in result.tables] == [
        ("a", 1000, 1000, 0),
        ("t", 2000, 1996, 4),
    ]
    rejects = pgsluice.reject_rows(result.run_id, database_url=db)
    assert [(Path(r.file).name, r.line, r.kind, r.raw) for r in rejects] == [
        ("t_1.csv", 7, "structure", "too few"), ("t_2.csv", 502, "check", "1500,1,0"),
        ("t_2.csv", 992, "value", "x,1,1"), ("t_2.csv", 997, "foreign_key", "1995,5000,1"),
    ]  # fmt: skip
    kept = set(range(2000)) - {5, 1500, 1990, 1995}
    assert {i for (i,) in conn.execute("SELECT id FROM t")} == kept
    assert conn.execute("SELECT relallvisible FROM pg_class WHERE relname = 'a'").fetchone() != (0,)


def test_an_error_as_long_as_a_value_does_not_stop_both_sides(
    any_db: str, any_conn: psycopg.Connection, tmp_path: Path
) -> None:
    """PostgreSQL quotes the value that it refuses, and does not read on before that is gone."""
    any_conn.execute("CREATE TABLE t (id int, v jsonb)")
    rows = "".join(f'{i},"""{"x" * 10_000}"""\n' for i in range(400))
    (tmp_path / "t.csv").write_text(f"id,v\n1,{'é' * 450_000}\n{rows}")
    result = pgsluice.load(tmp_path, database_url=any_db, max_rejects="all")
    assert (result.tables[0].loaded, result.rejects.count) == (400, 1)
