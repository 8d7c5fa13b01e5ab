"""Statements that a schema file may not hold: they change data, roles or the server, or run code of their own.

A schema file is trusted code, as a file that psql executes. A function that the file calls, or a trigger that the file
creates, may do anything that the role may do. The refusals keep a file from changing rows by mistake: a load executes
the file every time, and only knows of tables, views and other objects whether they are there already.
"""

from __future__ import annotations

from pgsluice.errors import SchemaFileError
from pgsluice.postgres.schema_files.sql_lexer import Statement

_DESTROYS = frozenset({"drop", "truncate"})

_CHANGES_ROWS = frozenset({"update", "delete", "merge"})

_RUNS_CODE = frozenset({"do", "call", "execute", "prepare", "load"})

_SERVER_WIDE = frozenset({"role", "user", "group", "database", "tablespace", "system", "subscription"})
"""What CREATE and ALTER may not name. USER MAPPING is no user, but a part of a foreign server."""

_ROLE_ATTRIBUTES = frozenset({"superuser", "createrole", "createdb", "bypassrls", "replication"})

_HOLDS_STATEMENTS = frozenset({"with", "insert", "select", "explain", "values", "table"})
"""Statements that may contain a statement that changes rows: behind WITH, and as the statement that EXPLAIN runs."""


def refuse(statement: Statement, path: str) -> None:
    """Checks that a schema file may hold the statement.

    :param path: the file, for the message.
    :raises SchemaFileError: the file may not hold the statement. The message contains the line.
    """
    first = statement.tokens[0].key
    where = f"{path}:{statement.line}: "
    if first in _DESTROYS:
        raise SchemaFileError(
            f"{where}{first.upper()} in a schema file; a load destroys nothing",
            "Take the statement out; what exists already is skipped anyway",
        )
    if changes := _row_change(statement):
        raise SchemaFileError(
            f"{where}{changes} in a schema file, which is executed with every load",
            "Take the statement out, and apply it once with psql; INSERT into a table that the file creates is allowed",
        )
    if first in _RUNS_CODE and statement.keys(2) != ("prepare", "transaction"):
        raise SchemaFileError(
            f"{where}{first.upper()} in a schema file, which is executed with every load",
            "Take the statement out, and apply it once with psql before the load",
        )
    if server_wide := _server_wide(statement):
        raise SchemaFileError(
            f"{where}{server_wide} in a schema file, which defines tables of one database",
            "Take the statement out, and apply it once with psql before the load",
        )


def _row_change(statement: Statement) -> str:
    """Returns the keyword with which the statement changes rows; '' if it does not, or only as INSERT does."""
    keys = [token.key for token in statement.tokens]
    if keys[0] in _CHANGES_ROWS:
        return keys[0].upper()
    if keys[0] not in _HOLDS_STATEMENTS:
        return ""
    depth = 0
    for place, key in enumerate(keys[:-1]):
        depth += (key == "(") - (key == ")")
        if key not in _CHANGES_ROWS or not place:
            continue
        before, after = keys[place - 1], statement.tokens[place + 1]
        # In brackets WITH x AS (DELETE ...), outside of them WITH ... DELETE. FOR UPDATE and ON CONFLICT DO UPDATE
        # begin no statement, and a column may have the name update.
        begins = before == "(" or (depth == 0 and keys[0] in ("with", "explain") and before not in ("for", "key", "do"))
        follows = {"delete": ("from",), "merge": ("into",)}.get(key)
        if begins and (after.key in follows if follows else after.kind in ("word", "quoted")):
            return key.upper()
    return ""


def _server_wide(statement: Statement) -> str:
    """Returns the first words of a statement about roles, databases or the server; '' for other statements."""
    first, second, third = (*statement.keys(3), "", "")[:3]
    if first in ("create", "alter") and second in _SERVER_WIDE and (second, third) != ("user", "mapping"):
        return f"{first.upper()} {second.upper()}"
    if first in ("grant", "revoke"):
        words = [token.key for token in statement.tokens]
        if "on" not in words:
            named = next((word for word in words if word in _ROLE_ATTRIBUTES), "")
            return f"{first.upper()} {named.upper() or 'of a role'}"
        kind = (*words[words.index("on") + 1 :], "")[0]
        if kind in ("parameter", "database", "tablespace"):
            return f"{first.upper()} ON {kind.upper()}"
    return ""
