"""The plan: which file feeds which table, column by column, in which order and in which way.

Everything here is decided before a row is read, from the files' first records and the catalog; what does
not fit ends in one :class:`MappingError` that names the file, the table and the way out.
"""

from __future__ import annotations

import fnmatch
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

import psycopg

from pgsluice.errors import MappingError
from pgsluice.model import Mode, Modes, Plan, SourceFile, Strategy, Table, TableName, TablePlan
from pgsluice.pipeline.plan.load_order import load_order
from pgsluice.pipeline.plan.mapping import all_said, match, same_columns
from pgsluice.pipeline.plan.merge_key import matching
from pgsluice.pipeline.plan.strategy import choose_ways, with_swaps
from pgsluice.postgres.schema_file import SchemaApplied
from pgsluice.source.discover import fold


def make_plan(
    conn: psycopg.Connection,
    tables: Sequence[Table],
    files: Sequence[SourceFile],
    wanted: Sequence[tuple[str, str]],
    *,
    columns: Sequence[tuple[str, str]],
    modes: Modes,
    database: str,
    unfit: Mapping[TableName, str] = MappingProxyType({}),
) -> Plan:
    """Joins files and tables.

    :param tables: every table of the target schema (and those that ``wanted`` names elsewhere); those
        that no file feeds need no more than their names.
    :param wanted: (table, glob) pairs of ``--table``; the first whose glob matches a file's path or
        name decides.
    :param columns: (field, column) pairs of ``--column``.
    :param unfit: see :func:`~pgsluice.pipeline.plan.strategy.with_swaps`.
    :raises MappingError: a file without a table, a column without a match, a required column missing, two
        files of a table that disagree.
    """
    feeds: dict[TableName, list[SourceFile]] = {}
    by_name = {t.name: t for t in tables}
    for file in files:
        feeds.setdefault(_table_of(file, tables, wanted).name, []).append(file)
    planned = {
        name: tuple(match(file, by_name[name], modes.of(name), columns) for file in group)
        for name, group in feeds.items()
    }
    for name, group in planned.items():
        same_columns(by_name[name], group)
    all_said(columns, planned, by_name)
    order, cycles = load_order([by_name[name] for name in planned])
    chosen = {name: by_name[name] for name in order}
    plans = []
    named_exist("--mode", [name for name, _ in modes.tables], tables)
    named_exist("--key", [name for name, _ in modes.keys], tables)
    ways = choose_ways(conn, chosen)
    for name in order:
        table = chosen[name]
        way, why = ways[name]
        mode, key, delete = matching(table, planned[name], modes)
        if way is Strategy.STAGE and mode is not Mode.APPEND:
            why = f"{why}; rows are matched by {', '.join(key)}" if key else f"{why}; it has no key to match rows by"
        plans.append(
            TablePlan(
                table=table,
                files=planned[name],
                after=_reasons(table, chosen),
                way=way,
                why=why,
                mode=mode,
                key=key,
                delete_missing=delete,
            )
        )
    return Plan(
        database=database,
        server_version=str(conn.execute("SHOW server_version").fetchone()[0]),  # type: ignore[index]
        tables=with_swaps(conn, plans, unfit),
        cycles=cycles,
    )


def fed_tables(files: Iterable[SourceFile], tables: Sequence[Table], wanted: Sequence[tuple[str, str]]) -> set[int]:
    """The oids of the tables that these files feed; nothing but the tables' names is asked.

    :raises MappingError: a file without a table.
    """
    return {_table_of(file, tables, wanted).oid for file in files}


def _table_of(file: SourceFile, tables: Sequence[Table], wanted: Sequence[tuple[str, str]]) -> Table:
    if file.feeds is not None:
        known = next((t for t in tables if t.name == file.feeds), None)
        if known is None:
            raise MappingError(f"{file.path} was loaded into {file.feeds}, which is no table any more", "Create it")
        return known
    base = os.path.basename(file.path)
    for name, pattern in wanted:
        if fnmatch.fnmatch(file.path, pattern) or fnmatch.fnmatch(base, pattern) or _inside(file.path, pattern):
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


def _inside(path: str, pattern: str) -> bool:
    """A pattern with a folder in it may be written relative to anything the path ends with."""
    return "/" in pattern and fnmatch.fnmatch(path, "*/" + pattern)


def split_name(name: str) -> tuple[str | None, str]:
    """``schema.table`` or ``"odd.name"`` as (schema, table); the schema is None when not given."""
    if name.startswith('"') and name.endswith('"') and name.count('"') == 2:
        return None, name[1:-1]
    schema, dot, rest = name.partition(".")
    return (schema.strip('"'), rest.strip('"')) if dot else (None, name)


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


@contextmanager
def telling_of_schema(applied: SchemaApplied | None, path: str | None) -> Iterator[None]:
    """Whoever gave a schema file that was passed over, because the tables are there, hears of it when files do not fit.

    :param applied: what became of the file; None: there was none.
    :param path: the file.
    """
    try:
        yield
    except MappingError as error:
        if applied is None or not applied.skipped:
            raise
        kept = f"Tables that were there before stay as they are, whatever {path} says"
        raise MappingError(error.message, f"{error.remedy}. {kept}") from error


def named_exist(option: str, names: Iterable[str], tables: Sequence[Table]) -> None:
    """Tables that an option names exist: a misspelt one would go without what was asked for it, unseen.

    :raises MappingError: one does not.
    """
    for name in names:
        if not any(t.name.called(name) for t in tables):
            raise MappingError(f"{option} names {name!r}, which is not a table of the target schema", "Check it")


def _reasons(table: Table, chosen: dict[TableName, Table]) -> tuple[str, ...]:
    return tuple(
        f"{', '.join(fk.columns)} -> {fk.references}"
        for fk in table.foreign_keys
        if fk.references in chosen and fk.references != table.name
    )
