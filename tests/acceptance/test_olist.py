"""A real set that nobody here wrote: 49,918 rows of a marketplace, nine tables, and orphans in it.

What has to come out is counted by plain SQL over the files' texts, without pgsluice. The files are not part
of the project: they are looked for in ``../shared/data/olist`` beside it, or in PGSLUICE_OLIST.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from command import Ended, call
from conftest import fresh_database

FOLDER = Path(os.environ.get("PGSLUICE_OLIST", Path(__file__).parents[3] / "shared" / "data" / "olist"))
SCHEMA = FOLDER / "create_schema.sql"

pytestmark = pytest.mark.skipif(not SCHEMA.exists(), reason=f"the Olist files are not in {FOLDER} (PGSLUICE_OLIST)")

FILES = {
    "category_translation": "product_category_name_translation.csv",
    "geolocation": "olist_geolocation_dataset.csv",
    "customers": "olist_customers_dataset.csv",
    "sellers": "olist_sellers_dataset.csv",
    "products": "olist_products_dataset.csv",
    "orders": "olist_orders_dataset.csv",
    "order_items": "olist_order_items_dataset.csv",
    "order_payments": "olist_order_payments_dataset.csv",
    "order_reviews": "olist_order_reviews_dataset.csv",
}
TABLES = [word for table, file in FILES.items() for word in ("--table", f"{table}={file}")]

# Which rows of the raw texts have to go, one query a table: the row itself is at fault, or a row that it
# points at went. ``lost_`` tables are filled in this order.
LOST = {
    "customers": {
        "foreign_key": "NOT EXISTS (SELECT FROM raw.geolocation AS g WHERE"
        " g.geolocation_zip_code_prefix = r.customer_zip_code_prefix)"
    },
    "sellers": {
        "foreign_key": "NOT EXISTS (SELECT FROM raw.geolocation AS g WHERE"
        " g.geolocation_zip_code_prefix = r.seller_zip_code_prefix)"
    },
    "products": {
        "foreign_key": "r.product_category_name IS NOT NULL AND NOT EXISTS (SELECT FROM"
        " raw.category_translation AS c WHERE c.product_category_namept = r.product_category_name)"
    },
    "orders": {"parent": "EXISTS (SELECT FROM raw.lost_customers AS c WHERE c.customer_id = r.customer_id)"},
    "order_items": {
        "parent": "EXISTS (SELECT FROM raw.lost_orders AS o WHERE o.order_id = r.order_id)"
        " OR EXISTS (SELECT FROM raw.lost_products AS p WHERE p.product_id = r.product_id)"
        " OR EXISTS (SELECT FROM raw.lost_sellers AS s WHERE s.seller_id = r.seller_id)"
    },
    "order_payments": {"parent": "EXISTS (SELECT FROM raw.lost_orders AS o WHERE o.order_id = r.order_id)"},
    "order_reviews": {"parent": "EXISTS (SELECT FROM raw.lost_orders AS o WHERE o.order_id = r.order_id)"},
}


@pytest.fixture(scope="module")
def database(server: str) -> Iterator[str]:
    with fresh_database(server) as uri:
        yield uri


@pytest.fixture(scope="module")
def loaded(database: str, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("olist")
    ended = call(
        "load", FOLDER, "--schema", SCHEMA, *TABLES, "--max-rejects", "all", "--json", cwd=folder, url=database
    )
    assert ended.code == 0, ended
    return ended


@pytest.fixture(scope="module")
def raw(database: str, loaded: Ended) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The files as plain texts in schema ``raw``, each row with the number of its line, and what has to go."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA raw")
        for table, name in FILES.items():
            with (FOLDER / name).open(newline="", encoding="utf-8-sig") as file:
                header, *rows = csv.reader(file)
            columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(c)) for c in header)
            conn.execute(sql.SQL("CREATE TABLE raw.{} (line bigint, {})").format(sql.Identifier(table), columns))
            statement = sql.SQL("COPY raw.{} FROM STDIN").format(sql.Identifier(table))
            with conn.cursor() as cursor, cursor.copy(statement) as copy:
                for line, row in enumerate(rows, start=2):
                    copy.write_row((line, *(value or None for value in row)))
        for table, kinds in LOST.items():
            (condition,) = kinds.values()
            conn.execute(f"CREATE TABLE raw.lost_{table} AS SELECT * FROM raw.{table} AS r WHERE {condition}")
        yield conn


def count(conn: psycopg.Connection[tuple[object, ...]], relation: str) -> int:
    (number,) = conn.execute(f"SELECT count(*) FROM {relation}").fetchone() or ()
    assert isinstance(number, int)
    return number


def test_every_row_is_accounted_for(loaded: Ended, raw: psycopg.Connection[tuple[object, ...]]) -> None:
    tables = {t["table"]: t for t in loaded.json["tables"]}
    assert tables.keys() == FILES.keys()
    for name, table in tables.items():
        lost = count(raw, f"raw.lost_{name}") if name in LOST else 0
        assert (table["read"], table["rejected"]) == (count(raw, f"raw.{name}"), lost), name
        assert table["loaded"] == table["read"] - table["rejected"] == count(raw, f"public.{name}")
    assert sum(t["read"] for t in tables.values()) == 49_918


def test_each_reject_is_one_that_plain_sql_finds(
    loaded: Ended, database: str, raw: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    shown = call("rejects", "--format", "csv", cwd=tmp_path, url=database)
    rejects = list(csv.DictReader(shown.out.splitlines()))
    found = Counter((r["table"], r["kind"], int(r["line"])) for r in rejects)
    expected = Counter(
        (table, kind, line)
        for table, kinds in LOST.items()
        for kind in kinds
        for (line,) in raw.execute(f"SELECT line FROM raw.lost_{table}").fetchall()
    )
    assert found == expected
    # The raw record is the line itself, and a child names the line of its parent.
    lines = {name: (FOLDER / name).read_text(encoding="utf-8-sig").splitlines() for name in FILES.values()}
    for reject in rejects:
        assert reject["raw"] == lines[FILES[reject["table"]]][int(reject["line"]) - 1]
        assert ("its parent, " in reject["message"]) == (reject["kind"] == "parent")


def test_counts_that_the_tutorial_tells(loaded: Ended) -> None:
    """The page in ``docs/tutorial`` shows these figures: when they change, it must."""
    groups = Counter({(g["table"], g["kind"], g["constraint"]): g["count"] for g in loaded.json["rejects"]["groups"]})
    assert groups == {
        ("customers", "foreign_key", "customers_zip_fkey"): 13,
        ("sellers", "foreign_key", "sellers_zip_fkey"): 3,
        ("products", "foreign_key", "products_category_fkey"): 2,
        ("orders", "parent", "orders_customer_fkey"): 13,
        ("order_items", "parent", "items_order_fkey"): 18,
        ("order_items", "parent", "items_product_fkey"): 2,
        ("order_items", "parent", "items_seller_fkey"): 8,
        ("order_payments", "parent", "payments_order_fkey"): 13,
        ("order_reviews", "parent", "reviews_order_fkey"): 13,
    }


def test_values_are_those_of_postgresql(raw: psycopg.Connection[tuple[object, ...]]) -> None:
    """What stands in the tables is what PostgreSQL itself makes of the texts."""
    for table in FILES:
        columns = [
            (name, kind)
            for name, kind in raw.execute(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                (f"public.{table}",),
            ).fetchall()
        ]
        cast = ", ".join(f"{name}::{kind} AS {name}" for name, kind in columns)
        names = ", ".join(str(name) for name, _ in columns)
        kept = f"SELECT {cast} FROM raw.{table} AS r"
        if table in LOST:
            kept += f" WHERE line NOT IN (SELECT line FROM raw.lost_{table})"
        for one, other in (
            (f"SELECT {names} FROM public.{table}", kept),
            (kept, f"SELECT {names} FROM public.{table}"),
        ):
            assert raw.execute(f"SELECT count(*) FROM ({one} EXCEPT ALL {other}) AS d").fetchone() == (0,), table


def test_verify_finds_nothing_wrong(loaded: Ended, database: str, tmp_path: Path) -> None:
    assert call("verify", "--json", cwd=tmp_path, url=database).json["ok"] is True


def test_vetoed_unless_rejects_are_allowed(db: str, tmp_path: Path) -> None:
    vetoed = call("load", FOLDER, "--schema", SCHEMA, *TABLES, "--json", cwd=tmp_path, url=db)
    assert (vetoed.code, vetoed.json["status"], vetoed.json["rejects"]["count"]) == (1, "vetoed", 85)
    with psycopg.connect(db) as conn:
        assert conn.execute("SELECT to_regclass('public.orders')").fetchone() == (None,)
