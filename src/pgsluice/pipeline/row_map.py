"""TODO pgsluice.pipeline.row_map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pgsluice.source.typed.ordinals import OrdinalRanges

if TYPE_CHECKING:
    pass


@dataclass(slots=True)
class RowMap:
    """Which ordinal the n-th row of a table filled in place has.

    Rows reach such a table in the order of their ordinals within each COPY, so the physical order of the
    heap is a sequence of runs; a run here is (rank of its first row from 1, its ordinal, count).
    """

    runs: list[tuple[int, int, int]] = field(default_factory=list)
    rows: int = 0

    def add(self, runs: OrdinalRanges, base: int) -> None:
        for first, count in runs.ranges:
            ordinal = base + first
            if self.runs:
                rank, start, length = self.runs[-1]
                if start + length == ordinal and rank + length == self.rows + 1:
                    self.runs[-1] = (rank, start, length + count)
                    self.rows += count
                    continue
            self.runs.append((self.rows + 1, ordinal, count))
            self.rows += count
