"""Write runs and their files into the ledger.

What must be true exactly when the rows are in the tables is written on the main connection, inside its transaction:
:func:`record_files`, and :func:`finish_run` with the status ``published``.

A run is alive while at least one of its connections holds a shared advisory lock. :func:`start_run` takes the lock
before the run becomes visible, so that no other process can mistake the run for a dead one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from pgsluice.ledger.advisory_locks import RUN_LOCK_CLASS, hold_run
from pgsluice.ledger.statements import Connection, fetch_rows, fetch_value
from pgsluice.model import Dialect
from pgsluice.sql import query
from pgsluice.version import __version__


class FileRecord(NamedTuple):
    """A row of ``pgsluice.file`` without its run and its number."""

    table_oid: int
    table_schema: str
    table_name: str
    path: str
    sha256: str
    bytes: int
    status: str
    """``loaded``, ``skipped`` or ``vetoed``."""
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    columns: tuple[str, ...] = ()
    dialect: Dialect = Dialect()
    """Together with the columns: how a replay reads the records."""
    mode: str = "append"


def start_run(conn: Connection, options: dict[str, Any], replay_of: int | None = None) -> int:
    """Inserts a run with the status ``running``; ``conn`` keeps the run alive.

    :param options: the options of the call and its paths, as JSON can hold them.
    :param replay_of: the id of the run whose rejects the new run replays.
    :returns: the id of the new run.
    """
    client = f"{socket.gethostname()}:{os.getpid()}"
    with conn.transaction():
        run_id = int(
            fetch_value(
                conn, "start_run", options=Jsonb(options), version=__version__, client=client, replay_of=replay_of
            )
        )
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
    """Writes how a run ended. A run that is published already keeps its row.

    :param conn: for ``published`` the main connection, inside the transaction that loads.
    :param status: a status of ``pgsluice.run`` other than ``running``.
    :param seconds: the duration of the run.
    :param detail: why the run did not publish.
    :param rejects_path: the path of the report.
    """
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
    """Inserts the files of a run, numbered from 1 in the order given. Call this function once for each run.

    :param conn: for a published run the main connection, inside the transaction that loads.
    """
    # Of many files most have the same dialect.
    dialect_json = cache(lambda dialect: Jsonb(asdict(dialect)))
    with conn.cursor() as cursor:
        cursor.executemany(
            query("ledger", "record_file"),
            [
                row._asdict()
                | {"run_id": run_id, "file_no": number}
                | {"columns": list(row.columns), "dialect": dialect_json(row.dialect)}
                for number, row in enumerate(rows, start=1)
            ],
        )


def loaded_before(conn: Connection, contents: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Returns those contents that published runs have loaded into their tables.

    :param contents: (oid of the table, hash of a file's bytes in hexadecimal).
    """
    oids, hashes = [oid for oid, _ in contents], [sha256 for _, sha256 in contents]
    return {(oid, sha256) for oid, sha256 in fetch_rows(conn, "loaded_before", oids=oids, hashes=hashes)}


def sizes_loaded(conn: Connection, table_oids: Sequence[int]) -> set[tuple[int, int]]:
    """Returns (oid of the table, bytes of the file) for every file that published runs loaded into these tables.

    A file of another size was not loaded before; such a file need not be hashed to know this.
    """
    return {(oid, size) for oid, size in fetch_rows(conn, "sizes_loaded", oids=list(table_oids))}


def mark_interrupted(conn: Connection) -> tuple[int, ...]:
    """Sets the status ``interrupted`` for runs with the status ``running`` that no connection keeps alive.

    :returns: the ids of these runs, in ascending order.
    """
    return tuple(sorted(run_id for (run_id,) in fetch_rows(conn, "mark_interrupted", lock_class=RUN_LOCK_CLASS)))
