"""The signs of numbers: the values of a column decide, and a number with two readings is never read by luck."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import MappingError
from pgsluice.model import Dialect
from pgsluice.source.typed.number_signs import may_need_reading

PARTS = "id int, price numeric, weight numeric(10,3), cost float8, paid money, stock bigint, note text"


@pytest.fixture
def parts(conn: psycopg.Connection) -> psycopg.Connection:
    conn.execute(f"CREATE TABLE parts ({PARTS})")
    return conn


def write(folder: Path, lines: Sequence[str]) -> Path:
    (folder / "parts.csv").write_text("\n".join(lines) + "\n")
    return folder


def load(folder: Path, db: str, **options: object) -> pgsluice.RunResult:
    return pgsluice.load(folder, database_url=db, data_dir=str(folder), **options)


def stored(conn: psycopg.Connection, column: str = "price") -> list[str]:
    return [row[0] for row in conn.execute(f"SELECT {column}::text FROM parts ORDER BY id")]


CONTRADICTED = [
    (["id;price", "1;1.234,50", "2;2.370", "3;1.5"], "line 2 has '1.234,50'"),
    (["id;price", "1;2.370", "2;1.234.567", "3;1 234,5"], "line 3 has '1.234.567'"),
    (["id\tprice", "1\t2.370", "2\t12,50"], "line 3 has '12,50'"),
    (["id,price", "1,2.370", '2,"12,50"'], "line 3 has '12,50'"),
    (["id,price", "1,2.370", '2,"12,50 €"', "3,1.5"], "line 3 has '12,50 €'"),
    (["id;price;stock", "1;2.370;1", "2;3;1.000.000"], "parts.stock have decimal commas: line 3 has '1.000.000'"),
    (["id;price;weight", "1;2.370;0,5"], "parts.weight have decimal commas: line 2 has '0,5'"),
    (["id;price", "1;2.370", "2;15.000", "3;7"], "no other number of the file decides"),
]


@pytest.mark.parametrize(("lines", "why"), CONTRADICTED)
def test_a_number_with_two_readings_is_an_error(
    db: str, parts: psycopg.Connection, tmp_path: Path, lines: list[str], why: str
) -> None:
    folder = write(tmp_path, lines)
    line = next(i for i, text in enumerate(lines, 1) if "2.370" in text)
    for function in (pgsluice.plan, pgsluice.load):
        options = {"max_rejects": "all"} if function is pgsluice.load else {}
        with pytest.raises(MappingError) as caught:
            function(folder, database_url=db, data_dir=str(folder), **options)
        text = str(caught.value)
        assert (
            f"line {line} has '2.370', which is 2.370 (decimal point) or 2370 (point between groups of digits)" in text
        )
        assert why in text
    assert stored(parts) == []


DECIDED = [
    (["id;price", "1;1.234,50", "2;2.370", "3;7", "4;1,234"], ["1234.50", "2370", "7", "1.234"]),
    (["id;price", "1;2.370", "2;1.234.567"], ["2370", "1234567"]),
    (["id\tprice", "1\t12,50", "2\t-0,5", "3\t1e3"], ["12.50", "-0.5", "1000"]),
    (["id\tprice", "1\t1 234,50", "2\t1\u00a0234,5"], ["1234.50", "1234.5"]),
    (["id,price", '1,"1,234.50"', '2,"2,370"', "3,2.370"], ["1234.50", "2370", "2.370"]),
    (["id,price", '1,"12,34,567"', "2,1.5"], ["1234567", "1.5"]),
]


@pytest.mark.parametrize(("lines", "values"), DECIDED)
def test_the_values_of_a_column_decide(
    db: str, parts: psycopg.Connection, tmp_path: Path, lines: list[str], values: list[str]
) -> None:
    folder = write(tmp_path, lines)
    (plan,) = pgsluice.plan(folder, database_url=db, data_dir=str(folder)).tables
    (format_,) = [f for f in plan.files[0].file.dialect.formats if f.why]
    assert format_.why.startswith("line ")
    assert load(folder, db).rejects.count == 0
    assert stored(parts) == values


UNDECIDED = [
    # Two decimal signs; a comma that may stand between groups of digits; three signs; another column's point.
    (["id\tprice", "1\t12,50", "2\t12.5"], ["12.5"]),
    (["id\tprice", "1\t1,234", "2\t5"], ["5"]),
    (["id\tprice", "1\t1.234,5", "2\t1 234,5", "3\t5"], ["5"]),
    (["id\tprice\tcost", "1\t12,50\t0.5", "2\t5\t1"], ["5"]),
    (["id,price,cost", '1,"1,234.50","0,5"', "2,5,1"], ["5"]),
]


@pytest.mark.parametrize(("lines", "values"), UNDECIDED)
def test_what_contradicts_stays_a_reject(
    db: str, parts: psycopg.Connection, tmp_path: Path, lines: list[str], values: list[str]
) -> None:
    folder = write(tmp_path, lines)
    assert load(folder, db, max_rejects="all").rejects.count == len(lines) - 1 - len(values)
    assert stored(parts) == values


def test_each_printed_option_works(db: str, parts: psycopg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path, ["id;price", "1;12,50", "2;2.370"])
    command = ("load", folder, "--max-rejects", "all")
    failed = call(*command, cwd=tmp_path, url=db)
    assert failed.code == 2
    found = re.search(r"Say it with (--decimal \S+) or (--decimal \S+ --thousands \S+);", failed.err.replace("\n", " "))
    assert found is not None, failed.err
    for options, wanted in ((found[1], ["2.370"]), (found[2], ["12.50", "2370"])):
        parts.execute("TRUNCATE parts")
        assert call(*command, "--again", *shlex.split(options), cwd=tmp_path, url=db).code == 0
        assert stored(parts) == wanted


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (["id,price", "1,2.370", "2,15.000"], {}),
        (["id,price,note", '1,2.370,"1,5 kg"'], {}),
        (["id\tprice", "1\t2.370"], {}),
        (["id;price", "1;2.370", "2;12.5"], {}),
        (["id;price", "1;2.370", "2;0.370"], {}),
        (["id;price", "1;2.370", "2;1234.567"], {}),
        (["id;price;cost", "1;2.370;9.5"], {}),
        (["id;weight", "1;2.370"], {}),
        (["id;note", "1;2.370", "2;1.234,50"], {}),
        (["id;price;note", "1;2.370;1,5 kg", "2;2.5;"], {}),
        (["id;price", "1;2.370"], {"decimal": ["."]}),
        (["id;price", "1;12.50"], {}),
        (["id;price", "1;12"], {}),
    ],
)
def test_a_number_with_one_reading_is_no_error(
    db: str, parts: psycopg.Connection, tmp_path: Path, lines: list[str], options: dict[str, object]
) -> None:
    folder = write(tmp_path, lines)
    pgsluice.plan(folder, database_url=db, data_dir=str(folder), **options)
    assert load(folder, db, **options).status == "published"


@pytest.mark.parametrize("column", ["cost", "paid"])
def test_other_types_that_take_a_point(db: str, parts: psycopg.Connection, tmp_path: Path, column: str) -> None:
    folder = write(tmp_path, [f"id;{column}", "1;12,50", "2;2.370"])
    with pytest.raises(MappingError, match=f"the decimal sign of parts.{column} is not certain"):
        load(folder, db, max_rejects="all")


def test_integers_are_left_to_postgresql(db: str, parts: psycopg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path, ["id;stock", "1;1.234.567", "2;2.370"])
    assert load(folder, db, max_rejects="all").rejects.count == 2


@pytest.mark.parametrize(
    ("head", "first", "last"),
    [("id;price;note", "{};5;", "60000;12,50;"), ("id;price;note", "{};5;", "60000;2.370;")],
)
def test_what_stands_behind_the_beginning_ends_the_load(
    db: str, parts: psycopg.Connection, tmp_path: Path, head: str, first: str, last: str
) -> None:
    """The first block shows whole numbers only, so the reader or the sender meets the other numbers."""
    lines = [first.format(i) + "x" * 20 for i in range(60_000)]
    folder = write(tmp_path, [head, *lines, last, "60001;2.370;"])
    with pytest.raises(MappingError, match=r"has '2\.370'"):
        load(folder, db, max_rejects="all")
    assert stored(parts) == []


def test_a_column_of_two_readings_is_found_by_a_value_that_postgresql_refuses(
    db: str, parts: psycopg.Connection, tmp_path: Path
) -> None:
    lines = [f"{i}\t2.370\t{'x' * 20}" for i in range(60_000)]
    folder = write(tmp_path, ["id\tprice\tnote", *lines, "60000\t12,50\t"])
    with pytest.raises(MappingError, match=r"line 60002 has '12,50'"):
        load(folder, db, max_rejects="all")


@pytest.mark.parametrize("value", ["1.234,50", "1,234.50"])
def test_a_value_behind_the_beginning_decides(db: str, parts: psycopg.Connection, tmp_path: Path, value: str) -> None:
    lines = [f"{i}\t5\t{'x' * 20}" for i in range(60_000)]
    folder = write(tmp_path, ["id\tprice\tnote", *lines, f"60000\t{value}\t"])
    assert load(folder, db).rejects.count == 0
    assert stored(parts)[-1] == "1234.50"


def test_a_replay_takes_the_numbers_that_a_person_wrote(db: str, parts: psycopg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path, ["id;price", "1;1.234,50", "2;12.5"])
    first = load(folder, db, max_rejects="all")
    report = Path(first.rejects.path or "")
    report.write_text(report.read_text().replace('"1;1.234,50"', '"1;2.370"'))
    pgsluice.replay(first.run_id, report, database_url=db, data_dir=str(tmp_path), max_rejects="all")
    assert stored(parts) == ["2.370", "12.5"]


def test_the_quick_look() -> None:
    comma, semicolon, tab = Dialect(), Dialect(delimiter=";"), Dialect(delimiter="\t")
    assert not may_need_reading(b"1,2.370\n2,3\n", comma)
    assert may_need_reading(b'1,"2,5"\n', comma)
    assert may_need_reading(b'1,"EUR 1.234,5"\n', comma)
    assert not may_need_reading(b'1,"Smith, J 2"\n', comma)
    # The quote of a field stands behind a delimiter, a blank or a line end, or begins the block.
    assert may_need_reading(b'"2,5"', comma)
    assert may_need_reading(b'1\n"2,5"\n', comma)
    assert may_need_reading(b'"a", "2,5"\n', comma)
    assert not may_need_reading(b'1,2"3,5"\n', comma)
    assert may_need_reading(b"1;2.370", semicolon)
    assert not may_need_reading(b"1;2.37\n1;10.0.0.1\n", semicolon)
    assert may_need_reading(b"1\t2,5\n", tab)
    assert not may_need_reading(b"1\t2.370\n", tab)
    # At the seams of the windows, and at both ends of a block.
    for place in (0, (1 << 20) - 3, (1 << 20) - 1, 1 << 20):
        assert may_need_reading(b"x" * place + b"2.370", semicolon)
        assert may_need_reading(b"x" * place + b"2,5", tab)
