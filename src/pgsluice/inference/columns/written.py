"""What options would make of a column that stays text: a question with the options that make it numbers or dates."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from pgsluice.inference.columns.kinds import Kind, plain_kinds, written_kinds
from pgsluice.inference.columns.words import CODES
from pgsluice.inference.draft import DraftColumn, DraftTable
from pgsluice.inference.keys.naming import words_of
from pgsluice.inference.reading.store import Store
from pgsluice.model import ColumnFormat, FormatRule, Question
from pgsluice.names import Names
from pgsluice.source.typed.type_rules import sql_quote
from pgsluice.source.values.months import common_languages, language_name
from pgsluice.source.values.shapes import Needs, months_of, needs_of

_FIRST, _SHAPES = 100, 500
"""How many values show whether a column is worth a look, and how many shapes of values are looked at."""

_LONGEST = 60
"""Bytes of a number or a date with what stands around it."""

_PLAIN = ("integer", "number", "float", "date", "timestamp", "zoned")
"""Kinds that a column has without the texts that mean NULL."""

_SIGNS = frozenset({"", "decimal", "thousands", "trim"})
"""What numbers may need that the values of a column decide by themselves, or that they may have."""


def given_format(table: DraftTable, column: DraftColumn, rules: Iterable[FormatRule]) -> ColumnFormat:
    """What the user said of the format of a column."""
    found = {"date_format": "", "date_language": "", "decimal": "", "thousands": ""}
    lists: dict[str, list[str]] = {"strip": [], "negative": []}
    closeness = dict.fromkeys(found, 0)
    for rule in rules:
        scope, dot, last = rule.scope.rpartition(".")
        named = Names([column.name, column.field]).find(last)
        near = 1 if not rule.scope else 2 if last == "*" and scope == table.name else 3 if named else 0
        if dot and scope != table.name:
            near = 0
        if rule.kind in lists and near:
            lists[rule.kind].append(rule.value)
        elif rule.kind in found and near > closeness[rule.kind]:
            found[rule.kind], closeness[rule.kind] = rule.value, near
    return ColumnFormat(
        column.name,
        date=found["date_format"],
        date_language=found["date_language"],
        decimal=found["decimal"],
        thousands=found["thousands"],
        strip=tuple(lists["strip"]),
        negative=tuple(lists["negative"]),
    )


def ask_for_options(store: Store, column: DraftColumn, given: ColumnFormat) -> Iterator[Question]:
    """A question if all values of a column are numbers, or dates, for options that nobody gave: ``12 %``, ``(45.00)``,
    ``NA``, ``3. März 2024``.

    :param given: what the user said of the column.
    """
    if column.longest > _LONGEST or frozenset(words_of(column.field)) & CODES:
        return
    c = column.text
    rows = store.rows(f"SELECT {c} FROM {column.table.store} WHERE {c} <> '' LIMIT {_FIRST}")
    first = [str(value) for (value,) in rows]
    for kind in ("numeric", "date"):
        if not _are_all(kind, first):
            continue
        # Values that differ in digits other than 0 need the same.
        shapes = store.rows(
            f"SELECT any_value({c}), count(*) FROM {column.table.store} WHERE {c} <> ''"
            f" GROUP BY regexp_replace({c}, '[1-9]', '9', 'g') ORDER BY count(*) DESC LIMIT {_SHAPES}"
        )
        values = [str(value) for value, _ in shapes]
        if _are_all(kind, values):
            yield from _question(store, column, given, kind, [needs_of(kind, value) for value in values])


def _are_all(kind: str, values: Sequence[str]) -> bool:
    """Whether each value is of the kind by itself, or is with options."""
    if kind == "numeric":
        return all(needs_of(kind, v) or v.lstrip("-").replace(".", "", 1).isdigit() for v in values)
    return all(needs_of(kind, v) or v[:4].isdigit() for v in values)


def _question(
    store: Store, column: DraftColumn, given: ColumnFormat, kind: str, several: Sequence[Needs]
) -> Iterator[Question]:
    pairs = {pair for needs in several for pair in needs}
    nulls = sorted(text for option, text in pairs if option == "null")
    wanted = {option: sorted(text for o, text in pairs if o == option) for option in ("strip", "negative")}
    dates = [months for needs in several if (months := months_of(needs))]
    codes = common_languages(dates)[0] if dates else [""]
    if not (nulls or any(wanted.values()) or dates):
        return
    answers = []
    for code in codes:
        format_ = ColumnFormat(
            column.name,
            date=given.date,
            date_language=code or given.date_language,
            strip=(*given.strip, *wanted["strip"]),
            negative=(*given.negative, *wanted["negative"]),
        )
        if _holds(store, column, nulls, kind, format_):
            answers.append(" ".join(_options(column, nulls, wanted, code)))
    if answers:
        what = "numbers" if kind == "numeric" else "dates"
        parts = [f"NULL for {', '.join(nulls)}"] if nulls else []
        parts += [f"{', '.join(texts)} as {words}" for option, words in _WORDS if (texts := wanted[option])]
        parts += [f"names of months in {' or '.join(language_name(code) for code in codes)}"] if dates else []
        text = f"all values are {what} with {' and '.join(parts)}"
        yield Question(column.table.name, column.name, text, tuple(answers))


_WORDS = (("strip", "marks"), ("negative", "forms of numbers below zero"))


def _options(column: DraftColumn, nulls: Sequence[str], wanted: dict[str, list[str]], code: str) -> Iterator[str]:
    """The options of an answer."""
    scope = f"{column.table.name}.{column.name}"
    yield from (f"--null {shlex.quote(text)}" for text in nulls)
    for option, texts in wanted.items():
        yield from (f"--{option} {shlex.quote(f'{scope}={text}')}" for text in texts)
    if code:
        yield f"--date-language {shlex.quote(f'{scope}={code}')}"


def _holds(store: Store, column: DraftColumn, nulls: Sequence[str], kind: str, format_: ColumnFormat) -> bool:
    """Whether a kind holds for all values, and for one at least, if some texts mean NULL."""
    text = f"nullif({column.text}, '')"
    if nulls:
        listed = ", ".join(sql_quote(null) for null in nulls)
        text = f"CASE WHEN {column.text} IN ({listed}) THEN NULL ELSE {text} END"
    kinds: list[Kind] = [k for k in plain_kinds() if k.name in _PLAIN]
    kinds += [k for k in written_kinds(format_) if (k.base == "numeric") == (kind == "numeric")]
    inner = ", ".join(f"{k.text_sql(text)} AS x{i}" for i, k in enumerate(kinds))
    outer = ", ".join(
        f"count(x{i}) > 0 AND count(*) FILTER (x{i} IS NOT NULL AND NOT"
        f" coalesce({k.holds.replace('{x}', f'x{i}')}, false)) = 0 AS k{i}"
        for i, k in enumerate(kinds)
    )
    return any(store.row(f"SELECT {outer} FROM (SELECT {inner} FROM {column.table.store})").values())
