"""The command ``reset``."""

from __future__ import annotations

from typing import Annotated

import typer

from pgsluice.cli.options.common import DatabaseUrl, DataDir, Into
from pgsluice.cli.upkeep.confirming import Yes, confirm
from pgsluice.report.output import show_line
from pgsluice.text import pluralize


def reset(
    ledger: Annotated[
        bool,
        typer.Option("--ledger", help="Drop what pgsluice knows of its runs: schema pgsluice with files and rejects."),
    ] = False,
    schema: Annotated[
        list[str] | None,
        typer.Option("--schema", metavar="FILE", help="Drop the tables that FILE creates, and their rows. Repeatable."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Drop the tables of --schema, the derived tables and the ledger.")
    ] = False,
    yes: Yes = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
) -> None:
    """Start over: drop the ledger, or the tables of a schema file, or all.

    The command shows what it drops and asks first. Without a terminal it needs --yes. It drops all or nothing, and
    nothing that another object depends on. It refuses while a run is under way. Afterwards the same files can be
    loaded again. pgsluice server remove deletes an embedded server with all its databases.

    Example: pgsluice reset --all --schema schema.sql
    """
    from pgsluice.api.resetting import require_choice, start_over
    from pgsluice.model import ResetResult

    files = schema or []
    require_choice(ledger=ledger, schema_files=files, everything=everything)

    def words(found: ResetResult) -> str:
        parts = [
            f"{relation.schema}.{relation.name}" + (f" ({pluralize(relation.rows, 'row')})" if relation.rows else "")
            for relation in found.relations
        ]
        if found.runs is not None:
            parts.append(f"the ledger ({pluralize(found.runs, 'run')}, {pluralize(found.rejects, 'open reject')})")
        return ", ".join(parts)

    found = start_over(
        database_url=database_url,
        data_dir=data_dir,
        into=into,
        ledger=ledger or everything,
        schema_files=files,
        derived=everything,
        confirm=lambda found: confirm(f"This drops from {found.target.words()}: {words(found)}.", yes=yes),
    )
    place = found.target.words()
    show_line(f"There is nothing to drop in {place}." if found.empty else f"Dropped from {place}: {words(found)}.")
