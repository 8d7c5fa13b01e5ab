"""Runs the pollution benchmark: ``make bench-files`` or ``python -m bench.files --help``."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import bench.files.pollutions  # noqa: F401
from bench.files import script_readers
from bench.files.clean import SETS, clean_set
from bench.files.draft import POLLUTIONS, Case, make_case
from bench.files.outcome import Outcome
from bench.files.page import write_page
from bench.files.score import Score, score
from bench.files.table_loaders import Server, copy_load, pgsluice_load
from pgsluice.postgres.embedded import server as embedded

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "pgsluice": "pgsluice, typed table",
    "pgsluice_text": "pgsluice, text table",
    "duckdb": "DuckDB read_csv",
    "pandas": "pandas read_csv",
    "pandas_python": "pandas sep=None",
    "clevercsv": "CleverCSV",
    "sniffer": "csv.Sniffer",
    "copy": "\\copy, typed table",
    "copy_text": "\\copy, text table",
}
"""Names of programs, with their titles."""

UNHINTED_ONLY = {"pandas_python"}
SQL_TYPES = {"int": "BIGINT", "decimal": "DECIMAL(18,2)", "date": "DATE", "text": "VARCHAR"}


@dataclasses.dataclass
class Result:
    case: Case
    program: str
    hinted: bool
    score: Score


class OtherEnvironment:
    """The readers of :mod:`script_readers`, in a process with the Python of the benchmark."""

    def __init__(self, python: Path) -> None:
        script = script_readers.__file__
        self._process = subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin
        assert self._process.stdout
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout

    def ask(self, name: str, path: Path, hints: Any) -> Outcome:
        pickle.dump((name, str(path), hints), self._in)
        self._in.flush()
        # The process knows the module by its bare name.
        sys.modules.setdefault("outcome", sys.modules["bench.files.outcome"])
        found: Outcome = pickle.load(self._out)
        return found

    def close(self) -> None:
        self._in.close()
        self._process.wait()


def fast_folder() -> str | None:
    """A folder in memory, if there is one with 4 GB free."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30 else None


def cases(seeds: range, rows: int, only: str, quick: bool = False) -> Iterator[Case]:
    """All cases: each pollution of each set, of a table that the seed chooses.

    :param only: parts of the names of pollutions, divided by commas; '' stands for all.
    :param quick: each pollution of one set only.
    """
    for seed in seeds:
        for place, way in enumerate(POLLUTIONS.values()):
            if only and not any(part in way.name for part in only.split(",")):
                continue
            for name in [list(SETS)[place % len(SETS)]] if quick else SETS:
                clean = clean_set(name, seed, rows)
                table = clean.tables[-1 - (seed + place) % len(clean.tables)]
                yield make_case(way, name, table, seed)


def hints_of(case: Case) -> dict[str, Any]:
    """What the other programs are told: the hints, and the types of the columns."""
    columns = case.table.columns
    return {
        **dataclasses.asdict(case.hints),
        "columns": [c.name for c in columns],
        "text_columns": [c.name for c in columns if c.type == "text"],
        "date_columns": [c.name for c in columns if c.type == "date"],
        "types": {c.name: SQL_TYPES[c.type] for c in columns},
        "renamed": bool(case.names) and list(case.names) != [c.name for c in columns],
    }


def ask(program: str, case: Case, server: Server, other: OtherEnvironment, *, rows: int, hinted: bool) -> Outcome:
    """What a program makes of a case."""
    name, _, kind = program.partition("_")
    if name in ("pgsluice", "copy"):
        load = pgsluice_load if name == "pgsluice" else copy_load
        clean = clean_set(case.set_name, case.seed, rows)
        return load(server, clean, case, typed=kind != "text", hinted=hinted)
    path = server.folder.parent / f"{case.table.name}.csv"
    path.write_bytes(case.data)
    hints = hints_of(case) if hinted else None
    return script_readers.answer(program, str(path), hints) if name == "duckdb" else other.ask(program, path, hints)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.files", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--rows", type=int, default=60, help="records of the largest table of a set (default 60)")
    parser.add_argument("--only", default="", help="pollutions whose names contain one of these texts")
    parser.add_argument("--quick", action="store_true", help="one set for each pollution")
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--python", type=Path, default=ROOT / "bench/work/venv/bin/python")
    parser.add_argument("--page", type=Path, help="write the page to this file")
    parser.add_argument("--verbose", action="store_true", help="print each result")
    parser.add_argument("--cache", type=Path, help="a file that keeps the scores of the other programs for next time")
    parser.add_argument("--keep", type=Path, help="a folder for the files of the cases")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        other = OtherEnvironment(options.python)
        server = Server(embedded.start(Path(folder) / "server"), Path(folder) / "load")
        server.forget()
        try:
            results = list(run(options, server, other))
        finally:
            embedded.stop(Path(folder) / "server")
            other.close()
    seeds = f"seed {options.seed}" + (f" to {options.seed + options.seeds - 1}" if options.seeds > 1 else "")
    seeds += ", one set for each pollution" if options.quick else ""
    text = write_page(results, PROGRAMS, {"rows": options.rows, "seeds": seeds, "python": options.python})
    if options.page:
        options.page.write_text(text)
    else:
        print(text)


class Cache:
    """The scores of programs other than pgsluice, which do not change from one run to the next."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._scores: dict[str, Score] = pickle.loads(path.read_bytes()) if path and path.exists() else {}

    def key(self, case: Case, program: str, hinted: bool) -> str:
        return hashlib.sha256(repr((case.data, case.hints, case.records, program, hinted)).encode()).hexdigest()

    def get(self, case: Case, program: str, hinted: bool) -> Score | None:
        return None if program.startswith("pgsluice") else self._scores.get(self.key(case, program, hinted))

    def put(self, case: Case, program: str, hinted: bool, found: Score) -> None:
        self._scores[self.key(case, program, hinted)] = found

    def close(self) -> None:
        if self._path:
            self._path.write_bytes(pickle.dumps(self._scores))


def run(options: argparse.Namespace, server: Server, other: OtherEnvironment) -> Iterator[Result]:
    """Gives each case to each program, without hints and with."""
    seeds = range(options.seed, options.seed + options.seeds)
    cache = Cache(options.cache)
    for case in cases(seeds, options.rows, options.only, options.quick):
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{case.title.replace('/', '-')}-{case.table.name}.csv").write_bytes(case.data)
        for program in options.programs.split(","):
            for hinted in (False,) if program in UNHINTED_ONLY else (False, True):
                found, message = cache.get(case, program, hinted), ""
                if found is None:
                    outcome = ask(program, case, server, other, rows=options.rows, hinted=hinted)
                    found, message = score(case, outcome, hinted=hinted), outcome.message
                    cache.put(case, program, hinted, found)
                if options.verbose:
                    _tell(case, program, hinted, found, message)
                yield Result(case, program, hinted, found)
    cache.close()


def _tell(case: Case, program: str, hinted: bool, found: Score, message: str) -> None:
    mark = "SILENT" if found.silent else "refused" if found.refused else "      "
    told = message if found.refused else "; ".join(found.silent)
    print(
        f"{case.title:40} {program:14} {'hints' if hinted else '     '} h{found.header:.0f}"
        f" r{found.records:.2f} c{found.cells:.2f} {mark} {told[:400]!r}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
