"""The share of ``make exactness`` that runs with the other tests: columns, versions and settings.

Most of the time goes into making tables, whatever the number of values. So ``make test`` has
a small part of the columns for each version and setting, and ``make test-slow`` a larger part, or all of them.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from unittest import mock

import psycopg
import pytest

from exactness.columns import DATABASES, Database
from exactness.compare import Tally, bench
from pgsluice.source.typed.arrow_reader import _zone as quick_zone
from pgsluice.source.typed.type_rules import Rule, rule_for

SEED = 20261124

# How many values of a column: of the hand-made ones, and of the generator's (times the column's weight).
_MADE, _CHANCE = 50, 25


def _share(server: str, database: Database, folder: Path, *, every: int = 1, rest: int = 0, divisor: int = 1) -> Tally:
    """Compares a share of the values of some columns.

    :param every: take every so-manieth column, beginning with number ``rest``.
    :param divisor: take one of so many values.
    """
    with bench(server, database, folder) as made:
        r = Random(f"{SEED}/{database.name}")
        cases = made.cases[rest::every]
        return made.round(
            {c.name: made.values(c, _CHANCE * c.weight // divisor, r, by_hand_too=_MADE // divisor) for c in cases},
            r,
            0,
        )


def _lines(tally: Tally, server: str) -> list[str]:
    with psycopg.connect(server) as conn:
        version = conn.info.server_version // 10000
    return [d.line(version) for d in tally.differences]


@pytest.mark.slow
@pytest.mark.parametrize("divisor", [2, 1])
def test_every_column(server: str, tmp_path: Path, divisor: int) -> None:
    tally = _share(server, DATABASES[0], tmp_path, divisor=divisor)
    assert _lines(tally, server) == []
    assert min(tally.stored, tally.refused, tally.binary, tally.quick) > 2000 // divisor


def test_a_part_of_the_columns(server: str, tmp_path: Path) -> None:
    tally = _share(server, DATABASES[0], tmp_path, every=4, divisor=2)
    assert _lines(tally, server) == []
    assert min(tally.stored, tally.refused, tally.binary, tally.quick) > 250


@pytest.mark.parametrize("every", [9, pytest.param(3, marks=pytest.mark.slow)])
def test_a_part_of_the_columns_on_every_version(any_server: str, tmp_path: Path, every: int) -> None:
    assert _lines(_share(any_server, DATABASES[0], tmp_path, every=every, rest=1), any_server) == []


@pytest.mark.parametrize("sparse", [7, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 1))])
@pytest.mark.parametrize("database", DATABASES[1:], ids=lambda d: d.name)
def test_under_other_settings(server: str, database: Database, tmp_path: Path, sparse: int) -> None:
    every = sparse * (4 if database.every_case else 1)
    assert _lines(_share(server, database, tmp_path, every=every), server) == []


def test_a_wrong_rule_is_found(server: str, tmp_path: Path) -> None:
    """The comparison can fail: a rule that trusts a cast which rounds is seen through."""

    def trusting(column: object, *, utc: bool) -> Rule | None:
        if column.base == "int4":  # type: ignore[attr-defined]
            return Rule("try_cast({c} AS INTEGER)", "{v} IS NOT NULL")
        return rule_for(column, utc=utc)  # type: ignore[arg-type]

    with (
        mock.patch("pgsluice.source.typed.duckdb_reader.rule_for", trusting),
        bench(server, DATABASES[0], tmp_path, "integer") as made,
    ):
        tally = made.round({"integer": ["1", "1.5", " 7 ", "x"]}, Random(0), 0)
    assert [(d.value, d.how.partition(" (")[0]) for d in tally.differences] == [
        ("1.5", "PostgreSQL: 22P02, pgsluice: stored")
    ]


def test_a_wrong_rule_of_the_quick_reader_is_found(server: str, tmp_path: Path) -> None:
    """One that takes too much, and one that takes among others what it does not take alone."""
    given = ["0000-12-31", "2024-01-02"]
    with (
        mock.patch("pgsluice.source.typed.arrow_reader._FIRST_DAY", -800000),
        bench(server, DATABASES[0], tmp_path, "date") as made,
    ):
        tally = made.round({"date": given}, Random(0), 0)
    assert [(d.value, d.how) for d in tally.differences] == [
        ("0000-12-31", "PostgreSQL: 22008, pgsluice: stored (read quickly)")
    ]
    zoned = ["2024-01-02 03:04+00", "2024-01-02 03:04+16"]

    def by_the_first(octets: object, ends: object) -> int:
        return quick_zone(octets, ends[:1])  # type: ignore[arg-type, index]

    with (
        mock.patch("pgsluice.source.typed.arrow_reader._zone", by_the_first),
        bench(server, DATABASES[0], tmp_path, "timestamptz") as made,
    ):
        tally = made.round({"timestamptz": zoned}, Random(0), 0)
    assert {d.value for d in tally.differences} == {zoned[1]}


def test_a_value_that_means_the_moment_is_no_difference(server: str, tmp_path: Path) -> None:
    with bench(server, DATABASES[0], tmp_path, "timestamptz") as made:
        tally = made.round({"timestamptz": ["now", "here/Land23:20:32 Now", "2024-01-02 03:04:05+00"]}, Random(0), 0)
    assert _lines(tally, server) == []
    assert tally.passed
