"""TODO pgsluice.pipeline.resume."""

from __future__ import annotations

import psycopg

from pgsluice.errors import CallError
from pgsluice.ledger.runs import mark_interrupted
from pgsluice.ledger.schema import exists
from pgsluice.model import LoadOptions
from pgsluice.options import restore_options
from pgsluice.sql import query


def reopen(book: psycopg.Connection, run_id: int) -> tuple[LoadOptions, list[str]]:
    """Sets an interrupted run running again.

    :returns: its options and paths.
    :raises CallError: there is nothing to resume.
    """
    row = None
    if exists(book):
        mark_interrupted(book)
        row = book.execute(query("checkpoint", "reopen"), {"run_id": run_id}).fetchone()
    if row is None:
        raise CallError(f"run {run_id} cannot be resumed", "pgsluice runs lists them; only an interrupted one can")
    stored = dict(row[0])
    return restore_options(stored), [str(path) for path in stored["paths"]]
