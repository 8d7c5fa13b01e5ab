"""The files of a folder as a schema takes them: their dialects settled, their fields named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from pgsluice.errors import MappingError
from pgsluice.model import BLANKS, DialectOptions, IgnoredFile, SourceFile
from pgsluice.source.blocks import BlockReader, recheck
from pgsluice.source.table_dialect import resolve

_NOT_A_TABLE = "its suffix does not say that it is a CSV file, and it does not look like a table; name it to take it"

_VALUE = re.compile(
    r"[-+]?[0-9][0-9.,:/\- T]*$|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-.*|[0-9a-f]{16,}$|[^@\s]+@[^@\s]+\.[a-z]+$"
)
"""What no name of a field looks like: a number, a date, a hash, an address."""

_YEAR = re.compile(r"(?:19|20)[0-9]{2}$")


def settled_files(
    files: Sequence[SourceFile], options: DialectOptions
) -> tuple[tuple[SourceFile, ...], tuple[IgnoredFile, ...]]:
    """The files that make tables, with their dialects, and the files that do not.

    :param options: the parts of the dialect that the user fixed.
    :raises MappingError: a file can be read in several ways, and nothing decides between them.
    :raises FileError: a file cannot be read.
    """
    taken, ignored = [], []
    for file in files:
        if file.optional and not _looks_like_table(file):
            ignored.append(IgnoredFile(file.path, file.fault or _NOT_A_TABLE))
            continue
        settled = _settled(file, options)
        if settled.header:
            taken.append(settled)
        else:
            ignored.append(IgnoredFile(file.path, "it is empty"))
    return tuple(taken), tuple(ignored)


def _looks_like_table(file: SourceFile) -> bool:
    """Whether a file whose suffix says nothing is a table, and no text with words between blanks."""
    divided = len(file.header) > 1 and file.dialect.delimiter not in (" ", BLANKS)
    return not file.fault and file.findings.sure and divided


def _settled(file: SourceFile, options: DialectOptions) -> SourceFile:
    if file.form == "text" and not file.findings.clear and file.header:
        file = resolve(file, options, None)
        if file.findings.candidates:
            ways = " or ".join(candidate.option for candidate in file.findings.candidates)
            raise MappingError(
                f"{file.path}: its records can be read in {len(file.findings.candidates)} ways, and nothing decides"
                " between them",
                f"Choose with {ways}",
            )
    if file.dialect.delimiter in (" ", BLANKS) and options.delimiter is None and _has_no_record(file):
        # The names of columns hold blanks, and nothing else does: the file has one column.
        file = resolve(file, replace(options, delimiter=","), None)
    if file.form in ("parquet", "json") or options.header is not None or not file.dialect.header:
        return file
    return replace(file, dialect=replace(file.dialect, header=False)) if _is_record(file.header) else file


def _has_no_record(file: SourceFile) -> bool:
    """Whether the first records of a file are all faults."""
    with closing(BlockReader(file, file.field_names)) as blocks:
        first = next(iter(blocks), None)
    return first is not None and not recheck(first, file.dialect, file.field_names).rows


def _is_record(first: Sequence[str]) -> bool:
    """Whether the first record of a file is no header, because fields look like values.

    Years name the columns of a table of years.
    """
    values = [field for field in first if _VALUE.match(field.strip()) and not _YEAR.match(field.strip())]
    return bool(values) and len(values) + 1 >= len(first) / 3
