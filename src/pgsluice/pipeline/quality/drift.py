"""Drift rules: a measure of a table beside its median in earlier published runs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import psycopg

from pgsluice.errors import CallError
from pgsluice.ledger.quality import earlier_profiles
from pgsluice.model import ColumnProfile, Drift, Measure, RuleResult, SetRule
from pgsluice.pipeline.quality.results import set_result

_LEAST_RUNS = 3
"""With fewer earlier runs there is nothing to compare with, and the rule holds."""

_TO_DEVIATION = 1.4826
"""By which the median absolute deviation estimates the standard deviation of a normal distribution."""

_LEAST_SHARE = 0.01
"""The least deviation, as a share of the median: a table that never changed may still grow by a row."""


def ask_drift(conn: psycopg.Connection[Any], rule: SetRule, profiles: Sequence[ColumnProfile]) -> RuleResult:
    """Compares a measure of a table with earlier published runs.

    :param profiles: what the columns of the run's tables hold now.
    :raises CallError: the table has no such column.
    """
    assert rule.drift is not None
    drift = rule.drift
    mine = [p for p in profiles if p.table.called(rule.table) and drift.column in ("", p.column)]
    if not mine:
        raise CallError(
            f"set rule {rule.name!r}: {rule.table} has no column {drift.column!r}", "Correct the name of the column"
        )
    now = _measure(mine[0], drift.measure)
    earlier = [
        value
        for profile in earlier_profiles(conn, mine[0].table, mine[0].column, drift.runs)
        if (value := _measure(profile, drift.measure)) is not None
    ]
    what = f"{drift.measure} of {drift.column}" if drift.column else str(drift.measure)
    if now is None or len(earlier) < _LEAST_RUNS:
        detail = f"{len(earlier)} earlier runs to compare {what} with" if now is not None else f"{what} is not known"
        return set_result(rule, True, value="" if now is None else f"{now:.6g}", detail=detail)
    middle, width = _expected(earlier, drift)
    ok = abs(now - middle) <= width
    words = f"{what} is {now:.6g}; in {len(earlier)} earlier runs the median was {middle:.6g}, right is ±{width:.3g}"
    return set_result(rule, ok, count=0 if ok else 1, value=f"{now:.6g}", detail="" if ok else words)


def _expected(earlier: Sequence[float], drift: Drift) -> tuple[float, float]:
    """The median of earlier runs, and how far a value may be from it."""
    middle = median(earlier)
    mad = median(abs(value - middle) for value in earlier)
    return middle, drift.deviations * max(_TO_DEVIATION * mad, _LEAST_SHARE * abs(middle))


def _measure(profile: ColumnProfile, measure: Measure) -> float | None:
    if measure is Measure.ROWS:
        return float(profile.rows)
    if measure is Measure.NULLS:
        return profile.nulls / profile.rows if profile.rows else 0.0
    return profile.distinct if measure is Measure.DISTINCT else profile.mean
