"""The books: which runs there were, which files they read, which rows they refused.

They live in schema ``pgsluice`` of the target database. Unless a function says otherwise its connection
is in autocommit mode and stands beside the one that loads, so that the books outlive a load that is rolled
back. What must be true exactly when the rows are there (:func:`record_files`, :func:`finish_run` with
``published``) is called on the loading connection, inside its transaction.

A run is alive as long as one of its connections holds a shared advisory lock; :func:`start_run` takes it
before the run becomes visible, so that no other process can mistake the run for a dead one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.types.json import Jsonb

from pgsluice.ledger.advisory_locks import RUN_LOCK_CLASS, hold_run
from pgsluice.ledger.statements import Connection, fetch_rows, fetch_value
from pgsluice.model import Dialect
from pgsluice.sql import query

if TYPE_CHECKING:
    pass


class FileRecord(NamedTuple):
    """A row of ``pgsluice.file`` without its numbers."""

    table_oid: int
    table_schema: str
    table_name: str
    path: str
    sha256: str
    bytes: int
    status: str
    """loaded, skipped, vetoed."""
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    columns: tuple[str, ...] = ()
    dialect: Dialect = Dialect()
    """With the columns: how a replay reads the records."""
    mode: str = "append"


def start_run(conn: Connection, options: dict[str, Any], replay_of: int | None = None) -> int:
    """Open a run with status ``running`` that ``conn`` keeps alive, and return its id.

    ``options`` are anything that JSON can hold.
    """
    client = f"{socket.gethostname()}:{os.getpid()}"
    with conn.transaction():
        run_id = int(fetch_value(conn, "start_run", options=Jsonb(options), client=client, replay_of=replay_of))
        hold_run(conn, run_id)
    return run_id


def finish_run(
    conn: Connection,
    run_id: int,
    status: str,
    seconds: float,
    detail: str = "",
    rejects_path: str | None = None,
) -> None:
    """Write down how a run ended. ``published`` belongs into the transaction that loads."""
    conn.execute(
        query("ledger", "finish_run"),
        {
            "run_id": run_id,
            "status": status,
            "seconds": seconds,
            "detail": detail,
            "rejects_path": rejects_path,
        },
    )


def record_files(conn: Connection, run_id: int, rows: Iterable[FileRecord]) -> None:
    """Write down the files of a run, once per run, in the order given."""
    with conn.cursor() as cursor:
        cursor.executemany(
            query("ledger", "record_file"),
            [
                row._asdict()
                | {"run_id": run_id, "file_no": number}
                | {"columns": list(row.columns), "dialect": Jsonb(asdict(row.dialect))}
                for number, row in enumerate(rows, start=1)
            ],
        )


def loaded_before(conn: Connection, table_oid: int, sha256: str) -> int | None:
    """The id of the newest published run that put this content into this table."""
    run_id: int | None = fetch_value(conn, "loaded_before", table_oid=table_oid, sha256=sha256)
    return run_id


def sizes_loaded(conn: Connection, table_oids: Sequence[int]) -> set[tuple[int, int]]:
    """(oid of the table, bytes of the file) of everything that published runs loaded into these tables.

    A file of another size need not be hashed to know that it was not loaded before.
    """
    return {(oid, size) for oid, size in fetch_rows(conn, "sizes_loaded", oids=list(table_oids))}


def mark_interrupted(conn: Connection) -> tuple[int, ...]:
    """Give runs that still say ``running``, but whose connections are gone, the status ``interrupted``."""
    return tuple(sorted(run_id for (run_id,) in fetch_rows(conn, "mark_interrupted", **{"class": RUN_LOCK_CLASS})))
