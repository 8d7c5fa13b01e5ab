"""Rows that the files do not have: which they are, and how they go without taking others with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg
from psycopg import sql

from pgsluice.errors import DatabaseError
from pgsluice.model import Constraint, Strategy
from pgsluice.pipeline.apply.merge_sql import ACTS, key_equal
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.capabilities import has_triggers_or_rules, key_indexes
from pgsluice.postgres.sqlstate import is_row_error, primary_message
from pgsluice.text import pluralize

Referrer = tuple[TableRun, Constraint]
"""A table of the run and its foreign key that points at the table in question."""


def delete_missing(conn: psycopg.Connection, state: TableRun, referrers: Sequence[Referrer]) -> None:
    """Deletes the rows whose keys are not in the files; a table without a key is emptied.

    A row whose record was rejected stays: the files do have it. Rows that the run's own tables refer to stay
    until :func:`delete_late`: the rows that refer to them may yet turn to others.

    :raises DatabaseError: something outside of the load holds on to a row that is to go; or a record could
        not be read, so that nobody knows whose key it has.
    """
    if not state.key:
        if any(_exist(conn, _held(r, state.target)) for r in referrers):
            state.late_rows = -1
        else:
            _delete(conn, state, sql.SQL("true"))
        return
    unread = conn.execute(_unread(conn, state)).fetchone()
    if unread and unread[0]:
        raise DatabaseError(
            f"of {pluralize(unread[0], 'record')} for {state.name} the key cannot be read, so nobody knows which of"
            " its rows are missing",
            "Mend the files, or load without deleting (--mode upsert)",
        )
    parts: list[sql.Composable] = [sql.SQL("true")]
    if state.stage_made:
        parts.append(
            sql.SQL("NOT EXISTS (SELECT FROM {} AS s WHERE {})").format(state.stage, key_equal(state, "t", "s"))
        )
    if state.gone_made:
        same = sql.SQL(" AND ").join(sql.SQL("g.{c} = t.{c}::text").format(c=sql.Identifier(c)) for c in state.key)
        parts.append(sql.SQL("NOT EXISTS (SELECT FROM {} AS g WHERE {})").format(state.gone, same))
    missing = sql.SQL(" AND ").join(parts)
    if referrers:
        noted = dict.fromkeys((*state.key, *(c for _, fk in referrers for c in fk.referenced_columns)))
        held_rows = sql.SQL(" UNION ").join(
            sql.SQL("SELECT {} FROM {} AS t WHERE {} AND EXISTS ({})").format(
                sql.SQL(", ").join(sql.Identifier("t", c) for c in noted),
                state.target,
                missing,
                sql.SQL("SELECT FROM {} AS c WHERE {}").format(child.target, _refers(fk, "t")),
            )
            for child, fk in referrers
        )
        state.late_rows = conn.execute(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS {}").format(state.late, held_rows)
        ).rowcount
        if state.late_rows:
            missing = sql.SQL("{} AND NOT EXISTS (SELECT FROM {} AS l WHERE {})").format(
                missing, state.late, key_equal(state, "t", "l")
            )
    _delete(conn, state, missing)


def _unread(conn: psycopg.Connection, state: TableRun) -> sql.Composed:
    """How many records have a key that cannot be read, or lack one that must be there: whose row is theirs, nobody
    knows.
    """
    tab = sql.Literal(state.number)
    parts = [
        sql.SQL(
            "SELECT ord FROM pg_temp.pgsluice_reject WHERE tab = {} AND (kind = 'structure' OR kind = 'value'"
            " AND (col = '' OR col = ANY ({})))"
        ).format(tab, sql.Literal(list(state.key)))
    ]
    columns = [c for c in state.columns if c.name in state.key]
    ordinal = sql.Identifier(state.ordinal)
    if lacking := [sql.SQL("k.{} IS NULL").format(sql.Identifier(c.name)) for c in columns if c.not_null]:
        none = sql.SQL(" OR ").join(lacking)
        for made, relation in ((state.stage_made, state.stage), (state.gone_made, state.gone)):
            if made:
                parts.append(sql.SQL("SELECT {} FROM {} AS k WHERE {}").format(ordinal, relation, none))
    if state.gone_made and conn.info.server_version >= 160000:
        # Of a record with several faults the first is named.
        wrong = sql.SQL(" OR ").join(
            sql.SQL("NOT pg_input_is_valid(k.{}, {})").format(sql.Identifier(c.name), sql.Literal(c.type_sql))
            for c in columns
        )
        parts.append(sql.SQL("SELECT {} FROM {} AS k WHERE {}").format(ordinal, state.gone, wrong))
    return sql.SQL("SELECT count(*) FROM ({}) AS b").format(sql.SQL(" UNION ").join(parts))


def stands_in_the_way(conn: psycopg.Connection, state: TableRun, referrers: Sequence[Referrer]) -> bool:
    """Whether rows that are to go may not stay until the end: new rows may want their values in another
    unique key, or refer to them although they are as good as gone.
    """
    table = state.plan.table
    if not state.key or any(i.unique and i.name not in key_indexes(table, state.key) for i in table.indexes):
        return True
    if any(c.kind == "x" for c in table.constraints):
        return True
    return any(
        _exist(conn, _held(r, state.late, arriving=True))
        for r in referrers
        if r[0].stage_made or r[0].way is not Strategy.STAGE
    )


def refuse_actions(
    conn: psycopg.Connection, states: Sequence[TableRun], referrers: Callable[[TableRun], Sequence[Referrer]]
) -> None:
    """Before late rows go at once: nothing that the run's tables hold on to may go or change with them.

    :raises DatabaseError: a foreign key would delete or change rows that are to stay.
    """
    for state in states:
        for child, fk in referrers(state):
            if (action := ACTS.search(fk.definition)) is None:
                continue
            held = _held((child, fk), state.late if state.key else state.target)
            if child.key and child.late_rows > 0:
                held = sql.SQL("{} WHERE NOT EXISTS (SELECT FROM {} AS l WHERE {})").format(
                    held, child.late, key_equal(child, "c", "l")
                )
            if _exist(conn, held):
                raise DatabaseError(
                    f"{state.name} has rows that the files do not have and that must go before new ones come, and"
                    f" {child.name} still refers to some of them ({fk.name},{action[0]})",
                    "Load without deleting first (--mode upsert), so that these rows refer to others",
                )


def delete_late(conn: psycopg.Connection, state: TableRun, referrers: Sequence[Referrer]) -> None:
    """Deletes the rows that :func:`delete_missing` had to leave for later.

    :raises DatabaseError: rows that stay do still refer to them, whatever their foreign keys would do.
    """
    if state.key:
        for child, fk in referrers:
            # Rows of the table itself may go together with those that they refer to.
            if child is not state and _exist(conn, _held((child, fk), state.late)):
                raise DatabaseError(
                    f"{state.name} has rows that the files do not have and {child.name} still refers to ({fk.name})",
                    "Load the tables that refer to them in the same mode, or load without deleting (--mode upsert)",
                )
        late = sql.SQL("EXISTS (SELECT FROM {} AS l WHERE {})").format(state.late, key_equal(state, "t", "l"))
        _delete(conn, state, late)
    else:
        _delete(conn, state, sql.SQL("true"))
    state.late_rows = 0


def _refers(fk: Constraint, parent: str) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier("c", own), sql.Identifier(parent, there))
        for own, there in zip(fk.columns, fk.referenced_columns, strict=True)
    )


def _held(referrer: Referrer, parents: sql.Identifier, *, arriving: bool = False) -> sql.Composed:
    """Rows of the referring table, or of those that have yet to arrive there, that refer to ``parents``."""
    child, fk = referrer
    rows = child.stage if arriving and child.stage_made else child.target
    return sql.SQL("SELECT FROM {} AS c JOIN {} AS p ON {}").format(rows, parents, _refers(fk, "p"))


def _exist(conn: psycopg.Connection, rows: sql.Composed) -> bool:
    # Not EXISTS: the planner expects a row soon, takes a nested loop, and where there is none among three million
    # goes through all pairs.
    return conn.execute(sql.SQL("SELECT count(*) > 0 FROM ({}) AS x").format(rows)).fetchone() == (True,)


def _delete(conn: psycopg.Connection, state: TableRun, where: sql.Composable) -> None:
    try:
        with conn.transaction():
            state.deleted += conn.execute(sql.SQL("DELETE FROM {} AS t WHERE {}").format(state.target, where)).rowcount
            rows = sql.SQL("SELECT FROM {} AS t WHERE {}").format(state.target, where)
            if has_triggers_or_rules(conn, state.plan.table.oid) and _exist(conn, rows):
                raise DatabaseError(
                    f"{state.name} has rows that the files do not have, and a trigger or rule of the table keeps them",
                    "Load without deleting (--mode upsert), or disable the trigger",
                )
    except psycopg.errors.InsufficientPrivilege:
        raise
    except psycopg.Error as error:
        if not is_row_error(error):
            raise
        raise DatabaseError(
            f"{state.name} has rows that the files do not have and that cannot be deleted: {primary_message(error)}",
            "Load the tables that refer to them as well, or load without deleting (--mode upsert)",
        ) from error
