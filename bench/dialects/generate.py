"""Makes annotated files: delimiter, quote, escape, header line and the lines above and below the rows are known.

Each file comes from one seed. The kinds are those that sniffers of other programs get wrong: decimals and texts with
commas in semicolon files, semicolons and bars in the texts of comma files, single quotes, blanks and ``#`` as
delimiters, title lines, totals, trailing delimiters.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# fmt: off
WORDS = (
    "north", "south", "lamp", "chair", "oak", "table", "river", "bank", "green", "stone", "market", "street",
    "old", "new", "harbour", "light", "paper", "window", "garden", "winter", "summer", "engine", "bridge",
    "silver", "iron", "letter", "number", "note", "copy", "first", "second", "city", "station", "road",
)
# fmt: on
NAMES = (
    "Ann",
    "Bo",
    "Carla",
    "Dieter",
    "Eve",
    "O'Brien",
    "D'Arcy",
    "Müller",
    "Smith",
    "Garcia",
    "Lee",
    "Sørensen",
    "Zoë",
)
CITIES = ("Lund", "Paris", "São Paulo", "New York", "Ystad", "Rome", "Köln", "St. Louis", "Winston-Salem")
# fmt: off
HEADERS = (
    "id", "name", "city", "price", "qty", "note", "date", "code", "amount", "title", "status", "country",
    "weight", "height", "rate", "score", "comment", "email", "first_name", "last_name", "unit_price",
    "order_date", "customer_id", "region", "year", "month", "value", "label",
)
# fmt: on


@dataclass(frozen=True)
class Kind:
    """A kind of column: how its values are made, and the type of the column in a table."""

    name: str
    sql: str
    make: Callable[[random.Random, Style], str]


@dataclass(frozen=True)
class Style:
    """What the values of a file are like."""

    comma: bool
    """Decimals have a comma."""
    noise: str
    """Characters that stand in texts: other delimiters."""


@dataclass(frozen=True)
class Annotated:
    """A file and what is known of it."""

    name: str
    kind: str
    data: bytes
    delimiter: str
    quote: str
    """The quote that encloses fields; '' if none does."""
    escape: str
    header_line: int
    """0 for a file without a header."""
    columns: tuple[tuple[str, str], ...]
    """Name and SQL type of each column, for the table."""
    rows: tuple[tuple[str, ...], ...]
    preamble: int = 0
    footer: int = 0
    trailing: bool = False
    blanks: bool = False


def _text(rng: random.Random, style: Style) -> str:
    words = rng.choices(WORDS, k=rng.randint(1, 7))
    if style.noise:
        for _ in range(rng.randint(0, 2)):
            at = rng.randrange(len(words))
            words[at] += rng.choice(style.noise)
    text = " ".join(words)
    return text.replace("| ", "|") if rng.random() < 0.3 else text


def _list(rng: random.Random, style: Style) -> str:
    mark = rng.choice(style.noise) if style.noise else "/"
    return mark.join(rng.choices(WORDS, k=rng.choice((2, 2, 3, 3, 1))))


def _prose(rng: random.Random, style: Style) -> str:
    parts = []
    for _ in range(rng.randint(1, 4)):
        words = rng.choices(WORDS, k=rng.randint(3, 12))
        words[rng.randrange(len(words))] += rng.choice((",", ";", ":", " -", ""))
        parts.append(" ".join(words).capitalize() + rng.choice(".!?"))
    if rng.random() < 0.2:
        parts.insert(0, f'"{rng.choice(WORDS)}" is it.')
    return rng.choice((" ", " ", "\n")).join(parts)


def _decimal(rng: random.Random, style: Style) -> str:
    return f"{rng.uniform(0, 2000):.2f}".replace(".", "," if style.comma else ".")


KINDS = (
    Kind("integer", "integer", lambda rng, _: str(rng.randint(0, 9999))),
    Kind("decimal", "numeric", _decimal),
    Kind("date", "date", lambda rng, _: f"20{rng.randint(10, 25)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"),
    Kind("time", "time", lambda rng, _: f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"),
    Kind("name", "text", lambda rng, _: rng.choice(NAMES)),
    Kind("city", "text", lambda rng, _: rng.choice(CITIES)),
    Kind(
        "full",
        "text",
        lambda rng, style: f"{rng.choice(NAMES)}{', ' if ',' in style.noise else ' '}{rng.choice(NAMES)}",
    ),
    Kind("code", "text", lambda rng, _: "".join(rng.choices(string.ascii_uppercase, k=2)) + f"-{rng.randint(1, 999)}"),
    Kind("text", "text", _text),
    Kind("list", "text", _list),
    Kind("flag", "boolean", lambda rng, _: rng.choice(("t", "f"))),
    Kind("email", "text", lambda rng, _: f"{rng.choice(WORDS)}.{rng.choice(WORDS)}@example.org"),
)
PROSE = Kind("prose", "text", lambda rng, style: _prose(rng, style))
MONEY = Kind("money", "numeric", lambda rng, _: f"{rng.uniform(1000, 9e6):,.2f}")
MOMENT = Kind(
    "moment",
    "timestamp",
    lambda rng, _: (
        f"2024-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {rng.randint(0, 23):02}:{rng.randint(0, 59):02}:00"
    ),
)
BY_NAME = {kind.name: kind for kind in (*KINDS, PROSE, MONEY, MOMENT)}

CASES = {
    "comma": (",", '"', ""),
    "comma texts with ; and |": (",", '"', ";|"),
    "semicolon decimals with comma": (";", '"', ""),
    "semicolon texts with commas": (";", '"', ","),
    "semicolon texts and decimals with commas": (";", '"', ","),
    "tab": ("\t", '"', ",;"),
    "bar": ("|", '"', ",;"),
    "single quotes": ("", "'", ",;"),
    "blank": (" ", '"', ""),
    "hash": ("#", '"', ",;"),
    "other": ("", '"', ",;"),
    "several characters": ("", '"', ",;"),
    "no quote": ("\t", "", ",;"),
    "backslash": ("", '"', ",;"),
    "blank behind delimiter": (",", '"', ""),
    "title lines": ("", '"', ",;"),
    "total": ("", '"', ""),
    "trailing delimiter": ("", '"', ""),
    "quote all": ("", '"', ",;"),
    "few rows": ("", '"', ""),
    "uneven rows": ("", '"', ",;"),
    "sparse and wide": ("", '"', ",;"),
    "prose with line breaks": ("", '"', ",;"),
    "thousands": ("", '"', ",;"),
    "moments": ("", '"', ","),
    "numbers only": ("", '"', ""),
    "comment lines": ("", '"', ",;"),
    "sep line": ("", '"', ",;"),
    "CR": (",", '"', ";"),
    "quotes within fields": ("", '"', ",;"),
    "two columns": ("", '"', ",;|"),
}


def make(seed: int, case: str) -> Annotated:
    """The file of a seed and a case."""
    rng = random.Random(f"{seed} {case}")
    delimiter, quote, noise = CASES[case]
    if not delimiter:
        choices = {"other": "^~:\x01!", "several characters": ("||", "::", "|~|", ";;", "##")}.get(case, ",;\t|")
        delimiter = rng.choice(tuple(choices))
    header = rng.random() < 0.7
    style = Style("decimals" in case, noise)
    kinds = _kinds(rng, case, delimiter)
    count = rng.randint(2, 4) if case == "few rows" else rng.choice((5, 12, 40, 150))
    rows = [[kind.make(rng, style) if rng.random() > 0.06 else "" for kind in kinds] for _ in range(count)]
    names = rng.sample(HEADERS, len(kinds))
    blanks = case == "blank behind delimiter"
    if case == "sparse and wide":
        rows = [[cell if rng.random() < 0.35 else "" for cell in row] for row in rows]
    if case == "quotes within fields":
        rows = [[f'{rng.randint(2, 30)}" {cell}' if rng.random() < 0.15 else cell for cell in row] for row in rows]
    trailing = case == "trailing delimiter"
    escape = "\\" if case == "backslash" else ""
    if case == "backslash":
        for row in rows:
            for i, kind in enumerate(kinds):
                if kind.sql == "text" and rng.random() < 0.4:
                    row[i] += f' "{rng.choice(WORDS)}"'
    if case == "no quote":
        rows = [[_quoteless(rng, cell, delimiter) for cell in row] for row in rows]
    if case == "blank":
        rows = [[cell or "-" for cell in row] for row in rows]
    everywhere = case == "quote all" or (case in ("single quotes", "backslash") and rng.random() < 0.6)
    gap = " " if blanks else ""

    def line(cells: Sequence[str], force: bool) -> str:
        written = [_written(cell, delimiter, quote, escape, force) for cell in cells]
        return (delimiter + gap).join(written) + (delimiter if trailing else "")

    bare_quotes = case == "quotes within fields"
    lines = [
        delimiter.join(_plain(cell, delimiter) for cell in row) if bare_quotes else line(row, everywhere)
        for row in rows
    ]
    if case == "uneven rows":
        lines = [_uneven(rng, text, delimiter) if i > 1 else text for i, text in enumerate(lines)]
    header_line = 0
    if header:
        bare = delimiter.join(names)
        lines.insert(0, bare if trailing and rng.random() < 0.5 else line(names, everywhere and rng.random() < 0.7))
        header_line = 1
    preamble: list[str] = []
    if case == "title lines":
        preamble = [f"Report {rng.choice(WORDS)} 2024", f"Created by {rng.choice(NAMES)}, {rng.choice(CITIES)}", ""][
            : rng.randint(1, 3)
        ]
        if rng.random() < 0.3:
            preamble = [text + delimiter * (len(names) - 1) for text in preamble]
        header_line += len(preamble) if header else 0
    if case == "comment lines":
        preamble = [f"# {rng.choice(WORDS)} of {rng.choice(CITIES)}, 2024" for _ in range(rng.randint(1, 3))]
        header_line += len(preamble) if header else 0
    if case == "sep line":
        preamble = [f"sep={delimiter}"]
        header_line += 1 if header else 0
    footer: list[str] = []
    if case == "total":
        footer = [rng.choice((f"Total: {count} records", f"({count} rows)", "-- end --"))]
    end = "\r" if case == "CR" else rng.choice(("\n", "\r\n"))
    text = end.join([*preamble, *lines, *footer]) + (end if rng.random() < 0.9 else "")
    used = quote if quote and not bare_quotes and any(quote in part for part in lines) else ""
    return Annotated(
        f"{case.replace(' ', '-').replace('|', 'bar').replace(';', 'semicolon')}_{seed}.csv",
        case,
        text.encode(),
        delimiter,
        used,
        escape if any("\\" in part for part in lines) else "",
        header_line,
        tuple(zip(names, (kind.sql for kind in kinds), strict=True)),
        tuple(tuple(row) for row in rows),
        len(preamble),
        len(footer),
        trailing,
        blanks,
    )


def _kinds(rng: random.Random, case: str, delimiter: str) -> list[Kind]:
    count = {"sparse and wide": 16, "two columns": 2}.get(case) or rng.randint(2, 8)
    kinds = rng.choices(KINDS, k=count)
    if added := {"prose with line breaks": PROSE, "thousands": MONEY, "moments": MOMENT}.get(case):
        kinds += [added] * rng.randint(1, 2)
    if case == "numbers only":
        kinds = [BY_NAME[rng.choice(("integer", "decimal"))] for _ in kinds]
    if "decimals" in case:
        kinds += [BY_NAME["decimal"]] * rng.randint(1, 2)
    if "texts" in case:
        kinds += [BY_NAME[rng.choice(("text", "list", "full"))]]
    if case in ("no quote", "backslash", "single quotes"):
        kinds += [BY_NAME["text"]]
    if case == "blank":
        kinds = [kind if kind.name not in ("text", "full") else BY_NAME["code"] for kind in kinds]
    if delimiter == ":":
        kinds = [kind if kind.name != "time" else BY_NAME["date"] for kind in kinds]
    if rng.random() < 0.15:
        kinds = [kind if kind.sql == "text" else BY_NAME["code"] for kind in kinds]
    rng.shuffle(kinds)
    return kinds


def _plain(cell: str, delimiter: str) -> str:
    """The cell without the delimiter, and without a quote where a reader would take the quote for the beginning."""
    return cell.replace(delimiter, " ").lstrip('"')


def _uneven(rng: random.Random, line: str, delimiter: str) -> str:
    """The line, some of them with a field too few or too many."""
    if rng.random() < 0.1:
        return line + delimiter + rng.choice(WORDS)
    return line.rpartition(delimiter)[0] if rng.random() < 0.1 and '"' not in line else line


def _quoteless(rng: random.Random, cell: str, delimiter: str) -> str:
    if rng.random() < 0.15 and cell:
        cell = rng.choice((f'"{cell}', f'{cell}"', f'6" {cell}', f'"{cell}" {cell}'))
    return cell.replace(delimiter, " ")


def _written(cell: str, delimiter: str, quote: str, escape: str, force: bool) -> str:
    if not quote:
        return cell
    # A cell that ends with a sign of a longer delimiter would move the delimiter.
    if force or delimiter in cell or cell.endswith(delimiter[0]) or {quote, escape, "\n"} & set(cell):
        inner = (
            cell.replace(escape, escape * 2).replace(quote, escape + quote)
            if escape
            else cell.replace(quote, quote * 2)
        )
        return f"{quote}{inner}{quote}"
    return cell


def files(seed: int = 1, each: int = 20) -> list[Annotated]:
    """The annotated set: ``each`` files of every case."""
    return [make(seed * 1000 + number, case) for case in CASES for number in range(each)]
