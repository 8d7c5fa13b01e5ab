"""The keyword arguments of :func:`pgsluice.load` and :func:`pgsluice.plan` that say how files are read and loaded.

The command line has an option for each argument (:mod:`pgsluice.cli.options`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from pgsluice.model.quality.rules import RowRule, SetRule

FILE_ARGUMENTS = (
    "delimiter",
    "quote",
    "escape",
    "format",
    "encoding",
    "nul",
    "header",
    "header_line",
    "skip_lines",
    "skip_footer",
    "comment",
    "trailing_delimiter",
    "skip_initial_blanks",
    "line_ends",
    "ragged",
    "null",
    "null_only",
    "empty_as_null",
)
"""The arguments that say how a file is read, and that can be said of single files."""

INFER_ARGUMENTS = (
    *FILE_ARGUMENTS,
    "tables",
    "skip",
    "recursive",
    "allow_empty",
    "date_format",
    "date_language",
    "decimal",
    "thousands",
    "strip",
    "negative",
)
"""The arguments of ``plan`` that ``init`` takes too."""


class PlanArguments(TypedDict, total=False):
    """The arguments that ``plan`` and ``load`` have."""

    schema: str | os.PathLike[str] | None
    """A file of SQL statements; those that create what does not exist are executed."""
    tables: Sequence[tuple[str, str]]
    """(table, glob) pairs for files whose names do not say their table."""
    columns: Sequence[tuple[str, str]]
    """(field, column) pairs for fields that are not named like their columns; ``""`` as the column leaves the field
    out; ``table.field`` names the field of one table's files."""
    into: str | None
    """The schema of the tables (default: the first of the search path)."""
    names: Sequence[tuple[str, Sequence[str]]]
    """(table, names) pairs: a name for each field of the table's files, in order; ``""`` as the table stands for every
    table, ``""`` as a name leaves the field out. They take the place of the header, if there is one."""
    skip: Sequence[str]
    """Globs of files that are not loaded."""
    recursive: bool
    """A folder names the files in its subfolders as well."""
    allow_empty: bool
    """A file of 0 bytes is a file without rows, and not an error."""
    delimiter: str | None
    """The delimiter of all files: one or more characters, with ``\\t``, ``\\xHH`` and ``\\uHHHH`` as escapes, or
    ``blanks`` for runs of blanks and tabs; None detects the delimiter of each file."""
    quote: str | None
    """The quote character of all files, ``none`` if they have none; None detects the quote character."""
    escape: str | None
    """The character that makes the next one data, ``none`` if there is none; None detects the escape."""
    format: str | None
    """``csv``, or ``text`` for the text format of PostgreSQL's COPY; None means ``csv``."""
    skip_lines: int | None
    """How many physical lines at the beginning of each file are passed over."""
    header_line: int | None
    """The physical line of the header, from 1; the lines before it are passed over."""
    skip_footer: int | None
    """How many lines at the end of each file are passed over; blank lines are not counted."""
    comment: str | None
    """Lines that begin with this text are passed over."""
    trailing_delimiter: bool | None
    """Whether a delimiter at the end of a record opens no field."""
    skip_initial_blanks: bool | None
    """Whether blanks behind a delimiter, at the beginning of a line and behind a closing quote are left out."""
    line_ends: str | None
    """``lf``: LF or CRLF ends a line; ``any``: a lone CR too."""
    ragged: str | None
    """What happens to records with fewer or more fields than the file has: ``reject``, ``drop`` (surplus empty fields
    at the end are left out) or ``fill`` (the same, and missing fields at the end are empty)."""
    encoding: str | Sequence[str] | None
    """The encoding of all files; a list for single files, whose globs stand in front: ``["utf-8", "old*.csv=cp1252"]``.
    None detects the encoding of each file, or raises FileError if it is not certain."""
    nul: str
    """What happens to NUL bytes: ``reject`` (their records are rejects) or ``strip`` (they are removed)."""
    header: bool | None
    """Whether the first record of each file names its fields; None: pgsluice finds out, or raises MappingError if that
    is not certain."""
    null: Sequence[str]
    """Further texts that mean NULL when they are not quoted, as the empty field does."""
    null_only: Sequence[str]
    """The texts that mean NULL when they are not quoted, in place of the empty field."""
    empty_as_null: bool
    """In columns that are not text, a quoted empty field is NULL too."""
    date_format: Sequence[str]
    """How dates are written: ``DMY``, ``MDY`` or ``YMD`` for the order of day, month and year in numeric dates,
    ``excel`` for day numbers, or a pattern with the directives of strptime such as ``%d.%m.%Y``. For all columns with
    dates, or with ``column=``, ``table.column=`` or ``table.*=`` in front for some."""
    date_language: Sequence[str]
    """The language in which months have names, such as ``"de"`` for ``3. März 2024``, in addition to English."""
    decimal: Sequence[str]
    """The decimal sign of numbers, as in ``","`` or ``"price=,"``."""
    thousands: Sequence[str]
    """The sign between groups of digits, as in ``"."`` or ``"price=."``; a blank stands for all kinds of blanks."""
    strip: Sequence[str]
    """Texts that are removed before and behind numbers: ``"€"``, ``"%"``, ``"price=EUR"``."""
    negative: Sequence[str]
    """How numbers below zero are written, with ``#`` for the number: ``"(#)"``, ``"#-"``, ``"amount=# CR"``."""
    true: Sequence[str]
    """Further words for true, as in ``"Y"`` or ``"active=ja"``, in upper or lower case."""
    false: Sequence[str]
    """Further words for false."""
    integer_decimals: bool
    """Whole numbers with decimals that are zeros, such as ``1362.0``, are taken in integer columns."""
    default_on_empty: Sequence[str]
    """Columns whose default takes the place of NULL in the files, as ``"column"``, ``"table.column"`` or
    ``"table.*"``. Identity and serial columns receive the next number."""
    trim: bool
    """Blanks and invisible characters before and behind each value are removed, in all columns."""
    file_options: Sequence[tuple[str, Mapping[str, Any]]]
    """(glob, arguments) pairs: the arguments of this class that say how a file is read, such as ``delimiter`` and
    ``encoding``, for the files whose path or name matches. The first glob that matches a file decides."""
    column_rules: Sequence[Mapping[str, str]]
    """Where columns of a table get their values from: ``{"table": "orders", "column": "id", "from": "order no"}``; in
    place of ``from``, ``constant`` is a text for all rows, and ``expression`` is SQL over the fields as texts."""
    drift: str | Sequence[str]
    """What happens to fields that have no column: ``error`` (the load is refused), ``ignore`` (they are left out) or
    ``add`` (the table gets a column for each); a list for single tables, as in ``mode``."""
    mode: str | Sequence[str]
    """What happens to rows that a table already holds: ``append``, ``upsert``, ``insert-missing`` or ``replace``; a
    list for single tables, as in ``max_rejects``."""
    run_column: str | Sequence[str]
    """The column of each table that the load fills with the run's id: ``"loaded_by"``; a list for single tables, whose
    names stand in front: ``["loaded_by", "orders=run_id"]``; an empty name (``"orders="``): the table has no such
    column. A row that the load does not change keeps its value."""
    key: Sequence[tuple[str, str]]
    """(table, unique constraint or columns) pairs: the merge keys (default: the primary keys)."""
    rules: Sequence[RowRule | SetRule | Mapping[str, Any]]
    """Conditions on rows, and queries over the tables, that a run has to satisfy before it publishes; also as
    mappings with a ``name`` and the keys of a section ``[rules.NAME]`` of ``pgsluice.toml``."""
    rule_files: Sequence[str | os.PathLike[str]]
    """SQL files of rules, or folders of them."""
    profile_columns: bool
    """Store a profile of each column of the tables with a published run (default true)."""
    derive: Sequence[str | os.PathLike[str]]
    """Files of definitions of derived tables, or folders of them. The derived tables are published with the run."""
    delete_missing: bool
    """With ``upsert``: delete the rows of the table whose merge keys are not in the files."""


class LoadArguments(PlanArguments, total=False):
    """The arguments of ``load``."""

    max_rejects: str | int | Sequence[str]
    """How many rejects the run may have and still publish: 0, a number, ``"1%"``, ``"all"``; a list for single tables,
    whose names stand in front: ``["10", "orders=0.1%"]``."""
    dry_run: bool
    """Do everything except publish."""
    again: bool
    """Also load files whose content was loaded into their table before."""
    no_wait: bool
    """Raise LockedError if another run or session has locked a table, instead of waiting."""
    lock_timeout: float
    """Seconds to wait for a lock on a table, before the run pauses and tries again (default 5)."""
    then: Sequence[str]
    """Projects of other programs that run after the run has published: ``dbt:FOLDER`` for a dbt project."""
    resumable: bool
    """Stage each file in a transaction of its own, so that :func:`pgsluice.resume` can continue the run."""
    settle: float
    """Raise FileError if a file was written less than so many seconds ago; 0 refuses no file."""
    max_bytes: str | int | None
    """How many bytes each compressed file may hold unpacked, as a number or a text such as ``10GB``; None sets no
    limit."""
