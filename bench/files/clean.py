"""Clean relational sets: small tables with types, keys, NULLs and texts that are hard to write as CSV."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

Value = int | Decimal | date | str | None


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    """int, decimal, date or text"""
    sql: str
    """The type and its constraints in the typed table."""


@dataclass(frozen=True)
class Table:
    """A clean table. The first column is its key."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    parents: tuple[str, ...] = ()

    def ddl(self, *, typed: bool) -> str:
        """CREATE TABLE with the types of the columns, or with text columns and no constraint."""
        parts = (f"{c.name} {c.sql if typed else 'text'}" for c in self.columns)
        return f"CREATE TABLE {self.name} ({', '.join(parts)})"


@dataclass(frozen=True)
class CleanSet:
    name: str
    tables: tuple[Table, ...]
    """Parents before children."""

    def table(self, name: str) -> Table:
        return next(t for t in self.tables if t.name == name)


NAMES = (
    "Ana Müller",
    "Zoë O'Brien",
    "Smith, John",
    "Jean-François Lefèvre",
    "Maria da Conceição",
    "Lee",
    "Gary Olsen",
    "Inês Araújo",
    "Peter Stone",
    "Åsa Lindqvist",
    "Nguyen",
    "van den Berg, Kees",
    "Rosa Díaz",
    "Tom Baker",
)
TOWNS = ("Paris", "Köln", "São Paulo", "New York", "Ghent", "Malmö", "Oslo", "Bern", "Porto", "Łódź", "Turin", "York")
REMARKS = (
    "paid in cash",
    "call back, then send",
    'the "large" one',
    "first line\nsecond line",
    "fragile; handle with care",
    "see page 12",
    "café au lait",
    "delivered",
    "a | b",
    "it's late",
    "100 % cotton",
    "two  blanks",
    "order #5, again",
)
TITLES = (
    "The Long Way",
    'Who said "no"?',
    "Salt, Fat and Snow",
    "Nightfall",
    "Les Misérables",
    "War & Peace",
    "A; B; C",
    "Über den Wolken",
    "Catalogue 1999",
    "One\nTwo",
    "The Sea, the Sea",
    "Mirrors",
)


def _day(rng: random.Random, first: int = 2015) -> date:
    return date(first, 1, 1) + timedelta(days=rng.randrange(3200))


def _maybe(rng: random.Random, value: Value, share: float = 0.15) -> Value:
    return None if rng.random() < share else value


def _money(rng: random.Random, most: int = 9000) -> Decimal:
    return Decimal(rng.randrange(100, most * 100)) / 100


def _shop(rng: random.Random, rows: int) -> CleanSet:
    people = max(6, rows // 2)
    customers = Table(
        "customers",
        (
            Column("customer_id", "int", "integer PRIMARY KEY"),
            Column("full_name", "text", "text NOT NULL"),
            Column("town", "text", "text"),
            Column("joined_on", "date", "date NOT NULL"),
            Column("credit", "decimal", "numeric(10,2)"),
        ),
        tuple(
            (
                10_001 + 7 * i,
                rng.choice(NAMES),
                _maybe(rng, rng.choice(TOWNS)),
                _day(rng),
                _maybe(rng, _money(rng)),
            )
            for i in range(people)
        ),
    )
    orders = Table(
        "orders",
        (
            Column("order_id", "int", "integer PRIMARY KEY"),
            Column("customer_id", "int", "integer NOT NULL REFERENCES customers"),
            Column("ordered_on", "date", "date NOT NULL"),
            Column("amount", "decimal", "numeric(10,2) NOT NULL"),
            Column("pieces", "int", "integer"),
            Column("remark", "text", "text"),
        ),
        tuple(
            (
                500_001 + 3 * i,
                10_001 + 7 * rng.randrange(people),
                _day(rng),
                _money(rng),
                _maybe(rng, rng.randrange(1, 400)),
                _maybe(rng, rng.choice(REMARKS)),
            )
            for i in range(rows)
        ),
    )
    return CleanSet("shop", (customers, orders))


def _weather(rng: random.Random, rows: int) -> CleanSet:
    stations = Table(
        "stations",
        (
            Column("station_code", "text", "text PRIMARY KEY"),
            Column("label", "text", "text NOT NULL"),
            Column("height_m", "int", "integer"),
            Column("opened_on", "date", "date"),
        ),
        tuple(
            (
                f"{rng.choice('ABCDE')}{100 + i:03d}",
                f"{rng.choice(TOWNS)}, {rng.choice(('north', 'airport', 'harbour'))}",
                _maybe(rng, rng.randrange(0, 2400)),
                _maybe(rng, _day(rng, 1970)),
            )
            for i in range(max(6, rows // 4))
        ),
    )
    readings = Table(
        "readings",
        (
            Column("reading_id", "int", "bigint PRIMARY KEY"),
            Column("station_code", "text", "text NOT NULL REFERENCES stations"),
            Column("taken_on", "date", "date NOT NULL"),
            Column("temperature", "decimal", "numeric(6,2)"),
            Column("rain_mm", "decimal", "double precision"),
            Column("observer", "text", "text"),
        ),
        tuple(
            (
                7_000_003 + 11 * i,
                rng.choice(stations.rows)[0],
                _day(rng),
                _maybe(rng, Decimal(rng.randrange(-2500, 4200)) / 100),
                _maybe(rng, Decimal(rng.randrange(0, 900)) / 10),
                _maybe(rng, rng.choice(NAMES), 0.3),
            )
            for i in range(rows)
        ),
    )
    return CleanSet("weather", (stations, readings))


def _library(rng: random.Random, rows: int) -> CleanSet:
    books = Table(
        "books",
        (
            Column("isbn", "text", "text PRIMARY KEY"),
            Column("title", "text", "text NOT NULL"),
            Column("author", "text", "text"),
            Column("printed", "int", "integer"),
            Column("price", "decimal", "numeric(8,2)"),
            Column("bought_on", "date", "date"),
        ),
        tuple(
            (
                f"0{rng.randrange(10**5, 10**6)}{i:04d}",
                rng.choice(TITLES),
                _maybe(rng, rng.choice(NAMES)),
                _maybe(rng, rng.randrange(1850, 2024)),
                _maybe(rng, _money(rng, 90)),
                _maybe(rng, _day(rng)),
            )
            for i in range(rows)
        ),
    )
    return CleanSet("library", (books,))


SETS = {"shop": _shop, "weather": _weather, "library": _library}


def clean_set(name: str, seed: int, rows: int) -> CleanSet:
    """A clean set.

    :param name: one of ``SETS``.
    :param rows: the rows of its largest table.
    """
    return SETS[name](random.Random(f"{name}:{seed}:{rows}"), rows)


def plain(value: Value, without: Sequence[str]) -> Value:
    """The value with none of these characters, for files that cannot quote."""
    if not isinstance(value, str):
        return value
    for mark in without:
        value = value.replace(mark, "-" if mark != "\n" else " ")
    return value
