"""The invariants of the fuzzer hold for its first inputs; `make fuzz` finds others."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz import invariants
from fuzz.invariants import Broken, check
from fuzz.options import CHOICES
from fuzz.seeds import FILES
from pgsluice.model import DialectOptions


def test_the_first_inputs_are_read_alike_in_blocks_of_any_size(tmp_path: Path) -> None:
    seen = set()
    for number, data in enumerate(FILES):
        for options, suffix in (CHOICES[0], CHOICES[number % len(CHOICES)]):
            path = tmp_path / f"input{suffix}"
            path.write_bytes(data)
            seen.add(check(path, options))
    assert "read" in seen


def test_a_lost_record_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "input.csv"
    path.write_bytes(b"a,b\n1,2\n3,4\n")
    whole = invariants.read

    def lossy(*arguments: object) -> invariants.Reading:
        reading = whole(*arguments)  # type: ignore[arg-type]
        if arguments[2] == 97:
            reading.records.pop()
        return reading

    monkeypatch.setattr(invariants, "read", lossy)
    with pytest.raises(Broken, match="records in blocks of 97 bytes"):
        check(path, DialectOptions())


def test_an_empty_record_behind_a_comment_is_found_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    path.write_bytes(b"a\n1\n# m\n\n3\n")
    assert check(path, DialectOptions(delimiter=",", comment="#")) == "read"
