"""Programs that read a file into Python objects: pandas, CleverCSV, csv.Sniffer, DuckDB.

``python script_readers.py`` answers questions from standard input, pickled, in the environment of the benchmark. It
imports nothing of the project but :mod:`outcome`, which is beside it.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import pickle
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from outcome import Outcome, refused

LIMIT_SECONDS = 20

Hints = Any
"""A dictionary of bench.files.draft.Hints, with ``text_columns`` and ``date_columns``; None: no hints."""


def _plain(value: Any) -> Any:
    """The value as an object of Python's own types; None for a missing value."""
    import pandas as pd

    if value is None or (not isinstance(value, str | list | dict) and pd.isna(value)):
        return None
    if isinstance(value, datetime.datetime):
        return value.date() if value.time() == datetime.time() else str(value)
    if hasattr(value, "item"):
        return value.item()
    return value


def pandas_defaults(path: str, hints: Hints) -> Outcome:
    import pandas as pd

    return _pandas(path, hints, {} if hints is None else _pandas_options(pd, hints))


def pandas_python(path: str, hints: Hints) -> Outcome:
    return _pandas(path, hints, {"engine": "python", "sep": None})


def _pandas_options(pd: Any, hints: Hints) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if hints["delimiter"]:
        options["sep"] = hints["delimiter"] if len(hints["delimiter"]) == 1 else re.escape(hints["delimiter"])
    if hints["quote"] == "":
        options["quoting"] = csv.QUOTE_NONE
    elif hints["quote"]:
        options["quotechar"] = hints["quote"]
    if hints["escape"]:
        options["escapechar"] = hints["escape"]
    for ours, theirs in (("encoding", "encoding"), ("comment", "comment"), ("thousands", "thousands")):
        if hints[ours]:
            options[theirs] = hints[ours]
    if hints["decimal"]:
        options["decimal"] = hints["decimal"]
    if hints["header"] is False:
        options["header"], options["names"] = None, hints["columns"]
        if hints["ragged"] == "drop":
            options["usecols"], options["index_col"] = range(len(hints["columns"])), False
    if hints["skip_lines"] or hints["units"]:
        first = hints["skip_lines"]
        options["skiprows"] = [*range(first), *range(first + 1, first + 1 + hints["units"])]
    if hints["skip_footer"]:
        options["skipfooter"], options["engine"] = hints["skip_footer"], "python"
    if hints["null"]:
        options["na_values"] = list(hints["null"])
    if hints["skip_initial_blank"]:
        options["skipinitialspace"] = True
    if hints["bad_rows"]:
        options["on_bad_lines"] = "warn"
    if hints["ragged"] == "drop" and hints["header"] is not False:
        options["index_col"] = False
    if hints["date_format"]:
        options["parse_dates"], options["date_format"] = hints["date_columns"], hints["date_format"]
    options["dtype"] = dict.fromkeys(hints["text_columns"], str)
    return options


def _pandas(path: str, hints: Hints, options: dict[str, Any]) -> Outcome:
    import pandas as pd

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = pd.read_csv(path, **options)
    told = [str(w.message) for w in caught if w.category.__name__ == "ParserWarning"]
    named = [(int(n), "") for text in told for n in re.findall(r"line (\d+)", text)]
    told = [t for t in told if not re.search(r"line \d+", t) and "Falling back to the 'python' engine" not in t]
    header = [] if options.get("header", 0) is None else [str(c) for c in frame.columns]
    rows = [[_plain(v) for v in row] for row in frame.itertuples(index=False, name=None)]
    if not isinstance(frame.index, pd.RangeIndex):  # pandas took the first column for row labels
        rows = [
            [_plain(v) for v in (index if isinstance(index, tuple) else (index,))] + row
            for index, row in zip(frame.index, rows, strict=True)
        ]
        header = None if header is None else [*([""] * (len(rows[0]) - len(header) if rows else 0)), *header]
    return Outcome(header=header, rows=rows, named=named, warnings=told)


def _csv_header(rows: list[list[str]], has_header: bool) -> Outcome:
    if not has_header:
        return Outcome(header=[], rows=list(rows))
    return Outcome(header=rows[0] if rows else [], rows=list(rows[1:]))


def _csv_options(hints: Hints) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if hints["delimiter"]:
        options["delimiter"] = hints["delimiter"]
    if hints["quote"] == "":
        options["quoting"] = csv.QUOTE_NONE
    elif hints["quote"]:
        options["quotechar"] = hints["quote"]
    if hints["escape"]:
        options["escapechar"], options["doublequote"] = hints["escape"], False
    if hints["skip_initial_blank"]:
        options["skipinitialspace"] = True
    return options


def sniffer(path: str, hints: Hints) -> Outcome:
    csv.field_size_limit(1 << 27)
    encoding = (hints and hints["encoding"]) or "utf-8"
    with open(path, newline="", encoding=encoding) as file:
        sample = file.read(64 << 10)
        file.seek(0)
        if hints is None:
            dialect = csv.Sniffer().sniff(sample)
            found = csv.Sniffer().has_header(sample)
            return _csv_header([r for r in csv.reader(file, dialect) if r], found)
        rows = [r for r in csv.reader(file, **_csv_options(hints)) if r]
        return _csv_header(rows, hints["header"] is not False)


def clever(path: str, hints: Hints) -> Outcome:
    import clevercsv
    import clevercsv.dialect

    clevercsv.field_size_limit(1 << 27)
    encoding = (hints and hints["encoding"]) or clevercsv.encoding.get_encoding(path)
    with open(path, newline="", encoding=encoding) as file:
        text = file.read()
    if hints is None:
        dialect = clevercsv.Detector().detect(text[: 64 << 10])
        if dialect is None:
            raise ValueError("no dialect found")
        try:
            found = clevercsv.Sniffer().has_header(text[: 64 << 10])
        except Exception:
            found = True
        return _csv_header([r for r in clevercsv.reader(io.StringIO(text, newline=""), dialect) if r], found)
    options = _csv_options(hints)
    dialect = clevercsv.dialect.SimpleDialect(
        options.get("delimiter", ","),
        "" if hints["quote"] == "" else options.get("quotechar", '"'),
        options.get("escapechar", ""),
    )
    rows = [r for r in clevercsv.reader(io.StringIO(text, newline=""), dialect) if r]
    return _csv_header(rows, hints["header"] is not False)


def duckdb_auto(path: str, hints: Hints) -> Outcome:
    import duckdb

    con = duckdb.connect(config={"threads": 1})
    options = {} if hints is None else _duckdb_options(hints)
    listed = "".join(f", {name} = {value}" for name, value in options.items())
    source = f"read_csv({_text(path)}{listed})"
    rejected = "store_rejects" in options
    result = con.execute(f"SELECT * FROM {source}")
    names = [d[0] for d in result.description]
    rows = [[_plain_duck(v) for v in row] for row in result.fetchall()]
    found = None
    if hints is None:
        found = con.execute(f"SELECT HasHeader FROM sniff_csv({_text(path)})").fetchone()[0]
    named = con.execute("SELECT line, coalesce(csv_line, '') FROM reject_errors").fetchall() if rejected else []
    has_header = found if hints is None else hints["header"] is not False or hints["units"]
    return Outcome(header=names if has_header else [], rows=rows, named=[(int(n), t) for n, t in named])


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _plain_duck(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.date() if value.time() == datetime.time() else str(value)
    return value


def _duckdb_options(hints: Hints) -> dict[str, str]:
    options: dict[str, str] = {}
    names = {"delimiter": "delim", "quote": "quote", "escape": "escape", "comment": "comment", "thousands": "thousands"}
    for ours, theirs in names.items():
        if hints[ours] is not None:
            options[theirs] = _text(hints[ours])
    if hints["encoding"]:
        known = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
        options["encoding"] = _text(known.get(hints["encoding"], hints["encoding"]))
    if hints["decimal"]:
        options["decimal_separator"] = _text(hints["decimal"])
    if hints["date_format"]:
        options["dateformat"] = _text(hints["date_format"])
    if hints["header"] is not None:
        options["header"] = str(hints["header"]).lower()
    if hints["skip_lines"]:
        options["skip"] = str(hints["skip_lines"])
    if hints["units"]:
        hints = {**hints, "header": False}
        options["skip"], options["header"] = str(hints["skip_lines"] + 1 + hints["units"]), "false"
    if hints["null"]:
        options["nullstr"] = "[" + ", ".join(_text(n) for n in ("", *hints["null"])) + "]"
    if hints["ragged"] == "fill":
        options["null_padding"] = "true"
    if hints["bad_rows"] or hints["skip_footer"]:
        options["store_rejects"] = "true"
    if hints["header"] is False:
        options["columns"] = "{" + ", ".join(f"{_text(n)}: {_text(t)}" for n, t in hints["types"].items()) + "}"
    elif not hints["renamed"]:
        options["types"] = "{" + ", ".join(f"{_text(n)}: {_text(t)}" for n, t in hints["types"].items()) + "}"
    return options


def pandas_with(path: str, options: Hints) -> Outcome:
    """pandas.read_csv with options as they stand in a program: ``sep=';', skiprows=1``."""
    return _pandas(path, None, eval(f"dict({options})"))


def duckdb_with(path: str, options: str) -> Outcome:
    """DuckDB's read_csv with options as they stand in SQL: ``delim=';', skip=1``."""
    import duckdb

    con = duckdb.connect(config={"threads": 1})
    result = con.execute(f"SELECT * FROM read_csv({_text(path)}{', ' if options else ''}{options})")
    names = [d[0] for d in result.description]
    return Outcome(header=names, rows=[[_plain_duck(v) for v in row] for row in result.fetchall()])


def csvsql(path: str, options: Hints) -> Outcome:
    """The program csvsql with a list of options, in this process: its start takes a second."""
    from csvkit.utilities.csvsql import CSVSQL

    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        try:
            CSVSQL([path, *options]).run()
        except SystemExit as error:
            if error.code:
                raise ValueError(errors.getvalue()) from error
    return Outcome()


READERS: dict[str, Callable[[str, Hints], Outcome]] = {
    "duckdb": duckdb_auto,
    "pandas": pandas_defaults,
    "pandas_python": pandas_python,
    "clevercsv": clever,
    "sniffer": sniffer,
    "pandas_with": pandas_with,
    "csvsql": csvsql,
}


def answer(name: str, path: str, hints: Hints) -> Outcome:
    """Reads a file with a program, for 20 seconds at most; an exception is a refusal."""

    def late(*_: object) -> None:
        raise TimeoutError(f"no result after {LIMIT_SECONDS} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT_SECONDS)
    start = time.perf_counter()
    try:
        found = READERS[name](path, hints)
    except Exception as error:
        found = refused(error)
    finally:
        signal.alarm(0)
    found.seconds = time.perf_counter() - start
    return found


def main() -> None:
    """Answers until standard input ends."""
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    questions, sys.stdin = sys.stdin.buffer, io.StringIO()
    while True:
        try:
            name, path, hints = pickle.load(questions)
        except EOFError:
            return
        pickle.dump(answer(name, path, hints), out)
        out.flush()


if __name__ == "__main__":
    main()
