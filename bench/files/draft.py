"""A file in the making: the records of a clean table, how they are written, and what is to be recovered."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from bench.files.clean import Column, Table, Value

GOOD = "good"
"""The record can be recovered: it must be stored with all its cells."""
NAMED = "named"
"""The record cannot be recovered: it is a reject or an error names it, or else it is stored right."""
EITHER = "either"
"""To refuse the record is as good as to recover it."""


@dataclass
class Cell:
    value: Value
    raw: str
    """The text of the field in the file, without quotes."""


@dataclass
class Record:
    cells: list[Cell]
    fate: str = GOOD
    lines: tuple[int, int] = (0, 0)
    """The first and the last line of the record in the file, from 1."""

    @property
    def key(self) -> str:
        return self.cells[0].raw


@dataclass
class Style:
    """How a program writes its files."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    """What stands before a quote inside of a quoted field; '' doubles the quote."""
    all_quoted: bool = False
    quotes: bool = True
    """Whether fields are quoted where necessary."""
    eol: str = "\n"
    null: str = ""
    decimal: str = "."
    thousands: str = ""
    date: str = "%Y-%m-%d"

    def text(self, value: Value, column: Column) -> str:
        """The text of a value, not yet quoted."""
        if value is None:
            return self.null
        if isinstance(value, date):
            return value.strftime(self.date)
        if isinstance(value, int | Decimal) and column.name.endswith(("_id", "code")):
            return str(value)
        if isinstance(value, int | Decimal) and (self.thousands or self.decimal != "."):
            text = f"{value:,}" if self.thousands else str(value)
            return text.replace(",", "\0").replace(".", self.decimal).replace("\0", self.thousands)
        return str(value)

    def field(self, text: str, null: bool = False) -> str:
        """The field of a text: quoted if necessary."""
        marks = (self.delimiter, self.quote, "\n", "\r")
        wanted = self.all_quoted or (not null and (not text or any(m in text for m in marks)))
        if not self.quotes or not self.quote or not wanted:
            return text
        if self.escape:
            text = text.replace(self.escape, self.escape * 2)
        return f"{self.quote}{text.replace(self.quote, (self.escape or self.quote) + self.quote)}{self.quote}"


@dataclass
class Hints:
    """What a person knows who has looked at the file. Each program gets what it has options for."""

    delimiter: str | None = None
    quote: str | None = None
    """'' says that no field is quoted."""
    escape: str | None = None
    encoding: str | None = None
    header: bool | None = None
    skip_lines: int = 0
    """Lines above the header."""
    skip_footer: int = 0
    """Lines below the records, blank lines counted."""
    blank_footer: int = 0
    """How many of them are blank."""
    trailing: bool = False
    """A delimiter ends each record."""
    units: int = 0
    """Lines below the header that are no records."""
    comment: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    date_format: str | None = None
    null: tuple[str, ...] = ()
    empty_as_null: bool = False
    trim: bool = False
    skip_initial_blank: bool = False
    ragged: str | None = None
    """fill or drop"""
    line_ends: bool = False
    """Lines end with CR alone."""
    text_format: bool = False
    integer_decimals: bool = False
    """Integers are written as 5.0."""
    nul: bool = False
    """NUL bytes are stripped."""
    drop_field: tuple[str, ...] = ()
    """Fields of the header that no column takes."""
    bad_rows: bool = False
    """Some rows are bad: a program that can pass over bad rows, and name them, does so."""


@dataclass
class Piece:
    """A part of the file, without its line end: a record, the header, or something else."""

    text: str
    record: int | None = None
    header: bool = False
    eol: str | None = None
    """None: as the style."""


@dataclass
class Draft:
    """The file of a table, before and after a pollution."""

    table: Table
    rng: random.Random
    style: Style = field(default_factory=Style)
    records: list[Record] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """The names that the header shows; empty: there is no header."""
    pieces: list[Piece] = field(default_factory=list)
    encoding: str = "utf-8"
    finish: Callable[[bytes], bytes] = bytes
    """Changes the bytes of the file."""
    last_eol: bool = True
    hints: Hints = field(default_factory=Hints)
    values: list[list[Value]] = field(default_factory=list)
    unreadable_unhinted: bool = False
    """Without hints nobody can know the values: to refuse the file is right, and its cells are not counted."""

    def __post_init__(self) -> None:
        self.values = [list(row) for row in self.table.rows]
        self.names = [c.name for c in self.table.columns]

    def write(self) -> list[Piece]:
        """Writes header and records in the style."""
        columns = self.table.columns
        self.records = [
            Record([Cell(v, self.style.text(v, c)) for v, c in zip(row, columns, strict=True)]) for row in self.values
        ]
        self.pieces = [self.header()] if self.names else []
        self.pieces += [Piece(self.line(r), i) for i, r in enumerate(self.records)]
        return self.pieces

    def header(self) -> Piece:
        return Piece(self.style.delimiter.join(self.style.field(n) for n in self.names), header=True)

    def line(self, record: Record) -> str:
        return self.style.delimiter.join(self.style.field(c.raw, c.value is None) for c in record.cells)

    def some(self, wanted: Callable[[Record], bool] = lambda _: True) -> int:
        """The place in ``pieces`` of a random record in the inner part of the file."""
        inner = range(4, len(self.pieces) - 3)
        places = [p for p in inner if self.pieces[p].record is not None]
        able = [p for p in places if wanted(self.records[self.pieces[p].record or 0])]
        return self.rng.choice(able or places)

    def spoil(self, place: int, text: str, fate: str = NAMED) -> None:
        """Replaces the text of a record, which then has this fate."""
        piece = self.pieces[place]
        assert piece.record is not None
        self.pieces[place] = replace(piece, text=text)
        self.records[piece.record].fate = fate

    def fields(self, place: int) -> list[str]:
        """The fields of a record as they are written."""
        record = self.records[self.pieces[place].record or 0]
        return [self.style.field(c.raw, c.value is None) for c in record.cells]

    def bytes(self) -> bytes:
        """The file; the lines of the records are noted."""
        text, line = [], 1
        for place, piece in enumerate(self.pieces):
            eol = self.style.eol if piece.eol is None else piece.eol
            if place == len(self.pieces) - 1 and not self.last_eol:
                eol = ""
            whole = piece.text + eol
            ends = whole.replace("\r\n", "\n").replace("\r", "\n").count("\n")
            if piece.record is not None:
                self.records[piece.record].lines = (line, line + max(0, ends - 1))
            line += ends
            text.append(whole)
        return self.finish("".join(text).encode(self.encoding))


@dataclass(frozen=True)
class Pollution:
    """A way to spoil a file."""

    name: str
    level: str
    """table, row or values"""
    what: str
    spoil: Callable[[Draft], None]


POLLUTIONS: dict[str, Pollution] = {}


def pollution(level: str, what: str) -> Callable[[Callable[[Draft], None]], Callable[[Draft], None]]:
    """Registers a function that spoils a draft. It may call :meth:`Draft.write`; otherwise that is done after it."""

    def register(function: Callable[[Draft], None]) -> Callable[[Draft], None]:
        name = function.__name__.strip("_")
        POLLUTIONS[name] = Pollution(name, level, what, function)
        return function

    return register


@dataclass(frozen=True)
class Case:
    """A polluted file and its truth."""

    pollution: Pollution
    set_name: str
    table: Table
    seed: int
    data: bytes
    records: tuple[Record, ...]
    names: tuple[str, ...]
    """The header; () if there is none."""
    hints: Hints
    askable: bool
    """Without hints, to refuse the file is right."""

    @property
    def title(self) -> str:
        return f"{self.pollution.name}/{self.set_name}/{self.seed}"


def make_case(way: Pollution, set_name: str, table: Table, seed: int) -> Case:
    """Spoils the file of a table."""
    draft = Draft(table, random.Random(f"{way.name}:{set_name}:{seed}"))
    way.spoil(draft)
    if not draft.pieces:
        draft.write()
    data = draft.bytes()
    return Case(
        way,
        set_name,
        table,
        seed,
        data,
        tuple(draft.records),
        tuple(draft.names),
        draft.hints,
        draft.unreadable_unhinted,
    )
