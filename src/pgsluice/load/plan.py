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
from pgsluice.load.columns import all_said, match, same_columns
from pgsluice.load.modes import matching
from pgsluice.load.shadow import with_swaps
from pgsluice.model import Mode, Modes, Plan, SourceFile, Table, TableName, TablePlan, Way
from pgsluice.source.discover import fold
from pgsluice.target.catalog import is_empty
from pgsluice.target.schema_file import SchemaApplied


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
    :param unfit: see :func:`~pgsluice.load.shadow.with_swaps`.
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
        if way is Way.STAGE and mode is not Mode.APPEND:
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


def choose_ways(conn: psycopg.Connection, chosen: dict[TableName, Table]) -> dict[TableName, tuple[Way, str]]:
    """The way of every table, with the reason in words.

    A table that goes through a stage keeps its foreign keys, and these keep up the keys that they point at.
    """
    ways = {name: choose_way(conn, table, chosen) for name, table in chosen.items()}
    held = [(fk.references, name) for name, table in chosen.items() for fk in table.foreign_keys]
    changed = True
    while changed:
        changed = False
        for parent, child in held:
            if parent in ways and parent != child and ways[parent][0] is Way.IN_PLACE and ways[child][0] is Way.STAGE:
                ways[parent] = Way.STAGE, f"{child} references it and cannot be taken apart"
                changed = True
    return ways


def choose_way(conn: psycopg.Connection, table: Table, chosen: dict[TableName, Table]) -> tuple[Way, str]:
    """In place when the table is empty and nothing stands against taking its keys down; else a stage."""
    if table.obstacles:
        return Way.STAGE, table.obstacles[0]
    loose = [c for c in table.constraints if not c.validated]
    if loose:
        return Way.STAGE, f"constraint {loose[0].name} is NOT VALID"
    # To take the table's keys down, foreign keys that point at them must come down too; those of
    # tables outside the load would have to be validated again over rows that are none of our business.
    outside = [c for c in table.referenced_by if c.table not in chosen]
    if outside:
        return Way.STAGE, f"{outside[0].table} outside of this load references it ({outside[0].name})"
    if not is_empty(conn, table.name):
        return Way.STAGE, "it holds rows"
    return Way.IN_PLACE, "it is empty"


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


def load_order(tables: Iterable[Table]) -> tuple[tuple[TableName, ...], tuple[tuple[str, ...], ...]]:
    """Parents before children; ties by name. Tables in a cycle come together, as near as may be.

    Tarjan's strongly connected components come out children last when edges lead to parents, so the order
    falls out of the search itself (R. Tarjan, Depth-first search and linear graph algorithms, 1972).

    :returns: the names in load order, and the groups that form a cycle (self-references do not count).
    """
    by_name = {t.name: t for t in tables}
    number: dict[TableName, int] = {}
    low: dict[TableName, int] = {}
    stack: list[TableName] = []
    order: list[TableName] = []
    cycles: list[tuple[str, ...]] = []

    def visit(name: TableName) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        parents = {fk.references for fk in by_name[name].foreign_keys} & by_name.keys()
        for parent in sorted(p for p in parents if p is not None):
            if parent not in number:
                visit(parent)
                low[name] = min(low[name], low[parent])
            elif parent in stack:
                low[name] = min(low[name], number[parent])
        if low[name] == number[name]:
            group = stack[stack.index(name) :]
            del stack[len(stack) - len(group) :]
            order.extend(group)
            if len(group) > 1:
                cycles.append(tuple(str(n) for n in group))

    for name in sorted(by_name):
        if name not in number:
            visit(name)
    return tuple(order), tuple(cycles)
