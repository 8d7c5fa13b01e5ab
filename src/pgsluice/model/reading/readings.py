"""What discovery and the plan found out about the dialect of a file, and by what evidence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Lines of a file that are no records: titles above the header, a count below the rows, comments."""

    what: str
    """``title``, ``units``, ``footer``, ``comment`` or ``sep``."""
    line: int
    """The first of the lines, from 1; 0 if it is not known, as in a footer of a long file."""
    lines: int
    """How many lines; blank lines below the rows are not counted. 0 if only samples of the file were looked at: every
    line like ``text``."""
    text: str
    """The first of the lines that is not blank."""


@dataclass(frozen=True, slots=True)
class CandidateDialect:
    """One way to read a file, where several are possible."""

    option: str
    """The options that fix this way, as the command line takes them."""
    line: int
    """The physical line that ``fields`` shows."""
    fields: tuple[str, ...]
    """A record of the file as this candidate divides it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about the dialect of a file."""

    clear: bool = False
    """One delimiter divides all sampled records alike, and no line asks for another explanation."""
    sure: bool = True
    """Whether only one way to read the file is plausible."""
    header: str = ""
    """How well the header fits the table, for people; '' if there is no header or no table."""
    evidence: tuple[str, ...] = ()
    """Why the file is read otherwise than a plain CSV file, for people."""
    warnings: tuple[str, ...] = ()
    """What may not be meant like this, for people: each with the option that changes it."""
    passed_over: tuple[PassedOver, ...] = ()
    """Lines that are no records."""
    candidates: tuple[CandidateDialect, ...] = ()
    """The ways to read the file between which nothing decides; () if ``sure``."""
    of_quotes: str = ""
    """The one of ``warnings`` that tells of a quoted field which may have swallowed lines; a load, which reads all
    records, may know more."""
