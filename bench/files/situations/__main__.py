"""Writes the table of docs/explanation/files.md: ``make files-table``."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
from pathlib import Path

from bench.files.__main__ import ROOT, OtherEnvironment, fast_folder
from bench.files.situations.contents import ENCODINGS, HEADERS, VALUES
from bench.files.situations.model import Situation
from bench.files.situations.programs import PROGRAMS, REFUSES, RIGHT, WARNED, WRONG, End, Place
from bench.files.situations.sets import sets
from bench.files.situations.writing import WRITING
from bench.files.table_loaders import Server
from pgsluice.postgres.embedded import server as embedded

PAGE = ROOT / "docs/explanation/files.md"
BEGIN, STOP = "<!-- make files-table: begin -->", "<!-- make files-table: end -->"
TITLES = {
    "pgsluice": "pgsluice",
    "copy": "`\\copy`",
    "duckdb": "DuckDB `read_csv`",
    "pandas": "pandas `read_csv`",
    "csvsql": "csvsql",
}


def groups() -> dict[str, tuple[Situation, ...]]:
    """The situations, by the titles of their tables."""
    return {
        "Delimiters, quotes, records": WRITING,
        "Headers, and lines that are no records": HEADERS,
        "Encodings": ENCODINGS,
        "Values": VALUES,
        "Folders and containers": sets(),
    }


def cell(program: str, place: Place, situation: Situation) -> tuple[str, str]:
    """What a cell of the table says, and a word for the count: right, option, refused, wrong."""
    if situation.needs_table and program in ("duckdb", "pandas"):
        return "-", "none"
    if program in situation.others:
        return f"has {situation.others[program]}", "none"
    run, option = PROGRAMS[program], situation.options.get(program)
    first = run(place, situation, None)
    if first.kind == REFUSES and situation.end == "refused":
        return "right: refused", "right"
    if first.kind == RIGHT:
        return "right", "right"
    second = run(place, situation, option) if option else None
    if option and second and second.kind == RIGHT:
        if first.kind == WARNED:
            return f"loaded with a warning; right with `{option}`", "told"
        told = first.kind == REFUSES and _names(first, option)
        begin = "**wrong in silence**" if first.kind == WRONG else "refused, says how" if told else "refused"
        return f"{begin}; right with `{option}`", "silent" if first.kind == WRONG else "told" if told else "option"
    if first.kind == WRONG:
        return "**wrong in silence**", "silent"
    if first.kind == WARNED:
        return "loaded with a warning", "told"
    return "refused", "refused"


def _names(end: End, option: str) -> bool:
    """Whether the message of a refusal names one of the options that help."""
    words = re.findall(r"--[a-z-]+|\b[a-z_]+(?==)|\b[A-Z_]{4,}\b", option)
    return any(word in end.message for word in words)


def write(place: Place, only: str, verbose: bool, cache: dict[str, tuple[str, str]]) -> str:
    """The tables as Markdown, and the counts.

    :param cache: the cells of the other programs that are known already; it is filled.
    """
    counts = {
        program: dict.fromkeys(("right", "told", "option", "refused", "silent", "none"), 0) for program in PROGRAMS
    }
    parts = []
    for title, situations in groups().items():
        lines = [f"### {title}\n", f"| situation | {' | '.join(TITLES.values())} |", "| --- " * 6 + "|"]
        for situation in situations:
            if only and not any(part in situation.name for part in only.split(",")):
                continue
            cells = []
            for program in PROGRAMS:
                asked = (situation.files, situation.end, situation.options.get(program), program)
                key = hashlib.sha256(repr(asked).encode()).hexdigest()
                if key not in cache or program == "pgsluice":
                    cache[key] = cell(program, place, situation)
                text, word = cache[key]
                counts[program][word] += 1
                cells.append(text.replace("|", "\\|"))
                if verbose:
                    print(f"{situation.name:28} {program:9} {text}", file=sys.stderr)
            lines.append(
                f"| {situation.what.replace('|', chr(92) + '|')} | {' | '.join(cells)} |".replace(
                    "\x01", "\\x01"
                ).replace("\t", "\\t")
            )
        parts.append("\n".join(lines))
    words = {
        "right": "right without an option",
        "told": "refused; the message names the option that works",
        "option": "refused; an option works, but the message does not name it",
        "refused": "refused, and no option of the program helps",
        "silent": "**wrong in silence** without an option",
    }
    head = [f"| | {' | '.join(TITLES.values())} |", "| --- |" + " ---: |" * len(TITLES)]
    head += [f"| {text} | {' | '.join(str(counts[p][word]) for p in PROGRAMS)} |" for word, text in words.items()]
    return "\n".join(head) + "\n\n" + "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.files.situations", description=__doc__)
    parser.add_argument("--only", default="", help="situations whose names contain one of these texts; writes no page")
    parser.add_argument("--verbose", action="store_true", help="print each result")
    parser.add_argument("--cache", type=Path, help="a file that keeps the cells of the other programs for next time")
    parser.add_argument("--bench-bin", type=Path, default=ROOT / "bench/work/venv/bin")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        other = OtherEnvironment(options.bench_bin / "python")
        server = Path(folder) / "server"
        try:
            uri = embedded.start(server)
            Server(uri, Path(folder)).forget()
            place = Place(uri, Path(folder) / "files", other, options.bench_bin)
            cache = json.loads(options.cache.read_text()) if options.cache and options.cache.exists() else {}
            text = write(place, options.only, options.verbose, cache)
            if options.cache:
                options.cache.write_text(json.dumps(cache))
        finally:
            embedded.stop(server)
            other.close()
    if options.only:
        print(text)
        return
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{STOP}{rest.split(STOP)[1]}")


if __name__ == "__main__":
    main()
