"""What an error of PostgreSQL says: that a row is bad, or that the load cannot go on."""

from __future__ import annotations

import psycopg

# SQLSTATE classes that are about the server, the session or the transaction, never about a row
# (PostgreSQL manual, appendix A): connection, transaction state, rollback (deadlock, serialisation),
# resources, operator intervention, system error, internal error. Everything else that an INSERT of rows
# can raise is a verdict on one of the rows: data exceptions and constraints, but also whatever a trigger,
# a function in a CHECK or an index expression raises.
_NOT_ROWS = frozenset({"08", "0B", "25", "40", "53", "55", "57", "58", "F0", "XX"})


def about_rows(error: psycopg.Error) -> bool:
    """Whether the error is a verdict on a row (and not on the session or the server)."""
    return error.sqlstate is not None and error.sqlstate[:2] not in _NOT_ROWS


NOT_ROWS_SQL = "('" + "', '".join(sorted(_NOT_ROWS)) + "')"
"""The same classes as an SQL list, for the functions that catch errors on the server."""


def primary(error: psycopg.Error) -> str:
    """The primary message of an error, one line."""
    return (error.diag.message_primary or str(error)).strip().replace("\n", " ")
