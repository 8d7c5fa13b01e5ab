"""The options that a fuzzed file is read with."""

from __future__ import annotations

from pgsluice.model import DialectOptions

CHOICES: tuple[tuple[DialectOptions, str], ...] = (
    (DialectOptions(), ".csv"),
    (DialectOptions(), ".tsv"),
    (DialectOptions(header=False), ".csv"),
    (DialectOptions(delimiter=";"), ".csv"),
    (DialectOptions(delimiter="\t", quote="'"), ".csv"),
    (DialectOptions(null=("NULL", "\\N")), ".csv"),
    (DialectOptions(encoding="cp1252"), ".csv"),
    (DialectOptions(encoding="utf-16"), ".csv"),
)
"""Options and a suffix; half of all inputs are read without options."""


def options_of(byte: int) -> tuple[DialectOptions, str]:
    """The options and the suffix that the first byte of an input stands for."""
    return CHOICES[byte % len(CHOICES)] if byte & 0x80 else CHOICES[0]
