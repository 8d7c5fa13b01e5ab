"""Progress events of a run, and the listener that receives them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass


class Phase(enum.StrEnum):
    """The phase of a run that a progress event belongs to."""

    BEGIN = "begin"
    """The run is recorded in the ledger. ``step`` says where it loads, in words."""
    PLAN = "plan"
    WAIT = "wait"
    """The run waits for a lock or pauses before it tries again."""
    INFER = "infer"
    """Types and keys are found out for files without a schema."""
    STAGE = "stage"
    """Rows of the files are sent to PostgreSQL."""
    VALIDATE = "judge"
    """PostgreSQL is asked which rows break a constraint. (The value is older than the name.)"""
    BUILD = "build"
    """An index or a constraint is built."""
    PUBLISH = "publish"
    THEN = "then"
    """The run is published, and a guest runs."""
    ROLLBACK = "rollback"
    """It is certain that an announced commit did not happen."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A progress event: what begins, or how far it is.

    ``phase`` is one of :class:`Phase`. In the phase ``stage``, ``done`` and ``total`` count bytes of the table's files
    and ``rows`` counts rows. ``step`` names an index or a constraint, or says in words what is being done.
    """

    phase: str
    """One of :class:`Phase`."""
    table: str = ""
    """The table; '' for the whole run."""
    step: str = ""
    """What is done in the phase: an index or a constraint by name, or words."""
    done: int = 0
    """In the phase ``stage``: bytes of the table's files that were read. In the phase ``build``: the share of an index
    that is built, in thousandths, as far as PostgreSQL tells it."""
    total: int = 0
    """In the phase ``stage``: bytes of the table's files. In the phase ``begin``: bytes of all files. In the phase
    ``build``: 1000, if ``done`` is known."""
    rows: int = 0
    """In the phase ``stage``: rows that were read."""
    tables: int = 0
    """In the phase ``begin``: how many tables are loaded."""
    run_id: int = 0
    """In the phase ``begin``: the run."""


Listener = Callable[[Progress], None]
"""A function that receives every progress event, on the thread that runs the load."""


def ignore_progress(_: Progress) -> None:
    """A listener that does nothing."""
