"""What several pollutions need."""

from __future__ import annotations

from bench.files.clean import plain
from bench.files.draft import Draft


def without(d: Draft, *marks: str) -> None:
    """Takes characters out of the texts that the file could not write."""
    d.values = [[plain(v, marks) for v in row] for row in d.values]


def delimited(d: Draft, delimiter: str) -> None:
    """Sets the delimiter of the file, and the hint."""
    d.style.delimiter = d.hints.delimiter = delimiter
