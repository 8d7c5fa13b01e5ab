"""The connections that the public functions open, and those that a result opens to read its rejects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import psycopg

from pgsluice.errors import NoServerError
from pgsluice.model import Reject, RejectsResult
from pgsluice.postgres.connecting.connect import connect, missing_server, resolve

_NAME_ONE = (
    "Set DATABASE_URL or give --database-url; or have an embedded server made: --embedded (in Python"
    ' data_dir=".pgsluice")'
)

PathLike = str | os.PathLike[str]


def open_connection(conninfo: str, name: str) -> psycopg.Connection:
    """Opens a connection of a run.

    :param name: ``application_name``, which other sessions see.
    """
    return connect(conninfo, application_name=name)


@contextmanager
def connected(conninfo: str) -> Iterator[psycopg.Connection]:
    """Opens a connection in autocommit mode for the time of a ``with`` block."""
    with connect(conninfo) as conn:
        conn.autocommit = True
        yield conn


def loading_address(database_url: str | None, data_dir: str | None, *, creates_tables: bool) -> str:
    """Returns the address of a load. The embedded server is made if ``data_dir`` names it.

    :param creates_tables: whether a new server would have tables.
    :raises NoServerError: there is neither an address nor a server, or a new server would have no tables.
    """
    if folder := missing_server(database_url, data_dir):
        if data_dir is None:
            raise NoServerError(f"no database is named, and there is no embedded server in {folder}", _NAME_ONE)
        _require_tables(folder, creates_tables)
    return resolve(database_url, data_dir)


@contextmanager
def planning_address(
    database_url: str | None, data_dir: str | None, *, creates_tables: bool
) -> Iterator[tuple[str, str | None]]:
    """Yields the address of a plan. No lasting server is made, and none is started.

    If the load would make an embedded server, the plan has a temporary one, which is as empty.

    :param creates_tables: whether a new server would have tables.
    :returns: the address; the folder of the embedded server that a load would make, None if it would not.
    :raises NoServerError: there is no server, and a new one would have no tables.
    :raises ServerError: the embedded server does not run.
    """
    folder = missing_server(database_url, data_dir)
    if folder is None:
        yield resolve(database_url, data_dir, start=False), None
        return
    _require_tables(folder, creates_tables)
    from pgsluice.postgres.embedded import server

    with server.temporary() as address:
        yield address, str(Path(folder).absolute())


def _require_tables(folder: str, creates_tables: bool) -> None:
    if not creates_tables:
        raise NoServerError(
            f"there is no server in {folder}, and a new one has no tables",
            "Name a file that creates them with --schema, or a database with --database-url",
        )


def existing(database_url: str | None, data_dir: str | None) -> AbstractContextManager[psycopg.Connection]:
    """Opens a connection to a server that exists: an embedded server is not created."""
    return connected(resolve(database_url, data_dir, make=False))


def with_rows(found: RejectsResult, run_id: int, conninfo: str, table: str | None = None) -> None:
    """Lets a result read the rejects that it counts, for :meth:`~pgsluice.model.RejectsResult.rows`.

    :param run_id: the run.
    :param conninfo: the database of the run.
    :param table: the rejects of this table only.
    """
    found.set_source(partial(read_rows, conninfo, run_id, table))


def read_rows(conninfo: str, run_id: int, table: str | None, *, marks: bool = False) -> Iterator[Reject]:
    """Yields the rejects of a run from the ledger.

    :param table: the rejects of this table only; None: of all tables.
    :param marks: with the fields that the reasons are about.
    """
    from pgsluice.ledger import queries, schema
    from pgsluice.pipeline.rejects.recall import recalled_marker

    with connected(conninfo) as conn:
        if schema.exists(conn):
            marker = recalled_marker(conn, run_id) if marks else None
            rows = queries.reject_rows(conn, run_id, table)
            yield from map(marker.marked, rows) if marker else rows
