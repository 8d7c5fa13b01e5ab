"""The generator of polluted files knows the truth about them."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

import bench.files.pollutions  # noqa: F401
from bench.files.clean import SETS, clean_set
from bench.files.draft import POLLUTIONS, Case, make_case
from bench.files.outcome import REFUSED, Outcome
from bench.files.score import score


def _case(name: str, set_name: str = "shop", seed: int = 1, table: int = -1) -> Case:
    clean = clean_set(set_name, seed, 40)
    return make_case(POLLUTIONS[name], set_name, clean.tables[table], seed)


@pytest.mark.parametrize("name", POLLUTIONS)
def test_the_lines_of_records_are_right(name: str) -> None:
    for set_name in SETS:
        for table in (0, -1):
            case = _case(name, set_name, table=table)
            text = case.data.decode(case.hints.encoding or "utf-8", errors="replace")
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            assert len(case.records) == len(case.table.rows)
            for record in case.records:
                first, last = record.lines
                assert record.key in "\n".join(lines[first - 1 : last]), f"{case.title}: {record}"


def test_a_seed_gives_the_same_file_again_and_another_seed_another_file() -> None:
    for name in POLLUTIONS:
        assert _case(name).data == _case(name).data
        assert _case(name).data != _case(name, seed=2).data


def _read(case: Case) -> Outcome:
    header, *rows = csv.reader(io.StringIO(case.data.decode(), newline=""))
    return Outcome(header=header, rows=list(rows))


def test_a_clean_file_read_by_csv_has_the_full_score() -> None:
    case = _case("clean")
    found = score(case, _read(case), hinted=False)
    assert (found.header, found.records, found.cells, found.silent) == (1, 1, 1, [])


def test_a_wrong_cell_a_lost_record_and_a_surplus_row_are_wrong_in_silence() -> None:
    case = _case("clean")
    whole = _read(case)
    changed = replace(whole, rows=[[*whole.rows[0][:3], "999.99", *whole.rows[0][4:]], *whole.rows[1:]])
    found = score(case, changed, hinted=False)
    assert found.silent
    assert found.cells == pytest.approx(1 - 1 / (6 * len(whole.rows)))
    assert score(case, replace(whole, rows=whole.rows[1:]), hinted=False).silent
    assert score(case, replace(whole, rows=[*whole.rows, ["Total", "", "", "1", "", ""]]), hinted=False).silent


def test_a_record_that_is_named_is_not_wrong_in_silence() -> None:
    case = _case("short_row")
    place = next(i for i, r in enumerate(case.records) if r.fate == "named")
    whole = _read(case)
    rows = [row for i, row in enumerate(whole.rows) if i != place]
    assert score(case, replace(whole, rows=rows), hinted=False).silent
    named = [(case.records[place].lines[0], "")]
    assert not score(case, replace(whole, rows=rows, named=named), hinted=False).silent


def test_a_refusal_counts_only_where_nobody_can_know_the_values() -> None:
    refusal = Outcome(REFUSED, "both readings fit")
    assert score(_case("dates_ambiguous"), refusal, hinted=False).cells == 1
    assert score(_case("dates_ambiguous"), refusal, hinted=True).cells == 0
    assert score(_case("clean"), refusal, hinted=False).cells == 0


def test_a_warning_about_the_last_lines_names_them() -> None:
    case = _case("footer_total")
    whole = _read(case)
    assert score(case, whole, hinted=False).silent
    assert not score(case, replace(whole, last=1), hinted=False).silent
    units = _case("units_row")
    assert score(units, _read(units), hinted=False).silent
    assert not score(units, replace(_read(units), named=[(2, "")]), hinted=False).silent
