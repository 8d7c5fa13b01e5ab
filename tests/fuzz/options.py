"""The options that a fuzzed file is read with."""

from __future__ import annotations

from pgsluice.model import BLANKS, DialectOptions, Format, LineEnds, Ragged

CHOICES: tuple[tuple[DialectOptions, str], ...] = (
    (DialectOptions(), ".csv"),
    (DialectOptions(), ".tsv"),
    (DialectOptions(header=False), ".csv"),
    (DialectOptions(delimiter=";"), ".csv"),
    (DialectOptions(delimiter="\t", quote="'"), ".csv"),
    (DialectOptions(null=("NULL", "\\N")), ".csv"),
    (DialectOptions(encoding="cp1252"), ".csv"),
    (DialectOptions(encoding="utf-16"), ".csv"),
    (DialectOptions(delimiter="||"), ".csv"),
    (DialectOptions(delimiter="\x01", quote=""), ".csv"),
    (DialectOptions(delimiter=BLANKS), ".csv"),
    (DialectOptions(delimiter="\t", quote=""), ".csv"),
    (DialectOptions(delimiter=",", escape="\\"), ".csv"),
    (DialectOptions(delimiter=",", quote="", escape="\\"), ".csv"),
    (DialectOptions(format=Format.TEXT, delimiter="\t", quote=""), ".csv"),
    (DialectOptions(format=Format.TEXT, delimiter="\t", quote="", header=True, line_ends=LineEnds.ANY), ".csv"),
    (DialectOptions(delimiter=",", comment="#"), ".csv"),
    (DialectOptions(delimiter=",", comment="--", header=False, line_ends=LineEnds.ANY), ".csv"),
    (DialectOptions(delimiter=",", skip_lines=1), ".csv"),
    (DialectOptions(delimiter=",", skip_lines=2, skip_footer=1, line_ends=LineEnds.ANY), ".csv"),
    (DialectOptions(delimiter=",", skip_footer=2, comment="#", escape="\\"), ".csv"),
    (DialectOptions(delimiter="|", trailing_delimiter=True, header=False), ".csv"),
    (DialectOptions(delimiter=",", skip_initial_blanks=True), ".csv"),
    (DialectOptions(delimiter=";", skip_initial_blanks=True, comment="#", ragged=Ragged.FILL), ".csv"),
    (DialectOptions(delimiter=",", ragged=Ragged.DROP), ".csv"),
    (DialectOptions(delimiter=",", ragged=Ragged.FILL), ".csv"),
    (DialectOptions(delimiter=",", line_ends=LineEnds.ANY), ".csv"),
    (DialectOptions(delimiter=",", escape="\\", line_ends=LineEnds.ANY, trailing_delimiter=True), ".csv"),
)
"""Options and a suffix; half of all inputs are read without options."""


def options_of(byte: int) -> tuple[DialectOptions, str]:
    """The options and the suffix that the first byte of an input stands for."""
    return CHOICES[(byte & 0x7F) % len(CHOICES)] if byte & 0x80 else CHOICES[0]
