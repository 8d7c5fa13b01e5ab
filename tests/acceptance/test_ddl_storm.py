"""A share of the storm; ``make storms`` has 200 rounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ddl_storm import MODES, Rounds


def _play(db: str, folder: Path, count: int, scale: int, modes: Sequence[str] = tuple(MODES)) -> None:
    rounds = Rounds(db, folder, scale)
    played = [(modes[i % len(modes)], 1000 + 2 * i) for i in range(count)]
    wrong = [(mode, seed, found) for mode, seed in played if (found := rounds.play(mode, seed))]
    assert not wrong
    assert not rounds.slow()


def test_some_modes_in_a_storm(db: str, tmp_path: Path) -> None:
    _play(db, tmp_path, 3, 400, list(MODES)[2::3])


@pytest.mark.slow
def test_every_mode_in_a_storm(db: str, tmp_path: Path) -> None:
    _play(db, tmp_path, 10, 400)


@pytest.mark.slow
def test_sixty_rounds(db: str, tmp_path: Path) -> None:
    _play(db, tmp_path, 60, 1000)
