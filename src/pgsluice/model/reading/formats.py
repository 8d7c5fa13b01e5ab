"""Formats of values: how the texts of a column are rewritten before PostgreSQL reads them."""

from __future__ import annotations

from dataclasses import dataclass

DATE_ORDERS = ("DMY", "MDY", "YMD")
"""The orders of day, month and year, as PostgreSQL's DateStyle names them."""

EXCEL = "excel"
"""The date format of the day numbers that spreadsheet programs store."""


@dataclass(frozen=True, slots=True)
class FormatRule:
    """One of the options ``--date-format``, ``--date-language``, ``--decimal``, ``--thousands``, ``--strip``,
    ``--negative``, ``--true``, ``--false``, ``--trim``, ``--integer-decimals``, ``--default-on-empty``."""

    kind: str
    """The argument: ``date_format``, ``date_language``, ``decimal``, ``thousands``, ``strip``, ``negative``, ``true``,
    ``false``, ``trim``, ``integer_decimals``, ``default_on_empty``."""
    scope: str
    """``column``, ``table.column`` or ``table.*``; '' stands for all columns whose type suits."""
    value: str


@dataclass(frozen=True, slots=True)
class ColumnFormat:
    """How the texts of one column of a file are rewritten."""

    column: str
    """The column."""
    date: str = ""
    """An order of day, month and year, ``excel``, or a pattern with the directives of strptime; '' changes nothing."""
    decimal: str = ""
    """The decimal sign; '' stands for the point."""
    thousands: str = ""
    """The sign between groups of digits; '' for none."""
    strip: tuple[str, ...] = ()
    """Texts to remove before and behind a number."""
    true: tuple[str, ...] = ()
    """Words for true, in addition to PostgreSQL's."""
    false: tuple[str, ...] = ()
    """Words for true and false, in addition to those of PostgreSQL."""
    trim: bool = False
    """Remove blanks and invisible characters before and behind the text."""
    integer_decimals: bool = False
    """Remove decimals that are zeros from the value of an integer column."""
    money: str = ""
    """For the type money: the decimal sign of the server's lc_monetary. A sign between groups of digits that has no
    group of three digits behind it is refused."""
    default_on_empty: bool = False
    """An empty field means the default of the column."""
    date_language: str = ""
    """The code of the language in which months have names; '' for English alone."""
    negative: tuple[str, ...] = ()
    """How numbers below zero are written, with ``#`` for the number: ``(#)``, ``#-``."""
    why: str = ""
    """What decided the order of day and month, or the signs of numbers: a value with its line, or a custom; '' for an
    option."""

    @property
    def rewrites(self) -> bool:
        """Whether the format changes any text."""
        return self != ColumnFormat(self.column, why=self.why)
