"""How long a load will take and how much disk it needs: estimates, from earlier runs where there are any.

Seconds: of the newest published runs that loaded these tables and had a megabyte of files or more, the bytes of their
files for each second. Without such a run the stated seconds for each megabyte, as measured on two cores with PostgreSQL
on the same machine.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import psycopg

from pgsluice.ledger.queries import speeds
from pgsluice.ledger.schema import exists
from pgsluice.model import Estimate, Plan, Strategy, TablePlan
from pgsluice.postgres.asking import facts
from pgsluice.text import pluralize

_COPY, _INDEX, _FOREIGN_KEY = 0.03, 0.02, 0.012
"""Seconds for each megabyte: of the rows, of each index, of each foreign key."""

_STAGE = 1.6
"""How much longer rows take that go through a stage."""

_START = 0.5
"""Seconds that every load takes."""

_TABLE_SHARE, _INDEX_SHARE, _UNPACKED = 1.5, 0.4, 5.0
"""Bytes of a table and of each index for each byte of a file, and of a file for each compressed byte."""

_PACKED = (".gz", ".zst", ".bz2", ".xz", ".zip", ".lz4", ".parquet", ".xlsx")


def estimate(conn: psycopg.Connection[Any], plan: Plan) -> Estimate:
    """Returns about how long a load takes, and how much disk it needs on the server."""
    disk, total, seconds = 0.0, 0.0, _START
    for t in plan.tables:
        size = _unpacked(t)
        total += size
        disk += size * (_TABLE_SHARE + _INDEX_SHARE * len(t.table.indexes))
        once = _COPY + _INDEX * len(t.table.indexes) + _FOREIGN_KEY * len(t.table.foreign_keys)
        seconds += size / 1e6 * once * (_STAGE if t.strategy is Strategy.STAGE else 1)
    measured = _measured(conn, plan)
    basis = "no earlier run of these tables"
    if measured:
        rate = sum(size for size, _ in measured) / max(sum(spent for _, spent in measured), 0.001)
        packed = sum(f.file.bytes for t in plan.tables for f in t.files)
        seconds = _START + packed / rate
        basis = f"{pluralize(len(measured), 'earlier run')}, {rate / 1e6:.1f} MB/s"
    return Estimate(round(seconds, 1), int(disk), basis, free_disk(conn))


def _measured(conn: psycopg.Connection[Any], plan: Plan) -> list[tuple[int, float]]:
    """The speeds of earlier runs; none if the role may not read the ledger."""
    try:
        with conn.transaction():
            return speeds(conn, [t.table.oid for t in plan.tables]) if exists(conn) else []
    except psycopg.errors.InsufficientPrivilege:
        return []


def free_disk(conn: psycopg.Connection[Any]) -> int | None:
    """Returns the free bytes where the server keeps its data; None if they cannot be asked."""
    data = facts.data_directory(conn) if facts.on_this_machine(conn) else None
    if data is None or not Path(data).exists():
        return None
    return shutil.disk_usage(data).free


def _unpacked(t: TablePlan) -> float:
    return sum(f.file.bytes * (_UNPACKED if f.file.path.lower().endswith(_PACKED) else 1) for f in t.files)
