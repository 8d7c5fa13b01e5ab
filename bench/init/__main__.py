"""Measures how many keys ``init`` finds: ``make init-table`` or ``python -m bench.init --help``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pgsluice
from bench.init.cost import cost_on_tpch
from bench.init.page import Measured, write_page
from bench.init.score import score
from bench.init.sets import ROOT, SHARED, Group, Set, all_sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, help="write the page to this file")
    parser.add_argument("--only", default="", help="sets whose names hold this text")
    parser.add_argument("--tuned", action="store_true", help="only the sets on which the scores were chosen")
    parser.add_argument("--seed", type=int, default=1, help="seed of the generated sets")
    parser.add_argument("--work", type=Path, default=ROOT / "bench" / "work" / "init")
    parser.add_argument("--python", type=Path, default=ROOT / "bench" / "work" / "venv" / "bin" / "python")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with chinook, northwind and olist")
    parser.add_argument("--cost", type=float, metavar="SCALE", help="also measure the cost on TPC-H of this scale")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    measured: list[Measured] = []
    missing = []
    for found in all_sets(options.work, options.python, options.shared, options.seed):
        if not isinstance(found, Set):
            missing.append(f"{found[0]}: {found[1]}")
            print(f"{found[0]}: left out, {found[1]}")
        elif options.only.lower() in found.name.lower() and (found.group is Group.TUNED or not options.tuned):
            measured.append(_measure(found))
    cost = cost_on_tpch(options.work, options.python, options.cost) if options.cost else None
    page = write_page(measured, missing, options.seed, cost)
    if options.page is not None:
        options.page.write_text(page, encoding="utf-8")
    else:
        print(page)


def _measure(known: Set) -> Measured:
    began = time.monotonic()
    schema = pgsluice.infer_schema(known.folder)
    seconds = time.monotonic() - began
    result = score(known, schema)
    rows = sum(t.rows for t in schema.tables)
    f1 = f"primary {result.primary.f1:.3f}, foreign {result.foreign.f1:.3f}"
    print(f"{known.name}: {f1}, {rows:,} rows in {seconds:.1f} s", flush=True)
    for line in result.wrong:
        print(f"  {line}", flush=True)
    return Measured(known, result, rows, len(schema.tables))


if __name__ == "__main__":
    main()
