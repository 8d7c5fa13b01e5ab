"""The commands that read and change nothing: ``verify`` and ``runs``."""

from __future__ import annotations

import dataclasses
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
    file_of_settings,
)
from pgsluice.report.output import OutputError, complain, show, show_json


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
) -> None:
    """Check the tables that were loaded.

    The checks compare the row counts with those of the runs (unless a run updated or deleted rows), and search
    every foreign key for orphans and every required column for NULLs. The rules of pgsluice.toml and of --rules
    are asked as well. The exit code is 1 if a check fails, or a rule whose severity is not warn.

    Example: pgsluice verify --sql questions.sql
    """
    from pgsluice.api import verify as verify_tables
    from pgsluice.report.console import verify_parts

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
            show(verify_parts(result))
    except OutputError as error:
        if result.ok:
            raise
        complain(str(error))
    if not result.ok:
        raise typer.Exit(VETOED)


def runs(
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1_000_000, help="Number of runs, the newest first.")
    ] = 20,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List the runs: start, status and number of rows.

    Example: pgsluice runs --limit 5
    """
    from pgsluice.api import runs as list_runs
    from pgsluice.report.console import runs_parts

    result = list_runs(database_url=database_url, data_dir=data_dir, limit=limit)
    if as_json:
        show_json({"runs": [dataclasses.asdict(run) for run in result]})
    else:
        show(runs_parts(result))
