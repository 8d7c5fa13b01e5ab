"""Rules for DuckDB: for each type, the SQL that makes a typed value of a text, and the SQL that proves it *certain*.

A value is certain if PostgreSQL's input function would store exactly the value that DuckDB made of the text. Most rules
prove this by a round trip: the typed value, written as text again, is the same text. Then DuckDB cannot have read
'1.5' as 2, '0x1F' as 31, or a timestamp without its seventh decimal. Other rules prove it by the shape of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pgsluice.model import Column

INTEGERS = frozenset({"int2", "int4", "int8"})
NUMBERS = INTEGERS | {"numeric", "float4", "float8"}
"""Types of numbers, by the name in ``pg_type``."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How the values of one type become typed: two templates of SQL.

    ``{c}`` stands for the text of the field and ``{v}`` for the typed value. ``{s}`` stands for the number of decimals
    that most values of the file have, where the type does not say it.
    """

    value: str
    """The typed value; NULL for a text that the type does not have."""
    certain: str
    """True if ``{v}`` is what PostgreSQL would store for ``{c}``. NULL counts as false. The condition is evaluated only
    for fields that are not NULL."""
    jsonb: bool = False
    """The value is sent as jsonb, which has a version number in front of its text (``jsonb_recv()``)."""

    @property
    def scaled(self) -> bool:
        """Whether the typed value needs the number of decimals."""
        return "{s}" in self.value

    def value_sql(self, i: int, scale: int) -> str:
        """SQL of the typed value of column ``c<i>``.

        :param scale: the number of decimals, if the rule is ``scaled``.
        """
        return _filled(self.value, i, scale)

    def certain_sql(self, i: int) -> str:
        """SQL of the condition that the value of column ``c<i>`` is certain."""
        return _filled(self.certain, i)


_PLACE = re.compile(r"\{([cvs])\}")


def _filled(template: str, i: int, scale: int = 0) -> str:
    """The template for column ``i``: ``{c}`` becomes ``c<i>``, ``{v}`` becomes ``v<i>``, ``{s}`` becomes the scale."""
    # One pass, so that no place is replaced in a text that replaced another place.
    return _PLACE.sub(lambda m: str(scale) if m[1] == "s" else f"{m[1]}{i}", template)


def evaluated(value: str, body: str, name: str = "m") -> str:
    """SQL of ``body``, in which ``name`` stands for ``value``: the lambda of a list makes DuckDB evaluate it once."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"


def sql_quote(text: str) -> str:
    """The text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def rule_for(column: Column, *, utc: bool) -> Rule | None:
    """The rule for the values of a column.

    :param utc: the session's TimeZone is UTC, so a timestamptz without an offset is the same instant in DuckDB.
    :returns: the rule; None if values of the column always go to PostgreSQL as text.
    """
    if column.kind == "e" or (column.kind == "d" and column.labels):
        return _enum(column.labels)
    if column.base_schema != "pg_catalog":
        return None
    if column.base in _FIXED:
        return _FIXED[column.base]
    if column.base == "timestamptz":
        return _timestamptz(utc=utc)
    by_modifier = _BY_MODIFIER.get(column.base)
    return by_modifier(column.base_typmod) if by_modifier is not None else None


# More labels than this make an IN list for each value too expensive.
_MAX_LABELS = 200


def _enum(labels: tuple[str, ...]) -> Rule | None:
    if not labels or len(labels) > _MAX_LABELS:
        return None
    # A label must not look like a place of the template, so no label keeps a brace.
    listed = ", ".join(sql_quote(label).replace("{", "' || chr(123) || '") for label in labels)
    return Rule("{c}", f"{{c}} IN ({listed})")


# ----------------------------------------------------------------------------- numbers


def _integer(duck: str) -> Rule:
    """:param duck: DuckDB's name of the type."""
    return Rule(f"try_cast({{c}} AS {duck})", "{v}::VARCHAR = {c}")


# DuckDB (fast_float) and PostgreSQL (strtod) both round a plain decimal correctly, so any plain decimal of moderate
# length is the same double in both; exponents, hexadecimal and the names of infinities go to PostgreSQL.
_FLOAT_CERTAIN = "(strlen({c}) <= 24 AND regexp_full_match({c}, '-?[0-9]+([.][0-9]+)?') AND {v} IS NOT NULL)"


def precision_and_scale(modifier: int) -> tuple[int, int]:
    """Precision and scale of a numeric (numeric.c); a negative scale becomes a scale above the precision.

    :param modifier: ``pg_attribute.atttypmod``, at least 4. ``atttypmod - 4`` packs the precision and (from PostgreSQL
        15 on, as eleven signed bits) the scale.
    """
    return (modifier - 4) >> 16, (modifier - 4) & 0x7FF


def _numeric(modifier: int) -> Rule | None:
    if modifier < 4:
        # The number of decimals is part of the value: '1.50' stays '1.50'. Values with as many decimals as most of the
        # file's values are certain. Eighteen digits fit a machine word.
        return Rule("try_cast({c} AS DECIMAL(18,{s}))", "{v}::VARCHAR = {c}")
    precision, scale = precision_and_scale(modifier)
    if precision > 38 or scale > precision:
        return None
    # Neither DuckDB nor PostgreSQL rounds a plain decimal that has no more decimals than the column.
    decimals = f"([.][0-9]{{1,{scale}}})?" if scale else ""
    return Rule(
        f"try_cast({{c}} AS DECIMAL({precision},{scale}))",
        f"{_shaped(f'-?[0-9]+{decimals}')} AND {{v}} IS NOT NULL",
    )


# ----------------------------------------------------------------------------- text


def _character(modifier: int) -> Rule:
    """varchar and char. :param modifier: ``typmod - 4`` is the limit in characters."""
    if modifier < 4:
        return Rule("{c}", "true")
    # The limit counts characters; the cheap comparison of bytes nearly always suffices.
    limit = modifier - 4
    return Rule("{c}", f"(strlen({{c}}) <= {limit} OR length({{c}}) <= {limit})")


# ----------------------------------------------------------------------------- dates and times

# ISO dates and times with a four-digit year mean the same under every DateStyle. The shape leaves the
# fields' ranges to DuckDB's cast, which knows the calendar; the shape excludes the texts that the two engines read
# differently: hour 24, second 60, a seventh digit (PostgreSQL rounds, DuckDB cuts). The year 0000 is excluded by value.
_DATE_SHAPE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

# A modifier such as timestamp(0) is applied by the binary receive functions as by the input functions.
_TIME_SHAPE = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"

_YEARS = "{v} >= '0001-01-01' AND {v} < '10000-01-01'"


def _shaped(shape: str, suffix: str = "") -> str:
    """The condition that the text has this shape.

    The canonical text of the value has the shape for certain. Comparing with the canonical text costs a third of a
    regular expression, so the comparison comes first.

    :param suffix: what the canonical text has behind DuckDB's text of the value.
    """
    canonical = "{v}::VARCHAR" + (f" || '{suffix}'" if suffix else "")
    return f"CASE WHEN {{c}} = {canonical} THEN true ELSE regexp_full_match({{c}}, '{shape}') END"


def _timestamptz(*, utc: bool) -> Rule:
    """Instants with an offset of zero, and, in a session in UTC, without an offset."""
    # DuckDB's TIMESTAMP of a text with an offset is the instant in UTC.
    zone = "([+]00(:00)?|Z)" + ("?" if utc else "")
    shape = f"{_DATE_SHAPE}[ T]{_TIME_SHAPE}{zone}"
    return Rule("try_cast({c} AS TIMESTAMP)", f"{_shaped(shape, '+00')} AND {_YEARS}")


# ----------------------------------------------------------------------------- all types

_UUID_SHAPE = "'[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}'"

_FIXED = {
    "int2": _integer("SMALLINT"),
    "int4": _integer("INTEGER"),
    "int8": _integer("BIGINT"),
    "float8": Rule("try_cast({c} AS DOUBLE)", _FLOAT_CERTAIN),
    "float4": Rule("try_cast({c} AS FLOAT)", _FLOAT_CERTAIN + " AND isfinite({v})"),
    # DuckDB casts ten words, in upper or lower case, and boolin() reads all of them with the same meaning. The words
    # that boolin() reads beyond them (on, off, prefixes, blanks around) go to PostgreSQL. A list of the words in SQL
    # would cost ten times as much.
    "bool": Rule("try_cast({c} AS BOOLEAN)", "{v} IS NOT NULL"),
    "text": Rule("{c}", "true"),
    "date": Rule("try_cast({c} AS DATE)", f"{_shaped(_DATE_SHAPE)} AND {_YEARS}"),
    "timestamp": Rule("try_cast({c} AS TIMESTAMP)", f"{_shaped(f'{_DATE_SHAPE}([ T]{_TIME_SHAPE})?')} AND {_YEARS}"),
    "time": Rule("try_cast({c} AS TIME)", f"{_shaped(_TIME_SHAPE)} AND {{v}} IS NOT NULL"),
    "uuid": Rule(
        f"CASE WHEN regexp_full_match({{c}}, {_UUID_SHAPE}) THEN unhex(replace({{c}}, '-', '')) END",
        "{v} IS NOT NULL",
    ),
    "bytea": Rule(
        r"CASE WHEN regexp_full_match({c}, '\\x([0-9a-fA-F]{2})*') THEN unhex(substr({c}, 3)) END",
        "{v} IS NOT NULL",
    ),
    # json_recv() and jsonb_recv() parse the text that they receive, as the input functions do.
    "json": Rule("{c}", "true"),
    "jsonb": Rule("{c}", "true", jsonb=True),
}
"""Rules of types without modifier, or whose modifier does not matter, by the name in ``pg_type``."""

_BY_MODIFIER: dict[str, Callable[[int], Rule | None]] = {
    "numeric": _numeric,
    "varchar": _character,
    "bpchar": _character,
}
"""Makers of rules from ``pg_attribute.atttypmod``, by the name in ``pg_type``."""
