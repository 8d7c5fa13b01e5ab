"""Writes ``docs/reference/cli.md``: the help of every command, as the command line itself prints it.

Run it after every change of options or help texts::

    python docs/generate_cli.py

``tests/cli/test_cli_reference.py`` fails when the file is stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from pgsluice.cli.app import app

PAGE = Path(__file__).parent / "reference" / "cli.md"

HEAD = """\
# Command line

<!-- Made by docs/generate_cli.py. Do not edit: change src/pgsluice/cli and run it again. -->

The exit codes of the commands are in [exit-codes.md](exit-codes.md).
"""

WIDTH = 80
"""Columns of the help texts. The width of the terminal does not matter."""


def commands(command: Any, parent: Any = None, name: str = "pgsluice") -> Iterator[tuple[str, str]]:
    """Yields path and help of a command and of its subcommands."""
    context = command.make_context(
        name, [], parent=parent, resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield context.command_path, command.get_help(context)
    for below, child in getattr(command, "commands", {}).items():
        yield from commands(child, context, below)


def page() -> str:
    """Returns the page as Markdown."""
    parts = [HEAD]
    for path, text in commands(typer.main.get_command(app)):
        lines = "\n".join(line.rstrip() for line in text.rstrip().splitlines())
        parts.append(f"## {path}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
