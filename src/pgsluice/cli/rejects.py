"""The command ``rejects``: shows rejects, writes them as CSV or JSON, or deletes old ones."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pgsluice.cli.options.common import DatabaseUrl, DataDir, RejectsFormat, Run, address
from pgsluice.cli.options.completion import complete_table
from pgsluice.errors import CallError
from pgsluice.report.output import show, show_csv, show_json, show_json_rows, show_workbook

if TYPE_CHECKING:
    from pgsluice.model import RejectSheet, RejectsResult


def rejects(
    run: Run = None,
    form: Annotated[
        RejectsFormat,
        typer.Option(
            "--format",
            help="Tables to read, or all rejects as CSV, as one JSON object, or as a workbook with a column for each"
            " field.",
        ),
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
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="TABLE", autocompletion=complete_table, help="Only the rejects of TABLE."),
    ] = None,
    guard_formulas: Annotated[
        bool,
        typer.Option(
            "--guard-formulas",
            help="With --format csv, for a spreadsheet program: an apostrophe stands before texts that the program"
            " would run as formulas. pgsluice replay removes the apostrophe.",
        ),
    ] = False,
    fields: Annotated[
        bool,
        typer.Option(
            "--fields",
            help="With --format csv, for a spreadsheet program: a column for each field in place of raw, and guarded"
            " formulas.",
        ),
    ] = False,
    purge: Annotated[
        bool,
        typer.Option(
            "--purge", help="Delete old rejects, reports, warnings, pages and values of profiles; needs --older-than."
        ),
    ] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="With --purge: rejects of runs that ended longer ago, 12h, 30d or 8w for example.",
        ),
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Show the rows that a run rejected, and why.

    RUN is the run's id; without RUN the last run that has rejects is taken. The rejects are shown in groups
    with their counts, then one by one. Rejects that were replayed are left out. The CSV of a published run can
    be corrected (column raw) and given to pgsluice replay.

    Example: pgsluice rejects 12 --format csv > rejects.csv
    """
    if guard_formulas and form is not RejectsFormat.CSV:
        raise CallError("--guard-formulas is for --format csv", "Add --format csv, or leave --guard-formulas out")
    if fields and form is not RejectsFormat.CSV:
        raise CallError("--fields is for --format csv", "Add --format csv; --format xlsx has the fields anyway")
    if purge or older_than is not None:
        written = form in (RejectsFormat.CSV, RejectsFormat.XLSX)
        narrowed = run is not None or table is not None or limit is not None or written
        _purge(purge, older_than, narrowed, form, database_url, data_dir)
    else:
        _show(run, form, limit, table, guard_formulas, fields, database_url, data_dir)


def _show(
    run: int | None,
    form: RejectsFormat,
    limit: int | None,
    table: str | None,
    guard_formulas: bool,
    fields: bool,
    database_url: str | None,
    data_dir: str | None,
) -> None:
    """Shows the rejects of a run, with the parameters of :func:`rejects`."""
    from pgsluice import api

    run_id, found = api.rejects(run, table=table, database_url=database_url, data_dir=data_dir)
    marks = form is RejectsFormat.TABLE or form is RejectsFormat.JSON
    rows = api.reject_rows(run_id, table=table, marks=marks, database_url=database_url, data_dir=data_dir)
    if form is RejectsFormat.XLSX or fields:
        sheets = api.reject_sheets(
            run_id, table=table, guard_formulas=fields, database_url=database_url, data_dir=data_dir
        )
        _show_sheets(run_id, sheets, found, form, limit)
    elif form is RejectsFormat.CSV:
        from pgsluice.pipeline.rejects.report_file import GUARDED_HEADER, HEADER, csv_row, csv_writer, guarded_row

        header, row = (GUARDED_HEADER, guarded_row) if guard_formulas else (HEADER, csv_row)
        show_csv(csv_writer, header, map(row, itertools.islice(rows, limit)))
    elif form is RejectsFormat.JSON:
        head = {"run_id": run_id, **dataclasses.asdict(found)}
        show_json_rows(head, map(dataclasses.asdict, itertools.islice(rows, limit)))
    else:
        from pgsluice.report.texts.rejects_text import rejects_parts

        show(rejects_parts(run_id, found, rows, 10 if limit is None else limit, address(database_url, data_dir)))


def _show_sheets(
    run_id: int, sheets: Iterator[RejectSheet], found: RejectsResult, form: RejectsFormat, limit: int | None
) -> None:
    """Writes rejects with a column for each field.

    :raises CallError: one CSV file cannot hold them, or a workbook would be written to a terminal.
    """
    if form is RejectsFormat.XLSX:
        show_workbook(sheets, limit, f"pgsluice rejects {run_id} --format xlsx > rejects.xlsx")
        return
    tables = list(dict.fromkeys(group.table for group in found.groups))
    if len(tables) > 1:
        raise CallError(
            f"a CSV file has the fields of one table, and the rejects are of {', '.join(tables)}",
            f"Name one: --table {shlex.quote(tables[0])}; or write a workbook: --format xlsx",
        )
    from pgsluice.pipeline.rejects.report_file import csv_writer

    sheet = next(sheets, None)
    if sheet is not None:
        show_csv(csv_writer, sheet.header, itertools.islice(sheet.rows, limit))


def _purge(
    purge: bool,
    older_than: str | None,
    narrowed: bool,
    form: RejectsFormat,
    database_url: str | None,
    data_dir: str | None,
) -> None:
    """Deletes old rejects and shows what was deleted.

    :param narrowed: the call names a run, a table or a number of rejects, which a purge does not know.
    :raises CallError: an option is missing or does not fit.
    """
    if not purge or older_than is None:
        raise CallError("--purge and --older-than need each other", "Write --purge --older-than 30d")
    if narrowed:
        raise CallError(
            "--purge deletes the rejects of all runs that are old enough",
            "Leave RUN, --table, --limit and --format csv out",
        )
    from pgsluice.api import purge_rejects

    result = purge_rejects(older_than, database_url=database_url, data_dir=data_dir)
    if form is RejectsFormat.JSON:
        show_json(dataclasses.asdict(result))
    else:
        from pgsluice.report.texts.rejects_text import purge_parts

        show(purge_parts(result, older_than))
