"""The page of the pollution benchmark, as Markdown."""

from __future__ import annotations

import importlib.metadata
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bench.files.draft import POLLUTIONS

if TYPE_CHECKING:
    from bench.files.__main__ import Result

_TOP = """# Benchmark of polluted files

`make bench-files` makes this page ([how to run it](how-to/benchmark.md)). Clean tables are written as CSV files that
are spoiled in {ways} ways. Each file is given to several programs, first without a word (the defaults), then with
hints: the options of each program that say what a person knows who has looked at the file.

- **header, records, cells**: what the program recovered, from 0 to 1: F1 of the records and the cells, the mean over
  all files. A file that a program refuses counts 0, except where nobody could know the values without a hint; there a
  refusal counts 1.
- **refused**: files that the program refuses whole, with an error.
- **wrong in silence**: files of which the program stores a wrong cell, loses a record or stores a line that is no
  record, while it ends well and names neither the record nor the line.

A cell is right if it is the value, or the text of the field as it stands in the file. An empty text is as right as
NULL, because most programs have no NULL. Records that cannot be recovered (a missing quote, a missing delimiter) are
not counted, but must not be stored wrong in silence.

The tables: a shop, weather stations and a library, {files} files, {rows} records in the largest table of a set,
{seeds}. They hold integers, decimals, dates and texts with delimiters, quotes, line breaks and accents, and NULLs.
pgsluice loads into a table with the right types, and into a table whose columns are all text, with
`--max-rejects all`. `\\copy` has a header option and knows the columns by their position alone.

Versions: {versions}.
"""


def write_page(results: Sequence[Result], titles: Mapping[str, str], settings: Mapping[str, object]) -> str:
    """The whole page.

    :param titles: the programs, with their titles.
    :param settings: rows, seeds and python (the interpreter of the other environment).
    """
    ways = {r.case.pollution.name for r in results}
    files = {r.case.title for r in results}
    top = _TOP.format(
        ways=len(ways),
        files=len(files),
        rows=settings["rows"],
        seeds=settings["seeds"],
        versions=_versions(str(settings["python"])),
    )
    parts = [top]
    for hinted, title in ((False, "Without hints"), (True, "With hints")):
        parts.append(f"## {title}\n\n{_summary([r for r in results if r.hinted == hinted], titles)}")
    parts.append(_silent_part(results))
    parts.append(
        "## Each pollution\n\nThe share of recovered cells without hints / with hints. **✗**: wrong in silence;"
        " *refused*: all files refused.\n"
    )
    for level, title in (("table", "Whole files"), ("values", "Values"), ("row", "Single records")):
        if not any(r.case.pollution.level == level for r in results):
            continue
        parts.append(f"### {title}\n\n{_details(results, titles, level)}")
    return "\n".join(parts)


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f}" if values else "-"


def _summary(results: Sequence[Result], titles: Mapping[str, str]) -> str:
    rows = []
    for name, title in titles.items():
        scores = [r.score for r in results if r.program == name]
        if scores:
            numbers = (_mean([getattr(s, part) for s in scores]) for part in ("header", "records", "cells"))
            refused, silent = sum(s.refused for s in scores), sum(bool(s.silent) for s in scores)
            rows.append([title, *numbers, str(refused), f"{silent} of {len(scores)}"])
    return _grid(["program", "header", "records", "cells", "refused", "wrong in silence"], rows)


def _silent_part(results: Sequence[Result]) -> str:
    found = [r for r in results if r.program.startswith("pgsluice") and r.score.silent]
    if not found:
        return "pgsluice loaded no file wrong in silence.\n"
    lines = ["Files that pgsluice loaded wrong in silence:\n"]
    for r in found:
        told = r.score.silent[0].replace("|", "\\|").replace("\n", " ")
        lines.append(f"- {r.case.title}, {r.program}{', with hints' if r.hinted else ''}: `{told}`")
    return "\n".join(lines) + "\n"


def _details(results: Sequence[Result], titles: Mapping[str, str], level: str) -> str:
    names = [n for n in titles if any(r.program == n for r in results)]
    ways = [w for w in POLLUTIONS.values() if w.level == level and any(r.case.pollution is w for r in results)]
    rows = []
    for way in ways:
        cells = [f"{way.what} (`{way.name}`)".replace("|", "\\|")]
        for name in names:
            mine = [r for r in results if r.case.pollution is way and r.program == name]
            cells.append(" / ".join(_cell([r for r in mine if r.hinted == hinted]) for hinted in (False, True)))
        rows.append(cells)
    return _grid(["pollution", *[titles[n] for n in names]], rows)


def _cell(results: Sequence[Result]) -> str:
    if not results:
        return "-"
    if any(r.score.silent for r in results):
        share = _share(results)
        return f"**✗** {share}"
    if all(r.score.refused for r in results) and not any(r.score.cells for r in results):
        return "*refused*"
    return _share(results)


def _share(results: Sequence[Result]) -> str:
    share = sum(r.score.cells for r in results) / len(results)
    text = f"{share:.2f}"
    return "0.99" if text == "1.00" and share < 1 else text


def _versions(python: str) -> str:
    mine = {name: importlib.metadata.version(name) for name in ("pgsluice", "duckdb")}
    code = "import importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in ('pandas', 'clevercsv')), sep=', ')"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()
    return ", ".join([*(f"{name} {version}" for name, version in mine.items()), *([answer] if answer else [])])
