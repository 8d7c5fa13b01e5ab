"""Properties of tables that decide how rows can be loaded and validated.

The functions that take a :class:`~pgsluice.model.Table` use the catalog as it was read. The functions that take a
connection query the catalog again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import psycopg

from pgsluice.model import Constraint, Index, ObstacleKind, Table, TableName
from pgsluice.sql import query


def only_insert_decides(table: Table) -> bool:
    """Whether only an INSERT can tell if PostgreSQL accepts a row; then queries cannot validate the rows.

    A row passes a trigger, a rule, a policy, the choice of a partition or a generated column before PostgreSQL checks
    the constraints. Where the triggers of a foreign key are disabled or altered, PostgreSQL does not check what the
    definition of the foreign key says.
    """
    return (
        table.kind != "r"
        or table.has_obstacle(
            ObstacleKind.TRIGGER, ObstacleKind.KEY_TRIGGER, ObstacleKind.RULE, ObstacleKind.ROW_SECURITY
        )
        or any(column.generated for column in table.columns)
    )


def may_swallow_rows(table: Table) -> bool:
    """Whether a trigger or a rule can keep a row out of the table although its INSERT succeeds."""
    return table.has_obstacle(ObstacleKind.TRIGGER, ObstacleKind.RULE)


def trigger_order(table: Table) -> dict[str, int]:
    """Returns the names of the constraints that triggers check, each with its position in the firing order.

    PostgreSQL fires triggers in the order of their names, compared as bytes.

    Source: PostgreSQL manual, "Overview of Trigger Behavior".
    """
    fired = [c for c in table.constraints if c.kind == "f" or (c.kind in "pu" and c.deferrable)]
    return {c.name: i for i, c in enumerate(sorted(fired, key=lambda c: (c.trigger.encode(), c.oid)))}


def firing_order(table: Table) -> list[Constraint]:
    """Returns the table's foreign keys in the order in which PostgreSQL checks them."""
    order = trigger_order(table)
    return sorted(table.foreign_keys, key=lambda c: order[c.name])


def foreign_keys_to(table: Table, group: Collection[TableName], *, inner: bool) -> list[Constraint]:
    """Returns the table's foreign keys that reference tables of a group, or all its other foreign keys.

    :param group: the names of the tables of the group.
    :param inner: True for foreign keys that reference tables of the group, False for the others.
    :returns: the foreign keys in firing order.
    """
    return [fk for fk in firing_order(table) if (fk.references in group) == inner]


def unique_indexes(table: Table) -> list[Index]:
    """Returns the table's valid unique indexes in the order in which PostgreSQL checks them: by oid.

    Source: ``RelationGetIndexList`` (relcache.c).
    """
    return sorted((i for i in table.indexes if i.unique and i.valid), key=lambda i: i.oid)


def merge_key_columns(table: Table, index: Index) -> tuple[str, ...]:
    """Returns the columns of the index if they can be a merge key, else ().

    Columns of partial and expression indexes cannot. Nullable columns of an index with NULLS NOT DISTINCT cannot
    either, because a comparison with ``=`` does not find a row whose key is NULL.
    """
    columns = {c.name: c for c in table.columns}
    if not index.unique or index.predicate or not index.valid or not columns.keys() >= set(index.names):
        return ()
    if index.nulls_not_distinct and not all(columns[name].not_null for name in index.names):
        return ()
    return index.names


def key_indexes(table: Table, key: Sequence[str]) -> frozenset[str]:
    """Returns the names of the unique indexes over exactly these columns."""
    return frozenset(i.name for i in table.indexes if key and set(merge_key_columns(table, i)) == set(key))


def has_triggers_or_rules(conn: psycopg.Connection, oid: int) -> bool:
    """Whether the table with this oid has an enabled trigger or rule, for any event."""
    return conn.execute(query("table_properties", "has_triggers_or_rules"), {"oid": oid}).fetchone() == (True,)


def may_run_functions(table: Table) -> bool:
    """Whether writing a row may run any function besides those of base types, as far as the definition tells."""
    return (
        bool(table.checks)
        or any(c.kind not in "be" or c.has_default or c.generated or c.base.startswith("_") for c in table.columns)
        or any(not {c.name for c in table.columns} >= set(i.names) or i.predicate for i in table.indexes)
    )


def runs_user_functions(conn: psycopg.Connection, oids: Sequence[int]) -> bool:
    """Whether writing rows of the tables with these oids runs functions or operators that are not PostgreSQL's own.

    A function of the user may read or write any table. Domains and composite types count as functions of the user,
    because the query does not examine their constraints.
    """
    return bool(tables_with_user_functions(conn, oids))


def tables_with_user_functions(conn: psycopg.Connection, oids: Sequence[int]) -> set[int]:
    """Returns the oids of the tables for which :func:`runs_user_functions` is true."""
    if not oids:
        return set()
    rows = conn.execute(query("table_properties", "runs_user_functions"), {"oids": list(oids)}).fetchall()
    return {oid for (oid,) in rows}
