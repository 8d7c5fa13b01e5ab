"""The planner: joins files and tables into the plan of a load.

Everything is decided before a row is read, from the first records of the files and from the catalog. What does not fit
ends in one :class:`~pgsluice.errors.MappingError` that names the file, the table and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

import psycopg

from pgsluice.errors import MappingError
from pgsluice.model import (
    ColumnDrift,
    DialectOptions,
    DriftMode,
    FieldOptions,
    FilePlan,
    IgnoredFile,
    Mode,
    Modes,
    Plan,
    RowRule,
    SourceFile,
    Strategy,
    Table,
    TableName,
    TablePlan,
    Target,
)
from pgsluice.pipeline.plan.columns.expressions import check_expressions
from pgsluice.pipeline.plan.columns.found_drift import found_drift
from pgsluice.pipeline.plan.columns.new_columns import with_new_columns
from pgsluice.pipeline.plan.columns.run_columns import with_run_columns
from pgsluice.pipeline.plan.dialects.expectations import expectations
from pgsluice.pipeline.plan.dialects.settle import settle_dialect
from pgsluice.pipeline.plan.file_tables import FileTables, check_names, check_rule_tables, check_twins
from pgsluice.pipeline.plan.load_order import load_order
from pgsluice.pipeline.plan.mapping import check_pairs, fresh_fields, map_fields
from pgsluice.pipeline.plan.merge_key import choose_merge_key
from pgsluice.pipeline.plan.rules import check_order, plan_rules, read_first
from pgsluice.pipeline.plan.strategy import choose_strategies, choose_swaps
from pgsluice.pipeline.plan.values.formats import check_rules, with_formats, with_money
from pgsluice.postgres.schema_files.apply import SchemaApplied
from pgsluice.source.places.names import matches


def make_plan(
    conn: psycopg.Connection,
    tables: Sequence[Table],
    files: Sequence[SourceFile],
    wanted: Sequence[tuple[str, str]],
    *,
    fields: FieldOptions,
    modes: Modes,
    target: Target,
    rules: Sequence[RowRule] = (),
    no_swap: Mapping[TableName, str] = MappingProxyType({}),
) -> Plan:
    """The plan that loads the files into their tables.

    :param tables: every table of the target schema and the tables that ``wanted`` names elsewhere. Of tables that no
        file feeds only the names matter.
    :param wanted: (table, glob) pairs of ``--table``; the first glob that matches a file's path or name decides.
    :param fields: what the options say about the fields of the files.
    :param target: the database of the load.
    :param rules: row rules; those of tables that no file feeds are not used.
    :param no_swap: tables that an earlier attempt could not swap, and why.
    :raises MappingError: a file has no table, a field no column, or a required column no field.
    """
    check_rule_tables(fields.rules, tables)
    mapped, by_name, added = _map_files(files, tables, wanted, fields, modes)
    mapped = with_money(conn, mapped, by_name)
    planned = plan_rules(conn, rules, tables, {name: by_name[name] for name in mapped})
    order, cycles = load_order([by_name[name] for name in mapped], read_first(planned))
    check_order(order, planned)
    chosen = {name: by_name[name] for name in order}
    check_names("--mode", [name for name, _ in modes.tables], tables)
    check_names("--drift", [name for name, _ in fields.drift.tables], tables)
    check_names("--columns", [name for name, _ in fields.names if name], tables)
    check_names("--run-column", [name for name, _ in fields.run_columns.tables], tables)
    check_names("--key", [name for name, _ in modes.keys], tables)
    strategies = choose_strategies(conn, chosen)
    plans = [
        replace(_table_plan(chosen[name], mapped[name], chosen, strategies[name], modes), rules=planned.get(name, ()))
        for name in order
    ]
    check_expressions(conn, plans)
    return Plan(
        target=target,
        tables=choose_swaps(conn, plans, no_swap),
        cycles=cycles,
        ignored=tuple(_without_table(files, mapped)),
        drift=(*added, *found_drift(plans)),
    )


def _without_table(
    files: Sequence[SourceFile], mapped: Mapping[TableName, Sequence[FilePlan]]
) -> Iterator[IgnoredFile]:
    """The optional files that no table takes."""
    taken = {plan.file.path for group in mapped.values() for plan in group}
    for file in files:
        if file.optional and file.path not in taken:
            yield IgnoredFile(file.path, file.fault or f"no table is called {file.stems[-1]!r}; name it with --table")


def _map_files(
    files: Sequence[SourceFile],
    tables: Sequence[Table],
    wanted: Sequence[tuple[str, str]],
    fields: FieldOptions,
    modes: Modes,
) -> tuple[dict[TableName, tuple[FilePlan, ...]], dict[TableName, Table], list[ColumnDrift]]:
    """The files of each table with their columns; the tables with their new columns; the new columns.

    :raises MappingError: as :func:`make_plan`; all files without a table or with unknown fields are named at once.
    """
    feeds: dict[TableName, list[SourceFile]] = {}
    by_name = {t.name: t for t in tables}
    mapped: dict[TableName, tuple[FilePlan, ...]] = {}
    added: list[ColumnDrift] = []
    problems: list[MappingError] = []
    file_tables = FileTables(tables, wanted)
    for file in files:
        with _collected([] if file.optional else problems):
            feeds.setdefault(file_tables.table_of(file).name, []).append(file)
    with _collected(problems):
        by_name.update(with_run_columns([by_name[name] for name in feeds], fields))
    for name, group in feeds.items():
        plans: list[FilePlan] = []
        with _collected(problems):
            check_twins(group)
        expected = expectations(by_name[name], fields)
        settled: list[SourceFile] = []
        for file in group:
            with _collected(problems):
                settled.append(settle_dialect(file, _dialect_options(file, fields), expected))
        if fields.drift.of(name) is DriftMode.ADD:
            with _collected(problems):
                fresh = [fresh_fields(file, by_name[name], fields) for file in settled]
                by_name[name], new = with_new_columns(by_name[name], fresh)
                added += new
        for file in settled:
            with _collected(problems):
                mapped_file = map_fields(file, by_name[name], modes.of(name), fields)
                plans.append(with_formats(mapped_file, by_name[name], fields.formats))
        mapped[name] = tuple(plans)
    if problems:
        raise _one_error(problems)
    if files and not feeds:
        # All files are optional. The error of the first file says which tables exist.
        file_tables.table_of(files[0])
    check_pairs(fields, mapped, by_name)
    check_rules(fields.formats, mapped, by_name)
    return mapped, by_name, added


def _dialect_options(file: SourceFile, fields: FieldOptions) -> DialectOptions:
    """The parts of the dialect that the user fixed for a file."""
    return next((own for glob, own in fields.dialects if matches(file.path, glob)), fields.dialect)


@contextmanager
def _collected(problems: list[MappingError]) -> Iterator[None]:
    """Collects the MappingError of a block, so that the next files are looked at as well."""
    try:
        yield
    except MappingError as error:
        problems.append(error)


def _one_error(problems: Sequence[MappingError]) -> MappingError:
    if len(problems) == 1:
        return problems[0]
    return MappingError(f"{len(problems)} files do not fit the tables", details=[str(problem) for problem in problems])


def _table_plan(
    table: Table,
    files: tuple[FilePlan, ...],
    chosen: Mapping[TableName, Table],
    strategy: tuple[Strategy, str],
    modes: Modes,
) -> TablePlan:
    way, why = strategy
    mode, key, delete = choose_merge_key(table, files, modes)
    if way is Strategy.STAGE and mode is not Mode.APPEND:
        why = f"{why}; rows are matched by {', '.join(key)}" if key else f"{why}; it has no key to match rows by"
    after = tuple(
        f"{', '.join(fk.columns)} -> {fk.references}"
        for fk in table.foreign_keys
        if fk.references in chosen and fk.references != table.name
    )
    return TablePlan(table=table, files=files, after=after, way=way, why=why, mode=mode, key=key, delete_missing=delete)


@contextmanager
def mention_schema_file(applied: SchemaApplied | None, path: str | None) -> Iterator[None]:
    """Adds to a MappingError that a schema file was skipped, where the tables existed before.

    :param applied: the outcome of applying the file; None if there was no file.
    :param path: the file.
    """
    try:
        yield
    except MappingError as error:
        if applied is None or not applied.skipped:
            raise
        kept = f"Tables that were there before stay as they are, whatever {path} says"
        remedy = f"{error.remedy}. {kept}" if error.remedy else kept
        raise MappingError(error.message, remedy, error.details) from error
