"""The measurement of ``make init-table``: generated sets hold the keys that they say, and the score tells a miss."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.init.generate import read_spec, truth, write_files
from bench.init.score import score
from bench.init.sets import Group, Set
from bench.init.specs import HELD_OUT, SEEN, TUNED

import pgsluice


def test_a_set_and_its_score(tmp_path: Path) -> None:
    tables = read_spec(TUNED["German customers"])
    write_files(tables, tmp_path / "files", 1)
    known = Set("customers", "", Group.TUNED, tmp_path / "files", *truth(tables))
    found = pgsluice.infer_schema(known.folder)
    result = score(known, found)
    assert (result.primary.f1, result.foreign.f1, result.wrong) == (1.0, 1.0, [])
    assert len(known.keys) == 7
    assert len(known.references) == 6
    other = replace(known, keys=known.keys | {"Kunden": ("Name",)}, references=set(list(known.references)[1:]))
    result = score(other, found)
    assert (result.primary.right, result.primary.known) == (6, 7)
    assert (result.foreign.right, result.foreign.found, result.foreign.known) == (5, 6, 5)
    assert len(result.wrong) == 2


def test_every_specification_can_be_read() -> None:
    for text in (*TUNED.values(), *SEEN.values(), *HELD_OUT.values()):
        tables = read_spec(text)
        names = {t.name for t in tables}
        _, references = truth(tables)
        assert {parent for _, _, parent, _ in references} <= names
