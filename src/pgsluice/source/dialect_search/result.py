"""What the search finds."""

from __future__ import annotations

from dataclasses import dataclass, field

from pgsluice.model import CandidateDialect, PassedOver
from pgsluice.source.dialect_search.layout import Layout
from pgsluice.source.dialect_search.readings import Reading


@dataclass(slots=True)
class Result:
    """What the search found."""

    reading: Reading
    layout: Layout
    header: bool
    """The first record that is not passed over names the fields."""
    skip_lines: int
    """How many physical lines stand above the header or the first record."""
    header_line: int | None = None
    """The physical line of a header that stands above a row of units, from 0; the two are then passed over."""
    names: tuple[str, ...] = ()
    """The fields of that header."""
    skip_footer: int = 0
    comment: str = ""
    trailing: int = 0
    cr: bool = False
    sure: bool = True
    header_fit: str = ""
    evidence: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    of_quotes: str = ""
    passed_over: list[PassedOver] = field(default_factory=list)
    candidates: list[CandidateDialect] = field(default_factory=list)


def header_fit(line: int, matched: int, named: int, table: str) -> str:
    """How well a header fits a table, for people."""
    fields = "field is a column" if named == 1 else "fields are columns"
    return f"header on line {line}: {matched} of {named} {fields} of {table}"
