"""What a refused value probably is, and the options that would make PostgreSQL accept it."""

from __future__ import annotations

import re

from pgsluice.source.values.months import readings

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

_BELOW_ZERO = re.compile(
    rf"(?P<a>{_MARK})?{_BLANK}*(?:\((?P<in>.+)\)|(?P<minus>\u2212)(?P<behind>.+)|(?P<before>.+[0-9].*?)-){_BLANK}*(?P<b>{_MARK})?"
)
"""Numbers below zero as accountants and SAP write them, and with the minus of typesetters."""

_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u180e"


_NUMERIC_DATE = re.compile(r"\s*([0-9]{1,2})([-/. ])([0-9]{1,2})\2[0-9]{4}(?![0-9]).*", re.DOTALL)


_EASTERN = (
    (r"[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日", "%Y年%m月%d日"),
    (r"[0-9]{4}년 [0-9]{1,2}월 [0-9]{1,2}일", "%Y년 %m월 %d일"),
)
"""Chinese, Japanese and Korean dates, with their patterns."""


_NOTE = re.compile(r" \(decimal sign .\)$")
"""What stands behind a number that the signs of its column do not fit."""


def needs_of(kind: str, value: str) -> Needs:
    """What a refused value needs.

    :param kind: the type as PostgreSQL's message names it: ``numeric``, ``boolean``; '' if it names none, which is so
        for a date that does not fit the DateStyle of the session.
    :returns: the options that cure it together; :data:`NOTHING` if none is known. ``date_language`` has all languages
        in which the value is a date, with the number of the month: ``de:3 nl:3``.
    """
    value = _NOTE.sub("", value)
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
        found = _number(bare, integer=kind in _INTEGERS) or NOTHING
    elif kind == "boolean":
        found = _truth(bare)
    elif kind in _DATES:
        found = _date(bare)
    # Input functions of numbers and dates take ASCII blanks themselves.
    taken = value.strip(" \t\n\r") if kind in _NUMBERS | _DATES else value
    return found | {("trim", "")} if bare and taken != bare else found


def months_of(needs: Needs) -> dict[str, int]:
    """The languages in which a value is a date, with the month that it then has; {} if there are none."""
    texts = [text for kind, text in needs if kind == "date_language"]
    pairs = [pair.partition(":") for text in texts for pair in text.split()]
    return {code: int(month) for code, _, month in pairs}


def _truth(value: str) -> Needs:
    word = value.lower()
    if word in _TRUE:
        return frozenset({("true", word)})
    return frozenset({("false", word)}) if word in _FALSE else NOTHING


def _date(value: str) -> Needs:
    if re.fullmatch(r"[0-9]{5}(?:\.[0-9]+)?", value):
        return frozenset({("date_format", "excel")})
    for shape, pattern in _EASTERN:
        if re.fullmatch(shape, value):
            return frozenset({("date_format", pattern)})
    months = " ".join(f"{code}:{month}" for code, month in readings(value).items())
    return frozenset({("date_language", months)}) if months else NOTHING


def _number(value: str, *, integer: bool) -> Needs | None:
    """What a number needs; None if the text is none."""
    if (below := _BELOW_ZERO.fullmatch(value)) is not None:
        return _below_zero(below, integer=integer)
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
    return strips if re.fullmatch(r"[-+]?[0-9]+(?:\.[0-9]+)?", value) else None


def _below_zero(found: re.Match[str], *, integer: bool) -> Needs | None:
    """What a number below zero needs; None if the text is none."""
    inner = found["in"] or found["behind"] or found["before"]
    form = "(#)" if found["in"] else "\u2212#" if found["minus"] else "#-"
    number = None if inner.strip()[:1] in ("+", "-", "\u2212", "(") else _number(inner.strip(), integer=integer)
    if number is None or number == DIGITS_LOST:
        return None
    return number | {("strip", mark) for mark in (found["a"], found["b"]) if mark} | {("negative", form)}


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
