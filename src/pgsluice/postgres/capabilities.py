"""TODO pgsluice.postgres.capabilities."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import psycopg

from pgsluice.model import Constraint, Index, Table, TableName
from pgsluice.pipeline.state import TableLoad
from pgsluice.sql import query


def only_insert_tells(table: Table) -> bool:
    """Whether a row's verdict depends on what happens only when it is inserted, before any constraint is asked:
    a trigger or rule, a policy, the choice of a partition, the computation of a generated column.
    """
    return (
        table.kind != "r"
        or any(o.startswith(("trigger", "rule", "row level security")) for o in table.obstacles)
        or any(c.generated for c in table.columns)
    )


def keys_of(state: TableLoad, names: Collection[TableName], *, inner: bool) -> list[Constraint]:
    """The table's foreign keys that point into its group, or out of it, in the order in which they are asked."""
    return [fk for fk in firing_order(state.plan.table) if (fk.references in names) == inner]


def trigger_order(table: Table) -> dict[str, int]:
    """Constraints that triggers enforce, by the order in which these fire: that of their names, as bytes."""
    fired = [c for c in table.constraints if c.kind == "f" or (c.kind in "pu" and c.deferrable)]
    return {c.name: i for i, c in enumerate(sorted(fired, key=lambda c: (c.trigger.encode(), c.oid)))}


def firing_order(table: Table) -> list[Constraint]:
    """The table's foreign keys in the order in which PostgreSQL asks them."""
    order = trigger_order(table)
    return sorted(table.foreign_keys, key=lambda c: order[c.name])


def unique_indexes(state: TableLoad) -> list[Index]:
    """The table's unique indexes in the order in which PostgreSQL asks them: by oid."""
    return sorted((i for i in state.plan.table.indexes if i.unique and i.valid), key=lambda i: i.oid)


def usable_key(table: Table, index: Index) -> tuple[str, ...]:
    """The index's columns, if it is one by which every row can be found; also one without a value, if NULLs are equal
    there, could only be found by comparing all with all.
    """
    columns = {c.name: c for c in table.columns}
    if not index.unique or index.predicate or not index.valid or not columns.keys() >= set(index.names):
        return ()
    if index.nulls_not_distinct and not all(columns[name].not_null for name in index.names):
        return ()
    return index.names


def key_indexes(table: Table, key: Sequence[str]) -> frozenset[str]:
    """Names of the unique indexes over just these columns."""
    return frozenset(i.name for i in table.indexes if key and set(usable_key(table, i)) == set(key))


def somebody_notices(conn: psycopg.Connection, state: TableLoad) -> bool:
    """Whether the table has a trigger or a rule, of whatever event."""
    return conn.execute(query("modes", "somebody_notices"), {"oid": state.plan.table.oid}).fetchone() == (True,)


def somebody_computes(conn: psycopg.Connection, oids: Sequence[int]) -> bool:
    """Whether a function of somebody's, which may do and look for anything, takes part when rows of these tables are
    written.
    """
    return conn.execute(query("modes", "somebody_computes"), {"oids": list(oids)}).fetchone() == (True,)
