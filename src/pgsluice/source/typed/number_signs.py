"""The signs in the numbers of a file, as the numbers themselves show them: decimal point or decimal comma.

PostgreSQL reads ``2.370`` as a number with a decimal point. In a file of another country the point stands between
groups of digits, and the number is 2370. A value such as ``1.234,50`` has one reading only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgsluice.model import Column, ColumnFormat, Dialect
from pgsluice.source.blocks import Block
from pgsluice.source.typed.bits import as_bits, at, is_digit, windows
from pgsluice.source.typed.duckdb_reader import DuckDBReader
from pgsluice.source.typed.type_rules import NUMBERS, sql_quote
from pgsluice.source.typed.witness import Witness, first_where, witness_of

if TYPE_CHECKING:
    import pyarrow as pa

SEMICOLON = ";"
"""The delimiter of programs that write decimal commas."""

_AMBIGUOUS = r"^\s*[-+]?[1-9][0-9]{0,2}[.][0-9]{3}\s*$"
"""A number that PostgreSQL reads, and whose point may stand between groups of digits."""

_EXPONENT = "(?:[eE][-+]?[0-9]+)?"
_GROUP = "[. '\u2019\u00a0\u2009\u202f]"
_GROUPED = (
    r"[0-9]{1,3}(?:,[0-9]{3})+[.][0-9]*|[0-9]{1,3}(?:,[0-9]{3}){2,}|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:[.][0-9]*)?"
)
"""Numbers that have commas between groups of digits in every reading."""
_POINT = (
    rf"[0-9]+[.](?:[0-9]{{0,2}}|[0-9]{{4,}}){_EXPONENT}|(?:[0-9]{{4,}}|0[0-9]*)?[.][0-9]+{_EXPONENT}"
    rf"|[0-9]+[.][0-9]+[eE][-+]?[0-9]+|{_GROUPED}"
)
"""Numbers that have a decimal point, or commas between groups of digits, in every reading."""
_COMMA = (
    rf"[0-9]{{1,3}}(?:{_GROUP}[0-9]{{3}})+,[0-9]*|[0-9]{{1,3}}(?:[.][0-9]{{3}}){{2,}}"
    rf"|[0-9]+,(?:[0-9]{{1,2}}|[0-9]{{4,}}){_EXPONENT}|(?:[0-9]{{4,}}|0[0-9]*)?,[0-9]+{_EXPONENT}"
)
"""Numbers that have a decimal comma, or points between groups of digits, in every reading."""

_GROUPS = {
    ".": r"[0-9]{1,3}(?:[.][0-9]{3})+,[0-9]*|[0-9]{1,3}(?:[.][0-9]{3}){2,}",
    " ": "[0-9]{1,3}(?:[ \u00a0\u2009\u202f][0-9]{3})+,[0-9]*",
    "'": "[0-9]{1,3}(?:['\u2019][0-9]{3})+,[0-9]*",
}
"""Numbers that have a sign between groups of digits, beside the decimal comma, in every reading."""

_AROUND_NUMBER = r"(?:[-+]|[^-+0-9.,]{1,4}){0,2}"
_BEHIND_NUMBER = r"[^0-9.,]{0,5}"
COMMA_NUMBER = rf"^{_AROUND_NUMBER}(?:{_COMMA}){_BEHIND_NUMBER}$"
"""A number with a decimal comma, with a currency, a percent sign or blanks around it (RE2)."""
_POINT_NUMBER = rf"^{_AROUND_NUMBER}(?:{_POINT}){_BEHIND_NUMBER}$"
_GROUPED_NUMBER = rf"^{_AROUND_NUMBER}(?:{_GROUPED}){_BEHIND_NUMBER}$"
_SIGNED_NUMBER = rf"{COMMA_NUMBER}|{_GROUPED_NUMBER}"
_GROUP_NAMES = {"dots": ".", "blanks": " ", "quotes": "'"}

_PATTERNS = {
    "point": _POINT_NUMBER,
    "comma": COMMA_NUMBER,
    "grouped": _GROUPED_NUMBER,
    **{name: rf"^{_AROUND_NUMBER}(?:{_GROUPS[sign]}){_BEHIND_NUMBER}$" for name, sign in _GROUP_NAMES.items()},
}
"""What a value shows, by the fields of :class:`Signs`."""
_WITNESSES = ("ambiguous", *_PATTERNS)

# The quote comes first, and what stands before it is looked at then: a pattern that begins with a byte is searched for
# with the speed of memchr, and a block without quotes takes no time.
_QUOTED_COMMA = re.compile(rb'"(?<![^, \t\r\n]")[^"0-9\r\n]{0,12}[0-9][0-9. ]{0,20},[0-9]')


@dataclass(slots=True)
class Signs:
    """What the numbers of one column show, each with the first value that shows it."""

    ambiguous: Witness | None = None
    """A number that PostgreSQL reads, and that has another reading."""
    point: Witness | None = None
    """A number with a decimal point in every reading."""
    comma: Witness | None = None
    """A number with a decimal comma in every reading."""
    grouped: Witness | None = None
    """A number with commas between groups of digits in every reading."""
    dots: Witness | None = None
    """A number with a decimal comma, or none, and points between groups of digits, in every reading."""
    blanks: Witness | None = None
    """The same with blanks."""
    quotes: Witness | None = None
    """The same with apostrophes."""

    @property
    def groups(self) -> list[str]:
        """The signs between groups of digits beside a decimal comma."""
        return [sign for name, sign in _GROUP_NAMES.items() if getattr(self, name)]


def is_number(column: Column, format_: ColumnFormat) -> bool:
    """Whether a column holds numbers whose signs no option describes."""
    described = format_.decimal or format_.thousands
    return not described and (column.base in NUMBERS or (column.base == "money" and format_.money == "."))


def may_need_reading(data: bytes, dialect: Dialect) -> bool:
    """Whether a block may hold a number with a decimal comma or, in a file with semicolons, a number with two
    readings. A quick look at all bytes; the answer is yes for some other texts too.
    """
    if dialect.delimiter == SEMICOLON and may_be_ambiguous(data):
        return True
    if dialect.in_blocks.delimiter == ",":
        return _QUOTED_COMMA.search(data) is not None
    return any(_comma_between_digits(window) for window in windows(data, 1, 1)) if b"," in data else False


def may_be_ambiguous(data: bytes) -> bool:
    """Whether a digit, a point and three digits follow each other anywhere, and neither a digit nor a point."""
    if b"." not in data:
        return False
    for octets in windows(data, 1, 4):
        digit, point = as_bits(is_digit(octets)), as_bits(octets == ord("."))
        found = point & at(digit, -1) & at(digit, 1) & at(digit, 2) & at(digit, 3)
        if (found & ~at(digit, 4) & ~at(point, 4)).any():
            return True
    return False


def _comma_between_digits(octets: Any) -> bool:
    digit, comma = as_bits(is_digit(octets)), as_bits(octets == ord(","))
    return bool((comma & at(digit, -1) & at(digit, 1)).any())


def has_other_signs(columns: Iterable[Column], dialect: Dialect, rows: pa.Table) -> bool:
    """Whether a column of numbers has a value with a decimal comma, or with signs between groups of digits.

    :param rows: the texts of the columns.
    """
    import pyarrow.compute as pc

    return any(
        pc.any(pc.match_substring_regex(values, _SIGNED_NUMBER)).as_py()
        for column, values in zip(columns, rows.columns, strict=True)
        if is_number(column, dialect.format_of(column.name))
    )


class SignScan:
    """Collects what the numbers of some columns of one file show, block by block.

    :param columns: the names of the columns.
    :param reader: reads the blocks of the file.
    """

    def __init__(self, columns: Sequence[str], reader: DuckDBReader) -> None:
        self._reader = reader
        self._fields = {name: field for name, field in reader.fields.items() if name in columns}
        self.signs = {name: Signs() for name in self._fields}

    def add(self, block: Block) -> None:
        """Looks at all values of a block.

        :raises FileError: the block cannot be read.
        """
        block, row = self._reader.aggregate(block, self._inner(), self._outer())
        for name, field in self._fields.items():
            signs = self.signs[name]
            for what in _WITNESSES:
                if getattr(signs, what) is None and (place := row[f"{field}_{what}"]) is not None:
                    setattr(signs, what, witness_of(block, place, row[f"{field}_{what}_t"]))

    @property
    def needs_all(self) -> bool:
        """Whether the values of the other blocks matter: what was seen is a sign that PostgreSQL does not read, or may
        be.
        """
        if any(signs.comma or signs.grouped for signs in self.signs.values()):
            return True
        some = any(signs.ambiguous for signs in self.signs.values())
        return some and self._reader.dialect.delimiter == SEMICOLON and not self.settled

    @property
    def settled(self) -> bool:
        """Whether a number of the file shows a decimal point."""
        return any(signs.point for signs in self.signs.values())

    def _inner(self) -> str:
        parts = []
        for c in self._fields.values():
            parts += [
                f"{c} AS {c}_t",
                f"regexp_matches({c}, '{_AMBIGUOUS}') AS {c}_ambiguous_is",
            ]
            parts += [f"regexp_matches({c}, {sql_quote(p)}) AS {c}_{what}_is" for what, p in _PATTERNS.items()]
        return ", ".join(parts)

    def _outer(self) -> str:
        parts = []
        for c in self._fields.values():
            for what in _WITNESSES:
                parts += first_where(c, what, f"{c}_{what}_is")
        return ", ".join(parts)
