"""Already loaded: files whose content a published run has loaded into the same table are recognized by hash."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from pgsluice.ledger.runs import loaded_before, sizes_loaded
from pgsluice.model import Mode
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.catalog import is_empty
from pgsluice.source.streams import hash_of


def skip_loaded(main: psycopg.Connection, ledger_conn: psycopg.Connection, table_runs: Sequence[TableRun]) -> None:
    """Marks files as skipped that a published run loaded into the same table, and copies of a file within the run.

    Only the mode append would double the rows of such a file; the other modes may run again. A file is hashed before
    its load only if another file of its size is known.

    :raises FileError: a file cannot be read, or has changed since it was planned.
    """
    known = sizes_loaded(ledger_conn, [t.table.oid for t in table_runs])
    for table_run in (t for t in table_runs if t.plan.mode is Mode.APPEND):
        oid = table_run.table.oid
        sizes = [f.plan.file.bytes for f in table_run.files]
        seen: set[str] = set()
        emptied: bool | None = None
        for file in table_run.files:
            size = file.plan.file.bytes
            if (oid, size) not in known and sizes.count(size) == 1:
                continue
            file.sha256 = hash_of(file.plan.file)
            if loaded_before(ledger_conn, oid, file.sha256) is not None:
                if emptied is None:
                    # If the table was emptied since, its rows are wanted again.
                    emptied = is_empty(main, table_run.table.name)
                file.skipped = not (emptied and size)
            if file.sha256 in seen:
                file.skipped = True
            seen.add(file.sha256)
