"""The queries of pgsluice: ``.sql`` files beside this module, each query below a line ``-- name: ...``.

A file contains any number of queries. The line ``-- name: columns`` begins the query ``columns``. Everything up to the
next line of this kind belongs to the query. That includes comments, so they appear in the logs of PostgreSQL.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^--[ \t]*name:[ \t]*(\w+)[ \t]*$", re.MULTILINE)


@cache
def _queries(file: str) -> dict[str, str]:
    """Returns all queries of ``<file>.sql`` by name."""
    text = resources.files(__package__).joinpath(f"{file}.sql").read_text(encoding="utf-8")
    _, *pieces = _NAME.split(text)
    return {name: body.strip().removesuffix(";") for name, body in zip(pieces[::2], pieces[1::2], strict=True)}


def query(file: str, name: str) -> str:
    """Returns the text of the query ``name`` in ``<file>.sql``, without the final semicolon.

    Parameters are written ``%(name)s``. Placeholders of :meth:`psycopg.sql.SQL.format` are written ``{name}``.

    :raises FileNotFoundError: there is no file of this name. This is a defect of pgsluice.
    :raises KeyError: the file has no query of this name. This is a defect of pgsluice.
    """
    return _queries(file)[name]
