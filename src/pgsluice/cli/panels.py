"""Help texts with panels: options that belong together stand under a heading of their own."""

from __future__ import annotations

from typing import Any

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
