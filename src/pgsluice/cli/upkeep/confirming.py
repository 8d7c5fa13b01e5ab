"""Asks before something is deleted."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pgsluice.errors import CallError
from pgsluice.report.output import note

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def confirm(what: str, *, yes: bool) -> None:
    """Asks whether to go on.

    :param what: what will be deleted, in whole sentences.
    :param yes: do not ask.
    :raises CallError: nobody can answer, because standard input is no terminal.
    :raises typer.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CallError(f"{what} Standard input is no terminal, so nobody can be asked", "Add --yes to do it")
    note(what)
    typer.confirm("Go on?", abort=True, err=True)
