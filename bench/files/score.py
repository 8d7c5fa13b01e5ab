"""Compares what a program made of a file with the truth."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from bench.files.clean import Column
from bench.files.draft import EITHER, GOOD, NAMED, Case, Cell, Record
from bench.files.outcome import REFUSED, Outcome

LOOSE_BLANKS = frozenset({"padded"})
"""Pollutions after which a value with its blanks is as right as the value without."""


@dataclass
class Score:
    """Shares from 0 to 1, and what is wrong in silence."""

    header: float = 0.0
    records: float = 0.0
    cells: float = 0.0
    refused: bool = False
    silent: list[str] = field(default_factory=list)
    """Records and cells that are wrong although the program ended well and named nothing."""


def score(case: Case, outcome: Outcome, *, hinted: bool) -> Score:
    """The score of an outcome.

    :param hinted: the program was told what a person knows of the file.
    """
    if outcome.status == REFUSED:
        right = 1.0 if case.askable and not hinted else 0.0
        return Score(right, right, right, refused=True)
    return _Comparison(case, outcome).score()


class _Comparison:
    def __init__(self, case: Case, outcome: Outcome) -> None:
        self._case, self._outcome = case, outcome
        self._columns = case.table.columns
        self._order = self._places()
        self._by_key = {_key(r.key): r for r in case.records}
        self._loose = case.pollution.name in LOOSE_BLANKS

    def _places(self) -> list[int | None]:
        """For each column of the table, the place of its field in a row."""
        width = len(self._columns)
        if self._outcome.by_column:
            return list(range(width))
        if self._outcome.header:
            found = [_squeezed(h) for h in self._outcome.header]
            places = [found.index(s) if (s := _squeezed(c.name)) in found else None for c in self._columns]
            if places.count(None) <= width // 2:
                return places
        return list(range(width))

    def _cells(self, row: list[Any]) -> list[Any]:
        return [row[p] if p is not None and p < len(row) else _MISSING for p in self._order]

    def score(self) -> Score:
        silent: list[str] = []
        stored: dict[str, int] = {}
        right = extra_cells = extra_rows = 0
        others = self._other_lines()
        for place, row in enumerate(self._outcome.rows):
            cells = self._cells(row)
            record = self._by_key.get(_key(cells[0]))
            if record is None or stored.get(record.key):
                extra_rows += 1
                extra_cells += len(self._columns)
                if others:
                    others.pop()
                elif place < len(self._outcome.rows) - self._outcome.last and not self._named_row(cells):
                    silent.append(f"extra row {_short(cells)}")
                continue
            wrong = [
                c.name
                for c, cell, got in zip(self._columns, record.cells, cells, strict=True)
                if not self._equal(cell, got, c)
            ]
            stored[record.key] = 1
            if record.fate == GOOD:
                right += len(self._columns) - len(wrong)
            if wrong and not self._named(record):
                silent.append(f"{record.key}: {', '.join(wrong)} {_short(cells)}")
        lost = [r for r in self._case.records if r.key not in stored and not self._named(r)]
        silent += [f"{r.key} lost ({r.fate})" for r in lost if r.fate in (GOOD, NAMED, EITHER)]
        if self._outcome.warnings:
            silent = []
        good = [r for r in self._case.records if r.fate == GOOD]
        found = sum(r.key in stored for r in good)
        width = len(self._columns)
        return Score(
            header=float(self._header_right(found, right)),
            records=_f1(found, len(good), found + extra_rows),
            cells=_f1(right, len(good) * width, found * width + extra_cells),
            silent=silent,
        )

    def _header_right(self, found: int, right: int) -> bool:
        wanted = [_squeezed(n) for n in self._case.names]
        if self._outcome.header is not None:
            got = [_squeezed(h) for h in self._outcome.header]
            if not wanted or not got:
                return wanted == got
            return [g for g in got if g in wanted] == [w for w in wanted if w in got] and set(wanted) <= set(got)
        # A table does not tell a header: it was found if its names are no row and no record is missing for it.
        keys = {_squeezed(str(row[0])) for row in self._outcome.rows if row}
        first = next((r for r in self._case.records if r.fate == GOOD), None)
        there = (
            first is None
            or self._named(first)
            or _key(first.key) in {_key(row[0]) for row in self._outcome.rows if row}
        )
        return bool(there and not keys & set(wanted) and (right > found or not found))

    def _named(self, record: Record) -> bool:
        first, last = record.lines
        return any(first <= line <= last or (record.key and record.key in raw) for line, raw in self._outcome.named)

    def _other_lines(self) -> set[int]:
        """The lines that a warning names and that are no records."""
        records = {line for r in self._case.records for line in range(r.lines[0], r.lines[1] + 1)}
        return {line for line, raw in self._outcome.named if line and not raw} - records

    def _named_row(self, cells: list[Any]) -> bool:
        """Whether a row that is no record comes from a record that was named."""
        keys = [r for r in self._case.records if r.fate != GOOD and r.key and _key(r.key) in _key(cells[0])]
        return any(self._named(r) for r in keys)

    def _equal(self, cell: Cell, got: Any, column: Column) -> bool:
        if got is _MISSING:
            return False
        if got is None or got == "":
            return cell.value is None or cell.raw == got
        if isinstance(got, str):
            if got == cell.raw or (self._loose and got.strip() == cell.raw.strip()):
                return True
            if column.type == "text" or cell.value is None:
                return bool(got == cell.value)
            got = _converted(got, column)
        if isinstance(got, bool) or cell.value is None or got is None:
            return False
        if isinstance(cell.value, date):
            return bool(got == cell.value)
        if isinstance(cell.value, str) or isinstance(got, str | date):
            return False
        try:
            return Decimal(str(got)) == Decimal(cell.value)
        except InvalidOperation:
            return False


_MISSING = object()


def _key(value: Any) -> str:
    """A key as it can be recognized: without blanks, quotes, leading zeros, and the .0 of a floating point number."""
    return str(value).strip(" \t'\"").removesuffix(".0").lstrip("0")


def _short(cells: list[Any]) -> str:
    return str([c if c is not _MISSING else "..." for c in cells])[:160]


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _converted(text: str, column: Column) -> Any:
    try:
        return date.fromisoformat(text) if column.type == "date" else Decimal(text)
    except (ValueError, InvalidOperation):
        return None


def _f1(right: int, wanted: int, got: int) -> float:
    return 2 * right / (wanted + got) if wanted + got else 1.0
