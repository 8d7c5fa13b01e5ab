"""Every remedy that a summary prints works when it is copied.

Each situation is a table of its own, so that few loads try all of them: the first load is vetoed and prints remedies,
the next has their options.
"""

from __future__ import annotations

import shlex
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from command import call
from pgsluice.source.values.shapes import COMMA, DIGITS_LOST, NOTHING, POINT, Needs, needs_of

SITUATIONS: dict[str, tuple[str, list[str], list[str | None]]] = {
    # name: (type of the column, texts of the file, values as PostgreSQL writes them)
    "decimal_comma": ("numeric", ["1,5", "-0,25", ",5", "1e3"], ["1.5", "-0.25", "0.5", "1000"]),
    "german": ("numeric(12,2)", ["1.234,56", "12,5", "1.234.567"], ["1234.56", "12.50", "1234567.00"]),
    "german_whole": ("bigint", ["1.234.567", "12.345"], ["1234567", "12345"]),
    "english": ("numeric", ["1,234.56", "1,234", "12,34,567.5"], ["1234.56", "1234", "1234567.5"]),
    "french": ("numeric", ["1 234,5", "1\u00a0234,5", "1\u202f234,5"], ["1234.5"] * 3),
    "swiss": ("double precision", ["1'234.5", "1\u2019234.5"], ["1234.5"] * 2),
    "euro": ("numeric", ["12,50 €", "1.000,00 €"], ["12.50", "1000.00"]),
    "dollar": ("numeric", ["$12.50", "-$1,000.00", "$ 7"], ["12.50", "-1000.00", "7"]),
    "percent": ("numeric", ["12%", "12.5 %"], ["12", "12.5"]),
    "code": ("numeric", ["12.50 EUR", "CHF 12.50"], ["12.50", "12.50"]),
    "floats": ("integer", ["1362.0", "-7.00"], ["1362", "-7"]),
    "truth": ("boolean", ["ja", "Nein", "X"], ["true", "false", "true"]),
    "truth_french": ("boolean", ["oui", "non"], ["true", "false"]),
    "days": ("date", ["43831", "43832"], ["2020-01-01", "2020-01-02"]),
    "moments": ("timestamp", ["43831.5"], ["2020-01-01 12:00:00"]),
    "blanks": ("inet", [" 192.0.2.10", "192.0.2.11\u00a0"], ["192.0.2.10", "192.0.2.11"]),
    "invisible": ("integer", ["\u200b7", "8\ufeff"], ["7", "8"]),
    "null_words": ("integer", ["NA", "\\N", "N/A", "5"], [None, None, None, "5"]),
    "null_dates": ("date", ["0000-00-00", "2020-01-02"], [None, "2020-01-02"]),
    "quoted": ("integer", ['""', "5"], [None, "5"]),
    "money": ("money", ["£12.50", "£1,200.00"], ["$12.50", "$1,200.00"]),
    "accountants": ("numeric", ["(45.00)", "(1.5)", "7"], ["-45.00", "-1.5", "7"]),
    "minus_behind": ("numeric", ["45,00-", "1.234,50- €", "3,5"], ["-45.00", "-1234.50", "3.5"]),
    "inside": ("integer", ["(€ 1,200)", "$(7)"], ["-1200", "-7"]),
    "typeset": ("double precision", ["\u22125.5", "1"], ["-5.5", "1"]),
    "months_german": (
        "date",
        ["3. März 2024", "12. Dez. 2023", "1-Okt-23"],
        ["2024-03-03", "2023-12-12", "2023-10-01"],
    ),
    "months_french": (
        "timestamp",
        ["lun. 12 déc. 2023 10:30", "1er août 2024"],
        ["2023-12-12 10:30:00", "2024-08-01 00:00:00"],
    ),
    "months_portuguese": ("date", ["1º de março de 2024"], ["2024-03-01"]),
    "months_russian": ("date", ["3 мая 2024 г."], ["2024-05-03"]),
    "chinese": ("date", ["2024年3月3日"], ["2024-03-03"]),
    "nul": ("text", ["a\0b", "c"], ["ab", "c"]),
}


def load(folder: Path, db: str, options: list[str], *, helps: bool = False) -> tuple[int, list[str]]:
    """The exit code and the remedies of a load.

    :param helps: return the help of each group of rejects in place of the remedies of the run.
    """
    done = call("load", folder, "--json", *options, cwd=folder, url=db)
    assert "rejects" in done.out, done
    rejects = done.json["rejects"]
    return done.code, [text for g in rejects["groups"] for text in g["help"]] if helps else rejects["remedies"]


def options_of(remedies: list[str]) -> list[str]:
    """The options that stand at the end of each remedy, as a shell reads them."""
    found: list[str] = []
    for remedy in remedies:
        before, dashes, text = remedy.partition(": --")
        assert dashes, f"no option in {before}"
        found += shlex.split(dashes.removeprefix(": ") + text)
    return found


@pytest.mark.parametrize("helps", [False, True])
def test_every_remedy_works_when_copied(db: str, conn: psycopg.Connection, tmp_path: Path, helps: bool) -> None:
    for name, (kind, texts, _) in SITUATIONS.items():
        conn.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, v {kind})")
        lines = "".join(f"{i};{text}\n" for i, text in enumerate(texts))
        (tmp_path / f"{name}.csv").write_text("id;v\n" + lines)
    conn.execute("CREATE TABLE tickets (id serial PRIMARY KEY, state text NOT NULL DEFAULT 'open', title text)")
    (tmp_path / "tickets.csv").write_text("id,state,title\n,,a\n,closed,b\n")
    options: list[str] = []
    for _ in range(3):
        code, remedies = load(tmp_path, db, options, helps=helps)
        if not code:
            break
        more = options_of(remedies)
        assert more, "rejects without a remedy"
        options += more
    assert not code
    for name, (_, _, expected) in SITUATIONS.items():
        found = [row[0] for row in conn.execute(f"SELECT v::text FROM {name} ORDER BY id")]
        assert [f.removesuffix("/32") if f else f for f in found] == expected, name
    assert conn.execute("SELECT state, title FROM tickets ORDER BY title").fetchall() == [
        ("open", "a"),
        ("closed", "b"),
    ]


def test_a_value_with_two_readings_has_two_remedies(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (v numeric); CREATE TABLE u (v int)")
    (tmp_path / "t.csv").write_text('v\n"1,234"\n')
    (tmp_path / "u.csv").write_text("v\n1.000\n")
    _, remedies = load(tmp_path, db, [])
    assert sorted(remedies) == [
        "1 rejected value of t.v, such as '1,234'. If it is 1.234: --decimal t.v=,",
        "1 rejected value of t.v, such as '1,234'. If it is 1234: --thousands t.v=,",
        "1 rejected value of u.v, such as '1.000'. If it is 1.000: --integer-decimals",
        "1 rejected value of u.v, such as '1.000'. If it is 1000: --decimal u.v=, --thousands u.v=.",
    ]


def test_a_month_with_two_readings_has_two_remedies(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (day date); CREATE TABLE u (day date)")
    (tmp_path / "t.csv").write_text("day\n12 lis 2023\n")
    (tmp_path / "u.csv").write_text("day\n12 lis 2023\n13 sij 2023\n")
    _, remedies = load(tmp_path, db, [])
    assert sorted(remedies) == [
        "1 rejected value of t.day, such as '12 lis 2023'. If 12 lis 2023 is Croatian: --date-language t.day=hr",
        "1 rejected value of t.day, such as '12 lis 2023'. If 12 lis 2023 is Polish: --date-language t.day=pl",
        "2 rejected values of u.day, such as '12 lis 2023'. If they are dates with Croatian names of months:"
        " --date-language u.day=hr",
    ]


@pytest.mark.parametrize("sign", [",", " "], ids=["comma", "blank"])
def test_a_header_without_the_name_of_the_first_field(
    db: str, conn: psycopg.Connection, tmp_path: Path, sign: str
) -> None:
    """R's write.table writes the names of rows in front of the fields, and no name for them."""
    conn.execute("CREATE TABLE cars (model text, mpg numeric, cyl int)")
    lines = ['"mpg","cyl"', '"Mazda RX4",21,6', '"Datsun 710",22.8,4']
    (tmp_path / "cars.csv").write_text("".join(line.replace(",", sign) + "\n" for line in lines))
    _, remedies = load(tmp_path, db, [])
    (told,) = remedies
    assert told.startswith("2 rejected records: one field more than the header has names.")
    options = options_of(remedies)
    assert options == ["--skip-lines", "1", "--no-header", "--columns", "cars=,mpg,cyl"]
    assert load(tmp_path, db, options)[0] == 0
    assert load(tmp_path, db, [*options[:-1], "cars=model,mpg,cyl", "--again"])[0] == 0
    assert conn.execute("SELECT model, mpg, cyl FROM cars ORDER BY mpg, model NULLS LAST").fetchall() == [
        ("Mazda RX4", 21, 6),
        (None, 21, 6),
        ("Datsun 710", Decimal("22.8"), 4),
        (None, Decimal("22.8"), 4),
    ]


def test_digits_that_are_lost_have_no_option(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (v bigint)")
    (tmp_path / "t.csv").write_text("v\n1.05076E+11\n")
    _, remedies = load(tmp_path, db, [])
    assert remedies == [
        "1 rejected value of t.v, such as '1.05076E+11': the program that wrote the file has cut digits of the numbers;"
        " write the file again with all digits"
    ]


def needs(**options: str) -> Needs:
    return frozenset(options.items())


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("numeric", "abc", NOTHING),
        ("numeric", "12a", NOTHING),
        ("numeric", "1.234,5", needs(decimal=",", thousands=".")),
        ("numeric", "1,234", COMMA),
        ("integer", "1,234", needs(thousands=",")),
        ("integer", "1.000", POINT),
        ("integer", "1.5", NOTHING),
        ("integer", "1.5E+10", DIGITS_LOST),
        ("numeric", "(12.50)", needs(negative="(#)")),
        ("numeric", "12,50 € (decimal sign ,)", needs(decimal=",", strip="€")),
        ("numeric", "((12.50))", NOTHING),
        ("numeric", "(-12.50)", NOTHING),
        ("numeric", "(abc)", NOTHING),
        ("integer", "12-", needs(negative="#-")),
        ("integer", "1-2", NOTHING),
        ("date", "12 lis 2023", needs(date_language="pl:11 cs:11 hr:10")),
        ("date", "31. Februar 2023", NOTHING),
        ("date", "März 2023", NOTHING),
        ("integer", " 12.0 ", needs(integer_decimals="")),
        ("boolean", "Ja", needs(true="ja")),
        ("boolean", "maybe", NOTHING),
        ("boolean", "X", needs(true="x")),
        ("money", "£12.50", needs(strip="£")),
        ("", "31/12/2020", needs(date_format="DMY")),
        ("", "12/31/2020", needs(date_format="MDY")),
        ("", "13/13/2020", NOTHING),
        ("uuid", " x", needs(trim="")),
    ],
)
def test_what_a_value_needs(kind: str, value: str, expected: Needs) -> None:
    assert needs_of(kind, value) == expected
