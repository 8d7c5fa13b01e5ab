"""The command: makes data, runs the competitors in turn, checks what they left, writes the report.

Each round runs every competitor once, on a database of its own made just before, in an order that rotates
from round to round; ratios are taken within a round and their median is reported. So a machine that gets
slower or faster meanwhile does so for everybody.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from bench import report
from bench.check import State, columns, look
from bench.competitors import COMPETITORS, Context, copies
from bench.measure import run, server_seconds
from bench.workloads import MAKERS, Unavailable, Workload, make

DEFAULT = "ecommerce1,ecommerce60,tpch1,wide,longtext,manyfiles,dirty60"
SETTINGS = (
    "shared_buffers",
    "maintenance_work_mem",
    "work_mem",
    "max_parallel_maintenance_workers",
    "max_wal_size",
    "wal_level",
    "fsync",
    "synchronous_commit",
    "checkpoint_timeout",
    "effective_cache_size",
)


def main() -> int:
    args = _arguments()
    # Ended from outside, the benchmark stops its server all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work: Path = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    bench_bin = (args.venv.resolve() if args.venv else work / "venv") / "bin"
    with _server(args) as (uri, postmaster):
        bench = Bench(uri, postmaster, work, bench_bin, args)
        for spec in args.only.split(","):
            try:
                load = make(spec, work, bench_bin)
            except Unavailable as error:
                _say(f"{spec}: skipped, {error}")
                continue
            result = bench.measure(load)
            report.keep(args.results, result)
    report.write(args.results, args.report, bench_bin)
    _say(f"written: {args.report}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Loads the same data with pgsluice and with others, and writes what it took.",
        epilog=f"Workloads: {', '.join(MAKERS)}, each with a size behind: ecommerce60, tpch0.1. "
        f"Competitors: {', '.join(COMPETITORS)}.",
    )
    parser.add_argument("--only", default=DEFAULT, metavar="A,B", help="workloads (default: %(default)s)")
    parser.add_argument("--competitors", metavar="A,B", help="only these (default: those that suit the workload)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument(
        "--limit", type=float, default=900, metavar="S", help="seconds for a run (default: %(default)s)"
    )
    parser.add_argument("--database-url", metavar="URL", help="a superuser's, instead of a server of its own")
    parser.add_argument("--pg", type=int, default=None, metavar="N", help="major version of the server")
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work", metavar="FOLDER")
    parser.add_argument("--venv", type=Path, metavar="FOLDER", help="the competitors' environment (default: WORK/venv)")
    root = Path(__file__).parent.parent
    parser.add_argument("--report", type=Path, default=root / "docs" / "benchmarks.md", metavar="FILE")
    parser.add_argument("--results", type=Path, default=root / "docs" / "benchmarks.json", metavar="FILE")
    args = parser.parse_args()
    for name in (args.competitors or "").split(","):
        if name and name not in COMPETITORS:
            parser.error(f"there is no competitor {name!r}; there are {', '.join(COMPETITORS)}")
    return args


@contextmanager
def _server(args: argparse.Namespace) -> Iterator[tuple[str, int | None]]:
    """Address and process of a server: the one given (its process is not known), or an embedded one that
    lives as long as the benchmark.
    """
    if args.database_url:
        yield args.database_url, None
        return
    from pgsluice.postgres.embedded import server

    folder = tempfile.mkdtemp(prefix="bench-")
    try:
        uri = server.start(folder, args.pg)
        yield uri, server.status(folder).pid
    finally:
        server.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


class Bench:
    """Measures workloads on one server."""

    def __init__(self, uri: str, postmaster: int | None, work: Path, bench_bin: Path, args: argparse.Namespace) -> None:
        self._uri = uri
        self._postmaster = postmaster
        self._work = work
        self._bench_bin = bench_bin
        self._args = args
        self._psql = _psql()
        self._admin = psycopg.connect(uri, autocommit=True)

    def measure(self, load: Workload) -> dict[str, Any]:
        """All rounds of one workload."""
        names = self._args.competitors.split(",") if self._args.competitors else load.competitors
        _say(f"\n{load.title} ({load.bytes / 1e6:,.0f} MB)")
        entries: dict[str, dict[str, Any]] = {}
        for name in names:
            competitor = COMPETITORS[name]
            entry: dict[str, Any] = {"title": competitor.title, "note": competitor.note, "runs": []}
            try:
                with self._scratch() as scratch:
                    entry["version"] = competitor.check(self._context(load, self._uri, scratch))
            except Unavailable as error:
                entry["skipped"] = str(error)
                _say(f"  {name}: skipped, {error}")
            entries[name] = entry
        truth, shapes = self._truth(load)
        for number in range(self._args.runs):
            todo = [n for n in names if "skipped" not in entries[n]]
            turn = number % len(todo) if todo else 0
            for name in todo[turn:] + todo[:turn]:
                self._run(load, name, entries[name], number, truth, shapes)
        return {
            "workload": load.name,
            "title": load.title,
            "bytes": load.bytes,
            "rows": sum(count for count, _ in truth.rows.values()) + load.rejects,
            "rejects": load.rejects,
            "when": datetime.now(UTC).isoformat(timespec="minutes"),
            "machine": _machine(),
            "server": self._admin.execute("SHOW server_version").fetchone()[0],  # type: ignore[index]
            "settings": {
                name: self._admin.execute("SELECT current_setting(%s)", (name,)).fetchone()[0]  # type: ignore[index]
                for name in SETTINGS
            },
            "competitors": entries,
        }

    def _run(
        self,
        load: Workload,
        name: str,
        entry: dict[str, Any],
        number: int,
        truth: State,
        shapes: dict[str, list[tuple[str, str]]],
    ) -> None:
        competitor = COMPETITORS[name]
        with self._database(name) as uri, self._scratch() as scratch:
            context = self._context(load, uri, scratch)
            start = competitor.start(context)
            if start.before:
                with psycopg.connect(uri, autocommit=True) as conn:
                    conn.execute(start.before)  # type: ignore[call-overload]
            self._admin.execute("CHECKPOINT")
            server_before = server_seconds(self._postmaster)
            cost = run(start.command, scratch, env=self._environment(), limit=self._args.limit)
            server_cpu = self._server_cpu(name, server_before)
            said = cost.output.strip().splitlines()
            one = {
                "round": number,
                "wall": round(cost.wall, 3),
                "cpu": round(cost.cpu, 3),
                "server_cpu": server_cpu,
                "peak_mb": round(cost.peak_mb, 1),
                "load": round(cost.load, 2),
            }
            cpu = f"client {cost.cpu:6.2f} and server {server_cpu or 0:6.2f} s CPU"
            _say(f"  {number + 1} {name:16} {cost.wall:8.2f} s, {cpu}, {cost.peak_mb:5.0f} MB, load {cost.load:.1f}")
            if cost.code != 0:
                entry["skipped"] = (
                    f"stopped after {self._args.limit:.0f} s" if cost.code == -9 else " ".join(said[-3:])[-300:]
                )
                _say(f"    failed: {entry['skipped']}")
                return
            if name.startswith("pgsluice"):
                result = json.loads(cost.output)
                one["seconds"] = result["seconds"]
                one["profile"] = result.get("profile", [])
                expected = load.rejects if name == "pgsluice" else 0
                if result["rejects"]["count"] != expected:
                    entry["wrong"] = f"{result['rejects']['count']} rejects instead of {expected}"
            entry["runs"].append(one)
            if number == 0:
                with psycopg.connect(uri) as conn:
                    differs = look(conn, shapes, ("public", "dlt")).differs(truth)
                entry["differs"] = differs
                for kind, text in differs.items():
                    _say(f"    {kind}: {text}")

    def _server_cpu(self, name: str, before: float | None) -> float | None:
        """What the server spent since ``before``; its processes for the run are waited for."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        deadline = time.monotonic() + 5
        while self._admin.execute(query, (f"bench_{name}",)).fetchone() != (0,) and time.monotonic() < deadline:
            time.sleep(0.02)
        after = server_seconds(self._postmaster)
        return None if before is None or after is None else round(after - before, 2)

    def _truth(self, load: Workload) -> tuple[State, dict[str, list[tuple[str, str]]]]:
        """What every competitor should leave: by PostgreSQL's own COPY into the schema as it is."""
        with self._database("truth") as uri, self._scratch() as scratch:
            context = self._context(load, uri, scratch)
            with psycopg.connect(uri, autocommit=True) as conn:
                conn.execute(load.tables)  # type: ignore[call-overload]
            script = scratch / "truth.sql"
            script.write_text(copies(context, folder=load.reference))
            command = [self._psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", uri, "-f", str(script)]
            cost = run(command, scratch, env=self._environment(), limit=3600)
            if cost.code:
                raise SystemExit(f"{load.name}: PostgreSQL does not take the data: {cost.output}")
            with psycopg.connect(uri, autocommit=True) as conn:
                shapes = {table: columns(conn, table) for table in load.order}
                rows = look(conn, shapes).rows
        with self._database("truth") as uri, psycopg.connect(uri, autocommit=True) as conn:
            conn.execute(load.schema)  # type: ignore[call-overload]
            objects = look(conn, shapes).objects
        return State(rows, objects), shapes

    def _context(self, load: Workload, uri: str, scratch: Path) -> Context:
        pgsluice = str(Path(sys.executable).with_name("pgsluice"))
        return Context(load, uri, scratch, self._psql, pgsluice, self._bench_bin)

    def _environment(self) -> dict[str, str]:
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "DATABASE_URL", "PYTHON"))}
        return mine | {"TZ": "UTC", "LC_ALL": "C.UTF-8", "HOME": str(self._work)}

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="bench-run-") as folder:
            yield Path(folder)

    @contextmanager
    def _database(self, name: str) -> Iterator[str]:
        """A fresh database, dropped at the end."""
        database = sql.Identifier(f"bench_{name}")
        self._admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        self._admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(database))
        try:
            yield _other_database(self._uri, f"bench_{name}")
        finally:
            self._admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


def _other_database(uri: str, name: str) -> str:
    """The same server's address with another database, as a URL: that is what everybody reads."""
    given = conninfo_to_dict(uri)
    given["dbname"] = name
    host = str(given.pop("host", "localhost"))
    user = quote(str(given.pop("user", "postgres")))
    password = given.pop("password", None)
    port = str(given.pop("port", "5432"))
    given.pop("dbname")
    login = f"{user}:{quote(str(password), safe='')}" if password else user
    if host.startswith("/"):
        return f"postgresql://{login}@/{name}?{urlencode({'host': host, 'port': port, **given}, safe='/')}"
    query = f"?{urlencode(given)}" if given else ""
    return f"postgresql://{login}@{host}:{port}/{name}{query}"


def _psql() -> str:
    """The embedded server's own psql."""
    from pgsluice.postgres.embedded.processes import DEFAULT_VERSION, binary

    return str(binary("psql", DEFAULT_VERSION))


def _machine() -> dict[str, Any]:
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next((x.split(":")[1].strip() for x in cpuinfo.read_text().splitlines() if "model name" in x), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    _say(f"{time.monotonic() - started:.0f} s in all")
    sys.exit(code)
