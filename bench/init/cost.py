"""What ``pgsluice init`` costs beside the load of the same files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.init.sets import program_for_tpch
from pgsluice.postgres.embedded import server

_ROUNDS = 3
_PAUSE = 0.1
"""Seconds between two looks at the memory of a process."""


@dataclass(frozen=True)
class Cost:
    """The best of each."""

    bytes: float
    """MB of the files."""
    init_seconds: float
    init_cpu: float
    """Seconds of the processor."""
    init_memory: float
    """MB, the most of all rounds."""
    load_seconds: float
    load_cpu: float
    """Seconds of the processor, those of the server among them."""
    cores: int
    others: float
    """The load average of the machine at the end."""


def cost_on_tpch(work: Path, python: Path, scale: float) -> Cost:
    """Measures both commands in turns, each as a process of its own.

    :raises Missing: ``tpchgen-cli`` is not installed.
    """
    data, folder = work / f"tpch{scale:g}", work / "cost"
    if not data.exists():
        command = [program_for_tpch(python), "csv", "-s", f"{scale:g}", "-o", str(data)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    inits, loads = [], []
    with server.temporary() as address:
        with psycopg.connect(address) as conn:
            row = conn.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'").fetchone()
        assert row is not None
        postmaster = int((Path(str(row[0])) / "postmaster.pid").read_text().split()[0])
        for _ in range(_ROUNDS):
            inits.append(_timed(folder, "init", str(data), "--force", "--quiet"))
            with psycopg.connect(address, autocommit=True) as conn:
                for schema in ("public", "pgsluice"):
                    conn.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
                conn.execute("CREATE SCHEMA public")
            before = _cpu_of_children(postmaster)
            seconds, cpu, memory = _timed(folder, "load", "--quiet", "--database-url", address)
            # The server has waited for the processes of a connection soon after the client has closed it.
            time.sleep(1)
            loads.append((seconds, cpu + _cpu_of_children(postmaster) - before, memory))
    size = sum(file.stat().st_size for file in data.iterdir()) / 1e6
    return Cost(
        size,
        *(min(values) for values in list(zip(*inits, strict=True))[:2]),
        max(memory for *_, memory in inits),
        *(min(values) for values in list(zip(*loads, strict=True))[:2]),
        os.cpu_count() or 1,
        os.getloadavg()[0],
    )


def _timed(folder: Path, *arguments: str) -> tuple[float, float, float]:
    """Seconds, seconds of the processor, and MB of a command that must end well."""
    began, before = time.monotonic(), os.times()
    process = subprocess.Popen([sys.executable, "-m", "pgsluice", *arguments], cwd=folder)
    most = 0.0
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        time.sleep(_PAUSE)
    assert process.returncode == 0, arguments
    seconds, after = time.monotonic() - began, os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    print(f"{arguments[0]}: {seconds:.1f} s, {cpu:.1f} s of the processor, {most:.0f} MB", flush=True)
    return seconds, cpu, most


def _memory(process: int) -> float:
    """MB that a process has held at most so far; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), 0.0)


def _cpu_of_children(process: int) -> float:
    """Seconds of the processor that the ended children of a process have taken."""
    numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[13]) + int(numbers[14])) / os.sysconf("SC_CLK_TCK")
