"""The situations of docs/explanation/files.md are well made, and their page has a row for each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.files.outcome import Outcome, refused
from bench.files.situations.__main__ import groups
from bench.files.situations.model import Situation, row
from bench.files.situations.programs import REFUSES, RIGHT, WRONG, judge
from bench.files.table_loaders import last_of, lines_of

PAGE = Path(__file__).parents[2] / "docs/explanation/files.md"
SITUATIONS = [s for situations in groups().values() for s in situations]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.name)
def test_the_right_rows_are_judged_right_and_others_wrong(situation: Situation) -> None:
    for table in situation.tables:
        rows = [list(row(text, table)) for f in situation.files if f.table == table for text in f.rows]
        right = judge(situation, table, Outcome(rows=rows, by_column=True))
        assert right.kind == (RIGHT if situation.end == "loaded" else WRONG)
        surplus = [["total", *["0"] * (len(table.columns) - 1)]]
        assert judge(situation, table, Outcome(rows=[*rows, *surplus], by_column=True)).kind == WRONG
        assert judge(situation, table, refused(ValueError("no"))).kind == REFUSES


def test_situations_have_names_of_their_own() -> None:
    assert len({s.name for s in SITUATIONS}) == len(SITUATIONS)


def test_the_page_has_a_row_for_each_situation() -> None:
    page = PAGE.read_text()
    for situation in SITUATIONS:
        assert f"| {situation.what} |" in page.replace("\\|", "|"), situation.name


def test_lines_that_a_note_names() -> None:
    assert lines_of("line 7 and lines 1,003 to 1,005 are no records") == [7, 1003, 1004, 1005]
    assert lines_of("3 lines") == []
    assert last_of("the last 4 lines look like no rows: ,,,") == 4
    assert last_of("the last line looks like a total: x") == 1
    assert last_of("CR ends the lines") == 0
