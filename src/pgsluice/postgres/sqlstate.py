"""What an error of PostgreSQL says: that a row is bad, or that the load cannot go on."""

from __future__ import annotations

import psycopg

# SQLSTATE classes that are about the server, the session or the transaction, never about a row
# (PostgreSQL manual, appendix A): connection, transaction state, rollback (deadlock, serialisation),
# resources, operator intervention, system error, internal error. Everything else that an INSERT of rows
# can raise is a verdict on one of the rows: data exceptions and constraints, but also whatever a trigger,
# a function in a CHECK or an index expression raises. So is XX000 of the internal errors: it is what C code
# says that names no SQLSTATE, such as the input function of hstore before version 16 about a text that it
# cannot read. The others of that class mean corrupted data.
_NOT_ROWS = frozenset({"08", "0B", "25", "40", "53", "55", "57", "58", "F0", "XX"})


_NO_CODE = "XX000"


def is_row_error(error: psycopg.Error) -> bool:
    """Whether the error is a verdict on a row (and not on the session or the server)."""
    code = error.sqlstate
    return code is not None and (code[:2] not in _NOT_ROWS or code == _NO_CODE)


def not_row_error_sql(variable: str) -> str:
    """The opposite of :func:`is_row_error` as an SQL condition, for the functions that catch errors on the server."""
    classes = ", ".join(f"'{c}'" for c in sorted(_NOT_ROWS))
    return f"left({variable}, 2) IN ({classes}) AND {variable} <> '{_NO_CODE}'"


def primary_message(error: psycopg.Error) -> str:
    """The primary message of an error, one line."""
    return (error.diag.message_primary or str(error)).strip().replace("\n", " ")
