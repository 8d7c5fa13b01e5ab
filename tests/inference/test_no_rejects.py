"""After ``init``, a load of the same files has no rejects and leaves no row out."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from init_and_load import init_and_load
from random_sets import write_set

from pgsluice.errors import CallError, MappingError

SHARED = Path(os.environ.get("PGSLUICE_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def _check(seed: int, folder: Path, db: str) -> None:
    data = folder / "data"
    data.mkdir()
    write_set(data, seed)
    # Files whose dialect is not certain, or that fit one table only without names, are refused with what to do.
    with contextlib.suppress(MappingError, CallError):
        _load(seed, data, folder, db)


def _load(seed: int, data: Path, folder: Path, db: str) -> None:
    found, result = init_and_load(data, folder, db, likely=seed % 3 == 0, allow_empty=True)
    assert result.rejects.count == 0, result.rejects
    assert {t.table: t.inserted for t in result.tables} == {t.name: t.rows for t in found.tables}


@pytest.mark.share(3)
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


def test_what_a_load_could_take_for_a_table(tmp_path: Path, db: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "orders.csv").write_text("ctid,order date,Order-Date,(x)\n1,a,b,c\n2,a,b,c\n")
    # No table, but a load takes a file of that name for one.
    (data / "orders.txt").write_text("Notes on the orders.\n")
    (data / "blank.csv").write_text("\n\n")
    (data / "one.csv").write_text("order date\n1997-07-05\n")
    (data / "no header.csv").write_text("1,2020-01-01,x\n2,2020-01-02,y\n")
    (data / "trailing.csv").write_text('a;j\n1;[1,]\n2;[]\n3;{"a": NaN}\n')
    (data / "rows.jsonl").write_text('{"id": 1, "tags": ["a"], "ok": true}\n{"id": 2, "tags": [], "ok": null}\n')
    found, result = init_and_load(data, tmp_path, db)
    assert result.rejects.count == 0
    assert {t.table: t.inserted for t in result.tables} == {t.name: t.rows for t in found.tables}
    tables = {t.name: t for t in found.tables}
    assert sorted(tables) == ["no_header", "one", "orders", "rows", "trailing"]
    assert [c.name for c in tables["orders"].columns] == ["ctid_", "order_date", "order_date_2", "x"]
    assert [c.type_sql for c in tables["no_header"].columns] == ["integer", "date", "text"]
    assert [c.type_sql for c in tables["trailing"].columns] == ["integer", "text"]
    assert [c.type_sql for c in tables["rows"].columns] == ["integer", "jsonb", "boolean"]
