"""What ``pgsluice doctor`` finds."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.StrEnum):
    """What a finding means for a load."""

    OK = "ok"
    SLOW = "slow"
    """The load works, and takes longer than it needs to."""
    RISK = "risk"
    """The load works, but rows may be lost or refused later."""
    PROBLEM = "problem"
    """The load fails."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    subject: str
    """What was checked: connection, version, rights, a setting."""
    state: State
    """What the finding means for a load."""
    text: str
    """What was found, in one line."""
    remedy: str = ""
    """What to do, with the statement to execute; '' if there is nothing to do."""


@dataclass(frozen=True, slots=True)
class DoctorResult:
    """All findings; ``ok`` if none of them stands against a load."""

    ok: bool
    """Whether no finding is a problem."""
    findings: tuple[Finding, ...]
    """The findings."""
