"""Where the time of a run goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pgsluice.model import PhaseTime


class Clock:
    """Sums seconds by table and phase. Phases may nest; a moment counts for the innermost phase only."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], float] = {}
        self._open: list[tuple[str, str]] = []
        self._since = 0.0

    @contextmanager
    def phase(self, name: str, table: str = "") -> Iterator[None]:
        """Measures a block of code as a phase of ``table`` ('' for the whole run)."""
        self._add_elapsed()
        self._open.append((table, name))
        self._spent.setdefault((table, name), 0.0)
        try:
            yield
        finally:
            self._add_elapsed()
            self._open.pop()

    def times(self) -> tuple[PhaseTime, ...]:
        """The seconds of all phases, in the order in which the phases first began."""
        return tuple(PhaseTime(t, p, round(s, 4)) for (t, p), s in self._spent.items())

    def _add_elapsed(self) -> None:
        now = time.perf_counter()
        if self._open:
            self._spent[self._open[-1]] += now - self._since
        self._since = now
