"""What the values of each file decide: the order of its numeric dates, and the signs in its numbers.

A file is read from its beginning as far as its values may matter: mostly one block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import psycopg

from pgsluice.errors import MappingError
from pgsluice.model import ColumnFormat, FilePlan, Table
from pgsluice.pipeline.plan.values.date_orders import (
    date_columns,
    ordered,
    short_year_warning,
    user_set_date_style,
    zone_columns,
    zone_warning,
)
from pgsluice.pipeline.plan.values.number_signs import check_signs, decided_signs, may_be_misread, number_columns
from pgsluice.pipeline.state import TableRun
from pgsluice.source.blocks import BlockReader
from pgsluice.source.corrections import CorrectionReader, Corrections
from pgsluice.source.locate import locate
from pgsluice.source.typed.date_orders import DateScan
from pgsluice.source.typed.duckdb_reader import DuckDBReader
from pgsluice.source.typed.number_signs import SignScan, may_need_reading
from pgsluice.source.typed.witness import Witness
from pgsluice.source.typed.zones import ZoneScan

Formats = tuple[ColumnFormat, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a file."""

    formats: Formats
    unordered_dates: tuple[str, ...] = ()
    """Columns with dates that have no order, because no numeric date was seen."""
    unread_numbers: tuple[str, ...] = ()
    """Columns with numbers of which only the beginning was seen."""
    warnings: tuple[str, ...] = ()
    """What PostgreSQL takes otherwise than it may be meant, for people."""


class DecidedFiles:
    """What the attempts of a run know about the values of the files, by path."""

    def __init__(self) -> None:
        self.decisions: dict[str, Decision] = {}
        self.numeric: set[str] = set()
        """Files in which a reader found a numeric date behind the beginning."""
        self.signs: set[str] = set()
        """Files in which a number behind the beginning may have two readings."""

    def found_numeric_date(self, path: str) -> None:
        """Notes that a file has numeric dates, so that the next attempt reads all of its dates first."""
        self.numeric.add(path)
        self.decisions.pop(path, None)

    def found_signs(self, path: str) -> None:
        """Notes that the next attempt has to read all numbers of a file first."""
        self.signs.add(path)
        self.decisions.pop(path, None)


def decide_values(conn: psycopg.Connection, table_runs: Sequence[TableRun], known: DecidedFiles) -> None:
    """Decides the orders of numeric dates in the files to load, puts them into the plans of the files, and checks that
    numbers have one reading.

    Columns without a numeric date at the beginning of their file have no order. The reader of the file watches them
    (:attr:`FileRun.unordered_dates`), and the numbers behind the beginning (:attr:`FileRun.unread_numbers`).

    :param known: what earlier attempts of the run have decided; new decisions are added.
    :raises MappingError: nothing decides the order of a column, or the reading of a number.
    :raises FileError: a file cannot be read.
    """
    files = [(t, f) for t in table_runs for f in t.files if not f.skipped]
    with_dates = _wants_dates(conn, ((t.table, f.plan) for t, f in files))
    problems: list[MappingError] = []
    for table_run, file in files:
        path = file.plan.file.path
        try:
            if path not in known.decisions:
                reading = _Reading(file.plan, table_run.table, with_dates, file.corrections)
                known.decisions[path] = reading.decision(path in known.numeric, path in known.signs)
            decision = known.decisions[path]
            file.unordered_dates, file.unread_numbers = decision.unordered_dates, decision.unread_numbers
            file.plan = _decided(file.plan, decision)
        except MappingError as error:
            problems.append(error)
    _raise(problems)
    for table_run in table_runs:
        table_run.plan = replace(table_run.plan, files=tuple(f.plan for f in table_run.files))


def decided_plans(conn: psycopg.Connection, table: Table, plans: Iterable[FilePlan]) -> tuple[FilePlan, ...]:
    """The plans of the files of a table with the orders of their dates, as :func:`decide_values` decides them.

    :raises MappingError: nothing decides the order of a column, or the reading of a number.
    :raises FileError: a file cannot be read.
    """
    plans = tuple(plans)
    with_dates = _wants_dates(conn, ((table, plan) for plan in plans))
    problems: list[MappingError] = []
    found = []
    for plan in plans:
        try:
            found.append(_decided(plan, _Reading(plan, table, with_dates, None).decision()))
        except MappingError as error:
            problems.append(error)
    _raise(problems)
    return tuple(found)


def _wants_dates(conn: psycopg.Connection, files: Iterable[tuple[Table, FilePlan]]) -> bool:
    """Whether numeric dates need an order that the session does not say."""
    return any(date_columns(table, plan) for table, plan in files) and not user_set_date_style(conn)


def _decided(plan: FilePlan, decision: Decision) -> FilePlan:
    """The plan of a file with what was decided."""
    file = plan.file
    known = file.findings.warnings
    warnings = (*known, *(text for text in decision.warnings if text not in known))
    return replace(
        plan,
        file=replace(
            file,
            dialect=replace(file.dialect, formats=decision.formats),
            findings=replace(file.findings, warnings=warnings),
        ),
    )


def _raise(problems: Sequence[MappingError]) -> None:
    if len(problems) == 1:
        raise problems[0]
    if problems:
        message = f"{len(problems)} files have dates whose order is not certain, or numbers with two readings"
        raise MappingError(message, details=[str(problem) for problem in problems])


def _joined(given: Formats, decided: Mapping[str, ColumnFormat]) -> Formats:
    """The formats, with those that were decided in place of the given ones."""
    return (*(f for f in given if f.column not in decided), *decided.values())


class _Reading:
    """Reads the values of one file as far as they may matter."""

    def __init__(self, plan: FilePlan, table: Table, with_dates: bool, corrections: Corrections | None) -> None:
        """:param corrections: the corrected records that are loaded instead of the file. Their numbers are not looked
        at: a person has written them for this load.
        """
        self._plan = plan
        self._table = table
        self._corrections = corrections
        self._dates = date_columns(table, plan) if with_dates else ()
        numbers = number_columns(table, plan) if corrections is None and plan.file.form == "text" else ()
        self._numbers = numbers if may_be_misread(table, numbers) else ()
        self._zoneless = zone_columns(table, plan) if corrections is None else ()

    def decision(self, all_dates: bool = False, all_numbers: bool = False) -> Decision:
        """What the values decide.

        :param all_dates: the file is known to have numeric dates.
        :param all_numbers: a number of the file may have two readings.
        :raises MappingError: nothing decides.
        """
        plan, given = self._plan, self._plan.file.dialect.formats
        if not (self._dates or self._numbers or self._zoneless):
            return Decision(given)
        positions = {i: self._table.column(name) for i, name in enumerate(plan.columns) if name}
        # The time zone has no influence on texts.
        reader = DuckDBReader(positions, plan.names, plan.file.dialect, path=plan.file.path, utc=False)
        dates, numbers = DateScan(self._dates, reader), SignScan(self._numbers, reader)
        zones = ZoneScan(self._zoneless, reader)
        read_dates, read_numbers = bool(self._dates), bool(self._numbers)
        blocks = self._blocks()
        with closing(reader), closing(blocks):
            for block in blocks:
                zones.add(block)
                if read_dates:
                    read_dates = all_dates = dates.add(block) or all_dates
                if read_numbers:
                    if all_numbers or may_need_reading(block.data, plan.file.dialect):
                        numbers.add(block)
                    read_numbers = all_numbers = all_numbers or numbers.needs_all
                if not (read_dates or read_numbers):
                    break
        decided: dict[str, ColumnFormat] = {}
        if read_numbers:
            decided = decided_signs(plan, self._table, numbers.signs, self._place)
            check_signs(plan, self._table, numbers.signs, self._place, decided)
        unordered = () if read_dates else self._dates
        unread = () if read_numbers else self._numbers
        warnings = [zone_warning(self._table, name, seen, self._place) for name, seen in zones.found.items()]
        if not read_dates:
            return Decision(_joined(given, decided), unordered, unread, tuple(warnings))
        found = {name: evidence for name, evidence in dates.evidence.items() if evidence.found}
        for name, evidence in found.items():
            decided[name] = ordered(plan, self._table, name, evidence, self._place)
            if warning := short_year_warning(self._table, name, decided[name], evidence, self._place):
                warnings.append(warning)
        # Every block was seen, so that the other columns have no numeric dates.
        return Decision(_joined(given, decided), unordered, unread, tuple(warnings))

    def _blocks(self) -> BlockReader | CorrectionReader:
        if self._corrections is None:
            return BlockReader(self._plan.file, self._plan.names)
        return self._corrections.reader(self._plan.names, frozenset())

    def _place(self, witness: Witness) -> str:
        """Where a value stands, in words."""
        return f"line {self._line(witness)} has {witness.text!r}"

    def _line(self, witness: Witness) -> int:
        """The line of a record."""
        import numpy as np

        wanted, plan = [np.array([witness.ordinal])], self._plan
        if self._corrections is None:
            found = locate(plan.file, plan.names, [witness.extent], wanted)
        else:
            found = self._corrections.locate(wanted)
        return int(next(iter(found)).lines[0])
