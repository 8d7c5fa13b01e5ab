"""Keys of rejected rows: kept, so that rows which are refused for want of a parent can name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from pgsluice.model import TableName
from pgsluice.pipeline.scratch import REJECT, WHY
from pgsluice.pipeline.state import TableRun


def texts(names: Sequence[str], alias: str) -> sql.Composable:
    """The watched columns of ``alias`` as texts, as they are kept; NULL where none is watched."""
    if not names:
        return sql.SQL("NULL")
    return sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(alias, n)) for n in names)


def remember(conn: psycopg.Connection, state: TableRun, query: sql.Composable) -> None:
    """Keeps ordinal and watched keys of rejected rows, so that their children can name them."""
    if not state.keys_watched:
        return
    make_gone(conn, state)
    conn.execute(sql.SQL("INSERT INTO {} {}").format(state.gone, query))


def asks_for_ordinals(state: TableRun, others: Mapping[TableName, TableRun]) -> bool:
    """Whether rejected rows of the table are remembered, or may have parents that are."""
    return bool(state.keys_watched) or any(fk.references in others for fk in state.plan.table.foreign_keys)


def make_gone(conn: psycopg.Connection, state: TableRun) -> None:
    """Makes the table that keeps the watched keys of rejected rows, if it is not there."""
    if state.gone_made:
        return
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(c)) for c in state.keys_watched)
    conn.execute(
        sql.SQL("CREATE TEMP TABLE {} ({} bigint, {}) ON COMMIT DROP").format(
            state.gone, sql.Identifier(state.ordinal), columns
        )
    )
    state.gone_made = True


def name_parents(
    conn: psycopg.Connection,
    state: TableRun,
    others: Mapping[TableName, TableRun],
    relation: sql.Composable,
    refused: sql.Composable,
) -> None:
    """Orphans whose parent was read and rejected in this run say so: kind ``parent``.

    :param relation: where the orphans still stand.
    :param refused: a query for their (rid, ord).
    """
    for fk in state.plan.table.foreign_keys:
        parent = others.get(fk.references) if fk.references else None
        if parent is None or not parent.gone_made or not set(fk.referenced_columns) <= set(parent.keys_watched):
            continue
        if not set(fk.columns) <= {c.name for c in state.columns}:
            continue
        same = sql.SQL(" AND ").join(
            sql.SQL("g.{} = r.{}::text").format(sql.Identifier(p), sql.Identifier(c))
            for p, c in zip(fk.referenced_columns, fk.columns, strict=True)
        )
        names = sql.SQL(", ").join(map(sql.Identifier, fk.referenced_columns))
        # Without statistics the planner took some ten thousand rows for a handful, and nine seconds in nested loops.
        conn.execute(sql.SQL("ANALYZE {}, {}").format(REJECT, parent.gone))
        conn.execute(
            sql.SQL(
                "UPDATE {reject} AS q SET kind = 'parent', parent_tab = {parent}, parent_ord = g.ord"
                " FROM ({refused}) AS o JOIN {relation} AS r ON r.ctid = o.rid"
                " JOIN (SELECT {names}, min({ord}) AS ord FROM {gone} GROUP BY {names}) AS g ON {same}"
                " WHERE q.tab = {tab} AND q.ord = o.ord AND (q.kind = 'foreign_key' AND q.con = {con} OR q.kind = ''"
                " AND q.why IN (SELECT w.why FROM {why} AS w WHERE w.kind = 'foreign_key' AND w.con = {con}))"
            ).format(
                reject=REJECT,
                why=WHY,
                parent=sql.Literal(parent.number),
                refused=refused,
                relation=relation,
                names=names,
                ord=sql.Identifier(parent.ordinal),
                gone=parent.gone,
                same=same,
                tab=sql.Literal(state.number),
                con=sql.Literal(fk.name),
            )
        )
