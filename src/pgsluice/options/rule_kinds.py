"""Kinds of rules. Those with the names of dbt's generic tests mean what they mean there.

``check`` and ``query`` are SQL of the user; the other kinds compose their SQL from names and values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from pgsluice.errors import CallError
from pgsluice.model import Drift, GenericTest, Measure, RowRule, SetRule, Severity

Bound = float | str | None
"""A number; a text has all of its digits."""


class _Given(NamedTuple):
    """What a rule says besides its kind."""

    name: str
    source: str
    severity: Severity | None
    keys: Mapping[str, Any]

    @property
    def where(self) -> str:
        return f"rule {self.name!r}" + (f" ({self.source})" if self.source else "")

    def need(self, key: str) -> Any:
        """The value of a key.

        :raises CallError: the key is missing.
        """
        if key not in self.keys:
            raise CallError(f"{self.where} has no {key}", f"Add {key}")
        return self.keys[key]

    @property
    def columns(self) -> list[str]:
        column = self.need("column")
        return [column] if isinstance(column, str) else list(column)

    @property
    def bounds(self) -> tuple[Bound, Bound]:
        """``minimum`` and ``maximum``; ``equals`` and ``equals_file`` are both.

        :raises CallError: a bound is no number.
        """
        for key in ("minimum", "maximum", "equals"):
            if isinstance(text := self.keys.get(key), str) and not is_number(text):
                raise CallError(f"{self.where}: {key} {text!r} is not a number", "Write digits with a point")
        value: Bound
        if "equals_file" in self.keys:
            value = _number_in(self, Path(self.keys["equals_file"]))
        else:
            value = self.keys.get("equals")
        return (value, value) if value is not None else (self.keys.get("minimum"), self.keys.get("maximum"))

    def row(self, expression: str) -> RowRule:
        return RowRule(
            self.name,
            self.need("table"),
            expression,
            self.severity or Severity.REJECT,
            self.keys.get("description", ""),
            self.source,
        )

    def set(
        self,
        query: str = "",
        drift: Drift | None = None,
        *,
        minimum: Bound = None,
        maximum: Bound = None,
    ) -> SetRule:
        return SetRule(
            name=self.name,
            query=query,
            severity=self.severity or Severity.VETO,
            drift=drift,
            table=self.keys.get("table", ""),
            description=self.keys.get("description", ""),
            source=self.source,
            minimum=minimum,
            maximum=maximum,
        )


def made(kind: str, name: str, source: str, severity: Severity | None, keys: Mapping[str, Any]) -> RowRule | SetRule:
    """The rule of a kind.

    :param kind: one of :data:`KINDS`.
    :param keys: the keys of the rule's section, its kind among them.
    :raises CallError: a key is missing, or does not fit the kind.
    """
    given = _Given(name, source, severity, keys)
    known = {kind, "description", *_KEYS[kind]}
    if unknown := next((key for key in keys if key not in known), None):
        raise CallError(
            f"{given.where}: {unknown} does not go with {kind}", f"Keys here are {', '.join(sorted(known))}"
        )
    if keys[kind] is False:
        raise CallError(f"{given.where}: {kind} is false", f"Write {kind} = true, or remove the rule")
    return replace(KINDS[kind](given), generic=_generic(given, kind))


def _generic(given: _Given, kind: str) -> GenericTest | None:
    """The rule in the words of dbt's generic tests, if its kind is one of them."""
    if kind not in ("not_null", "accepted_values", "relationships", "unique"):
        return None
    values = tuple(str(value) for value in given.keys[kind]) if kind == "accepted_values" else ()
    parent, _, field = given.keys[kind].rpartition(".") if kind == "relationships" else ("", "", "")
    return GenericTest(kind, tuple(given.columns), values, parent, field)


def _check(given: _Given) -> RowRule:
    return given.row(given.keys["check"])


def _query(given: _Given) -> SetRule:
    low, high = given.bounds
    return given.set(given.keys["query"], minimum=low, maximum=high)


def _by_row(given: _Given, expression: str) -> RowRule | SetRule:
    """A row rule or, with the severity veto, the set rule that finds the same rows."""
    if given.severity is not Severity.VETO:
        return given.row(expression)
    return given.set(f"SELECT * FROM {_table(given)} WHERE ({expression}) IS FALSE")


def _not_null(given: _Given) -> RowRule | SetRule:
    return _by_row(given, " AND ".join(f"{_name(c)} IS NOT NULL" for c in given.columns))


def _accepted_values(given: _Given) -> RowRule | SetRule:
    [column] = given.columns
    values = ", ".join(_literal(v) for v in given.keys["accepted_values"])
    return _by_row(given, f"{_name(column)} IN ({values})")


def _relationships(given: _Given) -> RowRule | SetRule:
    parent, dot, field = given.keys["relationships"].rpartition(".")
    if not dot:
        raise CallError(f"{given.where}: relationships is not TABLE.COLUMN", "Write it as customers.customer_id")
    [column] = given.columns
    child = _name(given.need("table").rpartition(".")[2])
    found = f"EXISTS (SELECT FROM {_names(parent)} AS parent WHERE parent.{_name(field)} = {child}.{_name(column)})"
    return _by_row(given, f"{child}.{_name(column)} IS NULL OR {found}")


def _unique(given: _Given) -> SetRule:
    columns = ", ".join(map(_name, given.columns))
    nulls = " AND ".join(f"{_name(c)} IS NOT NULL" for c in given.columns)
    return given.set(
        f"SELECT {columns}, count(*) AS rows FROM {_table(given)} WHERE {nulls} GROUP BY {columns} HAVING count(*) > 1"
    )


def _row_count(given: _Given) -> SetRule:
    low, high = given.bounds
    if low is None and high is None:
        raise CallError(f"{given.where} has no bound", "Add minimum, maximum or equals")
    return given.set(f"SELECT count(*) FROM {_table(given)}", minimum=low, maximum=high)


def _null_share(given: _Given) -> SetRule:
    [column] = given.columns
    query = f"SELECT coalesce(avg(({_name(column)} IS NULL)::int), 0) FROM {_table(given)}"
    return given.set(query, maximum=float(given.keys["null_share"]))


def _freshness(given: _Given) -> SetRule:
    [column] = given.columns
    newest = f"(SELECT max({_name(column)}) FROM {_table(given)})"
    age = _literal(given.keys["freshness"])
    return given.set(
        f"SELECT newest FROM (SELECT {newest} AS newest) AS n WHERE (newest >= now() - {age}::interval) IS NOT TRUE"
    )


def _drift(given: _Given) -> SetRule:
    measure = given.keys["drift"]
    if measure not in tuple(Measure):
        raise CallError(f"{given.where}: {measure!r} is no measure", f"Give {', '.join(Measure)}")
    column = "" if measure == Measure.ROWS else given.columns[0]
    given.need("table")
    numbers = {k: given.keys[k] for k in ("runs", "deviations") if k in given.keys}
    return given.set(drift=Drift(Measure(measure), column, **numbers))


KINDS: Mapping[str, Callable[[_Given], RowRule | SetRule]] = {
    "check": _check,
    "query": _query,
    "not_null": _not_null,
    "accepted_values": _accepted_values,
    "relationships": _relationships,
    "unique": _unique,
    "row_count": _row_count,
    "null_share": _null_share,
    "freshness": _freshness,
    "drift": _drift,
}
"""The key of a rule that says its kind."""

_BOUNDS = ("minimum", "maximum", "equals", "equals_file", "equals_pattern")
_KEYS = {
    "check": ("table",),
    "query": ("table", *_BOUNDS),
    "not_null": ("table", "column"),
    "accepted_values": ("table", "column"),
    "relationships": ("table", "column"),
    "unique": ("table", "column"),
    "row_count": ("table", *_BOUNDS),
    "null_share": ("table", "column"),
    "freshness": ("table", "column"),
    "drift": ("table", "column", "runs", "deviations"),
}
"""The keys that go with each kind."""


def _number_in(given: _Given, path: Path) -> str:
    """The number that a file says, digit by digit: its whole text, or what the group of a regular expression matches.

    :raises CallError: the file cannot be read, or says no number.
    """
    pattern = given.keys.get("equals_pattern")
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = re.search(pattern, text) if pattern else None
        if pattern and found is None:
            raise CallError(f"{given.where}: {pattern!r} is not in {path}", "Check the file and the pattern")
        number = (found[1] if found else text).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CallError(f"{given.where}: {path} cannot be read ({error})", "Check the path") from error
    except (re.error, IndexError) as error:
        raise CallError(f"{given.where}: {pattern!r} is no pattern with a group ({error})", "Correct it") from error
    if not is_number(number):
        raise CallError(f"{given.where}: {path} holds no number ({number[:40]!r})", "Check it, or add equals_pattern")
    return number


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _table(given: _Given) -> str:
    return _names(given.need("table"))


def _names(table: str) -> str:
    return ".".join(map(_name, table.split(".")))


def _name(name: str) -> str:
    from psycopg import sql

    return sql.Identifier(name).as_string(None)


def _literal(value: object) -> str:
    from psycopg import sql

    return sql.Literal(str(value)).as_string(None)
