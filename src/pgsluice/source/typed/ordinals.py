"""Ordinals of rows as ranges: neighbouring rows of a block have neighbouring ordinals, faults apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OrdinalRanges:
    """Ordinals of rows in ascending order, as ranges (first, count)."""

    ranges: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """How many ordinals there are."""
        return sum(n for _, n in self.ranges)

    def __iter__(self) -> Iterator[int]:
        """Yields the ordinals."""
        for first, n in self.ranges:
            yield from range(first, first + n)


def split_ordinals(ordinals: tuple[tuple[int, int], ...], mask: Any) -> tuple[OrdinalRanges, OrdinalRanges]:
    """Divides ordinals by a mask.

    :param ordinals: ranges (first, count), ascending.
    :param mask: a numpy array with one boolean for each ordinal.
    :returns: the ordinals where the mask is true, and the ordinals where it is false.
    """
    import numpy as np

    mask = mask.astype(bool)
    every = np.concatenate([np.arange(first, first + n, dtype=np.int64) for first, n in ordinals])
    return ordinal_ranges(every[mask]), ordinal_ranges(every[~mask])


def ordinal_ranges(ordinals: Any) -> OrdinalRanges:
    """Ascending ordinals (a numpy array) as ranges."""
    import numpy as np

    if not len(ordinals):
        return OrdinalRanges(())
    breaks = np.flatnonzero(np.diff(ordinals) != 1) + 1
    starts = np.concatenate(([0], breaks))
    ends = np.concatenate((breaks, [len(ordinals)]))
    return OrdinalRanges(tuple((int(ordinals[a]), int(b - a)) for a, b in zip(starts, ends, strict=True)))
