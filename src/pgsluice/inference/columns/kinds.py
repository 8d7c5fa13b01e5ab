"""The kinds of values that are looked for: SQL for DuckDB that says whether PostgreSQL takes a text as such a value.

A condition is never wider than PostgreSQL's input function: it holds for texts of which a rule of
:mod:`pgsluice.source.typed.type_rules`, or their shape, proves that PostgreSQL takes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pgsluice.model import DATE_ORDERS, Column, ColumnFormat, text_column
from pgsluice.source.typed.rewriting import rewritten
from pgsluice.source.typed.type_rules import rule_for

_ANY = re.compile("")
_PLAIN_NUMBER = re.compile(r"-?[0-9]*[.]?[0-9]*(?:[eE][-+]?[0-9]+)?$")
_SIGNED_NUMBER = re.compile(r"-?[0-9][0-9.,'’ \u00a0\u2007\u2009\u202f]*$")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE = re.compile(r"\s*[0-9]{1,4}[-/. ][0-9]{1,2}[-/. ][0-9]{1,4}")
_BRACE = re.compile(r"[{\[]")
_BOOLEAN = re.compile(r"(?:true|false|t|f|yes|no|y|n)$", re.IGNORECASE)

DECIMALS = "-?((0|[1-9][0-9]{0,17})([.][0-9]{1,18})?|[.][0-9]{1,18})"
"""Numbers without zeros in front: those belong to codes."""

_TIME = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"
_ZONED = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]{_TIME} ?(Z|[-+](0[0-9]|1[0-3])(:?[0-5][0-9])?)"
_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_INET = rf"{_OCTET}([.]{_OCTET}){{3}}(/(3[0-2]|[12]?[0-9]))?"
_WORD = "[A-Za-z0-9_]+([ .-][A-Za-z0-9_]+)*"
_TEXTS = rf"\{{({_WORD}(,{_WORD})*)?\}}"

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TWELVE = "(0?[1-9]|1[0-2]):[0-5][0-9](:[0-5][0-9])? ?[AaPp][Mm]"
_CLOCK = f"(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{{1,6}})?)?|{_TWELVE})"

NUMBER_FORMATS = (
    ColumnFormat("", decimal=","),
    ColumnFormat("", decimal=",", thousands="."),
    ColumnFormat("", decimal=",", thousands=" "),
    ColumnFormat("", thousands=","),
    ColumnFormat("", thousands="'"),
    ColumnFormat("", thousands=" "),
)
"""How numbers are written that PostgreSQL does not read."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of values."""

    name: str
    type: str
    """What :attr:`pgsluice.inference.draft.DraftColumn.kind` is of such a column."""
    holds: str
    """SQL of the condition; ``{x}`` stands for the text that PostgreSQL reads."""
    base: str = "text"
    """The type by its name in ``pg_type``, of which the format rewrites the texts."""
    format: ColumnFormat | None = None
    words: bool = False
    """The kind consists of a few words, all of which have to be there."""
    gate: re.Pattern[str] = field(default=_ANY, compare=False)
    """What each value looks like at least. A look at some values spares most of the queries."""

    def text_sql(self, text: str) -> str:
        """SQL of the text that PostgreSQL reads, of the text in the file."""
        return text if self.format is None else rewritten(text, column_of(self.base), self.format, ("",))


def column_of(base: str) -> Column:
    """A column of a type of ``pg_catalog`` without modifier."""
    return replace(text_column(""), base=base, type_sql=base)


def _certain(base: str) -> str:
    """The condition that a rule proves the value."""
    rule = rule_for(column_of(base), utc=False)
    assert rule is not None
    return rule.certain.replace("{v}", f"({rule.value})").replace("{c}", "{x}")


def _shape(pattern: str) -> str:
    return f"regexp_full_match({{x}}, '{pattern}')"


_WRITTEN = (
    f"({_shape(f'{_DAY}( {_CLOCK})?')} AND try_cast(left({{x}}, 10) AS DATE) BETWEEN DATE '0001-01-01' AND"
    " DATE '9999-12-31')"
)
"""Timestamps that a format has written with the year first: their hours may have one digit."""

_JSON = (
    # No escape of a character that jsonb refuses, no exponent that numeric refuses, no depth that ends the stack.
    # DuckDB takes NaN, infinities and a comma behind the last element for JSON.
    "({x}[1] IN ('{', '[') AND strlen({x}) < 100000 AND NOT contains({x}, '\\u') AND json_valid({x})"
    " AND NOT regexp_matches({x}, '[0-9][eE]|(?i:nan|inf)|,\\s*[\\]}]|[\\[{]{30}'))"
)

_PLAIN: tuple[Kind, ...] = (
    Kind("true", "boolean", "lower({x}) IN ('true', 'false')", gate=_BOOLEAN),
    Kind("t", "boolean", "lower({x}) IN ('t', 'f')", words=True, gate=_BOOLEAN),
    Kind("yes", "boolean", "lower({x}) IN ('yes', 'no')", words=True, gate=_BOOLEAN),
    Kind("y", "boolean", "lower({x}) IN ('y', 'n')", words=True, gate=_BOOLEAN),
    # Fifteen digits: longer numbers are codes.
    Kind(
        "integer",
        "integer",
        "(strlen(ltrim({x}, '-')) <= 15 AND try_cast({x} AS BIGINT)::VARCHAR = {x})",
        gate=_PLAIN_NUMBER,
    ),
    Kind(
        "whole",
        "integer",
        _shape("-?(0|[1-9][0-9]{0,14})([.]0+)?"),
        "int8",
        ColumnFormat("", integer_decimals=True),
        gate=_PLAIN_NUMBER,
    ),
    Kind("number", "number", _shape(DECIMALS), gate=_PLAIN_NUMBER),
    Kind(
        "float",
        "float",
        "(strlen({x}) <= 24 AND " + _shape("-?(0|[1-9][0-9]{0,14})([.][0-9]*)?([eE][-+]?[0-9]{1,2})?") + ")",
        gate=_PLAIN_NUMBER,
    ),
    Kind("date", "date", _certain("date"), gate=_ISO),
    Kind("timestamp", "timestamp", _certain("timestamp"), gate=_ISO),
    Kind(
        "zoned",
        "zoned",
        f"({_shape(_ZONED)} AND try_cast(left({{x}}, 16) AS TIMESTAMP) >= TIMESTAMP '0001-01-02')",
        gate=_ISO,
    ),
    Kind("time", "time", _shape(_TIME), gate=re.compile("[0-9]{2}:")),
    Kind("uuid", "uuid", _shape(_UUID), gate=re.compile("[0-9a-fA-F]{8}-")),
    Kind("inet", "inet", _shape(_INET), gate=re.compile("[0-9]{1,3}[.][0-9]{1,3}[.]")),
    Kind("json", "json", _JSON, gate=_BRACE),
    Kind("integers", "integers", _shape(r"\{(-?[0-9]{1,9}(,-?[0-9]{1,9})*)?\}"), gate=_BRACE),
    Kind("texts", "texts", f"({_shape(_TEXTS)} AND NOT regexp_matches({{x}}, '(?i)[{{,]null[,}}]'))", gate=_BRACE),
)


def plain_kinds() -> tuple[Kind, ...]:
    """The kinds that PostgreSQL reads as they are written, in the order in which a column takes them."""
    return _PLAIN


def written_kinds(given: ColumnFormat) -> Iterator[Kind]:
    """The kinds that PostgreSQL reads when a format has rewritten them.

    :param given: what the user said of the column.
    """
    marked = bool(given.strip or given.negative)
    for number, format_ in enumerate((ColumnFormat(""), *NUMBER_FORMATS) if marked else NUMBER_FORMATS):
        gate = _ANY if marked else _SIGNED_NUMBER
        written = replace(format_, strip=given.strip, negative=given.negative)
        yield Kind(f"number{number}", "number", _shape(DECIMALS), "numeric", written, gate=gate)
    language = given.date_language
    for order in (given.date,) if given.date else ("", *DATE_ORDERS) if language else DATE_ORDERS:
        written = ColumnFormat("", date=order, date_language=language)
        gate = _DATE if order in DATE_ORDERS and not language else _ANY
        yield Kind(f"date {order}", "date", _certain("date"), "date", written, gate=gate)
        yield Kind(f"timestamp {order}", "timestamp", _WRITTEN, "timestamp", written, gate=gate)
