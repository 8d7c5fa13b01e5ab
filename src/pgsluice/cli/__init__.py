"""The command line: options in, one call of the Python API, a report out.

Everything heavy (rich, psycopg, duckdb, the API itself) is imported inside the commands, so that
``pgsluice --help`` does not wait for it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Annotated

import typer

from pgsluice.cli.exit_codes import DEFECT, INTERRUPTED, REFUSED, VETOED, WRONG, CommandGroup
from pgsluice.cli.inspection import rejects, runs, verify
from pgsluice.cli.load import load, plan, replay, resume
from pgsluice.cli.server import server
from pgsluice.report.output import show_line

__all__ = ["DEFECT", "INTERRUPTED", "REFUSED", "VETOED", "WRONG", "app", "main", "run"]

app = typer.Typer(
    cls=CommandGroup,
    name="pgsluice",
    # Rich doubles the start-up time, and its tracebacks are for developers only.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
for _command in (load, plan, verify, rejects, resume, replay, runs):
    app.command()(_command)
app.add_typer(server, name="server")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        show_line(f"pgsluice {version('pgsluice')}")
        raise typer.Exit


@app.callback()
def _pgsluice(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Load a set of CSV files into a constrained PostgreSQL schema: every row accounted for, all tables or
    none.

    Example: pgsluice load data/ --schema schema.sql
    """


def main() -> None:
    """Entry point of the command ``pgsluice``."""
    for stream in (sys.stdout, sys.stderr):
        # File names and data may hold what the terminal's encoding cannot write: escape, do not fail.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app(prog_name="pgsluice")


def run() -> None:
    """The process's whole life: :func:`main`, then out at once.

    Taking DuckDB, Arrow and numpy down in good order costs 0.2 s of a command that takes one, and serves nobody:
    connections are closed and output is written by then. Whatever is no ordinary end leaves as Python does.
    """
    # A thread that has heard from the server gets on as soon: by default the one that imports or reads may go on
    # for 5 ms, at each of a hundred questions.
    sys.setswitchinterval(0.0005)
    try:
        main()
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        code = ended.code or 0
    else:
        code = 0
    # A reader that left early has been dealt with where the output was written.
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
