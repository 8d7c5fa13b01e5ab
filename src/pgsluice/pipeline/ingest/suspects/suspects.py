"""Suspects: rows that may break a constraint of their table.

A suspect is held in the stage of its table, while the other rows go into the table by a frozen COPY. When all rows are
there and the keys of the table are built, PostgreSQL judges the suspects (:mod:`pgsluice.pipeline.apply.in_place`). So
this module decides no row. If it takes too many rows for suspects, they are judged without need. If it overlooks a row,
a constraint cannot be built, and the table is judged as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg

from pgsluice.model import Column, Index
from pgsluice.pipeline.ingest.suspects.checks import NotUnderstood, broken_by
from pgsluice.pipeline.ingest.suspects.keys import SeenKeys, can_number, numbers
from pgsluice.pipeline.ingest.suspects.parents import ParentKeys
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.table_properties import unique_indexes
from pgsluice.source.typed.type_rules import INTEGERS

if TYPE_CHECKING:
    import pyarrow as pa

_BYTES_A_ROW = 16
"""Rows of a file have at least about this length; the number of rows is not known before they are read."""

_TRIAL = 50_000
MOST = 0.2
"""The share of suspects among the first rows of a table above which holding does not pay."""


class Suspects:
    """Finds the suspects of one table, block by block, from the first row on."""

    def __init__(self, conn: psycopg.Connection, table_run: TableRun) -> None:
        """Reads the keys of the parent tables, which have all their rows."""
        table = table_run.table
        columns = {c.name: c for c in table_run.columns}
        bases = _bases(table_run)
        self._checks = []
        for check in (c for c in table.checks if c.enforced):
            with suppress(NotUnderstood):
                self._checks.append(broken_by(check, bases))
        rows = sum(f.plan.file.bytes for f in table_run.files if not f.skipped) // _BYTES_A_ROW
        self._keys = [(i.names, SeenKeys(rows)) for i in unique_indexes(table) if _is_followed(i, columns)]
        self._parents: list[tuple[str, ParentKeys]] = []
        for fk in table.foreign_keys:
            known = len(fk.columns) == 1 and fk.enforced and fk.references != table.name
            if known and bases.get(fk.columns[0]) in INTEGERS and (keys := ParentKeys.read(conn, fk)) is not None:
                self._parents.append((fk.columns[0], keys))
        self._rows = self._held = 0

    @property
    def too_many(self) -> bool:
        """Whether so many of the first rows are suspects that all rows had better be judged in the table."""
        return self._rows <= _TRIAL and self._held > MOST * self._rows

    def held(self, rows: int) -> None:
        """Counts rows that are held because of a value that is not certain."""
        self._rows += rows
        self._held += rows

    def find(self, names: Sequence[str], rows: pa.RecordBatch) -> Any:
        """Which rows are suspects, as a numpy array of booleans; None if no row is.

        :param names: the columns of ``rows``.
        :param rows: rows whose values are certain, in the order of the files.
        """
        import numpy as np
        import pyarrow as pa

        columns = dict(zip(names, rows.columns, strict=True))
        found = np.zeros(rows.num_rows, bool)
        for broken in list(self._checks):
            try:
                found |= broken(columns)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError):
                self._checks.remove(broken)
        for column, parents in self._parents:
            if column in columns:
                found |= parents.lacking(columns[column])
        # All rows count, suspects too: a later row with the key of a suspect is a suspect.
        for key, seen in self._keys:
            if all(name in columns for name in key):
                number, there = numbers([columns[name] for name in key])
                found[there] |= seen.add(number[there])
        count = int(found.sum())
        self._rows += rows.num_rows
        self._held += count
        return found if count else None


def understands(table_run: TableRun, check: str) -> bool:
    """Whether rows that break the CHECK of this name are found."""
    try:
        for constraint in table_run.table.checks:
            if constraint.name == check:
                broken_by(constraint, _bases(table_run))
    except NotUnderstood:
        return False
    return True


def _bases(table_run: TableRun) -> dict[str, str]:
    """The base types of the columns, by name; not those of domains and enums, which have rules of their own."""
    return {c.name: c.base for c in table_run.columns if c.kind == "b"}


def _is_followed(index: Index, columns: dict[str, Column]) -> bool:
    """Whether the keys of a unique index can be followed: columns of the files, of types whose bytes tell equality."""
    return (
        index.plain
        and not index.predicate
        and all(n in columns and columns[n].kind == "b" and can_number(columns[n].base) for n in index.names)
    )
