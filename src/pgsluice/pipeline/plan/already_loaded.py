"""Already loaded: files whose content a published run has loaded into the same table are recognized by hash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import psycopg

from pgsluice.ledger.runs import loaded_before, sizes_loaded
from pgsluice.model import Mode
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.postgres.catalog import is_empty
from pgsluice.source.streams import hash_of


def skip_loaded(main: psycopg.Connection, ledger_conn: psycopg.Connection, table_runs: Sequence[TableRun]) -> None:
    """Marks files as skipped that a published run loaded into the same table, and copies of a file within the run.

    Only the mode append would double the rows of such a file; the other modes may run again. A file is hashed before
    its load only if another file of its size is known.

    :raises FileError: a file cannot be read, or has changed since it was planned.
    """
    known = sizes_loaded(ledger_conn, [t.table.oid for t in table_runs])
    hashed: list[tuple[TableRun, FileRun]] = []
    for table_run in (t for t in table_runs if t.plan.mode is Mode.APPEND):
        sizes = Counter(f.plan.file.bytes for f in table_run.files)
        for file in table_run.files:
            size = file.plan.file.bytes
            if (table_run.table.oid, size) in known or sizes[size] > 1:
                file.sha256 = hash_of(file.plan.file)
                hashed.append((table_run, file))
    contents = [(t.table.oid, f.sha256) for t, f in hashed]
    loaded = loaded_before(ledger_conn, contents) if contents else set()
    seen: set[tuple[int, str]] = set()
    emptied: dict[int, bool] = {}
    for (table_run, file), content in zip(hashed, contents, strict=True):
        if content in loaded:
            if table_run.number not in emptied:
                # If the table was emptied since, its rows are wanted again.
                emptied[table_run.number] = is_empty(main, table_run.table.name)
            file.skipped = not (emptied[table_run.number] and file.plan.file.bytes)
        if content in seen:
            file.skipped = True
        seen.add(content)
