"""TODO pgsluice.model.files."""

from __future__ import annotations

from dataclasses import dataclass

from pgsluice.model.catalog import TableName


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file writes its records.

    ``null`` holds the texts that mean NULL when unquoted; empty tuple: an unquoted empty field is NULL
    and a quoted one the empty string, as in COPY's CSV format.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    null: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DialectOptions:
    """What the user fixed of the dialect; None: to be sniffed."""

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    null: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as found: where it is, how long, how it writes, and its first record."""

    path: str
    bytes: int
    stems: tuple[str, ...]
    """What is matched with tables' names, in this order: the name without folder and ``.csv``/``.gz``, then without the
    last number (of a part, of a day) as well, and so on."""
    dialect: Dialect
    header: tuple[str, ...]
    """The fields of the first record (column names, if ``dialect.header``)."""
    feeds: TableName | None = None
    """The table that the file goes into, where its name need not be asked: in a replay."""
