"""Which column each field of a file goes into."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pgsluice.errors import MappingError
from pgsluice.model import Column, FilePlan, Mode, SourceFile, Table, TableName
from pgsluice.source.discover import fold


def match(file: SourceFile, table: Table, mode: Mode, wanted: Sequence[tuple[str, str]]) -> FilePlan:
    """Joins the fields of a file and the columns of its table: by what ``wanted`` says, else by name.

    :param wanted: (field, column) pairs of ``--column``; the first that names a field decides.
    :raises MappingError: a field without a column, a column that comes twice, a required one that is missing.
    """
    loadable = [c for c in table.columns if not c.generated]
    if not file.header:
        # An empty file brings no columns and no rows; nothing can go wrong with it.
        return FilePlan(file, ())
    by_exact = {c.name: c for c in table.columns}
    by_fold: dict[str, list[Column]] = {}
    for c in table.columns:
        by_fold.setdefault(fold(c.name), []).append(c)

    def find(field: str) -> Column | None:
        if field in by_exact:
            return by_exact[field]
        near = by_fold.get(fold(field), [])
        return near[0] if len(near) == 1 else None

    columns: list[str] = []
    unknown: list[str] = []
    for field in file.header:
        # In a replay a field without a name is one that the run left out.
        said = "" if file.feeds is not None and not field else _said(field, table, wanted)
        column = find(field if said is None else said)
        if column is None and said:
            raise MappingError(
                f"--column {field}={said}: {table.name} has no column {said!r}",
                f"Its columns are {', '.join(c.name for c in loadable)}",
            )
        columns.append(column.name if column else "")
        if column is None and said is None:
            unknown.append(field)
    if not any(columns):
        # What is said of a field cannot be meant for a file whose fields have no names: all_said() tells.
        if _looks_like_data(file.header) and len(file.header) == len(loadable):
            bare = replace(file, dialect=replace(file.dialect, header=False))
            return FilePlan(bare, tuple(c.name for c in loadable))
        names = ", ".join(c.name for c in loadable)
        raise MappingError(
            f"{file.path}: none of its columns ({_shown(file.header)}) is a column of {table.name} ({names})",
            "Check the first line and the delimiter (--delimiter), name another table with --table, or the fields'"
            " columns with --column FIELD=COLUMN",
        )
    if unknown:
        leave, name = shlex.quote(f"{unknown[0]}="), shlex.quote(f"{unknown[0]}=COLUMN")
        raise MappingError(
            f"{file.path}: {table.name} has no column {', '.join(repr(f) if f else 'without a name' for f in unknown)}",
            f"Leave it out with --column {leave}, or name its column with --column {name}:"
            f" {', '.join(c.name for c in loadable)}",
        )
    twice = sorted({c for c in columns if c and columns.count(c) > 1})
    if twice:
        fields = [field for field, column in zip(file.header, columns, strict=True) if column == twice[0]]
        if len(set(fields)) < len(fields):
            remedy = "Give them names of their own in the file, or remove one"
        else:
            spare = next((f for f in fields if _said(f, table, wanted) is None), None)
            remedy = "Name one of them only with --column"
            if spare is not None:
                remedy = f"Leave one out with --column {shlex.quote(spare + '=')}"
        raise MappingError(
            f"{file.path}: column {twice[0]} comes twice ({', '.join(map(repr, fields))})",
            remedy,
        )
    computed = next((c.name for c in table.columns if c.generated and c.name in columns), None)
    if computed is not None:
        raise MappingError(
            f"{file.path}: {table.name}.{computed} is a generated column and takes no values",
            f"Leave it out with --column {shlex.quote(file.header[columns.index(computed)] + '=')}",
        )
    missing = [c.name for c in table.columns if c.required and c.name not in columns]
    # An upsert may bring the changed columns of known rows alone; a new row that lacks one is rejected.
    if missing and mode is not Mode.UPSERT:
        raise MappingError(
            f"{file.path}: {table.name}.{', '.join(missing)} is required (NOT NULL without a default)"
            " and not in the file",
            "Add the column to the file, or a default to the table",
        )
    return FilePlan(file, tuple(columns))


def _said(field: str, table: Table, wanted: Sequence[tuple[str, str]]) -> str | None:
    """The column that ``--column`` names for a field of the table's file, '' to leave it out; None: it says nothing."""
    return next((column for named, column in wanted if _means(named, field, table)), None)


def _means(named: str, field: str, table: Table) -> bool:
    """``FIELD``, ``TABLE.FIELD`` and ``SCHEMA.TABLE.FIELD`` mean a field; a dot may be part of its name."""
    name = table.name
    return named in (field, f"{name.name}.{field}", f"{name.schema}.{name.name}.{field}")


def all_said(
    wanted: Sequence[tuple[str, str]],
    planned: Mapping[TableName, Sequence[FilePlan]],
    by_name: Mapping[TableName, Table],
) -> None:
    """Every ``--column`` names a field of some file: a misspelt one would change nothing, unseen.

    :raises MappingError: one does not.
    """
    for named, column in wanted:
        files = [(f.file, by_name[name]) for name, group in planned.items() for f in group if f.file.dialect.header]
        if not any(_means(named, field, table) for file, table in files for field in file.header):
            raise MappingError(
                f"--column {named}={column} names a field that no file has",
                "Write it as the first line of the file does",
            )


def _looks_like_data(fields: Sequence[str]) -> bool:
    """Whether a first record cannot be a header: some field is empty or begins like a number."""
    return any(not f or f[0].isdigit() or (f[0] in "+-" and f[1:2].isdigit()) for f in fields)


def _shown(fields: Sequence[str]) -> str:
    text = ", ".join(fields)
    return text if len(text) <= 120 else text[:117] + "..."


def same_columns(table: Table, group: tuple[FilePlan, ...]) -> None:
    """
    :raises MappingError: two files of the table bring different columns.
    """
    full = [f for f in group if f.columns]
    for other in full[1:]:
        if set(other.brought) != set(full[0].brought):
            odd = sorted(set(other.brought) ^ set(full[0].brought))
            raise MappingError(
                f"{full[0].file.path} and {other.file.path} both feed {table.name} but disagree on {', '.join(odd)}",
                "Give the files of one table the same columns, or load them one by one",
            )
