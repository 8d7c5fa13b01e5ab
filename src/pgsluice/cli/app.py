"""The Typer application: options of ``pgsluice`` itself, and its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from pgsluice.cli.exit_codes import CommandGroup

app = typer.Typer(
    cls=CommandGroup,
    name="pgsluice",
    # Rich doubles the start-up time, and only developers can use its tracebacks.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)


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
        from pgsluice.report.output import show_version

        show_version()
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
