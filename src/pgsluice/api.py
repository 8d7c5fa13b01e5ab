"""The public functions: what the command line does, from Python."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import psycopg

from pgsluice import verification
from pgsluice.errors import CallError
from pgsluice.ledger import queries, schema
from pgsluice.model import (
    Listener,
    LoadOptions,
    Plan,
    Reject,
    RejectsResult,
    RunResult,
    RunSummary,
    VerifyResult,
    ignore_progress,
)
from pgsluice.options import parse_dialect, parse_limits, parse_modes, parse_pairs, parse_seconds
from pgsluice.pipeline.plan.planner import make_plan, telling_of_schema
from pgsluice.pipeline.plan.prepare import target_tables
from pgsluice.pipeline.rejects.replay import open_replay
from pgsluice.pipeline.resume import reopen
from pgsluice.pipeline.run import Run
from pgsluice.postgres import schema_file
from pgsluice.postgres.connect import connect, resolve, where
from pgsluice.source.discover import discover

PathLike = str | os.PathLike[str]


def load(
    *paths: PathLike,
    database_url: str | None = None,
    data_dir: str | None = None,
    schema: str | os.PathLike[str] | None = None,
    tables: Sequence[tuple[str, str]] = (),
    columns: Sequence[tuple[str, str]] = (),
    into: str | None = None,
    max_rejects: str | int | Sequence[str] = 0,
    delimiter: str | None = None,
    quote: str | None = None,
    encoding: str | None = None,
    null: Sequence[str] = (),
    mode: str | Sequence[str] = "append",
    key: Sequence[tuple[str, str]] = (),
    delete_missing: bool = False,
    dry_run: bool = False,
    again: bool = False,
    no_wait: bool = False,
    lock_timeout: float = 5.0,
    resumable: bool = False,
    listen: Listener = ignore_progress,
) -> RunResult:
    """Loads files or folders of CSV into the tables whose names they bear: all of it or nothing.

    :param paths: CSV files, or folders of them.
    :param database_url: the server; without one ``DATABASE_URL``, the PG* variables, else the embedded one.
    :param data_dir: where the embedded server keeps its data and reports go (default ``.pgsluice``).
    :param schema: a file of SQL, applied where its tables are missing.
    :param tables: (table, glob) pairs for files whose names do not say their table.
    :param columns: (field, column) pairs for fields that are not called like their columns, ``""`` as the column for
        those that are left out; ``table.field`` for the files of one table.
    :param into: the schema whose tables are meant (default: the first of the search path).
    :param max_rejects: how many rows may be rejected: 0, a number, ``"1%"``, ``"all"``; several of them
        with a table's name in front for single tables: ``["10", "orders=0.1%"]``.
    :param delimiter, quote, encoding, null: the files' dialect, where it is not to be sniffed.
    :param mode: what becomes of rows that a table holds: ``append``, ``upsert``, ``insert-missing`` or
        ``replace``; several of them with a table's name in front for single tables.
    :param key: (table, unique constraint or columns) by which rows are matched; default: the primary key.
    :param delete_missing: with ``upsert``: delete the rows whose keys the files do not have.
    :param dry_run: do everything and publish nothing.
    :param again: load files as well that were loaded into their table before.
    :param no_wait: fail when another run has the tables, instead of waiting.
    :param lock_timeout: seconds to wait for a table that somebody has locked, before pausing and trying again.
    :param resumable: stage file by file, so that :func:`resume` can go on if the run is interrupted.
    :param listen: is told of the progress.
    :returns: what was read, loaded and rejected. A run that was vetoed by rejects returns as well.
    :raises SluiceError: the call, the files, the mapping or the database stand in the way.
    """
    options = LoadOptions(
        schema_file=None if schema is None else os.fspath(schema),
        tables=parse_pairs("tables", tables, ("orders", "orders_*.csv")),
        columns=parse_pairs("columns", columns, ("cust_no", "customer_id")),
        into=into,
        limits=parse_limits(max_rejects),
        dialect=parse_dialect(delimiter, quote, encoding, null),
        modes=parse_modes(mode, key, delete_missing),
        dry_run=dry_run,
        again=again,
        no_wait=no_wait,
        lock_timeout=parse_seconds(lock_timeout),
        resumable=resumable,
        reports=os.path.join(data_dir or ".pgsluice", "rejects"),
    )
    conninfo = resolve(database_url, data_dir)
    opened = partial(_open, conninfo)
    return Run(opened, [os.fspath(p) for p in paths], options, listen).execute()


def replay(
    run_id: int,
    file: PathLike,
    *,
    database_url: str | None = None,
    data_dir: str | None = None,
    max_rejects: str | int | Sequence[str] = 0,
    dry_run: bool = False,
    no_wait: bool = False,
    lock_timeout: float = 5.0,
    listen: Listener = ignore_progress,
) -> RunResult:
    """Loads rejects of a published run that were corrected, all of them or nothing.

    They go into the tables of the run in its modes, with the columns and the dialect of their files, and are
    judged by the same rules. What is refused again is reported with the place it has in the original file.

    :param file: CSV with the columns ``run``, ``reject`` and ``raw``: the report of the run's rejects with
        ``raw`` corrected. Rejects that are not in it stay as they are.
    :param max_rejects: how many of them may be rejected again, as for :func:`load`.
    :returns: what was read, loaded and rejected, as a run of its own.
    :raises CallError: the run was not published, or a reject was replayed before.
    :raises SluiceError: as :func:`load`.
    """
    options = LoadOptions(
        limits=parse_limits(max_rejects),
        dry_run=dry_run,
        no_wait=no_wait,
        lock_timeout=parse_seconds(lock_timeout),
        reports=os.path.join(data_dir or ".pgsluice", "rejects"),
    )
    path = os.fspath(file)
    conninfo = resolve(database_url, data_dir, make=False)
    with _asking(conninfo) as conn:
        corrected = open_replay(conn, run_id, path)
    try:
        return Run(partial(_open, conninfo), [path], corrected.options(options), listen, corrected).execute()
    finally:
        corrected.close()


def resume(
    run_id: int, *, database_url: str | None = None, data_dir: str | None = None, listen: Listener = ignore_progress
) -> RunResult:
    """Goes on with an interrupted run that was made with ``resumable``: files that it had staged are not
    read again (``staged_before`` in the result says which).

    :raises CallError: the run did not end early, or was not resumable.
    :raises FileError: a file that was staged has changed since.
    :raises SluiceError: as :func:`load`.
    """
    conninfo = resolve(database_url, data_dir, make=False)
    with _asking(conninfo) as conn:
        options, paths = reopen(conn, run_id)
    return Run(partial(_open, conninfo), paths, options, listen, resume=run_id).execute()


def plan(
    *paths: PathLike,
    database_url: str | None = None,
    data_dir: str | None = None,
    schema: str | os.PathLike[str] | None = None,
    tables: Sequence[tuple[str, str]] = (),
    columns: Sequence[tuple[str, str]] = (),
    into: str | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    encoding: str | None = None,
    null: Sequence[str] = (),
    mode: str | Sequence[str] = "append",
    key: Sequence[tuple[str, str]] = (),
    delete_missing: bool = False,
) -> Plan:
    """What :func:`load` would do with the same arguments; nothing is written.

    :raises SluiceError: as :func:`load`.
    """
    options = LoadOptions(
        schema_file=None if schema is None else os.fspath(schema),
        tables=parse_pairs("tables", tables, ("orders", "orders_*.csv")),
        columns=parse_pairs("columns", columns, ("cust_no", "customer_id")),
        into=into,
        dialect=parse_dialect(delimiter, quote, encoding, null),
        modes=parse_modes(mode, key, delete_missing),
    )
    with connect(resolve(database_url, data_dir)) as conn:
        try:
            if into:
                conn.execute("SELECT set_config('search_path', quote_ident(%s), true)", (into,))
            applied = schema_file.apply_missing(conn, os.fspath(schema), into) if schema else None
            files = discover([os.fspath(p) for p in paths], options.dialect)
            with telling_of_schema(applied, options.schema_file):
                return make_plan(
                    conn,
                    target_tables(conn, options, files),
                    files,
                    options.tables,
                    columns=options.columns,
                    modes=options.modes,
                    database=where(conn),
                )
        finally:
            conn.rollback()


def verify(
    *,
    database_url: str | None = None,
    data_dir: str | None = None,
    into: str | None = None,
    sql: str | None = None,
) -> VerifyResult:
    """Looks at the loaded tables: rows against the ledger, orphans of every foreign key, NULLs where none
    may be; and runs the queries of ``sql``, a file.

    :raises SluiceError: the database cannot be reached or the file cannot be run.
    """
    with _reading(database_url, data_dir) as conn:
        return verification.verify(conn, into, sql)


def runs(*, database_url: str | None = None, data_dir: str | None = None, limit: int = 20) -> tuple[RunSummary, ...]:
    """The newest runs in the ledger, newest first."""
    with _reading(database_url, data_dir) as conn:
        return queries.runs(conn, limit) if schema.exists(conn) else ()


def rejects(
    run_id: int | None = None,
    *,
    table: str | None = None,
    database_url: str | None = None,
    data_dir: str | None = None,
) -> tuple[int, RejectsResult]:
    """The rejects of a run (without ``run_id``: of the last one that has any), pluralize in groups. Those that
    were replayed since are not among them.

    :param table: only those of this table.
    :returns: the run's id (0: no run has rejects) and the groups.
    :raises CallError: there is no such run, or it had nothing to do with the table.
    """
    with _reading(database_url, data_dir) as conn:
        books = schema.exists(conn)
        if run_id is None:
            if not books:
                return 0, RejectsResult(0, None)
            run_id = queries.last_run_with_rejects(conn)
            if run_id is None:
                return 0, RejectsResult(0, None)
        row = queries.report_of(conn, run_id) if books else None
        if row is None:
            raise CallError(f"there is no run {run_id}", "pgsluice runs lists them")
        groups = queries.reject_groups(conn, run_id, table)
        replayed = queries.replayed_rows(conn, run_id, table)
        if table is not None and not (groups or replayed or queries.fed(conn, run_id, table)):
            raise CallError(f"run {run_id} had no file for a table {table}", "Leave --table out to see all of them")
        path, replay_for = row
        return run_id, RejectsResult(sum(g.count for g in groups), path, groups, replayed, replay_for)


def reject_rows(
    run_id: int, *, table: str | None = None, database_url: str | None = None, data_dir: str | None = None
) -> Iterator[Reject]:
    """The rejects of a run (of one table) that are open one by one, in load order, as a stream."""
    with _reading(database_url, data_dir) as conn:
        if schema.exists(conn):
            yield from queries.reject_rows(conn, run_id, table)


def _open(conninfo: str, name: str) -> psycopg.Connection:
    return connect(conninfo, application_name=name)


@contextmanager
def _asking(conninfo: str) -> Iterator[psycopg.Connection]:
    with connect(conninfo) as conn:
        conn.autocommit = True
        yield conn


def _reading(database_url: str | None, data_dir: str | None) -> AbstractContextManager[psycopg.Connection]:
    return _asking(resolve(database_url, data_dir, make=False))
