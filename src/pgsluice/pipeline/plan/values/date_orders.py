"""Which of day and month comes first in the numeric dates of a file: an option, the session or the file decides.

Where none of them decides, the load ends before it begins: the default of DateStyle would be a guess.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace

import psycopg

from pgsluice.errors import MappingError
from pgsluice.model import ColumnFormat, FilePlan, Table
from pgsluice.source.typed.date_orders import Evidence
from pgsluice.source.typed.rewriting import DATES
from pgsluice.source.typed.witness import Witness
from pgsluice.sql import query

Place = Callable[[Witness], str]
"""Says in words where a value stands."""

_READINGS = {"DMY": "day first", "MDY": "month first", "YMD": "year first"}


def user_set_date_style(conn: psycopg.Connection) -> bool:
    """Whether the user has set DateStyle: for the session, the role or the database.

    The server's configuration file does not count: initdb writes the setting into it.
    """
    row = conn.execute(query("plan", "date_style")).fetchone()
    return bool(row and row[0])


def date_columns(table: Table, plan: FilePlan) -> tuple[str, ...]:
    """The columns of a file with dates that no option describes."""
    return tuple(
        name for name in plan.mapped if table.column(name).base in DATES and not plan.file.dialect.format_of(name).date
    )


def ordered(plan: FilePlan, table: Table, name: str, evidence: Evidence, place: Place) -> ColumnFormat:
    """The format of a column with numeric dates.

    :param place: says in words where a value stands.
    :raises MappingError: the dates have no common order, or several.
    """
    column = f"{table.name}.{name}"
    path = plan.file.path
    if not evidence.orders:
        against = evidence.against
        raise MappingError(
            f"{path}: the dates of {column} have no common order: {place(against['MDY'])}, where the month is not"
            f" first, and {place(against['DMY'])}, where the day is not first",
            f"Correct one of them, or say the order with {_option(column, 'DMY')} or {_option(column, 'MDY')}; dates"
            " that do not fit are then rejected",
        )
    if not evidence.decided:
        witness, pair = evidence.doubtful
        readings = " or ".join(f"{_iso(witness.text, order)} ({_READINGS[order]})" for order in pair)
        raise MappingError(
            f"{path}: the order of day and month in {column} is not certain: {place(witness)}, which is {readings},"
            " and no other value of the column decides",
            f"Say it with {' or '.join(_option(column, order) for order in pair)};"
            f" --date-format {pair[0]} applies to all files",
        )
    decisive = evidence.decisive
    why = place(decisive) if decisive else "points, as in 31.12.2020" if evidence.ambiguous else "one reading only"
    return replace(plan.file.dialect.format_of(name), date=evidence.decided, why=why)


def short_year_warning(table: Table, name: str, format_: ColumnFormat, evidence: Evidence, place: Place) -> str:
    """The warning about a year of two digits that is read as a year to come; '' if there is none.

    :param format_: the order that was decided.
    """
    seen = evidence.short_year
    if seen is None or not format_.date.endswith("Y"):
        return ""
    return (
        f"{table.name}.{name}: {place(seen)}, which is {_iso(seen.text, format_.date)}: PostgreSQL reads years of two"
        " digits as 1970 to 2069. If other years are meant, write them with four digits"
    )


def zone_columns(table: Table, plan: FilePlan) -> tuple[str, ...]:
    """The columns of a file that keep no time zone."""
    return tuple(name for name in plan.mapped if table.column(name).base == "timestamp")


def zone_warning(table: Table, name: str, seen: Witness, place: Place) -> str:
    """The warning about time zones that a column drops."""
    return (
        f"{table.name}.{name}: {place(seen)}, whose time zone is dropped, because the column is of type"
        f" {table.column(name).type_sql}. The type timestamp with time zone keeps the moment"
    )


def _option(column: str, order: str) -> str:
    return f"--date-format {shlex.quote(f'{column}={order}')}"


def _iso(text: str, order: str) -> str:
    """The date of a text under an order, as people compare it."""
    numbers = dict(zip(order, re.findall("[0-9]+", text)[:3], strict=True))
    year = numbers["Y"]
    if len(year) < 3:
        year = f"{'20' if int(year) < 70 else '19'}{year:0>2}"
    return f"{year}-{numbers['M']:0>2}-{numbers['D']:0>2}"
