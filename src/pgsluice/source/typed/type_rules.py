"""TODO pgsluice.source.typed.type_rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgsluice.model import Column

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Rule:
    """How one type travels in binary: SQL over the column's text, ``{c}`` the text, ``{v}`` the value.

    ``certain`` holds when ``{v}`` is what PostgreSQL would store for ``{c}``; it is only asked of
    values that are not NULL, and NULL counts as no. ``{s}`` stands for the number of decimals that most of
    the file's values have, where the type does not say it.
    """

    value: str
    certain: str
    jsonb: bool = False

    @property
    def scaled(self) -> bool:
        return "{s}" in self.value

    def value_sql(self, i: int, scale: int) -> str:
        """The typed value of column ``c<i>``."""
        return _filled(self.value, i, scale)

    def certain_sql(self, i: int) -> str:
        """Whether the value of column ``c<i>`` is certain."""
        return _filled(self.certain, i)


_PLACE = re.compile(r"\{([cvs])\}")


def _filled(template: str, i: int, scale: int = 0) -> str:
    # In one pass, so that a place cannot be seen in what was put into another; labels of an enum come in
    # by sql_quote, which leaves none in them.
    return _PLACE.sub(lambda m: str(scale) if m[1] == "s" else f"{m[1]}{i}", template)


def sql_quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _integer(duck: str) -> Rule:
    return Rule(f"try_cast({{c}} AS {duck})", "{v}::VARCHAR = {c}")


# Both sides read a plain decimal text by correct rounding (fast_float here, strtod there), so any plain
# decimal of moderate length is the same double; exponents, hex and names of infinities go to PostgreSQL.
_FLOAT_CERTAIN = "(strlen({c}) <= 24 AND regexp_full_match({c}, '-?[0-9]+([.][0-9]+)?') AND {v} IS NOT NULL)"


_UUID_SHAPE = "'[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}'"


# ISO dates and times with a four-digit year are read the same under every DateStyle. The shape leaves the
# fields' ranges to DuckDB's cast, which knows the calendar; it excludes what the two engines disagree
# about: hour 24, second 60, a seventh digit (rounded there, cut here). The year 0000 is checked by value.
_DATE_SHAPE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


# A modifier such as timestamp(0) is applied by the binary receive functions as by the input functions.
_TIME_SHAPE = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"


_YEARS = "{v} >= '0001-01-01' AND {v} < '10000-01-01'"


# More labels than this are not worth an IN list for each value.
_MAX_LABELS = 200


def rule_for(column: Column, *, utc: bool) -> Rule | None:
    """The rule by which values of this column may travel in binary; None: they never may.

    :param utc: the session's TimeZone is UTC, so a timestamptz without a zone is the same instant here.
    """
    if column.kind == "e" or (column.kind == "d" and column.labels):
        if not column.labels or len(column.labels) > _MAX_LABELS:
            return None
        # No brace of a label may look like a place in the rule.
        labels = ", ".join(sql_quote(label).replace("{", "' || chr(123) || '") for label in column.labels)
        return Rule("{c}", f"{{c}} IN ({labels})")
    if column.base_schema != "pg_catalog":
        return None
    modifier = column.base_typmod
    match column.base:
        case "int2":
            return _integer("SMALLINT")
        case "int4":
            return _integer("INTEGER")
        case "int8":
            return _integer("BIGINT")
        case "numeric":
            # typmod - 4 packs precision and (from 15 on, eleven signed bits of) scale: numeric.c.
            if modifier < 4:
                # The number of decimals is part of the value: '1.50' stays '1.50'. Those that have as many as
                # most of the file's values travel in binary. Eighteen digits fit a machine word.
                return Rule("try_cast({c} AS DECIMAL(18,{s}))", "{v}::VARCHAR = {c}")
            precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
            if precision > 38 or scale > precision:
                return None
            # A plain decimal with no more decimals than the column has is not rounded by either side.
            decimals = f"([.][0-9]{{1,{scale}}})?" if scale else ""
            return Rule(
                f"try_cast({{c}} AS DECIMAL({precision},{scale}))",
                f"{_shaped(f'-?[0-9]+{decimals}')} AND {{v}} IS NOT NULL",
            )
        case "float8":
            return Rule("try_cast({c} AS DOUBLE)", _FLOAT_CERTAIN)
        case "float4":
            return Rule("try_cast({c} AS FLOAT)", _FLOAT_CERTAIN + " AND isfinite({v})")
        case "bool":
            # Ten words in any case, all of which boolin() takes as well, and the same way; what it takes
            # beyond them (on, off, prefixes, blanks around) goes to PostgreSQL. Naming the words in SQL costs
            # ten times as much.
            return Rule("try_cast({c} AS BOOLEAN)", "{v} IS NOT NULL")
        case "text":
            return Rule("{c}", "true")
        case "varchar" | "bpchar":
            if modifier < 4:
                return Rule("{c}", "true")
            # The limit counts characters; the cheap test on bytes decides nearly always.
            limit = modifier - 4
            return Rule("{c}", f"(strlen({{c}}) <= {limit} OR length({{c}}) <= {limit})")
        case "date":
            return Rule("try_cast({c} AS DATE)", f"{_shaped(_DATE_SHAPE)} AND {_YEARS}")
        case "timestamp":
            shape = f"{_DATE_SHAPE}([ T]{_TIME_SHAPE})?"
            return Rule("try_cast({c} AS TIMESTAMP)", f"{_shaped(shape)} AND {_YEARS}")
        case "timestamptz":
            # Only instants that say they are UTC, or say nothing in a session that lives in UTC. DuckDB's
            # TIMESTAMP of a text with an offset is the instant in UTC.
            zone = "([+]00(:00)?|Z)" + ("?" if utc else "")
            shape = f"{_DATE_SHAPE}[ T]{_TIME_SHAPE}{zone}"
            return Rule("try_cast({c} AS TIMESTAMP)", f"{_shaped(shape, '+00')} AND {_YEARS}")
        case "time":
            return Rule("try_cast({c} AS TIME)", f"{_shaped(_TIME_SHAPE)} AND {{v}} IS NOT NULL")
        case "uuid":
            return Rule(
                f"CASE WHEN regexp_full_match({{c}}, {_UUID_SHAPE}) THEN unhex(replace({{c}}, '-', '')) END",
                "{v} IS NOT NULL",
            )
        case "bytea":
            return Rule(
                r"CASE WHEN regexp_full_match({c}, '\\x([0-9a-fA-F]{2})*') THEN unhex(substr({c}, 3)) END",
                "{v} IS NOT NULL",
            )
        # json_recv and jsonb_recv parse the text that they are sent, as the input functions do.
        case "json":
            return Rule("{c}", "true")
        case "jsonb":
            return Rule("{c}", "true", jsonb=True)
    return None


def _shaped(shape: str, suffix: str = "") -> str:
    """The text has this shape. The canonical text of the value has it for certain, and comparing with that
    costs a third of a regular expression, so it is asked first.
    """
    canonical = "{v}::VARCHAR" + (f" || '{suffix}'" if suffix else "")
    return f"CASE WHEN {{c}} = {canonical} THEN true ELSE regexp_full_match({{c}}, '{shape}') END"
