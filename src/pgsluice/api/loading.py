"""Public functions that load files, or plan a load.

A function imports in its body what a plain load does not need.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Unpack

import psycopg

from pgsluice.api.configured import configured, without_settings
from pgsluice.api.connections import (
    PathLike,
    connected,
    loading_address,
    open_connection,
    planning_address,
    with_rows,
)
from pgsluice.api.following import following
from pgsluice.arguments import LoadArguments, PlanArguments
from pgsluice.errors import MappingError, PrivilegeError, SchemaFileError
from pgsluice.guests.after import check_guests, run_guests
from pgsluice.model import (
    Listener,
    LoadOptions,
    Plan,
    RunResult,
    ignore_progress,
)
from pgsluice.options import build_options
from pgsluice.pipeline.run import Run
from pgsluice.postgres.connecting.connect import connect, missing_server, resolve


def load(
    *paths: PathLike,
    config: PathLike | None = None,
    database_url: str | None = None,
    data_dir: str | None = None,
    listen: Listener = ignore_progress,
    progress: bool = False,
    **options: Unpack[LoadArguments],
) -> RunResult:
    """Loads CSV files into the tables that their names say: publish all tables or none.

    :param paths: CSV files, or folders of them; none if ``config`` names them.
    :param config: a file of settings, ``pgsluice.toml``. The other arguments override it. None: no such file is used.
    :param database_url: the server. None stands for the embedded server in ``data_dir`` if ``data_dir`` is given, else
        ``DATABASE_URL``, else the PG* variables, else the embedded server in ``.pgsluice`` if there is one.
    :param data_dir: the folder for the embedded server's data and for reports (default ``.pgsluice``). A server is made
        in it if there is none and ``schema`` creates tables.
    :param listen: a function that receives the progress of the run.
    :param progress: show the progress on standard error, as the command line does.
    :param options: how the files are read and loaded: see :class:`pgsluice.arguments.LoadArguments`.
    :returns: what was read, loaded and rejected. A vetoed run returns a result too. What became of ``then`` is in
        ``guests``: its failure raises no error, as the rows are published.
    :raises CallError: an argument is wrong.
    :raises FileError: a path is missing, unreadable or not CSV, or a file has changed since it was planned; nothing was
        published.
    :raises MappingError: files and tables do not fit.
    :raises SchemaFileError: ``schema`` cannot be executed.
    :raises NoServerError: no database is named, and there is no embedded server in ``.pgsluice``.
    :raises DatabaseError: the database cannot be reached or refuses a statement.
    :raises AccountingError: a defect of pgsluice; nothing was published.
    """
    call = configured(config, paths, database_url, data_dir, options)
    checked = build_options(data_dir, **call.arguments)
    check_guests(checked.then)
    if missing_server(call.database_url, data_dir):
        from pgsluice.api.planning import check_files

        check_files(checked, call.paths)
    conninfo = loading_address(call.database_url, data_dir, creates_tables=checked.schema_file is not None)
    connect_to = partial(open_connection, conninfo)
    with following(listen, shown=progress) as heard:
        try:
            result = Run(connect_to, call.paths, checked, heard).execute()
        except (PrivilegeError, SchemaFileError, MappingError, psycopg.errors.InsufficientPrivilege) as error:
            from pgsluice.api.planning import with_all_rights

            complete = with_all_rights(error, conninfo, checked, call.paths)
            if complete is error:
                raise
            raise complete from error
        result = run_guests(connect_to, checked.then, result, heard)
    with_rows(result.rejects, result.run_id, conninfo)
    return replace(result, config=call.config, ignored=without_settings(result.ignored, call.config))


def replay(
    run_id: int | None,
    file: PathLike,
    *,
    database_url: str | None = None,
    data_dir: str | None = None,
    encoding: str | None = None,
    max_rejects: str | int | Sequence[str] = 0,
    dry_run: bool = False,
    no_wait: bool = False,
    lock_timeout: float = 5.0,
    listen: Listener = ignore_progress,
    progress: bool = False,
) -> RunResult:
    """Loads corrected rejects of a published run, as a run of its own: publish all of its tables or none.

    The corrected records go into the tables of the replayed run, in its modes, with the columns and the dialects of
    their files, and are validated like other rows. A record that is rejected again is reported with its place in the
    original file.

    :param run_id: the run that is replayed; None: the first row of ``file`` names it.
    :param file: the report of the run with ``raw`` corrected, a CSV file with the columns ``run``, ``reject_no`` and
        ``raw``; or a workbook or CSV file with a column for each field, as :func:`reject_sheets` gives them. Rejects
        that are not in the file stay open.
    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data and for reports, as for :func:`load`.
    :param encoding: the encoding of ``file``, if it is CSV; None: UTF-8, or what is certain by its characters.
    :param max_rejects: how many of the records may be rejected again, as for :func:`load`.
    :param dry_run: do everything except publish.
    :param no_wait: raise LockedError if another run or session has locked a table, instead of waiting.
    :param lock_timeout: seconds to wait for a lock on a table, before the run pauses and tries again.
    :param listen: a function that receives the progress of the run.
    :param progress: show the progress on standard error, as the command line does.
    :returns: what was read, loaded and rejected. A vetoed run returns a result too.
    :raises CallError: an argument is wrong, the run was not published, or a reject was replayed before.
    :raises FileError: ``file`` cannot be read.
    :raises MappingError: a table of the run was dropped.
    :raises DatabaseError: the database cannot be reached or refuses a statement.
    :raises AccountingError: a defect of pgsluice; nothing was published.
    """
    from pgsluice.pipeline.rejects.replay import open_replay

    options = build_options(
        data_dir, max_rejects=max_rejects, dry_run=dry_run, no_wait=no_wait, lock_timeout=lock_timeout
    )
    path = os.fspath(file)
    if run_id is None:
        from pgsluice.source.spreadsheets.read import run_of

        run_id = run_of(path, encoding)
    conninfo = resolve(database_url, data_dir, make=False)
    with connected(conninfo) as conn:
        corrected = open_replay(conn, run_id, path, encoding)
    connect_to = partial(open_connection, conninfo)
    with closing(corrected), following(listen, shown=progress) as heard:
        check_guests(corrected.then)
        result = Run(connect_to, [path], corrected.options(options), heard, corrected).execute()
        result = run_guests(connect_to, corrected.then, result, heard)
    with_rows(result.rejects, result.run_id, conninfo)
    return result


def resume(
    run_id: int,
    *,
    database_url: str | None = None,
    data_dir: str | None = None,
    listen: Listener = ignore_progress,
    progress: bool = False,
) -> RunResult:
    """Continues an interrupted run that was started with ``resumable``.

    Files that the run has staged are not read again; ``staged_before`` in the result names them.

    :param run_id: the interrupted run.
    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data.
    :param listen: a function that receives the progress of the run.
    :param progress: show the progress on standard error, as the command line does.
    :returns: what was read, loaded and rejected. A vetoed run returns a result too.
    :raises CallError: the run does not exist, did not end early, or was not resumable.
    :raises FileError: a file that was staged has changed, or a path is missing.
    :raises MappingError: files and tables do not fit.
    :raises DatabaseError: the database cannot be reached or refuses a statement.
    :raises AccountingError: a defect of pgsluice; nothing was published.
    """
    from pgsluice.pipeline.resume import reopen

    conninfo = resolve(database_url, data_dir, make=False)
    with connected(conninfo) as conn:
        options, paths = reopen(conn, run_id)
    connect_to = partial(open_connection, conninfo)
    with following(listen, shown=progress) as heard:
        result = Run(connect_to, paths, options, heard, resume=run_id).execute()
        result = run_guests(connect_to, options.then, result, heard)
    with_rows(result.rejects, result.run_id, conninfo)
    return result


def plan(
    *paths: PathLike,
    config: PathLike | None = None,
    database_url: str | None = None,
    data_dir: str | None = None,
    **options: Unpack[PlanArguments],
) -> Plan:
    """Plans a load: return what :func:`load` would do with the same arguments, and write nothing.

    No embedded server is started. If :func:`load` would make one, the plan has a temporary server of its own, which is
    removed; then ``target.new`` is True.

    :param paths: CSV files, or folders of them; none if ``config`` names them.
    :param config: a file of settings, as for :func:`load`.
    :param database_url: the server, as for :func:`load`.
    :param data_dir: the folder for the embedded server's data.
    :param options: how the files are read: see :class:`pgsluice.arguments.PlanArguments`. The statements of ``schema``
        are rolled back.
    :returns: which file goes into which table, in which order and with which strategy.
    :raises CallError: an argument is wrong.
    :raises FileError: a path is missing, unreadable or not CSV.
    :raises MappingError: files and tables do not fit.
    :raises SchemaFileError: ``schema`` cannot be executed.
    :raises NoServerError: there is no embedded server, and without ``schema`` a new one would have no tables.
    :raises DatabaseError: the database cannot be reached or refuses a statement, or the embedded server does not run.
    """
    call = configured(config, paths, database_url, data_dir, options)
    checked = build_options(**call.arguments)
    creates_tables = checked.schema_file is not None
    with planning_address(call.database_url, data_dir, creates_tables=creates_tables) as (address, new_folder):
        found = _plan(address, checked, call.paths)
    if new_folder:
        found = replace(found, target=found.target.as_new(new_folder))
    return replace(found, config=call.config, ignored=without_settings(found.ignored, call.config))


def _plan(conninfo: str, options: LoadOptions, paths: Sequence[str]) -> Plan:
    """Plans a load in a transaction that is rolled back."""
    from pgsluice.api.planning import plan_load

    with connect(conninfo) as conn:
        try:
            return plan_load(conn, options, paths)
        finally:
            conn.rollback()
