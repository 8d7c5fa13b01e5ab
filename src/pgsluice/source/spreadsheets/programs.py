"""What a spreadsheet program makes of a cell when it opens a CSV file and saves it, though nobody edited the cell.

It takes texts for numbers, dates and truth values, and writes them in the form of its language: 007 becomes 7,
2025-01-05 becomes 05.01.2025, true becomes WAHR. In an old encoding it writes characters that the encoding lacks as
others. Such a cell was not edited, and its record keeps the text that it had.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?(?:E[+-]?[0-9]{1,3})?", re.IGNORECASE | re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?)?", re.ASCII)
_DATE = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?: (\d{1,2}):(\d\d)(?::(\d\d))?)?(?: ?([AP]M))?", re.IGNORECASE | re.ASCII
)
_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.0+)?)?", re.ASCII)
_MONTHS = (
    "jan|feb|fév|mar|mär|mrt|apr|avr|abr|mai|may|mag|mei|jun|jui|jul|giu|lug|aug|aoû|ago|sep|set|oct|okt|ott|nov|dec|dez|dic"
    "|déc|gen|ene"
)
"""How the names of months begin in languages of western Europe."""

_NAMED_DATE = re.compile(
    rf"\d{{1,4}}[. -]+(?:{_MONTHS})\w*\.?(?:[ -]\d{{2,4}})?|(?:{_MONTHS})\w*\.?[ -]\d{{2,4}}", re.IGNORECASE
)
_ERROR = re.compile(r"#(?:N/A|NV|DIV/0!|[^\W\d_]+[!?])|#+")
_TRUTHS = (
    {"true", "wahr", "vrai", "verdadero", "vero", "waar", "verdadeiro", "prawda", "sand", "sant"},
    {"false", "falsch", "faux", "falso", "onwaar", "fałsz", "falsk", "usant"},
)
_SHOWN_DIGITS, _KEPT_DIGITS = 9, 14
"""A program shows at least so many digits of a long fraction, and keeps so many of a whole number, before it rounds."""

Orders = frozenset[str]
"""Orders of day, month and year, as DateStyle names them."""


def rewritten(text: str, cell: str, encoding: str) -> Orders | None:
    """Whether a program makes the cell of the text.

    :param encoding: the encoding in which the program saved the file.
    :returns: None if it does not. Otherwise the orders of day, month and year in which that holds, () if the cell is no
        date.
    """
    if _is_lossy(text, cell, encoding) or _same_number(text, cell) or _same_time(text, cell):
        return frozenset()
    if any(text.lower() in words and cell.lower() in words for words in _TRUTHS) and text.lower() in ("true", "false"):
        return frozenset()
    if (moment := _iso(text)) is not None:
        orders = frozenset(order for order, read in _readings(cell) if _is_moment(read, moment))
        return orders or None
    return None


def may_be_made(text: str, cell: str) -> bool:
    """Whether a program may have written an edited cell, so that nobody can tell what was typed: a date, or an error.

    :param text: the text of the cell before. If it is a date with points, a date with points is one in the same order.
    """
    found, before = _DATE.fullmatch(cell), _DATE.fullmatch(text)
    if found is not None and len(found[1]) < 4:
        return found[2] != "." or before is None or before[2] != "."
    return _NAMED_DATE.fullmatch(cell) is not None or _ERROR.fullmatch(cell) is not None


def lacks(text: str, encoding: str) -> bool:
    """Whether the encoding lacks a character of the text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return True
    return False


def _is_lossy(text: str, cell: str, encoding: str) -> bool:
    if len(text) != len(cell) or not lacks(text, encoding):
        return False
    return all(a == b or lacks(a, encoding) for a, b in zip(text, cell, strict=True))


def _same_number(text: str, cell: str) -> bool:
    if _NUMBER.fullmatch(text) is None or "," in text or _NUMBER.fullmatch(cell) is None:
        return False
    given, shown = Decimal(text), Decimal(cell.replace(",", "."))
    if given == shown:
        return True
    shown = shown.normalize()
    digits = len(shown.as_tuple().digits)
    rounded = "e" in cell.lower() or digits >= (_SHOWN_DIGITS if "." in text else _KEPT_DIGITS)
    if not rounded or len(given.as_tuple().digits) <= digits:
        return False
    exponent = shown.as_tuple().exponent
    assert isinstance(exponent, int)  # the pattern has no NaN
    return abs(given - shown) <= Decimal((0, (5,), exponent - 1))


def _same_time(text: str, cell: str) -> bool:
    given, shown = _TIME.fullmatch(text), _TIME.fullmatch(cell)
    if given is None or shown is None or text == cell:
        return False
    return [int(part or 0) for part in given.groups()] == [int(part or 0) for part in shown.groups()]


def _iso(text: str) -> tuple[int, ...] | None:
    """Year, month, day and, if there is one, the time."""
    found = _ISO.fullmatch(text)
    return None if found is None else tuple(int(part) for part in found.groups() if part is not None)


def _readings(cell: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The dates that the cell may be."""
    if (found := _DATE.fullmatch(cell)) is None:
        return
    first, sign, second, third, *time, half = found.groups()
    clock = [int(part) for part in time if part is not None]
    if half is not None and clock:
        clock[0] = clock[0] % 12 + (12 if half.upper() == "PM" else 0)
    numbers = (int(first), int(second), int(third))
    readings = {"YMD": numbers} if len(first) == 4 else {"DMY": numbers[::-1]}
    if len(first) < 4 and sign != ".":
        readings["MDY"] = (numbers[2], numbers[0], numbers[1])
    for order, (year, month, day) in readings.items():
        if year < 100:
            year += 2000 if year < 30 else 1900
        try:
            datetime.date(year, month, day)
        except ValueError:
            continue
        yield order, (year, month, day, *clock)


def _is_moment(read: tuple[int, ...], moment: tuple[int, ...]) -> bool:
    """Whether a date is a moment, as far as the program shows it: without seconds, or midnight without its time."""
    if len(moment) == 3:
        return read[:3] == moment and not any(read[3:])
    return read == moment[: len(read)] and (len(read) >= 5 or not any(moment[3:]))
