"""The commands of ``pgsluice``: in which module each is, what its help says first, and how its help looks.

A module is imported when its command is called. ``pgsluice --help`` imports none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand


class PanelCommand(TyperCommand):
    """A command whose help lists the options without a panel first, then each panel.

    Typer draws panels only with Rich, which doubles the start-up time.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the options into the help text."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                panels.setdefault(getattr(param, "rich_help_panel", None) or "Options", []).append(record)
        for panel, records in panels.items():
            with formatter.section(panel):
                formatter.write_dl(records)


@dataclass(frozen=True)
class Place:
    """Where a command is defined."""

    module: str
    """Below ``pgsluice.cli``."""
    name: str
    """The function of the command, or the Typer application of a group of commands."""
    summary: str
    """The first sentence of its help, for the list of the commands."""

    def build(self, command: str) -> Any:
        """Imports the command, and returns it as Typer's object.

        :param command: its name on the command line.
        """
        found = getattr(import_module(f"pgsluice.cli.{self.module}"), self.name)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        single = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
        single.command(command, cls=PanelCommand)(found)
        return typer.main.get_command(single)


PLACES = {
    "load": Place("load", "load", "Load files into their tables: all of them, or none."),
    "plan": Place("load", "plan", "Show what a load would do, and write nothing."),
    "init": Place("init", "init", "Write the schema of files that have none: types, keys and foreign keys."),
    "verify": Place("inspection", "verify", "Check the tables that were loaded."),
    "rejects": Place("rejects", "rejects", "Show the rows that a run rejected, and why."),
    "resume": Place("load", "resume", "Continue an interrupted run that was started with --resumable."),
    "replay": Place("load", "replay", "Load the corrected rejects of a run: all of them, or none."),
    "runs": Place("inspection", "runs", "List the runs, or show one run."),
    "report": Place("inspection", "report", "Write the report of a run as one HTML file."),
    "derive": Place("quality", "derive", "Bring derived tables up to date without a load."),
    "reset": Place("upkeep.reset", "reset", "Start over: drop the ledger, or the tables of a schema file, or all."),
    "doctor": Place("upkeep.doctor", "doctor", "Check whether a load would work here, how fast, and what to change."),
    "help": Place("app", "help_command", "Show the help of a command."),
    "config": Place("config", "config", "Show the settings of a load: pgsluice.toml and the options."),
    "rules": Place("quality", "rules", "List, test and export the rules that rows have to satisfy."),
    "server": Place("upkeep.server", "server", "Start, stop and query the embedded PostgreSQL server."),
}
"""Every command, in the order of the help."""


class Commands(Mapping[str, Any]):
    """The commands by name. A command is imported when it is asked for, and then kept."""

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._built[name] = PLACES[name].build(name)
        return self._built[name]

    def __contains__(self, name: object) -> bool:
        return name in PLACES

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


def write_summaries(formatter: Any) -> None:
    """Writes the list of the commands into the help of ``pgsluice``."""
    room = formatter.width - 6 - max(map(len, PLACES))
    # Typer cuts a sentence as it does in the help of a group.
    rows = [(name, TyperCommand(name, help=p.summary).get_short_help_str(room)) for name, p in PLACES.items()]
    with formatter.section("Commands"):
        formatter.write_dl(rows)
