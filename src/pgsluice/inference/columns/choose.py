"""The type of each column, from the kinds that all of its values have and from its name."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from pgsluice.inference.columns.facts import common_kinds, count_values
from pgsluice.inference.columns.kinds import Kind, plain_kinds, written_kinds
from pgsluice.inference.columns.special import check_texts
from pgsluice.inference.columns.words import CODES, DATES
from pgsluice.inference.columns.written import ask_for_options, given_format
from pgsluice.inference.draft import DraftColumn, DraftTable
from pgsluice.inference.keys.naming import says_key, words_of
from pgsluice.inference.reading.store import Store
from pgsluice.model import ColumnFormat, FormatRule, Question
from pgsluice.source.typed.rewriting import DATES as DATE_TYPES

_INTEGER = 2**31 - 1
_MOST_ACCEPTED = 12
_FEW_VALUES_FROM = 30

_SIMPLE = {
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "zoned": "timestamptz",
    "time": "time",
    "uuid": "uuid",
    "inet": "inet",
    "json": "jsonb",
    "integers": "integer[]",
    "texts": "text[]",
    "float": "double precision",
}
"""The types of kinds that need no more than a name."""


def choose_types(store: Store, table: DraftTable, rules: Sequence[FormatRule], *, likely: bool) -> list[Question]:
    """Decides the types of the columns of a table.

    :param rules: what the user said of the formats of columns.
    :param likely: take the likely answer of a question.
    :returns: what the values leave open.
    """
    count_values(store, table)
    given = {column: given_format(table, column, rules) for column in table.columns}
    found = common_kinds(store, table, {c: plain_kinds() for c in table.columns})
    written = {c: list(written_kinds(given[c])) for c in table.columns if _may_be_written(store, c, found[c])}
    for column, several in common_kinds(store, table, written).items():
        found[column] += several
    questions: list[Question] = []
    # What is open is looked at last: other columns of the table may make an answer likely.
    open_columns = []
    for column in table.columns:
        if column.filled - column.empties <= 0:
            column.evidence = "no values" if table.rows else "no rows"
            continue
        asked: list[Question] = []
        kind = _kind(store, column, {k.name: k for k in found[column]}, given[column], asked, likely=False)
        if asked:
            open_columns.append(column)
        else:
            _decide(store, column, kind)
            if kind is None and not found[column]:
                questions += ask_for_options(store, column, given[column])
    for column in open_columns:
        kind = _kind(store, column, {k.name: k for k in found[column]}, given[column], questions, likely=likely)
        _decide(store, column, kind)
    return questions


def _decide(store: Store, column: DraftColumn, kind: Kind | None) -> None:
    """Gives the column its type.

    :param kind: the kind that it takes; None for text.
    """
    if kind is not None:
        _take(store, column, kind)
    else:
        check_texts(store, column)
    _find_few_values(store, column)


def _may_be_written(store: Store, column: DraftColumn, found: Sequence[Kind]) -> bool:
    """Whether a column may have numbers or dates in another format: no kind fits, or 1.234 may be 1234."""
    if not found:
        return column.kind == "text"
    names = {kind.name for kind in found}
    if "number" not in names or names & {"integer", "whole"}:
        return False
    c = column.text
    odd = f"count(*) FILTER ({c} <> '' AND NOT regexp_full_match({c}, '-?[1-9][0-9]{{0,2}}([.][0-9]{{3}})*'))"
    return not store.row(f"SELECT {odd} AS n FROM {column.table.store}")["n"]


def _kind(
    store: Store,
    column: DraftColumn,
    by_name: dict[str, Kind],
    given: ColumnFormat,
    questions: list[Question],
    *,
    likely: bool,
) -> Kind | None:
    """The kind that the column takes; None for text."""
    words = frozenset(words_of(column.field))
    for name in ("true", "t", "yes", "y", "integer", "whole"):
        kind = by_name.get(name)
        if kind is None or (kind.words and column.distinct < 2) or (kind.type == "boolean" and column.longest < 1):
            continue
        if kind.type == "integer" and words & CODES:
            return None
        if name == "whole" and not (column.nulls or says_key(column.field)):
            continue
        if name == "integer" and not says_key(column.field) and _is_compact_date(store, column, words):
            return Kind("compact", "date", "")
        return kind
    numbers = [kind for name, kind in by_name.items() if name.startswith("number")]
    if numbers and not words & CODES and not _are_long_codes(store, column):
        return _number(store, column, numbers, given, questions, likely=likely)
    if numbers:
        return None
    if "float" in by_name:
        return None if says_key(column.field) or words & CODES else by_name["float"]
    for name in ("date", "timestamp"):
        if name in by_name:
            return by_name[name]
    dates = [kind for name, kind in by_name.items() if kind.format is not None and kind.base in DATE_TYPES]
    if dates:
        return _date(store, column, dates, questions, likely=likely)
    return next(
        (by_name[n] for n in ("zoned", "time", "uuid", "inet", "json", "integers", "texts") if n in by_name), None
    )


def _are_long_codes(store: Store, column: DraftColumn) -> bool:
    """Whether the values are strings of more digits than a number of things has."""
    c = column.text
    found = store.row(
        f"SELECT bool_or(strlen({c}) > 15) AS long, bool_and(regexp_full_match({c}, '[0-9]*')) AS digits"
        f" FROM {column.table.store}"
    )
    return bool(found["long"] and found["digits"])


def _is_compact_date(store: Store, column: DraftColumn, words: frozenset[str]) -> bool:
    """Whether numbers of eight digits are dates: 20241231 in a column with a name such as ``order_date``."""
    if column.shortest != 8 or column.longest != 8 or not words & DATES:
        return False
    day = f"try_strptime({column.text}, '%Y%m%d')"
    odd = store.row(
        f"SELECT count(*) FILTER ({column.text} IS NOT NULL AND ({day} IS NULL OR NOT (year({day}) BETWEEN 1800 AND"
        f" 2200))) AS n FROM {column.table.store}"
    )
    return not odd["n"]


# ----------------------------------------------------------------------------- numbers and dates in other formats


def _number(
    store: Store,
    column: DraftColumn,
    numbers: list[Kind],
    given: ColumnFormat,
    questions: list[Question],
    *,
    likely: bool,
) -> Kind | None:
    """The format of numbers. A number such as 1,234 or 1.234 alone has two readings."""
    if given.decimal or given.thousands:
        wanted = (given.decimal or ".", given.thousands)
        return next((k for k in numbers if _signs(k)[0] == wanted[0] and wanted[1] in ("", _signs(k)[1])), None)
    readings: dict[str, Kind] = {}
    for kind in numbers:
        readings.setdefault(_signs(kind)[0], kind)
    if len(readings) == 1:
        return numbers[0]
    texts = {point: _example(store, column, kind) for point, kind in readings.items()}
    if len(set(texts.values())) == 1 and _same_everywhere(store, column, list(readings.values())):
        return numbers[0]
    sample = _example(store, column, None)
    scope = _scope(column)
    # The first answer takes the sign for the decimal sign, the second one for the sign between groups of digits.
    answers = (f"--decimal {scope}=,", f"--thousands {scope}=,")
    if "," not in sample:
        answers = (f"--decimal {scope}=.", f"--decimal {scope}=, --thousands {scope}=.")
    best = _by_others(column, readings)
    text = f"values such as {sample!r} are numbers with decimals, or with groups of three digits"
    if best is not None and likely:
        return best
    chosen = "" if best is None else answers[_signs(best)[0] != ("," if "," in sample else ".")]
    questions.append(Question(column.table.name, column.name, text, answers, chosen))
    return None


def _signs(kind: Kind) -> tuple[str, str]:
    """The decimal sign and the sign between groups of digits."""
    return (".", "") if kind.format is None else (kind.format.decimal or ".", kind.format.thousands)


def _by_others(column: DraftColumn, readings: dict[str, Kind]) -> Kind | None:
    """The reading whose decimal sign other columns of the table have."""
    signs = {_sign_of(c) for c in column.table.columns if c.kind == "number" and c is not column}
    return next((kind for sign, kind in readings.items() if signs == {sign}), None)


def _sign_of(column: DraftColumn) -> str:
    return (column.format.decimal or ".") if column.format is not None else "."


def _example(store: Store, column: DraftColumn, kind: Kind | None) -> str:
    """The first value with a sign between digits, as the kind reads it; '' if there is none."""
    text = f"nullif({column.text}, '')"
    shown = text if kind is None else kind.text_sql(text)
    rows = store.rows(
        f"SELECT {shown} FROM {column.table.store} WHERE {text} IS NOT NULL AND regexp_matches({text}, '[.,]') LIMIT 1"
    )
    return str(rows[0][0]) if rows else ""


def _same_everywhere(store: Store, column: DraftColumn, several: list[Kind]) -> bool:
    text = f"nullif({column.text}, '')"
    first, *others = [f"try_cast({kind.text_sql(text)} AS DECIMAL(38, 18))" for kind in several]
    odd = " OR ".join(f"{other} IS DISTINCT FROM {first}" for other in others)
    return not store.row(f"SELECT count(*) FILTER ({odd}) AS n FROM {column.table.store}")["n"]


def _date(
    store: Store, column: DraftColumn, dates: list[Kind], questions: list[Question], *, likely: bool
) -> Kind | None:
    """The order of day, month and year. Without a value that decides, dates with points have the day first."""
    kind = "date" if any(k.type == "date" for k in dates) else "timestamp"
    several = [k for k in dates if k.type == kind]
    text = f"nullif({column.text}, '')"
    first, *others = [f"left({k.text_sql(text)}, 10)" for k in several]
    odd = " OR ".join(f"{other} IS DISTINCT FROM {first}" for other in others) or "false"
    found = store.row(
        f"SELECT count(*) FILTER ({odd}) AS n, any_value({text}) FILTER ({odd}) AS example,"
        f" bool_and(regexp_matches({text}, '^\\s*[0-9]{{1,2}}[.][0-9]{{1,2}}[.][0-9]')) FILTER ({text} IS NOT NULL)"
        f" AS dots FROM {column.table.store}"
    )
    if not found["n"]:
        return several[0]
    by_order = {k.format.date: k for k in several if k.format is not None and k.format.date}
    if found["dots"] and "DMY" in by_order:
        return by_order["DMY"]
    orders = {c.format.date for c in column.table.columns if c.format is not None and c.format.date}
    best = next((k for order, k in by_order.items() if orders == {order}), None)
    if best is not None and likely:
        return best
    answers = tuple(f"--date-format {_scope(column)}={order}" for order in by_order)
    chosen = f"--date-format {_scope(column)}={best.format.date}" if best is not None and best.format else ""
    questions.append(
        Question(
            column.table.name,
            column.name,
            f"dates such as {found['example']!r} have {len(by_order)} readings, and no value of the column decides",
            answers,
            chosen,
        )
    )
    return None


def _scope(column: DraftColumn) -> str:
    return shlex.quote(f"{column.table.name}.{column.name}")


# ----------------------------------------------------------------------------- types


def _take(store: Store, column: DraftColumn, kind: Kind) -> None:
    """Gives the column the type of a kind."""
    column.kind = "timestamp" if kind.type == "zoned" else "array" if kind.type in ("integers", "texts") else kind.type
    column.empty_as_null = column.empties > 0
    if kind.format is not None:
        column.format = replace(kind.format, column=column.name)
    if kind.type == "integer":
        _take_integer(store, column)
    elif kind.type == "number":
        _take_number(store, column, kind)
    else:
        column.type_sql = _SIMPLE[kind.type]
        written = "" if kind.format is None else f", written {kind.format.date or kind.format.date_language}"
        column.evidence = f"{_WORDS.get(kind.type, kind.type)}{written}"


_WORDS = {
    "boolean": "truth values",
    "date": "dates",
    "timestamp": "timestamps",
    "zoned": "timestamps with an offset",
    "time": "times",
    "uuid": "UUIDs",
    "inet": "addresses",
    "json": "JSON",
    "integers": "arrays of integers",
    "texts": "arrays of texts",
    "float": "numbers with exponents",
}


def _take_integer(store: Store, column: DraftColumn) -> None:
    text = value_sql(column)
    found = store.row(f"SELECT min({text}) AS least, max({text}) AS greatest FROM {column.table.store}")
    column.least, column.greatest = found["least"], found["greatest"]
    furthest = max(abs(column.least or 0), abs(column.greatest or 0))
    column.digits = len(str(furthest))
    # A key that has used half of the range will leave it.
    column.type_sql = "bigint" if furthest > (_INTEGER // 2 if says_key(column.field) else _INTEGER) else "integer"
    column.evidence = f"{column.least} to {column.greatest}" if column.least != column.greatest else f"{column.least}"


def _take_number(store: Store, column: DraftColumn, kind: Kind) -> None:
    x = kind.text_sql(f"nullif({column.text}, '')")
    found = store.row(
        "SELECT max(CASE WHEN contains(x, '.') THEN strlen(x) - strpos(x, '.') ELSE 0 END) AS decimals,"
        " max(strlen(regexp_replace(x, '^-|[.].*$', '', 'g'))) AS digits,"
        " min(try_cast(x AS DOUBLE)) AS least, max(try_cast(x AS DOUBLE)) AS greatest"
        f" FROM (SELECT {x} AS x FROM {column.table.store})"
    )
    decimals, digits = found["decimals"], found["digits"]
    column.decimals, column.digits = decimals, digits
    if not decimals and digits <= 15:
        # Only the signs between groups of digits made them no integers.
        column.kind = "integer"
        _take_integer(store, column)
        return
    if decimals > 8:
        column.type_sql = "numeric"
    else:
        scale = 2 if decimals == 1 else decimals
        precision = next(p for p in (10, 12, 14, 18, 24, 30, 38) if p >= digits + scale + (2 if digits < 16 else 0))
        column.type_sql = f"numeric({precision}, {scale})"
    column.evidence = f"{found['least']:g} to {found['greatest']:g}, {decimals} decimals"
    if column.format is not None:
        sign = column.format.decimal or "."
        column.evidence += f", decimal sign {sign}"


def value_sql(column: DraftColumn) -> str:
    """SQL of the value of a column: equal where PostgreSQL takes two texts for the same value."""
    text = f"nullif({column.text}, '')" if column.empty_as_null else column.text
    if column.format is not None:
        base = {"integer": "int8", "number": "numeric"}.get(column.kind, column.kind)
        text = Kind("", "", "", base, column.format).text_sql(text)
    cast = {
        "integer": "BIGINT",
        "number": "DECIMAL(38, 18)",
        "float": "DOUBLE",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
        "uuid": "UUID",
    }.get(column.kind)
    if column.type_sql == "timestamptz":
        cast = None
    if cast == "DATE" and column.longest == 8:
        return f"try_strptime({text}, '%Y%m%d')::DATE"
    return f"try_cast({text} AS {cast})" if cast else text


def _find_few_values(store: Store, column: DraftColumn) -> None:
    """Notes the values of a column of text that has few values, which a CHECK may list."""
    few = column.kind == "text" and 2 <= column.distinct <= _MOST_ACCEPTED and column.longest <= 40
    if few and column.filled >= _FEW_VALUES_FROM * column.distinct:
        rows = store.rows(f"SELECT DISTINCT {column.text} FROM {column.table.store} WHERE {column.text} IS NOT NULL")
        column.accepted = tuple(sorted(str(row[0]) for row in rows))
