"""What a program made of a file. This module runs in both environments and imports nothing of the project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OPENED = "read"
REFUSED = "refused"


@dataclass
class Outcome:
    status: str = OPENED
    message: str = ""
    header: list[str] | None = None
    """The names that the program found; [] if it found that there is no header; None if it does not say."""
    rows: list[list[Any]] = field(default_factory=list)
    by_column: bool = False
    """The rows have the columns of the table, in its order."""
    named: list[tuple[int, str]] = field(default_factory=list)
    """Records that the program refused and named: line (0 if unknown) and text."""
    last: int = 0
    """How many lines at the end of the file a warning names."""
    warnings: list[str] = field(default_factory=list)
    """Warnings that name no line."""
    seconds: float = 0.0


def refused(error: BaseException) -> Outcome:
    return Outcome(REFUSED, f"{type(error).__name__}: {error}"[:2000])
