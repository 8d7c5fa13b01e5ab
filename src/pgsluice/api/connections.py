"""The connections that the public functions open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg

from pgsluice.postgres.connecting.connect import connect, resolve

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


def existing(database_url: str | None, data_dir: str | None) -> AbstractContextManager[psycopg.Connection]:
    """Opens a connection to a server that exists: an embedded server is not created."""
    return connected(resolve(database_url, data_dir, make=False))
