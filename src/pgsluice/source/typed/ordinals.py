"""TODO pgsluice.source.typed.ordinals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class OrdinalRanges:
    """Ordinals of rows in ascending order, as runs of (first, count)."""

    runs: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        return sum(n for _, n in self.runs)

    def __iter__(self) -> Any:
        for first, n in self.runs:
            yield from range(first, first + n)


def split_ordinals(ordinals: tuple[tuple[int, int], ...], mask: Any) -> tuple[OrdinalRanges, OrdinalRanges]:
    """The ordinals of the rows where ``mask`` (a numpy array of booleans) holds, and of the others."""
    import numpy as np

    mask = mask.astype(bool)
    every = np.concatenate([np.arange(first, first + n, dtype=np.int64) for first, n in ordinals])
    return ordinal_ranges(every[mask]), ordinal_ranges(every[~mask])


def ordinal_ranges(ordinals: Any) -> OrdinalRanges:
    """Ascending ordinals (a numpy array) as runs."""
    import numpy as np

    if not len(ordinals):
        return OrdinalRanges(())
    breaks = np.flatnonzero(np.diff(ordinals) != 1) + 1
    starts = np.concatenate(([0], breaks))
    ends = np.concatenate((breaks, [len(ordinals)]))
    return OrdinalRanges(tuple((int(ordinals[a]), int(b - a)) for a, b in zip(starts, ends, strict=True)))
