"""What an error of PostgreSQL is about: a row, or the session and the server."""

from __future__ import annotations

import psycopg

# SQLSTATE classes that are about the server, the session or the transaction and never about a row (PostgreSQL manual,
# appendix A): connection, transaction state, rollback (deadlock, serialization), resources, operator intervention,
# system error, internal error. Every other error that an INSERT raises is a verdict on a row: data exceptions,
# constraints, and whatever a trigger, a function in a CHECK or an index expression raises.
_SERVER_CLASSES = frozenset({"08", "0B", "25", "40", "53", "55", "57", "58", "F0", "XX"})


# C code that names no SQLSTATE raises this one. It is about a row, although its class is that of internal errors: for
# example, the input function of hstore before version 16 raises it for a text that it cannot parse. The other errors of
# the class mean corrupted data.
_UNNAMED = "XX000"


def is_row_error(error: psycopg.Error) -> bool:
    """Whether the error is a verdict on a row, and not about the session or the server."""
    code = error.sqlstate
    return code is not None and (code[:2] not in _SERVER_CLASSES or code == _UNNAMED)


_PASSING = frozenset({"53300", "55P03", "57014", "57P01", "57P02", "57P03"})
"""No free connection, a lock that is not free, a query that was cancelled, and the ends of a server."""


def may_pass(error: psycopg.Error) -> bool:
    """Whether the error says nothing about the statement: the connection, a lock, or another transaction is at fault.

    libpq gives no SQLSTATE for a connection that broke.
    """
    code = error.sqlstate
    return code is None or code[:2] in ("08", "40") or code in _PASSING


def not_row_error_sql(variable: str) -> str:
    """Returns the opposite of :func:`is_row_error` as an SQL condition, for functions that catch errors on the server.

    Every name in the condition is qualified.

    :param variable: the PL/pgSQL variable that holds the SQLSTATE.
    """
    classes = ", ".join(f"'{c}'" for c in sorted(_SERVER_CLASSES))
    among = f"pg_catalog.left({variable}, 2) OPERATOR(pg_catalog.=) ANY (ARRAY[{classes}])"
    return f"{among} AND {variable} OPERATOR(pg_catalog.<>) '{_UNNAMED}'"


def primary_message(error: psycopg.Error) -> str:
    """Returns the primary message of the error on one line."""
    return (error.diag.message_primary or str(error)).strip().replace("\n", " ")


def detail_of(error: psycopg.Error) -> str:
    """Returns what the error says in addition to its primary message: its DETAIL and its HINT, in one line."""
    hint = error.diag.message_hint
    parts = (error.diag.message_detail, f"HINT: {hint}" if hint else None)
    return " ".join(part.strip().replace("\n", " ") for part in parts if part)


def detail_sql(detail: str, hint: str, place: str = "NULL") -> str:
    """Returns what :func:`detail_of` returns, as an SQL expression in which every name is qualified.

    :param detail: an expression for the DETAIL; each of the three may be NULL or empty.
    :param hint: an expression for the HINT.
    :param place: an expression for the place of the error within a text.
    """
    # NULLIF would look for an operator = in the search_path.
    said, advice = (f"CASE WHEN {text} OPERATOR(pg_catalog.<>) '' THEN {text} END" for text in (detail, hint))
    texts = f"{said}, {place}, 'HINT: ' OPERATOR(pg_catalog.||) {advice}"
    return f"pg_catalog.replace(pg_catalog.concat_ws(' ', {texts}), E'\\n', ' ')"
