"""What becomes of rows that a table holds: append, upsert, insert-missing, replace, each with exact counts."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import pgsluice
from pgsluice.errors import CallError, DatabaseError, MappingError

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL UNIQUE, age int CHECK (age >= 18), note text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, amount numeric NOT NULL);
INSERT INTO customers VALUES (1, 'a@x', 20, 'old'), (2, 'b@x', 30, 'old'), (3, 'c@x', 40, 'old');
INSERT INTO orders VALUES (10, 1, 1.5), (11, 2, 2.5), (12, 3, 3.5);
"""


@pytest.fixture
def shop(conn: psycopg.Connection) -> psycopg.Connection:
    conn.execute(SHOP)
    return conn


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def rows(conn: psycopg.Connection, table: str) -> list[tuple[object, ...]]:
    return conn.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # type: ignore[arg-type]


def counts(result: pgsluice.model.RunResult, table: str) -> tuple[int, int, int, int, int, int]:
    t = next(t for t in result.tables if t.table == table)
    return t.read, t.inserted, t.updated, t.unchanged, t.rejected, t.deleted


def test_upsert_touches_only_what_differs(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    before = dict(shop.execute("SELECT id, ctid::text FROM customers").fetchall())
    write(tmp_path, customers="id,email,age,note\n1,a@x,20,old\n2,b@x,31,old\n4,d@x,50,new\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert")
    assert counts(result, "customers") == (3, 1, 1, 1, 0, 0)
    assert rows(shop, "customers") == [
        (1, "a@x", 20, "old"), (2, "b@x", 31, "old"), (3, "c@x", 40, "old"), (4, "d@x", 50, "new"),
    ]  # fmt: skip
    after = dict(shop.execute("SELECT id, ctid::text FROM customers").fetchall())
    assert after[1] == before[1]
    assert after[2] != before[2]


def test_upsert_again_changes_nothing(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(tmp_path, customers="id,email,age,note\n1,a@x,21,x\n5,e@x,50,new\n")
    pgsluice.load(tmp_path, database_url=db, mode="upsert")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert")
    assert counts(result, "customers") == (2, 0, 0, 2, 0, 0)


def test_upsert_keeps_columns_that_the_file_lacks(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(tmp_path, customers="id,age\n1,99\n7,40\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", max_rejects="all")
    assert counts(result, "customers") == (2, 0, 1, 0, 1, 0)
    assert rows(shop, "customers")[0] == (1, "a@x", 99, "old")
    [reject] = pgsluice.reject_rows(result.run_id, database_url=db)
    assert (reject.line, reject.kind, reject.sqlstate, reject.column) == (3, "not_null", "23502", "email")


def test_a_change_that_equality_does_not_see_is_a_change(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(tmp_path, orders="id,customer_id,amount\n10,1,1.50\n11,2,2.5\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert")
    assert counts(result, "orders") == (2, 0, 1, 1, 0, 0)
    assert shop.execute("SELECT amount::text FROM orders WHERE id = 10").fetchone() == ("1.50",)


def test_upsert_by_a_named_key(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(tmp_path, customers="id,email,age,note\n8,a@x,22,moved\n")
    shop.execute("DELETE FROM orders")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", key=[("customers", "customers_email_key")])
    assert counts(result, "customers") == (1, 0, 1, 0, 0, 0)
    assert rows(shop, "customers")[-1] == (8, "a@x", 22, "moved")


def test_upsert_rejects_what_breaks_another_constraint(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(
        tmp_path,
        customers="id,email,age,note\n1,b@x,20,taken\n2,b@x,5,young\n9,a@x,20,taken\n6,f@x,20,\n6,g@x,20,\n",
        orders="id,customer_id,amount\n10,77,1\n13,6,1\n",
    )
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", max_rejects="all")
    found = [(r.table, r.line, r.kind, r.constraint) for r in pgsluice.reject_rows(result.run_id, database_url=db)]
    assert sorted(found) == [
        ("customers", 2, "unique", "customers_email_key"),
        ("customers", 3, "check", "customers_age_check"),
        ("customers", 4, "unique", "customers_email_key"),
        ("customers", 6, "unique", "customers_pkey"),
        ("orders", 2, "foreign_key", "orders_customer_id_fkey"),
    ]
    assert rows(shop, "customers") == [
        (1, "a@x", 20, "old"), (2, "b@x", 30, "old"), (3, "c@x", 40, "old"), (6, "f@x", 20, None),
    ]  # fmt: skip
    assert [r[:2] for r in rows(shop, "orders")] == [(10, 1), (11, 2), (12, 3), (13, 6)]


def test_insert_missing_leaves_known_rows_alone(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(tmp_path, customers="id,email,age,note\n1,zzz@x,99,changed\n4,d@x,50,new\n5,a@x,50,taken\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="insert-missing", max_rejects="all")
    assert counts(result, "customers") == (3, 1, 0, 1, 1, 0)
    assert rows(shop, "customers")[0] == (1, "a@x", 20, "old")
    assert [r[0] for r in rows(shop, "customers")] == [1, 2, 3, 4]


def test_upsert_with_delete_missing_synchronises(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(
        tmp_path,
        customers="id,email,age,note\n1,a@x,20,old\n4,d@x,50,new\n",
        orders="id,customer_id,amount\n10,1,1.5\n11,4,2.5\n",
    )
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", delete_missing=True)
    assert counts(result, "customers") == (2, 1, 0, 1, 0, 2)
    assert counts(result, "orders") == (2, 0, 1, 1, 0, 1)
    assert [r[0] for r in rows(shop, "customers")] == [1, 4]
    assert [r[:2] for r in rows(shop, "orders")] == [(10, 1), (11, 4)]
    # The foreign key waited for the run and is what it was.
    assert shop.execute(
        "SELECT condeferrable, condeferred, convalidated FROM pg_constraint WHERE conname = 'orders_customer_id_fkey'"
    ).fetchone() == (False, False, True)


def test_replace_makes_the_files_the_content(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(
        tmp_path,
        customers="id,email,age,note\n3,c@x,41,\n9,i@x,50,new\n",
        orders="id,customer_id,amount\n12,3,3.5\n14,9,1\n",
    )
    for _ in range(2):
        result = pgsluice.load(tmp_path, database_url=db, mode="replace")
        assert result.status == "published"
        assert rows(shop, "customers") == [(3, "c@x", 41, None), (9, "i@x", 50, "new")]
        assert [r[:2] for r in rows(shop, "orders")] == [(12, 3), (14, 9)]


def test_replace_of_a_table_without_a_key(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE log (at date, what text); INSERT INTO log VALUES ('2020-01-01', 'a'), (NULL, 'b')")
    write(tmp_path, log="at,what\n2024-01-01,c\n2024-01-01,c\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="replace")
    assert counts(result, "log") == (2, 2, 0, 0, 0, 2)
    assert conn.execute("SELECT count(*), count(DISTINCT what) FROM log").fetchone() == (2, 1)


def test_modes_differ_per_table_and_publish_as_one(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(
        tmp_path,
        customers="id,email,age,note\n1,a@x,21,\n",
        orders="id,customer_id,amount\n10,1,9\n15,99,1\n",
    )
    result = pgsluice.load(tmp_path, database_url=db, mode=["append", "customers=upsert"])
    assert result.status == "vetoed"
    assert rows(shop, "customers")[0] == (1, "a@x", 20, "old")
    (tmp_path / "orders.csv").write_text("id,customer_id,amount\n15,1,1\n")
    result = pgsluice.load(tmp_path, database_url=db, mode=["append", "customers=upsert"])
    assert result.status == "published"
    assert rows(shop, "customers")[0] == (1, "a@x", 21, None)


def test_rows_whose_record_was_rejected_are_not_missing(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(tmp_path, customers="id,email,age,note\n1,a@x,20,old\n2,b@x,many,\n3,c@x,5,\n")
    shop.execute("DELETE FROM orders")
    result = pgsluice.load(tmp_path, database_url=db, mode="replace", max_rejects="all")
    assert counts(result, "customers") == (3, 0, 0, 1, 2, 0)
    assert [r[0] for r in rows(shop, "customers")] == [1, 2, 3]


def test_missing_rows_are_unknown_when_a_record_cannot_be_read(
    db: str, shop: psycopg.Connection, tmp_path: Path
) -> None:
    write(tmp_path, customers='id,email,age,note\n1,a@x,20,old\n2,"b@x,20\n')
    with pytest.raises(DatabaseError, match="nobody knows"):
        pgsluice.load(tmp_path, database_url=db, mode="replace", max_rejects="all")
    assert len(rows(shop, "customers")) == 3


def test_rows_that_others_refer_to_are_not_deleted(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    write(tmp_path, customers="id,email,age,note\n1,a@x,20,old\n")
    with pytest.raises(DatabaseError, match="orders_customer_id_fkey"):
        pgsluice.load(tmp_path, database_url=db, mode="replace")
    assert len(rows(shop, "customers")) == 3


def test_a_mode_that_needs_a_key_says_so(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE log (at date, what text UNIQUE)")
    write(tmp_path, log="at\n2024-01-01\n")
    with pytest.raises(MappingError, match="no primary key"):
        pgsluice.load(tmp_path, database_url=db, mode="upsert")
    with pytest.raises(MappingError, match="the files have no what"):
        pgsluice.load(tmp_path, database_url=db, mode="upsert", key=[("log", "what")])
    with pytest.raises(MappingError, match="'lag'"):
        pgsluice.load(tmp_path, database_url=db, mode="lag=upsert")
    with pytest.raises(CallError, match="merge"):
        pgsluice.load(tmp_path, database_url=db, mode="merge")
    with pytest.raises(CallError, match="delete-missing"):
        pgsluice.load(tmp_path, database_url=db, delete_missing=True)


def test_triggers_and_generated_columns_see_an_upsert(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(
        """CREATE TABLE t (id int PRIMARY KEY, v int, twice int GENERATED ALWAYS AS (v * 2) STORED, seen int DEFAULT 0);
        CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN IF new.v = 13 THEN RETURN NULL; END IF; new.seen := old.seen + 1; RETURN new; END $$;
        CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN IF new.v = 13 THEN RETURN NULL; END IF; RETURN new; END $$;
        CREATE TRIGGER a BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION see();
        CREATE TRIGGER b BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION keep_out();
        INSERT INTO t (id, v) VALUES (1, 1), (2, 2)"""
    )
    write(tmp_path, t="id,v\n1,5\n2,13\n3,13\n4,4\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", max_rejects="all")
    assert counts(result, "t") == (4, 1, 1, 1, 1, 0)
    assert rows(conn, "t") == [(1, 5, 10, 1), (2, 2, 4, 0), (4, 4, 8, 0)]
    [reject] = pgsluice.reject_rows(result.run_id, database_url=db)
    assert (reject.line, reject.kind) == (4, "trigger")


TWINS = {
    "plain": "CREATE TABLE t (id int PRIMARY KEY, v text)",
    "partitioned": "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);"
    "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (2); CREATE TABLE t2 PARTITION OF t DEFAULT",
    "triggers that let everything pass": "CREATE TABLE t (id int PRIMARY KEY, v text);"
    "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;"
    "CREATE TRIGGER a BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION pass()",
}


@pytest.mark.parametrize("mode", ["upsert", "replace"])
@pytest.mark.parametrize("kind", TWINS)
def test_of_two_rows_with_one_known_key_the_first_counts(
    db: str, conn: psycopg.Connection, tmp_path: Path, kind: str, mode: str
) -> None:
    conn.execute(TWINS[kind] + "; INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")  # type: ignore[arg-type]
    write(tmp_path, t="id,v\n1,x\n2,b\n1,y\n4,d\n1,z\n")
    result = pgsluice.load(tmp_path, database_url=db, mode=mode, max_rejects="all")
    gone = int(mode == "replace")
    assert counts(result, "t") == (5, 1, 1, 1, 2, gone)
    assert rows(conn, "t") == [(1, "x"), (2, "b"), *([] if gone else [(3, "c")]), (4, "d")]
    rejects = pgsluice.reject_rows(result.run_id, database_url=db)
    assert [(r.line, r.kind, r.constraint, r.sqlstate) for r in rejects] == [
        (4, "unique", "t_pkey", "23505"), (6, "unique", "t_pkey", "23505"),
    ]  # fmt: skip


def test_insert_missing_rejects_the_second_row_of_a_new_key_only(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')")
    write(tmp_path, t="id,v\n1,x\n1,y\n4,d\n4,e\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="insert-missing", max_rejects="all")
    assert counts(result, "t") == (4, 1, 0, 2, 1, 0)
    assert rows(conn, "t") == [(1, "a"), (4, "d")]


def test_the_second_row_of_a_known_key_counts_where_a_trigger_refuses_the_first(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(
        """CREATE TABLE t (id int PRIMARY KEY, v text);
        CREATE FUNCTION no_x() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN IF new.v = 'x' THEN RAISE 'no x'; END IF; RETURN new; END $$;
        CREATE TRIGGER a BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no_x();
        INSERT INTO t VALUES (1, 'a')"""
    )
    write(tmp_path, t="id,v\n1,x\n1,y\n2,x\n2,y\n2,z\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", max_rejects="all")
    assert counts(result, "t") == (5, 1, 1, 0, 3, 0)
    assert rows(conn, "t") == [(1, "y"), (2, "y")]
    rejects = pgsluice.reject_rows(result.run_id, database_url=db)
    assert [(r.line, r.kind) for r in rejects] == [(2, "trigger"), (4, "trigger"), (6, "unique")]


def test_rows_without_a_key_are_no_twins(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (a int, b int, v text, UNIQUE (a, b)); INSERT INTO t VALUES (1, NULL, 'x')")
    write(tmp_path, t="a,b,v\n1,,y\n1,,z\n1,2,u\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", key=[("t", "a,b")])
    assert counts(result, "t") == (3, 3, 0, 0, 0, 0)


CASCADING = """
CREATE TABLE owner (id int PRIMARY KEY, name text);
CREATE TABLE thing (id int PRIMARY KEY, owner_id int NOT NULL REFERENCES owner ON DELETE CASCADE, kept text);
INSERT INTO owner VALUES (1, 'a'), (2, 'b');
INSERT INTO thing VALUES (10, 1, 'mine'), (11, 2, 'mine');
"""


def test_a_row_moves_away_from_a_parent_that_goes(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    """It is updated, and keeps what the file does not bring, though its foreign key would delete it."""
    conn.execute(CASCADING)
    write(tmp_path, owner="id,name\n2,b\n3,c\n", thing="id,owner_id\n10,3\n11,2\n")
    locks: list[tuple[object, ...]] = []

    def look(_: pgsluice.model.Progress) -> None:
        locks.extend(
            conn.execute(
                "SELECT relation::regclass FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IN"
                " ('owner'::regclass, 'thing'::regclass)"
            ).fetchall()
        )

    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", delete_missing=True, listen=look)
    assert counts(result, "owner") == (2, 1, 0, 1, 0, 1)
    assert counts(result, "thing") == (2, 0, 1, 1, 0, 0)
    assert rows(conn, "owner") == [(2, "b"), (3, "c")]
    assert rows(conn, "thing") == [(10, 3, "mine"), (11, 2, "mine")]
    # Readers are never in the way, nor it in theirs.
    assert locks == []


def test_a_rejected_row_holds_on_to_its_parent(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    """Its foreign key would delete it with the parent, without a word."""
    conn.execute(CASCADING)
    write(tmp_path, owner="id,name\n2,b\n", thing="id,owner_id\n10,x\n11,2\n")
    with pytest.raises(DatabaseError, match="thing_owner_id_fkey"):
        pgsluice.load(tmp_path, database_url=db, mode="upsert", delete_missing=True, max_rejects="all")
    assert len(rows(conn, "thing")) == 2


def test_a_row_of_the_file_refers_to_a_parent_that_goes(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(CASCADING)
    conn.execute("ALTER TABLE thing DROP CONSTRAINT thing_owner_id_fkey, ADD FOREIGN KEY (owner_id) REFERENCES owner")
    write(tmp_path, owner="id,name\n2,b\n", thing="id,owner_id\n10,2\n11,2\n12,1\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", delete_missing=True, max_rejects="all")
    assert counts(result, "thing") == (3, 0, 1, 1, 1, 0)
    assert counts(result, "owner") == (1, 0, 0, 1, 0, 1)
    [reject] = pgsluice.reject_rows(result.run_id, database_url=db)
    assert (reject.line, reject.kind) == (4, "foreign_key")


@pytest.mark.parametrize(
    ("third", "rejected"),
    [("4,4,50", 0), ("4,4,500", 1)],
)
def test_a_value_that_moves_to_a_new_row_is_free(
    db: str, conn: psycopg.Connection, tmp_path: Path, third: str, rejected: int
) -> None:
    conn.execute("CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE, n int CHECK (n < 100))")
    conn.execute("INSERT INTO a VALUES (1, 1, 1), (2, 2, 2)")
    (tmp_path / "a.csv").write_text(f"id,u,n\n1,9,1\n3,1,3\n{third}\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", max_rejects="all")
    assert counts(result, "a") == (3, 2 - rejected, 1, 0, rejected, 0)
    assert rows(conn, "a")[:3] == [(1, 9, 1), (2, 2, 2), (3, 1, 3)]


def test_a_value_that_stays_where_it_is_is_taken(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE, n int); INSERT INTO a VALUES (1, 1, 1)")
    (tmp_path / "a.csv").write_text("id,u,n\n1,1,9\n3,1,3\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", max_rejects="all")
    assert counts(result, "a") == (2, 0, 1, 0, 1, 0)


PARENTS = """
CREATE TABLE p (id int PRIMARY KEY, u int {unique});
CREATE TABLE k (a int PRIMARY KEY, p int REFERENCES p ON DELETE {action}, note text DEFAULT 'none');
INSERT INTO p VALUES (1, 10), (2, 20), (3, 30);
INSERT INTO k VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three');
"""


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "SET DEFAULT"])
@pytest.mark.parametrize("unique", ["", "UNIQUE"])
def test_a_missing_row_takes_no_row_of_the_run_with_it(
    action: str, unique: str, db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    """With a second unique key missing rows cannot wait until the end, and would fire what the foreign keys say."""
    conn.execute(PARENTS.format(unique=unique, action=action).encode())
    before = rows(conn, "p"), rows(conn, "k")
    write(tmp_path, p="id,u\n1,10\n4,20\n", k="a,p\n9,4\n")
    with pytest.raises(DatabaseError, match="k still refers to"):
        pgsluice.load(tmp_path, database_url=db, mode=["p=replace", "k=append"])
    assert (rows(conn, "p"), rows(conn, "k")) == before

    # Rows that turn to others: as long as the old parents may stay for that long.
    write(tmp_path, k="a,p\n1,1\n2,4\n3,4\n")
    if unique:
        with pytest.raises(DatabaseError, match="k still refers to"):
            pgsluice.load(tmp_path, database_url=db, mode="upsert", delete_missing=True)
        assert (rows(conn, "p"), rows(conn, "k")) == before
    else:
        pgsluice.load(tmp_path, database_url=db, mode="upsert", delete_missing=True)
        assert rows(conn, "k") == [(1, 1, "one"), (2, 4, "two"), (3, 4, "three")]


def test_missing_rows_that_refer_to_each_other_go_together(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(
        "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t ON DELETE CASCADE, u int UNIQUE);"
        "INSERT INTO t VALUES (1, NULL, 1), (2, 1, 2), (3, 2, 3), (4, 3, 4)"
    )
    write(tmp_path, t="id,up,u\n1,,1\n5,1,2\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="replace")
    assert rows(conn, "t") == [(1, None, 1), (5, 1, 2)]
    assert counts(result, "t")[5] == 3


@pytest.mark.parametrize(
    "record",
    ["1,2y,new", "x,1,new", ",1,new", "10,99999999999,new", "1,2y,toolong"],
    ids=["no number", "no number first", "none", "too large", "behind another fault"],
)
def test_whoever_cannot_read_a_key_deletes_nothing(
    record: str, db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(
        "CREATE TABLE t (v varchar(3), a int, b int, PRIMARY KEY (a, b));"
        "INSERT INTO t VALUES ('x', 1, 1), ('y', 1, 2), ('z', 2, 3)"
    )
    before = rows(conn, "t")
    a, b, v = record.split(",")
    write(tmp_path, t=f"v,a,b\nx,1,1\n{v},{a},{b}\n")
    if "toolong" in record and conn.info.server_version < 160000:
        pytest.skip("PostgreSQL 15 says of one fault only that it is there")
    with pytest.raises(DatabaseError, match="of 1 record for t the key cannot be read"):
        pgsluice.load(tmp_path, database_url=db, mode="upsert", delete_missing=True, max_rejects="all")
    assert rows(conn, "t") == before


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_database_with_another_isolation(level: str, db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    shop.execute(f"ALTER DATABASE {shop.info.dbname} SET default_transaction_isolation = '{level}'".encode())
    write(tmp_path, customers="id,email,age,note\n1,a@x,21,x\n4,d@x,5,x\n5,e@x,50,new\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", max_rejects="all")
    assert counts(result, "customers") == (3, 1, 1, 0, 1, 0)


def test_a_missing_right_is_no_verdict_on_rows(db: str, shop: psycopg.Connection, tmp_path: Path) -> None:
    name = f"loader_{shop.info.dbname}"
    shop.execute(f"CREATE ROLE {name} LOGIN; GRANT SELECT, INSERT ON customers TO {name};"
                 f" GRANT CREATE ON DATABASE {shop.info.dbname} TO {name}".encode())  # fmt: skip
    write(tmp_path, customers="id,email,age,note\n1,a@x,21,x\n5,e@x,50,new\n")
    try:
        url = psycopg.conninfo.make_conninfo(db, user=name)
        with pytest.raises(pgsluice.PrivilegeError, match=rf"GRANT UPDATE ON TABLE public.customers TO {name};"):
            pgsluice.load(tmp_path, database_url=url, mode="upsert", max_rejects="all")
        assert len(rows(shop, "customers")) == 3
    finally:
        shop.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}".encode())


def test_an_identity_column_that_cannot_be_updated_is_no_verdict_on_rows(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE, a text);"
        "INSERT INTO t (email, a) VALUES ('a@x', 'old')"
    )
    write(tmp_path, t="id,email,a\n1,a@x,new\n2,b@x,new\n")
    with pytest.raises(psycopg.Error, match='column "id" can only be updated to DEFAULT'):
        pgsluice.load(tmp_path, database_url=db, mode="upsert", key=[("t", "email")], max_rejects="all")
    assert rows(conn, "t") == [(1, "a@x", "old")]


@pytest.mark.parametrize("mode", ["replace", "upsert"])
@pytest.mark.parametrize("held", [False, True], ids=["alone", "referred to"])
def test_rows_may_exchange_their_unique_values(
    mode: str, held: bool, db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(
        "CREATE TABLE t (u int UNIQUE, id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text DEFAULT 'none');"
        "INSERT INTO t (u, note) VALUES (10, 'one'), (20, 'two'), (30, 'three'), (40, 'four')"
    )
    if held:
        conn.execute("CREATE TABLE k (t int REFERENCES t); INSERT INTO k VALUES (1), (2)")
    before = dict(conn.execute("SELECT id, ctid::text FROM t").fetchall())
    # Two exchange theirs, one takes what a row that goes leaves, or nobody has, and a new one what one gives up.
    write(tmp_path, t=f"id,u\n1,20\n2,10\n3,{40 if mode == 'replace' else 50}\n7,30\n")
    if mode == "upsert":
        (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text() + "4,40\n")
    result = pgsluice.load(tmp_path, database_url=db, mode=mode)
    kept = [(20, 1, "one"), (10, 2, "two"), (40 if mode == "replace" else 50, 3, "three"), (30, 7, "none")]
    if mode == "upsert":
        kept.append((40, 4, "four"))
        assert dict(conn.execute("SELECT id, ctid::text FROM t").fetchall())[4] == before[4]
    assert sorted(rows(conn, "t")) == sorted(kept)
    assert counts(result, "t") == (4, 1, 3, 0, 0, 1) if mode == "replace" else (5, 1, 3, 1, 0, 0)


@pytest.mark.parametrize("event", ["DELETE", "UPDATE", "INSERT"])
def test_rows_are_not_written_anew_where_a_trigger_notices(
    event: str, db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute(
        "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE); INSERT INTO t VALUES (1, 10), (2, 20);"
        "CREATE TABLE log (n int); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN INSERT INTO log VALUES (1); RETURN NULL; END';"
        f"CREATE TRIGGER note AFTER {event} ON t FOR EACH ROW EXECUTE FUNCTION note()".encode()
    )
    write(tmp_path, t="id,u\n1,20\n2,10\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", max_rejects="all")
    assert result.rejects.count == 2
    assert rows(conn, "log") == []


def test_rows_that_others_go_with_are_not_written_anew(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(
        "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE); INSERT INTO t VALUES (1, 10), (2, 20);"
        "CREATE TABLE k (t int REFERENCES t ON DELETE CASCADE); INSERT INTO k VALUES (1), (2)"
    )
    write(tmp_path, t="id,u\n1,20\n2,10\n")
    result = pgsluice.load(tmp_path, database_url=db, mode="upsert", max_rejects="all")
    assert result.rejects.count == 2
    assert rows(conn, "t") == [(1, 10), (2, 20)]
    assert rows(conn, "k") == [(1,), (2,)]


def test_a_key_in_which_nulls_are_equal_cannot_serve(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(
        "CREATE TABLE t (id int UNIQUE NULLS NOT DISTINCT, a text); INSERT INTO t VALUES (NULL, 'x'), (2, 'y')"
    )
    write(tmp_path, t="id,a\n,new\n2,z\n")
    with pytest.raises(MappingError, match="--key 'id' is no unique key of t"):
        pgsluice.load(tmp_path, database_url=db, mode="upsert", key=[("t", "id")])
    conn.execute("DELETE FROM t WHERE id IS NULL; ALTER TABLE t ALTER id SET NOT NULL")
    write(tmp_path, t="id,a\n3,new\n2,z\n")
    pgsluice.load(tmp_path, database_url=db, mode="upsert", key=[("t", "id")])
    assert rows(conn, "t") == [(2, "z"), (3, "new")]


def test_columns_are_called_by_their_names(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute('CREATE TABLE t ("I d" int, "a""b" int, c int, UNIQUE ("I d", "a""b"), UNIQUE (c))')
    conn.execute('CREATE UNIQUE INDEX ON t (("I d" + c))')
    write(tmp_path, t='I d,"a""b",c\n1,1,1\n1,1,2\n2,2,1\n-1,5,3\n')
    result = pgsluice.load(tmp_path, database_url=db, max_rejects="all")
    found = {r.line: r.column for r in pgsluice.reject_rows(result.run_id, database_url=db)}
    assert found == {3: 'I d, a"b', 4: "c", 5: '(("I d" + c))'}


def test_a_trigger_that_keeps_a_missing_row_is_an_error(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute(
        "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, 'y');"
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER keep BEFORE DELETE ON t FOR EACH ROW WHEN (old.id = 2) EXECUTE FUNCTION keep()"
    )
    write(tmp_path, t="id,a\n1,z\n3,new\n")
    with pytest.raises(DatabaseError, match="a trigger or rule of the table keeps them"):
        pgsluice.load(tmp_path, database_url=db, mode="replace")
    assert rows(conn, "t") == [(1, "x"), (2, "y")]
    write(tmp_path, t="id,a\n2,z\n3,new\n")
    assert counts(pgsluice.load(tmp_path, database_url=db, mode="replace"), "t") == (2, 1, 1, 0, 0, 1)
