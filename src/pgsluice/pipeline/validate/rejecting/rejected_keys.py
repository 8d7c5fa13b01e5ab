"""Keys of rejected rows: stored, so that children rejected for lack of a parent can name the rejected parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from pgsluice.model import TableName
from pgsluice.pipeline.scratch import REJECT
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.planner_hints import execute_examined
from pgsluice.sql import compose


def key_texts(names: Sequence[str], alias: str) -> sql.Composable:
    """The watched columns of ``alias`` as text; NULL if no column is watched."""
    if not names:
        return sql.SQL("NULL")
    return sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(alias, n)) for n in names)


def store_keys(conn: psycopg.Connection, table_run: TableRun, rows: sql.Composable, most: int) -> None:
    """Stores the ordinals and watched columns that the query ``rows`` returns.

    :param most: an upper bound of the number of rejected rows.
    """
    scratch = table_run.scratch
    if not scratch.watched:
        return
    scratch.ensure_rejected_keys(conn)
    execute_examined(conn, sql.SQL("INSERT INTO {} {}").format(scratch.rejected_keys, rows), most)


def needs_ordinals(table_run: TableRun, others: Mapping[TableName, TableRun]) -> bool:
    """Whether the keys of rejected rows are stored, or a parent table of the run may have stored some."""
    return bool(table_run.scratch.watched) or any(fk.references in others for fk in table_run.table.foreign_keys)


def name_parents(
    conn: psycopg.Connection,
    table_run: TableRun,
    others: Mapping[TableName, TableRun],
    relation: sql.Composable,
    rejected: sql.Composable,
) -> None:
    """Gives rejected orphans whose parent was rejected in this run the kind ``parent`` and the parent's ordinal.

    :param relation: the relation that still holds the orphans.
    :param rejected: a query for their ``row_id`` and ``ordinal``.
    """
    brought = table_run.stage_decides
    for fk in table_run.table.foreign_keys:
        parent = others.get(fk.references) if fk.references else None
        if parent is None or not parent.scratch.rejected_keys_made:
            continue
        if not set(fk.referenced_columns) <= set(parent.scratch.watched) or not set(fk.columns) <= brought:
            continue
        # Without statistics the planner took ten thousand rows for a handful and spent nine seconds in nested loops.
        conn.execute(sql.SQL("ANALYZE {}, {}").format(REJECT, parent.scratch.rejected_keys))
        # Each reject may have a parent, and each rejected parent may have several rejected keys.
        row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(REJECT)).fetchone()
        assert row is not None
        execute_examined(
            conn,
            compose(
                "validate",
                "name_parents",
                parent_no=parent.table_no,
                rejected=rejected,
                relation=relation,
                parent_columns=sql.SQL(", ").join(map(sql.Identifier, fk.referenced_columns)),
                parent_ordinal=parent.ordinal,
                parent_keys=parent.scratch.rejected_keys,
                same=sql.SQL(" AND ").join(
                    sql.SQL("g.{} = r.{}::text").format(sql.Identifier(p), sql.Identifier(c))
                    for p, c in zip(fk.referenced_columns, fk.columns, strict=True)
                ),
                table_no=table_run.table_no,
                constraint=sql.Literal(fk.name),
            ),
            row[0],
        )
