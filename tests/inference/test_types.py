"""The type of a column follows from all of its values, and is no wider and no narrower than a person would take it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from init_and_load import init_and_load

import pgsluice
from pgsluice.api.inferring import answered
from pgsluice.cli.init import _infer as ask_and_infer
from pgsluice.model import InferredColumn, InferredSchema

TYPES = {
    "integer": ("a", ["1", "-2", "30000"]),
    "bigint": ("a", ["1", "3000000000"]),
    "numeric(10, 2)": ("price", ["1.5", "20", "3.25"]),
    "numeric": ("lat", ["-23.549292123", "1.5"]),
    "double precision": ("a", ["1e-05", "2.5"]),
    "boolean": ("a", ["true", "FALSE"]),
    "date": ("a", ["2024-02-29", "1999-12-31"]),
    "timestamp": ("a", ["2024-02-29 10:00:00", "2024-03-01 10:00:00.5"]),
    "timestamptz": ("a", ["2024-02-29T10:00:00+02:00", "2024-02-29T10:00:00Z"]),
    "time": ("a", ["10:30", "23:59:59"]),
    "uuid": ("a", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    "inet": ("a", ["10.0.0.1", "10.0.0.0/8"]),
    "jsonb": ("a", ['{"a": [1, 2]}', "[]"]),
    "integer[]": ("a", ["{1,2}", "{}"]),
    "text[]": ("a", ["{red,dark blue}", "{}"]),
}

TEXTS = {
    "zeros in front": ("a", ["0042", "1234"]),
    "a postcode": ("zip", ["12345", "90210"]),
    "a telephone number": ("Phone", ["5551234", "5559876"]),
    "many digits": ("a", ["4929123412341234", "4929123412341235"]),
    "a date that does not exist": ("a", ["2023-02-28", "2023-02-30"]),
    "hour 25": ("a", ["23:00", "25:00"]),
    "only n": ("a", ["n", "n"]),
    "one word among numbers": ("a", ["1"] * 3000 + ["x"] + ["1"] * 3000),
    "an identifier with an exponent": ("order_id", ["1e5", "2e7"]),
    "json that is none": ("a", ['{"a": 1}', "{'a': 1}"]),
    "NULL in an array": ("a", ["{a,NULL}", "{b}"]),
}


def _infer(folder: Path, columns: dict[str, list[str]], **options: object) -> InferredSchema:
    folder.mkdir(exist_ok=True)
    rows = zip(*columns.values(), strict=True)
    lines = [columns.keys(), *rows]
    text = "".join(",".join('"' + v.replace('"', '""') + '"' if v else "" for v in line) + "\n" for line in lines)
    (folder / "things.csv").write_text(text, encoding="utf-8")
    return pgsluice.infer_schema(folder, **options)  # type: ignore[arg-type]


def _column(folder: Path, name: str, values: list[str], **options: object) -> tuple[InferredColumn, InferredSchema]:
    found = _infer(folder, {"k": [f"k{i}" for i in range(len(values))], name: values}, **options)
    return found.tables[0].columns[1], found


@pytest.mark.parametrize("expected", TYPES)
def test_types(expected: str, tmp_path: Path) -> None:
    name, values = TYPES[expected]
    column, found = _column(tmp_path, name, values)
    assert column.type_sql == expected
    assert column.not_null
    assert not found.questions


@pytest.mark.parametrize("why", TEXTS)
def test_texts(why: str, tmp_path: Path) -> None:
    column, _ = _column(tmp_path, *TEXTS[why])
    assert column.type_sql == "text"


@pytest.mark.parametrize(
    ("usual", "odd", "expected"),
    [
        ("1", "1.5", "numeric(10, 2)"),
        ("1.5", "1e5", "double precision"),
        ("2024-01-01", "2024-01-01 10:00:00", "timestamp"),
        ("2024-01-01", "2024-01-01T10:00:00Z", "text"),
    ],
)
def test_a_value_far_from_both_ends_decides(usual: str, odd: str, expected: str, tmp_path: Path) -> None:
    column, _ = _column(tmp_path, "a", [usual] * 1500 + [odd] + [usual] * 1500)
    assert column.type_sql == expected


def test_missing_values_and_empty_texts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    # A quoted empty field is NULL where the type is not text, and an empty text elsewhere.
    (data / "things.csv").write_text('a,b,c\n1,"x",\n"","",\n3,"y",\n')
    a, b, c = pgsluice.infer_schema(data).tables[0].columns
    assert (a.type_sql, a.not_null) == ("integer", False)
    assert (b.type_sql, b.not_null) == ("text", True)
    assert (c.type_sql, c.not_null) == ("text", False)
    assert "empty_as_null = true" in pgsluice.infer_schema(data).settings


@pytest.mark.parametrize(
    ("values", "order", "type_sql"),
    [
        (["01/02/2020", "31/12/2020"], "DMY", "date"),
        (["01/02/2020", "12/31/2020"], "MDY", "date"),
        (["1/2/2020 9:05", "12/31/2020 0:00"], "MDY", "timestamp"),
        (["01.02.2020", "02.03.2020"], "DMY", "date"),
    ],
)
def test_orders_of_dates(values: list[str], order: str, type_sql: str, tmp_path: Path) -> None:
    column, found = _column(tmp_path, "day", values)
    assert column.type_sql == type_sql
    assert column.format is not None
    assert column.format.date == order
    assert f'date_format = "{order}"' in found.settings


def test_an_undecidable_date_is_a_question(tmp_path: Path) -> None:
    column, found = _column(tmp_path, "day", ["01/02/2020", "12/11/2020"])
    assert column.type_sql == "text"
    (question,) = found.questions
    assert question.answers == ("--date-format things.day=DMY", "--date-format things.day=MDY")
    column, found = _column(tmp_path, "day", ["01/02/2020", "12/11/2020"], date_format=["things.day=MDY"])
    assert (column.type_sql, found.questions) == ("date", ())
    assert column.format is not None
    assert column.format.date == "MDY"


def test_another_column_makes_an_answer_likely(tmp_path: Path) -> None:
    columns = {"k": ["a", "b"], "paid": ["31/01/2020", "01/02/2020"], "due": ["01/02/2020", "03/04/2020"]}
    (question,) = _infer(tmp_path, columns).questions
    assert question.likely == "--date-format things.due=DMY"
    found = _infer(tmp_path, columns, likely=True)
    assert [c.type_sql for c in found.tables[0].columns] == ["text", "date", "date"]


@pytest.mark.parametrize(
    ("values", "decimal", "thousands"),
    [
        (["1.234,50", "7,25"], ",", "."),
        (["12,5", "7,25"], ",", ""),
        (["1,234.50", "7.25"], "", ","),
        (["1 234,50", "7,25"], ",", " "),
    ],
)
def test_numbers_of_other_countries(values: list[str], decimal: str, thousands: str, tmp_path: Path) -> None:
    column, _ = _column(tmp_path, "price", values)
    assert column.type_sql == "numeric(10, 2)"
    assert column.format is not None
    assert (column.format.decimal, column.format.thousands) == (decimal, thousands)


@pytest.mark.parametrize("values", [["1,234", "5,678"], ["1.234", "5.678"]])
def test_an_undecidable_number_is_a_question(values: list[str], tmp_path: Path) -> None:
    column, found = _column(tmp_path, "size", values)
    assert column.type_sql == "text"
    (question,) = found.questions
    assert len(question.answers) == 2
    # A number of the same file that has decimals for certain makes one answer likely.
    columns = {"size": values, "price": ["0.5", "1.25"]}
    (question,) = _infer(tmp_path, columns).questions
    assert question.likely == question.answers["," in values[0]]


ASKED = {
    # name of the field: (values, answer, type)
    "share": (["12%", "7.5 %"], "--strip things.share=%", "numeric(10, 2)"),
    "paid": (["12,50 €", "1.234,00 €"], "--strip 'things.paid=€'", "numeric(10, 2)"),
    "balance": (["(45.00)", "7.5"], "--negative 'things.balance=(#)'", "numeric(10, 2)"),
    "debit": (["45,00-", "7,5"], "--negative 'things.debit=#-'", "numeric(10, 2)"),
    "pieces": (["NA", "5"], "--null NA", "integer"),
    "seen": (["3. März 2024", "12. Dez. 2023"], "--date-language things.seen=de", "date"),
}


def test_what_options_would_make_of_texts_is_asked(tmp_path: Path, db: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    lines = ["|".join(row) for row in zip(*([name, *values] for name, (values, _, _) in ASKED.items()), strict=True)]
    (data / "things.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = pgsluice.infer_schema(data)
    assert {c.type_sql for c in found.tables[0].columns} == {"text"}
    assert {q.column: q.answers for q in found.questions} == {name: (answer,) for name, (_, answer, _) in ASKED.items()}
    options = answered({}, [answer for _, answer, _ in ASKED.values()])
    found, result = init_and_load(data, tmp_path, db, **options)
    assert [c.type_sql for c in found.tables[0].columns] == [kind for _, _, kind in ASKED.values()]
    assert not found.questions
    assert not result.rejects.count


def test_answers_in_the_terminal_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "things.csv").write_text("a;b\n12%;3\n7%;4\n", encoding="utf-8")
    monkeypatch.setattr(sys.modules[ask_and_infer.__module__], "ask", lambda text, answers, likely: answers[0])
    found = ask_and_infer([str(tmp_path)], "schema.sql", {}, lambda event: None, likely=False, asking=True)
    assert [c.type_sql for c in found.tables[0].columns] == ["integer", "integer"]


@pytest.mark.parametrize("values", [["12%", "x"], ["NA", "NA"], ["(45)", "(abc)"], ["3. März 2024", "März 2024"]])
def test_texts_that_no_option_makes_numbers_are_not_asked_about(values: list[str], tmp_path: Path) -> None:
    column, found = _column(tmp_path, "a", values)
    assert (column.type_sql, found.questions) == ("text", ())


def test_a_month_with_two_readings_has_two_answers(tmp_path: Path) -> None:
    _, found = _column(tmp_path, "day", ["12 lis 2023", "13 lis 2023"])
    (question,) = found.questions
    assert question.answers == ("--date-language things.day=pl", "--date-language things.day=hr")


def test_whole_numbers_with_decimals_are_integers(tmp_path: Path, db: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "things.csv").write_text("id,other\n1,12.0\n2,\n3,7.0\n")
    found, result = init_and_load(data, tmp_path, db)
    assert found.tables[0].columns[1].type_sql == "integer"
    assert result.rejects.count == 0
