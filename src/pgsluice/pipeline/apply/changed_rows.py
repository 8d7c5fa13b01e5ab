"""Changed rows: for incremental derived tables, the rows that a staged table loses and gets are kept beside it.

The statements that write whole stages, and those that delete missing rows, return the rows. Whatever else changes a
table (rows that are inserted one by one, triggers, actions of foreign keys) is not followed. PostgreSQL counts these
changes as well, and the derived table is then computed as a whole (:mod:`pgsluice.postgres.derived.incremental.stamp`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from pgsluice.ledger.quality import made_last
from pgsluice.model import Definition, Strategy
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.table_properties import has_triggers_or_rules
from pgsluice.sql import compose, query


def follow_changes(conn: psycopg.Connection, todo: Sequence[TableRun], definitions: Sequence[Definition]) -> None:
    """Makes the scratch tables of changed rows, for tables that incremental derived tables read."""
    incremental = [d for d in definitions if d.incremental_by]
    if not incremental:
        return
    from pgsluice.postgres.derived.incremental.touched import ChangedRows

    made = made_last(conn)
    stamps = [made[d.name].stamp for d in incremental if d.name in made]
    read = {int(oid) for stamp in stamps if stamp is not None for oid in stamp["tables"]}
    for table_run in todo:
        table = table_run.table
        if table_run.strategy is not Strategy.STAGE or table.oid not in read or has_triggers_or_rules(conn, table.oid):
            continue
        row = conn.execute(query("apply", "followed"), {"oid": table.oid}).fetchone()
        assert row is not None
        may_read, rows = row
        if not may_read:
            continue
        number = table_run.number
        followed = ChangedRows(
            sql.Identifier("pg_temp", f"pgsluice_old_rows_{number}"),
            sql.Identifier("pg_temp", f"pgsluice_new_rows_{number}"),
            rows // 2,
        )
        for relation in (followed.old, followed.new):
            conn.execute(compose("apply", "create_changed_rows", rows=relation, table=table_run.relation))
        table_run.followed = followed


@contextmanager
def count_undone(conn: psycopg.Connection, group: Sequence[TableRun]) -> Iterator[list[TableRun]]:
    """Counts what a statement of the block writes and a rollback undoes.

    Yields a list, to which the block adds the tables of the group after the rollback.
    """
    before = {t.number: _count_written(conn, t) for t in group if t.followed is not None}
    undone: list[TableRun] = []
    yield undone
    for table_run in undone:
        if table_run.followed is not None:
            written, ended = _count_written(conn, table_run)
            table_run.followed.undone_new += written - before[table_run.number][0]
            table_run.followed.undone_old += ended - before[table_run.number][1]


def _count_written(conn: psycopg.Connection, table_run: TableRun) -> tuple[int, int]:
    row = conn.execute(query("apply", "count_written"), {"oid": table_run.table.oid}).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def follows(conn: psycopg.Connection, table_run: TableRun, rows: sql.Composable) -> bool:
    """Whether it pays to keep the rows that staged rows change: not if they are most rows of the table.

    :param rows: the relation of these staged rows.
    """
    if table_run.followed is None:
        return False
    if table_run.counts.staged <= table_run.followed.most:
        return True
    row = conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(rows)).fetchone()
    assert row is not None
    return int(row[0]) <= table_run.followed.most


def keep_old(table_run: TableRun, rows: sql.Composable, match: sql.Composable, differs: sql.Composable) -> sql.Composed:
    """The statement that keeps the rows which an UPDATE will change, as they are.

    :param rows: the relation of the staged rows ``s`` that change rows ``t`` of the table.
    """
    assert table_run.followed is not None
    return compose(
        "apply",
        "keep_old",
        old=table_run.followed.old,
        table=table_run.relation,
        rows=rows,
        match=match,
        differs=differs,
    )


def keep_new(table_run: TableRun, statement: sql.Composed, returning: str) -> sql.Composed:
    """An INSERT or UPDATE that also keeps the rows which it writes.

    :param returning: what RETURNING has to return for the columns of the table.
    """
    assert table_run.followed is not None
    return _kept(statement, returning, table_run.followed.new)


def keep_deleted(table_run: TableRun, deletion: sql.Composed) -> sql.Composed:
    """A DELETE of rows ``t`` that also keeps these rows, if they are followed."""
    if table_run.followed is None:
        return deletion
    return _kept(deletion, "t.*", table_run.followed.old)


def _kept(statement: sql.Composed, returning: str, rows: sql.Identifier) -> sql.Composed:
    return compose("apply", "keep_rows", statement=statement, returning=sql.SQL(returning), rows=rows)
