"""The signs of numbers: the values of a column decide. Where they do not, ``2.370`` is an error, never read by luck."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import replace

from pgsluice.errors import MappingError
from pgsluice.model import Column, ColumnFormat, FilePlan, Table
from pgsluice.pipeline.plan.values.date_orders import Place
from pgsluice.source.typed.number_signs import SEMICOLON, Signs, is_number
from pgsluice.source.typed.type_rules import INTEGERS
from pgsluice.source.typed.witness import Witness

_HEADER = 4
"""PostgreSQL adds this to the modifier of numeric (``VARHDRSZ``, varatt.h)."""

_GROUP = 3
"""Digits between two signs of a number such as 1.234.567."""


def number_columns(table: Table, plan: FilePlan) -> tuple[str, ...]:
    """The columns of a file with numbers whose signs no option describes."""
    dialect = plan.file.dialect
    return tuple(name for name in plan.mapped if is_number(table.column(name), dialect.format_of(name)))


def may_be_misread(table: Table, columns: tuple[str, ...]) -> bool:
    """Whether one of the columns takes a number with a point."""
    return any(table.column(name).base not in INTEGERS for name in columns)


def decided_signs(plan: FilePlan, table: Table, found: Mapping[str, Signs], place: Place) -> dict[str, ColumnFormat]:
    """The formats of the numeric and floating point columns whose own numbers show their signs, where no other number
    of the file contradicts.

    :param found: what the numbers of each column show.
    :param place: says in words where a value stands.
    """
    points = any(signs.point for signs in found.values())
    commas = any(signs.comma for signs in found.values())
    decided = {}
    for name, signs in found.items():
        # The input function of money reads signs by lc_monetary, and a currency beside them.
        if table.column(name).base in INTEGERS | {"money"}:
            continue
        given = plan.file.dialect.format_of(name)
        if signs.comma is not None and not points and len(signs.groups) < 2:
            group = next(iter(signs.groups), "")
            # A number such as 2.370 needs a number that has points between groups of digits for certain.
            if signs.ambiguous is None or group == ".":
                witness = signs.dots or signs.blanks or signs.quotes or signs.comma
                decided[name] = replace(given, decimal=",", thousands=group, why=place(witness))
        elif signs.grouped is not None and not commas:
            decided[name] = replace(given, thousands=",", why=place(signs.grouped))
    return decided


def check_signs(
    plan: FilePlan, table: Table, found: Mapping[str, Signs], place: Place, decided: Collection[str] = ()
) -> None:
    """Checks that the numbers of a file which PostgreSQL reads have one reading.

    :param found: what the numbers of each column show.
    :param decided: the columns whose signs were decided.
    :param place: says in words where a value stands.
    :raises MappingError: a number with a point may be a number with groups of digits.
    """
    elsewhere = next(((name, signs.comma) for name, signs in found.items() if signs.comma), None)
    told = next((f.column for f in plan.file.dialect.formats if f.decimal == ","), None)
    semicolons = plan.file.dialect.delimiter == SEMICOLON and not any(signs.point for signs in found.values())
    problems = []
    for name, signs in found.items():
        column = table.column(name)
        if signs.ambiguous is None or column.base in INTEGERS or name in decided:
            continue
        if signs.comma is not None:
            why = f"and {place(signs.comma)}, which has a decimal comma or points between groups of digits"
        elif signs.point is not None:
            continue
        elif elsewhere is not None:
            why = f"and numbers of {table.name}.{elsewhere[0]} have decimal commas: {place(elsewhere[1])}"
        elif told is not None:
            why = f"and --decimal says that the numbers of {table.name}.{told} have decimal commas"
        elif semicolons and _scale(column) != _GROUP:
            why = "no other number of the file decides, and programs that write semicolons often write decimal commas"
        else:
            continue
        problems.append(_problem(plan, f"{table.name}.{name}", signs.ambiguous, why, place))
    if len(problems) == 1:
        raise problems[0]
    if problems:
        message = f"{plan.file.path}: the numbers of {len(problems)} columns can be read in two ways"
        raise MappingError(message, details=[str(problem) for problem in problems])


def _problem(plan: FilePlan, column: str, witness: Witness, why: str, place: Place) -> MappingError:
    number = witness.text.strip()
    point = f"--decimal {shlex.quote(f'{column}=.')}"
    comma = f"--decimal {shlex.quote(f'{column}=,')} --thousands {shlex.quote(f'{column}=.')}"
    return MappingError(
        f"{plan.file.path}: the decimal sign of {column} is not certain: {place(witness)}, which is {number} (decimal"
        f" point) or {number.replace('.', '')} (point between groups of digits), {why}",
        f"Say it with {point} or {comma}; values that do not fit are then rejected",
    )


def _scale(column: Column) -> int | None:
    """The digits behind the point that a numeric column declares; None if it declares none."""
    if column.base != "numeric" or column.base_typmod < _HEADER:
        return None
    # Eleven bits, signed (numeric_typmod_scale, numeric.c).
    return (((column.base_typmod - _HEADER) & 0x7FF) ^ 1024) - 1024
