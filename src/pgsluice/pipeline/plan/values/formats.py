"""The formats of columns: which option applies to which column of which file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import psycopg

from pgsluice.errors import MappingError
from pgsluice.model import Column, ColumnFormat, FilePlan, FormatRule, Table, TableName
from pgsluice.names import Names
from pgsluice.source.typed.rewriting import DATES
from pgsluice.source.typed.type_rules import INTEGERS, NUMBERS
from pgsluice.sql import query

_SUITS: Mapping[str, tuple[str, Collection[str]]] = {
    "date_format": ("dates or timestamps", DATES),
    "date_language": ("dates or timestamps", DATES),
    "decimal": ("numbers", NUMBERS | {"money"}),
    "thousands": ("numbers", NUMBERS | {"money"}),
    "strip": ("numbers", NUMBERS | {"money"}),
    "negative": ("numbers", NUMBERS | {"money"}),
    "integer_decimals": ("integers", INTEGERS),
    "true": ("truth values", {"bool"}),
    "false": ("truth values", {"bool"}),
}
"""What each option is for, and the types of the columns, by their names in ``pg_type``."""


def with_formats(plan: FilePlan, table: Table, rules: Sequence[FormatRule]) -> FilePlan:
    """The plan of a file, with the formats of its columns in the file's dialect.

    :raises MappingError: a rule names a column whose type it does not suit, or the two signs of numbers are the same.
    """
    # A replay takes the formats of the run that it replays.
    if plan.file.feeds is not None:
        return plan
    if plan.file.form != "text":
        # The numbers of these files are numbers already, and have a point.
        rules = [rule for rule in rules if rule.kind not in ("decimal", "thousands")]
    formats = tuple(f for name in plan.mapped if (f := _format(table, table.column(name), rules)).rewrites)
    return replace(plan, file=replace(plan.file, dialect=replace(plan.file.dialect, formats=formats)))


def _format(table: Table, column: Column, rules: Sequence[FormatRule]) -> ColumnFormat:
    closest: dict[str, tuple[int, str]] = {}
    lists: dict[str, list[str]] = {"strip": [], "negative": [], "true": [], "false": []}
    for rule in rules:
        near = _closeness(rule.scope, table, column)
        if near and rule.kind == "default_on_empty" and not (column.has_default or column.identity):
            if near == _EXACT:
                raise MappingError(
                    f"{_option(rule)}: {table.name}.{column.name} has no default",
                    "Without the option an empty field is NULL",
                )
            continue
        what, types = _SUITS.get(rule.kind, ("", ()))
        if near and what and column.base not in types:
            if near == _EXACT:
                raise MappingError(
                    f"{_option(rule)}: {table.name}.{column.name} is of type {column.type_sql}",
                    f"The option is for {what}",
                )
            continue
        if near and rule.kind in lists:
            lists[rule.kind].append(rule.value)
        elif near > closest.get(rule.kind, (0, ""))[0]:
            closest[rule.kind] = near, rule.value
    found = {kind: value for kind, (_, value) in closest.items()}
    decimal, thousands = found.get("decimal", ""), found.get("thousands", "")
    if thousands and thousands == (decimal or "."):
        raise MappingError(
            f"{table.name}.{column.name}: {thousands!r} is the decimal sign and the sign between groups of digits",
            "Name the other sign with --decimal or --thousands",
        )
    return ColumnFormat(
        column.name,
        date=found.get("date_format", ""),
        date_language=found.get("date_language", ""),
        decimal=decimal,
        thousands=thousands,
        strip=tuple(lists["strip"]),
        negative=tuple(lists["negative"]),
        true=tuple(lists["true"]),
        false=tuple(lists["false"]),
        trim="trim" in found,
        integer_decimals="integer_decimals" in found,
        default_on_empty="default_on_empty" in found,
    )


def with_money(
    conn: psycopg.Connection, mapped: Mapping[TableName, tuple[FilePlan, ...]], by_name: Mapping[TableName, Table]
) -> dict[TableName, tuple[FilePlan, ...]]:
    """The plans of all files, with the decimal sign of the server for columns of the type money.

    If the user has set lc_monetary, and no option describes the column, PostgreSQL reads the texts as they are.
    """
    columns = {t: [c.name for c in by_name[t].columns if c.base == "money"] for t in mapped}
    if not any(columns.values()):
        return dict(mapped)
    row = conn.execute(query("plan", "money_sign")).fetchone()
    assert row is not None
    set_by_user, sign = row
    found = {}
    for name, plans in mapped.items():
        found[name] = tuple(_with_sign(plan, columns[name], sign, always=not set_by_user) for plan in plans)
    return found


def _with_sign(plan: FilePlan, columns: Sequence[str], sign: str, *, always: bool) -> FilePlan:
    """The plan with the decimal sign for columns of the type money.

    :param always: for columns too that no option describes.
    """
    dialect = plan.file.dialect
    formats = {f.column: f for f in dialect.formats}
    for column in columns:
        if column in plan.brought and (always or column in formats):
            formats[column] = replace(dialect.format_of(column), money=sign)
    return replace(plan, file=replace(plan.file, dialect=replace(dialect, formats=tuple(formats.values()))))


_EXACT = 3


def _closeness(scope: str, table: Table, column: Column) -> int:
    """0 if a rule does not concern a column; otherwise more, the closer the scope names it."""
    if not scope:
        return 1
    named, dot, last = scope.rpartition(".")
    if dot and last == "*":
        return 2 if table.name.called(named) else 0
    names = Names(c.name for c in table.columns)
    if names.find(scope) == [column.name]:
        return _EXACT
    return _EXACT if dot and table.name.called(named) and names.find(last) == [column.name] else 0


def check_rules(
    rules: Iterable[FormatRule], planned: Mapping[TableName, Sequence[FilePlan]], by_name: Mapping[TableName, Table]
) -> None:
    """Checks that every rule concerns a column of the files. A misspelt name would change nothing, unseen.

    :raises MappingError: a rule concerns no column.
    """
    columns = [(by_name[t], by_name[t].column(c)) for t, group in planned.items() for f in group for c in f.brought]
    elsewhere = [table for table in by_name if table not in planned]
    for rule in rules:
        if any(table.called(rule.scope.rpartition(".")[0]) for table in elsewhere):
            continue
        if rule.scope and columns and not any(_closeness(rule.scope, table, column) for table, column in columns):
            near = Names(column.name for _, column in columns).nearest(rule.scope.rpartition(".")[2])
            raise MappingError(
                f"{_option(rule)} names a column that no file has",
                f"The nearest is {near}" if near else "Name a column of a table: column, table.column or table.*",
            )


def _option(rule: FormatRule) -> str:
    return f"--{rule.kind.replace('_', '-')} {rule.scope}" + (f"={rule.value}" if rule.value else "")
