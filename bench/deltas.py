"""Deltas into a table that holds rows, against the best that can be written by hand: ``python -m bench.deltas``.

Three jobs on the orders of the e-commerce schema (primary key, three indexes, two foreign keys, four
CHECKs): rows that are all new; rows of which half exist and a tenth changed; rows that all exist as they
are. Each round does each job once in each way, in an order that rotates, on a copy of the same database
made just before. Ratios are taken within a round, and their median counts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from bench.__main__ import _other_database, _psql
from bench.measure import run, server_seconds
from bench.workloads import EXAMPLE

COLUMNS = "order_id, customer_id, product_id, quantity, unit_price, total_amount, order_date, status"
VALUES = [c for c in COLUMNS.split(", ") if c != "order_id"]

# What is in the table, made by SQL: generate.py would take minutes for three million.
BASE = """
INSERT INTO customers SELECT n, 'First', 'Last ' || n, 'customer' || n || '@example.com', 18 + n % 80,
  'City ' || n % 50, '2022-01-01'::date + n % 700, NULL FROM generate_series(1, {customers}) AS n;
INSERT INTO products SELECT n, 'Thing ' || n, NULL, 'Toys', (n % 9000) / 100.0 + 1, n
  FROM generate_series(1, 5000) AS n;
INSERT INTO orders SELECT n, 1 + (hashint8(n) & {mask}), 1 + (hashint8(n + 7) & 4095), 1 + n % 5,
  (n % 9000) / 100.0 + 1, (1 + n % 5) * ((n % 9000) / 100.0 + 1),
  '2022-01-01'::timestamptz + (hashint8(n + 3) & 67108863) * interval '1 s',
  (ARRAY['new', 'paid', 'shipped', 'delivered'])[1 + n % 4] FROM generate_series(1, {rows}) AS n;
"""
FILES = {
    # A tenth as many rows as the table has; new ones are spread over customers and days like the old ones.
    "append": f"SELECT order_id + {{rows}} AS order_id, {', '.join(VALUES)} FROM orders WHERE order_id % 10 = 3",
    "upsert": (
        "SELECT order_id, customer_id, product_id,"
        " quantity + CASE WHEN order_id % 100 = 7 THEN 1 ELSE 0 END AS quantity,"
        " unit_price, total_amount, order_date, status FROM orders WHERE order_id % 20 = 7"
        f" UNION ALL SELECT order_id + {{rows}} AS order_id, {', '.join(VALUES)} FROM orders WHERE order_id % 20 = 3"
    ),
    "unchanged": f"SELECT {COLUMNS} FROM orders WHERE order_id % 10 = 7",
}
TO_STAGE = f"""\\set ON_ERROR_STOP on
BEGIN;
CREATE TEMP TABLE s ON COMMIT DROP AS SELECT {COLUMNS} FROM orders WITH NO DATA;
\\copy s FROM '{{file}}' (FORMAT csv, HEADER)
ANALYZE s;
"""
_SET = ", ".join(f"{c} = excluded.{c}" for c in VALUES)
_SET_S = ", ".join(f"{c} = s.{c}" for c in VALUES)
_OLD, _NEW = (", ".join(f"{a}.{c}" for c in VALUES) for a in ("t", "s"))
INSERT = f"INSERT INTO orders AS t ({COLUMNS}) SELECT {COLUMNS} FROM s"


@dataclass(frozen=True)
class Way:
    """A script for psql, or pgsluice's arguments; ``rewrites``: it writes rows that do not change."""

    title: str
    script: str = ""
    arguments: tuple[str, ...] = ()
    rewrites: bool = False


_UPSERTS = {
    "conflict": Way(
        "COPY, INSERT ... ON CONFLICT DO UPDATE",
        f"{TO_STAGE}{INSERT} ON CONFLICT (order_id) DO UPDATE SET {_SET};\nCOMMIT;\n",
        rewrites=True,
    ),
    "conflict-distinct": Way(
        "COPY, INSERT ... ON CONFLICT DO UPDATE ... WHERE it differs",
        f"{TO_STAGE}{INSERT} ON CONFLICT (order_id) DO UPDATE SET {_SET}"
        f" WHERE ({_OLD}) IS DISTINCT FROM ({_NEW.replace('s.', 'excluded.')});\nCOMMIT;\n",
    ),
    "merge": Way(
        "COPY, MERGE",
        f"{TO_STAGE}MERGE INTO orders AS t USING s ON t.order_id = s.order_id WHEN MATCHED THEN UPDATE SET {_SET_S}"
        f" WHEN NOT MATCHED THEN INSERT ({COLUMNS}) VALUES (s.order_id, {_NEW});\nCOMMIT;\n",
        rewrites=True,
    ),
    "merge-distinct": Way(
        "COPY, MERGE ... WHEN MATCHED AND it differs",
        f"{TO_STAGE}MERGE INTO orders AS t USING s ON t.order_id = s.order_id"
        f" WHEN MATCHED AND ({_OLD}) IS DISTINCT FROM ({_NEW}) THEN UPDATE SET {_SET_S}"
        f" WHEN NOT MATCHED THEN INSERT ({COLUMNS}) VALUES (s.order_id, {_NEW});\nCOMMIT;\n",
    ),
    "pgsluice": Way("pgsluice --mode upsert", arguments=("--mode", "upsert")),
}
JOBS: dict[str, tuple[str, dict[str, Way]]] = {
    "append": (
        "Append: all rows new",
        {
            "copy": Way("\\copy into the table", f"\\copy orders ({COLUMNS}) FROM '{{file}}' (FORMAT csv, HEADER)\n"),
            "insert": Way("COPY, INSERT ... SELECT", f"{TO_STAGE}{INSERT};\nCOMMIT;\n"),
            "pgsluice": Way("pgsluice"),
        },
    ),
    "upsert": ("Upsert: half of the rows exist, a tenth changed", _UPSERTS),
    "unchanged": ("Upsert: nothing changed", _UPSERTS),
}


class Deltas:
    """The server with the base database, and the files."""

    def __init__(self, uri: str, folder: Path, rows: int) -> None:
        self._uri = uri
        self._folder = folder
        self._admin = psycopg.connect(uri, autocommit=True)
        self._postmaster = self._find_postmaster()
        self._admin.execute("CREATE DATABASE base")
        customers = 1
        while customers * 15 < rows:
            customers *= 2
        base = _other_database(uri, "base")
        with psycopg.connect(base, autocommit=True) as conn:
            conn.execute((EXAMPLE / "sql" / "create_schema.sql").read_bytes())
            filled = BASE.replace("{rows}", str(rows)).replace("{customers}", str(customers))
            conn.execute(filled.replace("{mask}", str(customers - 1)))  # type: ignore[call-overload]
            conn.execute("VACUUM (FREEZE, ANALYZE)")
            for name, query in FILES.items():
                (folder / name).mkdir()
                copy = f"COPY ({query.replace('{rows}', str(rows))} ORDER BY 1) TO STDOUT (FORMAT csv, HEADER)"
                with (folder / name / "orders.csv").open("wb") as out, conn.cursor().copy(copy) as lines:  # type: ignore[call-overload]
                    out.writelines(lines)

    def _find_postmaster(self) -> int | None:
        row = self._admin.execute("SHOW data_directory").fetchone()
        assert row is not None
        pid = Path(str(row[0])) / "postmaster.pid"
        return int(pid.read_text().split()[0]) if pid.exists() else None

    @contextmanager
    def _copy(self) -> Iterator[str]:
        self._admin.execute("DROP DATABASE IF EXISTS delta WITH (FORCE)")
        self._admin.execute("CREATE DATABASE delta TEMPLATE base STRATEGY FILE_COPY")
        uri = _other_database(self._uri, "delta")
        with psycopg.connect(uri, autocommit=True) as conn:
            # Warm caches for everybody, and no autovacuum in the middle of one.
            conn.execute("ALTER TABLE orders SET (autovacuum_enabled = off)")
            conn.execute("SELECT count(*), max(customer_id) FROM orders")
            conn.execute("SELECT pg_stat_reset()")
            for index in ("orders_pkey", "orders_customer_id_idx", "orders_product_id_idx", "orders_order_date_idx"):
                conn.execute("SELECT pg_relation_size(%s)", (index,))
        self._admin.execute("CHECKPOINT")
        yield uri
        self._admin.execute("DROP DATABASE delta WITH (FORCE)")

    def once(self, job: str, way: Way) -> dict[str, float]:
        """One job in one way: wall, CPU of both sides, and rows written as PostgreSQL counts them."""
        with self._copy() as uri, tempfile.TemporaryDirectory(prefix="delta-") as scratch:
            files = self._folder / job
            if way.script:
                script = Path(scratch) / "job.sql"
                script.write_text(way.script.replace("{file}", str(files / "orders.csv")))
                command = [_psql(), "-X", "-q", "-d", uri, "-f", str(script)]
            else:
                program = str(Path(sys.executable).with_name("pgsluice"))
                command = [program, "load", str(files), "--database-url", uri, "--json", *way.arguments]
            before = server_seconds(self._postmaster)
            cost = run(command, Path(scratch), env={**os.environ, "LC_ALL": "C.UTF-8"}, limit=1800)
            time.sleep(0.3)  # until the server has waited for the session's process, and has its counts
            after = server_seconds(self._postmaster)
            if cost.code:
                raise SystemExit(f"{job}, {way.title}: {cost.output}")
            with psycopg.connect(uri, autocommit=True) as conn:
                row = conn.execute(
                    "SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = 'orders'"
                ).fetchone()
            assert row is not None
            return {
                "wall": cost.wall,
                "cpu": cost.cpu + ((after or 0) - (before or 0)),
                "inserted": row[0],
                "updated": row[1],
                "deleted": row[2],
            }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.deltas", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=3_000_000, help="in the table (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--only", default=",".join(JOBS), help="jobs (default: %(default)s)")
    parser.add_argument("--ways", default="", metavar="A,B", help="only these ways of the jobs (default: all)")
    parser.add_argument("--pg", type=int, default=None, help="major version of the server")
    parser.add_argument("--results", type=Path, help="also write all figures as JSON")
    args = parser.parse_args()

    from pgsluice.postgres.embedded import server

    folder = Path(tempfile.mkdtemp(prefix="deltas-"))
    folder.chmod(0o711)
    try:
        uri = server.start(folder / "server", args.pg)
        made = Deltas(uri, folder, args.rows)
        found: dict[str, dict[str, list[dict[str, float]]]] = {}
        for job in args.only.split(","):
            ways = {n: w for n, w in JOBS[job][1].items() if n in args.ways.split(",") or not args.ways}
            figures = found[job] = {name: [] for name in ways}
            names = list(ways)
            for number in range(args.runs):
                turn = number % len(names)
                for name in names[turn:] + names[:turn]:
                    figure = made.once(job, ways[name])
                    figures[name].append(figure)
                    print(
                        f"{number + 1} {job:10} {name:18} {figure['wall']:6.2f} s, CPU {figure['cpu']:6.2f} s,"
                        f" {figure['inserted']:.0f} inserted, {figure['updated']:.0f} updated",
                        flush=True,
                    )
        print(report(found))
        if args.results:
            args.results.write_text(json.dumps(found, indent=1) + "\n")
    finally:
        server.stop(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def report(found: dict[str, dict[str, list[dict[str, float]]]]) -> str:
    """The figures as Markdown; ratios are a way's to pgsluice of the same round: above 1 it is slower."""
    lines: list[str] = []
    for job, figures in found.items():
        title, ways = JOBS[job]
        lines += [
            f"### {title}",
            "",
            "| | seconds | CPU seconds | of pgsluice | CPU of pgsluice | inserted | updated |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for name, runs in sorted(figures.items(), key=lambda item: median(r["wall"] for r in item[1])):
            ratio, cpu = (
                median(r[kind] / p[kind] for r, p in zip(runs, figures["pgsluice"], strict=True))
                for kind in ("wall", "cpu")
            )
            lines.append(
                f"| {ways[name].title} | {median(r['wall'] for r in runs):.2f} | {median(r['cpu'] for r in runs):.2f}"
                f" | {ratio:.2f} | {cpu:.2f} | {runs[0]['inserted']:,.0f} | {runs[0]['updated']:,.0f} |"
            )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
