"""The strategy of each table: in place, through a stage, or by a shadow table that is swapped in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import psycopg

from pgsluice.model import Mode, Strategy, Table, TableName, TablePlan
from pgsluice.postgres.catalog import is_empty
from pgsluice.sql import query

SWAP_BYTES = 16 << 20
"""Bytes of files from which a swap pays. Below, changing the rows that differ is as quick and locks no reader out."""


def choose_strategies(
    conn: psycopg.Connection, chosen: dict[TableName, Table]
) -> dict[TableName, tuple[Strategy, str]]:
    """In place or stage for every table, with the reason in words.

    A table that goes through a stage keeps its foreign keys, and its parents must keep the keys that these reference.
    """
    strategies = {name: _choose(conn, table, chosen) for name, table in chosen.items()}
    references = [(fk.references, name) for name, table in chosen.items() for fk in table.foreign_keys]
    changed = True
    while changed:
        changed = False
        for parent, child in references:
            if parent is None or parent not in strategies or parent == child:
                continue
            if strategies[parent][0] is Strategy.IN_PLACE and strategies[child][0] is Strategy.STAGE:
                strategies[parent] = Strategy.STAGE, f"{child} references it and cannot be taken apart"
                changed = True
    return strategies


def _choose(conn: psycopg.Connection, table: Table, chosen: dict[TableName, Table]) -> tuple[Strategy, str]:
    """In place if the table is empty and nothing stands against dropping its keys; otherwise a stage."""
    if table.obstacles:
        return Strategy.STAGE, table.obstacles[0].text
    invalid = [c for c in table.constraints if not c.validated]
    if invalid:
        return Strategy.STAGE, f"constraint {invalid[0].name} is NOT VALID"
    # Dropping the table's keys requires dropping the foreign keys that reference them. Foreign keys of tables outside
    # of the load would have to be validated again over rows that do not concern the load.
    outside = [c for c in table.referenced_by if c.table not in chosen]
    if outside:
        return Strategy.STAGE, f"{outside[0].table} outside of this load references it ({outside[0].name})"
    if not is_empty(conn, table.name):
        return Strategy.STAGE, "it holds rows"
    return Strategy.IN_PLACE, "it is empty"


def choose_swaps(
    conn: psycopg.Connection, plans: Sequence[TablePlan], refused: Mapping[TableName, str]
) -> tuple[TablePlan, ...]:
    """The plans, with the strategy :attr:`Strategy.SWAP` where it is possible and pays; the others say why not.

    :param refused: tables for which an earlier attempt of the run could not swap, and why.
    """
    replaced = {p.table.name: p for p in plans if p.mode is Mode.REPLACE and p.delete_missing}
    if not replaced:
        return tuple(plans)
    against = _swap_obstacles(conn, list(replaced.values()), refused)
    neighbours = _neighbours(plans)
    by_name = {p.table.name: p for p in plans}
    fit = _exclude_neighbours(set(replaced) - against.keys(), against, neighbours, by_name)
    sizes = {n: sum(f.file.bytes for f in by_name[n].files) for n in replaced}
    pays = any(
        sum(sizes[n] for n in cluster) >= SWAP_BYTES and not all(is_empty(conn, n) for n in cluster)
        for cluster in _clusters(fit, neighbours)
    )
    # A reader with a snapshot older than the swap sees the new rows of swapped tables and the old rows of the others.
    # So either all tables that are replaced are swapped, or none.
    blocked = next((n for n in sorted(replaced) if n in against), None)
    for n in sorted(fit):
        if not pays:
            against[n] = f"its files are small (below {SWAP_BYTES >> 20} MB)"
        elif blocked is not None:
            against[n] = f"{blocked} cannot be swapped, and readers are to see all tables new or all old"
        else:
            by_name[n] = replace(by_name[n], way=Strategy.SWAP, why=_why(is_empty(conn, n)))
    for name, reason in against.items():
        if by_name[name].strategy is Strategy.STAGE:
            by_name[name] = replace(by_name[name], why=f"{by_name[name].why}; no {Strategy.SWAP}: {reason}")
    return tuple(by_name[p.table.name] for p in plans)


def _exclude_neighbours(
    fit: set[TableName],
    against: dict[TableName, str],
    neighbours: Mapping[TableName, set[TableName]],
    by_name: Mapping[TableName, TablePlan],
) -> set[TableName]:
    """The tables that can be swapped although foreign keys join them to others; the rest moves into ``against``."""
    fit = set(fit)
    shrinking = True
    while shrinking:
        shrinking = False
        for name in sorted(fit):
            other = next(
                (n for n in sorted(neighbours[name]) if n not in fit and not _only_grows(by_name[n], name)), None
            )
            if other is not None:
                because = against.get(other, f"it is not replaced ({by_name[other].mode}, {by_name[other].strategy})")
                against[name] = f"a foreign key joins it to {other}: {because}"
                fit.discard(name)
                shrinking = True
    return fit


def _why(empty: bool) -> str:
    return "tables it has foreign keys with are replaced as well" if empty else "it holds rows; nothing would be lost"


def _swap_obstacles(
    conn: psycopg.Connection, plans: Sequence[TablePlan], refused: Mapping[TableName, str]
) -> dict[TableName, str]:
    """The first reason against swapping each table."""
    oids = [p.table.oid for p in plans]
    rows = conn.execute(query("swap_obstacles", "obstacles"), {"oids": oids}).fetchall()
    found: dict[TableName, str] = {}
    for p in plans:
        lacking = _first_missing_column(p)
        reasons = [
            *([refused[p.table.name]] if p.table.name in refused else []),
            *(obstacle.text for obstacle in p.table.obstacles),
            *(words for oid, _, words in rows if oid == p.table.oid),
            *([f"the files lack {lacking}, which keeps its values"] if lacking else []),
            *(["columns are computed"] if p.computed else []),
        ]
        if reasons:
            found[p.table.name] = reasons[0]
    return found


def _first_missing_column(plan: TablePlan) -> str:
    """The first column that a file lacks, or ''. A merge keeps its old values; a new table would lose them."""
    brought = set(plan.brought) - set(plan.partial)
    return next((c.name for c in plan.table.loadable if c.name not in brought), "")


def _neighbours(plans: Sequence[TablePlan]) -> dict[TableName, set[TableName]]:
    """For each table the other tables of the run that a foreign key joins it to."""
    near: dict[TableName, set[TableName]] = {p.table.name: set() for p in plans}
    for p in plans:
        for fk in p.table.foreign_keys:
            if fk.references in near and fk.references is not None and fk.references != p.table.name:
                near[p.table.name].add(fk.references)
                near[fk.references].add(p.table.name)
    return near


def _only_grows(parent: TablePlan, child: TableName) -> bool:
    """Whether a table that is not swapped can have a child that is swapped: no row of it is changed or deleted."""
    keeps = parent.mode in (Mode.APPEND, Mode.INSERT_MISSING) and parent.strategy is Strategy.STAGE
    return keeps and all(fk.references != child for fk in parent.table.foreign_keys)


def _clusters(names: set[TableName], neighbours: Mapping[TableName, set[TableName]]) -> list[set[TableName]]:
    """Groups of tables that can only be swapped together."""
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
