"""Stamps: the state of the tables that a derived table reads, by which the next run knows whether it knows all changes.

PostgreSQL counts the row versions that each table's sessions write and end (``pg_stat_user_tables``). A stamp holds
these counters as they are when the derived table is up to date. If at the next run each counter has grown by the rows
that the run has followed, and by nothing else, then nobody else has changed the tables, no trigger, no foreign key's
action and no other program. A counter that was reset, by a crash for example, does not fit either.

Sessions add to the counters when they become idle, at the latest ten seconds after their commit. So the change of
another program in the last seconds before a run may show itself at the run after it only; that run computes everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import psycopg

from pgsluice.postgres.derived.incremental.touched import ChangedRows
from pgsluice.postgres.derived.incremental.tree import ComputeAll, Tree
from pgsluice.sql import compose, query

Stamp = Mapping[str, Any]
"""What the ledger keeps, as JSON: the md5 of the query's tree, settings, and for each table by its oid its file, the
row versions written and the row versions ended."""

Counters = dict[int, tuple[int, int, int, int]]
"""For each table by its oid: its file, the row versions written and ended, and about how many rows it has."""


def read_counters(conn: psycopg.Connection[Any], oids: Collection[int]) -> Counters:
    """Reads the counters of tables, with the changes of this session."""
    conn.execute(query("incremental", "fresh_counters"))
    rows = conn.execute(query("incremental", "counters"), {"oids": list(oids)}).fetchall()
    return {oid: (file, written, ended, about) for oid, file, written, ended, about in rows}


def make_stamp(conn: psycopg.Connection[Any], tree: Tree, own: int) -> Stamp | None:
    """Makes the stamp of a derived table that is up to date; None if PostgreSQL does not count.

    :param own: the oid of the derived table.
    """
    settings, counting = _settings(conn)
    if counting != "on":
        return None
    counters = read_counters(conn, {own, *(r.oid for r in tree.relations)})
    conn.execute(query("incremental", "flush"))
    tables = {str(oid): list(state[:3]) for oid, state in counters.items()}
    return {"query": tree.md5, "settings": settings, "own": own, "tables": tables}


def changed_since(
    conn: psycopg.Connection[Any], stamp: Stamp, tree: Tree, own: int, followed: Mapping[int, ChangedRows]
) -> dict[int, ChangedRows]:
    """The tables that have changed since a stamp was made, all of whose changes are known.

    :param own: the oid of the derived table, which nobody may have changed.
    :param followed: the rows that the run has changed, by the oid of their table.
    :raises ComputeAll: something else has changed.
    """
    settings, counting = _settings(conn)
    if counting != "on":
        raise ComputeAll("PostgreSQL does not count changes (track_counts is off)")
    if (stamp["query"], stamp["own"]) != (tree.md5, own):
        raise ComputeAll("the tables of the query have been created or altered")
    if stamp["settings"] != settings:
        raise ComputeAll("settings such as TimeZone differ from those of the last run")
    names = {r.oid: r.name for r in tree.relations} | {own: "the derived table"}
    counters = read_counters(conn, names)
    changed = {}
    for oid, name in names.items():
        file, written, ended, about = counters[oid]
        old_file, old_written, old_ended = stamp["tables"].get(str(oid), (0, 0, 0))
        new, old = (written - old_written, ended - old_ended)
        rows = followed.get(oid)
        if (file, new, old) == (old_file, 0, 0):
            continue
        if rows is None or file != old_file or (new, old) != _count(conn, rows):
            raise ComputeAll(f"{name} has changed otherwise than by rows that the run has followed")
        if 2 * max(new, old) > about:
            raise ComputeAll(f"most rows of {name} have changed")
        changed[oid] = rows
    return changed


def _settings(conn: psycopg.Connection[Any]) -> tuple[str, str]:
    row = conn.execute(query("incremental", "settings")).fetchone()
    assert row is not None
    return row[0], row[1]


def _count(conn: psycopg.Connection[Any], rows: ChangedRows) -> tuple[int, int]:
    """How many row versions a run has written and ended."""
    row = conn.execute(compose("incremental", "count_changed", new=rows.new, old=rows.old)).fetchone()
    assert row is not None
    return int(row[0]) + rows.undone_new, int(row[1]) + rows.undone_old
