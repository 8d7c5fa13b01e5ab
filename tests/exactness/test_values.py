"""The share of ``make exactness`` that runs with the other tests: all columns, all settings, every version."""

from __future__ import annotations

from pathlib import Path
from random import Random
from unittest import mock

import pytest
from exactness.columns import DATABASES, Database
from exactness.compare import Tally, bench
from pgsluice.source.typed import Rule, rule_for

SEED = 20261124

# How many values of a column: of the hand-made ones, and of the generator's (times the column's weight).
_MADE, _CHANCE = 60, 25


def _share(server: str, database: Database, folder: Path, only: str | None = None) -> Tally:
    with bench(server, database, folder, only) as made:
        r = Random(f"{SEED}/{database.name}")
        return made.round(
            {c.name: made.values(c, _CHANCE * c.weight, r, by_hand_too=_MADE) for c in made.cases}, r, r.randrange(2)
        )


def _lines(tally: Tally) -> list[str]:
    return [d.line(0) for d in tally.differences]


def test_every_column_on_every_version(any_server: str, tmp_path: Path) -> None:
    tally = _share(any_server, DATABASES[0], tmp_path)
    assert _lines(tally) == []
    assert min(tally.stored, tally.refused, tally.binary) > 2000


@pytest.mark.parametrize("database", DATABASES[1:], ids=lambda d: d.name)
def test_under_other_settings(server: str, database: Database, tmp_path: Path) -> None:
    assert _lines(_share(server, database, tmp_path)) == []


def test_a_wrong_rule_is_found(server: str, tmp_path: Path) -> None:
    """The comparison can fail: a rule that trusts a cast which rounds is seen through."""

    def trusting(column: object, *, utc: bool) -> Rule | None:
        if column.base == "int4":  # type: ignore[attr-defined]
            return Rule("try_cast({c} AS INTEGER)", "{v} IS NOT NULL")
        return rule_for(column, utc=utc)  # type: ignore[arg-type]

    with mock.patch("pgsluice.source.typed.rule_for", trusting):
        found = _lines(_share(server, DATABASES[0], tmp_path, only="integer"))
    assert any("'1.5'" in line and "22P02, pgsluice: stored" in line for line in found)
