"""Lines about the order of day and month, and about the signs of numbers."""

from __future__ import annotations

from pgsluice.model import ColumnFormat
from pgsluice.report.parts import Line
from pgsluice.report.texts.date_orders import date_order_parts


def texts(files: list[tuple[str, str, tuple[ColumnFormat, ...]]], most: int | None = None) -> list[str]:
    return [part.text for part in date_order_parts(files, most) if isinstance(part, Line)]


def test_the_files_of_a_column_stand_in_one_line() -> None:
    day = ColumnFormat("day", date="DMY", why="line 2 has '31/12/2020'")
    files = [("t", f"t_{n}.csv", (day,)) for n in range(5)]
    assert texts(files) == [
        "Dates of t.day: day first (DMY) in t_0.csv: line 2 has '31/12/2020'; t_1.csv: line 2 has '31/12/2020';"
        " t_2.csv: line 2 has '31/12/2020', and 2 more files."
    ]


def test_signs_of_numbers() -> None:
    comma = ColumnFormat("a", decimal=",", thousands=".", why="line 2 has '1.234,5'")
    blank = ColumnFormat("b", decimal=",", thousands=" ", why="line 3 has '1 234,5'")
    point = ColumnFormat("c", thousands=",", why="line 4 has '1,234.5'")
    assert texts([("t", "t.csv", (comma, blank, point))]) == [
        "Numbers of t.a: decimal comma, points between groups of digits in t.csv: line 2 has '1.234,5'.",
        "Numbers of t.b: decimal comma, blanks between groups of digits in t.csv: line 3 has '1 234,5'.",
        "Numbers of t.c: decimal point, commas between groups of digits in t.csv: line 4 has '1,234.5'.",
    ]


def test_an_order_that_an_option_names_is_not_said_again() -> None:
    assert texts([("t", "t.csv", (ColumnFormat("day", date="DMY"), ColumnFormat("n", decimal=",")))]) == []


def test_a_summary_names_a_few_columns() -> None:
    formats = tuple(ColumnFormat(f"c{n}", date="MDY", why=f"line {n} has x") for n in range(6))
    assert texts([("t", "t.csv", formats)], most=3)[3:] == [
        "and in 3 more columns with dates or numbers; pgsluice plan and --json name them all."
    ]
