"""The longest wait of a reader all through a replace: ``python -m bench.readers``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from bench.__main__ import _other_database
from bench.workloads import ROOT

sys.path.insert(0, str(ROOT / "tests" / "acceptance"))

from readers import SCHEMA, Reader, write


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.readers", description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000, help="in the largest table (default: %(default)s)")
    parser.add_argument("--modes", default="replace,upsert", help="upsert deletes the missing (default: %(default)s)")
    parser.add_argument("--pg", type=int, default=None, help="major version of the server")
    args = parser.parse_args()

    from pgsluice.postgres.embedded import server

    folder = Path(tempfile.mkdtemp(prefix="readers-"))
    folder.chmod(0o711)
    bad = 0
    try:
        uri = server.start(folder / "server", args.pg)
        with psycopg.connect(uri, autocommit=True) as admin:
            admin.execute("CREATE DATABASE readers")
        target = _other_database(uri, "readers")
        with psycopg.connect(target, autocommit=True) as conn:
            conn.execute(SCHEMA)
        for generation, mode in enumerate(["append", *args.modes.split(",")]):
            files = write(folder / f"g{generation}", generation, args.rows)
            program = str(Path(sys.executable).with_name("pgsluice"))
            command = [program, "load", str(files), "--database-url", target, "--quiet", "--mode", mode]
            if mode == "upsert":
                command.append("--delete-missing")
            if generation == 0:
                subprocess.run(command, check=True, cwd=folder)
                with Reader(target) as idle:
                    time.sleep(5)
                print(f"no load: longest wait {idle.longest * 1000:.1f} ms in {idle.looks} looks", flush=True)
                continue
            began = time.monotonic()
            with Reader(target) as reader:
                subprocess.run(command, check=True, cwd=folder)
            took = time.monotonic() - began
            bad += bool(reader.wrong)
            said = "; ".join(reader.wrong[:3]) or "none failed, none saw a mixture"
            print(
                f"{mode} of {args.rows:,} rows in {took:.1f} s: longest wait {reader.longest * 1000:.1f} ms in"
                f" {reader.looks} looks, {said} (load average {os.getloadavg()[0]:.1f})",
                flush=True,
            )
    finally:
        server.stop(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
