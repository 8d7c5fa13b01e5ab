"""Explains the rejects of an earlier run by what the ledger keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from pgsluice.ledger.queries import files_read
from pgsluice.ledger.reports import read_notes
from pgsluice.model import RejectGroup
from pgsluice.options import restore_dialect
from pgsluice.pipeline.rejects.marks import Marker


def recall(conn: psycopg.Connection[Any], run_id: int, groups: Sequence[RejectGroup]) -> tuple[RejectGroup, ...]:
    """The groups of rejects with the conditions, the help and the marks that the run gave them.

    :param groups: the open rejects of the run. Runs of older versions have no conditions and no help.
    """
    notes = {(n.table, n.kind, n.column, n.constraint, n.sqlstate): n for n in read_notes(conn, run_id).groups}
    marker = recalled_marker(conn, run_id)
    found = []
    for group in groups:
        note = notes.get((group.table, group.kind, group.column, group.constraint, group.sqlstate))
        group = replace(group, first=group.first and marker.marked(group.first))
        found.append(replace(group, condition=note.condition, help=note.help) if note else group)
    return tuple(found)


def recalled_marker(conn: psycopg.Connection[Any], run_id: int) -> Marker:
    """Finds the marks of the rejects of a run as the run itself did."""
    files = {
        (table, path): (columns, restore_dialect(dialect)) for table, path, columns, dialect in files_read(conn, run_id)
    }
    constraints = {(n.table, n.constraint): n.columns for n in read_notes(conn, run_id).groups if n.constraint}
    return Marker(files, constraints)
