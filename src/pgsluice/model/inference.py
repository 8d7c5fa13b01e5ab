"""What ``pgsluice init`` has found out about files that have no schema yet."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pgsluice.model.reading.formats import ColumnFormat


class Certainty(enum.StrEnum):
    """How sure a key or a foreign key is."""

    CERTAIN = "certain"
    """The schema has it: every row satisfies it, and the names or the values speak for it."""
    LIKELY = "likely"
    """The schema has it as a comment: rows contradict it, or the evidence is weaker."""


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A row that contradicts a key."""

    file: str
    """The path of the file."""
    line: int
    """The physical line on which the record begins, from 1."""
    value: str
    """The value that contradicts the key."""


@dataclass(frozen=True, slots=True)
class InferredColumn:
    """A column of an inferred table."""

    name: str
    """The name of the column."""
    field: str
    """The name of the field in the files."""
    type_sql: str
    """The type, as SQL has it."""
    not_null: bool
    """Whether every row has a value."""
    evidence: str
    """What the values have in common, for people."""
    format: ColumnFormat | None = None
    """How the values are written, where PostgreSQL would not read them as they are."""
    accepted: tuple[str, ...] = ()
    """The values of a column that has few; () if it has many."""
    kind: str = "text"
    """What the values are: integer, number, float, text, boolean, date, timestamp, time, uuid, json, inet, array; none
    if there are no values."""
    least: int | None = None
    """The least value of an integer column."""
    greatest: int | None = None
    """The greatest value of an integer column."""
    digits: int = 0
    """How many digits the numbers have at most in front of the decimal sign."""
    decimals: int = 0
    """How many digits the numbers have at most behind the decimal sign."""
    longest: int = 0
    """How many characters the longest text has."""


@dataclass(frozen=True, slots=True)
class InferredKey:
    """A primary key or a unique key."""

    columns: tuple[str, ...]
    """The columns of the key, in order."""
    certainty: Certainty
    """How sure the key is."""
    evidence: str
    """What speaks for the key, for people."""
    duplicates: tuple[RowPlace, ...] = ()
    """The first rows whose values another row has, for a key that does not hold."""


@dataclass(frozen=True, slots=True)
class InferredForeignKey:
    """A foreign key."""

    columns: tuple[str, ...]
    """The columns of the child table, in order."""
    references: str
    """The name of the parent table."""
    referenced_columns: tuple[str, ...]
    """The columns of the parent table, in the same order."""
    certainty: Certainty
    """How sure the foreign key is."""
    coverage: float
    """The share of the distinct values that the parent table has, from 0 to 1."""
    orphans: int
    """How many distinct values the parent table does not have."""
    name_score: float
    """How well the names fit, from 0 to 1."""
    evidence: str
    """What speaks for the foreign key and against it, for people."""
    places: tuple[RowPlace, ...] = ()
    """The first orphans."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the values leave open. Without an answer the schema takes the column as text."""

    table: str
    """The table."""
    column: str
    """The column."""
    text: str
    """What is open, for people."""
    answers: tuple[str, ...]
    """The options of the command line that answer the question. The first is the likely answer, if there is one."""
    likely: str = ""
    """The answer that ``--yes`` takes; '' if nothing speaks for one."""


@dataclass(frozen=True, slots=True)
class InferredTable:
    """A table of the inferred schema."""

    name: str
    """The name of the table."""
    files: tuple[str, ...]
    """The paths of its files."""
    rows: int
    """How many rows the files have."""
    columns: tuple[InferredColumn, ...]
    """The columns, in the order of the fields."""
    primary_key: InferredKey | None
    """The primary key; None if none was found."""
    unique_keys: tuple[InferredKey, ...]
    """The unique keys beside it."""
    foreign_keys: tuple[InferredForeignKey, ...]
    """The foreign keys, those of single columns first."""
    sql: str = ""
    """The statements that create the table and its indexes, without foreign keys."""


@dataclass(frozen=True, slots=True)
class InferredSchema:
    """A schema for files: its tables in load order, and the texts of the two files that say it."""

    tables: tuple[InferredTable, ...]
    """The tables, parents before children."""
    questions: tuple[Question, ...]
    """What the values leave open."""
    warnings: tuple[str, ...]
    """What a load of the files will run into, for people."""
    sql: str
    """The text of ``schema.sql``."""
    settings: str
    """The text of ``pgsluice.toml``."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that an existing table needs, so that files can be loaded into it, or that the files suggest."""

    table: str
    """The table."""
    why: str
    """What differs, for people."""
    sql: str
    """The statement that changes the table."""
    needed: bool
    """Whether a load would reject rows or refuse files without the change."""


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """What differs between files and the tables that exist."""

    proposals: tuple[Proposal, ...]
    """The changes, parent tables first."""
    same: tuple[str, ...]
    """The tables that need no change."""
    questions: tuple[Question, ...]
    """What the values of the files leave open."""
