"""Commands that look at what is there: tables, rejects, runs."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from pgsluice.cli.exit_codes import VETOED, show, show_json, telling
from pgsluice.cli.options import DatabaseUrl, DataDir, Into, Json, RejectsFormat, Run, address

if TYPE_CHECKING:
    from pgsluice.model import Reject, RejectsResult


def verify(
    sql: Annotated[
        str | None,
        typer.Option("--sql", metavar="FILE", help="SQL file of queries whose results are printed as tables, too."),
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Check the tables that were loaded.

    Row counts are compared with those of the runs (unless rows were updated or deleted by them), every foreign
    key is searched for orphans, required columns for NULLs. The exit code is 1 if a check fails.

    Example: pgsluice verify --sql questions.sql
    """
    from pgsluice.api import verify as verify_tables
    from pgsluice.report.console import verify_parts

    result = verify_tables(database_url=database_url, data_dir=data_dir, into=into, sql=sql)
    if as_json:
        show_json(dataclasses.asdict(result))
    else:
        show(verify_parts(result))
    if not result.ok:
        raise typer.Exit(VETOED)


def rejects(
    run: Run = None,
    form: Annotated[
        RejectsFormat,
        typer.Option("--format", help="A table to read, or every reject as CSV or as one JSON object."),
    ] = RejectsFormat.TABLE,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            help="Rejects shown one by one, 0 for none.  [default: 10 in a table, all in CSV and JSON]",
        ),
    ] = None,
    table: Annotated[str | None, typer.Option("--table", metavar="TABLE", help="Only the rejects of TABLE.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Show the rows that a run rejected, and why.

    RUN is the run's number; without it the last run that has rejects is taken. They are grouped with their
    counts first, then shown one by one; those that were replayed are left out. As CSV those of a published run
    can be corrected (column raw) and given to pgsluice replay.

    Example: pgsluice rejects 12 --format csv > rejects.csv
    """
    from pgsluice import api

    run_id, found = api.rejects(run, table=table, database_url=database_url, data_dir=data_dir)
    rows = api.reject_rows(run_id, table=table, database_url=database_url, data_dir=data_dir)
    if form is RejectsFormat.CSV:
        _write_csv(itertools.islice(rows, limit))
    elif form is RejectsFormat.JSON:
        _write_json(run_id, found, itertools.islice(rows, limit))
    else:
        from pgsluice.report.console import rejects_parts

        show(rejects_parts(run_id, found, rows, 10 if limit is None else limit, address(database_url, data_dir)))


def _write_csv(rows: Iterable[Reject]) -> None:
    from pgsluice.pipeline.rejects.report_file import HEADER, csv_row, csv_writer

    with telling():
        writer = csv_writer(sys.stdout)
        writer.writerow(HEADER)
        writer.writerows(map(csv_row, rows))


def _write_json(run_id: int, found: RejectsResult, rows: Iterable[Reject]) -> None:
    """One object, written row by row: a million rejects do not have to fit in memory."""
    import json

    with telling():
        head = json.dumps({"run_id": run_id, **dataclasses.asdict(found)})
        print(head[:-1] + ', "rows": [', end="")
        for place, row in enumerate(rows):
            print(", " if place else "", json.dumps(dataclasses.asdict(row)), sep="", end="")
        print("]}")


def runs(
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1_000_000, help="How many, the last first.")
    ] = 20,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List the runs: when, how they ended, how many rows.

    Example: pgsluice runs --limit 5
    """
    from pgsluice.api import runs as list_runs
    from pgsluice.report.console import runs_parts

    result = list_runs(database_url=database_url, data_dir=data_dir, limit=limit)
    if as_json:
        show_json({"runs": [dataclasses.asdict(run) for run in result]})
    else:
        show(runs_parts(result))
