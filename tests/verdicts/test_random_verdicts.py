"""A share of ``make verdicts`` for every test run: the same cases each time, on every version of the server.

``make test`` runs some of the cases, ``make test-slow`` the others.
"""

from __future__ import annotations

import pytest
from verdict_run import Bench, check

# The last three: a parent that comes second in a unique index, and has no parent itself; rows in doubt among others of
# very different length.
CASES = [*(f"1:{i}" for i in range(8)), "20261201:780", "31:4", "31:18"]
MORE_CASES = [f"1:{i}" for i in range(8, 30)]
OTHER_CASES = [f"2:{i}" for i in range(3)]
MORE_OTHER_CASES = [f"2:{i}" for i in range(3, 8)]


@pytest.mark.parametrize("cases", [CASES, pytest.param(MORE_CASES, marks=pytest.mark.slow)], ids=["some", "more"])
def test_random_schemas_are_judged_as_the_oracle_judges(server: str, cases: list[str]) -> None:
    _run(server, cases)


@pytest.mark.parametrize(
    "cases", [OTHER_CASES, pytest.param(MORE_OTHER_CASES, marks=pytest.mark.slow)], ids=["some", "more"]
)
def test_on_every_version(any_server: str, cases: list[str]) -> None:
    _run(any_server, cases)


def _run(uri: str, seeds: list[str]) -> None:
    bench = Bench(uri)
    try:
        said = [s for seed in seeds if (s := check(bench, seed))]
    finally:
        bench.close()
    if said:
        pytest.fail("\n".join(said), pytrace=False)
