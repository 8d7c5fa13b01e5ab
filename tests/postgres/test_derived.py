"""Derived tables: created in the order of what they read, kept equal to their queries, never locking readers out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import CallError, DatabaseError, FileError, SluiceError
from pgsluice.model import SetRule

Connection = psycopg.Connection[tuple[object, ...]]

DAILY = """-- materialized: table
-- unique index: day
-- Days without orders are not there.
SELECT ordered AS day, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY ordered;
"""
# Its name sorts before the tables that it reads.
BY_MONTH = """-- materialized: matview
-- unique index: month
SELECT date_trunc('month', day)::date AS month, sum(amount) AS amount FROM daily GROUP BY 1
"""
LARGE = "-- materialized: view\nSELECT * FROM orders WHERE amount > 50\n"
PLAIN = "SELECT city, count(*) AS orders FROM orders JOIN customers USING (customer) GROUP BY city"


@pytest.fixture
def shop(conn: Connection, tmp_path: Path) -> Path:
    conn.execute(
        "CREATE TABLE customers (customer int PRIMARY KEY, city text);"
        "CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, ordered date, amount numeric)"
    )
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder, range(1, 61))
    derive = tmp_path / "derive"
    derive.mkdir()
    for name, text in (("daily", DAILY), ("by_month", BY_MONTH), ("large", LARGE), ("cities", PLAIN)):
        (derive / f"{name}.sql").write_text(text)
    return tmp_path


def write(folder: Path, numbers: range, add: int = 0) -> None:
    orders = [f"{n},{n % 5 + 1},2024-{n % 4 + 1:02}-{n % 9 + 1:02},{n + add}" for n in numbers]
    (folder / "orders.csv").write_text("\n".join(["id,customer,ordered,amount", *orders, ""]))
    cities = [f"{n},{'Bonn' if n < 3 else 'Rome'}" for n in range(1, 6)]
    (folder / "customers.csv").write_text("\n".join(["customer,city", *cities, ""]))


def load(shop: Path, db: str, **options: object) -> dict[str, tuple[str, int]]:
    result = pgsluice.load(
        shop / "in",
        database_url=db,
        data_dir=str(shop),
        derive=[shop / "derive"],
        **options,  # type: ignore[arg-type]
    )
    assert result.status == "published", result.reason
    return {r.name: (r.action, r.changed) for r in result.derived}


def differences(conn: Connection, derive: Path) -> list[str]:
    """The derived tables that do not hold what their queries return now."""
    wrong = []
    for path in derive.glob("*.sql"):
        query = "\n".join(x for x in path.read_text().splitlines() if not x.startswith("--")).strip().rstrip(";")
        for first, second in ((f"({query})", f"TABLE {path.stem}"), (f"TABLE {path.stem}", f"({query})")):
            row = conn.execute(f"SELECT count(*) FROM ({first} EXCEPT ALL {second}) AS d".encode()).fetchone()
            if row != (0,):
                wrong.append(path.stem)
    return wrong


def test_created_in_order_and_kept_up_to_date(db: str, conn: Connection, shop: Path) -> None:
    assert load(shop, db) == {
        "cities": ("created", 2),
        "daily": ("created", 36),
        "large": ("created", 0),
        "by_month": ("created", 4),
    }
    assert differences(conn, shop / "derive") == []
    # One order of a day changes.
    write(shop / "in", range(7, 8), add=1000)
    (shop / "in" / "customers.csv").unlink()
    actions = load(shop, db, mode="upsert")
    assert actions["daily"] == ("refreshed", 1)
    assert actions["by_month"][0] == "refreshed"
    assert differences(conn, shop / "derive") == []
    # Nothing changes: nothing is computed.
    assert {action for action, _ in load(shop, db, mode="upsert", again=True).values()} == {"kept"}
    rows = conn.execute("SELECT action, changed FROM pgsluice.derived WHERE table_name = 'daily' ORDER BY made")
    assert rows.fetchall() == [("created", 36), ("refreshed", 1)]


def test_only_what_reads_a_changed_table_is_touched(db: str, conn: Connection, shop: Path) -> None:
    load(shop, db)
    (shop / "in" / "orders.csv").unlink()
    (shop / "in" / "customers.csv").write_text("customer,city\n1,Oslo\n")
    actions = load(shop, db, mode="upsert")
    assert {name: action for name, (action, _) in actions.items() if action != "kept"} == {"cities": "refreshed"}
    assert differences(conn, shop / "derive") == []


def test_a_changed_definition_is_rebuilt_with_what_reads_it(db: str, conn: Connection, shop: Path) -> None:
    load(shop, db)
    conn.execute("CREATE ROLE reader_of_derived; GRANT SELECT ON daily, by_month TO reader_of_derived")
    try:
        (shop / "derive" / "daily.sql").write_text(DAILY.replace(";", " HAVING count(*) > 1;").replace("Days", "Some"))
        results = pgsluice.derive(shop / "derive", database_url=db, data_dir=str(shop))
        assert {r.name: r.action for r in results} == {
            "cities": "refreshed",
            "daily": "rebuilt",
            "large": "kept",
            "by_month": "rebuilt",
        }
        assert differences(conn, shop / "derive") == []
        for name in ("daily", "by_month"):
            row = conn.execute("SELECT has_table_privilege('reader_of_derived', %s, 'SELECT')", (name,)).fetchone()
            assert row == (True,)
        # A comment makes no other table.
        (shop / "derive" / "daily.sql").write_text(DAILY.replace(";", " HAVING count(*) > 1;"))
        results = pgsluice.derive(shop / "derive", database_url=db, data_dir=str(shop))
        assert "rebuilt" not in {r.action for r in results}
    finally:
        conn.execute("DROP OWNED BY reader_of_derived; DROP ROLE reader_of_derived")


def test_a_foreign_view_on_a_derived_table_is_not_dropped(db: str, conn: Connection, shop: Path) -> None:
    load(shop, db)
    conn.execute("CREATE VIEW mine AS SELECT * FROM daily")
    (shop / "derive" / "daily.sql").write_text(DAILY.replace("count(*) AS orders", "count(*) AS n"))
    with pytest.raises(DatabaseError, match="mine depends on daily"):
        load(shop, db, mode="upsert", again=True)
    assert conn.execute("SELECT count(*) FROM mine").fetchone() == (36,)


@pytest.mark.parametrize(
    ("name", "text", "error", "words"),
    [
        ("bad", "SELECT * FROM nowhere", CallError, 'relation "nowhere" does not exist'),
        ("bad", "SELECT 1 / (amount - amount) AS x FROM orders", DatabaseError, "division by zero"),
        ("bad", "SELEC", DatabaseError, "syntax error"),
        ("bad", "-- materialised: view\nSELECT 1", CallError, "bad.sql:1.*no key 'materialised'"),
        ("bad", "-- materialized: cube\nSELECT 1", CallError, "'cube' is none of view, table, matview"),
        ("bad", "-- materialized: view\n-- index: a\nSELECT 1 AS a", CallError, "a view has no index"),
        ("bad", "-- only a comment", CallError, "no statement"),
        ("orders", "SELECT 1 AS id", CallError, "orders exists, and pgsluice has not derived it"),
        ("bad", "-- unique index: a\nSELECT 1 AS a FROM orders", DatabaseError, "could not create unique index"),
    ],
)
def test_wrong_definitions_publish_nothing(
    db: str, conn: Connection, shop: Path, name: str, text: str, error: type[SluiceError], words: str
) -> None:
    (shop / "derive" / f"{name}.sql").write_text(text)
    with pytest.raises(error, match=words):
        load(shop, db)
    assert conn.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    assert conn.execute("SELECT to_regclass('daily')").fetchone() == (None,)


def test_definitions_that_read_each_other(db: str, conn: Connection, shop: Path) -> None:
    load(shop, db)
    (shop / "derive" / "daily.sql").write_text("SELECT month AS day FROM by_month")
    with pytest.raises(CallError, match=r"daily.* read each other in a circle"):
        load(shop, db, mode="upsert", again=True)


def test_a_path_without_definitions(db: str, shop: Path) -> None:
    with pytest.raises(FileError, match=r"no \.sql file"):
        pgsluice.load(shop / "in", database_url=db, data_dir=str(shop), derive=[shop / "in"])
    call("derive", shop / "nowhere", cwd=shop, url=db).complaint(2, "no such file or folder")
    call("derive", cwd=shop, url=db).complaint(2, "no definition of a derived table is given")


def test_a_veto_takes_derived_tables_back(db: str, conn: Connection, shop: Path) -> None:
    load(shop, db)
    write(shop / "in", range(100, 110), add=-500)
    (shop / "in" / "customers.csv").unlink()
    rule = SetRule("positive", "SELECT day FROM daily WHERE amount < 0")
    result = pgsluice.load(shop / "in", database_url=db, data_dir=str(shop), derive=[shop / "derive"], rules=[rule])
    assert (result.status, result.rules[0].ok) == ("vetoed", False)
    assert differences(conn, shop / "derive") == []
    assert conn.execute("SELECT count(*) FROM orders").fetchone() == (60,)


def test_readers_always_see_tables_and_derived_tables_agree(db: str, conn: Connection, shop: Path) -> None:
    load(shop, db)
    dice = random.Random(5)
    with psycopg.connect(db) as reader:
        for _ in range(6):
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            before = reader.execute("SELECT sum(amount) FROM orders").fetchone()
            first = dice.randrange(1, 70)
            write(shop / "in", range(first, first + dice.randrange(1, 30)), add=dice.randrange(50))
            load(shop, db, mode=dice.choice(["upsert", "replace", "insert-missing"]), again=True)
            assert reader.execute("SELECT sum(amount) FROM daily").fetchone() == before
            assert reader.execute("SELECT sum(amount) FROM by_month").fetchone() == before
            reader.rollback()
            assert differences(conn, shop / "derive") == []


def test_the_command_line(db: str, conn: Connection, shop: Path) -> None:
    (shop / "pgsluice.toml").write_text(
        '[load]\npaths = ["in"]\nderive = ["derive"]\nrule_files = ["rules"]\n'
        '[rules.cities]\ntable = "customers"\ncolumn = "city"\naccepted_values = ["Bonn", "Rome"]\n'
        '[rules.enough]\ntable = "orders"\nrow_count = true\nminimum = 50\n'
        '[rules."a customer"]\ntable = "orders"\ncolumn = "customer"\nrelationships = "customers.customer"\n'
    )
    (shop / "rules").mkdir()
    (shop / "rules" / "small.sql").write_text("-- table: orders\n-- severity: warn\namount < 59\n")
    (shop / "rules" / "days.sql").write_text(
        "-- description: every day has a sum\nSELECT * FROM daily WHERE amount IS NULL\n"
    )
    ended = call("load", cwd=shop, url=db)
    assert ended.code == 0, ended
    assert "Rule small of orders is broken (warn): 2 rows break the rule." in ended.out
    assert "4 of 5 rules hold." in ended.out
    assert "by_month" in ended.out
    assert call("verify", cwd=shop, url=db).code == 0
    listed = call("rules", "list", "--json", cwd=shop).json
    assert [r["name"] for r in (*listed["rows"], *listed["sets"])] == [
        "cities",
        "a customer",
        "small",
        "enough",
        "days",
    ]
    conn.execute("UPDATE customers SET city = 'Oslo' WHERE customer = 1")
    tested = call("rules", "test", cwd=shop, url=db)
    assert tested.code == 1
    assert "Rule cities of customers is broken (reject): 1 row breaks the rule." in tested.out
    assert call("verify", cwd=shop, url=db).code == 1
    assert call("rules", "export", "--dbt", "--output", "project", cwd=shop).code == 0
    assert (shop / "project/models/pgsluice_rules.yml").is_file()
    derived = call("derive", "--json", cwd=shop, url=db).json
    assert {r["name"]: r["action"] for r in derived["derived"]}["cities"] == "refreshed"


@pytest.fixture(autouse=True)
def _no_leftovers(conn: Connection) -> Iterator[None]:
    yield
    assert conn.execute(
        "SELECT count(*) FROM pg_class WHERE relname LIKE 'pgsluice%' AND relkind = 'r'"
    ).fetchone() == (0,)
