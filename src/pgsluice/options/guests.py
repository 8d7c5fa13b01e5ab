"""The guests of a run: ``--then dbt:PATH``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pgsluice.errors import CallError
from pgsluice.model import DBT, Guest


def parse_guests(given: Sequence[str]) -> tuple[Guest, ...]:
    """Returns the projects that run after the publish.

    :param given: ``dbt:FOLDER`` for each.
    :raises CallError: an element is something else, or comes twice.
    """
    guests: list[Guest] = []
    for text in [given] if isinstance(given, str) else given:
        program, colon, path = str(text).partition(":")
        if program != DBT or not colon or not path:
            raise CallError(
                f"--then {text!r} names no program that pgsluice knows", "Write dbt:PATH, for a dbt project"
            )
        guest = Guest(program, os.path.abspath(os.path.expanduser(path)))
        if guest in guests:
            raise CallError(f"--then {text!r} comes twice", "Name each project once")
        guests.append(guest)
    return tuple(guests)


def restore_guests(stored: Mapping[str, Any]) -> tuple[Guest, ...]:
    """Returns the guests of a run. Runs of pgsluice 0.2 and before have none.

    :param stored: ``pgsluice.run.options``.
    """
    return tuple(Guest(**guest) for guest in stored.get("then", ()))
