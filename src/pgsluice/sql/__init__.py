"""The SQL of pgsluice: ``.sql`` files beside this module, with a ``-- name:`` line above each statement.

A file holds any number of named texts. ``-- name: columns`` begins one; everything up to the next such line belongs to
it, comments included. (PostgreSQL reads over comments, and they show up in its logs.)
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg import sql

_NAME = re.compile(r"^--[ \t]*name:[ \t]*(\w+)[ \t]*$", re.MULTILINE)


@cache
def _queries(file: str) -> dict[str, str]:
    """All texts of ``<file>.sql`` by name."""
    text = resources.files(__package__).joinpath(f"{file}.sql").read_text(encoding="utf-8")
    _, *pieces = _NAME.split(text)
    return {name: body.strip().removesuffix(";") for name, body in zip(pieces[::2], pieces[1::2], strict=True)}


def query(file: str, name: str) -> str:
    """The text ``name`` of ``<file>.sql``, without its final semicolon.

    Parameters are written ``%(name)s``. ``{name}`` is a place for :func:`compose`.

    :raises KeyError: the file has no such name, which is a defect of pgsluice.
    :raises FileNotFoundError: there is no such file, which is a defect of pgsluice.
    """
    return _queries(file)[name]


def compose(file: str, name: str, /, **parts: sql.Composable) -> sql.Composed:
    """The text ``name`` of ``<file>.sql`` with identifiers, literals and SQL put into its places.

    :param parts: a value for each ``{name}`` of the text.
    :raises KeyError: the text or a value for one of its places is missing, which is a defect of pgsluice.
    """
    from psycopg import sql

    return sql.SQL(query(file, name)).format(**parts)
