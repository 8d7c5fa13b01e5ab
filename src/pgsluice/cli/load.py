"""The commands that load rows: ``load``, ``plan``, ``resume`` and ``replay``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgsluice.cli.exit_codes import REFUSED
from pgsluice.cli.logs import log_result, log_to
from pgsluice.cli.options.common import (
    ConfigFile,
    DatabaseUrl,
    DataDir,
    DryRun,
    Embedded,
    Json,
    LockTimeout,
    LogFile,
    LogForm,
    LogFormat,
    LogLevelOption,
    MaxRejects,
    NoConfig,
    NoWait,
    Paths,
    Profile,
    Quiet,
    Verbose,
    address,
    embedded_folder,
    file_of_settings,
)
from pgsluice.cli.options.load_option import arguments_of, with_options
from pgsluice.cli.options.reading import PLAN_OPTIONS
from pgsluice.cli.options.writing import RUN_OPTIONS
from pgsluice.cli.running import conclude, follow_run, with_server
from pgsluice.errors import CallError
from pgsluice.report.output import show, show_json

if TYPE_CHECKING:
    from pgsluice.model import RunResult


@with_options(*PLAN_OPTIONS, *RUN_OPTIONS)
def load(
    ctx: typer.Context,
    paths: Paths = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    embedded: Embedded = False,
    config: ConfigFile = None,
    no_config: NoConfig = False,
    max_rejects: MaxRejects = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    profile: Profile = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_level: LogLevelOption = None,
    log_file: LogFile = None,
    log_format: LogFormat = LogForm.TEXT,
    **options: Any,
) -> None:
    """Load files into their tables: all of them, or none.

    PATH is a file (CSV or similar, also compressed or in an archive; a workbook, Parquet, JSON Lines), a folder, an
    address such as s3://bucket/file, or - for standard input. Each file goes into the table with its name, parent
    tables before child tables. Rows that PostgreSQL would refuse are kept as rejects with file, line and reason. If
    there are more rejects than --max-rejects allows, nothing is published and the exit code is 1. A file
    pgsluice.toml can keep the options. It is read from the folder PATH or from the current folder; a load without
    PATH takes the paths from it.

    Example: pgsluice load data/ --schema schema.sql --max-rejects 0.1%
    """
    from pgsluice.api import load as load_files

    data_dir = embedded_folder(database_url, data_dir, embedded=embedded)
    given = arguments_of(ctx, (*PLAN_OPTIONS, *RUN_OPTIONS), options)
    if max_rejects:
        given["max_rejects"] = max_rejects
    with follow_run(
        ctx,
        quiet=as_json or quiet,
        verbose=verbose,
        log_level=log_level,
        log_file=log_file,
        log_format=log_format,
    ) as listen:

        def attempt(data_dir: str | None) -> RunResult:
            return load_files(
                *(paths or ()),
                config=file_of_settings(paths, config, no_config=no_config),
                database_url=database_url,
                data_dir=data_dir,
                dry_run=dry_run,
                listen=listen,
                **given,
            )

        result = with_server(attempt, data_dir)
        log_result(result)
    conclude(result, address(database_url, data_dir), as_json=as_json, quiet=quiet, profile=profile)


@with_options(*PLAN_OPTIONS)
def plan(
    ctx: typer.Context,
    paths: Paths = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    embedded: Embedded = False,
    config: ConfigFile = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    log_level: LogLevelOption = None,
    log_file: LogFile = None,
    log_format: LogFormat = LogForm.TEXT,
    **options: Any,
) -> None:
    """Show what a load would do, and write nothing.

    PATH is a file, a folder, an address or - as for load. The plan shows which file goes into
    which table, how each file is read, which columns match, in what order the tables are loaded and why. If the role
    lacks rights, the plan ends with the GRANTs for all of them, and the exit code is 3.

    Example: pgsluice plan data/ --schema schema.sql
    """
    from pgsluice.api import plan as plan_files
    from pgsluice.report.texts.plan_text import plan_parts

    data_dir = embedded_folder(database_url, data_dir, embedded=embedded)
    with log_to(log_level, log_file, log_format):
        result = plan_files(
            *(paths or ()),
            config=file_of_settings(paths, config, no_config=no_config),
            database_url=database_url,
            data_dir=data_dir,
            **arguments_of(ctx, PLAN_OPTIONS, options),
        )
    if as_json:
        show_json(dataclasses.asdict(result, dict_factory=_without_places))
    else:
        show(plan_parts(result))
    if result.missing_rights:
        raise typer.Exit(REFUSED)


def _without_places(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of a result for people: the address of a file may hold a password."""
    return {name: value for name, value in pairs if name not in ("place", "address")}


def resume(
    ctx: typer.Context,
    run: Annotated[int, typer.Argument(metavar="RUN", hidden=True)],
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_level: LogLevelOption = None,
    log_file: LogFile = None,
    log_format: LogFormat = LogForm.TEXT,
) -> None:
    """Continue an interrupted run that was started with --resumable.

    Files that the run had staged completely are not read again. All options are those of the run. The next
    load of any file drops what interrupted runs have staged, so resume first.

    Example: pgsluice resume 12
    """
    from pgsluice.api import resume as resume_run

    with follow_run(
        ctx,
        quiet=as_json or quiet,
        verbose=verbose,
        log_level=log_level,
        log_file=log_file,
        log_format=log_format,
    ) as listen:
        result = resume_run(run, database_url=database_url, data_dir=data_dir, listen=listen)
        log_result(result)
    conclude(result, address(database_url, data_dir), as_json=as_json, quiet=quiet)


def replay(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="[RUN]", hidden=True)],
    file: Annotated[str | None, typer.Argument(metavar="FILE", hidden=True)] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            metavar="NAME",
            help="Encoding of FILE, cp1252 for example.  [default: UTF-8, or what is certain by its characters]",
        ),
    ] = None,
    max_rejects: MaxRejects = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    lock_timeout: LockTimeout = 5.0,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_level: LogLevelOption = None,
    log_file: LogFile = None,
    log_format: LogFormat = LogForm.TEXT,
) -> None:
    """Load the corrected rejects of a run: all of them, or none.

    FILE is the output of pgsluice rejects RUN --format xlsx or csv, or the report of the run, corrected: the
    cells of the fields, or the column raw. The records are loaded like the records of their files, under the
    same rules. Rejects that are not in FILE stay open. If more rows are rejected again than --max-rejects
    allows, nothing is published and the exit code is 1. Without RUN the first row of FILE names the run.

    Example: pgsluice replay 12 rejects.csv
    """
    from pgsluice.api import replay as replay_file

    if file is None:
        run_id, file = None, run
    elif run.isdecimal():
        run_id = int(run)
    else:
        raise CallError(f"{run} is no number of a run", "Write pgsluice replay FILE, or pgsluice replay RUN FILE")
    with follow_run(
        ctx,
        quiet=as_json or quiet,
        verbose=verbose,
        log_level=log_level,
        log_file=log_file,
        log_format=log_format,
    ) as listen:
        result = replay_file(
            run_id,
            file,
            encoding=encoding,
            max_rejects=max_rejects or 0,
            database_url=database_url,
            data_dir=data_dir,
            dry_run=dry_run,
            no_wait=no_wait,
            lock_timeout=lock_timeout,
            listen=listen,
        )
        log_result(result)
    conclude(result, address(database_url, data_dir), as_json=as_json, quiet=quiet)
