"""The order of day, month and year in the numeric dates of a file, as the dates themselves show it.

PostgreSQL reads ``03/04/2020`` by its setting DateStyle, whose default puts the month first. In a file of another
country every such date would be stored wrong, without an error. Here the values of a column decide: a value such as
``31/12/2020`` has one reading only.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pgsluice.model import DATE_ORDERS, Dialect
from pgsluice.source.blocks import Block
from pgsluice.source.typed.bits import as_bits, at, is_digit, windows
from pgsluice.source.typed.duckdb_reader import DuckDBReader
from pgsluice.source.typed.rewriting import NUMERIC_DATE
from pgsluice.source.typed.witness import Witness, first_where, witness_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLAIN_DOTS = r"^\s*[0-9]{1,2}[.][0-9]{1,2}[.][0-9]"

_SHORT_YEAR = r"^\s*[0-9]{1,2}([-/. ])[0-9]{1,2}[-/. ][0-9]{2}($|[^0-9])"
"""Dates of the usual form with a last number of two digits. Where the last number is the year, PostgreSQL adds 2000 to
a year below 70 and 1900 to others (manual, appendix B.1)."""


@dataclass(slots=True)
class Evidence:
    """What the numeric dates of one column show."""

    against: dict[str, Witness] = field(default_factory=dict)
    """For each order the first value that it does not fit."""
    ambiguous: dict[tuple[str, str], Witness] = field(default_factory=dict)
    """For two orders the first value that is a date in both, and not the same date."""
    dots: bool = True
    """The signs between the numbers are points in all values."""
    found: bool = False
    """There is a numeric date."""
    short_year: Witness | None = None
    """The first date whose last number is a year of two digits that PostgreSQL reads as a year to come."""

    @property
    def orders(self) -> list[str]:
        """The orders that fit all values."""
        return [order for order in DATE_ORDERS if order not in self.against]

    @property
    def decided(self) -> str:
        """The order; '' if there is none, or if several orders fit and give different dates."""
        orders = self.orders
        if not orders:
            return ""
        if not any(a in orders and b in orders for a, b in self.ambiguous):
            return orders[0]
        # Dates with points are written with the day first wherever they are written.
        return "DMY" if self.dots and "DMY" in orders else ""

    @property
    def decisive(self) -> Witness | None:
        """The value that decided; None if a custom or nothing decided."""
        rival = "DMY" if self.decided == "MDY" else "MDY"
        return self.against.get(rival) if len(self.orders) == 1 else None

    @property
    def doubtful(self) -> tuple[Witness, tuple[str, str]]:
        """A value with two readings, and the two orders that give them, for a column without a decision."""
        orders = self.orders
        return next((w, pair) for pair, w in self.ambiguous.items() if pair[0] in orders and pair[1] in orders)


_AROUND = (4, 4)
"""How many bytes before and behind a sign tell whether it is the first of a date."""


def may_have_numeric_dates(data: bytes, dialect: Dialect) -> bool:
    """Whether a number of one or two digits, a sign, a number of one or two digits, the sign again and a digit follow
    each other anywhere. The signs are ``-``, ``/``, the point and the blank.

    A quick look at all bytes of a block, because every block of a clean file is looked at. The answer is yes for some
    other texts too, such as 10.0.0.1.
    """
    signs = [sign for sign in b"-/. " if sign != ord(dialect.in_blocks.delimiter) and bytes([sign]) in data]
    return any(_holds_numeric_date(window, signs) for window in windows(data, *_AROUND))


def _holds_numeric_date(octets: NDArray[Any], signs: Sequence[int]) -> bool:
    """:func:`may_have_numeric_dates` for signs that have all of the bytes around them."""
    import numpy as np

    # One bit for each byte makes most of the operations cheap.
    digit = as_bits(is_digit(octets))
    one, two = ~at(digit, 2) & at(digit, 3), at(digit, 2) & at(digit, 4)
    short = at(digit, -1) & at(digit, 1) & ~(at(digit, -2) & at(digit, -3))
    for mark in signs:
        sign = as_bits(octets == mark)
        found = sign & short & ((at(sign, 2) & one) | (at(sign, 3) & two))
        if found.any():
            places = np.flatnonzero(np.unpackbits(found.view(np.uint8), bitorder="little"))
            places = places[places >= _AROUND[0]]
            # In 2020-01-02-3 the number 01 is not the first of its date.
            previous = places - np.where(is_digit(octets[places - 2]), 3, 2)
            if ((octets[previous] != mark) | ~is_digit(octets[previous - 1])).any():
                return True
    return False


class DateScan:
    """Collects the evidence of some columns of one file, block by block.

    :param columns: the names of the columns.
    :param reader: reads the blocks of the file; no format of a date may be in force for these columns.
    """

    def __init__(self, columns: Sequence[str], reader: DuckDBReader) -> None:
        self._reader = reader
        self._fields = {name: field for name, field in reader.fields.items() if name in columns}
        self.evidence = {name: Evidence() for name in self._fields}

    def add(self, block: Block) -> bool:
        """Looks at a block.

        :returns: whether one of the columns has a numeric date in the block.
        :raises FileError: the block cannot be read.
        """
        if not may_have_numeric_dates(block.data, self._reader.dialect):
            return False
        block, row = self._reader.aggregate(block, self._inner(), self._outer())
        any_found = False
        for name, field_ in self._fields.items():
            found = {key[len(field_) :]: value for key, value in row.items() if key.startswith(f"{field_}_")}
            any_found |= bool(found["_n"])
            if found["_n"]:
                _merge(self.evidence[name], found, block)
        return any_found

    def _inner(self) -> str:
        """SQL of what is computed for each row: the text of each column, and whether it fits each order."""
        parts = []
        for c in self._fields.values():
            a, b, y = (f"try_cast(regexp_extract({c}, '{NUMERIC_DATE}', {i}) AS INT)" for i in (1, 2, 3))
            parts += [
                f"{c} AS {c}_t",
                f"{a} AS {c}_a",
                f"{b} AS {c}_b",
                f"{y} AS {c}_y",
                f"regexp_matches({c}, '{_SHORT_YEAR}') AS {c}_short",
                f"{a} BETWEEN 1 AND 31 AND {b} BETWEEN 1 AND 12 AS {c}_dmy",
                f"{a} BETWEEN 1 AND 12 AND {b} BETWEEN 1 AND 31 AS {c}_mdy",
                f"{b} BETWEEN 1 AND 12 AND {y} BETWEEN 1 AND 31 AS {c}_ymd",
                f"regexp_matches({c}, '{_PLAIN_DOTS}') AS {c}_dots",
            ]
        return ", ".join(parts)

    def _outer(self) -> str:
        """SQL of what is kept of a block: ``<field>_<what>``, and ``<field>_<what>_t`` for the text of the row."""
        parts = []
        for c in self._fields.values():
            valid = f"({c}_dmy OR {c}_mdy OR {c}_ymd)"
            wanted = {order: f"{valid} AND NOT {c}_{order.lower()}" for order in DATE_ORDERS}
            wanted["DMY_MDY"] = f"{c}_dmy AND {c}_mdy AND {c}_a <> {c}_b"
            wanted["DMY_YMD"] = f"{c}_dmy AND {c}_ymd AND {c}_a <> {c}_y"
            wanted["MDY_YMD"] = f"{c}_mdy AND {c}_ymd AND NOT ({c}_a = {c}_b AND {c}_b = {c}_y)"
            wanted["short"] = f"({c}_dmy OR {c}_mdy) AND {c}_short AND {c}_y > {_this_year()} AND {c}_y < 70"
            parts += [f"count(*) FILTER ({valid}) AS {c}_n", f"bool_and({c}_dots) FILTER ({valid}) AS {c}_dots"]
            for what, condition in wanted.items():
                parts += first_where(c, what, condition)
        return ", ".join(parts)


def _this_year() -> int:
    """The last two digits of the year."""
    return datetime.date.today().year % 100


def _merge(evidence: Evidence, found: Mapping[str, Any], block: Block) -> None:
    """Adds what a block shows; what earlier blocks have shown stays."""
    evidence.found = True
    evidence.dots &= bool(found["_dots"])

    def witness(what: str) -> Witness | None:
        place = found[f"_{what}"]
        return None if place is None else witness_of(block, place, found[f"_{what}_t"])

    evidence.short_year = evidence.short_year or witness("short")
    for order in DATE_ORDERS:
        if order not in evidence.against and (seen := witness(order)) is not None:
            evidence.against[order] = seen
    for pair in (("DMY", "MDY"), ("DMY", "YMD"), ("MDY", "YMD")):
        if pair not in evidence.ambiguous and (seen := witness("_".join(pair))) is not None:
            evidence.ambiguous[pair] = seen
