"""A share of the fault matrix; all of it runs with ``make faults``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from matrix import FAULTS, Case, Matrix, matrix

# Every fault, phase and mode at least once; ``make test`` has the faults that tests/acceptance/ has not. The seeds fix
# the moments as far as a machine can repeat them.
SHARE = (
    Case("kill", "copy", "append to empty", 1),
    Case("kill", "commit", "append", 2),
    Case("terminate", "publish", "upsert", 3),
    Case("cut", "commit", "insert-missing", 4),
    Case("restart", "build", "append to empty", 5),
    Case("full", "judge", "replace", 6),
    Case("interrupt", "ledger", "synchronise", 7),
    Case("cut", "plan", "replace", 8),
)


@pytest.fixture(scope="module")
def made() -> Iterator[Matrix]:
    with matrix() as it:
        yield it


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=f"{case.fault}-{case.phase}-{case.mode.replace(' ', '-')}",
            marks=() if case.seed in (4, 5, 6) else pytest.mark.slow,
        )
        for case in SHARE
    ],
)
def test_all_or_nothing(made: Matrix, case: Case) -> None:
    if case.fault not in made.faults:
        pytest.skip("no small disk can be mounted here (needs root)")
    end, wrong = made.run(case)
    assert not wrong, wrong
    assert end != "no fault"


def test_the_share_has_every_fault() -> None:
    assert {c.fault for c in SHARE} == set(FAULTS)
