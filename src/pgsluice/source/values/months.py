"""Dates whose months have names of a language: ``3. März 2024``, ``12 déc. 2023``, ``1º de março de 2024``.

:mod:`pgsluice.languages` has the names.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterable, Mapping, Sequence

from pgsluice.languages import Language, languages
from pgsluice.source.typed.type_rules import evaluated, sql_quote

_ENGLISH = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""The names that PostgreSQL and patterns of dates know."""

_WORD = re.compile(r"[^\W\d_]+")

_BLANK = "[\\s\u00a0\u202f]"
_SIGNS = f"(?:{_BLANK}|[-./])*"
_ORDINAL = "(?:\\.|er|re|[ºª°])?"
_OF = f"(?:{_BLANK}+del?{_BLANK}+|{_BLANK}+d['\u2019])"
_YEAR = f"(?:{_BLANK}*(?:г\\.?|года|р\\.?|року))?"
"""Russian, Bulgarian and Ukrainian write the word year behind its number."""

_REST = re.compile(r"(?:[ T,]{1,2}[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?\s*(?:\(not .*)?")
"""What PostgreSQL reads behind a date, and the note of a date that a pattern does not fit."""


def _date_forms(language: Language) -> tuple[str, ...]:
    """Regular expressions (RE2, and Python's) of the forms of a date, with the groups ``d``, ``w``, ``y``, ``r``: day,
    name of the month, year, rest.
    """
    weekday = f"(?:(?:{_either(language.days)})[.,]*{_BLANK}+)?"
    day, month, year, rest = (
        "(?P<d>[0-9]{1,2})",
        f"(?P<w>{_month_words(language)})",
        "(?P<y>[0-9]{4})",
        "(?P<r>|[^0-9].*)",
    )
    either = "(?P<y>[0-9]{4}|[0-9]{2})"
    begin = f"(?is)^{_BLANK}*{weekday}"
    return (
        f"{begin}{day}{_ORDINAL}(?:{_OF}|{_SIGNS}){month}(?:\\.?{_OF}|,?{_SIGNS}){either}{_YEAR}{rest}$",
        f"{begin}{month}\\.?{_BLANK}+{day}{_ORDINAL}(?:,{_BLANK}*|{_BLANK}+){year}{rest}$",
        f"{begin}{year}{_SIGNS}{month}{_SIGNS}{day}\\.?{rest}$",
    )


def _month_words(language: Language) -> str:
    """A regular expression of all names of months."""
    return _either(word for words in language.months for word in words)


def _either(words: Iterable[str]) -> str:
    """A regular expression of one of the words, the longest first."""
    return "|".join(sorted((re.escape(word) for word in words), key=len, reverse=True))


# ----------------------------------------------------------------------------- rewriting


def with_english_month(text: str, code: str, pattern: str) -> str:
    """SQL for DuckDB that writes the month of a date so that PostgreSQL, or a pattern, reads it.

    A date with a year of four digits gets the form of ISO 8601. With a year of two digits the order stays, and the
    month gets its English name. Any other text stays as it is; PostgreSQL knows the English names only.

    :param text: SQL of the text.
    :param code: the code of the language.
    :param pattern: the pattern that reads the date afterwards: then only the name of the month changes; '' for none.
    """
    language = languages()[code]
    if pattern:
        name = _month(language, [n if "%B" in pattern else n[:3] for n in _ENGLISH])
        # The point of an abbreviation goes, unless the pattern has it.
        dot = "" if re.search(r"%[bB]\.", pattern) else "\\.?"
        found = f"(?is)^(|.*[^\\pL])({_month_words(language)}){dot}([^\\pL].*|)$"
        return f"CASE {_case(text, found, ('p', 'w', 'r'), f'm.p || {name} || m.r')} ELSE {text} END"
    number = _month(language, [f"{i + 1:02}" for i in range(12)])
    short = _month(language, [n[:3] for n in _ENGLISH])
    day = "lpad(m.d, 2, '0')"
    iso = f"concat(m.y, '-', {number}, '-', {day}, m.r)"
    named = f"CASE WHEN length(m.y) = 4 THEN {iso} ELSE concat({day}, '-', {short}, '-', m.y, m.r) END"
    cases = []
    for form, body in zip(_date_forms(language), (named, iso, iso), strict=True):
        groups = re.findall(r"\(\?P<(\w)>", form)
        cases.append(_case(text, form, groups, body))
    return f"CASE {' '.join(cases)} ELSE {text} END"


def _case(text: str, pattern: str, groups: Iterable[str], body: str) -> str:
    """SQL of a case: a text that matches becomes ``body``, in which ``m`` has the groups."""
    pattern = re.sub(r"\?P<\w>", "", pattern)
    names = ", ".join(sql_quote(name) for name in groups)
    parts = f"regexp_extract({text}, {sql_quote(pattern)}, [{names}])"
    return f"WHEN regexp_matches({text}, {sql_quote(pattern)}) THEN {evaluated(parts, body)}"


def _month(language: Language, values: Iterable[str]) -> str:
    """SQL of a value for the month whose name ``m.w`` is."""
    cases = " ".join(
        f"WHEN regexp_full_match(m.w, {sql_quote(f'(?i)(?:{_either(words)})')}) THEN {sql_quote(value)}"
        for words, value in zip(language.months, values, strict=True)
    )
    return f"CASE {cases} END"


# ----------------------------------------------------------------------------- what a text may be


def readings(text: str) -> dict[str, int]:
    """The languages in which a text is a date that PostgreSQL does not read, with the month that it then has."""
    by_word = _by_word()
    codes = {code for word in _WORD.findall(text.lower()) for code in by_word.get(word, ())}
    found = {}
    for code in languages():
        if code in codes and (month := _month_in(languages()[code], text)):
            found[code] = month
    return found


def common_languages(dates: Sequence[Mapping[str, int]]) -> tuple[list[str], list[int]]:
    """The languages that dates have in common.

    :param dates: what :func:`readings` returns for each, the most frequent first.
    :returns: a language for each reading of all these dates (one, if their months are the same in all languages), and
        the places of the dates that have the languages. Dates that would leave no language are left out.
    """
    codes, members = list(dates[0]), [0]
    for i, months in enumerate(dates[1:], 1):
        if common := [code for code in codes if code in months]:
            codes = common
            members.append(i)
    distinct: dict[tuple[int, ...], str] = {}
    for code in codes:
        distinct.setdefault(tuple(dates[i][code] for i in members), code)
    return list(distinct.values()), members


def language_name(code: str) -> str:
    """The English name of a language."""
    return languages()[code].name


@functools.cache
def _by_word() -> Mapping[str, frozenset[str]]:
    """The codes of the languages that have a word as the name of a month."""
    found: dict[str, set[str]] = {}
    for code, language in languages().items():
        for word in (word for words in language.months for word in words):
            found.setdefault(word, set()).add(code)
    return {word: frozenset(codes) for word, codes in found.items()}


@functools.cache
def _forms(code: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(form) for form in _date_forms(languages()[code]))


def _month_in(language: Language, text: str) -> int:
    """The month of a date of a language; 0 if the text is none."""
    for form in _forms(language.code):
        if (found := form.match(text)) is None or not _REST.fullmatch(found["r"]):
            continue
        month = language.month_of(found["w"])
        try:
            datetime.date(int(found["y"]) or 2000, month, int(found["d"]))
        except ValueError:
            return 0
        return month
    return 0
