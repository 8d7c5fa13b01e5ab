"""The commands for the embedded server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pgsluice.cli.options.common import ServerDir, ServerVersion
from pgsluice.cli.upkeep.confirming import Yes, confirm
from pgsluice.report.output import show, show_line

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
def server_stop(
    data_dir: ServerDir = ".pgsluice",
    every: Annotated[bool, typer.Option("--all", help="Stop every embedded server of this machine.")] = False,
) -> None:
    """Stop the server and keep its data.

    A server whose folder was deleted, or whose socket is gone, is found by its process (on Linux) and stopped as well.

    Example: pgsluice server stop
    """
    from pgsluice.postgres.embedded import server as embedded

    if not every:
        show_line("Stopped." if embedded.stop(data_dir) else "It was not running.")
        return
    stopped = embedded.stop_all()
    for found in stopped:
        show_line(f"Stopped: process {found.pid} in {found.base}{f' ({found.flaw})' if found.flaw else ''}")
    if not stopped:
        show_line("No embedded server was running.")


@server.command("status")
def server_status(data_dir: ServerDir = ".pgsluice") -> None:
    """Show whether the server runs, and where.

    Example: pgsluice server status
    """
    from pgsluice.postgres.embedded import server as embedded

    found = embedded.status(data_dir)
    if found.running:
        show_line(f"Running: PostgreSQL {embedded.exact_version(found)}, process {found.pid}, {found.uri}")
    elif found.flaw:
        from pgsluice.postgres.embedded.notices import data_dir_option

        option = data_dir_option(Path(found.data_dir))
        show_line(f"Process {found.pid} runs in {found.data_dir}, and cannot be used: {found.flaw}.")
        show_line(f"To stop it: pgsluice server stop{option}")
    elif found.version is None:
        show_line(f"There is no server in {found.data_dir}.")
    else:
        show_line(f"Not running: PostgreSQL {found.version} in {found.data_dir}")


@server.command("list")
def server_list() -> None:
    """List the embedded servers that run on this machine.

    They are found by their processes (on Linux), also those whose folder was deleted or whose socket is gone. Servers
    of other users are listed for root only.

    Example: pgsluice server list
    """
    from pgsluice.postgres.embedded.found import running_servers
    from pgsluice.report.parts import Grid, clean

    found = running_servers()
    if not found:
        show_line("No embedded server is running.")
        return
    rows = tuple((str(s.pid), clean(str(s.base)), s.flaw or "running") for s in found)
    show([Grid(("process", "folder", "state"), rows, frozenset({0}), wrap=True)])


@server.command("remove")
def server_remove(
    data_dir: ServerDir = ".pgsluice",
    yes: Yes = False,
) -> None:
    """Stop the server and delete its data, and the reports and rejects in its folder.

    The command asks first. Without a terminal it needs --yes. It refuses while a run is under way.

    Example: pgsluice server remove
    """
    from pgsluice.api.resetting import refuse_live_runs
    from pgsluice.postgres.embedded import server as embedded

    found = embedded.status(data_dir)
    if found.version is None and not found.flaw:
        show_line(f"There is no server in {found.data_dir}.")
        return
    if found.uri is not None:
        refuse_live_runs(found.uri)
    confirm(
        f"This deletes the embedded server in {found.data_dir} with all databases in it, reports and rejects.", yes=yes
    )
    embedded.remove(data_dir)
    show_line(f"Removed: {found.data_dir}")


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
