"""Privileges: a missing right ends the load before a row is read, with the GRANT as remedy."""

from __future__ import annotations

import psycopg

from pgsluice.errors import PrivilegeError
from pgsluice.model import Plan
from pgsluice.sql import query


def check_privileges(conn: psycopg.Connection, plan: Plan) -> None:
    """Checks that the role may create temporary tables, and may INSERT into and SELECT from the tables of the plan.

    :raises PrivilegeError: a privilege is missing; the remedy is the GRANT.
    """
    row = conn.execute(query("plan", "temporary_tables")).fetchone()
    assert row is not None
    role, may_create, database = row
    if not may_create:
        raise PrivilegeError(
            f"role {role} may not make temporary tables in {database}",
            f"GRANT TEMPORARY ON DATABASE {database} TO {role};",
        )
    for t in plan.tables:
        row = conn.execute(query("plan", "table_privileges"), {"oid": t.table.oid}).fetchone()
        assert row is not None
        lacking = [right for right, has in zip(("INSERT", "SELECT"), row, strict=True) if not has]
        if lacking:
            raise PrivilegeError(
                f"role {role} may not {' and '.join(lacking)} on {t.table.name}",
                f"GRANT {', '.join(lacking)} ON {t.table.name} TO {role};",
            )
