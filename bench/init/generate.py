"""Writes the files of a set from its specification, and says its keys."""

from __future__ import annotations

import csv
import datetime
import random
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Keys = dict[str, tuple[str, ...]]
"""The primary key of each table that has one."""
References = set[tuple[str, tuple[str, ...], str, tuple[str, ...]]]
"""Child table, its columns, parent table, its columns."""


@dataclass
class Column:
    name: str
    key: bool
    references: tuple[str, str] | None
    orphans: bool
    single: bool
    nullable: bool
    kind: str


@dataclass
class Table:
    name: str
    rows: int
    columns: list[Column]
    values: dict[str, list[str]] = field(default_factory=dict)


_COLUMN = re.compile(
    r"(?P<name>\w+)(?P<key>\*)?(?:>(?P<table>\w+)\.(?P<to>\w+))?(?P<marks>[~=?]*)(?::(?P<kind>\w+))?(?P<null>\?)?$"
)
_NAMES = [
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Emma",
    "Felix",
    "Grace",
    "Hugo",
    "Iris",
    "Jonas",
    "Karla",
    "Leo",
    "Mia",
    "Noah",
    "Olga",
    "Paul",
    "Rita",
    "Sam",
    "Tina",
    "Uwe",
]
_PLACES = [
    "Berlin",
    "Paris",
    "Madrid",
    "Rome",
    "Vienna",
    "Oslo",
    "Dublin",
    "Lisbon",
    "Prague",
    "Athens",
    "Warsaw",
    "Zürich",
    "Köln",
    "Málaga",
]
_THINGS = [
    "red",
    "lamp",
    "table",
    "chair",
    "green",
    "book",
    "window",
    "garden",
    "river",
    "stone",
    "bright",
    "silent",
    "paper",
    "iron",
    "glass",
    "wooden",
]


def read_spec(text: str) -> list[Table]:
    """The tables of a specification."""
    tables = []
    for line in text.strip().splitlines():
        head, _, rest = line.partition(":")
        name, rows = head.split()
        columns = []
        for word in rest.split():
            found = _COLUMN.match(word)
            assert found is not None, word
            marks = found["marks"] or ""
            references = (found["table"], found["to"]) if found["table"] else None
            columns.append(
                Column(
                    found["name"],
                    bool(found["key"]),
                    references,
                    "~" in marks,
                    "=" in marks,
                    "?" in marks or bool(found["null"]),
                    found["kind"] or "",
                )
            )
        tables.append(Table(name, int(rows), columns))
    return tables


def truth(tables: list[Table]) -> tuple[Keys, References]:
    """The keys of a set. References to one key of several columns are not among them."""
    keys = {t.name: key for t in tables if (key := tuple(c.name for c in t.columns if c.key))}
    references = {
        (t.name, (c.name,), c.references[0], (c.references[1],)) for t in tables for c in t.columns if c.references
    }
    return keys, references


def write_files(tables: list[Table], folder: Path, seed: int) -> None:
    """Writes one file for each table."""
    rng = random.Random(seed)
    by_name = {t.name: t for t in tables}
    folder.mkdir(parents=True)
    for table in tables:
        for column in table.columns:
            if column.references is None and column.kind != "within":
                table.values[column.name] = _plain(column, table.rows, rng)
    waiting = list(tables)
    while waiting:
        for table in list(waiting):
            if all(
                by_name[c.references[0]].values.get(c.references[1])
                for c in table.columns
                if c.references and table.rows
            ):
                _fill(table, by_name, rng)
                waiting.remove(table)
        assert len(waiting) < len(tables) or not waiting
    for table in tables:
        with (folder / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow([c.name for c in table.columns])
            writer.writerows(zip(*(table.values[c.name] for c in table.columns), strict=True))


def _fill(table: Table, by_name: dict[str, Table], rng: random.Random) -> None:
    """The references of a table, and its numbers within them, such that the primary key holds."""
    for column in table.columns:
        if column.references is not None:
            parents = by_name[column.references[0]].values[column.references[1]]
            if column.single:
                table.rows = min(table.rows, len(parents))
                values = rng.sample(parents, table.rows)
            else:
                # Not all parents have children, and some have many.
                some = rng.sample(parents, max(1, len(parents) * 9 // 10))
                values = [rng.choice(some) for _ in range(table.rows)]
            if column.orphans:
                for _ in range(max(1, len(set(values)) // 80)):
                    values[rng.randrange(len(values))] = str(9_000_000 + rng.randrange(1000))
            if column.nullable:
                values = ["" if rng.random() < 0.33 else value for value in values]
            table.values[column.name] = values
    for column in table.columns:
        if column.kind == "within":
            first = next(c for c in table.columns if c.key)
            table.values[first.name].sort()
            counts: dict[str, int] = {}
            numbers = []
            for value in table.values[first.name]:
                counts[value] = counts.get(value, 0) + 1
                numbers.append(str(counts[value]))
            table.values[column.name] = numbers
    key = [table.values[c.name] for c in table.columns if c.key]
    seen: set[tuple[str, ...]] = set()
    kept = []
    for place in range(table.rows):
        value = tuple(part[place] for part in key)
        if not key or value not in seen or any(c.kind == "doubled" for c in table.columns):
            seen.add(value)
            kept.append(place)
    table.values = {
        c.name: [values[i] for i in kept] for c in table.columns for values in [table.values[c.name][: table.rows]]
    }
    table.rows = len(kept)


def _plain(column: Column, rows: int, rng: random.Random) -> list[str]:
    kind = column.kind
    if kind.startswith("from"):
        return [str(int(kind[4:]) + i) for i in range(rows)]
    make = _KINDS[kind]
    values = [make(rng, i) for i in range(rows)]
    if column.nullable:
        values = ["" if rng.random() < 0.33 else value for value in values]
    return values


def _date(rng: random.Random) -> datetime.date:
    return datetime.date(2015, 1, 1) + datetime.timedelta(days=rng.randrange(3000))


def _letters(rng: random.Random, number: int, size: int) -> str:
    text = ""
    for _ in range(size):
        text = chr(65 + number % 26) + text
        number //= 26
    return text


_KINDS: dict[str, Callable[[random.Random, int], str]] = {
    "serial": lambda _, i: str(i + 1),
    "doubled": lambda _, i: str(i + 1 if i % 200 != 199 else i),
    "years": lambda _, i: str(1950 + i),
    "small50": lambda r, _: str(r.randrange(1, 51)),
    "player": lambda r, i: f"{r.choice(_NAMES).lower()}{i:04}01",
    "imdb": lambda _, i: f"{(i * 7919 + 114709) % 10**7:07}",
    "code12b": lambda _, i: f"P-{i * 37 % 9973:05}",
    "letters3": lambda r, i: _letters(r, i * 37 + 1000, 3),
    "tens": lambda _, i: str(10 * (i + 1)),
    "thousands": lambda _, i: str(1000 + 100 * i),
    "code": lambda _, i: f"{chr(65 + i % 7)}{i:04}",
    "code12": lambda _, i: f"shp{i % 12:02}",
    "letters": lambda r, i: _letters(r, i * 7 + 29, 2),
    "letters6": lambda r, i: _letters(r, i * 7919 + 10**6, 2) + f"{i * 37 % 9000 + 1000}",
    "letters8": lambda r, i: _letters(r, i * 17 + 5, 2) + "_" + _letters(r, i * 31 + 77, 3),
    "letters9": lambda r, i: _letters(r, i * 7919 + 9**6, 3) + f"{i * 7919 % 90000 + 10000}" + "MF"[i % 2],
    "social": lambda _, i: f"{(i * 41) % 900 + 100}-{i % 90 + 10}-{(i * 97) % 9000 + 1000}",
    "uuid": lambda r, _: str(uuid.UUID(int=r.getrandbits(128), version=4)),
    "dates": lambda _, i: (datetime.date(2024, 1, 1) + datetime.timedelta(days=i)).strftime("%Y%m%d"),
    "day": lambda _, i: (datetime.date(2024, 1, 1) + datetime.timedelta(days=i)).isoformat(),
    "person": lambda r, _: f"{r.choice(_NAMES)}sen {r.choice(_NAMES)}",
    "first": lambda r, _: r.choice(_NAMES),
    "login": lambda r, i: f"{r.choice(_NAMES).lower()}{i}@example.org",
    "name": lambda r, i: f"{r.choice(_THINGS)} {r.choice(_THINGS)} {i if r.random() < 0.9 else 0}",
    "street": lambda r, _: f"{r.choice(_THINGS)} street {r.randrange(1, 300)}",
    "city": lambda r, _: r.choice(_PLACES),
    "zip": lambda r, _: f"{r.randrange(1000, 99999):05}",
    "phone": lambda r, _: f"0{r.randrange(10**9)}",
    "isbn": lambda r, _: f"978{r.randrange(10**10):010}",
    "status": lambda r, _: r.choice(["new", "open", "done", "late"]),
    "sex": lambda r, _: r.choice("MF"),
    "flag": lambda r, _: r.choice("01"),
    "small": lambda r, _: str(r.randrange(1, 6)),
    "year": lambda r, _: str(r.randrange(1960, 2024)),
    "salary": lambda r, _: str(r.randrange(3000, 90000)),
    "share": lambda r, _: f"0.{r.randrange(1, 9)}",
    "money": lambda r, _: f"{r.randrange(100, 90000) / 100:.2f}",
    "latitude": lambda r, _: f"{r.uniform(40, 50):.6f}",
    "date": lambda r, _: _date(r).isoformat(),
    "compact": lambda r, _: _date(r).strftime("%Y%m%d"),
    "moment": lambda r, _: f"{_date(r)} {r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}",
    "clock": lambda r, _: f"{r.randrange(24):02}:{r.randrange(60):02}:00",
}
