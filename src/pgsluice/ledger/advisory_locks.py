"""Advisory locks: which runs are alive, and which tables are being loaded.

Every connection of a run holds a shared lock on the run's id. A run whose lock nobody holds has ended, whatever its
status in the ledger says. A second class of locks, exclusive and on the oids of tables, keeps two runs from loading one
table at once. PostgreSQL releases both kinds when the session ends (manual, section 13.3.5).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from psycopg.rows import dict_row

from pgsluice.errors import LockedError
from pgsluice.ledger.statements import Connection, fetch_rows, fetch_value
from pgsluice.model import Listener, Progress
from pgsluice.sql import query

# Classes of advisory locks, the first of their two numbers: "slr" and "slt" in ASCII.
RUN_LOCK_CLASS = 0x736C72
"""The class of locks that show that a run is alive."""

TABLE_LOCK_CLASS = 0x736C74
"""The class of locks that show that a run loads a table."""

GUEST_LOCK_CLASS = 0x736C67
"""The class of locks that show that a guest runs: "slg" in ASCII."""

_POLL_SECONDS = 0.2


def hold_run(conn: Connection, run_id: int) -> None:
    """Takes the lock that shows that a run is alive; it stays until the session of ``conn`` ends.

    :param conn: any connection of the run.
    """
    fetch_value(conn, "hold_run", lock_class=RUN_LOCK_CLASS, key=run_id & 0x7FFFFFFF)


def live_runs(conn: Connection) -> list[tuple[int, int, str]]:
    """Returns the runs that are under way in any database of the server: run, a process of it, and its database."""
    return fetch_rows(conn, "live_runs", sql_file="reset", lock_class=RUN_LOCK_CLASS)


def _signed(oid: int) -> int:
    """Returns an oid, 32 bits without a sign, as the signed integer that advisory locks take."""
    return oid - (1 << 32) if oid >= 1 << 31 else oid


def lock_tables(conn: Connection, oids: Sequence[int], *, no_wait: bool, listen: Listener) -> None:
    """Locks tables against other runs of pgsluice, for the session of ``conn``.

    The locks stay until :func:`unlock_tables` or the end of the session; a rollback does not release them. They are
    taken in the order of the oids, so that two runs cannot wait for each other. Call this function before ``conn``
    takes a snapshot that it keeps (isolation above READ COMMITTED): while the function waits, another run may commit.

    :param conn: the main connection.
    :param no_wait: raise an error if another run holds a lock, instead of polling until the lock is free.
    :param listen: receives the phase ``wait`` once for each holder.
    :raises LockedError: with ``no_wait``, another run holds a lock. The locks taken so far are released.
    """
    taken: list[int] = []
    try:
        for oid in sorted(set(oids)):
            told: str | None = None
            while not fetch_value(conn, "try_lock_table", lock_class=TABLE_LOCK_CLASS, key=_signed(oid)):
                table, holder = _holder(conn, oid)
                if no_wait:
                    raise LockedError(
                        f"table {table} is being loaded by {holder}",
                        "Wait until it has ended, or call without --no-wait",
                    )
                if holder != told:
                    listen(Progress(phase="wait", table=table, step=f"waiting for {holder}"))
                    told = holder
                # Polling instead of a blocking call keeps Ctrl-C working.
                time.sleep(_POLL_SECONDS)
            taken.append(oid)
    except BaseException:
        if not conn.broken:
            unlock_tables(conn, taken)
        raise


def unlock_tables(conn: Connection, oids: Iterable[int]) -> None:
    """Releases the locks that :func:`lock_tables` took on this connection."""
    for oid in oids:
        fetch_value(conn, "unlock_table", lock_class=TABLE_LOCK_CLASS, key=_signed(oid))


def lock_guest(conn: Connection, key: int, what: str, listen: Listener) -> None:
    """Locks a guest against other runs, for the session of ``conn``; waits while another run has locked the guest.

    :param key: 31 bits that stand for the guest.
    :param what: the guest in words.
    :param listen: receives the phase ``wait`` once if the guest is locked.
    """
    told = False
    while not fetch_rows(conn, "try_lock_guest", sql_file="ledger_quality", lock_class=GUEST_LOCK_CLASS, key=key)[0][0]:
        if not told:
            listen(Progress(phase="wait", step=f"waiting for another run that builds {what}"))
            told = True
        time.sleep(_POLL_SECONDS)


def _holder(conn: Connection, oid: int) -> tuple[str, str]:
    """Returns the name of a locked table and a description of the run that holds the lock."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            query("ledger", "holder"),
            {"lock_class": TABLE_LOCK_CLASS, "run_class": RUN_LOCK_CLASS, "oid": oid},
        ).fetchone()
    if row is None:  # the other session has released the lock in the meantime
        return str(oid), "another run"
    facts = [f"pid {row['pid']}"]
    facts += [row["application"]] if row["application"] else []
    facts += [f"role {row['role']}"] if row["role"] else []
    facts += [f"since {row['since']}"] if row["since"] else []
    run = "another run" if row["run_id"] is None else f"run {row['run_id']}"
    return row["table_name"], f"{run} ({', '.join(facts)})"
