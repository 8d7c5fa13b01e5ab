"""What a refused value probably is, and the options that would make PostgreSQL accept it."""

from __future__ import annotations

import re

Needs = frozenset[tuple[str, str]]
"""What a value needs: (option, its value) pairs; the option is named as in ``pgsluice.arguments``."""

NOTHING: Needs = frozenset()

DIGITS_LOST: Needs = frozenset({("", "digits lost")})
"""The value cannot be cured: the program that wrote the file has rounded it."""
COMMA: Needs = frozenset({("", "comma")})
"""``1,234``: the comma is the decimal sign or the sign between groups of digits."""
POINT: Needs = frozenset({("", "point")})
"""``1.000`` for an integer: the point is the decimal sign or the sign between groups of digits."""

NULL_WORDS = frozenset(
    {"\\N", "null", "NULL", "Null", "(null)", "na", "NA", "N/A", "n/a", "#N/A", "nil", "none", "None", "-", "?", "."}
    | {"NaT", "nan", "#NULL!", "#VALUE!", "0000-00-00", "0000-00-00 00:00:00"}
)
"""Texts by which programs write a missing value: dumps of PostgreSQL and MySQL, pandas, R, Excel, Ruby, Python."""

_TRUTH = (
    ("ja", "nein"),
    ("oui", "non"),
    ("si", "no"),
    ("sí", "no"),
    ("sì", "no"),
    ("sim", "não"),
    ("sim", "nao"),
    ("tak", "nie"),
    ("ano", "ne"),
    ("áno", "nie"),
    ("да", "нет"),
    ("evet", "hayır"),
    ("igen", "nem"),
    ("kyllä", "ei"),
    ("da", "nu"),
    ("jah", "ei"),
    ("j", "n"),
    ("o", "n"),
    ("s", "n"),
    ("wahr", "falsch"),
    ("vrai", "faux"),
    ("verdadero", "falso"),
    ("vero", "falso"),
    ("verdadeiro", "falso"),
    ("waar", "onwaar"),
    ("sant", "falskt"),
    ("prawda", "fałsz"),
)
_TRUE = frozenset(true for true, _ in _TRUTH) | {"x"}
_FALSE = frozenset(false for _, false in _TRUTH) - {"n", "no"}

_INTEGERS = frozenset({"integer", "bigint", "smallint"})
_NUMBERS = _INTEGERS | {"numeric", "double precision", "real", "money"}
_DATES = frozenset({"date", "timestamp", "timestamp with time zone", "timestamp without time zone"})

_BLANK = "[ \u00a0\u2007\u2009\u202f]"
_MARK = r"(?:[$£€¥₹₽₩₺₴₫₱฿%‰]|[A-Z]{3}|[A-Z]{1,2}\$|zł|kr\.?|Kč|Ft|лв\.?|руб\.?|Rs\.?|Fr\.?)"
_MARKED = re.compile(rf"(?P<a>{_MARK})?{_BLANK}*(?P<n>[-+]?{_BLANK}*[0-9].*?){_BLANK}*(?P<b>{_MARK})?")
_SIGNED_MARK = re.compile(rf"(?P<sign>[-+])(?P<a>{_MARK}){_BLANK}*(?P<n>[0-9].*)")

_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u180e"


_NUMERIC_DATE = re.compile(r"\s*([0-9]{1,2})([-/. ])([0-9]{1,2})\2[0-9]{4}(?![0-9]).*", re.DOTALL)


def needs_of(kind: str, value: str) -> Needs:
    """What a refused value needs.

    :param kind: the type as PostgreSQL's message names it: ``numeric``, ``boolean``; '' if it names none, which is so
        for a date that does not fit the DateStyle of the session.
    :returns: the options that cure it together; :data:`NOTHING` if none is known.
    """
    bare = value.strip().strip(_INVISIBLE).strip()
    if value == "":
        return frozenset({("empty_as_null", "")})
    if value in NULL_WORDS:
        return frozenset({("null", value)})
    found = NOTHING
    if not kind and (date := _NUMERIC_DATE.fullmatch(value)):
        first, second = int(date[1]), int(date[3])
        order = "DMY" if second <= 12 < first <= 31 else "MDY" if first <= 12 < second <= 31 else ""
        return frozenset({("date_format", order)}) if order else NOTHING
    if kind in _NUMBERS:
        found = _number(bare, integer=kind in _INTEGERS)
    elif kind == "boolean":
        found = _truth(bare)
    elif kind in _DATES and re.fullmatch(r"[0-9]{5}(?:\.[0-9]+)?", bare):
        found = frozenset({("date_format", "excel")})
    # Input functions of numbers and dates take ASCII blanks themselves.
    taken = value.strip(" \t\n\r") if kind in _NUMBERS | _DATES else value
    return found | {("trim", "")} if bare and taken != bare else found


def _truth(value: str) -> Needs:
    word = value.lower()
    if word in _TRUE:
        return frozenset({("true", word)})
    return frozenset({("false", word)}) if word in _FALSE else NOTHING


def _number(value: str, *, integer: bool) -> Needs:
    if integer and re.fullmatch(r"[-+]?[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]+", value):
        return DIGITS_LOST
    strips: Needs = NOTHING
    if (marked := _SIGNED_MARK.fullmatch(value)) is not None:
        strips = frozenset({("strip", marked["a"])})
        value = marked["sign"] + marked["n"]
    elif (marked := _MARKED.fullmatch(value)) is not None:
        strips = frozenset(("strip", mark) for mark in (marked["a"], marked["b"]) if mark)
        value = marked["n"]
    for shape, needs in _NUMBER_SHAPES:
        if re.fullmatch(rf"[-+]?{shape}", value):
            if integer and needs == COMMA:
                # A comma with decimals behind it would be no integer.
                needs = frozenset({("thousands", ",")})
            return strips | needs
    if integer and (found := re.fullmatch(r"[-+]?([0-9]+)[.,](0+)", value)):
        point = frozenset({("integer_decimals", "")})
        if "," in value:
            return strips | point | {("decimal", ",")}
        return strips | (POINT if len(found[2]) == 3 and len(found[1]) <= 3 else point)
    if integer and re.fullmatch(r"[-+]?[0-9]{1,3}(?:\.[0-9]{3})+", value):
        return strips | {("decimal", ","), ("thousands", ".")}
    return strips if re.fullmatch(r"[-+]?[0-9]+(?:\.[0-9]+)?", value) else NOTHING


def _pairs(decimal: str = "", thousands: str = "") -> Needs:
    return frozenset((name, sign) for name, sign in (("decimal", decimal), ("thousands", thousands)) if sign)


_APOSTROPHE = "['\u2019]"
_NUMBER_SHAPES = (
    (r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*", _pairs(",", ".")),
    (r"[0-9]{1,3}(?:\.[0-9]{3}){2,}", _pairs(",", ".")),
    (rf"[0-9]{{1,3}}(?:{_BLANK}[0-9]{{3}})+,[0-9]*", _pairs(",", " ")),
    (rf"[0-9]{{1,3}}(?:{_BLANK}[0-9]{{3}})+(?:\.[0-9]+)?", _pairs(thousands=" ")),
    (rf"[0-9]{{1,3}}(?:{_APOSTROPHE}[0-9]{{3}})+,[0-9]*", _pairs(",", "'")),
    (rf"[0-9]{{1,3}}(?:{_APOSTROPHE}[0-9]{{3}})+(?:\.[0-9]+)?", _pairs(thousands="'")),
    (r"[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*", _pairs(thousands=",")),
    (r"[0-9]{1,3}(?:,[0-9]{3}){2,}", _pairs(thousands=",")),
    (r"[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]*)?", _pairs(thousands=",")),
    (r"[1-9][0-9]{0,2},[0-9]{3}", COMMA),
    (r"(?:[0-9]*,[0-9]+|[0-9]+,)(?:[eE][-+]?[0-9]+)?", _pairs(",")),
)
"""Numbers as countries write them, and what they need."""
