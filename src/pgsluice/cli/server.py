"""The commands for the embedded server."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from pgsluice.cli.options.common import ServerDir, ServerVersion
from pgsluice.report.output import show_line

server = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@server.callback()
def _server() -> None:
    """Start, stop and query the embedded PostgreSQL server.

    pgsluice uses this server when no database is given. A load starts the server by itself.

    Example: pgsluice server start
    """


@server.command("start")
def server_start(version: ServerVersion = None, data_dir: ServerDir = ".pgsluice") -> None:
    """Start the server, and create it first if there is none.

    The command prints the address of the server. The server runs until it is stopped.

    Example: pgsluice server start --version 16
    """
    from pgsluice.postgres.embedded import server as embedded

    show_line(embedded.start(data_dir, version))


@server.command("stop")
def server_stop(data_dir: ServerDir = ".pgsluice") -> None:
    """Stop the server and keep its data.

    Example: pgsluice server stop
    """
    from pgsluice.postgres.embedded import server as embedded

    show_line("Stopped." if embedded.stop(data_dir) else "It was not running.")


@server.command("status")
def server_status(data_dir: ServerDir = ".pgsluice") -> None:
    """Show whether the server runs, and where.

    Example: pgsluice server status
    """
    from pgsluice.postgres.embedded import server as embedded

    found = embedded.status(data_dir)
    if found.running:
        show_line(f"Running: PostgreSQL {embedded.exact_version(found)}, process {found.pid}, {found.uri}")
    elif found.version is None:
        show_line(f"There is no server in {found.data_dir}.")
    else:
        show_line(f"Not running: PostgreSQL {found.version} in {found.data_dir}")


@server.command("psql", context_settings={"ignore_unknown_options": True})
def server_psql(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARG...", hidden=True),
    ] = None,
    data_dir: ServerDir = ".pgsluice",
) -> None:
    """Open psql on the embedded server.

    The arguments after -- are passed to psql.

    Example: pgsluice server psql -- -c 'select count(*) from orders'
    """
    from pgsluice.postgres.embedded import server as embedded

    command = [*embedded.psql_command(data_dir), *(arguments or ())]
    os.execv(command[0], command)
