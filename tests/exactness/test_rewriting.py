"""Rewritten texts against PostgreSQL: what a format makes of a text means what the text means in that format.

DuckDB rewrites seeded random texts, and PostgreSQL reads both: dates under the DateStyle of the order, numbers as the
value that the text was written from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

import duckdb
import psycopg
import pyarrow as pa
import pytest

from pgsluice.languages import languages
from pgsluice.model import Column, ColumnFormat
from pgsluice.source.typed.rewriting import rewritten

SEED = 20261127
DAY, MOMENT, NUMERIC, INTEGER, TRUTH, TEXT = (
    Column("c", 1, base, base, "pg_catalog", -1, "b", False, False, "", "")
    for base in ("date", "timestamp", "numeric", "int4", "bool", "text")
)

PLAIN = re.compile(r" ?\d{1,2}([-/. ])\d{1,2}\1(\d{1,2}|\d{4})([ T]\d+:\d+(:\d+)?(\.\d+)?( PM)?)? ?", re.ASCII)
"""The dates that are written with one sign between their numbers."""


def rewrite(texts: Sequence[str], column: Column, format_: ColumnFormat) -> list[str | None]:
    """What DuckDB makes of the texts."""
    given = pa.table({"c0": pa.array(texts, pa.string())})
    duck = duckdb.connect()
    duck.register("given", given)
    found = duck.sql(f"SELECT {rewritten('c0', column, format_, ('',))} AS c0 FROM given").to_arrow_table()
    return [value.as_py() for value in found["c0"]]


def read(conn: psycopg.Connection, texts: Sequence[str | None], kind: str, style: str = "ISO, MDY") -> list[str | None]:
    """What PostgreSQL reads; None where it refuses the text."""
    conn.execute("SELECT set_config('datestyle', %s, false)", (style,))
    found = conn.execute(
        f"SELECT CASE WHEN pg_input_is_valid(t, '{kind}') THEN t::{kind}::text END"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS u (t, n) ORDER BY n",
        (texts,),
    ).fetchall()
    return [row[0] for row in found]


def random_date(r: Random) -> str:
    """A text that is mostly a numeric date, or nearly so."""
    number = [str(r.choice([r.randint(0, 12), r.randint(0, 35)])) for _ in range(2)]
    year = r.choice([str(r.randint(0, 99)), str(r.randint(1, 9999)).zfill(4), str(r.randint(1900, 2100))])
    parts = [n.zfill(r.choice([1, 2, 2, 2, 3])) for n in number] + [year.zfill(r.choice([1, 2, 2]))]
    if r.random() < 0.1:
        r.shuffle(parts)
    seps = ["/", ".", "-", " "]
    first = r.choice(seps)
    second = first if r.random() < 0.9 else r.choice([*seps, ",", "--", "_", ", ", ""])
    text = parts[0] + first + parts[1] + second + parts[2]
    if r.random() < 0.4:
        times = [" 10:30", " 1:02:03 PM", "T23:59:59.5", ", 9:00", " 24:00", " BC", "Z", " +02", "x", ".", " 10"]
        text += r.choice(times)
    return r.choice(["", "", "", " ", "(", "/", "\u00a0"]) + text + r.choice(["", "", "", " ", ")"])


@pytest.mark.parametrize("order", ["DMY", "MDY", "YMD"])
@pytest.mark.parametrize("kind", ["date", "timestamp"])
@pytest.mark.parametrize("count", [1500, pytest.param(200_000, marks=pytest.mark.slow)])
def test_a_date_is_read_in_its_order_or_refused(conn: psycopg.Connection, order: str, kind: str, count: int) -> None:
    r = Random(f"{SEED}{order}{kind}")
    texts = [random_date(r) for _ in range(count)]
    column = DAY if kind == "date" else MOMENT
    given = rewrite(texts, column, ColumnFormat("c", date=order))
    expected = read(conn, texts, kind, f"ISO, {order}")
    found = read(conn, given, kind)
    wrong = [(t, g, f, e) for t, g, f, e in zip(texts, given, found, expected, strict=True) if f not in (None, e)]
    assert not wrong
    other = [(order == "YMD" and len(m[2]) == 4) if (m := PLAIN.fullmatch(t)) else True for t in texts]
    refused = [t for t, f, e, no in zip(texts, found, expected, other, strict=True) if not no and f != e]
    assert not refused


@pytest.mark.parametrize("count", [3000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_every_text_with_several_readings_is_known(conn: psycopg.Connection, count: int) -> None:
    """A text that PostgreSQL reads as different dates under different orders is rewritten or refused."""
    r = Random(SEED)
    texts = [random_date(r) for _ in range(count)]
    readings = zip(*(read(conn, texts, "timestamp", f"ISO, {o}") for o in ("DMY", "MDY", "YMD")), strict=True)
    depends = [t for t, found in zip(texts, readings, strict=True) if len(set(found) - {None}) > 1]
    assert len(depends) > 500
    same = [t for t, g in zip(depends, rewrite(depends, MOMENT, ColumnFormat("c", date="DMY")), strict=True) if t == g]
    assert not same


@pytest.mark.parametrize("text", ["2020-01-02", "infinity", "02-Jan-2020", "Jan 2 2020", "20200102", "2020/1/2 10:30"])
def test_a_date_with_one_reading_stays(text: str) -> None:
    assert rewrite([text], MOMENT, ColumnFormat("c", date="DMY")) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1900-01-01 00:00:00"),
        ("59", "1900-02-28 00:00:00"),
        ("60", None),
        ("61", "1900-03-01 00:00:00"),
        ("43831", "2020-01-01 00:00:00"),
        ("43831.604166666664", "2020-01-01 14:30:00"),
        ("2958465", "9999-12-31 00:00:00"),
        ("2958466", None),
        ("2020-01-02", "2020-01-02 00:00:00"),
        ("03/04/2020", None),
        ("200101", "2447-11-08 00:00:00"),
    ],
)
def test_day_numbers(conn: psycopg.Connection, text: str, expected: str | None) -> None:
    assert read(conn, rewrite([text], MOMENT, ColumnFormat("c", date="excel")), "timestamp") == [expected]


def test_a_pattern_takes_its_own_dates_only(conn: psycopg.Connection) -> None:
    texts = ["20.03.2020 14h30", "20.03.2020", "03/04/2020", "2020-03-20", "31.02.2020 14h30"]
    given = rewrite(texts, MOMENT, ColumnFormat("c", date="%d.%m.%Y %Hh%M"))
    assert read(conn, given, "timestamp") == ["2020-03-20 14:30:00", None, None, None, None]


SIGNS = [(",", "."), (",", " "), (",", ""), (".", ","), (".", "'"), (",", "'"), ("·", ",")]


def grouped(number: Decimal, decimal: str, thousands: str, r: Random) -> str:
    """The number as people of a country write it."""
    text = f"{number:,}"
    between = r.choice([" ", "\u00a0", "\u202f"]) if thousands == " " else thousands
    between = r.choice(["'", "\u2019"]) if thousands == "'" else between
    return "".join({",": between, ".": decimal}.get(c, c) for c in text)


@pytest.mark.parametrize(("decimal", "thousands"), SIGNS)
def test_a_number_is_the_number_that_was_written(conn: psycopg.Connection, decimal: str, thousands: str) -> None:
    r = Random(f"{SEED}{decimal}{thousands}")
    numbers = [Decimal(r.randint(-(10 ** r.randint(0, 12)), 10 ** r.randint(0, 12))) for _ in range(1000)]
    numbers = [n.scaleb(-r.randint(0, 4)) for n in numbers]
    texts = [grouped(n, decimal, thousands, r) for n in numbers]
    marks = ("€", "EUR", "%", "US$")
    marked = [r.choice(["{}", "{} €", "EUR {}", "{}%", "US$\u00a0{}", " {} "]).format(t) for t in texts]
    given = rewrite(marked, NUMERIC, ColumnFormat("c", decimal=decimal, thousands=thousands, strip=marks))
    assert read(conn, given, "numeric") == [f"{n:f}" for n in numbers]


def test_a_number_in_another_format_is_refused(conn: psycopg.Connection) -> None:
    """A sign that is not declared, and groups of another size than three (or two in India), are never guessed."""
    german = ColumnFormat("c", decimal=",", thousands=".")
    texts = ["1.5", "1.23", "1.2345", "12.34.567", "1,234.5", "1,2,3", "1.234,5", "1..234", ".5", "1234.567"]
    expected = [None, None, None, "1234567", None, None, "1234.5", None, None, None]
    assert read(conn, rewrite(texts, NUMERIC, german), "numeric") == expected
    commas = ["1.5", "1,5", "1.234,5", "1'234"]
    assert read(conn, rewrite(commas, NUMERIC, ColumnFormat("c", decimal=",")), "numeric") == [None, "1.5", None, None]
    points = ["1,5", "1,234", "1,234.5", "1.5", "12,34,567"]
    assert read(conn, rewrite(points, NUMERIC, ColumnFormat("c", thousands=",")), "numeric") == [
        None,
        "1234",
        "1234.5",
        "1.5",
        "1234567",
    ]


@pytest.mark.parametrize("count", [3000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_random_texts_are_never_read_in_another_way(conn: psycopg.Connection, count: int) -> None:
    """What PostgreSQL takes of a column with decimal commas is what remains without the declared signs."""
    r = Random(SEED)
    texts = ["".join(r.choice("0123456789.,,- +e'") for _ in range(r.randint(1, 7))) for _ in range(count)]
    found = read(conn, rewrite(texts, NUMERIC, ColumnFormat("c", decimal=",", thousands=".")), "numeric")
    plain = read(conn, [t.replace(".", "").replace(",", ".") for t in texts], "numeric")
    assert not [(t, f, p) for t, f, p in zip(texts, found, plain, strict=True) if f not in (None, p)]


FORMS = ("(#)", "#-", "\u2212#", "# CR")


def test_a_number_below_zero_is_the_number_that_was_written(conn: psycopg.Connection) -> None:
    r = Random(f"{SEED}below")
    numbers = [Decimal(r.randint(0, 10 ** r.randint(1, 12))).scaleb(-r.randint(0, 4)) for _ in range(1500)]
    wraps = [
        "({})",
        "( {} )",
        "{}-",
        "{} -",
        "\u2212{}",
        "\u2212 {}",
        "{} CR",
        "{}CR",
        "({}) €",
        "(€ {})",
        "€({})",
        "{}-\u00a0€",
    ]
    texts = [r.choice(wraps).format(grouped(n, ",", ".", r)) for n in numbers]
    format_ = ColumnFormat("c", decimal=",", thousands=".", strip=("€",), negative=FORMS)
    found = read(conn, rewrite(texts, NUMERIC, format_), "numeric")
    assert [None if f is None else Decimal(f) for f in found] == [-n for n in numbers]
    # A number that is not below zero stays.
    assert read(conn, rewrite([f"{n:f}" for n in numbers], NUMERIC, ColumnFormat("c", negative=FORMS)), "numeric") == [
        f"{n:f}" for n in numbers
    ]


@pytest.mark.parametrize("kind", ["numeric", "float8", "int4", "money"])
@pytest.mark.parametrize("count", [2000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_a_form_below_zero_changes_no_other_text(conn: psycopg.Connection, kind: str, count: int) -> None:
    r = Random(f"{SEED}{kind}")
    texts = ["".join(r.choice("0123456789.,-+()e CR") for _ in range(r.randint(1, 7))) for _ in range(count)]
    column = replace(NUMERIC, base=kind)
    found = read(conn, rewrite(texts, column, ColumnFormat("c", negative=FORMS)), kind)
    as_they_are = read(conn, texts, kind)
    for text, value, plain in zip(texts, found, as_they_are, strict=True):
        inner = re.fullmatch(r" *(?:\( *([^-+]*) *\)|([^-+]*) *-|([^-+]*) *C *R) *", text)
        number = next((part for part in inner.groups() if part is not None), "") if inner else ""
        below = read(conn, [f"-{number.strip()}"], kind)[0] if number and value != plain else plain
        assert value in (plain, below), text


FEW = ("de", "pt", "el", "ru")


@pytest.mark.parametrize("code", [c if c in FEW else pytest.param(c, marks=pytest.mark.slow) for c in languages()])
def test_a_month_of_a_language_is_read(conn: psycopg.Connection, code: str) -> None:
    """Each name of a month, in the forms that people write, is the date; English names stay what they are."""
    forms = ["{d}. {m} {y}", "{d} {m}. {y}", "{d}-{m}-{y}", "{m} {d}, {y}", "{y}. {m} {d}.", "{w}, {d} {m} {y} 00:00"]
    r, language = Random(f"{SEED}{code}"), languages()[code]
    texts, expected = [], []
    for number, names in enumerate(language.months, 1):
        for name in names:
            day, word = (
                r.randint(1, 28),
                r.choice([name, name.upper() if len(name.upper()) == len(name) else name, name.capitalize()]),
            )
            texts.append(r.choice(forms).format(d=day, m=word, y=2000 + day, w=r.choice(language.days)))
            expected.append(f"{2000 + day}-{number:02}-{day:02}")
    column = ColumnFormat("c", date_language=code)
    assert read(conn, rewrite(texts, DAY, column), "date") == expected
    others = ["3 March 2024", "2024-03-04", "Sep 5 2024", "5 xyz 2024", "12 2024", "", "3 March 2024 BC"]
    assert rewrite(others, DAY, column)[3:6] == others[3:6]
    assert read(conn, rewrite(others, DAY, column), "date") == read(conn, others, "date")


def test_a_month_within_a_pattern(conn: psycopg.Connection) -> None:
    texts = ["3. März 2024", "12. Dez. 2023", "4. March 2024", "März 2024", "3. mär 2024", "31. Februar 2024"]
    full = rewrite(texts, DAY, ColumnFormat("c", date="%d. %B %Y", date_language="de"))
    assert read(conn, full, "date") == ["2024-03-03", "2023-12-12", "2024-03-04", None, "2024-03-03", None]
    short = rewrite(["12. Dez. 2023", "12. Dez 2023"], DAY, ColumnFormat("c", date="%d. %b. %Y", date_language="de"))
    assert read(conn, short, "date") == ["2023-12-12", None]


def test_a_year_of_two_digits_is_read_as_with_an_english_month(conn: psycopg.Connection) -> None:
    given = rewrite(["12-Mrz-23", "12-Mär-23", "5. Mai 70"], DAY, ColumnFormat("c", date_language="de", date="DMY"))
    english = ["12-Mrz-23", "12-Mar-23", "05-May-70"]
    assert given == english


def test_whole_numbers_with_decimals() -> None:
    texts = ["1362.0", "-7.000", "1362.5", "1.05076E+11", "7", "7.", "1.0e3"]
    given = rewrite(texts, INTEGER, ColumnFormat("c", integer_decimals=True))
    assert given == ["1362", "-7", "1362.5", "1.05076E+11", "7", "7", "1.0e3"]


def test_truth_values() -> None:
    words = ColumnFormat("c", true=("ja", "wahr"), false=("NEIN",))
    assert rewrite(["JA", " wahr", "nein", "t", "oui"], TRUTH, words) == ["true", "true", "false", "t", "oui"]


def test_trimming() -> None:
    trim = ColumnFormat("c", trim=True)
    texts = [" a b\u00a0", "\u200bx", "\ufeffy\t", "", "  "]
    assert rewrite(texts, TEXT, trim) == ["a b", "x", "y", "", ""]
    assert rewrite(texts, INTEGER, trim) == ["a b", "x", "y", None, None]
