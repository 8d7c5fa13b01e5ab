"""Records as cells and back, and what spreadsheet programs make of cells that nobody edited."""

from __future__ import annotations

import random

import pytest

from pgsluice.model import Dialect, Format
from pgsluice.model.reading.dialect import BLANKS
from pgsluice.source.spreadsheets.cells import Field, cell_of, divided, field_names, joined, shows_all
from pgsluice.source.spreadsheets.programs import may_be_made, rewritten

COLUMNS = ("a", "b", "c")
DIALECTS = [
    Dialect(),
    Dialect(delimiter=";", quote="'"),
    Dialect(delimiter="||"),
    Dialect(delimiter="|", escape="\\"),
    Dialect(delimiter="|", quote="", escape="\\"),
    Dialect(delimiter="\t", quote=""),
    Dialect(delimiter="\t", quote="", format=Format.TEXT, null=("\\N",)),
    Dialect(delimiter=BLANKS, skip_initial_blanks=True),
    Dialect(trailing_delimiters=1, skip_initial_blanks=True, comment="#"),
    Dialect(null=("NULL", "")),
]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: f"{d.delimiter!r}{d.quote}{d.escape}{d.format}")
def test_random_fields_come_back_or_are_refused(dialect: Dialect) -> None:
    rng = random.Random(f"20261127 {dialect}")
    pieces = ["", "x", "NULL", "\\N", dialect.delimiter, dialect.quote, "\\", "\n", " ", "#", "é", "1.5", "''", "\t"]
    written = 0
    for _ in range(400):
        texts = ["".join(rng.choices(pieces, k=rng.randint(0, 3))) for _ in COLUMNS]
        fields = [Field(text, quoted=bool(dialect.quote) and rng.random() < 0.3) for text in texts]
        raw = joined(fields, dialect, COLUMNS)
        if raw is None:
            continue
        written += 1
        found = divided(raw, dialect, COLUMNS)
        assert found is not None
        assert [f.text for f in found] == texts
        nulls = dialect.null_texts
        assert [f.text in nulls and not f.quoted for f in found] == [f.text in nulls and not f.quoted for f in fields]
    assert written > 40


def test_a_record_with_a_fault_is_not_divided() -> None:
    assert divided("1,2", Dialect(), COLUMNS) is None
    assert divided('1,"2,3', Dialect(), COLUMNS) is None
    assert divided('1,"2",3\n4,5,6', Dialect(), COLUMNS) is None
    assert divided('1,"2",', Dialect(), COLUMNS) == (Field("1", False), Field("2", True), Field("", False))


def test_names_of_fields_are_none_of_the_sheets_own() -> None:
    assert field_names(("id", "", "kind", "raw"), ()) == ("id", "", "kind (field)", "raw (field)")
    assert field_names(("id", "", ""), ("ID", "id", "note")) == ("id", "id'", "note")


def test_cells_that_show_less() -> None:
    assert cell_of("a\r\nb\rc") == "a\nb\nc"
    assert shows_all("a\r\nb")
    assert cell_of("a\x01b") == "a\\x01b"
    assert not shows_all("a\x01b")
    assert len(cell_of("x" * 40_000)) < 32_767
    assert not shows_all("x" * 40_000)


@pytest.mark.parametrize(
    ("text", "cell", "orders"),
    [
        ("007", "7", set()),
        ("1.50", "1,5", set()),
        ("+1.5", "1.5", set()),
        ("12345678901234567", "1,23457E+16", set()),
        ("12345678901234567", "12345678901234600", set()),
        ("0.123456789012", "0.123456789", set()),
        ("1E5", "1,00E+05", set()),
        ("true", "WAHR", set()),
        ("FALSE", "FAUX", set()),
        ("08:30", "8:30", set()),
        ("08:30:00", "08:30", set()),
        ("2025-01-05", "05.01.2025", {"DMY"}),
        ("2025-01-05", "05/01/2025", {"DMY"}),
        ("2025-01-05", "1/5/25", {"MDY"}),
        ("2025-05-05", "5/5/2025", {"DMY", "MDY"}),
        ("2025-01-05", "2025/01/05", {"YMD"}),
        ("2025-01-05 10:20:37", "05.01.2025 10:20", {"DMY"}),
        ("2025-01-05T22:20:00", "1/5/2025 10:20 PM", {"MDY"}),
        ("2025-01-05 00:00:00", "05.01.2025", {"DMY"}),
        # What nobody's program makes of it.
        ("7", "8", None),
        ("1,5", "1.5", None),
        ("1.5", "1.51", None),
        ("12345678901234567", "12345678901234568", None),
        ("123456", "123457", None),
        ("2025-01-05", "05.02.2025", None),
        ("2025-01-05", "01.05.2025", None),
        ("2025-01-05 10:20:37", "05.01.2025", None),
        ("2025-01-05", "05.01.2025 10:20", None),
        ("ja", "WAHR", None),
        ("true", "FALSCH", None),
        ("a", "A", None),
        ("08:30", "8:31", None),
    ],
)
def test_cells_that_a_program_has_rewritten(text: str, cell: str, orders: set[str] | None) -> None:
    assert rewritten(text, cell, "utf-8") == orders


def test_characters_that_an_encoding_lacks() -> None:
    assert rewritten("Łódź 1", "?ód? 1", "cp1252") == set()
    assert rewritten("Łódź", "Lódz", "cp1252") == set()
    assert rewritten("Łódź", "?od?", "cp1252") is None, "ó is in the encoding"
    assert rewritten("Łódź", "?ód?", "utf-8") is None


@pytest.mark.parametrize(
    ("text", "cell", "made"),
    [
        ("x", "03.04.2025", True),
        ("31.02.2025", "28.02.2025", False),
        ("31/02/2025", "28/02/2025", True),
        ("x", "2025-03-02", False),
        ("1-2", "01. Feb", True),
        ("1.5", "1. Mai", True),
        ("1/2", "02-Jan-25", True),
        ("x", "Jan 25", True),
        ("x", "3 rooms", False),
        ("x", "#N/A", True),
        ("x", "#######", True),
        ("x", "#12", False),
        ("x", "Januar", False),
    ],
)
def test_edited_cells_that_a_program_may_have_written(text: str, cell: str, made: bool) -> None:
    assert may_be_made(text, cell) is made
