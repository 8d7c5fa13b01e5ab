"""Which of day and month comes first in the numeric dates of each file: an option, the session or the file decides.

Where none of them decides, the load ends before it begins: the default of DateStyle would be a guess.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace

import psycopg

from pgsluice.errors import MappingError
from pgsluice.model import ColumnFormat, FilePlan, Table
from pgsluice.pipeline.state import TableRun
from pgsluice.source.blocks import BlockReader
from pgsluice.source.corrections import CorrectionReader, Corrections
from pgsluice.source.locate import locate
from pgsluice.source.typed.date_orders import DateScan, Evidence, Witness
from pgsluice.source.typed.duckdb_reader import DuckDBReader
from pgsluice.source.typed.rewriting import DATES
from pgsluice.sql import query

Formats = tuple[ColumnFormat, ...]

_READINGS = {"DMY": "day first", "MDY": "month first", "YMD": "year first"}


def user_set_date_style(conn: psycopg.Connection) -> bool:
    """Whether the user has set DateStyle: for the session, the role or the database.

    The server's configuration file does not count: initdb writes the setting into it.
    """
    row = conn.execute(query("plan", "date_style")).fetchone()
    return bool(row and row[0])


def decide_date_orders(conn: psycopg.Connection, table_runs: Sequence[TableRun], known: DecidedFiles) -> None:
    """Decides the orders of numeric dates in the files to load, and puts them into the plans of the files.

    Columns without a numeric date at the beginning of their file have no order. The reader of the file watches them
    (:attr:`FileRun.unordered_dates`).

    :param known: what earlier attempts of the run have decided; new decisions are added.
    :raises MappingError: nothing decides the order of a column.
    :raises FileError: a file cannot be read.
    """
    files = [(t, f) for t in table_runs for f in t.files if not f.skipped]
    if not any(_columns(t.table, f.plan) for t, f in files) or user_set_date_style(conn):
        return
    problems: list[MappingError] = []
    for table_run, file in files:
        path = file.plan.file.path
        try:
            if path not in known.formats:
                known.formats[path] = order_dates(file.plan, table_run.table, file.corrections, path in known.numeric)
            formats, file.unordered_dates = known.formats[path]
            file.plan = _with_formats(file.plan, formats)
        except MappingError as error:
            problems.append(error)
    _raise(problems)
    for table_run in table_runs:
        table_run.plan = replace(table_run.plan, files=tuple(f.plan for f in table_run.files))


def ordered_plans(conn: psycopg.Connection, table: Table, plans: Iterable[FilePlan]) -> tuple[FilePlan, ...]:
    """The plans of the files of a table with the orders of their dates, as :func:`decide_date_orders` decides them.

    :raises MappingError: nothing decides the order of a column.
    :raises FileError: a file cannot be read.
    """
    plans = tuple(plans)
    if not any(_columns(table, plan) for plan in plans) or user_set_date_style(conn):
        return plans
    problems: list[MappingError] = []
    found = []
    for plan in plans:
        try:
            found.append(_with_formats(plan, order_dates(plan, table)[0]))
        except MappingError as error:
            problems.append(error)
    _raise(problems)
    return tuple(found)


class DecidedFiles:
    """What the attempts of a run know about the dates of the files, by path."""

    def __init__(self) -> None:
        self.formats: dict[str, tuple[Formats, tuple[str, ...]]] = {}
        self.numeric: set[str] = set()
        """Files in which a reader found a numeric date behind the beginning."""

    def found_numeric_date(self, path: str) -> None:
        """Notes that a file has numeric dates, so that the next attempt reads all of its dates first."""
        self.numeric.add(path)
        self.formats.pop(path, None)


def _with_formats(plan: FilePlan, formats: Formats) -> FilePlan:
    return replace(plan, file=replace(plan.file, dialect=replace(plan.file.dialect, formats=formats)))


def _raise(problems: Sequence[MappingError]) -> None:
    if len(problems) == 1:
        raise problems[0]
    if problems:
        message = f"{len(problems)} files have dates whose order is not certain"
        raise MappingError(message, details=[str(problem) for problem in problems])


def _columns(table: Table, plan: FilePlan) -> tuple[str, ...]:
    """The columns of a file with dates that no option describes."""
    return tuple(
        name for name in plan.mapped if table.column(name).base in DATES and not plan.file.dialect.format_of(name).date
    )


def order_dates(
    plan: FilePlan, table: Table, corrections: Corrections | None = None, numeric: bool = False
) -> tuple[Formats, tuple[str, ...]]:
    """The formats of a file with the orders of its dates, and the columns with dates that have no order.

    The first block shows whether a column has numeric dates; if one has, the whole file is read. ISO dates cost a look
    at the first block.

    :param corrections: the corrected records that are loaded instead of the file.
    :param numeric: the file is known to have numeric dates.
    """
    columns = _columns(table, plan)
    given = plan.file.dialect.formats
    if not columns:
        return given, ()
    positions = {i: table.column(name) for i, name in enumerate(plan.columns) if name}
    # The time zone has no influence on texts.
    reader = DuckDBReader(positions, plan.names, plan.file.dialect, path=plan.file.path, utc=False)
    scan = DateScan(columns, reader)
    blocks = BlockReader(plan.file, plan.names) if corrections is None else _corrected(plan, corrections)
    with closing(reader), closing(blocks):
        for block in blocks:
            if not scan.add(block) and not numeric:
                return given, columns
            numeric = True
    found = {name: evidence for name, evidence in scan.evidence.items() if evidence.found}
    decided = {name: _decided(plan, table, name, evidence, corrections) for name, evidence in found.items()}
    # Every block was seen, so that the other columns have no numeric dates.
    return (*(f for f in given if f.column not in decided), *decided.values()), ()


def _corrected(plan: FilePlan, corrections: Corrections) -> CorrectionReader:
    return corrections.reader(plan.names, frozenset())


def _decided(
    plan: FilePlan, table: Table, name: str, evidence: Evidence, corrections: Corrections | None
) -> ColumnFormat:
    """The format of a column with numeric dates.

    :raises MappingError: the dates have no common order, or several.
    """

    def place(witness: Witness) -> str:
        return f"line {_line(plan, witness, corrections)} has {witness.text!r}"

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


def _option(column: str, order: str) -> str:
    return f"--date-format {shlex.quote(f'{column}={order}')}"


def _iso(text: str, order: str) -> str:
    """The date of a text under an order, as people compare it."""
    numbers = dict(zip(order, re.findall("[0-9]+", text)[:3], strict=True))
    year = numbers["Y"]
    if len(year) < 3:
        year = f"{'20' if int(year) < 70 else '19'}{year:0>2}"
    return f"{year}-{numbers['M']:0>2}-{numbers['D']:0>2}"


def _line(plan: FilePlan, witness: Witness, corrections: Corrections | None) -> int:
    """The line of a record."""
    import numpy as np

    wanted = [np.array([witness.ordinal])]
    found = (
        locate(plan.file, plan.names, [witness.extent], wanted) if corrections is None else corrections.locate(wanted)
    )
    return int(next(iter(found)).lines[0])
