"""Measures how often each sniffer finds delimiter, quote and escape of the annotated files.

    python -m bench.dialects.measure --each 20 --seed 1

pgsluice is measured twice: by the file alone, and with the table that the file goes into. CleverCSV and DuckDB are
measured if they are installed.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.dialects.generate import CASES, Annotated, files
from pgsluice.model import DialectOptions
from pgsluice.source.dialect_search.expectations import Expectations, ExpectedColumn, TextClass
from pgsluice.source.dialect_search.result import Result
from pgsluice.source.dialect_search.sample import sample_of
from pgsluice.source.dialect_search.search import search

CLASSES = {
    "integer": TextClass.INTEGER,
    "numeric": TextClass.NUMBER,
    "date": TextClass.DATE,
    "timestamp": TextClass.DATE,
    "time": TextClass.TIME,
    "boolean": TextClass.BOOLEAN,
    "text": TextClass.TEXT,
}

Found = tuple[str, str, str] | None
"""Delimiter, quote and escape; None if the sniffer gives up."""


def pgsluice_alone(file: Annotated) -> Found:
    return _parts(search(sample_of(file.data, True), DialectOptions(), None))


def pgsluice_with_table(file: Annotated) -> Found:
    columns = tuple(ExpectedColumn(name, CLASSES[sql]) for name, sql in file.columns)
    found = search(sample_of(file.data, True), DialectOptions(), Expectations("t", columns))
    return _parts(found) if found.sure else None


def _parts(found: Result) -> Found:
    return found.reading.delimiter, found.reading.quote, found.reading.escape


def csv_sniffer(file: Annotated) -> Found:
    dialect = csv.Sniffer().sniff(file.data.decode())
    return dialect.delimiter, dialect.quotechar or "", dialect.escapechar or ""


def clevercsv(file: Annotated) -> Found:
    import clevercsv

    dialect = clevercsv.Sniffer().sniff(file.data.decode())
    return None if dialect is None else (dialect.delimiter, dialect.quotechar or "", dialect.escapechar or "")


def duckdb(file: Annotated) -> Found:
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(file.data)
        row = duckdb.connect().execute("SELECT delimiter, quote, escape FROM sniff_csv(?)", [str(path)]).fetchone()
    assert row is not None
    quote, escape = ("" if part in (None, "(empty)") else str(part) for part in row[1:])
    return str(row[0]), quote, "" if escape == quote else escape


SNIFFERS: dict[str, Callable[[Annotated], Found]] = {
    "pgsluice": pgsluice_alone,
    "pgsluice with table": pgsluice_with_table,
    "csv.Sniffer": csv_sniffer,
    "DuckDB": duckdb,
    "CleverCSV": clevercsv,
}


def right(file: Annotated, found: Found) -> bool:
    """Whether the parts that the file uses are those of the annotation."""
    if found is None:
        return False
    delimiter, quote, escape = found
    delimiter = " " if delimiter == " +" else delimiter.removesuffix(" ") or " "
    if delimiter != file.delimiter:
        return False
    return (not file.quote or quote == file.quote) and (not file.escape or escape == file.escape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="measure these sniffers, divided by commas: " + "; ".join(SNIFFERS))
    parser.add_argument("--show", help="print the files that this sniffer gets wrong, and measure no other")
    given = parser.parse_args()
    annotated = files(given.seed, given.each)
    scores: dict[str, Counter[str]] = {}
    asked: Counter[str] = Counter()
    for name, sniff in SNIFFERS.items():
        if (given.show and name != given.show) or (given.only and name not in given.only.split(",")):
            continue
        began = time.perf_counter()
        scores[name] = Counter()
        for file in annotated:
            found: Found = None
            # A sniffer that raises an error has not found the dialect.
            with suppress(Exception):
                found = sniff(file)
            good = right(file, found)
            scores[name][file.kind] += good
            asked[name] += found is None
            if given.show == name and not good:
                print("----", file.name, repr(file.delimiter), repr(file.quote), "found", found)
                print(file.data[:300].decode(errors="replace"))
        print(f"{name}: {time.perf_counter() - began:.1f} s, {asked[name]} without an answer")
    print("| files | " + " | ".join(scores) + " |")
    print("| --- |" + " ---: |" * len(scores))
    for case in CASES:
        print(f"| {case.replace('|', 'bar')} | " + " | ".join(str(scores[name][case]) for name in scores) + " |")
    shares = (f"{100 * sum(scores[name].values()) / len(annotated):.1f} %" for name in scores)
    print(f"| all {len(annotated)} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
