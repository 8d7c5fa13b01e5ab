"""Resume: an interrupted run that was started with ``--resumable`` continues."""

from __future__ import annotations

import psycopg

from pgsluice.errors import CallError
from pgsluice.ledger.runs import mark_interrupted
from pgsluice.ledger.schema import ensure, exists
from pgsluice.model import LoadOptions
from pgsluice.options import restore_options
from pgsluice.sql import query


def reopen(ledger_conn: psycopg.Connection, run_id: int) -> tuple[LoadOptions, list[str]]:
    """Sets the status of an interrupted or failed resumable run to ``running`` again.

    :param ledger_conn: in autocommit mode.
    :returns: the options and paths of the run.
    :raises CallError: the run does not exist, did not end early, or is not resumable.
    :raises PrivilegeError: the role may not migrate or use the ledger.
    """
    row = None
    if exists(ledger_conn):
        ensure(ledger_conn)
        mark_interrupted(ledger_conn)
        row = ledger_conn.execute(query("checkpoint", "reopen"), {"run_id": run_id}).fetchone()
    if row is None:
        raise CallError(f"run {run_id} cannot be resumed", "pgsluice runs lists them; only an interrupted one can")
    stored = dict(row[0])
    return restore_options(stored), [str(path) for path in stored["paths"]]
