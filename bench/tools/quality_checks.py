"""Loads the dirty file, lets another program check it, and empties the table if a check fails: see bench/quality.py.

python quality_checks.py dbt|great_expectations|pointblank URI FOLDER
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import psycopg2

STATUSES = ["new", "paid", "shipped"]


def copy(uri: str, folder: Path, table: str = "orders") -> None:
    """Publishes the rows, as any loader would that does not check them."""
    connected = contextlib.closing(psycopg2.connect(uri))
    with connected as conn, conn, conn.cursor() as cursor, (folder / "orders.csv").open() as file:
        cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT csv, HEADER)", file)


def empty(uri: str) -> None:
    """What is left to do when the checks have found bad rows."""
    with contextlib.closing(psycopg2.connect(uri)) as conn, conn, conn.cursor() as cursor:
        cursor.execute("TRUNCATE orders")


def great_expectations(uri: str, folder: Path) -> Callable[[], int]:
    import great_expectations as gx
    from great_expectations import expectations as ex

    context = gx.get_context(mode="ephemeral")
    dsn = psycopg2.extensions.parse_dsn(uri)
    address = (
        f"postgresql+psycopg2://{dsn['user']}@localhost/{dsn['dbname']}?host={quote(dsn['host'])}&port={dsn['port']}"
    )
    source = context.data_sources.add_postgres("pg", connection_string=address)
    batch = source.add_table_asset("orders", table_name="orders").add_batch_definition_whole_table("all")
    suite = context.suites.add(gx.ExpectationSuite(name="orders"))
    for expectation in (
        ex.ExpectColumnValuesToBeUnique(column="id"),
        ex.ExpectColumnValuesToNotBeNull(column="customer"),
        ex.ExpectColumnValuesToBeInSet(column="status", value_set=STATUSES),
        ex.ExpectColumnValuesToNotBeNull(column="day"),
        ex.ExpectColumnValuesToBeBetween(column="amount", min_value=0),
    ):
        suite.add_expectation(expectation)
    definition = gx.ValidationDefinition(name="orders", data=batch, suite=suite)

    def check() -> int:
        copy(uri, folder)
        return sum(not result.success for result in definition.run().results)

    return check


def pointblank(uri: str, folder: Path) -> Callable[[], int]:
    import pointblank as pb
    import polars as pl

    def check() -> int:
        copy(uri, folder)
        # Pointblank cannot compare decimals.
        with contextlib.closing(psycopg2.connect(uri)) as conn:
            columns = "id, customer, status, amount::float8, day"
            rows = pl.read_database(f"SELECT {columns} FROM orders", conn, infer_schema_length=None)
        validation = (
            pb.Validate(data=rows)
            .rows_distinct(columns_subset="id")
            .col_vals_not_null(columns="customer")
            .col_vals_in_set(columns="status", set=STATUSES)
            .col_vals_not_null(columns="day")
            .col_vals_ge(columns="amount", value=0)
            .interrogate()
        )
        return sum(count > 0 for count in validation.n_failed().values())

    return check


def dbt(uri: str, folder: Path) -> Callable[[], int]:
    from dbt.cli.main import dbtRunner

    dsn = psycopg2.extensions.parse_dsn(uri)
    project = folder / "project"
    (project / "models").mkdir(parents=True, exist_ok=True)
    output = {"type": "postgres", "host": dsn["host"], "port": int(dsn["port"]), "user": dsn["user"], "password": "",
              "dbname": dsn["dbname"], "schema": "public", "threads": 4}  # fmt: skip
    (project / "profiles.yml").write_text(json.dumps({"p": {"target": "t", "outputs": {"t": output}}}))
    (project / "dbt_project.yml").write_text("name: shop\nprofile: p\n")
    (project / "models" / "orders.sql").write_text("select * from {{ source('raw', 'orders') }}")
    (project / "tests").mkdir(exist_ok=True)
    (project / "tests" / "amount.sql").write_text("select * from {{ ref('orders') }} where amount < 0")
    columns = [
        {"name": "id", "data_tests": ["unique"]},
        {"name": "customer", "data_tests": ["not_null"]},
        {"name": "status", "data_tests": [{"accepted_values": {"arguments": {"values": STATUSES}}}]},
        {"name": "day", "data_tests": ["not_null"]},
    ]
    properties = {
        "sources": [{"name": "raw", "tables": [{"name": "orders"}]}],
        "models": [{"name": "orders", "config": {"materialized": "table"}, "columns": columns}],
    }
    (project / "models" / "properties.yml").write_text(json.dumps(properties))
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    arguments = ["--project-dir", str(project), "--profiles-dir", str(project), "--log-path", str(folder / "logs")]
    manifest = dbtRunner().invoke(["parse", *arguments]).result
    with contextlib.closing(psycopg2.connect(uri)) as conn, conn, conn.cursor() as cursor:
        cursor.execute("CREATE SCHEMA raw; CREATE TABLE raw.orders (LIKE public.orders)")

    def check() -> int:
        copy(uri, folder, "raw.orders")
        built = dbtRunner(manifest=manifest).invoke(["build", *arguments])
        return sum(str(result.status) in ("fail", "error") for result in built.result.results)

    return check


def main() -> None:
    name, uri, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        check = {"dbt": dbt, "great_expectations": great_expectations, "pointblank": pointblank}[name](uri, folder)
        began = time.monotonic()
        failed = check()
        if failed:
            empty(uri)
        seconds = time.monotonic() - began
    package = {"dbt": "dbt-core"}.get(name, name)
    print(json.dumps({"failed": failed, "seconds": seconds, "version": version(package)}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
