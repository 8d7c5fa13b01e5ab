"""A load of which every row is refused, beside a clean one of the same size: ``python -m bench.rejects``.

The orders of the e-commerce schema, a million by default, once good and once for each kind of reject: a
value that is none, a CHECK, a parent that does not exist, a key that comes twice, a field too few. Each
round does each once, on a fresh database that has the parents. Ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

import psycopg

from bench.__main__ import _other_database
from bench.measure import run
from bench.workloads import EXAMPLE

PARENTS = """
INSERT INTO customers SELECT n, 'First', 'Last ' || n, 'customer' || n || '@example.com', 18 + n % 80,
  'City ' || n % 50, '2022-01-01'::date + n % 700, NULL FROM generate_series(1, 65536) AS n;
INSERT INTO products SELECT n, 'Thing ' || n, NULL, 'Toys', (n % 9000) / 100.0 + 1, n
  FROM generate_series(1, 5000) AS n;
"""
HEADER = "order_id,customer_id,product_id,quantity,unit_price,total_amount,order_date,status"
ROW = (
    "concat_ws(',', {order}, {customer}, 1 + (hashint8(n + 7) & 4095), {quantity}, price::text,"
    " (price * (1 + n % 5))::text, to_char('2022-01-01'::timestamp + (hashint8(n + 3) & 67108863) * interval '1 s',"
    " 'YYYY-MM-DD HH24:MI:SS+00'){status})"
)
GOOD = {
    "order": "n",
    "customer": "1 + (hashint8(n) & 65535)",
    "quantity": "1 + n % 5",
    "status": ", (ARRAY['new', 'paid', 'shipped', 'delivered'])[1 + n % 4]",
}
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "clean": ("clean load", {}),
    "value": ("a value that is none", {"quantity": "'x' || n % 5"}),
    "check": ("CHECK", {"quantity": "-(n % 5)"}),
    "foreign_key": ("no parent", {"customer": "100000 + n"}),
    "unique": ("a key that comes twice", {"order": "1"}),
    "structure": ("a field too few", {"status": ""}),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rejects", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="in the file (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--only", default=",".join(KINDS), help="kinds (default: %(default)s)")
    parser.add_argument("--pg", type=int, default=None, help="major version of the server")
    args = parser.parse_args()

    from pgsluice.postgres.embedded import server

    folder = Path(tempfile.mkdtemp(prefix="rejects-"))
    folder.chmod(0o711)
    kinds = args.only.split(",")
    try:
        uri = server.start(folder / "server", args.pg)
        admin = psycopg.connect(uri, autocommit=True)
        admin.execute("CREATE DATABASE base")
        base = _other_database(uri, "base")
        with psycopg.connect(base, autocommit=True) as conn:
            conn.execute((EXAMPLE / "sql" / "create_schema.sql").read_bytes())
            conn.execute(PARENTS)
            conn.execute("VACUUM (FREEZE, ANALYZE)")
            for kind in kinds:
                _write(conn, folder / kind, KINDS[kind][1], args.rows)
        figures: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
        for number in range(args.runs):
            turn = number % len(kinds)
            for kind in kinds[turn:] + kinds[:turn]:
                admin.execute("DROP DATABASE IF EXISTS rejects WITH (FORCE)")
                admin.execute("CREATE DATABASE rejects TEMPLATE base STRATEGY FILE_COPY")
                admin.execute("CHECKPOINT")
                figures[kind].append(_once(_other_database(uri, "rejects"), folder / kind, kind, args.rows))
                print(
                    f"{number + 1} {kind:12} {figures[kind][-1][0]:6.2f} s {figures[kind][-1][1]:4.0f} MB", flush=True
                )
        print("\n| all rows refused for | seconds | of the clean load | peak MB |\n| --- | ---: | ---: | ---: |")
        for kind in kinds:
            ratio = median(f[0] / c[0] for f, c in zip(figures[kind], figures[kinds[0]], strict=True))
            seconds, peak = median(f[0] for f in figures[kind]), max(f[1] for f in figures[kind])
            print(f"| {KINDS[kind][0]} | {seconds:.2f} | {ratio:.2f} | {peak:.0f} |")
    finally:
        server.stop(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _write(conn: psycopg.Connection, folder: Path, changed: dict[str, str], rows: int) -> None:
    folder.mkdir()
    row = ROW.format(**GOOD | changed)
    query = f"SELECT {row} FROM (SELECT n, (n % 9000) / 100.0 + 1 AS price FROM generate_series(1, {rows}) AS n) AS r"
    # FORMAT csv with a quote that no row holds: the lines as they are.
    copy = f"COPY ({query}) TO STDOUT (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
    with (folder / "orders.csv").open("wb") as out, conn.cursor().copy(copy) as lines:  # type: ignore[call-overload]
        out.write(HEADER.encode() + b"\n")
        out.writelines(lines)


def _once(uri: str, folder: Path, kind: str, rows: int) -> tuple[float, float]:
    """Seconds of the whole process, and its peak of memory in MB."""
    with tempfile.TemporaryDirectory(prefix="rejects-run-") as scratch:
        program = str(Path(sys.executable).with_name("pgsluice"))
        command = [program, "load", str(folder), "--database-url", uri, "--json", "--max-rejects", "all"]
        cost = run(command, Path(scratch), env={**os.environ, "LC_ALL": "C.UTF-8"}, limit=3600)
        if cost.code not in (0, 1):
            raise SystemExit(f"{kind}: {cost.output}")
        result = json.loads((Path(scratch) / "stdout").read_text())
    refused = rows - 1 if kind == "unique" else 0 if kind == "clean" else rows
    if result["rejects"]["count"] != refused:
        raise SystemExit(f"{kind}: {result['rejects']['count']} rejects, not {refused}")
    if os.environ.get("PROFILE"):
        for p in result["profile"]:
            print(f"    {p['table']:12} {p['phase']:16} {p['seconds']:.2f}")
    return cost.wall, cost.peak_mb


if __name__ == "__main__":
    sys.exit(main())
