"""File tables: which table each file feeds, by ``--table`` or by its name."""

from __future__ import annotations

import fnmatch
import os
import shlex
from collections.abc import Iterable, Sequence

from pgsluice.errors import MappingError
from pgsluice.model import SourceFile, Table
from pgsluice.source.discover import composed, fold


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
    for stem in file.stems:
        exact = [t for t in tables if t.name.name == stem]
        near = exact or [t for t in tables if fold(t.name.name) == stem]
        if len(near) > 1:
            raise MappingError(
                f"{file.path} could feed {' or '.join(str(t.name) for t in near)}",
                f"Say which with --table TABLE={base}",
            )
        if near:
            return near[0]
    names = ", ".join(str(t.name) for t in tables[:12]) + (", ..." if len(tables) > 12 else "")
    raise MappingError(
        f"{file.path}: no table is called {file.stems[-1]!r} (tables here: {names or 'none'})",
        f"Name its table with --table {shlex.quote(f'TABLE={base}')}, or create it first (--schema FILE.sql)",
    )


def fed_tables(files: Iterable[SourceFile], tables: Sequence[Table], wanted: Sequence[tuple[str, str]]) -> set[int]:
    """The oids of the tables that the files feed.

    :raises MappingError: as :func:`table_of`.
    """
    return {table_of(file, tables, wanted).oid for file in files}


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
    for same in (lambda t: t == table, lambda t: fold(t) == fold(table)):
        found = [t for t in tables if same(t.name.name) and schema in (None, t.name.schema)]
        if found:
            return found[0]
    raise MappingError(
        f"--table names {name!r}, which is not a table of the target schema",
        "Check the spelling, or name its schema as schema.table",
    )
