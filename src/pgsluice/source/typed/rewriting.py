"""Rewriting: SQL for DuckDB that changes the text of a field as the format of its column says.

PostgreSQL reads the new text. A text that the format does not fit must not be read in another way: where PostgreSQL
could read the text, a note in brackets is appended, so that PostgreSQL refuses the text and its message tells why.
"""

from __future__ import annotations

from collections.abc import Sequence

from pgsluice.model import DATE_ORDERS, EXCEL, Column, ColumnFormat
from pgsluice.source.typed.type_rules import INTEGERS, NUMBERS, evaluated, sql_quote
from pgsluice.source.values.months import with_english_month

DATES = frozenset({"date", "timestamp", "timestamptz"})
"""Types whose texts ``--date-format`` rewrites, by the name in ``pg_type``."""

NUMERIC_DATE = "^[^0-9A-Za-z]*([0-9]{1,2})[^0-9A-Za-z:]+([0-9]+)[^0-9A-SU-Za-su-z:]+([0-9]+)"
"""Every text that PostgreSQL reads as different dates under different orders of DateStyle matches this expression.

The first number of such a date has at most two digits (``DecodeNumber()`` in datetime.c takes three digits for a year),
and no month has a name. ParseDateTime() skips punctuation and takes nearly any of it between the numbers. The three
groups are the numbers."""

_PLAIN_DATE = r"(?s)^(\s*)([0-9]{1,2})([-/. ])([0-9]{1,2})([-/. ])([0-9]{1,2}|[0-9]{4})($|[^0-9].*$)"
"""The dates that are rewritten: three numbers with the same sign between them, the year with two or four digits."""

_USUAL_DATE = "^[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ][0-9]{4}($|[^0-9])"

_INVISIBLE = (
    r"[\s\x{0085}\x{00A0}\x{1680}\x{180E}\x{2000}-\x{200F}\x{2028}\x{2029}\x{202F}\x{205F}-\x{2064}\x{3000}\x{FEFF}]"
)
_BLANK = r"[\s\x{00A0}\x{2007}\x{2009}\x{202F}]"
_BLANKS = frozenset(" \u00a0\u2007\u2009\u202f")
_APOSTROPHES = frozenset("'\u2019")


def rewritten(text: str, column: Column, format_: ColumnFormat, null_texts: Sequence[str]) -> str:
    """SQL of the text that PostgreSQL reads.

    :param text: SQL of the text in the file.
    :param null_texts: the texts that mean NULL. In columns that are not text, a text that is only trimmed to such a
        text means NULL too.
    """
    found = text
    if format_.trim:
        found = f"regexp_replace({found}, '^{_INVISIBLE}+|{_INVISIBLE}+$', '', 'g')"
        if not column.is_text:
            nulls = ", ".join(sql_quote(null) for null in null_texts)
            found = f"CASE WHEN {found} IN ({nulls}) THEN NULL ELSE {found} END"
    if column.base in DATES and format_.date_language:
        english = with_english_month(found, format_.date_language, format_.date if "%" in format_.date else "")
        return evaluated(english, _date("english", format_.date), "english") if format_.date else english
    if column.base in DATES and format_.date:
        return _date(found, format_.date)
    if column.base in NUMBERS or (column.base == "money" and format_.money):
        return _number(found, column, format_)
    if column.base == "bool" and (format_.true or format_.false):
        return _boolean(found, format_)
    return found


def _refused(text: str, note: str) -> str:
    """SQL of the text with a note that no input function accepts."""
    return f"{text} || {sql_quote(f' ({note})')}"


# ----------------------------------------------------------------------------- dates


def _date(text: str, format_: str) -> str:
    if format_ == EXCEL:
        return _day_number(text)
    if format_ in DATE_ORDERS:
        return _ordered_date(text, format_)
    parsed = f"try_strptime({text}, {sql_quote(format_)})"
    # A pattern names what a value has; a value that it does not fit could be a date to PostgreSQL all the same.
    return (
        f"CASE WHEN {parsed} IS NOT NULL THEN strftime({parsed}, '%Y-%m-%d %H:%M:%S.%f')"
        f" ELSE {_refused(text, f'not {format_}')} END"
    )


def _ordered_date(text: str, order: str) -> str:
    """SQL that writes numeric dates with the year first."""
    usual = ""
    if order != "YMD":
        # Nearly all dates have this shape, and groups of a regular expression take much longer.
        usual = f" WHEN regexp_matches({text}, '{_USUAL_DATE}') THEN {evaluated(_two_digits(text), _usual(order))}"
    parts = f"regexp_extract({text}, '{_PLAIN_DATE}', ['p', 'a', 's', 'b', 't', 'y', 'r'])"
    refused = _refused(text, f"not {order}")
    # A usual date that is none in this order is NULL, and so is a text of another shape.
    written = (
        f"CASE{usual} WHEN NOT regexp_matches({text}, '{NUMERIC_DATE}') THEN {text}"
        f" ELSE {evaluated(parts, _from_parts(order))} END"
    )
    return f"CASE WHEN {text} IS NULL THEN NULL ELSE coalesce({written}, {refused}) END"


def _two_digits(text: str) -> str:
    """SQL of a date whose first two numbers have two digits each."""
    signs = "('-', '/', '.', ' ')"
    first = f"CASE WHEN substr({text}, 2, 1) IN {signs} THEN concat('0', {text}) ELSE {text} END"
    padded = f"CASE WHEN substr(m, 5, 1) IN {signs} THEN concat(substr(m, 1, 3), '0', substr(m, 4)) ELSE m END"
    return evaluated(first, padded)


def _usual(order: str) -> str:
    """SQL that writes a date ``m`` with two digits, two digits and four digits with the year first, or NULL."""
    month, day = (4, 1) if order == "DMY" else (1, 4)
    iso = f"concat(substr(m, 7, 4), '-', substr(m, {month}, 2), '-', substr(m, {day}, 2)"
    fits = f"substr(m, 3, 1) = substr(m, 6, 1) AND try_cast({iso}) AS DATE) IS NOT NULL"
    return f"CASE WHEN {fits} THEN {iso}, substr(m, 11)) END"


def _from_parts(order: str) -> str:
    """SQL that writes a date with the year first; NULL if the date does not fit the order.

    ``m`` has its parts: what stands before it, the first number, a sign, the second number, a sign, the third number
    and the rest.
    """
    numbers = dict(zip(order, ("m.a", "m.b", "m.y"), strict=True))
    year, month, day = numbers["Y"], numbers["M"], numbers["D"]
    # Two digits mean 1970 to 2069, as in ValidateDate() of datetime.c.
    since = f"CASE WHEN try_cast({year} AS INT) < 70 THEN '20' ELSE '19' END || lpad({year}, 2, '0')"
    whole = f"CASE WHEN length({year}) = 4 THEN {year} ELSE {since} END"
    iso = f"({whole} || '-' || lpad({month}, 2, '0') || '-' || lpad({day}, 2, '0'))"
    shaped = f"m.s <> '' AND m.s = m.t AND length({day}) <= 2"
    # PostgreSQL does not add a century to a year before Christ.
    clear = f"(length({year}) = 4 OR NOT regexp_matches(m.r, '(?i)bc'))"
    fits = f"{shaped} AND {clear} AND try_cast({iso} AS DATE) IS NOT NULL"
    return f"CASE WHEN {fits} THEN m.p || {iso} || m.r END"


def _day_number(text: str) -> str:
    """SQL that writes the day numbers of spreadsheet programs as timestamps.

    Day 1 is 1900-01-01, and day 60 does not exist: programs take 1900 for a leap year. Fractions are rounded to
    milliseconds, the precision of these programs.
    """
    number = f"try_cast(trim({text}) AS DECIMAL(24, 16))"
    day = f"CAST(floor({number}) AS INT)"
    moment = (
        f"(DATE '1899-12-30' + {day} + CASE WHEN {day} < 60 THEN 1 ELSE 0 END)"
        f" + to_milliseconds(CAST(round(({number} - floor({number})) * 86400000) AS BIGINT))"
    )
    plain = f"regexp_full_match({text}, ' *[0-9]{{1,7}}([.][0-9]{{0,16}})? *')"
    return (
        f"CASE WHEN {plain} AND {number} >= 1 AND {day} <> 60 AND {day} < 2958466"
        f" THEN strftime({moment}, '%Y-%m-%d %H:%M:%S.%g')"
        f" WHEN {plain} OR regexp_matches({text}, '{NUMERIC_DATE}') THEN {_refused(text, 'no day number')}"
        f" ELSE {text} END"
    )


# ----------------------------------------------------------------------------- numbers


def _number(text: str, column: Column, format_: ColumnFormat) -> str:
    found = _without_marks(text, format_.strip)
    if format_.negative:
        found = _with_minus(found, format_)
    if format_.decimal or format_.thousands:
        found = _plain_number(found, format_.decimal or ".", format_.thousands, format_.money)
    elif format_.money:
        found = _money(found, format_.money)
    if format_.integer_decimals and column.base in INTEGERS:
        found = f"regexp_replace({found}, '^({_BLANK}*[-+]?[0-9]+)[.]0*({_BLANK}*)$', '\\1\\2')"
    return found


def _without_marks(text: str, marks: Sequence[str]) -> str:
    """SQL of a number without a mark before and behind it, such as a currency."""
    if not marks:
        return text
    either = "|".join(_literal(mark) for mark in marks)
    found = f"regexp_replace({text}, {sql_quote(f'^({_BLANK}*[-+]?){_BLANK}*(?:{either}){_BLANK}*')}, '\\1')"
    return f"regexp_replace({found}, {sql_quote(f'{_BLANK}*(?:{either})({_BLANK}*)$')}, '\\1')"


def _with_minus(text: str, format_: ColumnFormat) -> str:
    """SQL that writes a number below zero with a minus in front.

    What stands for the number has digits and no sign of its own. Marks such as a currency may stand inside: ``(€ 5)``.
    """
    cases = ""
    for form in format_.negative:
        before, _, behind = (f"{_BLANK}*".join(_literal(c) for c in part.strip()) for part in form.partition("#"))
        number = f"{_BLANK}*{before}{_BLANK}*([^-+]*[0-9][^-+]*?){_BLANK}*{behind}{_BLANK}*"
        found = f"regexp_extract({text}, {sql_quote(f'(?s)^{number}$')}, 1)"
        minus = _without_marks(f"concat('-', {found})", format_.strip)
        cases += f" WHEN regexp_full_match({text}, {sql_quote(f'(?s){number}')}) THEN {minus}"
    return f"CASE{cases} ELSE {text} END"


def _money(text: str, point: str) -> str:
    """SQL that refuses an amount of money that the server would read with other digits in front of the point.

    The input function of money (``cash_in()``, cash.c) skips the sign between groups wherever it stands: with a point
    as the decimal sign, ``12,50`` would be 1250.
    """
    group = "," if point == "." else "."
    lone = f"{_literal(group)}([0-9]{{1,2}}|[0-9]{{4,}})?([^0-9]|$)"
    note = _refused(text, f"decimal sign {point}")
    return f"CASE WHEN regexp_matches({text}, {sql_quote(lone)}) THEN {note} ELSE {text} END"


def _plain_number(text: str, decimal: str, thousands: str, money: str = "") -> str:
    """SQL that writes a number with a decimal point and without a sign between its digits.

    :param thousands: '' if there is no such sign.
    :param money: the decimal sign to write for the type money; '' for other types.
    """
    point = _literal(decimal)
    digits = "[0-9]+"
    group = ""
    if thousands:
        group = _same_signs(thousands)
        # The second form is the Indian one: 12,34,567.
        grouped = f"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]{{1,2}}(?:{group}[0-9]{{2}})+{group}[0-9]{{3}}"
        digits = f"(?:[0-9]+|{grouped})"
    shape = f"{_BLANK}*[-+]?(?:{digits}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][-+]?[0-9]+)?{_BLANK}*"
    bare = f"regexp_replace({text}, {sql_quote(f'{_BLANK}' + (f'|{group}' if group else ''))}, '', 'g')"
    plain = f"replace({bare}, {sql_quote(decimal)}, {sql_quote(money or '.')})"
    rest = text
    if money:
        # PostgreSQL would skip signs.
        rest = (
            f"CASE WHEN regexp_matches({text}, '[.,]') THEN {_refused(text, f'decimal sign {decimal}')} ELSE {text} END"
        )
    elif decimal != ".":
        # PostgreSQL would take the point for a decimal point.
        rest = f"CASE WHEN contains({text}, '.') THEN {_refused(text, f'decimal sign {decimal}')} ELSE {text} END"
    return f"CASE WHEN regexp_full_match({text}, {sql_quote(shape)}) THEN {plain} ELSE {rest} END"


def _same_signs(sign: str) -> str:
    """A regular expression of the characters that programs write for the same sign between digits."""
    if sign in _BLANKS:
        return _BLANK
    if sign in _APOSTROPHES:
        return "['\u2019]"
    return _literal(sign)


def _literal(text: str) -> str:
    """A regular expression (RE2) of the text itself."""
    return "".join(c if c.isalnum() or ord(c) > 127 else f"\\x{{{ord(c):02x}}}" for c in text)


# ----------------------------------------------------------------------------- truth values


def _boolean(text: str, format_: ColumnFormat) -> str:
    cases = ""
    for words, value in ((format_.true, "true"), (format_.false, "false")):
        if words:
            listed = ", ".join(f"lower({sql_quote(word)})" for word in words)
            cases += f" WHEN lower(trim({text})) IN ({listed}) THEN '{value}'"
    return f"CASE{cases} ELSE {text} END"
