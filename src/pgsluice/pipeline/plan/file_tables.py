"""File tables: which table each file feeds, by ``--table`` or by its name."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from pgsluice.errors import MappingError
from pgsluice.model import ColumnRule, SourceFile, Table
from pgsluice.names import Names
from pgsluice.source.places.names import bare_name, literal_glob, matches


class FileTables:
    """The tables that files may feed.

    :param tables: the tables to choose from; only their names matter.
    :param wanted: (table, glob) pairs of ``--table``; the first glob that matches the path or the name decides.
    """

    def __init__(self, tables: Sequence[Table], wanted: Sequence[tuple[str, str]]) -> None:
        self._tables = tables
        self._wanted = wanted
        self._by_name: dict[str, list[Table]] = {}
        for table in tables:
            self._by_name.setdefault(table.name.name, []).append(table)
        self._names = Names(self._by_name)

    def table_of(self, file: SourceFile) -> Table:
        """The table that a file feeds.

        :raises MappingError: no table fits, or several tables do.
        """
        if file.feeds is not None:
            known = next((t for t in self._tables if t.name == file.feeds), None)
            if known is None:
                raise MappingError(f"{file.path} was loaded into {file.feeds}, which is no table any more", "Create it")
            return known
        for name, pattern in self._wanted:
            if matches(file.path, pattern):
                return _named(name, self._tables)
        for stem in file.stems:
            near = [table for name in self._names.find(stem) for table in self._by_name[name]]
            if len(near) > 1:
                raise MappingError(
                    f"{file.path} could feed {' or '.join(str(t.name) for t in near)}",
                    f"Say which with --table {shlex.quote(f'{near[0].name}={literal_glob(file.path)}')}",
                )
            if near:
                return near[0]
        raise self._without_table(file)

    def fed_by(self, files: Iterable[SourceFile]) -> tuple[set[int], bool]:
        """The oids of the tables that the files feed, and whether every file has a table."""
        oids: set[int] = set()
        complete = True
        for file in files:
            try:
                oids.add(self.table_of(file).oid)
            except MappingError:
                complete = complete and file.optional
        return oids, complete

    def _without_table(self, file: SourceFile) -> MappingError:
        shown = ", ".join(str(t.name) for t in self._tables[:12]) + (", ..." if len(self._tables) > 12 else "")
        literal = literal_glob(file.path)
        option = shlex.quote(f"{self._names.nearest(file.stems[-1]) or 'TABLE'}={literal}")
        return MappingError(
            f"{file.path}: no table is called {file.stems[-1]!r} (tables here: {shown or 'none'})",
            f"Name its table with --table {option}, create it first (--schema FILE.sql), or leave the file out with"
            f" --skip {shlex.quote(literal)}",
        )


def check_twins(files: Sequence[SourceFile]) -> None:
    """Checks that no two files of a folder have the same name in different forms, such as ``t.csv`` and ``t.csv.zst``.

    Such files mostly have the same rows, which the table would then get twice.

    :param files: the files of one table.
    :raises MappingError: two files have.
    """
    known: dict[tuple[str, str], SourceFile] = {}
    for file in files:
        if not file.folder:
            continue
        container = file.path.partition("!")[0]
        for name in {file.stems[0].lower(), bare_name(container).lower()}:
            other = known.setdefault((file.folder, name), file)
            if other.path.partition("!")[0] != container:
                raise MappingError(
                    f"{other.path} and {file.path} have one name and feed one table; they may hold the same rows",
                    f"Leave one of them out with --skip {shlex.quote(literal_glob(other.path))} or --skip"
                    f" {shlex.quote(literal_glob(file.path))}, or name both files to load both",
                )


def check_names(option: str, names: Iterable[str], tables: Sequence[Table]) -> None:
    """Checks that the tables which an option names exist. A misspelt name would otherwise change nothing, unseen.

    :raises MappingError: a table does not exist.
    """
    for name in names:
        if not any(t.name.called(name) for t in tables):
            raise MappingError(f"{option} names {name!r}, which is not a table of the target schema", "Check it")


def check_rule_tables(rules: Sequence[ColumnRule], tables: Sequence[Table]) -> None:
    """Checks that the tables of the rules of columns exist.

    :raises MappingError: a table does not exist.
    """
    for rule in rules:
        if not any(t.name.called(rule.table) for t in tables):
            near = Names(t.name.name for t in tables).nearest(rule.table)
            raise MappingError(
                f"{rule.where or 'column_rules'}: {rule.table!r}, which is not a table of the target schema, has rules",
                f"Did you mean {near}?" if near else "Check it",
            )


def split_name(name: str) -> tuple[str | None, str]:
    """``schema.table`` or ``"odd.name"`` as (schema, table); the schema is None if it is not given."""
    if name.startswith('"') and name.endswith('"') and name.count('"') == 2:
        return None, name[1:-1]
    schema, dot, rest = name.partition(".")
    return (schema.strip('"'), rest.strip('"')) if dot else (None, name)


def _named(name: str, tables: Sequence[Table]) -> Table:
    schema, table = split_name(name)
    there = {t.name.name: t for t in reversed(tables) if schema in (None, t.name.schema)}
    if len(found := Names(there).find(table)) == 1:
        return there[found[0]]
    raise MappingError(
        f"--table names {name!r}, which is not a table of the target schema",
        "Check the spelling, or name its schema as schema.table",
    )
