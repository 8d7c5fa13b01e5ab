"""TODO pgsluice.pipeline.plan.strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import psycopg

from pgsluice.model import (
    Mode,
    Strategy,
    Table,
    TableName,
    TablePlan,
)
from pgsluice.postgres.catalog import is_empty
from pgsluice.sql import query


def choose_ways(conn: psycopg.Connection, chosen: dict[TableName, Table]) -> dict[TableName, tuple[Strategy, str]]:
    """The way of every table, with the reason in words.

    A table that goes through a stage keeps its foreign keys, and these keep up the keys that they point at.
    """
    ways = {name: choose_way(conn, table, chosen) for name, table in chosen.items()}
    held = [(fk.references, name) for name, table in chosen.items() for fk in table.foreign_keys]
    changed = True
    while changed:
        changed = False
        for parent, child in held:
            if (
                parent in ways
                and parent != child
                and ways[parent][0] is Strategy.IN_PLACE
                and ways[child][0] is Strategy.STAGE
            ):
                ways[parent] = Strategy.STAGE, f"{child} references it and cannot be taken apart"
                changed = True
    return ways


def choose_way(conn: psycopg.Connection, table: Table, chosen: dict[TableName, Table]) -> tuple[Strategy, str]:
    """In place when the table is empty and nothing stands against taking its keys down; else a stage."""
    if table.obstacles:
        return Strategy.STAGE, table.obstacles[0].text
    loose = [c for c in table.constraints if not c.validated]
    if loose:
        return Strategy.STAGE, f"constraint {loose[0].name} is NOT VALID"
    # To take the table's keys down, foreign keys that point at them must come down too; those of
    # tables outside the load would have to be validated again over rows that are none of our business.
    outside = [c for c in table.referenced_by if c.table not in chosen]
    if outside:
        return Strategy.STAGE, f"{outside[0].table} outside of this load references it ({outside[0].name})"
    if not is_empty(conn, table.name):
        return Strategy.STAGE, "it holds rows"
    return Strategy.IN_PLACE, "it is empty"


WORTHWHILE = 16 << 20
"""Bytes of files from which a swap pays: below, touching the rows that differ is as quick, and locks nobody."""


def with_swaps(
    conn: psycopg.Connection, plans: Sequence[TablePlan], unfit: Mapping[TableName, str]
) -> tuple[TablePlan, ...]:
    """The plans, those of them turned to :attr:`Strategy.SWAP` that can be; the others say why they cannot.

    :param unfit: tables for which an attempt failed, and why.
    """
    replaced = {p.table.name: p for p in plans if p.mode is Mode.REPLACE and p.delete_missing}
    if not replaced:
        return tuple(plans)
    against = _obstacles(conn, list(replaced.values()), unfit)
    neighbours = _neighbours(plans)
    by_name = {p.table.name: p for p in plans}
    fit = set(replaced) - against.keys()
    shrinking = True
    while shrinking:
        shrinking = False
        for name in sorted(fit):
            other = next((n for n in sorted(neighbours[name]) if n not in fit and not _stays(by_name[n], name)), None)
            if other is not None:
                because = against.get(other, f"it is not replaced ({by_name[other].mode}, {by_name[other].way})")
                against[name] = f"a foreign key joins it to {other}: {because}"
                fit.discard(name)
                shrinking = True
    sizes = {n: sum(f.file.bytes for f in by_name[n].files) for n in replaced}
    worth = any(
        sum(sizes[n] for n in cluster) >= WORTHWHILE and not all(is_empty(conn, n) for n in cluster)
        for cluster in _clusters(fit, neighbours)
    )
    # A reader whose snapshot is older than the swap sees new tables as they are, and in the others the old rows.
    # So of the tables that are replaced all are swapped, or none.
    stands = next((n for n in sorted(replaced) if n in against), None)
    for n in sorted(fit):
        if not worth:
            against[n] = f"its files are small (below {WORTHWHILE >> 20} MB)"
        elif stands is not None:
            against[n] = f"{stands} cannot be swapped, and readers are to see all tables new or all old"
        else:
            by_name[n] = replace(by_name[n], way=Strategy.SWAP, why=_why(is_empty(conn, n)))
    for name, reason in against.items():
        if by_name[name].way is Strategy.STAGE:
            by_name[name] = replace(by_name[name], why=f"{by_name[name].why}; no {Strategy.SWAP}: {reason}")
    return tuple(by_name[p.table.name] for p in plans)


def _why(empty: bool) -> str:
    return "tables it has foreign keys with are replaced as well" if empty else "it holds rows; nothing would be lost"


def _obstacles(
    conn: psycopg.Connection, plans: Sequence[TablePlan], unfit: Mapping[TableName, str]
) -> dict[TableName, str]:
    """The first thing that stands against each table."""
    oids = [p.table.oid for p in plans]
    rows = conn.execute(query("swap", "obstacles"), {"oids": oids}).fetchall()
    found: dict[TableName, str] = {}
    for p in plans:
        lacking = _lacking(p)
        reasons = [
            *([unfit[p.table.name]] if p.table.name in unfit else []),
            *(obstacle.text for obstacle in p.table.obstacles),
            *(words for oid, _, words in rows if oid == p.table.oid),
            *([f"the files lack {lacking}, which keeps its values"] if lacking else []),
        ]
        if reasons:
            found[p.table.name] = reasons[0]
    return found


def _lacking(plan: TablePlan) -> str:
    """A column that the files do not bring; rows that are matched keep its value, which a new table has not."""
    brought = next((f.brought for f in plan.files if f.columns), ())
    return next((c.name for c in plan.table.columns if not c.generated and c.name not in brought), "")


def _neighbours(plans: Sequence[TablePlan]) -> dict[TableName, set[TableName]]:
    """Tables of the run that a foreign key joins."""
    near: dict[TableName, set[TableName]] = {p.table.name: set() for p in plans}
    for p in plans:
        for fk in p.table.foreign_keys:
            if fk.references in near and fk.references is not None and fk.references != p.table.name:
                near[p.table.name].add(fk.references)
                near[fk.references].add(p.table.name)
    return near


def _stays(parent: TablePlan, child: TableName) -> bool:
    """Whether a table of the run that is not swapped can have a child that is: it only ever grows."""
    keeps = parent.mode in (Mode.APPEND, Mode.INSERT_MISSING) and parent.way is Strategy.STAGE
    return keeps and all(fk.references != child for fk in parent.table.foreign_keys)


def _clusters(names: set[TableName], neighbours: Mapping[TableName, set[TableName]]) -> list[set[TableName]]:
    """Tables that can only be swapped together."""
    left, clusters = set(names), []
    while left:
        todo, cluster = [left.pop()], set[TableName]()
        while todo:
            name = todo.pop()
            cluster.add(name)
            near = neighbours[name] & left
            left -= near
            todo += near
        clusters.append(cluster)
    return clusters
