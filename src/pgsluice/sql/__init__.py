"""The queries of pgsluice: ``.sql`` files beside this module, each query under a ``-- name:`` line.

A file holds any number of queries. ``-- name: columns`` begins one; everything up to the next such line
belongs to it, comments included (PostgreSQL reads over them, and they show up in its logs).
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^--[ \t]*name:[ \t]*(\w+)[ \t]*$", re.MULTILINE)


@cache
def _queries(file: str) -> dict[str, str]:
    """All queries of ``<file>.sql`` by name."""
    text = resources.files(__package__).joinpath(f"{file}.sql").read_text(encoding="utf-8")
    _, *pieces = _NAME.split(text)
    return {name: body.strip().removesuffix(";") for name, body in zip(pieces[::2], pieces[1::2], strict=True)}


def query(file: str, name: str) -> str:
    """The text of query ``name`` in ``<file>.sql``, without its final semicolon.

    Parameters are written ``%(name)s``; ``{name}`` are places for :func:`psycopg.sql.SQL.format`.
    Raises KeyError or FileNotFoundError for a name that does not exist, which is a defect.
    """
    return _queries(file)[name]
