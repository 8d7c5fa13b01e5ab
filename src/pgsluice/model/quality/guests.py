"""Guests: projects of other programs that run after a run has published, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

DBT = "dbt"
"""The program that pgsluice knows."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A project of another program."""

    program: str
    """``dbt``."""
    project: str
    """The absolute path of the project's folder."""


@dataclass(frozen=True, slots=True)
class GuestNode:
    """What became of one part of a project: a model, a test, a seed, a snapshot."""

    name: str
    """The name within the project."""
    kind: str
    """What the program calls it: ``model``, ``test``, ``seed``, ``snapshot``."""
    status: str
    """In the program's own word: success, pass, warn, fail, error, skipped."""
    ok: bool
    """False for what failed or was skipped."""
    seconds: float
    """The duration."""
    failures: int | None = None
    """Rows that fail a test; None if it is no test or did not run."""
    message: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class GuestResult:
    """What became of a project after a run."""

    program: str
    """``dbt``."""
    project: str
    """The absolute path of the project's folder."""
    name: str
    """The name of the project; '' if it could not be read."""
    built_for: int
    """The newest published run when the project began."""
    ok: bool
    """Whether the project was built and none of its parts failed."""
    seconds: float
    """The duration."""
    message: str = ""
    """Why the project failed as a whole; '' if it did not, or if parts of it say why."""
    nodes: tuple[GuestNode, ...] = ()
    """The parts of the project that were to be built, in the order of the program."""
