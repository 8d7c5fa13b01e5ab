"""The merge key: the mode of a table and the columns by which its rows match rows of the files."""

from __future__ import annotations

from collections.abc import Sequence

from pgsluice.errors import MappingError
from pgsluice.model import FilePlan, Mode, Modes, Table
from pgsluice.postgres.table_properties import merge_key_columns


def choose_merge_key(table: Table, files: Sequence[FilePlan], modes: Modes) -> tuple[Mode, tuple[str, ...], bool]:
    """The mode of a table, its merge key, and whether missing rows are deleted.

    :raises MappingError: the table has no such key, the files lack a column of it, or no file has any column, so that a
        replace would delete every row.
    """
    mode = modes.of(table.name)
    if mode is Mode.APPEND:
        return mode, (), False
    delete = mode is Mode.REPLACE or (mode is Mode.UPSERT and modes.delete_missing)
    if modes.replay and mode is Mode.REPLACE:
        # The run that is replayed has deleted the missing rows and kept the old rows of rejected records.
        if not _primary_key(table) and not any(table.name.called(name) for name, _ in modes.keys):
            return Mode.APPEND, (), False
        mode = Mode.UPSERT
    delete = delete and not modes.replay
    named = next((key for name, key in modes.keys if table.name.called(name)), None)
    key = _named_key(table, named) if named is not None else _primary_key(table)
    full = [f for f in files if f.columns]
    columns = full[0].brought if full else ()
    if delete and not columns:
        raise MappingError(
            f"{files[0].file.path} is empty and has no header; {mode} would delete every row of {table.name}",
            "Write the header into the file if that is meant",
        )
    if not key:
        if mode is Mode.REPLACE:
            return mode, (), True
        raise MappingError(
            f"{table.name} has no primary key, so {mode} cannot match its rows",
            f"Name a unique constraint of it with --key {table.name}=NAME",
        )
    for file in full:
        lacking = [c for c in key if c not in file.brought]
        if not lacking:
            continue
        which = "the files have" if all(set(lacking).isdisjoint(f.brought) for f in full) else f"{file.file.path} has"
        raise MappingError(
            f"{mode} matches the rows of {table.name} by {', '.join(key)}, and {which} no {', '.join(lacking)}",
            f"Add the column, or name another key with --key {table.name}=NAME",
        )
    return mode, key, delete


def _primary_key(table: Table) -> tuple[str, ...]:
    return next((merge_key_columns(table, i) for i in table.indexes if i.primary), ())


def _named_key(table: Table, named: str) -> tuple[str, ...]:
    wanted = tuple(part.strip() for part in named.split(","))
    for index in table.indexes:
        columns = merge_key_columns(table, index)
        if columns and (index.name == named or sorted(columns) == sorted(wanted)):
            return columns
    raise MappingError(
        f"--key {named!r} is no unique key of {table.name}",
        "Name a unique constraint or its columns; none with a condition, an expression or NULLS NOT DISTINCT",
    )
