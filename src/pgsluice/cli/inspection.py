"""The commands that read and change nothing: ``verify``, ``runs`` and ``report``."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import typer

from pgsluice.cli.exit_codes import VETOED
from pgsluice.cli.options.common import (
    ConfigFile,
    DatabaseUrl,
    DataDir,
    Into,
    Json,
    NoConfig,
    RuleFiles,
    Run,
    address,
    file_of_settings,
)
from pgsluice.errors import CallError
from pgsluice.report.output import OutputError, complain, show, show_json, show_line, terminal_width


def verify(
    sql: Annotated[
        str | None,
        typer.Option("--sql", metavar="FILE", help="SQL file of queries; their results are printed as tables."),
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    rule_files: RuleFiles = None,
    config: ConfigFile = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List the checks of what PostgreSQL guarantees, too.")
    ] = False,
) -> None:
    """Check the tables that were loaded.

    The checks compare the row counts with those of the runs, and search every foreign key for orphans and every
    required column for NULLs. The rules of pgsluice.toml and of --rules are checked as well. The exit code is 1
    if a check fails, or a rule whose severity is not warn.

    Example: pgsluice verify --sql questions.sql
    """
    from pgsluice.api import verify as verify_tables
    from pgsluice.report.console import between_targets, verify_parts

    result = verify_tables(
        database_url=database_url,
        data_dir=data_dir,
        into=into,
        sql=sql,
        rule_files=rule_files or (),
        config=file_of_settings(None, config, no_config=no_config),
    )
    try:
        if as_json:
            show_json(dataclasses.asdict(result))
        else:
            show(between_targets("Verifying", verify_parts(result, verbose=verbose), result.target))
    except OutputError as error:
        if result.ok:
            raise
        complain(str(error))
    if not result.ok:
        raise typer.Exit(VETOED)


def runs(
    run: Run = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1_000_000, help="Number of runs, the newest first.")
    ] = 20,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="NAME", help="Only runs that had this file: a path, or the end of a path."),
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", metavar="TABLE", help="Only runs that had a file for TABLE.")
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List the runs, or show one run.

    Without RUN: start, status and number of rows of each run. With RUN, the run's id: its files, tables, options,
    role, rules, rejects, and where its time went.

    Example: pgsluice runs --file orders.csv
    """
    from pgsluice.report.texts.runs_text import run_report_parts, runs_parts

    if run is not None:
        if file is not None or table is not None:
            raise CallError("--file and --table choose among all runs", "Leave RUN out, or leave them out")
        from pgsluice.api import run_report

        found = run_report(run, database_url=database_url, data_dir=data_dir)
        if as_json:
            show_json(dataclasses.asdict(found))
        else:
            show(run_report_parts(found, address(database_url, data_dir)))
        return
    from pgsluice.api import runs as list_runs

    result = list_runs(database_url=database_url, data_dir=data_dir, limit=limit, file=file, table=table)
    if as_json:
        show_json({"runs": [dataclasses.asdict(run) for run in result]})
    elif not result and (file or table):
        show_line(f"No run had {f'a file {file}' if file else f'a file for table {table}'}.")
    else:
        show(runs_parts(result, terminal_width()))


def report(
    run: Run = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File of the page.  [default: .pgsluice/reports/run-RUN.html]"
        ),
    ] = None,
    junit: Annotated[
        str | None,
        typer.Option("--junit", metavar="FILE", help="Write JUnit XML: the run, the balance of each table, each rule."),
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write the report of a run as one HTML file.

    RUN is the run's id; without RUN the newest run is taken. The page needs no network: balance of each file, load
    order, rejects, rules, columns, derived tables, times and the last 30 runs. With --junit or --json the page is
    written only if --output names its file. Only the owner can read the files, which may hold personal data.

    Example: pgsluice report 12 -o report.html
    """
    from pgsluice.api import run_report

    found = run_report(run, database_url=database_url, data_dir=data_dir)
    page = None
    if output is not None or not (junit or as_json):
        from pgsluice.report.files import render

        page = Path(output) if output is not None else _default_file(found.run_id, data_dir)
        _write(page, render(found, address(database_url, data_dir)))
    if junit is not None:
        from pgsluice.report.files import as_junit

        _write(Path(junit), as_junit(found))
    if as_json:
        show_json(dataclasses.asdict(found))
    elif page is not None:
        show_line(f"Report of run {found.run_id}: {page.resolve().as_uri()}")
    else:
        show_line(f"Report of run {found.run_id}: {junit}")


def _default_file(run_id: int, data_dir: str | None) -> Path:
    """The file of a page in the data folder, which is made if it does not exist."""
    from pgsluice.postgres.embedded.processes import make_private
    from pgsluice.private_files import make_folder

    base = Path(data_dir or ".pgsluice")
    make_private(base)
    make_folder(base / "reports")
    return base / "reports" / f"run-{run_id}.html"


def _write(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read, in place of an older one.

    A link, a device or a pipe is written to and not replaced.

    :raises OSError: the file cannot be written.
    """
    from pgsluice.private_files import create_file

    if path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_bytes(content)
        return
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with create_file(part) as file:
        file.write(content)
    part.replace(path)
