"""The example's whole way through the command line.

Each command of the demo is a process of its own, and so is one command for each exit code. The others are called in
the test's process, which saves the start of Python.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from command import call, end, run, start
from pgsluice.postgres.embedded import server as embedded

EXAMPLE = Path(__file__).parents[2] / "examples" / "ecommerce"
SCHEMA = EXAMPLE / "sql" / "create_schema.sql"
QUERIES = EXAMPLE / "sql" / "verify.sql"
ORIGINAL = EXAMPLE.parents[1] / "docs" / "explanation" / "original.md"
SMALL = {"customers": 120, "products": 15, "orders": 400}
FULL = {"customers": 10_000, "products": 495, "orders": 50_000}

Connection = psycopg.Connection[tuple[object, ...]]


def generate(folder: Path, sizes: dict[str, int] | None = None) -> Path:
    options = [f"--{name}={count}" for name, count in (sizes or {}).items()]
    subprocess.run([sys.executable, EXAMPLE / "generate.py", folder, *options], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("small"), SMALL)


def records(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def relations(conn: Connection) -> list[object]:
    """Every relation of the database but PostgreSQL's own and the ledger's."""
    rows = conn.execute(
        "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname !~ '^pg_(catalog|toast)$' AND n.nspname NOT IN ('information_schema', 'pgsluice')"
    ).fetchall()
    return [name for (name,) in rows]


def counts(conn: Connection) -> dict[str, object]:
    return {name: conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in SMALL}  # type: ignore[index]


def spoil(folder: Path, small: Path) -> Path:
    """A copy of the small set in which customer 51 is twelve years old and one order has no customer."""
    folder.mkdir()
    for name in SMALL:
        rows = records(small / f"{name}.csv")
        if name == "customers":
            rows[50]["age"] = "12"
        if name == "orders":
            rows[6]["customer_id"] = "99999"
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def test_the_generator_writes_the_same_bytes_every_time(small: Path, tmp_path: Path) -> None:
    generate(tmp_path, SMALL)
    for name, count in SMALL.items():
        assert (tmp_path / f"{name}.csv").read_bytes() == (small / f"{name}.csv").read_bytes()
        assert len(records(tmp_path / f"{name}.csv")) == count
    generate(tmp_path, SMALL | {"seed": 2})
    assert (tmp_path / "orders.csv").read_bytes() != (small / "orders.csv").read_bytes()


DERIVED = {
    "day": "SELECT day::text, revenue FROM revenue_by_day",
    "month": "SELECT to_char(month, 'YYYY-MM'), revenue FROM revenue_by_month",
    "customer": "SELECT customer_id::text, lifetime_value FROM customer_value WHERE orders > 0",
    "product": "SELECT product_id::text, revenue FROM product_performance WHERE pieces > 0",
    "category": "SELECT category, revenue FROM category_share",
    "cohort": "SELECT cohort || ' ' || months_later, customers FROM cohort_retention",
}
"""What the derived tables hold, by what they sum over."""


def aggregates(orders: list[dict[str, str]], products: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """What the derived tables must hold, computed from the files."""
    category = {p["product_id"]: p["category"] for p in products}
    found: dict[str, dict[str, Any]] = {name: {} for name in DERIVED}
    months: dict[str, set[str]] = {}
    for o in orders:
        months.setdefault(o["customer_id"], set()).add(o["order_date"][:7])
        if o["status"] == "returned":
            continue
        for name, key in (
            ("day", o["order_date"][:10]),
            ("month", o["order_date"][:7]),
            ("customer", o["customer_id"]),
            ("product", o["product_id"]),
            ("category", category[o["product_id"]]),
        ):
            found[name][key] = found[name].get(key, Decimal(0)) + Decimal(o["total_amount"])
    for of_customer in months.values():
        numbers = sorted(12 * int(month[:4]) + int(month[5:]) - 1 for month in of_customer)
        for number in numbers:
            key = f"{numbers[0] // 12}-{numbers[0] % 12 + 1:02}-01 {number - numbers[0]}"
            found["cohort"][key] = found["cohort"].get(key, 0) + 1
    return found


@pytest.mark.slow
def test_demo_route_at_full_size_with_the_embedded_server(tmp_path: Path) -> None:
    """What ``make demo`` does, in a folder without anything: no address, no server, no tables."""
    data = generate(tmp_path / "data")
    try:
        started = run("server", "start", cwd=tmp_path)
        assert started.code == 0, started
        assert started.out.startswith("postgresql://")
        first = run("load", data, "--config", EXAMPLE / "pgsluice.toml", cwd=tmp_path)
        assert first.code == 0, first
        assert "60,495 rows loaded into 3 tables" in first.out
        assert "7 of 8 rules hold" in first.out
        assert first.out.count("created") == 6
        for name in FULL:
            assert f"{name}: {FULL[name]:,} rows" in first.err
        verified = run("verify", "--sql", QUERIES, cwd=tmp_path)
        assert verified.code == 0, verified
        assert "revenue" in verified.out.lower()
        second = run("load", data, "--config", EXAMPLE / "pgsluice.toml", cwd=tmp_path)
        assert second.code == 0, second
        assert "already loaded" in second.out
        report = run("report", cwd=tmp_path)
        assert report.out == f"Report of run 1: {(tmp_path / '.pgsluice/reports/run-1.html').resolve().as_uri()}\n"
        assert "Running: PostgreSQL" in run("server", "status", cwd=tmp_path).out
        uri = run("server", "start", cwd=tmp_path).out.strip()
        with psycopg.connect(uri) as conn:
            assert counts(conn) == FULL
            # The awkward values arrive as Python's own reader of CSV sees them.
            stored = conn.execute(
                "SELECT customer_id::text, first_name, last_name, notes FROM customers ORDER BY customers.customer_id"
            )
            assert stored.fetchall() == [
                (r["customer_id"], r["first_name"], r["last_name"], r["notes"] or None)
                for r in records(data / "customers.csv")
            ]
            for name, expected in aggregates(records(data / "orders.csv"), records(data / "products.csv")).items():
                assert dict(conn.execute(DERIVED[name].encode()).fetchall()) == expected, name
            (total,) = conn.execute("SELECT sum(total_amount)::text FROM orders").fetchone() or ()
            cents = sum(int(r["total_amount"].replace(".", "")) for r in records(data / "orders.csv"))
            assert total == f"{cents // 100}.{cents % 100:02}"
        assert run("server", "stop", cwd=tmp_path).out == "Stopped.\n"
    finally:
        embedded.stop(tmp_path / ".pgsluice")


def test_load_and_verify_on_every_version(any_db: str, small: Path, tmp_path: Path) -> None:
    loaded = call("load", small, "--schema", SCHEMA, "--json", cwd=tmp_path, url=any_db)
    assert loaded.code == 0, loaded
    assert loaded.err == ""
    result = loaded.json
    check_result(result, small, status="published")
    assert (result["rejects"]["count"], result["rejects"]["path"]) == (0, None)
    verified = call("verify", "--sql", QUERIES, "--json", cwd=tmp_path, url=any_db)
    assert verified.code == 0, verified
    assert verified.json["ok"] is True
    assert {"rows", "foreign_key", "not_null"} == {check["kind"] for check in verified.json["checks"]}
    with psycopg.connect(any_db) as conn:
        assert counts(conn) == SMALL

    again = call("load", small, "--schema", SCHEMA, "--json", cwd=tmp_path, url=any_db)
    assert again.code == 0, again
    check_result(again.json, small, status="skipped")
    with psycopg.connect(any_db) as conn:
        assert counts(conn) == SMALL
    runs = call("runs", "--json", cwd=tmp_path, url=any_db)
    assert runs.code == 0
    # Nothing to do is no run.
    assert [(r["status"], r["read"], r["loaded"], r["rejected"]) for r in runs.json["runs"]] == [
        ("published", 535, 535, 0)
    ]


def original_queries() -> list[str]:
    """The verification queries of the system that the example replaces, as the page about it shows them."""
    (block,) = re.findall(r"^```sql\n(.*?)^```", ORIGINAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [query for query in block.split(";\n") if query.strip()]


def test_queries_of_the_original_system(any_db: str, small: Path, tmp_path: Path) -> None:
    loaded = call("load", small, "--schema", SCHEMA, cwd=tmp_path, url=any_db)
    assert loaded.code == 0, loaded
    with psycopg.connect(any_db) as conn:
        per_table, orphans, top_ten = original_queries()
        assert conn.execute(per_table.encode()).fetchall() == list(SMALL.items())
        assert conn.execute(orphans.encode()).fetchall() == [(0,)]
        top = conn.execute(top_ten.encode()).fetchall()
        assert conn.execute("SELECT email, age, city FROM customers WHERE age IS NOT NULL LIMIT 1").fetchone()
    spent: dict[str, Decimal] = {}
    for order in records(small / "orders.csv"):
        spent[order["customer_id"]] = spent.get(order["customer_id"], Decimal(0)) + Decimal(order["total_amount"])
    names = {r["customer_id"]: (r["first_name"], r["last_name"]) for r in records(small / "customers.csv")}
    assert top == [(*names[k], v) for k, v in sorted(spent.items(), key=lambda item: -item[1])[:10]]
    verified = call("verify", "--sql", QUERIES, cwd=tmp_path, url=any_db)
    assert "total_spent" in verified.out
    assert str(top[0][2]) in verified.out


def check_result(result: dict[str, Any], folder: Path, *, status: str) -> None:
    """The keys that are promised of ``--json``, and what stands in them."""
    assert {"run_id", "status", "seconds", "tables", "rejects"} <= result.keys()
    assert result["status"] == status
    assert 0 < result["seconds"] < 60
    assert [t["table"] for t in result["tables"]] == ["customers", "products", "orders"]
    skipped = status == "skipped"
    for table in result["tables"]:
        rows = 0 if skipped else SMALL[table["table"]]
        assert {"table", "read", "loaded", "rejected", "skipped", "files"} <= table.keys()
        assert (table["read"], table["loaded"], table["rejected"]) == (rows, rows, 0)
        assert table["skipped"] is skipped
        (file,) = table["files"]
        assert {"path", "sha256", "read", "loaded", "rejected"} <= file.keys()
        path = folder / f"{table['table']}.csv"
        assert file["path"] == str(path)
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (file["read"], file["loaded"], file["rejected"]) == (rows, rows, 0)


def test_dry_run_leaves_nothing_not_even_the_schema(db: str, conn: Connection, small: Path, tmp_path: Path) -> None:
    before = relations(conn)
    dry = call("load", small, "--schema", SCHEMA, "--dry-run", "--json", cwd=tmp_path, url=db)
    assert dry.code == 0, dry
    result = dry.json
    assert result["status"] == "dry_run"
    # What would be loaded, as the summary says.
    assert [(t["table"], t["read"], t["loaded"]) for t in result["tables"]] == [
        ("customers", 120, 120),
        ("products", 15, 15),
        ("orders", 400, 400),
    ]
    assert relations(conn) == before
    # It does not count as loaded either.
    assert call("load", small, "--schema", SCHEMA, "--json", cwd=tmp_path, url=db).json["status"] == "published"
    assert counts(conn) == SMALL


def test_plan_tells_and_writes_nothing(db: str, conn: Connection, small: Path, tmp_path: Path) -> None:
    before = relations(conn)
    told = call("plan", small, "--schema", SCHEMA, cwd=tmp_path, url=db)
    assert told.code == 0, told
    places = [told.out.index(str(small / f"{name}.csv")) for name in ("customers", "products", "orders")]
    assert places == sorted(places)
    assert "customer_id -> customers" in told.out
    plan = call("plan", small, "--schema", SCHEMA, "--json", cwd=tmp_path, url=db).json
    assert [t["table"]["name"]["name"] for t in plan["tables"]] == ["customers", "products", "orders"]
    assert plan["tables"][2]["after"] == ["customer_id -> customers", "product_id -> products"]
    assert relations(conn) == before
    assert conn.execute("SELECT to_regnamespace('pgsluice')").fetchone() == (None,)


def test_rejects_veto_and_are_kept(db: str, conn: Connection, small: Path, tmp_path: Path) -> None:
    data = spoil(tmp_path / "data", small)
    vetoed = run("load", data, "--schema", SCHEMA, "--json", cwd=tmp_path, url=db)
    assert vetoed.code == 1, vetoed
    result = vetoed.json
    assert result["status"] == "vetoed"
    orphans = sum(r["customer_id"] == "51" for r in records(data / "orders.csv"))
    assert orphans
    assert [(t["read"], t["loaded"], t["rejected"]) for t in result["tables"]] == [
        (120, 0, 1),
        (15, 0, 0),
        (400, 0, 1 + orphans),
    ]
    assert conn.execute("SELECT to_regclass('customers')").fetchone() == (None,)

    told = call("rejects", cwd=tmp_path, url=db)
    assert told.code == 0
    assert "customers_age_check" in told.out
    shown = call("rejects", str(result["run_id"]), "--format", "csv", cwd=tmp_path, url=db)
    rejects = list(csv.DictReader(io.StringIO(shown.out)))
    assert len(rejects) == result["rejects"]["count"] == 2 + orphans
    with (data / "customers.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        for _ in range(51):
            next(reader)
        line = reader.line_num + 1
    assert line > 52  # notes before it run over several lines
    assert (rejects[0]["table"], rejects[0]["line"], rejects[0]["kind"], rejects[0]["sqlstate"]) == (
        "customers",
        str(line),
        "check",
        "23514",
    )
    assert rejects[0]["file"] == str(data / "customers.csv")
    assert {(r["line"], r["kind"]) for r in rejects if r["constraint"] == "orders_customer_id_fkey"} == {
        (str(n), "foreign_key" if r["customer_id"] == "99999" else "parent")
        for n, r in enumerate(records(data / "orders.csv"), start=2)
        if r["customer_id"] in ("51", "99999")
    }
    with (tmp_path / result["rejects"]["path"]).open(newline="", encoding="utf-8") as report:
        assert [r["raw"] for r in csv.DictReader(report)] == [r["raw"] for r in rejects]
    assert json.loads(call("rejects", "--format", "json", cwd=tmp_path, url=db).out)["count"] == len(rejects)

    allowed = call("load", data, "--schema", SCHEMA, "--max-rejects", "all", "--json", cwd=tmp_path, url=db)
    assert allowed.code == 0, allowed
    assert counts(conn) == {"customers": 119, "products": 15, "orders": 399 - orphans}
    statuses = [r["status"] for r in call("runs", "--json", cwd=tmp_path, url=db).json["runs"]]
    assert statuses == ["published", "vetoed"]


def test_exit_code_2_for_a_wrong_call(db: str, conn: Connection, small: Path, tmp_path: Path) -> None:
    before = relations(conn)
    (tmp_path / "strange.csv").write_text("a,b\n1,2\n")
    calls = [
        ((tmp_path / "absent", "--schema", SCHEMA), "absent"),
        ((tmp_path / "strange.csv", "--schema", SCHEMA), "strange"),
        ((small, "--schema", tmp_path / "absent.sql"), "absent.sql"),
        ((small, "--schema", SCHEMA, "--max-rejects", "some"), "some"),
        ((small, "--schema", SCHEMA, "--table", "orders"), "--table"),
    ]
    for arguments, word in calls:
        call("load", *arguments, cwd=tmp_path, url=db).complaint(2, word)
    assert run("load", small, "--no-such-option", cwd=tmp_path, url=db).code == 2
    assert relations(conn) == before


def test_exit_code_3_without_a_server(small: Path, tmp_path: Path) -> None:
    url = f"postgresql://postgres@/postgres?host={tmp_path}&port=1"
    run("load", small, "--schema", SCHEMA, cwd=tmp_path, url=url).complaint(3, "no server listens")


def test_exit_code_130_after_ctrl_c(db: str, conn: Connection, small: Path, tmp_path: Path) -> None:
    call("load", small / "products.csv", "--schema", SCHEMA, cwd=tmp_path, url=db)
    with psycopg.connect(db) as other:
        other.execute("LOCK TABLE customers IN ACCESS SHARE MODE")
        loading = start("load", small, cwd=tmp_path, url=db)
        assert loading.stderr is not None
        for line in loading.stderr:
            if "waiting for" in line:
                break
        loading.send_signal(signal.SIGINT)
        began = time.monotonic()
        ended = end(loading)
        assert time.monotonic() - began < 20
    ended.complaint(130, "interrupted; nothing was published")
    assert counts(conn) == {"customers": 0, "products": 15, "orders": 0}
