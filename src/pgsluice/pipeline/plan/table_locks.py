"""Table locks: no other session may change the tables that a load writes.

A load never queues for long behind a session that holds a table, because every session that comes later would queue
behind the load. Each wait ends after ``--lock-timeout``; the run pauses and tries again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import psycopg
from psycopg import sql

from pgsluice.model import Plan, Strategy, Table
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.sql import query

_LOCK_MODES = {
    Strategy.IN_PLACE: sql.SQL("ACCESS EXCLUSIVE"),
    # Against VACUUM and the smaller changes of its definition as well, which the swap would lose.
    Strategy.SWAP: sql.SQL("SHARE UPDATE EXCLUSIVE"),
    Strategy.STAGE: sql.SQL("ROW EXCLUSIVE"),
}


def lock_tables(conn: psycopg.Connection, plan: Plan) -> None:
    """Locks the tables of the plan until the end of the transaction, each in the mode that its strategy needs.

    :raises psycopg.errors.LockNotAvailable: another session holds a table for longer than ``lock_timeout``.
    """
    for strategy, mode in _LOCK_MODES.items():
        # LOCK TABLE does not accept foreign tables.
        tables = [t.table for t in plan.tables if t.strategy is strategy and t.table.kind in "rp"]
        if tables:
            _lock(conn, tables, mode)


def _lock(conn: psycopg.Connection, tables: Sequence[Table], mode: sql.SQL) -> None:
    names = [identifier(t.name) for t in sorted(tables, key=lambda t: t.oid)]
    conn.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(sql.SQL(", ").join(names), mode))


def notice_lost_client(conn: psycopg.Connection) -> None:
    """Makes the server check every second, until the end of the transaction, whether its client still lives.

    Otherwise the server would finish building an index for a client that was killed, and keep the tables locked
    meanwhile. Servers on systems that cannot check refuse the setting, which is ignored.
    """
    with suppress(psycopg.Error), conn.transaction():
        conn.execute("SET LOCAL client_connection_check_interval = '1s'")


def lock_holders(ledger_conn: psycopg.Connection, main_pid: int, oids: Iterable[int]) -> str:
    """The sessions that hold locks on the tables, in words: ``pid 4711 (psql, alice)``."""
    rows = ledger_conn.execute(query("plan", "lock_holders"), {"oids": list(oids), "main_pid": main_pid}).fetchall()
    return ", ".join(f"pid {pid} ({what}, {who})" for pid, what, who in rows) or "another session"
