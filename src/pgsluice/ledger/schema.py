"""TODO pgsluice.ledger.schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import errors
from psycopg.rows import dict_row

from pgsluice.errors import PrivilegeError
from pgsluice.ledger.statements import Connection, fetch_value
from pgsluice.sql import query

if TYPE_CHECKING:
    pass


_CREATION_LOCK_CLASS = 0x736C63


def ensure(conn: Connection) -> None:
    """Make the ledger if it is not there.

    Several processes may call this at once. A role that may use an existing ledger needs no right to
    create anything. Raises PrivilegeError with the GRANT that is missing.
    """
    state = _state(conn)
    if not state["complete"]:
        _create(conn, state)
    elif not state["usable"]:
        raise PrivilegeError(
            f"role {state['role']} may not write the ledger in schema pgsluice",
            f"As its owner: GRANT USAGE ON SCHEMA pgsluice TO {state['role']}; "
            f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA pgsluice TO {state['role']};",
        )


def _state(conn: Connection) -> dict[str, Any]:
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("ledger", "state")).fetchone()
    assert row is not None  # the query begins with a row of VALUES
    return row


def _create(conn: Connection, state: dict[str, Any]) -> None:
    where = "SCHEMA pgsluice" if state["has_schema"] else f"DATABASE {state['database']}"
    rights = "USAGE, CREATE" if state["has_schema"] else "CREATE"
    try:
        with conn.transaction():
            fetch_value(conn, "lock_creation", **{"class": _CREATION_LOCK_CLASS})
            state = _state(conn)
            if state["complete"]:
                return
            if not state["has_schema"]:
                conn.execute(query("ledger", "create_schema"))
            conn.execute(query("ledger", "create"))
    except errors.InsufficientPrivilege as error:
        raise PrivilegeError(
            f"role {state['role']} may not make the ledger: {error.diag.message_primary}",
            f"As its owner: GRANT {rights} ON {where} TO {state['role']};",
        ) from error


def exists(conn: Connection) -> bool:
    """Whether the database has a ledger."""
    return bool(fetch_value(conn, "exists"))
