"""Incremental derived tables: touched groups are computed again, and the result is that of the whole query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from derived_cases import Case

import pgsluice
from command import call
from conftest import fresh_database
from pgsluice.errors import CallError

Connection = psycopg.Connection[tuple[object, ...]]

DAILY = """-- incremental by: day
-- unique index: day
SELECT ordered AS day, count(*) AS orders, sum(amount) AS amount, string_agg(DISTINCT city, ',' ORDER BY city) AS cities
  FROM orders LEFT JOIN customers USING (customer) GROUP BY 1
"""


@pytest.fixture
def shop(db: str, conn: Connection, tmp_path: Path) -> Path:
    conn.execute(
        "CREATE TABLE customers (customer int PRIMARY KEY, city text);"
        "CREATE TABLE orders (id int PRIMARY KEY, customer int, ordered date, amount numeric CHECK (amount > 0))"
    )
    (tmp_path / "derive").mkdir()
    (tmp_path / "derive" / "daily.sql").write_text(DAILY)
    rows = [f"{n},{n % 50 or ''},2024-01-{n % 30 + 1:02},{n}" for n in range(1, 301)]
    write(tmp_path, orders=rows, customers=[f"{n},{'Bonn' if n % 2 else 'Rome'}" for n in range(1, 50)])
    [created] = load(tmp_path, db)
    assert (created.action, created.note) == ("created", "")
    return tmp_path


def write(folder: Path, **tables: list[str]) -> None:
    (folder / "in").mkdir(exist_ok=True)
    for old in (folder / "in").iterdir():
        old.unlink()
    heads = {"orders": "id,customer,ordered,amount", "customers": "customer,city"}
    for table, rows in tables.items():
        (folder / "in" / f"{table}.csv").write_text("\n".join([heads[table], *rows, ""]))


def load(folder: Path, db: str, **options: Any) -> tuple[pgsluice.DerivedResult, ...]:
    result = pgsluice.load(
        folder / "in",
        database_url=db,
        data_dir=str(folder),
        derive=[folder / "derive"],
        max_rejects="all",
        again=True,
        **options,
    )
    assert result.status == "published", result.reason
    return result.derived


def equal(conn: Connection, folder: Path) -> bool:
    query = (folder / "derive" / "daily.sql").read_text()
    return all(
        not conn.execute(f"({first}) EXCEPT ALL ({second})".encode()).fetchall()
        for first, second in ((query, "TABLE daily"), ("TABLE daily", query))
    )


def test_only_touched_groups_are_computed(db: str, conn: Connection, shop: Path) -> None:
    before = dict(conn.execute("SELECT day, xmin::text FROM daily").fetchall())
    # An order moves from day 2 to day 9, another one is new on a new day.
    write(shop, orders=["1,1,2024-01-09,5.5", "999,2,2024-03-01,7"])
    [daily] = load(shop, db, mode="upsert")
    assert (daily.action, daily.changed, daily.rows, daily.note) == ("updated", 3, 31, "3 groups")
    assert equal(conn, shop)
    after = dict(conn.execute("SELECT day, xmin::text FROM daily").fetchall())
    assert len([day for day in before if after[day] == before[day]]) == 28
    # A customer of three days moves to another city: found through the join.
    write(shop, customers=["7,Oslo"])
    [daily] = load(shop, db, mode="upsert")
    assert (daily.action, daily.note, daily.changed) == ("updated", "3 groups", 3)
    assert equal(conn, shop)
    # Rows that are gone.
    keep = conn.execute(
        "SELECT id || ',' || coalesce(customer::text, '') || ',' || ordered || ',' || amount FROM orders"
    )
    write(shop, orders=[str(row) for (row,) in keep if not str(row).startswith(("30,", "999,"))])
    [daily] = load(shop, db, mode="upsert", delete_missing=True)
    assert (daily.action, daily.note, daily.rows) == ("updated", "2 groups", 30)
    assert equal(conn, shop)
    row = conn.execute("SELECT action, note, rows FROM pgsluice.derived ORDER BY made DESC LIMIT 1").fetchone()
    assert row == ("updated", "2 groups", 30)
    assert daily.note in call("report", "--json", cwd=shop, url=db).out


def test_rows_that_are_refused_cost_no_whole_query(db: str, conn: Connection, shop: Path) -> None:
    write(shop, orders=["1,1,2024-01-09,5.5", "2,1,2024-01-09,-1", "5000,1,2024-01-10,2"])
    [daily] = load(shop, db, mode="upsert")
    assert (daily.action, daily.note) == ("updated", "3 groups")
    assert equal(conn, shop)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE orders SET amount = 77 WHERE id = 3", "orders has changed otherwise"),
        ("DELETE FROM customers WHERE customer = 9", "customers has changed otherwise"),
        ("UPDATE daily SET orders = 0 WHERE day = '2024-01-05'", "the derived table has changed otherwise"),
        ("ALTER TABLE orders ALTER amount TYPE numeric(20, 5) USING amount * 2", "created or altered"),
        ("ALTER TABLE orders RENAME amount TO a; ALTER TABLE orders ADD amount numeric", "created or altered"),
        ("SELECT pg_stat_reset_single_table_counters('orders'::regclass)", "orders has changed otherwise"),
        (
            "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN UPDATE orders SET amount = amount + 1 WHERE id = 8; RETURN NULL; END';"
            "CREATE TRIGGER more AFTER INSERT OR UPDATE ON customers EXECUTE FUNCTION more()",
            "has changed otherwise",
        ),
        (
            "UPDATE orders SET customer = 1 WHERE customer IS NULL; ALTER TABLE orders ADD FOREIGN KEY (customer)"
            " REFERENCES customers ON DELETE SET NULL",
            "has changed otherwise",
        ),
    ],
)
def test_what_the_run_did_not_follow_is_computed_as_a_whole(
    db: str, conn: Connection, shop: Path, change: str, words: str
) -> None:
    with psycopg.connect(db, autocommit=True) as other:
        other.execute(change.encode())
        other.execute("SELECT pg_stat_force_next_flush()")
    write(shop, orders=["1,1,2024-01-09,5.5"], customers=["1,Oslo"])
    [daily] = load(shop, db, mode="upsert")
    assert daily.action == "refreshed"
    assert words in daily.note
    assert daily.note.startswith("computed as a whole: ")
    assert equal(conn, shop)
    if "TRIGGER" not in change:
        write(shop, orders=["1,1,2024-01-10,5.5"])
        assert load(shop, db, mode="upsert")[0].action == "updated"
        assert equal(conn, shop)


def test_a_load_without_derived_tables_is_noticed(db: str, conn: Connection, shop: Path) -> None:
    write(shop, orders=["1,1,2024-01-09,5.5"])
    pgsluice.load(shop / "in", database_url=db, data_dir=str(shop), mode="upsert")
    write(shop, orders=["2,1,2024-01-10,5.5"])
    assert "orders has changed otherwise" in load(shop, db, mode="upsert")[0].note
    assert equal(conn, shop)


def test_another_time_zone_computes_everything(
    db: str, conn: Connection, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = DAILY.replace("ordered AS day", "(ordered::timestamptz + interval '23 hours')::date AS day")
    (shop / "derive" / "daily.sql").write_text(text)
    write(shop, orders=["1,1,2024-01-09,5.5"])
    assert load(shop, db, mode="upsert")[0].action == "rebuilt"
    write(shop, orders=["2,1,2024-01-09,5.5"])
    assert load(shop, db, mode="upsert")[0].action == "updated"
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    write(shop, orders=["3,1,2024-01-09,5.5"])
    assert "TimeZone differ" in load(shop, db, mode="upsert")[0].note


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT ordered AS day, row_number() OVER () FROM orders", "a window function"),
        ("SELECT ordered AS day FROM orders LIMIT 5", "LIMIT"),
        ("SELECT DISTINCT ON (ordered) ordered AS day, id FROM orders ORDER BY ordered, id", "DISTINCT ON"),
        ("SELECT ordered AS day FROM orders UNION SELECT ordered FROM orders", "a subquery"),
        ("SELECT ordered AS day FROM orders WHERE id IN (SELECT customer FROM customers)", "a subquery"),
        ("WITH o AS (SELECT * FROM orders) SELECT ordered AS day FROM o", "a subquery"),
        ("SELECT ordered AS day FROM orders RIGHT JOIN customers USING (customer)", "a RIGHT or FULL JOIN"),
        ("SELECT ordered AS day, count(*) FROM orders GROUP BY ROLLUP (ordered)", "grouping sets"),
        ("SELECT max(ordered) AS day FROM orders", "has no GROUP BY"),
        ("SELECT max(ordered) AS day, customer FROM orders GROUP BY customer", "does not group by day"),
        ("SELECT ordered AS day, now() FROM orders", "calls now"),
        ("SELECT ordered AS day, random() FROM orders", "calls random"),
        ("SELECT ordered AS day, own(id) FROM orders", "own, which is not PostgreSQL's own"),
        ("SELECT ordered AS day, unnest(ARRAY[1, 2]) FROM orders", "returns sets"),
        ("SELECT day FROM view_of_orders", "reads view_of_orders, a view"),
        ("SELECT ordered AS day, orders FROM orders", "whole rows"),
        ("SELECT ordered AS day, ctid::text AS place FROM orders", "whole rows or system columns"),
        ("SELECT ordered AS day, CURRENT_DATE FROM orders", "uses sqlvaluefunction"),
        ("SELECT ordered AS day, g FROM orders, generate_series(1, 3) AS g", "reads something that is no table"),
        ("SELECT ordered AS day FROM orders TABLESAMPLE SYSTEM (100)", "TABLESAMPLE"),
        ("SELECT ('2024-01-' || ordered::text)::timestamptz AS day FROM orders WHERE id < 0", "casts text"),
    ],
)
def test_queries_that_are_always_computed_as_a_whole(
    db: str, conn: Connection, shop: Path, query: str, words: str
) -> None:
    conn.execute("CREATE FUNCTION own(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1'")
    conn.execute("CREATE VIEW view_of_orders AS SELECT ordered AS day FROM orders")
    (shop / "derive" / "daily.sql").write_text(f"-- incremental by: day\n{query}\n")
    [daily] = pgsluice.derive(shop / "derive", database_url=db, data_dir=str(shop))
    assert daily.action == "rebuilt"
    assert words in daily.note
    write(shop, orders=["3,1,2024-01-09,5.5"])
    assert load(shop, db, mode="upsert")[0].action == "refreshed"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("-- incremental by: days", "incremental by: the query has no column 'days'"),
        ("-- materialized: matview\n-- incremental by: day", "a matview is not computed in parts"),
        ("-- incrementl by: day", "no key 'incrementl by'"),
    ],
)
def test_wrong_headers(db: str, shop: Path, header: str, words: str) -> None:
    (shop / "derive" / "daily.sql").write_text(f"{header}\nSELECT ordered AS day FROM orders GROUP BY ordered\n")
    with pytest.raises(CallError, match=words):
        pgsluice.derive(shop / "derive", database_url=db, data_dir=str(shop))


def test_names_that_need_quotes_and_several_keys(db: str, conn: Connection, shop: Path) -> None:
    (shop / "derive" / "daily.sql").write_text(
        '-- incremental by: "The day, so", CITY\n'
        "SELECT o.ordered AS \"The day, so\", coalesce(c.city, '{none} %s') AS city, count(*) AS n FROM orders AS o"
        " LEFT JOIN customers AS c USING (customer) GROUP BY 1, 2\n"
    )
    write(shop, orders=["1,1,2024-01-09,5.5"])
    assert load(shop, db, mode="upsert")[0].action == "rebuilt"
    write(shop, orders=["1,,,5.5", "2,2,,5"], customers=["2,"])
    [daily] = load(shop, db, mode="upsert")
    assert daily.action == "updated", daily.note
    assert equal(conn, shop)


def test_tables_that_nothing_has_changed_are_not_counted_by_a_scan(db: str, conn: Connection, shop: Path) -> None:
    """The number of rows comes from the ledger."""
    conn.execute("DELETE FROM daily WHERE day > '2024-01-20'")
    write(shop, orders=["1,1,2024-01-02,1"])
    [daily] = load(shop, db, mode="upsert")
    assert (daily.action, daily.rows) == ("kept", 30)


@pytest.mark.share(2)
@pytest.mark.parametrize(("seed", "size"), [(4, 2), *(pytest.param(n, 4, marks=pytest.mark.slow) for n in (4, 9))])
def test_random_queries_and_loads(any_server: str, tmp_path: Path, seed: int, size: int) -> None:
    with fresh_database(any_server) as uri:
        case = Case(seed, uri, tmp_path / "case")
        assert case.run(loads=size, definitions=size) == []
    assert case.actions["updated"] > 0


@pytest.mark.slow
def test_many_random_queries_and_loads(any_server: str, tmp_path: Path) -> None:
    for seed in range(1000, 1040):
        with fresh_database(any_server) as uri:
            assert Case(seed, uri, tmp_path / str(seed)).run() == []


def test_a_foreign_keys_action_refreshes_what_reads_its_table(db: str, conn: Connection, shop: Path) -> None:
    """The run feeds customers only, and PostgreSQL sets customers of orders to NULL."""
    conn.execute("ALTER TABLE orders ALTER customer DROP NOT NULL")
    conn.execute("UPDATE orders SET customer = NULL WHERE customer = 0")
    conn.execute("ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers ON DELETE SET NULL")
    (shop / "derive" / "daily.sql").write_text("SELECT customer, count(*) AS n FROM orders GROUP BY customer\n")
    pgsluice.derive(shop / "derive", database_url=db, data_dir=str(shop))
    write(shop, customers=[f"{n},Rome" for n in range(1, 40)])
    assert load(shop, db, mode="upsert", delete_missing=True)[0].action == "refreshed"
    assert equal(conn, shop)
