"""The commands that read and change nothing: ``verify``, ``rejects`` and ``runs``."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Annotated

import typer

from pgsluice.cli.exit_codes import VETOED
from pgsluice.cli.options import DatabaseUrl, DataDir, Into, Json, RejectsFormat, Run, address
from pgsluice.report.output import OutputError, complain, show, show_csv, show_json, show_json_rows


def verify(
    sql: Annotated[
        str | None,
        typer.Option("--sql", metavar="FILE", help="SQL file of queries; their results are printed as tables."),
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Check the tables that were loaded.

    The checks compare the row counts with those of the runs (unless a run updated or deleted rows), and search
    every foreign key for orphans and every required column for NULLs. The exit code is 1 if a check fails.

    Example: pgsluice verify --sql questions.sql
    """
    from pgsluice.api import verify as verify_tables
    from pgsluice.report.console import verify_parts

    result = verify_tables(database_url=database_url, data_dir=data_dir, into=into, sql=sql)
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


def rejects(
    run: Run = None,
    form: Annotated[
        RejectsFormat,
        typer.Option("--format", help="Tables to read, or all rejects as CSV or as one JSON object."),
    ] = RejectsFormat.TABLE,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            help="Number of rejects shown one by one, 0 for none.  [default: 10 in a table, all in CSV and JSON]",
        ),
    ] = None,
    table: Annotated[str | None, typer.Option("--table", metavar="TABLE", help="Only the rejects of TABLE.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Show the rows that a run rejected, and why.

    RUN is the run's id; without RUN the last run that has rejects is taken. The rejects are shown in groups
    with their counts, then one by one. Rejects that were replayed are left out. The CSV of a published run can
    be corrected (column raw) and given to pgsluice replay.

    Example: pgsluice rejects 12 --format csv > rejects.csv
    """
    from pgsluice import api

    run_id, found = api.rejects(run, table=table, database_url=database_url, data_dir=data_dir)
    rows = api.reject_rows(run_id, table=table, database_url=database_url, data_dir=data_dir)
    if form is RejectsFormat.CSV:
        from pgsluice.pipeline.rejects.report_file import HEADER, csv_row, csv_writer

        show_csv(csv_writer, HEADER, map(csv_row, itertools.islice(rows, limit)))
    elif form is RejectsFormat.JSON:
        head = {"run_id": run_id, **dataclasses.asdict(found)}
        show_json_rows(head, map(dataclasses.asdict, itertools.islice(rows, limit)))
    else:
        from pgsluice.report.console import rejects_parts

        show(rejects_parts(run_id, found, rows, 10 if limit is None else limit, address(database_url, data_dir)))


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
