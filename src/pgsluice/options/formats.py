"""The options that say how texts are rewritten before PostgreSQL reads them: dates, numbers, truth values."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pgsluice.arguments import LoadArguments
from pgsluice.errors import CallError
from pgsluice.languages import find_language, languages
from pgsluice.model import DATE_ORDERS, EXCEL, FormatRule


def parse_formats(given: LoadArguments) -> tuple[FormatRule, ...]:
    """Returns the options that say how texts are rewritten before PostgreSQL reads them.

    :raises CallError: a value is not what its option takes.
    """
    texts: list[tuple[str, Sequence[str]]] = [
        ("date_format", given.get("date_format", ())),
        ("date_language", given.get("date_language", ())),
        ("decimal", given.get("decimal", ())),
        ("thousands", given.get("thousands", ())),
        ("strip", given.get("strip", ())),
        ("negative", given.get("negative", ())),
        ("true", given.get("true", ())),
        ("false", given.get("false", ())),
    ]
    rules = []
    for kind, listed in texts:
        for text in listed:
            scope, _, value = text.rpartition("=")
            rules.append(FormatRule(kind, scope.strip(), _format_value(kind, text, value)))
    rules += [FormatRule(kind, "", "") for kind in ("integer_decimals", "trim") if given.get(kind)]
    rules += [FormatRule("default_on_empty", scope, "") for scope in given.get("default_on_empty", ())]
    return tuple(rules)


_PATTERN = re.compile(r"(?:[^%]|%%|%-?[dmyYHIMSfpbBaAj])+")
"""Patterns of dates without a time zone, in the directives that Python and DuckDB share."""


_NEGATIVE = re.compile(r"[^#0-9.,+_'=]*#[^#0-9.,+_'=]*")
"""How numbers below zero may be written. No form is one of a number that is not below zero."""


def _format_value(kind: str, text: str, value: str) -> str:
    """Returns the value of one of the options of :func:`parse_formats`.

    :raises CallError: the option does not take the value.
    """
    option = f"--{kind.replace('_', '-')}"
    if kind == "date_format":
        if value.upper() in DATE_ORDERS:
            return value.upper()
        if value.lower() == EXCEL:
            return EXCEL
        if "%" in value and _PATTERN.fullmatch(value):
            return value
        raise CallError(
            f"{option} {text!r}: {value!r} is not a format of dates",
            f"Say {', '.join(DATE_ORDERS)}, {EXCEL}, or a pattern of %d %m %Y %y %H %I %M %S %f %p %b %B %j",
        )
    if kind == "date_language":
        if (language := find_language(value)) is None:
            raise CallError(
                f"{option} {text!r}: {value!r} is not the code of a language",
                f"The languages are {', '.join(languages())}; English needs no option",
            )
        return language.code
    if kind == "negative" and (not _NEGATIVE.fullmatch(value) or "".join(value.split()) in ("#", "-#")):
        raise CallError(
            f"{option} {text!r}: {value!r} is not a form of numbers below zero",
            "Write # for the number and a sign beside it, as in '(#)' or '#-'",
        )
    if kind in ("decimal", "thousands") and (len(value) != 1 or value.isalnum() or value in "+-\r\n"):
        raise CallError(f"{option} {text!r}: {value!r} is not a sign", "Give one character, such as , or .")
    if not value.strip() and kind not in ("decimal", "thousands"):
        raise CallError(f"{option} {text!r} names no text", f"Write it as {option} COLUMN=TEXT or {option} TEXT")
    return value
