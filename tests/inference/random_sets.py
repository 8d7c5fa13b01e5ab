"""Random sets of files: tables with keys, values of every kind, dialects of every kind, and traps."""

from __future__ import annotations

import csv
import datetime
import io
import random
import uuid
from collections.abc import Callable
from pathlib import Path

Values = Callable[[random.Random, int], str]
"""A value for the row of a number."""

WORDS = ["red", "green", "blue", "alpha", "beta", "gamma", "café", "naïve", "Straße", "O'Brien", "x,y", "a;b", "a\tb"]


def _day(rng: random.Random) -> datetime.date:
    return datetime.date(1990, 1, 1) + datetime.timedelta(days=rng.randrange(20000))


def _moment(rng: random.Random) -> datetime.datetime:
    return datetime.datetime(1990, 1, 1) + datetime.timedelta(seconds=rng.randrange(10**9))


def _hour(moment: datetime.datetime, order: str) -> str:
    day, month = moment.day, moment.month
    first, second = (day, month) if order == "DMY" else (month, day)
    return f"{first}/{second}/{moment.year} {moment.hour}:{moment.minute:02}"


def _group(number: int, sign: str) -> str:
    return f"{number:,}".replace(",", sign)


KINDS: dict[str, Values] = {
    "integer": lambda r, _: str(r.randrange(-5, 1000)),
    "huge": lambda r, _: str(r.randrange(10**13)),
    "digits": lambda r, _: str(r.randrange(10**16, 10**21)),
    "padded": lambda r, _: f"{r.randrange(10**5):05}",
    "money": lambda r, _: f"{r.randrange(10**6) / 100:.2f}",
    "decimals": lambda r, _: str(round(r.uniform(-90, 90), r.randrange(1, 12))),
    "long decimals": lambda r, _: f"{r.randrange(10**16)}.{r.randrange(10**9)}",
    "float": lambda r, _: f"{r.uniform(-1, 1) * 10 ** r.randrange(-8, 8):g}",
    "pandas": lambda r, _: r.choice(["", f"{r.randrange(500)}.0"]),
    "german": lambda r, _: f"{_group(r.randrange(10**6), '.')},{r.randrange(100):02}",
    "french": lambda r, _: f"{_group(r.randrange(10**6), ' ')},{r.randrange(100):02}",
    "thousands": lambda r, _: f"{_group(r.randrange(10**7), ',')}.{r.randrange(100):02}",
    "swiss": lambda r, _: f"{_group(r.randrange(10**7), chr(39))}.{r.randrange(100):02}",
    "unclear number": lambda r, _: f"{r.randrange(1, 999)}{r.choice(',')}{r.randrange(1000):03}",
    "three decimals": lambda r, _: f"{r.randrange(1, 999)}.{r.randrange(1000):03}",
    "zeros in front": lambda r, _: r.choice(["0.50", "00.50", "07", "7"]),
    "signs": lambda r, _: r.choice(["+5", "-5", "- 5", "5-", "(5)"]),
    "date": lambda r, _: _day(r).isoformat(),
    "no date": lambda r, _: r.choice(["2023-02-28", "2023-02-30"]),
    "dmy": lambda r, _: _day(r).strftime(r.choice(["%d/%m/%Y"])),
    "mdy": lambda r, _: _day(r).strftime("%m/%d/%Y"),
    "dots": lambda r, _: _day(r).strftime("%d.%m.%Y"),
    "short": lambda r, _: _day(r).strftime("%d.%m.%y"),
    "unclear date": lambda r, _: f"{r.randrange(1, 13)}/{r.randrange(1, 13)}/20{r.randrange(10, 25)}",
    "mixed dates": lambda r, _: r.choice(["31/12/2020", "12/31/2020"]),
    "compact date": lambda r, _: _day(r).strftime("%Y%m%d"),
    "timestamp": lambda r, _: _moment(r).isoformat(" "),
    "timestamp T": lambda r, _: _moment(r).isoformat("T") + r.choice(["", ".25", ".123456"]),
    "seven digits": lambda r, _: _moment(r).isoformat(" ") + ".1234567",
    "zoned": lambda r, _: _moment(r).isoformat() + r.choice(["Z", "+02:00", "-0330", "+05"]),
    "excel dmy": lambda r, _: _hour(_moment(r), "DMY"),
    "excel mdy": lambda r, _: _hour(_moment(r), "MDY"),
    "noon": lambda r, _: _moment(r).strftime("%m/%d/%Y %I:%M %p"),
    "time": lambda r, _: _moment(r).strftime(r.choice(["%H:%M", "%H:%M:%S"])),
    "hour 24": lambda r, _: r.choice(["23:59", "24:00", "25:00"]),
    "bool": lambda r, _: r.choice(["true", "false"]),
    "BOOL": lambda r, _: r.choice(["TRUE", "False"]),
    "tf": lambda r, _: r.choice("tf"),
    "yn": lambda r, _: r.choice("YN"),
    "only n": lambda _r, _: "n",
    "bits": lambda r, _: r.choice("01"),
    "uuid": lambda r, _: str(uuid.UUID(int=r.getrandbits(128))),
    "UUID": lambda r, _: str(uuid.UUID(int=r.getrandbits(128))).upper(),
    "json": lambda r, _: r.choice(['{"a": 1}', "[]", '{"b": [1, 2.5, null, "x"]}', '{"a": {"a": "ü"}}']),
    "bad json": lambda r, _: r.choice(['{"a": 1}', "{'a': 1}", '{"a": NaN}', '{"a": "\\u0000"}', "{a}", "[1,]"]),
    "inet": lambda r, _: ".".join(str(r.randrange(256)) for _ in range(4)) + r.choice(["", "", "/24"]),
    "bad inet": lambda r, _: r.choice(["10.0.0.1", "10.0.0.256", "10.0.0.01", "10.0.0"]),
    "integers": lambda r, _: r.choice(["{}", "{1}", "{1,2,3}", "{-4}"]),
    "texts": lambda r, _: r.choice(["{}", "{a}", "{red,dark blue}", "{NULL,a}", "{x}"]),
    "word": lambda r, _: r.choice(WORDS),
    "status": lambda r, _: r.choice(["new", "paid", "it's"]),
    "text": lambda r, _: " ".join(r.choices(WORDS, k=r.randrange(1, 8))),
    "long": lambda r, _: "x" * r.randrange(3000),
    "lines": lambda r, _: r.choice(["one\ntwo", 'a "quoted" word', "\\", "\\N", "NULL", " blank ", "-"]),
    "infinity": lambda r, _: r.choice(["1.5", "NaN", "Infinity", "1e5"]),
    "far": lambda r, _: r.choice(["1e99", "1e-99", "1e400", "2.5"]),
    "nothing": lambda _r, _: "",
    "hex": lambda r, _: f"{r.getrandbits(128):032x}",
    "mail": lambda _r, n: f"person{n}@example.org",
}

STYLES = ("{}_id", "{}Id", "{}ID", "{}nr", "fk_{}", "id_{}", "{}_key", "{} no")

TABLES = [
    "customers",
    "orders",
    "items",
    "products",
    "KundenStamm",
    "bestellung",
    "Artikel",
    "tbl_users",
    "invoices",
    "employees",
    "LogEntries",
    "categories",
]


def write_set(folder: Path, seed: int) -> None:
    """Writes two to five files of a set: with keys, references between them, and columns of any kinds."""
    rng = random.Random(seed)
    names = rng.sample(TABLES, rng.randrange(2, 6))
    keys: dict[str, list[str]] = {}
    for name in names:
        rows = rng.choice([0, 1, 2, 30, 200, 2500]) if rng.random() < 0.9 else 6000
        columns: list[tuple[str, list[str]]] = []
        if rng.random() < 0.8:
            make = rng.choice(
                [lambda n: str(n + 1), lambda n: str(100000 + 7 * n), lambda n: f"{rng.getrandbits(128):032x}"]
            )
            keys[name] = [make(n) for n in range(rows)]
            values = list(keys[name])
            if rng.random() < 0.2 and rows > 5:
                values[3] = values[1]
            columns.append((rng.choice(["id", "key", rng.choice(STYLES).format(name)]), values))
        for parent in rng.sample(sorted(keys), min(len(keys), rng.randrange(3))):
            able = keys[parent] + (["999999"] if rng.random() < 0.3 else [])
            values = [rng.choice(able) if able and rng.random() < 0.95 else "" for _ in range(rows)]
            columns.append((rng.choice(STYLES).format(parent), values))
        for kind in rng.sample(sorted(KINDS), rng.randrange(1, 9)):
            nulls = rng.choice([0, 0, 0.3])
            field = rng.choice([kind, f"{kind} value", "order date", "Phone", "zip", "Status", f"a {kind}", "code"])
            values = [KINDS[kind](rng, n) if rng.random() >= nulls else "" for n in range(rows)]
            if rng.random() < 0.1 and rows:
                values[rng.randrange(rows)] = rng.choice(["x", "0", "1", "-", "2020-01-01"])
            columns.append((field, values))
        _write(folder, name, columns, rng)


def _write(folder: Path, name: str, columns: list[tuple[str, list[str]]], rng: random.Random) -> None:
    fields, seen = [], set()
    for field, _ in columns:
        unused, number = field, 1
        while unused.lower() in seen:
            number += 1
            unused = f"{field} {number}"
        seen.add(unused.lower())
        fields.append(unused)
    rows = [fields, *map(list, zip(*(values for _, values in columns), strict=True))]
    delimiter = rng.choice(",,,;\t|")
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    parts = rng.choice([1, 1, 1, 2])
    size = -(-len(rows) // parts)
    for part in range(parts):
        mine = rows[1 + part * size : 1 + (part + 1) * size] if parts > 1 else rows[1:]
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=rng.choice(["\n", "\r\n"]))
        writer.writerows([fields, *mine])
        suffix = f"_{part + 1}" if parts > 1 else ""
        encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
        (folder / f"{name}{suffix}.csv").write_bytes(text.getvalue().encode(encoding))
