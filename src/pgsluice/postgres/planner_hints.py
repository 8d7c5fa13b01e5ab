"""What the planner works with: the statistics of a table and the settings ``enable_...``.

The planner computes the number of rows of a table from ``reltuples / relpages`` and the present size (plancat.c). An
ANALYZE or a VACUUM of another session counts committed rows only. So it may make PostgreSQL believe that a table is
tiny, while the table holds a hundred thousand rows of this transaction. For EXISTS the planner expects a row soon, and
for the rows of a WITH query it has no statistics. A nested loop that is planned from such numbers compares every row
with every row, and takes minutes instead of a tenth of a second.

A nested loop is harmless if its inner side is a lookup with a value of the outer row: its time grows with the number of
rows, whatever the statistics say. Three rules keep the other nested loops out:

- Staged rows are joined with a table of the user that is small enough to be scanned (:func:`scan_is_cheap`) with nested
  loops off (:func:`execute_without_loops`).
- In a larger table each staged row looks its match up, in a subquery that ends with :data:`FENCE`. The planner neither
  makes a join of such a subquery nor executes it before the outer row is there. Within the subquery the planner prefers
  an index as soon as the table has more than a few pages, because it knows the number of pages exactly.
- Of joins between scratch tables, and of joins that must stay joins, the plan is examined first
  (:func:`execute_examined`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, Table, TableName
from pgsluice.postgres.sqlstate import is_row_error
from pgsluice.sql import query

FENCE = sql.SQL(" OFFSET 0")
"""The end of a subquery that is executed once for each outer row, with an index lookup where an index exists."""

NO_FENCE = sql.SQL("")

_FEW = 1_000
"""Rows of scratch tables that may be compared with each other: a million comparisons take a tenth of a second."""

_WIDE = 50
"""Columns of a table up to which :func:`analyze_filled` has the same statistics for all columns."""

_SMALLER = 3
"""How much smaller the sample is for columns of wide tables that are in no key."""

_LOOKUPS = ("Index Cond", "Recheck Cond", "TID Cond")
"""Properties of the plan nodes that look rows up, in the JSON format of EXPLAIN."""


def analyze(conn: psycopg.Connection, relation: sql.Composable, columns: Sequence[str] = ()) -> None:
    """Runs ANALYZE on a relation, or on some of its columns. A value that ANALYZE cannot process is no error.

    ANALYZE computes the width of range values as float8. For a numrange up to 1e400 it raises an out-of-range error
    (``numrange_subdiff``, rangetypes.c) and takes no statistics of the whole table, although INSERT accepts the value.
    The table then keeps the statistics that it had.
    """
    which = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, columns))) if columns else sql.SQL("")
    try:
        with conn.transaction():
            conn.execute(sql.SQL("ANALYZE {} {}").format(relation, which))
    except psycopg.Error as error:
        if not is_row_error(error):
            raise


def analyze_filled(conn: psycopg.Connection, relation: sql.Composable, table: Table) -> None:
    """Runs ANALYZE on a table that a load has filled, or on the table that takes its place.

    With two hundred columns ANALYZE takes longer than the COPY. Autovacuum analyzes the table again in any case, within
    a minute by default, because it counts the rows at the commit. Until then the columns of keys and indexes of a wide
    table have statistics of full size, and its other columns those of a third of the sample. Where autovacuum is off,
    and where a column has a statistics target of its own, that holds.

    :param table: the table as the catalog describes it.
    """
    if len(table.columns) > _WIDE:
        row = conn.execute(query("table_properties", "will_be_analyzed"), {"oid": table.oid}).fetchone()
        if row is not None and row[0]:
            conn.execute(query("table_properties", "lower_statistics_target"), {"divisor": _SMALLER})
            analyze(conn, relation)
            conn.execute("SET LOCAL default_statistics_target TO DEFAULT")
            keys = {n for index in table.indexes for n in index.names} | {
                n for c in table.foreign_keys for n in c.columns
            }
            if columns := [c.name for c in table.columns if c.name in keys]:
                analyze(conn, relation, columns)
            return
    analyze(conn, relation)


@contextmanager
def planner_setting_off(conn: psycopg.Connection, setting: str) -> Iterator[None]:
    """Turns a planner setting off for the statements of the block.

    If a statement of the block fails, nothing is reset here: the rollback to the savepoint around the block resets the
    setting.

    :param setting: for example ``enable_hashagg``.
    """
    conn.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(setting)))
    yield
    conn.execute(sql.SQL("SET LOCAL {} TO DEFAULT").format(sql.Identifier(setting)))


def analyze_if_free(conn: psycopg.Connection, relation: sql.Composable) -> bool:
    """Runs :func:`analyze` if no other session has to be waited for; returns whether ANALYZE ran.

    ANALYZE takes SHARE UPDATE EXCLUSIVE. VACUUM, CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY hold this lock
    while they wait for the older locks of this transaction. If ANALYZE waited for them, that would be a deadlock.
    """
    try:
        with conn.transaction():
            conn.execute(sql.SQL("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT").format(relation))
    except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
        return False
    except psycopg.errors.WrongObjectType:
        # A foreign table cannot be locked, and has no indexes to build.
        pass
    analyze(conn, relation)
    return True


def scan_is_cheap(conn: psycopg.Connection, rows: int, table: TableName) -> bool:
    """Whether a scan of a table takes no longer than an index lookup for each of some rows.

    A page has about a hundred rows, which a hash join reads in the time of one or two lookups. The size is that of the
    table's files, with its partitions. So it counts rows of this transaction, whatever the statistics say.

    :param rows: the number of rows.
    """
    parameters = {"schema": table.schema, "name": table.name}
    row = conn.execute(query("table_properties", "pages"), parameters).fetchone()
    assert row is not None
    return int(row[0]) <= rows


def fence(conn: psycopg.Connection, rows: int, table: TableName) -> sql.SQL:
    """Returns :data:`NO_FENCE` if a scan of the table is cheap, else :data:`FENCE`: each row looks its match up."""
    return NO_FENCE if scan_is_cheap(conn, rows, table) else FENCE


@contextmanager
def loops_off_if_scanned(conn: psycopg.Connection, rows: int, fk: Constraint) -> Iterator[None]:
    """Turns nested loops off while a foreign key is added, if a scan of its parent table is cheap.

    PostgreSQL checks the rows with a join that the planner plans like others (``RI_Initial_Check``, ri_triggers.c).

    :param rows: the number of rows of the child table.
    """
    parent = fk.references
    scans = parent is not None and scan_is_cheap(conn, rows, parent)
    with planner_setting_off(conn, "enable_nestloop") if scans else nullcontext():
        yield


def execute_without_loops(conn: psycopg.Connection, statement: sql.Composed) -> psycopg.Cursor[Any]:
    """Executes a statement with nested loops off, in one round trip.

    The setting also holds for the queries of triggers that the statement fires, so the statement must not fire any. If
    the statement fails, the rollback to the savepoint around it resets the setting.

    :returns: the cursor with the result of the statement.
    """
    cursor = conn.execute(
        sql.SQL("SET LOCAL enable_nestloop = off; {}; SET LOCAL enable_nestloop TO DEFAULT").format(
            _without_semicolon(conn, statement)
        )
    )
    cursor.nextset()
    return cursor


def execute_examined(conn: psycopg.Connection, statement: sql.Composed, rows: int | None = None) -> psycopg.Cursor[Any]:
    """Executes a statement, with nested loops off if its plan has a quadratic nested loop.

    Only this session changes the statistics of scratch tables, so their plans are the same for EXPLAIN and for the
    statement.

    :param rows: an upper bound of the rows that a scratch table contributes; None: it is not known.
    :returns: the cursor with the result of the statement.
    """
    explain = sql.SQL("EXPLAIN (FORMAT JSON) {}").format(_without_semicolon(conn, statement))
    row = conn.execute(explain).fetchone()
    assert row is not None
    # A utility statement, or a statement that a rule replaces by NOTHING, has no plan.
    plans = [part["Plan"] for part in row[0] if isinstance(part, dict) and "Plan" in part]
    if any(has_quadratic_loop(plan, rows) for plan in plans):
        return execute_without_loops(conn, statement)
    return conn.execute(statement)


def has_quadratic_loop(plan: Mapping[str, Any], rows: int | None) -> bool:
    """Whether a plan has a nested loop whose inner side is no lookup, so that it is read again for each outer row.

    :param plan: a node of ``EXPLAIN (FORMAT JSON)``.
    :param rows: an upper bound of the rows of a scratch table, or None. Few rows of scratch tables may be compared.
    """
    if plan["Node Type"] == "Nested Loop":
        inner = next(child for child in plan["Plans"] if child["Parent Relationship"] == "Inner")
        small = rows is not None and rows <= _FEW and all(_is_scratch(node) for node in _nodes(plan))
        if not (small or any(map(_bounds, _nodes(inner))) or _reads_nothing(inner)):
            return True
    return any(has_quadratic_loop(child, rows) for child in plan.get("Plans", ()))


def _bounds(node: Mapping[str, Any]) -> bool:
    """Whether a node bounds what is read for an outer row. A LATERAL subquery with LIMIT admits no other join."""
    return node["Node Type"] == "Limit" or any(name in node for name in _LOOKUPS)


def _reads_nothing(plan: Mapping[str, Any]) -> bool:
    """Whether a subplan only computes values from those of the outer row."""
    return all(node["Node Type"] == "Result" for node in _nodes(plan) if not node.get("Plans"))


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _is_scratch(node: Mapping[str, Any]) -> bool:
    return str(node.get("Relation Name", "pgsluice_")).startswith("pgsluice_")


def _without_semicolon(conn: psycopg.Connection, statement: sql.Composed) -> sql.SQL:
    return sql.SQL(statement.as_string(conn).rstrip().removesuffix(";"))
