"""Commands that bring rows in, or say what they would do."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pgsluice.cli.exit_codes import VETOED, show, show_json, track_commit
from pgsluice.cli.options import (
    Columns,
    DatabaseUrl,
    DataDir,
    DeleteMissing,
    Delimiter,
    Encoding,
    Into,
    Json,
    Key,
    LockTimeout,
    MaxRejects,
    Mode,
    Null,
    Paths,
    Quote,
    SchemaFile,
    Tables,
    address,
    character,
    fields,
    pairs,
)

if TYPE_CHECKING:
    from pgsluice.model import RunResult


def load(
    paths: Paths,
    schema: SchemaFile = None,
    table: Tables = None,
    column: Columns = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    max_rejects: MaxRejects = None,
    delimiter: Delimiter = None,
    quote: Quote = None,
    encoding: Encoding = None,
    null: Null = None,
    mode: Mode = None,
    key: Key = None,
    delete_missing: DeleteMissing = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but publish: show what would be rejected.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Load files even if their content was already loaded.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Fail at once if another run holds the tables.")] = False,
    lock_timeout: LockTimeout = 5.0,
    resumable: Annotated[
        bool,
        typer.Option(
            "--resumable",
            help="Stage every file on its own, so that an interrupted run can go on: pgsluice resume RUN. Slower"
            " for empty tables.",
        ),
    ] = False,
    as_json: Json = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Print where the time went, by table and phase (--json always does).")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, and no summary unless rows were rejected.")
    ] = False,
) -> None:
    """Load files into their tables: all of them, or none.

    PATH is a CSV file (.csv, .tsv, also .gz) or a folder of them. Each file goes into the table that its
    name says, parents before children. Rows that PostgreSQL would refuse are kept as rejects with file,
    line and reason; if there are more than --max-rejects allows, nothing is published and the exit code
    is 1.

    Example: pgsluice load data/ --schema schema.sql --max-rejects 0.1%
    """
    from pgsluice.api import load as load_files
    from pgsluice.report.progress import Follower

    with Follower(quiet=as_json or quiet) as follower:
        result = load_files(
            *paths,
            database_url=database_url,
            data_dir=data_dir,
            schema=schema,
            tables=pairs(table),
            columns=fields(column),
            into=into,
            max_rejects=max_rejects or 0,
            delimiter=character(delimiter),
            quote=character(quote),
            encoding=encoding,
            null=null or (),
            mode=mode or "append",
            key=pairs(key, "--key", "KEY"),
            delete_missing=delete_missing,
            dry_run=dry_run,
            again=again,
            no_wait=no_wait,
            lock_timeout=lock_timeout,
            resumable=resumable,
            listen=track_commit(follower),
        )
    _conclude(result, address(database_url, data_dir), as_json=as_json, quiet=quiet, profile=profile)


def plan(
    paths: Paths,
    schema: SchemaFile = None,
    table: Tables = None,
    column: Columns = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    delimiter: Delimiter = None,
    quote: Quote = None,
    encoding: Encoding = None,
    null: Null = None,
    mode: Mode = None,
    key: Key = None,
    delete_missing: DeleteMissing = False,
    as_json: Json = False,
) -> None:
    """Show what a load would do, and write nothing.

    PATH is a CSV file (.csv, .tsv, also .gz) or a folder of them. Shown is which file feeds which table,
    how each file is read, which columns match, in what order the tables are loaded and why.

    Example: pgsluice plan data/ --schema schema.sql
    """
    from pgsluice.api import plan as plan_files
    from pgsluice.report.plan_text import plan_parts

    result = plan_files(
        *paths,
        database_url=database_url,
        data_dir=data_dir,
        schema=schema,
        tables=pairs(table),
        columns=fields(column),
        into=into,
        delimiter=character(delimiter),
        quote=character(quote),
        encoding=encoding,
        null=null or (),
        mode=mode or "append",
        key=pairs(key, "--key", "KEY"),
        delete_missing=delete_missing,
    )
    if as_json:
        show_json(dataclasses.asdict(result))
    else:
        show(plan_parts(result))


def resume(
    run: Annotated[int, typer.Argument(metavar="RUN", hidden=True)],
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, and no summary unless rows were rejected.")
    ] = False,
) -> None:
    """Go on with an interrupted run that was started with --resumable.

    Files that it had staged whole are not read again; everything else is as in the run itself. The next
    load of anything drops what interrupted runs have staged, so resume first.

    Example: pgsluice resume 12
    """
    from pgsluice.api import resume as resume_run
    from pgsluice.report.progress import Follower

    with Follower(quiet=as_json or quiet) as follower:
        result = resume_run(run, database_url=database_url, data_dir=data_dir, listen=track_commit(follower))
    _conclude(result, address(database_url, data_dir), as_json=as_json, quiet=quiet)


def replay(
    run: Annotated[int, typer.Argument(metavar="RUN", hidden=True)],
    file: Annotated[str, typer.Argument(metavar="FILE", hidden=True)],
    max_rejects: MaxRejects = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but publish: show what would be rejected again.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Fail at once if another run holds the tables.")] = False,
    lock_timeout: LockTimeout = 5.0,
    as_json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, and no summary unless rows were rejected.")
    ] = False,
) -> None:
    """Load the corrected rejects of a run: all of them, or none.

    FILE is what pgsluice rejects RUN --format csv wrote, or the CSV file beside the run, with the column raw
    corrected. The records are loaded as those of their files were, under the same rules. Rejects that are
    not in FILE stay open. If more than --max-rejects allows are rejected again, nothing is published and the
    exit code is 1.

    Example: pgsluice replay 12 rejects.csv
    """
    from pgsluice.api import replay as replay_file
    from pgsluice.report.progress import Follower

    with Follower(quiet=as_json or quiet) as follower:
        result = replay_file(
            run,
            file,
            max_rejects=max_rejects or 0,
            database_url=database_url,
            data_dir=data_dir,
            dry_run=dry_run,
            no_wait=no_wait,
            lock_timeout=lock_timeout,
            listen=track_commit(follower),
        )
    _conclude(result, address(database_url, data_dir), as_json=as_json, quiet=quiet)


def _conclude(result: RunResult, at: str, *, as_json: bool, quiet: bool, profile: bool = False) -> None:
    """Tells how a run ended, and ends as it did.

    :param at: see :func:`pgsluice.cli.options.address`.
    """
    if as_json:
        show_json(dataclasses.asdict(result))
    elif not quiet or result.rejects.count:
        _show_run(result, at)
    if profile and not as_json:
        from pgsluice.report.console import profile_parts

        show(profile_parts(result))
    if result.status == "vetoed":
        raise typer.Exit(VETOED)


def _show_run(result: RunResult, at: str) -> None:
    import shutil

    from pgsluice.report.console import run_parts
    from pgsluice.report.parts import is_terminal

    height = shutil.get_terminal_size().lines if is_terminal(sys.stdout) else None
    show(run_parts(result, height, at))
