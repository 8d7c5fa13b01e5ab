"""The public functions: what the command line does, from Python."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import psycopg

from pgsluice.errors import CallError
from pgsluice.load import ledger
from pgsluice.load import verify as verification
from pgsluice.load.plan import make_plan, telling_of_schema
from pgsluice.load.prepare import target_tables
from pgsluice.load.replay import open_replay
from pgsluice.load.run import Run
from pgsluice.load.staging import reopen
from pgsluice.model import (
    DialectOptions,
    Limit,
    Limits,
    Listener,
    LoadOptions,
    Mode,
    Modes,
    Plan,
    Reject,
    RejectsResult,
    RunResult,
    RunSummary,
    VerifyResult,
    deaf,
)
from pgsluice.source.discover import discover
from pgsluice.target import schema_file
from pgsluice.target.connect import connect, resolve, where

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
    listen: Listener = deaf,
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
        tables=_pairs("tables", tables, ("orders", "orders_*.csv")),
        columns=_pairs("columns", columns, ("cust_no", "customer_id")),
        into=into,
        limits=parse_limits(max_rejects),
        dialect=_dialect(delimiter, quote, encoding, null),
        modes=parse_modes(mode, key, delete_missing),
        dry_run=dry_run,
        again=again,
        no_wait=no_wait,
        lock_timeout=_waiting(lock_timeout),
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
    listen: Listener = deaf,
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
        lock_timeout=_waiting(lock_timeout),
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
    run_id: int, *, database_url: str | None = None, data_dir: str | None = None, listen: Listener = deaf
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
        tables=_pairs("tables", tables, ("orders", "orders_*.csv")),
        columns=_pairs("columns", columns, ("cust_no", "customer_id")),
        into=into,
        dialect=_dialect(delimiter, quote, encoding, null),
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
        return ledger.runs(conn, limit) if ledger.exists(conn) else ()


def rejects(
    run_id: int | None = None,
    *,
    table: str | None = None,
    database_url: str | None = None,
    data_dir: str | None = None,
) -> tuple[int, RejectsResult]:
    """The rejects of a run (without ``run_id``: of the last one that has any), counted in groups. Those that
    were replayed since are not among them.

    :param table: only those of this table.
    :returns: the run's id (0: no run has rejects) and the groups.
    :raises CallError: there is no such run, or it had nothing to do with the table.
    """
    with _reading(database_url, data_dir) as conn:
        books = ledger.exists(conn)
        if run_id is None:
            if not books:
                return 0, RejectsResult(0, None)
            run_id = ledger.last_run_with_rejects(conn)
            if run_id is None:
                return 0, RejectsResult(0, None)
        row = ledger.report_of(conn, run_id) if books else None
        if row is None:
            raise CallError(f"there is no run {run_id}", "pgsluice runs lists them")
        groups = ledger.reject_groups(conn, run_id, table)
        replayed = ledger.replayed_rows(conn, run_id, table)
        if table is not None and not (groups or replayed or ledger.fed(conn, run_id, table)):
            raise CallError(f"run {run_id} had no file for a table {table}", "Leave --table out to see all of them")
        path, replay_for = row
        return run_id, RejectsResult(sum(g.count for g in groups), path, groups, replayed, replay_for)


def reject_rows(
    run_id: int, *, table: str | None = None, database_url: str | None = None, data_dir: str | None = None
) -> Iterator[Reject]:
    """The rejects of a run (of one table) that are open one by one, in load order, as a stream."""
    with _reading(database_url, data_dir) as conn:
        if ledger.exists(conn):
            yield from ledger.reject_rows(conn, run_id, table)


def _open(conninfo: str, name: str) -> psycopg.Connection:
    return connect(conninfo, application_name=name)


@contextmanager
def _asking(conninfo: str) -> Iterator[psycopg.Connection]:
    with connect(conninfo) as conn:
        conn.autocommit = True
        yield conn


def _reading(database_url: str | None, data_dir: str | None) -> AbstractContextManager[psycopg.Connection]:
    return _asking(resolve(database_url, data_dir, make=False))


def _dialect(delimiter: str | None, quote: str | None, encoding: str | None, null: Sequence[str]) -> DialectOptions:
    return DialectOptions(delimiter=delimiter, quote=quote, encoding=encoding, null=tuple(null))


def _waiting(seconds: float) -> float:
    """How long to wait for a lock, as PostgreSQL takes it: in milliseconds, as an int4."""
    if not 0.001 <= seconds <= (2**31 - 1) / 1000:
        raise CallError(f"--lock-timeout {seconds:g} is no time to wait", "Say seconds, from 0.001 to 2147483")
    return seconds


def parse_modes(given: str | Sequence[str], keys: Sequence[tuple[str, str]], delete_missing: bool) -> Modes:
    """``--mode``: ``upsert``, and with a table in front ``orders=append``.

    :raises CallError: something else, or --delete-missing without an upsert.
    """
    run = Mode.APPEND
    tables: list[tuple[str, Mode]] = []
    for text in [given] if isinstance(given, str) else given:
        name, equals, word = text.rpartition("=")
        try:
            mode = Mode(word.strip())
        except ValueError:
            raise CallError(f"--mode {word!r} is not a mode", f"Modes are {', '.join(Mode)}") from None
        if equals:
            tables.append((name, mode))
        else:
            run = mode
    if delete_missing and Mode.UPSERT not in (run, *(m for _, m in tables)):
        raise CallError("--delete-missing goes with --mode upsert", "--mode replace deletes missing rows by itself")
    return Modes(run, tuple(tables), tuple(keys), delete_missing)


def _pairs(name: str, given: Sequence[tuple[str, str]], example: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    pairs = tuple(given)
    if wrong := [pair for pair in pairs if isinstance(pair, str) or len(pair) != 2]:
        raise CallError(f"{name}: {wrong[0]!r} is no pair", f"Give pairs: [{example!r}]")
    return pairs


def parse_limits(given: str | int | Sequence[str]) -> Limits:
    """``--max-rejects``: ``0``, ``10``, ``1%``, ``all``, and with a table in front ``orders=0.1%``.

    :raises CallError: something else.
    """
    texts = [str(given)] if isinstance(given, (str, int)) else list(given) if isinstance(given, Sequence) else [given]
    if wrong := [text for text in texts if not isinstance(text, str)]:
        raise CallError(
            f"max_rejects={wrong[0]!r} is not a limit",
            "Give a number, a text such as '1%' or 'all', or a list of these texts",
        )
    run = Limit()
    tables: list[tuple[str, Limit]] = []
    for text in texts:
        name, equals, limit = text.rpartition("=")
        if equals:
            tables.append((name, _limit(limit)))
        else:
            run = _limit(limit)
    return Limits(run, tuple(tables))


def _limit(text: str) -> Limit:
    text = text.strip()
    if text == "all":
        return Limit(rows=None)
    try:
        if text.endswith("%"):
            percent = float(text[:-1])
            if 0 <= percent <= 100:
                return Limit(rows=None, percent=percent)
        elif int(text) >= 0:
            return Limit(rows=int(text))
    except ValueError:
        pass
    raise CallError(f"--max-rejects {text!r} is not a limit", "Give a number, a share such as 1%, or all")
