"""Histograms of columns from their profiles."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime

from pgsluice.model import ColumnProfile

BINS = 16

_UNKNOWN = 0.05
"""The share of the rows of which nothing may be known. The ledger keeps a few frequent values of a column; a histogram
of these alone would mislead."""


def histogram(profile: ColumnProfile) -> tuple[float, ...]:
    """The shares of the rows in :data:`BINS` parts of equal width between the least and the greatest value.

    PostgreSQL's statistics have the most frequent values with their shares, and bounds that divide the other values
    into parts of equal size. Within a part the values are taken as spread evenly. So the heights are estimates.

    :returns: the heights, of which the greatest is 1; () for types without distances, for a single value, and if the
        profile knows too little.
    """
    points = [_position(text) for text in (profile.minimum, profile.maximum)]
    low, high = points
    if low is None or high is None or not low < high:
        return ()
    heights = [0.0] * BINS
    width = (high - low) / BINS
    rest = 1.0 - (profile.nulls / profile.rows if profile.rows else 0.0)
    for text, share in profile.frequent:
        if (place := _position(text)) is not None:
            heights[_bin(place, low, width)] += share
            rest -= share
    bounds = [place for place in map(_position, profile.bounds) if place is not None]
    if len(bounds) > 1 and rest > 0:
        for start, end in itertools.pairwise(bounds):
            _spread(heights, rest / (len(bounds) - 1), (start - low) / width, (end - low) / width)
    elif rest > _UNKNOWN:
        return ()
    most = max(heights)
    return tuple(round(height / most, 3) for height in heights) if most > 0 else ()


def _bin(place: float, low: float, width: float) -> int:
    return min(max(int((place - low) / width), 0), BINS - 1)


def _spread(heights: list[float], share: float, start: float, end: float) -> None:
    """Adds a share to the parts between two places, which are counted in parts."""
    start, end = max(start, 0.0), min(max(end, start), float(BINS))
    if end <= start:
        heights[min(int(start), BINS - 1)] += share
        return
    for number in range(int(start), min(math.ceil(end), BINS)):
        heights[number] += share * (min(end, number + 1) - max(start, number)) / (end - start)


def _position(text: str | None) -> float | None:
    """A number, or a date in seconds; None for other texts, and for infinity."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = _seconds(text)
    return value if math.isfinite(value) else None


def _seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
