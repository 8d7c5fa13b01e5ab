"""The first second: what the start of a command costs, and a load that has little or nothing to do.

``python -m bench.start`` runs each command in turn, in rounds, and prints the medians of the seconds and of the CPU
seconds of the client, and the median of the ratios of CPU seconds to those of ``python -c pass`` in the same round. On
a busy machine the ratios say more than the seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import sys
import tempfile
from pathlib import Path

import psycopg

from bench.measure import run
from bench.workloads import make


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work", metavar="FOLDER")
    args = parser.parse_args()
    # Ended from outside, the benchmark stops its server all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    from pgsluice.postgres.embedded import server

    folder = tempfile.mkdtemp(prefix="bench-")
    try:
        _measure(server.start(folder), args.runs, args.work.resolve(), Path(folder))
    finally:
        server.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _measure(address: str, rounds: int, work: Path, folder: Path) -> None:
    program = str(Path(sys.executable).with_name("pgsluice"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "DATABASE_URL"))}
    found: dict[str, list[tuple[float, float]]] = {}
    for number in range(rounds):
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "pgsluice --version": [program, "--version"],
            "pgsluice --help": [program, "--help"],
            "pgsluice load --help": [program, "load", "--help"],
        }
        for spec in ("ecommerce1", "manyfiles1"):
            load = make(spec, work, work)
            name = f"start_{spec}_{number}"
            with psycopg.connect(address, autocommit=True) as conn:
                conn.execute(f"CREATE DATABASE {name} TEMPLATE template0")  # type: ignore[call-overload]
            url = address.replace("/postgres?", f"/{name}?")
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute(load.schema)  # type: ignore[call-overload]
            command = [program, "load", str(load.folder), "--database-url", url, "--quiet", "--data-dir", str(folder)]
            commands[f"{spec}: first load"] = command
            commands[f"{spec}: nothing to do"] = command
        for title, command in commands.items():
            cost = run(command, folder, env=environment, limit=300)
            assert cost.code == 0, cost.output
            found.setdefault(title, []).append((cost.wall, cost.cpu))
    bare = [cpu for _, cpu in found["python -c pass"]]
    print("| command | seconds | client CPU s | of python |\n| --- | ---: | ---: | ---: |")
    for title, costs in found.items():
        ratio = statistics.median(cpu / least for (_, cpu), least in zip(costs, bare, strict=True))
        wall, cpu = (statistics.median(values) for values in zip(*costs, strict=True))
        print(f"| {title} | {wall:.2f} | {cpu:.3f} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
