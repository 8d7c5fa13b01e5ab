"""TODO pgsluice.model.progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Something happened that a person may want to see.

    ``phase``: plan, wait, stage, judge, build, publish; rollback, when it is certain that a commit that was to come did
    not. ``done`` and ``total`` count bytes of the
    table's files while staging, steps otherwise; ``rows`` so far. ``step`` names an index, a constraint.
    """

    phase: str
    table: str = ""
    step: str = ""
    done: int = 0
    total: int = 0
    rows: int = 0


Listener = Callable[[Progress], None]


def deaf(_: Progress) -> None:
    """The listener of those who do not listen."""
