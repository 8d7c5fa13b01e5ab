"""The mapping: which column each field of a file goes into."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pgsluice.errors import MappingError
from pgsluice.model import FilePlan, Mode, SourceFile, Table, TableName
from pgsluice.pipeline.plan.names import Names

Pairs = Sequence[tuple[str, str]]
"""(field, column) pairs of ``--column``; the first pair that names a field decides, and '' leaves the field out."""


def map_fields(file: SourceFile, table: Table, mode: Mode, wanted: Pairs) -> FilePlan:
    """Maps the fields of a file to columns of its table: as ``wanted`` says, otherwise by name.

    :raises MappingError: a field has no column, two fields have the same column, or a required column is missing.
    """
    loadable = [c.name for c in table.columns if not c.generated]
    if not file.header:
        # An empty file has no columns and no rows.
        return FilePlan(file, ())
    names = Names(c.name for c in table.columns)
    columns, unknown = _find_columns(file, table, wanted, names)
    if not any(columns):
        # check_pairs() refuses a pair that names a field of a file without field names.
        if _looks_like_data(file.header) and len(file.header) == len(loadable):
            bare = replace(file, dialect=replace(file.dialect, header=False))
            return FilePlan(bare, tuple(loadable))
        raise MappingError(
            f"{file.path}: none of its columns ({_shown(file.header)}) is a column of {table.name}"
            f" ({', '.join(loadable)})",
            "Check the first line and the delimiter (--delimiter), name another table with --table, or the fields'"
            " columns with --column FIELD=COLUMN",
        )
    if unknown:
        raise _unknown_fields(file, table, unknown, names)
    _check_unique(file, table, columns, wanted)
    _check_loadable(file, table, columns, mode)
    return FilePlan(file, tuple(columns))


def _find_columns(
    file: SourceFile, table: Table, wanted: Pairs, names: Names
) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The column of each field ('' for none), and the fields without a column, each with the columns it could mean."""
    columns: list[str] = []
    unknown: list[tuple[str, list[str]]] = []
    for field in file.header:
        # In a replay a field without a name is a field that the run left out.
        named = "" if file.feeds is not None and not field else _named_column(field, table, wanted)
        found = names.find(field if named is None else named)
        if named and len(found) != 1:
            raise MappingError(
                f"--column {field}={named}: {table.name} has no column {named!r}",
                f"Its columns are {', '.join(c.name for c in table.columns if not c.generated)}",
            )
        columns.append(found[0] if len(found) == 1 else "")
        if len(found) != 1 and named is None:
            unknown.append((field, found))
    return columns, unknown


def _unknown_fields(
    file: SourceFile, table: Table, unknown: Sequence[tuple[str, list[str]]], names: Names
) -> MappingError:
    """The error for fields without a column: each with its nearest column, and the options to copy."""
    described, options = [], []
    for field, candidates in unknown:
        if len(candidates) > 1:
            described.append(f"{field!r} (could be {' or '.join(candidates)})")
            options.append(f"--column {shlex.quote(f'{field}={candidates[0]}')}")
        elif near := names.nearest(field) if field else "":
            described.append(f"{field!r} (nearest: {near})")
            options.append(f"--column {shlex.quote(f'{field}={near}')}")
        else:
            described.append(repr(field) if field else "without a name")
            options.append(f"--column {shlex.quote(f'{field}=')}")
    first = shlex.quote(f"{unknown[0][0]}=")
    return MappingError(
        f"{file.path}: {table.name} has no column {', '.join(described)}",
        f"Name the columns, for example {' '.join(options)}, or leave a field out with --column {first};"
        f" columns of {table.name}: {', '.join(c.name for c in table.columns if not c.generated)}",
    )


def _check_unique(file: SourceFile, table: Table, columns: Sequence[str], wanted: Pairs) -> None:
    twice = sorted({c for c in columns if c and columns.count(c) > 1})
    if not twice:
        return
    fields = [field for field, column in zip(file.header, columns, strict=True) if column == twice[0]]
    if len(set(fields)) < len(fields):
        remedy = "Give them names of their own in the file, or remove one"
    else:
        spare = next((f for f in fields if _named_column(f, table, wanted) is None), None)
        remedy = "Name one of them only with --column"
        if spare is not None:
            remedy = f"Leave one out with --column {shlex.quote(spare + '=')}"
    raise MappingError(f"{file.path}: column {twice[0]} comes twice ({', '.join(map(repr, fields))})", remedy)


def _check_loadable(file: SourceFile, table: Table, columns: Sequence[str], mode: Mode) -> None:
    computed = next((c.name for c in table.columns if c.generated and c.name in columns), None)
    if computed is not None:
        raise MappingError(
            f"{file.path}: {table.name}.{computed} is a generated column and takes no values",
            f"Leave it out with --column {shlex.quote(file.header[columns.index(computed)] + '=')}",
        )
    missing = [c.name for c in table.columns if c.required and c.name not in columns]
    # The files of an upsert may contain the changed columns alone; a new row that lacks a required column is rejected.
    if missing and mode is not Mode.UPSERT:
        raise MappingError(
            f"{file.path}: {table.name}.{', '.join(missing)} is required (NOT NULL without a default)"
            " and not in the file",
            "Add the column to the file, or a default to the table",
        )


def _named_column(field: str, table: Table, wanted: Pairs) -> str | None:
    """The column that ``--column`` names for a field, '' to leave the field out; None if no pair names the field."""
    return next((column for named, column in wanted if _names_field(named, field, table)), None)


def _names_field(named: str, field: str, table: Table) -> bool:
    """Whether ``FIELD``, ``TABLE.FIELD`` or ``SCHEMA.TABLE.FIELD`` names a field, whose own name may contain a dot."""
    name = table.name
    return named in (field, f"{name.name}.{field}", f"{name.schema}.{name.name}.{field}")


def check_pairs(
    wanted: Pairs, planned: Mapping[TableName, Sequence[FilePlan]], by_name: Mapping[TableName, Table]
) -> None:
    """Checks that every ``--column`` names a field of some file. A misspelt name would change nothing, unseen.

    :raises MappingError: a pair names no field.
    """
    for named, column in wanted:
        files = [(f.file, by_name[name]) for name, group in planned.items() for f in group if f.file.dialect.header]
        if not any(_names_field(named, field, table) for file, table in files for field in file.header):
            raise MappingError(
                f"--column {named}={column} names a field that no file has",
                "Write it as the first line of the file does",
            )


def _looks_like_data(fields: Sequence[str]) -> bool:
    """Whether a first record cannot be a header, because a field is empty or begins like a number."""
    return any(not f or f[0].isdigit() or (f[0] in "+-" and f[1:2].isdigit()) for f in fields)


def _shown(fields: Sequence[str]) -> str:
    text = ", ".join(fields)
    return text if len(text) <= 120 else text[:117] + "..."


def check_same_columns(table: Table, group: Sequence[FilePlan]) -> None:
    """Checks that all files of a table contain the same columns.

    :raises MappingError: two files contain different columns.
    """
    full = [f for f in group if f.columns]
    for other in full[1:]:
        if set(other.brought) != set(full[0].brought):
            odd = sorted(set(other.brought) ^ set(full[0].brought))
            raise MappingError(
                f"{full[0].file.path} and {other.file.path} both feed {table.name} but disagree on {', '.join(odd)}",
                "Give the files of one table the same columns, or load them one by one",
            )
