"""The guard against formulas: what it changes, and that undoing it gives every text back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pgsluice.source.spreadsheets.formulas import guard, undo_guard

RISKY = st.text("=+-@\t\r\n'＝a1, \"", max_size=6)


@given(st.one_of(st.text(), RISKY))
@example("")
@example("'")
@example("''=1")
@example("'=1")
def test_round_trip(text: str) -> None:
    guarded = guard(text)
    assert undo_guard(guarded) == text
    assert not guarded.startswith(tuple("=+-@\t\r\n＝＋－＠"))
    assert guarded in (text, "'" + text)


@given(RISKY.filter(lambda text: not text.startswith("'")))
def test_a_program_that_removes_the_apostrophe(text: str) -> None:
    assert undo_guard(guard(text).removeprefix("'")) == text


@pytest.mark.parametrize("text", ["1,a", "a=1", " =1", '"=1"', "\\=1", ""])
def test_other_texts_stay(text: str) -> None:
    assert guard(text) == text
