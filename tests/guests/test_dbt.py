"""A real dbt project that runs after a load. `make test-dbt` runs these tests in an environment that has dbt."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import psycopg
import pytest

from command import Ended, end, run, start

Connection = psycopg.Connection[tuple[object, ...]]

try:
    distribution("dbt-postgres")
except PackageNotFoundError:
    pytest.skip(
        "dbt is not installed here: it needs an older pathspec than mypy. `make test-dbt` has an environment for it",
        allow_module_level=True,
    )

SECRET = "p4ss-0f-the-l0ad"

PROJECT = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "models/sources.yml": """
sources:
  - name: shop
    schema: public
    tables: [{name: orders, columns: [{name: customer, data_tests: [not_null]}]}]
""",
    "models/revenue.sql": "select customer, sum(amount) as revenue, {{ var('pgsluice_run') }} as run"
    " from {{ source('shop', 'orders') }} group by 1",
    "models/schema.yml": """
models: [{name: revenue, config: {materialized: table}, columns: [{name: customer, data_tests: [unique, not_null]}]}]
""",
}


@pytest.fixture
def folder(conn: Connection, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int, amount numeric)")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "orders.csv").write_text("id,customer,amount\n1,1,2\n2,1,3\n3,,4\n")
    for name, text in PROJECT.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(text)
    return tmp_path


@pytest.fixture
def load(folder: Path, db: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Loads the folder as a process and builds the project. The server trusts everybody, whatever the password is."""
    monkeypatch.setattr("command.SECONDS", 600)  # dbt takes half a minute on a busy machine
    monkeypatch.setenv("HOME", str(folder))  # where dbt looks for a profile, too
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    uri = db.replace("postgres@", f"postgres:{SECRET}@")

    def loading(*more: str) -> Ended:
        return run("load", "in", "--then", "dbt:project", *more, cwd=folder, url=uri)

    return loading


def test_a_project_is_built_and_a_failed_test_is_told(
    folder: Path, db: str, conn: Connection, load: Callable[..., Ended]
) -> None:
    failed = load("--log-level", "debug")
    assert failed.code == 5, failed
    assert "Run 1 published: 3 rows" in failed.out
    assert "dbt shop failed" in failed.out
    assert "source_not_null_shop_orders_customer" in failed.out
    assert "Got 1 result, configured to fail if != 0" in failed.out
    assert "running: dbt test source_not_null_shop_orders_customer (1 of 4)" in failed.err
    told = conn.execute("SELECT kind, name, status, ok, failures FROM pgsluice.guest_result ORDER BY place").fetchall()
    assert told[:2] == [
        ("project", "shop", "error", False, None),
        ("test", "source_not_null_shop_orders_customer", "fail", False, 1),
    ]
    assert {row[2] for row in told[2:]} == {"skipped"}
    assert conn.execute("SELECT count(*) FROM orders").fetchone() == (3,)

    # The rows are corrected, and the same command does what is left to do: once.
    conn.execute("DELETE FROM orders WHERE customer IS NULL")
    built = load("--json")
    [guest] = built.json["guests"]
    assert (built.code, built.json["status"], guest["ok"], guest["name"]) == (0, "skipped", True, "shop")
    assert sorted((n["kind"], n["status"]) for n in guest["nodes"]) == [("model", "success")] + [("test", "pass")] * 3
    assert conn.execute("SELECT customer, revenue, run FROM dbt_shop.revenue").fetchall() == [(1, 5, 1)]
    done = load("--json")
    assert (done.code, done.json["guests"]) == (0, [])

    for path in (p for p in folder.rglob("*") if p.is_file()):
        assert SECRET.encode() not in path.read_bytes(), path
    for ended in (failed, built, done):
        assert SECRET not in ended.out + ended.err
    assert not conn.execute("SELECT FROM pgsluice.guest_result g WHERE g::text LIKE %s", (f"%{SECRET}%",)).fetchall()


OTHER = """
shop:
  target: dev
  outputs:
    dev: {type: postgres, host: "{{ env_var('PGHOST') }}", port: "{{ env_var('PGPORT') | as_number }}", user: postgres,
          password: x, dbname: postgres, schema: marts, threads: 2}
"""


def test_the_profile_of_the_project_is_used_if_it_leads_to_the_database(
    folder: Path, conn: Connection, load: Callable[..., Ended]
) -> None:
    (folder / "in" / "orders.csv").write_text("id,customer,amount\n1,1,2\n")
    (folder / "project" / "profiles.yml").write_text(OTHER)
    refused = load()
    assert refused.code == 5
    assert "leads to another database than the load" in refused.out
    # The remedy, as it is printed.
    text = OTHER
    for old, name in (("postgres,\n", "PGUSER"), ("password: x", "DBT_ENV_SECRET_PGSLUICE_PASSWORD"),
                      ("dbname: postgres", "PGDATABASE")):  # fmt: skip
        assert name in refused.out
        value = f"\"{{{{ env_var('{name}') }}}}\""
        key, colon, _ = old.rpartition(": ")
        text = text.replace(old, f"{key}{colon}{value}" + (",\n" if old.endswith("\n") else ""))
    (folder / "project" / "profiles.yml").write_text(text)
    built = load()
    assert (built.code, "dbt shop: " in built.out) == (0, True), built
    assert conn.execute("SELECT revenue FROM marts.revenue").fetchall() == [(2,)]


def test_no_model_takes_the_place_of_a_table_that_was_loaded(
    folder: Path, conn: Connection, load: Callable[..., Ended]
) -> None:
    (folder / "project" / "models" / "orders.sql").write_text("{{ config(schema='x') }} select 1 as id")
    (folder / "project" / "macros").mkdir()
    (folder / "project" / "macros" / "names.sql").write_text(
        "{% macro generate_schema_name(name, node) %}public{% endmacro %}"
    )
    refused = load()
    assert refused.code == 5
    assert "model orders of the project would replace the table public.orders" in refused.out
    assert conn.execute("SELECT count(*) FROM orders").fetchone() == (3,)
    (folder / "project" / "models" / "orders.sql").write_text("select from {{ nothing }")
    assert "Compilation Error" in load().out


def test_dbt_reads_exported_rules(folder: Path, load: Callable[..., Ended]) -> None:
    (folder / "in" / "orders.csv").write_text("id,customer,amount\n1,1,2\n2,1,3\n")
    rules = {
        "known": "column = 'customer'\naccepted_values = ['1', '2']",
        "parent": "column = 'customer'\nrelationships = 'orders.id'",
        "one": "column = 'id'\nunique = true",
        "small": "check = \"amount < 3 AND '{{ x }}' <> ''\"\nseverity = 'warn'",
        "many": "row_count = true\nminimum = 5\nseverity = 'warn'",
    }
    text = "".join(f"[rules.{name}]\ntable = 'orders'\n{body}\n" for name, body in rules.items())
    (folder / "pgsluice.toml").write_text(text)
    exported = run("rules", "export", "--dbt", "--output", "project", cwd=folder)
    assert exported.code == 0, exported
    [guest] = load("--no-config", "--json").json["guests"]
    status = {node["name"]: node["status"] for node in guest["nodes"]}
    assert {name: status.get(name, status.get(f"pgsluice_{name}")) for name in rules} == {
        "known": "pass",
        "parent": "pass",
        "one": "pass",
        "small": "warn",
        "many": "warn",
    }


def test_ctrl_c_ends_dbt_and_leaves_the_rows(
    folder: Path, db: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "project" / "models" / "sources.yml").write_text(
        PROJECT["models/sources.yml"].replace("data_tests: [not_null]", "data_tests: []")
    )
    (folder / "project" / "models" / "revenue.sql").write_text("select 1 as customer from pg_sleep(100)")
    asleep = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%%pg_sleep(100)%%'"
    )
    asleep += " AND pid <> pg_backend_pid() AND state = 'active'"
    process = start("load", "in", "--then", "dbt:project", cwd=folder, url=db)
    wait_for(lambda: conn.execute(asleep).fetchone() == (1,))
    os.kill(process.pid, signal.SIGINT)
    ended = end(process)
    assert ended.code == 130
    assert "interrupted; the rows are published, and what --then names was not finished" in ended.err
    wait_for(lambda: conn.execute(asleep).fetchone() == (0,))
    assert conn.execute("SELECT count(*) FROM orders").fetchone() == (3,)
    assert conn.execute("SELECT count(*) FROM pgsluice.guest_result").fetchone() == (0,)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
