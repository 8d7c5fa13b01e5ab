"""File tables: which table each file feeds, by ``--table`` or by its name."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
from collections.abc import Iterable, Sequence

from pgsluice.errors import MappingError
from pgsluice.model import SourceFile, Table
from pgsluice.pipeline.plan.names import Names
from pgsluice.source.discover import composed


def table_of(file: SourceFile, tables: Sequence[Table], wanted: Sequence[tuple[str, str]]) -> Table:
    """The table that a file feeds.

    :param tables: the tables to choose from; only their names matter.
    :param wanted: (table, glob) pairs of ``--table``; the first glob that matches the path or the name decides.
    :raises MappingError: no table fits, or several tables do.
    """
    if file.feeds is not None:
        known = next((t for t in tables if t.name == file.feeds), None)
        if known is None:
            raise MappingError(f"{file.path} was loaded into {file.feeds}, which is no table any more", "Create it")
        return known
    base = os.path.basename(file.path)
    path = composed(file.path)
    for name, given in wanted:
        pattern = composed(given)
        if fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(composed(base), pattern) or _matches_end(path, pattern):
            return _named(name, tables)
    by_name: dict[str, list[Table]] = {}
    for table in tables:
        by_name.setdefault(table.name.name, []).append(table)
    table_names = Names(by_name)
    for stem in file.stems:
        near = [table for name in table_names.find(stem) for table in by_name[name]]
        if len(near) > 1:
            raise MappingError(
                f"{file.path} could feed {' or '.join(str(t.name) for t in near)}",
                f"Say which with --table {shlex.quote(f'{near[0].name}={_literal_glob(base)}')}",
            )
        if near:
            return near[0]
    shown = ", ".join(str(t.name) for t in tables[:12]) + (", ..." if len(tables) > 12 else "")
    nearest = table_names.nearest(file.stems[-1])
    option = shlex.quote(f"{nearest or 'TABLE'}={_literal_glob(base)}")
    raise MappingError(
        f"{file.path}: no table is called {file.stems[-1]!r} (tables here: {shown or 'none'})",
        f"Name its table with --table {option}, create it first (--schema FILE.sql), or leave the file out with --skip"
        f" {shlex.quote(_literal_glob(base))}",
    )


def _literal_glob(name: str) -> str:
    """A glob that matches exactly this file name: brackets, stars and question marks stand for themselves."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def fed_tables(
    files: Iterable[SourceFile], tables: Sequence[Table], wanted: Sequence[tuple[str, str]]
) -> tuple[set[int], bool]:
    """The oids of the tables that the files feed, and whether every file has a table."""
    oids: set[int] = set()
    complete = True
    for file in files:
        try:
            oids.add(table_of(file, tables, wanted).oid)
        except MappingError:
            complete = complete and file.optional
    return oids, complete


def check_names(option: str, names: Iterable[str], tables: Sequence[Table]) -> None:
    """Checks that the tables which an option names exist. A misspelt name would otherwise change nothing, unseen.

    :raises MappingError: a table does not exist.
    """
    for name in names:
        if not any(t.name.called(name) for t in tables):
            raise MappingError(f"{option} names {name!r}, which is not a table of the target schema", "Check it")


def split_name(name: str) -> tuple[str | None, str]:
    """``schema.table`` or ``"odd.name"`` as (schema, table); the schema is None if it is not given."""
    if name.startswith('"') and name.endswith('"') and name.count('"') == 2:
        return None, name[1:-1]
    schema, dot, rest = name.partition(".")
    return (schema.strip('"'), rest.strip('"')) if dot else (None, name)


def _matches_end(path: str, pattern: str) -> bool:
    """Whether a pattern with a folder in it matches the end of the path."""
    return "/" in pattern and fnmatch.fnmatch(path, "*/" + pattern)


def _named(name: str, tables: Sequence[Table]) -> Table:
    schema, table = split_name(name)
    there = {t.name.name: t for t in reversed(tables) if schema in (None, t.name.schema)}
    if len(found := Names(there).find(table)) == 1:
        return there[found[0]]
    raise MappingError(
        f"--table names {name!r}, which is not a table of the target schema",
        "Check the spelling, or name its schema as schema.table",
    )
