"""``make exactness``: millions of values, every version, and one line for each difference."""

from __future__ import annotations

import argparse
import ast
import signal
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from types import SimpleNamespace

import conftest
from exactness.columns import DATABASES
from exactness.compare import Bench, Difference, Tally, bench

# How many values of a case with weight 1 go into one round.
_ROUND = 1500


def main() -> int:
    parser = argparse.ArgumentParser(prog="exactness", description=__doc__)
    parser.add_argument("--values", type=int, default=5_000_000, help="how many values, per version")
    parser.add_argument("--seed", type=int, default=None, help="default: by chance, and printed")
    parser.add_argument("--versions", default=None, help="of PostgreSQL, by commas; default: all that are there")
    parser.add_argument("--database", default=None, choices=[d.name for d in DATABASES], help="only these settings")
    parser.add_argument("--only", default=None, metavar="COLUMN", help="only this column, by its name")
    parser.add_argument("--value", default=None, help="only this value, as a Python literal")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else Random().randrange(1 << 32)
    there = [15] * (conftest.SYSTEM_15 / "initdb").exists() + list(conftest.WHEEL_VERSIONS)
    versions = [int(v) for v in args.versions.split(",")] if args.versions else there
    print(f"seed {seed}", flush=True)
    # Stopped from outside it takes its servers with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    session = SimpleNamespace()
    conftest.pytest_configure(session)  # type: ignore[arg-type]
    failed = 0
    try:
        with tempfile.TemporaryDirectory(prefix="exact-") as folder:
            for version in versions:
                server = conftest.server_uri(version)
                tally = _run(server, version, Path(folder), seed, args)
                print(
                    f"pg{version}: {tally.values:,} values, {tally.stored:,} stored, {tally.refused:,} refused,"
                    f" {tally.binary:,} times in binary, {tally.quick:,} read quickly,"
                    f" {tally.copied:,} on which INSERT and COPY differ, {tally.passed:,} that mean the moment,"
                    f" {len(tally.differences)} differences",
                    flush=True,
                )
                failed += len(tally.differences)
    finally:
        conftest.pytest_unconfigure(session)  # type: ignore[arg-type]
    return 1 if failed else 0


def _run(server: str, version: int, folder: Path, seed: int, args: argparse.Namespace) -> Tally:
    databases = [d for d in DATABASES if args.database in (None, d.name)]
    total = Tally()
    with_cases = 0.0
    start = time.monotonic()
    # Where all columns are tried the most values go; the others are about dates and times only.
    shares = {d.name: 10.0 if d.name == "plain" else 2.0 if d.every_case else 1.5 for d in databases}
    for database in databases:
        with_cases += shares[database.name]
        goal = int(args.values * with_cases / sum(shares.values()))
        with bench(server, database, folder, args.only) as made:
            number = 0
            while number == 0 or (args.value is None and total.values < goal):
                r = Random(f"{seed}/{database.name}/{number}")
                if args.value is not None:
                    given = {c.name: [ast.literal_eval(args.value)] for c in made.cases}
                else:
                    scale = min(1.0, max(0.01, (goal - total.values) / (_ROUND * sum(c.weight for c in made.cases))))
                    given = {
                        c.name: made.values(c, int(_ROUND * c.weight * scale), r, by_hand_too=0 if number else None)
                        for c in made.cases
                    }
                tally = made.round(given, r, number % 2)
                if args.value is not None:
                    tally.add(made.round(given, r, 1))
                total.add(tally)
                for difference in _reduced(made, tally.differences, seed, number):
                    print(difference.line(version), flush=True)
                number += 1
                if sys.stderr.isatty() or number % 5 == 0:
                    rate = total.values / (time.monotonic() - start)
                    print(
                        f"pg{version} {database.name}: {total.values:,} values, {rate:,.0f}/s,"
                        f" {len(total.differences)} differences",
                        file=sys.stderr,
                        flush=True,
                    )
    return total


def _reduced(made: Bench, found: list[Difference], seed: int, number: int) -> list[Difference]:
    """The differences as one prints them: each value once, tried again alone; no more than 20 of a column."""
    out: list[Difference] = []
    seen: dict[str, int] = {}
    for d in dict.fromkeys((d.case, d.value) for d in found):
        case, value = d
        seen[case] = seen.get(case, 0) + 1
        if seen[case] > 20:
            continue
        first = next(x for x in found if (x.case, x.value) == d)
        alone = [x for parity in (0, 1) for x in made.round({case: [value]}, Random(0), parity).differences]
        if alone:
            out.append(alone[0])
        else:
            how = f"{first.how}, only among others: seed {seed}, round {number}"
            out.append(Difference(first.database, case, value, how))
    return out


sys.exit(main())
