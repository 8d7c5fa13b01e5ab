"""Tables whose foreign keys form a cycle, none of them deferrable, with rows in them: new rows may refer to each
other in any order, and a client that reads the tables all the while is not in the way, nor is the load in its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import pgsluice

FIRM = """
CREATE TABLE team (id int PRIMARY KEY, boss int NOT NULL, name text);
CREATE TABLE person (id int PRIMARY KEY, team int NOT NULL REFERENCES team, mentor int REFERENCES person);
INSERT INTO team VALUES (1, 1, 'first');
INSERT INTO person VALUES (1, 1, NULL);
ALTER TABLE team ADD CONSTRAINT team_boss FOREIGN KEY (boss) REFERENCES person;
"""


@pytest.fixture
def firm(conn: psycopg.Connection) -> psycopg.Connection:
    conn.execute(FIRM)
    return conn


@pytest.fixture
def reader(any_db: str, firm: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """In a transaction that has read both tables: whoever wants them for himself has to wait for it."""
    with psycopg.connect(any_db) as reading:
        reading.execute("SELECT FROM team, person")
        yield reading


@pytest.fixture
def db(any_db: str) -> str:
    return any_db


def _write(folder: Path, team: str, person: str) -> None:
    (folder / "team.csv").write_text("id,boss,name\n" + team)
    (folder / "person.csv").write_text("id,team,mentor\n" + person)


def _rows(conn: psycopg.Connection, table: str) -> list[tuple[object, ...]]:
    return conn.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # type: ignore[arg-type]


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("mode", ["append", "upsert", "insert-missing"])
def test_new_rows_that_refer_to_each_other(db: str, firm: psycopg.Connection, tmp_path: Path, mode: str) -> None:
    _write(tmp_path, "2,20,second\n3,1,third\n", "20,2,21\n21,3,20\n")
    result = pgsluice.load(tmp_path, database_url=db, mode=mode, no_wait=True)
    assert [(t.table, t.inserted, t.updated, t.rejected) for t in result.tables] == [
        ("person", 2, 0, 0), ("team", 2, 0, 0),
    ]  # fmt: skip
    assert _rows(firm, "team") == [(1, 1, "first"), (2, 20, "second"), (3, 1, "third")]
    assert _rows(firm, "person") == [(1, 1, None), (20, 2, 21), (21, 3, 20)]


@pytest.mark.usefixtures("reader")
def test_rows_that_are_there_turn_to_new_ones(db: str, firm: psycopg.Connection, tmp_path: Path) -> None:
    _write(tmp_path, "1,2,first\n2,1,second\n", "1,2,2\n2,1,1\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", no_wait=True)
    assert [(t.inserted, t.updated, t.rejected) for t in result.tables] == [(1, 1, 0), (1, 1, 0)]
    assert _rows(firm, "team") == [(1, 2, "first"), (2, 1, "second")]
    assert _rows(firm, "person") == [(1, 2, 2), (2, 1, 1)]


@pytest.mark.usefixtures("reader")
def test_rows_that_lean_on_a_refused_one_go_with_it(db: str, firm: psycopg.Connection, tmp_path: Path) -> None:
    _write(tmp_path, "2,20,second\n3,1,third\n", "20,2,21\n21,9,\n22,3,\n")
    result = pgsluice.load(tmp_path, database_url=db, no_wait=True, max_rejects="all")
    found = {(r.file.rsplit("/", 1)[1], r.line, r.kind) for r in pgsluice.reject_rows(result.run_id, database_url=db)}
    assert found == {("person.csv", 3, "foreign_key"), ("person.csv", 2, "parent"), ("team.csv", 2, "parent")}
    assert _rows(firm, "person") == [(1, 1, None), (22, 3, None)]
    assert _rows(firm, "team") == [(1, 1, "first"), (3, 1, "third")]


@pytest.mark.usefixtures("reader")
def test_one_of_the_tables_brings_no_rows(db: str, firm: psycopg.Connection, tmp_path: Path) -> None:
    _write(tmp_path, "", "2,1,3\n3,1,2\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", no_wait=True)
    assert sum(t.inserted for t in result.tables) == 2
    assert _rows(firm, "person") == [(1, 1, None), (2, 1, 3), (3, 1, 2)]


def test_a_rule_sends_the_rows_the_way_of_waiting_keys(db: str, firm: psycopg.Connection, tmp_path: Path) -> None:
    firm.execute("CREATE TABLE said (id int); CREATE RULE r AS ON INSERT TO team DO ALSO INSERT INTO said VALUES (7)")
    _write(tmp_path, "2,20,second\n", "20,2,\n")
    result = pgsluice.load(tmp_path, database_url=db)
    assert [(t.inserted, t.rejected) for t in result.tables] == [(1, 0), (1, 0)]
    assert _rows(firm, "said") == [(7,)]
    deferrable = firm.execute("SELECT DISTINCT condeferrable FROM pg_constraint WHERE contype = 'f'").fetchall()
    assert deferrable == [(False,)]


PAIR = """
CREATE TABLE a (id int PRIMARY KEY, code text UNIQUE NOT NULL, mb int);
CREATE TABLE b (id int PRIMARY KEY, acode text REFERENCES a (code) {action});
ALTER TABLE a ADD FOREIGN KEY (mb) REFERENCES b;
INSERT INTO a VALUES (1, 'x', NULL), (2, 'y', NULL);
INSERT INTO b VALUES (1, 'x'), (2, 'y');
"""


@pytest.mark.parametrize("action", ["ON UPDATE CASCADE", "ON UPDATE SET NULL"])
def test_the_files_have_the_last_word_over_what_follows_from_an_update(
    db: str, conn: psycopg.Connection, tmp_path: Path, action: str
) -> None:
    conn.execute(PAIR.format(action=action))  # type: ignore[arg-type]
    (tmp_path / "a.csv").write_text("id,code,mb\n1,z,1\n2,x,2\n")
    (tmp_path / "b.csv").write_text("id,acode\n1,x\n2,z\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert")
    assert [t.rejected for t in result.tables] == [0, 0]
    assert _rows(conn, "b") == [(1, "x"), (2, "z")]


def test_a_function_sees_the_rows_of_the_table_before(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("""
        CREATE TABLE a (id int PRIMARY KEY, mb int);
        CREATE FUNCTION has_a(i int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM a WHERE id = i)';
        CREATE FUNCTION count_a() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM a';
        CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a CHECK (has_a(a_id)), n bigint DEFAULT count_a());
        ALTER TABLE a ADD FOREIGN KEY (mb) REFERENCES b;
        INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (1, 1, 0);
    """)
    (tmp_path / "a.csv").write_text("id,mb\n2,2\n3,\n")
    (tmp_path / "b.csv").write_text("id,a_id\n2,2\n3,3\n")
    result = pgsluice.load(tmp_path, database_url=db)
    assert [t.rejected for t in result.tables] == [0, 0]
    assert _rows(conn, "b") == [(1, 1, 0), (2, 2, 3), (3, 3, 3)]


def test_a_trigger_comes_before_the_rows_of_the_next_table(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("""
        CREATE TABLE a (id int PRIMARY KEY, mb int, v text);
        CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a, v text);
        ALTER TABLE a ADD FOREIGN KEY (mb) REFERENCES b;
        INSERT INTO a VALUES (1, NULL, 'o'); INSERT INTO b VALUES (1, 1, 'o');
        CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN UPDATE b SET v = v || '+' WHERE a_id = new.id; RETURN NULL; END$$;
        CREATE TRIGGER mark AFTER UPDATE ON a FOR EACH ROW EXECUTE FUNCTION mark();
    """)
    (tmp_path / "a.csv").write_text("id,mb,v\n1,1,n\n")
    (tmp_path / "b.csv").write_text("id,a_id,v\n1,1,n\n")
    pgsluice.load(tmp_path, database_url=db, mode="upsert")
    assert _rows(conn, "b") == [(1, 1, "n")]


def test_a_key_of_the_same_name_elsewhere_is_left_alone(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("""
        CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE, mb int);
        CREATE TABLE b (id int PRIMARY KEY, a_id int, CONSTRAINT fk_a FOREIGN KEY (a_id) REFERENCES a);
        CREATE TABLE z (id int PRIMARY KEY, a_id int, CONSTRAINT fk_a FOREIGN KEY (a_id) REFERENCES a);
        ALTER TABLE a ADD CONSTRAINT fk_b FOREIGN KEY (mb) REFERENCES b;
        INSERT INTO a VALUES (1, 1, NULL), (2, 2, NULL); INSERT INTO b VALUES (1, 1), (2, 2); UPDATE a SET mb = id;
    """)
    keys = (
        "SELECT conname, conrelid, condeferrable, condeferred FROM pg_constraint WHERE conname LIKE 'fk_%' ORDER BY oid"
    )
    before = conn.execute(keys).fetchall()
    (tmp_path / "a.csv").write_text("id,u,mb\n3,1,3\n")
    (tmp_path / "b.csv").write_text("id,a_id\n3,3\n")
    pgsluice.load(tmp_path, database_url=db, mode="replace")
    assert (_rows(conn, "a"), _rows(conn, "b")) == ([(3, 1, 3)], [(3, 3)])
    assert conn.execute(keys).fetchall() == before
