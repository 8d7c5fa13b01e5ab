"""Counts what the rejected values of each column need, and puts it into words with the options to copy."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pgsluice.model import RejectGroup, RejectKind
from pgsluice.pipeline.rejects.causes.records import RecordCauses
from pgsluice.source.values.months import common_languages, language_name
from pgsluice.source.values.shapes import COMMA, DIGITS_LOST, NOTHING, POINT, Needs, months_of, needs_of
from pgsluice.text import pluralize

if TYPE_CHECKING:
    import pyarrow as pa

    from pgsluice.pipeline.state import FileRun

_LONGEST = 60
"""Characters of a value that is looked at. Longer values are no numbers, dates or words for NULL."""

_SHAPES_AT_ONCE = 2000
"""How many shapes of one piece of the report are looked at, the most frequent first."""

_MESSAGE = (
    r"^(?:invalid input syntax for type (?P<kind>[a-z ]+?)|invalid input value for enum .*?"
    r"|date/time field value out of range|[^:]*)"
    rf': "(?P<value>[^"]{{0,{_LONGEST}}})"$'
)
"""PostgreSQL's message of an invalid value: the type, where it is named, and the value in quotes."""

_WORDS = (
    ("decimal", "numbers with the decimal sign {}"),
    ("thousands", "numbers with {} between groups of digits"),
    ("strip", "numbers with {}"),
    ("negative", "numbers below zero written as {}"),
    ("integer_decimals", "whole numbers with decimals"),
    ("true", "words for true and false"),
    ("false", "words for true and false"),
    ("date_format", "dates in the format {}"),
    ("date_language", "dates with {} names of months"),
    ("trim", "values with blanks or invisible characters around"),
)
"""What the values are if an option cures them, the most telling first."""

_DIGITS_LOST = "The program that wrote the file has cut digits of the numbers; write the file again with all digits"

_RUN_WIDE = frozenset({"trim", "integer_decimals", "empty_as_null", "null"})
"""Options that name no column."""


@dataclass(frozen=True, slots=True)
class _Remedy:
    """What cures a number of rejects."""

    count: int
    about: str
    """The rejects in words."""
    advice: str
    """What to do; options stand at the end."""

    @property
    def sentence(self) -> str:
        """Both in words."""
        if self.advice == _DIGITS_LOST:
            return f"{self.about}: {self.advice[0].lower()}{self.advice[1:]}"
        return f"{self.about}. {self.advice}"


@dataclass(slots=True)
class _Column:
    """The rejected values of one column, counted by what they need."""

    counts: Counter[Needs] = field(default_factory=Counter)
    examples: dict[Needs, str] = field(default_factory=dict)


class Causes:
    """Counts the refused values that an option may cure."""

    def __init__(self, with_default: Collection[str] = ()) -> None:
        """:param with_default: the columns of the files that have a default, as ``table.column``."""
        self._columns: dict[str, _Column] = {}
        self._with_default = with_default
        self._empty: Counter[str] = Counter()
        """Rows without a value for a NOT NULL column that has a default, by column."""
        self._records = RecordCauses()

    def add(self, report: pa.Table, file: FileRun) -> None:
        """Counts the rejects of one piece of the report.

        :param file: the file that the rejects are from.
        """
        from pyarrow import compute as pc

        self._records.add(report, file)
        empty = report.filter(pc.equal(report["kind"], str(RejectKind.NOT_NULL)))
        for group in empty.group_by(["table", "column"]).aggregate([("kind", "count")]).to_pylist():
            if (name := f"{group['table']}.{group['column']}") in self._with_default:
                self._empty[name] += group["kind_count"]
        rejects = report.filter(pc.equal(report["kind"], str(RejectKind.VALUE)))
        if not rejects.num_rows:
            return
        parts = pc.extract_regex(rejects["message"], _MESSAGE)
        values = pc.struct_field(parts, "value")
        # Values that differ in digits other than 0 need the same, so that a million values have few shapes.
        rows = rejects.select(["table", "column"]).append_column("kind", pc.struct_field(parts, "kind"))
        rows = rows.append_column("value", values)
        rows = rows.append_column("shape", pc.replace_substring_regex(values, "[1-9]", "9"))
        rows = rows.filter(pc.is_valid(rows["value"]))
        keys = ["table", "column", "kind", "shape"]
        groups = rows.group_by(keys, use_threads=False).aggregate([("value", "count"), ("value", "first")])
        for group in groups.sort_by([("value_count", "descending")]).slice(0, _SHAPES_AT_ONCE).to_pylist():
            needs = needs_of(group["kind"] or "", group["value_first"])
            if needs == NOTHING:
                continue
            column = self._columns.setdefault(f"{group['table']}.{group['column']}", _Column())
            column.counts[needs] += group["value_count"]
            column.examples.setdefault(needs, group["value_first"])

    def remedies(self) -> tuple[str, ...]:
        """A sentence for each cause, the most frequent first. Its options stand at its end."""
        found: list[tuple[int, str]] = self._records.remedies()
        nulls: Counter[tuple[str, str]] = Counter()
        for name, column in self._columns.items():
            for needs, count in column.counts.items():
                for kind, text in needs:
                    if kind in ("null", "empty_as_null"):
                        nulls[kind, text] += count
            found += ((r.count, r.sentence) for r in _remedies(name, column))
        for (kind, text), count in nulls.items():
            shown = text if kind == "null" else '"", an empty field in quotes'
            found.append((count, f"{pluralize(count, 'rejected value')}: {shown}. {_null(kind, text)}"))
        for name, count in self._empty.items():
            rows = f"{pluralize(count, 'rejected row')} without a value for {name}, which has a default"
            found.append((count, f"{rows}. {_default(name)}"))
        found.sort(key=lambda item: -item[0])
        return tuple(dict.fromkeys(sentence for _, sentence in found))

    def help(self, group: RejectGroup) -> tuple[str, ...]:
        """What cures the rejects of one group, the most frequent cause first. Options stand at the end."""
        name = f"{group.table}.{group.column}"
        if group.kind == RejectKind.STRUCTURE:
            return self._records.help(group.table, group.sqlstate)
        if group.kind == RejectKind.NOT_NULL and name in self._empty:
            return (_default(name),)
        column = self._columns.get(name) if group.kind == RejectKind.VALUE else None
        if column is None:
            return ()
        found = [(r.count, r.advice) for r in _remedies(name, column)]
        found += ((count, _null(kind, text, text or '""')) for (kind, text), count in _null_texts(column))
        return tuple(dict.fromkeys(advice for _, advice in sorted(found, key=lambda item: -item[0])))


def _null_texts(column: _Column) -> Iterator[tuple[tuple[str, str], int]]:
    """The texts of a column that may mean NULL, each as the option and its value, with their counts."""
    for needs, count in column.counts.items():
        yield from (((kind, text), count) for kind, text in needs if kind in ("null", "empty_as_null"))


def _null(kind: str, text: str, named: str = "it") -> str:
    """The remedy for a text that may mean NULL.

    :param named: how the sentence names the text.
    """
    if kind == "null":
        return f"If {named} means NULL: --null {shlex.quote(text)}"
    return f"If {named} means NULL: --empty-as-null"


def _default(name: str) -> str:
    return f"If an empty field means the default: --default-on-empty {shlex.quote(name)}"


def _remedies(name: str, column: _Column) -> list[_Remedy]:
    """The remedies for one column.

    The values of a column are mostly written by one program. So what the values need is put together, as far as it
    goes together, beginning with the most frequent.
    """
    counts = column.counts
    found: list[_Remedy] = []
    together: Needs = NOTHING
    members: list[Needs] = []
    # Values with two readings come last: other values may have decided.
    for needs in sorted(counts, key=lambda n: (bool(n & (COMMA | POINT)), -counts[n])):
        if needs == DIGITS_LOST:
            about = _begin(name, counts[needs], column.examples[needs])
            found.append(_Remedy(counts[needs], about, _DIGITS_LOST))
            continue
        if any(kind in ("null", "empty_as_null", "date_language") for kind, _ in needs):
            continue
        merged = _merged(together, needs)
        if merged is None and not members:
            found += _both(name, counts[needs], column.examples[needs], needs)
        elif merged is not None:
            together = merged
            members.append(needs)
    if members:
        count = sum(counts[needs] for needs in members)
        found.append(_Remedy(count, _begin(name, count, column.examples[members[0]]), _advice(name, together)))
    return found + _language(name, column)


def _language(name: str, column: _Column) -> list[_Remedy]:
    """The remedies for dates whose months have names of a language: the first language that has all names.

    Languages in which a name stands for different months have a remedy each.
    """
    dates = [(needs, months_of(needs)) for needs, _ in column.counts.most_common() if months_of(needs)]
    if not dates:
        return []
    codes, members = common_languages([months for _, months in dates])
    count = sum(column.counts[dates[i][0]] for i in members)
    needs = dates[members[0]][0]
    rest = frozenset(pair for pair in needs if pair[0] != "date_language")
    example = column.examples[needs]
    about = _begin(name, count, example)
    if len(codes) == 1:
        return [_Remedy(count, about, _advice(name, rest | {("date_language", codes[0])}))]
    return [
        _Remedy(
            count, about, f"If {example} is {language_name(code)}: {_options(name, rest | {('date_language', code)})}"
        )
        for code in codes
    ]


def _merged(together: Needs, needs: Needs) -> Needs | None:
    """What two kinds of values need together; None if it does not go together, or if ``needs`` has two readings."""
    signs = dict(pair for pair in together if pair[0] in ("decimal", "thousands"))
    if needs & COMMA:
        return together | (needs - COMMA) if "," in signs.values() else None
    if needs & POINT:
        if signs.get("thousands") == "." or ("integer_decimals", "") in together:
            return together | (needs - POINT)
        return None
    merged = together | needs
    for kind in ("decimal", "thousands"):
        if len({sign for name, sign in merged if name == kind}) > 1:
            return None
    found = dict(pair for pair in merged if pair[0] in ("decimal", "thousands"))
    return None if found.get("thousands", "") == found.get("decimal", ".") else merged


def _both(name: str, count: int, example: str, needs: Needs) -> list[_Remedy]:
    """The remedies for values with two readings."""
    sign = "," if needs & COMMA else "."
    decimal = frozenset({("decimal", ",")}) if sign == "," else frozenset({("integer_decimals", "")})
    thousands = frozenset({("thousands", sign)}) | (frozenset() if sign == "," else {("decimal", ",")})
    rest = needs - COMMA - POINT
    whole = example.replace(sign, "")
    point = example.replace(sign, ".")
    about = _begin(name, count, example)
    return [
        _Remedy(count, about, f"If it is {point}: {_options(name, decimal | rest)}"),
        _Remedy(count, about, f"If it is {whole}: {_options(name, thousands | rest)}"),
    ]


def _begin(name: str, count: int, example: str) -> str:
    return f"{pluralize(count, 'rejected value')} of {name}, such as {example!r}"


def _advice(name: str, needs: Needs) -> str:
    kind, words = next((kind, words) for kind, words in _WORDS if any(k == kind for k, _ in needs))
    sign = next(value for k, value in sorted(needs) if k == kind)
    shown = "a blank" if sign == " " else language_name(sign) if kind == "date_language" else sign
    return f"If they are {words.format(shown)}: {_options(name, needs)}"


def _options(name: str, needs: Needs) -> str:
    order = [kind for kind, _ in _WORDS]
    parts = []
    for kind, value in sorted(needs, key=lambda pair: (order.index(pair[0]), pair[1])):
        option = f"--{kind.replace('_', '-')}"
        parts.append(option if kind in _RUN_WIDE else f"{option} {shlex.quote(f'{name}={value}')}")
    return " ".join(parts)
