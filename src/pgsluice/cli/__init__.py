"""The command line: parses options, calls one function of the Python API, shows the result.

Each command imports what takes long (rich, psycopg, duckdb, the API) in its body, so that ``pgsluice --help`` does not
wait for these imports.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Annotated

import typer

from pgsluice.cli.config import config
from pgsluice.cli.doctor import doctor
from pgsluice.cli.exit_codes import DEFECT, GUEST_FAILED, INTERRUPTED, REFUSED, UNWRITTEN, VETOED, WRONG, CommandGroup
from pgsluice.cli.init import init
from pgsluice.cli.inspection import report, runs, verify
from pgsluice.cli.load import load, plan, replay, resume
from pgsluice.cli.panels import PanelCommand
from pgsluice.cli.quality import derive, rules
from pgsluice.cli.rejects import rejects
from pgsluice.cli.upkeep.reset import reset
from pgsluice.cli.upkeep.server import server
from pgsluice.report.output import OutputError, complain, open_closed_streams, show_line

__all__ = ["DEFECT", "GUEST_FAILED", "INTERRUPTED", "REFUSED", "UNWRITTEN", "VETOED", "WRONG", "app", "main", "run"]

app = typer.Typer(
    cls=CommandGroup,
    name="pgsluice",
    # Rich doubles the start-up time, and only developers can use its tracebacks.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
for _command in (load, plan, init, verify, rejects, resume, replay, runs, report, derive, reset, doctor):
    app.command(cls=PanelCommand)(_command)
app.add_typer(config, name="config")
app.add_typer(rules, name="rules")
app.add_typer(server, name="server")


@app.command("help", cls=PanelCommand)
def help_command(
    ctx: typer.Context, words: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND...]", hidden=True)] = None
) -> None:
    """Show the help of a command.

    Example: pgsluice help server start
    """
    assert ctx.parent is not None
    ctx.parent.command.main([*(words or ()), "--help"], prog_name="pgsluice", standalone_mode=False)


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
    """Runs one command, from the arguments in ``sys.argv``.

    :raises SystemExit: always, with the exit code.
    """
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # The encoding of the terminal may lack characters of file names and data. They are written as escapes.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app(prog_name="pgsluice")
    except OutputError as error:  # --version writes before a command begins
        complain(str(error))
        raise SystemExit(UNWRITTEN) from error
    except OSError as error:
        # Typer writes --help and the errors of usage itself.
        complain(f"the system refuses: {error}")
        raise SystemExit(WRONG) from error


def run() -> None:
    """Entry point of the process: runs :func:`main` and ends the process at once.

    Python's own end would tear DuckDB, Arrow and numpy down, which takes 0.2 s of a command of 1 s. Connections are
    closed and output is written before. An exit code that is not a number, and any other exception, end the process
    as Python does.
    """
    # A thread that has received an answer of the server waits for the interpreter lock. With Python's default the
    # thread that imports or reads may keep the lock for 5 ms, and a load sends a hundred queries.
    sys.setswitchinterval(0.0005)
    try:
        main()
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        code = ended.code or 0
    else:
        code = 0
    # A pipe that was closed early is handled where the output is written.
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
