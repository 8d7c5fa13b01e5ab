"""Before a load: what the role may do, and the tables' locks.

A load never queues for long behind somebody who holds a table, because everybody who comes later would
queue behind the load: each wait ends after ``--lock-timeout`` and is taken up again after a pause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import psycopg
from psycopg import sql

from pgsluice.errors import PrivilegeError
from pgsluice.model import Plan, Strategy, Table


def lock_for_load(conn: psycopg.Connection, plan: Plan) -> None:
    """Locks the plan's tables for the transaction: those filled in place alone, the others against DDL.

    A table that will be swapped is locked against vacuum and the smaller changes of its definition as well,
    since these would be lost with it.

    :raises psycopg.errors.LockNotAvailable: somebody holds one for longer than ``lock_timeout``.
    """
    modes = {
        Strategy.IN_PLACE: "ACCESS EXCLUSIVE",
        Strategy.SWAP: "SHARE UPDATE EXCLUSIVE",
        Strategy.STAGE: "ROW EXCLUSIVE",
    }
    for way, mode in modes.items():
        # LOCK TABLE does not take foreign tables.
        tables = [t.table for t in plan.tables if t.way is way and t.table.kind in "rp"]
        if tables:
            _lock(conn, tables, mode)


def _lock(conn: psycopg.Connection, tables: Sequence[Table], mode: str) -> None:
    conn.execute(
        sql.SQL("LOCK TABLE {} IN " + mode + " MODE").format(
            sql.SQL(", ").join(sql.Identifier(t.name.schema, t.name.name) for t in sorted(tables, key=lambda t: t.oid))
        )
    )


def notice_lost_client(conn: psycopg.Connection) -> None:
    """Has the server look every second whether its client still lives, for the time of the transaction.

    Without this it would build an index to its end for a client that was killed, and keep the tables locked
    against the next run meanwhile. Servers on systems that cannot tell refuse the setting.
    """
    with suppress(psycopg.Error), conn.transaction():
        conn.execute("SET LOCAL client_connection_check_interval = '1s'")


def holders(book: psycopg.Connection, main_pid: int, oids: Iterable[int]) -> str:
    """Who holds locks on the tables, in words: ``pid 4711 (psql, alice)``."""
    rows = book.execute(
        "SELECT DISTINCT l.pid, coalesce(nullif(a.application_name, ''), a.backend_type), a.usename"
        " FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
        " WHERE l.granted AND l.relation = ANY(%s::oid[]) AND l.pid <> %s ORDER BY 1",
        (list(oids), main_pid),
    ).fetchall()
    return ", ".join(f"pid {pid} ({what}, {who})" for pid, what, who in rows) or "another session"


def check_rights(conn: psycopg.Connection, plan: Plan) -> None:
    row = conn.execute(
        "SELECT current_user, has_database_privilege(current_database(), 'TEMP'), current_database()"
    ).fetchone()
    assert row is not None
    role, temp, database = row
    if not temp:
        raise PrivilegeError(
            f"role {role} may not make temporary tables in {database}",
            f"GRANT TEMPORARY ON DATABASE {database} TO {role};",
        )
    for t in plan.tables:
        row = conn.execute(
            "SELECT has_table_privilege(%s::oid, 'INSERT'), has_table_privilege(%s::oid, 'SELECT')",
            (t.table.oid, t.table.oid),
        ).fetchone()
        assert row is not None
        lacks = [right for right, has in zip(("INSERT", "SELECT"), row, strict=True) if not has]
        if lacks:
            raise PrivilegeError(
                f"role {role} may not {' and '.join(lacks)} on {t.table.name}",
                f"GRANT {', '.join(lacks)} ON {t.table.name} TO {role};",
            )
