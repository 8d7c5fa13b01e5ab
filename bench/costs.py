"""What rules, profiles and derived tables cost beside a load: ``python -m bench.costs``.

Each round loads the same files into a new database: alone, with profiles, with ten row rules and three set rules, with
five derived tables. The same queries then run by psql, into the tables of the first load. Then orders of ten
days change, and orders of a hundredth of the customers: the tables are brought up to date as a whole and by the touched
groups.
The order rotates, and ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from bench.__main__ import _other_database, _psql
from bench.measure import run
from bench.workloads import EXAMPLE, ROOT, make

ROW_RULES = {
    "orders": (
        "total_amount = round(quantity * unit_price, 2)",
        "status IN ('new', 'paid', 'shipped', 'delivered', 'returned')",
        "quantity BETWEEN 1 AND 1000",
        "unit_price < 100000",
        "order_date >= '2000-01-01+00'",
        "order_date < '2100-01-01+00'",
        "customer_id > 0 AND product_id > 0",
    ),
    "customers": ("email ~ '^[^@[:space:]]+@[^@[:space:]]+[.][a-z]+$'", "email = lower(email)"),
    "products": ("price < 100000",),
}
SET_RULES = (
    "SELECT order_date FROM orders WHERE order_date < '2000-01-01+00'",
    "SELECT email FROM customers GROUP BY email HAVING count(*) > 1",
    "SELECT o.order_id FROM orders AS o LEFT JOIN products AS p USING (product_id) WHERE p.product_id IS NULL",
)
DERIVED = {
    "by_day": (
        "day",
        "SELECT (order_date AT TIME ZONE 'UTC')::date AS day, count(*) AS orders, sum(total_amount) AS revenue"
        " FROM orders GROUP BY 1",
    ),
    "by_month": (
        "month",
        "SELECT date_trunc('month', order_date AT TIME ZONE 'UTC')::date AS month, sum(total_amount) AS revenue"
        " FROM orders GROUP BY 1",
    ),
    "by_customer": (
        "customer_id",
        "SELECT customer_id, count(*) AS orders, sum(total_amount) AS revenue, max(order_date) AS last"
        " FROM orders GROUP BY 1",
    ),
    "by_product": (
        "product_id",
        "SELECT product_id, p.category, sum(quantity) AS pieces, sum(total_amount) AS revenue"
        " FROM products AS p JOIN orders AS o USING (product_id) GROUP BY product_id, p.category",
    ),
    "by_city": (
        "city",
        "SELECT c.city, count(DISTINCT o.customer_id) AS customers, sum(o.total_amount) AS revenue"
        " FROM customers AS c JOIN orders AS o USING (customer_id) GROUP BY 1",
    ),
}
# Changed orders: of ten days, and of a hundredth of the customers.
DELTAS = {
    "days": "order_date >= (SELECT max(order_date) - interval '{days} days' FROM orders)"
    " AND order_date < (SELECT max(order_date) - interval '{days} days' + interval '10 days' FROM orders)",
    "customers": "customer_id % 100 = {round}",
}
DELTA = """
COPY (SELECT order_id, customer_id, product_id, quantity + 1 AS quantity, unit_price,
             round((quantity + 1) * unit_price, 2) AS total_amount, order_date, status
        FROM orders WHERE {condition}) TO STDOUT (FORMAT csv, HEADER)
"""
PHASES = {"profiles": "profile", "rules": "rules", "derived": "derive"}


class Costs:
    """A server, the files, and the definitions."""

    def __init__(self, uri: str, folder: Path, files: Path) -> None:
        self._uri = uri
        self._folder = folder
        self._files = files
        self._admin = psycopg.connect(uri, autocommit=True)
        rules = []
        for table, expressions in ROW_RULES.items():
            rules += [
                f"[rules.r{len(rules)}_{i}]\ntable = '{table}'\ncheck = {json.dumps(e)}\n"
                for i, e in enumerate(expressions)
            ]
        rules += [f"[rules.s{i}]\nquery = {json.dumps(q)}\n" for i, q in enumerate(SET_RULES)]
        (folder / "rules.toml").write_text("\n".join(rules))
        for kind in ("whole", "touched"):
            (folder / kind).mkdir()
            for name, (key, query) in DERIVED.items():
                by = f"-- incremental by: {key}\n" if kind == "touched" else ""
                (folder / kind / f"{name}.sql").write_text(f"{by}-- unique index: {key}\n{query}\n")

    def fresh(self) -> str:
        """The address of a new database with the schema."""
        self._admin.execute("DROP DATABASE IF EXISTS quality WITH (FORCE)")
        self._admin.execute("CREATE DATABASE quality")
        uri = _other_database(self._uri, "quality")
        with psycopg.connect(uri, autocommit=True) as conn:
            conn.execute((EXAMPLE / "sql" / "create_schema.sql").read_bytes())
        self._admin.execute("CHECKPOINT")
        return uri

    def load(self, uri: str, files: Path, *options: str) -> dict[str, float]:
        """Loads; returns the seconds of the run, and of each of its phases."""
        program = str(Path(sys.executable).with_name("pgsluice"))
        command = [program, "load", str(files), "--database-url", uri, "--json", *options]
        cost = run(command, self._folder, env=self._environment(), limit=1800)
        if cost.code:
            raise SystemExit(cost.output)
        result: dict[str, Any] = json.loads((self._folder / "stdout").read_text())
        found = {"seconds": cost.wall}
        for phase in result["profile"]:
            found[phase["phase"]] = found.get(phase["phase"], 0.0) + phase["seconds"]
        for derived in result["derived"]:
            found[derived["name"]] = derived["seconds"]
            found[f"{derived['name']} {derived['action']}"] = 1
        return found

    def first_load(self, kind: str) -> dict[str, float]:
        """A load of all files: alone, or with one kind of quality."""
        options = {
            "alone": ["--no-column-profiles"],
            "profiles": [],
            "rules": ["--no-column-profiles", "--config", str(self._folder / "rules.toml")],
            "derived": ["--no-column-profiles", "--derive", str(self._folder / "whole")],
        }[kind]
        return self.load(self.fresh(), self._files, *options)

    def by_psql(self) -> float:
        """The seconds of the five queries by psql, as tables with index and statistics, in the loaded database."""
        statements = [
            f"CREATE TABLE {name} AS {query}; CREATE UNIQUE INDEX ON {name} ({key}); ANALYZE {name};"
            for name, (key, query) in DERIVED.items()
        ]
        script = self._folder / "derive.sql"
        script.write_text("\n".join(["\\set ON_ERROR_STOP on", "BEGIN;", *statements, "COMMIT;"]))
        uri = _other_database(self._uri, "quality")
        cost = run(
            [_psql(), "-X", "-q", "-d", uri, "-f", str(script)], self._folder, env=self._environment(), limit=900
        )
        if cost.code:
            raise SystemExit(cost.output)
        return cost.wall

    def updates(self, number: int) -> dict[str, dict[str, float]]:
        """Orders change: derived tables as a whole, and by the touched groups."""
        found = {}
        kinds = ["whole", "touched"]
        for kind in kinds if number % 2 else kinds[::-1]:
            uri = self.fresh()
            derive = ["--no-column-profiles", "--derive", str(self._folder / kind)]
            self.load(uri, self._files, *derive)
            for name, condition in DELTAS.items():
                delta = self._folder / f"{name}-{kind}-{number}"
                delta.mkdir()
                chosen = condition.replace("{round}", str(number)).replace("{days}", str(20 * number + 20))
                copy = DELTA.replace("{condition}", chosen).encode()
                with (
                    psycopg.connect(uri) as conn,
                    (delta / "orders.csv").open("wb") as out,
                    conn.cursor().copy(copy) as lines,
                ):
                    out.writelines(lines)
                found[f"{kind} {name}"] = self.load(uri, delta, "--mode", "upsert", *derive)
        return found

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT / "src")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.costs", description=__doc__.split("\n")[0])
    parser.add_argument("--size", default="60", help="of the e-commerce files (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--pg", type=int, default=None, help="major version of the server")
    parser.add_argument("--only", default="first,updates", help="parts (default: %(default)s)")
    parser.add_argument("--results", type=Path, help="also write all figures as JSON")
    args = parser.parse_args()

    from pgsluice.postgres.embedded import server

    files = make(f"ecommerce{args.size}", ROOT / "bench" / "work", Path()).folder
    folder = Path(tempfile.mkdtemp(prefix="quality-"))
    folder.chmod(0o711)
    rounds: list[dict[str, Any]] = []
    try:
        costs = Costs(server.start(folder / "server", args.pg), folder, files)
        for number in range(args.runs):
            figures: dict[str, Any] = {"load average": os.getloadavg()[0]}
            kinds = ["alone", "profiles", "rules", "derived"]
            if "first" in args.only:
                for kind in kinds[number % 4 :] + kinds[: number % 4]:
                    figures[kind] = costs.first_load(kind)
                    if kind != "derived":
                        figures.setdefault("psql", costs.by_psql())
            if "updates" in args.only:
                figures |= costs.updates(number)
            rounds.append(figures)
            print(json.dumps(figures), flush=True)
            time.sleep(1)
        print(report(rounds))
        if args.results:
            args.results.write_text(json.dumps(rounds, indent=1) + "\n")
    finally:
        server.stop(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def report(rounds: list[dict[str, Any]]) -> str:
    """The figures as Markdown: medians of seconds, and medians of the ratios within a round."""
    lines = ["| | seconds | of what | ratio |", "| --- | ---: | --- | ---: |"]

    def add(title: str, mine: list[float], of: str, other: list[float]) -> None:
        ratio = median(m / o for m, o in zip(mine, other, strict=True))
        lines.append(f"| {title} | {median(mine):.2f} | {of} | {ratio:.2f} |")

    if "alone" in rounds[0]:
        for kind, phase in PHASES.items():
            mine = [r[kind][phase] for r in rounds]
            rest = [r[kind]["seconds"] - r[kind][phase] for r in rounds]
            add(f"{kind}: the phase", mine, "the rest of the same run", rest)
            add(
                f"{kind}: the run",
                [r[kind]["seconds"] for r in rounds],
                "the load alone",
                [r["alone"]["seconds"] for r in rounds],
            )
        add(
            "derived: the phase",
            [r["derived"]["derive"] for r in rounds],
            "the same SQL by psql",
            [r["psql"] for r in rounds],
        )
    for delta in DELTAS if "touched days" in rounds[0] else ():
        for name in ("derive", *DERIVED, "seconds"):
            mine, other = ([r[f"{kind} {delta}"][name] for r in rounds] for kind in ("touched", "whole"))
            add(f"{delta} change, touched groups: {name}", mine, "as a whole", other)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
