"""TODO pgsluice.ledger.advisory_locks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from psycopg.rows import dict_row

from pgsluice.errors import LockedError
from pgsluice.ledger.statements import Connection, fetch_value
from pgsluice.model import Listener, Progress
from pgsluice.sql import query

if TYPE_CHECKING:
    pass


# Classes of advisory locks, the first of their two numbers: "sl" and a letter in ASCII.
RUN_LOCK_CLASS = 0x736C72


TABLE_LOCK_CLASS = 0x736C74


_POLL_SECONDS = 0.2


def hold_run(conn: Connection, run_id: int) -> None:
    """Let ``conn``, the one that loads, keep the run alive, too, and be known as its own to others."""
    fetch_value(conn, "hold_run", **{"class": RUN_LOCK_CLASS, "key": run_id & 0x7FFFFFFF})


def release_run(conn: Connection, run_id: int) -> None:
    """Let go what :func:`start_run` or :func:`hold_run` took; closing ``conn`` does the same."""
    fetch_value(conn, "release_run", **{"class": RUN_LOCK_CLASS, "key": run_id & 0x7FFFFFFF})


def _signed(oid: int) -> int:
    """``oid``, 32 bits without a sign, as the signed integer that advisory locks take."""
    return oid - (1 << 32) if oid >= 1 << 31 else oid


def lock_tables(conn: Connection, oids: Sequence[int], *, no_wait: bool, listen: Listener) -> None:
    """Take tables for the session ``conn``, the one that loads, against other runs of pgsluice.

    The locks stay until :func:`unlock_tables` or the end of the session, whatever becomes of its
    transaction. They are taken in the order of the oids, so that two runs cannot wait for each other.
    If another run has a table: with ``no_wait`` raises LockedError that names it and lets go what it took;
    without, tells ``listen`` once per holder and polls. Call it before ``conn`` takes a snapshot that it
    will go on using (isolation above READ COMMITTED).
    """
    taken: list[int] = []
    try:
        for oid in sorted(set(oids)):
            told: str | None = None
            while not fetch_value(conn, "try_lock_table", **{"class": TABLE_LOCK_CLASS, "key": _signed(oid)}):
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
    """Let tables go that :func:`lock_tables` took on this connection."""
    for oid in oids:
        fetch_value(conn, "unlock_table", **{"class": TABLE_LOCK_CLASS, "key": _signed(oid)})


def _holder(conn: Connection, oid: int) -> tuple[str, str]:
    """Name of the table and, in words, who has it."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            query("ledger", "holder"),
            {"class": TABLE_LOCK_CLASS, "run_class": RUN_LOCK_CLASS, "oid": oid},
        ).fetchone()
    if row is None:  # it has let go since
        return str(oid), "another run"
    facts = [f"pid {row['pid']}"]
    facts += [row["application"]] if row["application"] else []
    facts += [f"role {row['role']}"] if row["role"] else []
    facts += [f"since {row['since']}"] if row["since"] else []
    run = "another run" if row["run_id"] is None else f"run {row['run_id']}"
    return row["table_name"], f"{run} ({', '.join(facts)})"
