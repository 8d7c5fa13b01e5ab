"""A situation: tables, files, and what is right."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from bench.files.clean import Column, Table, Value

_SQL = {"int": "integer", "big": "bigint", "decimal": "numeric", "date": "date", "text": "text"}

LOADED = "loaded"
"""The right end: all rows are loaded with the right values."""
REFUSED = "refused"
"""The right end: nothing is loaded, and the message says why."""


def table(name: str, *columns: str, after: str = "") -> Table:
    """A table: columns as ``name type constraints``; the first one is the key.

    :param after: the table that it references, by its name.
    """
    parts = [c.split(" ", 2) for c in columns]
    made = tuple(Column(p[0], "int" if p[1] == "big" else p[1], " ".join([_SQL[p[1]], *p[2:]])) for p in parts)
    return Table(name, made, (), (after,) if after else ())


def row(values: str, shape: Table) -> tuple[Value, ...]:
    """The values of a row from a text with ``¦`` between them; ``∅`` stands for NULL, ``⏎`` for a line break."""
    return tuple(_value(text, column) for text, column in zip(values.split("¦"), shape.columns, strict=True))


def _value(text: str, column: Column) -> Value:
    if text == "∅":
        return None
    if column.type == "int":
        return int(text)
    if column.type == "decimal":
        return Decimal(text)
    return date.fromisoformat(text) if column.type == "date" else text.replace("⏎", "\n")


@dataclass(frozen=True)
class File:
    """A file of a situation. ``rows`` are the rows that are right for its table, as :func:`row` reads them."""

    name: str
    data: bytes
    table: Table
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Situation:
    name: str
    what: str
    """One sentence for the page."""
    files: tuple[File, ...]
    end: str = LOADED
    needs_table: bool = False
    """What is right depends on the table, so programs that only read files cannot be compared."""
    others: dict[str, str] = field(default_factory=dict)
    """By program: what it has for such files, in place of the call that is compared."""
    options: dict[str, str] = field(default_factory=dict)
    """By program: the options with which it reads the files right, if its defaults do not; as its users write them."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables, parents first."""
        return tuple(dict.fromkeys(f.table for f in self.files))


def one(
    name: str,
    what: str,
    data: str | bytes,
    shape: Table,
    rows: tuple[str, ...] = (),
    *,
    file: str = "",
    encoding: str = "utf-8",
    end: str = LOADED,
    **options: str,
) -> Situation:
    """A situation with one file."""
    content = data.encode(encoding) if isinstance(data, str) else data
    return Situation(name, what, (File(file or f"{shape.name}.csv", content, shape, rows),), end, options=options)
