"""How long bad rows are visible: a reader looks all the time while a dirty set is loaded and checked.

Each program has the same file and the same five checks, of which one fails: amounts below zero. Programs that check
tables get the rows by COPY; when they have found the bad rows, the table is emptied at once. dbt builds the table that
readers look at as a model from the copied rows, and tests the model. Programs are imported, connected and, for dbt,
parsed before the clock starts. pgsluice loads the file with the checks as rules::

    make bench-quality QUALITY="--rows 500000 --bad 20 --runs 5"
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psycopg

from pgsluice.postgres.embedded import server

PYTHON = Path(__file__).parent / "work" / "quality-venv" / "bin" / "python"
CHECKS = Path(__file__).parent / "tools" / "quality_checks.py"
TABLE = "CREATE TABLE orders (id int, customer int, status text, amount numeric(10,2), day date)"
STATUSES = ("new", "paid", "shipped")

RULES = """
[load]
paths = ["orders.csv"]
[rules.id]
table = "orders"
column = "id"
unique = true
[rules.customer]
table = "orders"
column = "customer"
not_null = true
[rules.status]
table = "orders"
column = "status"
accepted_values = ["new", "paid", "shipped"]
[rules.day]
table = "orders"
column = "day"
not_null = true
[rules.amount]
table = "orders"
check = "amount >= 0"
"""


class Reader:
    """Looks for bad rows all the time while the context lasts."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._stop = threading.Event()
        self.looks = 0
        self.bad_looks = 0
        self.seconds = 0.0
        """From the first look that saw a bad row to the first look afterwards that saw none."""

    def __enter__(self) -> Reader:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._look, args=[ready])
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self, ready: threading.Event) -> None:
        since: float | None = None
        with psycopg.connect(self._uri, autocommit=True) as conn:
            ready.set()
            while not self._stop.is_set():
                row = conn.execute("SELECT EXISTS (SELECT FROM orders WHERE amount < 0 LIMIT 1)").fetchone()
                now = time.monotonic()
                self.looks += 1
                if row == (True,):
                    self.bad_looks += 1
                    since = now if since is None else since
                elif since is not None:
                    self.seconds, since = self.seconds + now - since, None
                time.sleep(0.002)
            if since is not None:
                self.seconds += time.monotonic() - since


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--bad", type=int, default=20, help="rows that break a check (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--python", type=Path, default=PYTHON, help="of the environment of the programs")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="quality-"))
    folder.chmod(0o711)
    try:
        write(folder / "orders.csv", args.rows, args.bad)
        (folder / "pgsluice.toml").write_text(RULES)
        uri = server.start(folder / "server")
        with psycopg.connect(uri, autocommit=True) as conn:
            release = conn.info.server_version // 10000
        print(f"{args.rows:,} rows, {args.bad} bad, {args.runs} runs, PostgreSQL {release}")
        programs = {
            name: [str(args.python), str(CHECKS), name, uri, str(folder)]
            for name in ("dbt", "great_expectations", "pointblank")
        }
        load = [str(Path(sys.executable).with_name("pgsluice")), "load", "--config", "pgsluice.toml"]
        load += ["--database-url", uri, "--quiet"]
        programs["pgsluice, veto"] = load
        programs["pgsluice, bad rows rejected"] = [*load, "--max-rejects", "all"]
        print("| | version | bad rows visible, seconds | looks, with bad rows | load and checks, seconds | left |")
        print("| --- | --- | ---: | ---: | ---: | --- |")
        for name, command in programs.items():
            measure(name, command, uri, folder, args.runs)
    finally:
        server.stop(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def write(path: Path, rows: int, bad: int) -> None:
    """Writes the file. The bad rows lie evenly in it."""
    with path.open("w") as out:
        out.write("id,customer,status,amount,day\n")
        for n in range(1, rows + 1):
            amount = "-1.00" if bad and n % (rows // bad) == 0 else f"{n % 1000}.50"
            out.write(f"{n},{n % 5000},{STATUSES[n % 3]},{amount},2026-01-{1 + n % 28:02}\n")


def measure(name: str, command: list[str], uri: str, folder: Path, runs: int) -> None:
    """Runs a program some times, and prints a line of the table."""
    seconds, looks, bad_looks, spent, left, said = [], 0, 0, [], "", version("pgsluice")
    for _ in range(runs):
        with psycopg.connect(uri, autocommit=True) as conn:
            conn.execute("DROP SCHEMA IF EXISTS raw, pgsluice CASCADE; DROP TABLE IF EXISTS orders CASCADE")
            conn.execute(TABLE)
        with Reader(uri) as reader:
            began = time.monotonic()
            ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            took = time.monotonic() - began
        if command[0].endswith("pgsluice"):
            assert ended.returncode in (0, 1), ended.stderr
        else:
            assert ended.returncode == 0, ended.stderr[-2000:]
            told = json.loads(ended.stdout.splitlines()[-1])
            assert told["failed"] == 1, told
            took, said = told["seconds"], told["version"]
        seconds.append(reader.seconds)
        spent.append(took)
        looks, bad_looks = looks + reader.looks, bad_looks + reader.bad_looks
        with psycopg.connect(uri) as conn:
            row = conn.execute("SELECT count(*) FROM orders").fetchone()
            assert row is not None
            left = f"{row[0]:,} rows"
    print(
        f"| {name} | {said} | {median(seconds):.2f} ({min(seconds):.2f}–{max(seconds):.2f}) | {looks:,}, {bad_looks:,}"
        f" | {median(spent):.2f} | {left} |",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
