"""After ``init``, a load of the same files has no rejects and leaves no row out."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from init_and_load import init_and_load
from random_sets import write_set

from pgsluice.errors import MappingError

SHARED = Path(os.environ.get("PGSLUICE_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def _check(seed: int, folder: Path, db: str) -> None:
    data = folder / "data"
    data.mkdir()
    write_set(data, seed)
    # A file whose dialect is not certain is refused with the ways to read it, as load refuses it.
    with contextlib.suppress(MappingError):
        _load(seed, data, folder, db)


def _load(seed: int, data: Path, folder: Path, db: str) -> None:
    found, result = init_and_load(data, folder, db, likely=seed % 3 == 0, allow_empty=True)
    assert result.rejects.count == 0, result.rejects
    assert {t.table: t.inserted for t in result.tables} == {t.name: t.rows for t in found.tables}


@pytest.mark.parametrize("seed", range(8))
def test_random_sets(seed: int, tmp_path: Path, db: str) -> None:
    _check(seed, tmp_path, db)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1150))
def test_more_random_sets(seed: int, tmp_path: Path, db: str) -> None:
    _check(seed, tmp_path, db)


@pytest.mark.parametrize("name", ["chinook", "northwind", "olist"])
def test_public_sets(name: str, tmp_path: Path, db: str) -> None:
    if not (SHARED / name).is_dir():
        pytest.skip(f"the set is not in {SHARED / name} (PGSLUICE_SHARED_DATA)")
    found, result = init_and_load(SHARED / name, tmp_path, db)
    assert result.rejects.count == 0
    assert sum(t.inserted for t in result.tables) == sum(t.rows for t in found.tables) > 0
    assert not found.questions
