"""Errors that pass: which errors make a run try again, after which pauses, and how often."""

from __future__ import annotations

import psycopg

from pgsluice.errors import ConnectError

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt: a restart of the server takes some, a deadlock none."""

TRANSIENT = {
    "08000": "the connection failed",
    "08003": "the connection is gone",
    "08006": "the connection failed",
    "40001": "another transaction came in between",
    "40P01": "a deadlock was broken up",
    "53300": "the server has no free connection",
    "55P03": "the tables are locked",
    "57P01": "the server ended the connection",
    "57P02": "the server crashed",
    "57P03": "the server is starting up",
}
"""SQLSTATEs that say nothing about the load itself (PostgreSQL manual, appendix A), in words."""

LOCKED = "55P03"


def transient_reason(error: BaseException, *connections: psycopg.Connection, were_open: bool) -> str:
    """What happened, in words, if the error is a reason to try again; else ''.

    :param connections: the connections that may have broken.
    :param were_open: the run had its connections already. Before, an address that leads nowhere is no reason to wait.
    """
    if isinstance(error, ConnectError):
        return error.message if were_open or error.passes else ""
    if not isinstance(error, psycopg.Error):
        return ""
    if error.sqlstate is None:
        # libpq gives no SQLSTATE for a socket that broke.
        broken = isinstance(error, psycopg.OperationalError) and any(c.closed for c in connections)
        return "the connection was lost" if broken else ""
    return TRANSIENT.get(error.sqlstate, "")
