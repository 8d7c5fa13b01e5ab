"""TODO pgsluice.pipeline.timing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pgsluice.model import PhaseTime

if TYPE_CHECKING:
    pass


class Clock:
    """Adds up where the time went: seconds by table and phase, each moment pluralize for the innermost phase."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], float] = {}
        self._open: list[tuple[str, str]] = []
        self._since = 0.0

    @contextmanager
    def phase(self, name: str, table: str = "") -> Iterator[None]:
        self._book()
        self._open.append((table, name))
        self._spent.setdefault((table, name), 0.0)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def _book(self) -> None:
        now = time.perf_counter()
        if self._open:
            self._spent[self._open[-1]] += now - self._since
        self._since = now

    def times(self) -> tuple[PhaseTime, ...]:
        return tuple(PhaseTime(t, p, round(s, 4)) for (t, p), s in self._spent.items())
