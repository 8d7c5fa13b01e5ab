"""Files whose content is in their table already are known by their hash, and skipped."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from pgsluice.ledger.runs import loaded_before, sizes_loaded
from pgsluice.model import Mode
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.catalog import is_empty
from pgsluice.source.streams import hash_of


def skip_loaded(main: psycopg.Connection, book: psycopg.Connection, states: Sequence[TableRun]) -> None:
    """Marks files that a published run loaded into the same table, and copies of a file within the run.

    Only appending the same content twice doubles it; the other modes are meant to be run again. A file is
    hashed ahead of its load only if another of its size is known.
    """
    known = sizes_loaded(book, [s.plan.table.oid for s in states])
    for state in (s for s in states if s.plan.mode is Mode.APPEND):
        oid = state.plan.table.oid
        sizes = [f.plan.file.bytes for f in state.files]
        seen: set[str] = set()
        emptied: bool | None = None
        for file in state.files:
            size = file.plan.file.bytes
            if (oid, size) not in known and sizes.count(size) == 1:
                continue
            file.sha256 = hash_of(file.plan.file.path)
            file.loaded_by = loaded_before(book, oid, file.sha256)
            if file.loaded_by is not None:
                if emptied is None:
                    # Whoever emptied the table since wants its rows again.
                    emptied = is_empty(main, state.plan.table.name)
                file.skipped = not (emptied and size)
            if file.sha256 in seen:
                file.skipped = True
            seen.add(file.sha256)
