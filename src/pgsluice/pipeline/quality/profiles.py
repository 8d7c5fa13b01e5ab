"""Profiles of the tables that a run has changed, from one scan and from PostgreSQL's statistics.

A load collects statistics anyway. They give the number of distinct values, the most frequent values and a histogram of
a sample (manual, "pg_stats"). One scan counts rows and NULLs and finds bounds and means of numbers and dates. A table
of which the run changed less than a tenth is not scanned, because that could take longer than the load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.model import Column, ColumnProfile
from pgsluice.pipeline.state import TableRun
from pgsluice.sql import compose, query

_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})
_ORDERED = _NUMBERS | {"date", "timestamp", "timestamptz", "time"}
"""Types whose bounds cost little to find. Texts are compared by collations, which is slow."""

_FREQUENT = 10
"""How many of the most frequent values are kept where bounds of the other values give a histogram."""

_VALUES = 100
"""How many are kept where there are no bounds, because the frequent values are all values of the column."""

_PARTS = 20
"""How many parts of a histogram are kept."""

_COLUMNS_PER_SCAN = 400
"""How many columns one scan looks at: a select list has at most 1,664 entries (MaxTupleAttributeNumber in
htup_details.h), and a column has four."""

_SHARE = 0.1
"""The share of a table that a run has to change for the table to be scanned."""


def profile_tables(conn: psycopg.Connection[Any], table_runs: Sequence[TableRun]) -> tuple[ColumnProfile, ...]:
    """The profiles of all columns of the tables, as they will be published."""
    return tuple(profile for table_run in table_runs for profile in _profile(conn, table_run))


def _profile(conn: psycopg.Connection[Any], table_run: TableRun) -> list[ColumnProfile]:
    columns = table_run.table.columns
    rows, exact = _size(conn, table_run)
    scanned = _scan(conn, table_run, columns) if exact else {}
    statistics = _statistics(conn, table_run)
    profiles = []
    for column in columns:
        found = statistics.get(column.name)
        if exact:
            rows, filled, low, high, mean = scanned[column.name]
            nulls = rows - filled
        else:
            nulls = round(rows * found[0]) if found else 0
            low = high = mean = None
        bounds = (found[4] or ()) if found else ()
        if low is None and bounds:
            low, high = bounds[0], bounds[-1]
        profiles.append(
            ColumnProfile(
                table=table_run.table.name,
                number=column.number,
                column=column.name,
                type=column.type_sql,
                rows=rows,
                nulls=nulls,
                exact=exact,
                distinct=_distinct(found[1], rows) if found else None,
                minimum=low,
                maximum=high,
                mean=mean,
                frequent=tuple(zip(found[2] or (), found[3] or (), strict=False))[: _FREQUENT if bounds else _VALUES]
                if found
                else (),
                bounds=_thinned(bounds),
            )
        )
    return profiles


def _size(conn: psycopg.Connection[Any], table_run: TableRun) -> tuple[int, bool]:
    """How many rows the table has, and whether it is to be scanned."""
    relation = table_run.destination.as_string(conn)
    row = conn.execute(query("profile", "size"), {"relation": relation}).fetchone()
    assert row is not None
    rows, counts = int(row[0]), table_run.counts
    changed = max(counts.landed, counts.inserted + counts.updated + counts.deleted)
    return max(rows, counts.landed), changed >= _SHARE * rows


def _scan(
    conn: psycopg.Connection[Any], table_run: TableRun, columns: Sequence[Column]
) -> dict[str, tuple[int, int, str | None, str | None, float | None]]:
    """For each column: rows, values that are not NULL, bounds and mean."""
    found = {}
    for first in range(0, len(columns), _COLUMNS_PER_SCAN):
        part = columns[first : first + _COLUMNS_PER_SCAN]
        try:
            with conn.transaction():
                total, *values = _scan_part(conn, table_run, part, means=True)
        except psycopg.DataError:
            # The sum of large numbers, or a numeric, may be wider than double precision.
            total, *values = _scan_part(conn, table_run, part, means=False)
        for i, column in enumerate(part):
            filled, low, high, mean = values[4 * i : 4 * i + 4]
            found[column.name] = (int(total), int(filled), low, high, mean)
    return found


def _scan_part(
    conn: psycopg.Connection[Any], table_run: TableRun, columns: Sequence[Column], *, means: bool
) -> tuple[Any, ...]:
    parts = [part for column in columns for part in _aggregates(column, means=means)]
    statement = compose(
        "profile",
        "counts",
        columns=sql.SQL("").join(sql.SQL(", {}").format(part) for part in parts),
        relation=table_run.destination,
    )
    row = conn.execute(statement).fetchone()
    assert row is not None
    return tuple(row)


def _aggregates(column: Column, *, means: bool) -> tuple[sql.Composable, ...]:
    name = sql.Identifier(column.name)
    nothing: sql.Composable = sql.SQL("NULL")
    low = high = mean = nothing
    plain = column.base_schema == "pg_catalog"
    if plain and column.base in _ORDERED:
        low = sql.SQL("pg_catalog.min({})::text").format(name)
        high = sql.SQL("pg_catalog.max({})::text").format(name)
    if means and plain and column.base in _NUMBERS:
        mean = sql.SQL("pg_catalog.avg({}::double precision)").format(name)
    elif means and plain and column.base == "bool":
        mean = sql.SQL("pg_catalog.avg({}::integer)::double precision").format(name)
    return sql.SQL("pg_catalog.count({})").format(name), low, high, mean


def _statistics(conn: psycopg.Connection[Any], table_run: TableRun) -> dict[str, tuple[Any, ...]]:
    """PostgreSQL's statistics of each column, as far as there are any."""
    name = table_run.table.name
    shadow = f"pgsluice_new_{table_run.table.oid}" if table_run.shadow_oid else name.name
    rows = conn.execute(query("profile", "statistics"), {"schema": name.schema, "name": shadow}).fetchall()
    return {column: tuple(rest) for column, *rest in rows}


def _distinct(estimate: float, rows: int) -> float:
    """The number of distinct values; PostgreSQL writes a share of the rows as a negative number."""
    return estimate if estimate >= 0 else -estimate * rows


def _thinned(bounds: Sequence[str]) -> tuple[str, ...]:
    """Some of the bounds, the first and the last among them."""
    if len(bounds) <= _PARTS + 1:
        return tuple(bounds)
    return tuple(bounds[round(i * (len(bounds) - 1) / _PARTS)] for i in range(_PARTS + 1))
