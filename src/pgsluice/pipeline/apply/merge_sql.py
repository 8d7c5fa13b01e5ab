"""Modes: what becomes of the rows that a table holds already.

All modes share the stage, the judge and the one transaction; they differ in the statements by which rows
leave the stage, and in whose keys count as taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext

import psycopg
from psycopg import sql

from pgsluice.model import Mode
from pgsluice.pipeline.state import TableRun, columns_of
from pgsluice.postgres.capabilities import has_triggers_or_rules, key_indexes
from pgsluice.postgres.planner_hints import planner_setting_off


def key_equal(state: TableRun, left: str, right: str) -> sql.Composed:
    """``left.key = right.key``, all columns of the key."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, c), sql.Identifier(right, c)) for c in state.key
    )


def have_twins(conn: psycopg.Connection, state: TableRun) -> bool:
    """Whether two staged rows have one key. Of a key that the table holds, no constraint would ever say so."""
    names = key_indexes(state.plan.table, state.key)
    sorts = not any(i.collated for i in state.plan.table.indexes if i.name in names)
    # In half of the time that hashing takes, as for the judge's duplicates; files are often in order anyway.
    with planner_setting_off(conn, "enable_hashagg") if sorts else nullcontext():
        return conn.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE ({}) IS NOT NULL GROUP BY {} HAVING count(*) > 1)").format(
                state.stage, _key_of(state), _key_of(state)
            )
        ).fetchone() == (True,)


def note_twins(conn: psycopg.Connection, state: TableRun) -> None:
    """Makes ``state.twins``: the ordinals of staged rows whose key another one has, and that of the first."""
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(state.twins))
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE {twins} ON COMMIT DROP AS SELECT ord, first FROM"
            " (SELECT {ord} AS ord, min({ord}) OVER k AS first, count(*) OVER k AS n FROM {stage}"
            " WHERE ({key}) IS NOT NULL WINDOW k AS (PARTITION BY {key})) AS x WHERE n > 1"
        ).format(twins=state.twins, ord=sql.Identifier(state.ordinal), stage=state.stage, key=_key_of(state))
    )


def _key_of(state: TableRun) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, state.key))


def _values(state: TableRun) -> list[str]:
    """The columns by which an update may change a row; none where rows stay as they are."""
    if state.plan.mode is Mode.INSERT_MISSING or not state.key:
        return []
    return [c.name for c in state.columns if c.name not in state.key]


def _differs(values: Sequence[str]) -> sql.Composed:
    """The row ``t`` of the table differs from the staged row ``s``.

    ``*<>`` compares the values' binary images: 1.5 and 1.50, or two spellings that a collation takes for
    equal, are a change, and types without an equality of their own (json, point) can be compared.
    """
    old, new = (sql.SQL(", ").join(sql.Identifier(alias, c) for c in values) for alias in "ts")
    return sql.SQL("ROW({})::record *<> ROW({})::record").format(old, new)


def update_statement(
    state: TableRun, only: sql.Composable, changed: sql.Composable | None = None
) -> sql.Composed | None:
    """Updates the rows whose values differ; None when the files bring nothing but the key.

    :param changed: a relation with the staged rows that may change one; by default, all of them.
    """
    if not (values := _values(state)):
        return None
    return sql.SQL("UPDATE {target} AS t SET {sets} FROM {rows} AS s WHERE {match} AND {differs}{only}").format(
        target=state.target,
        sets=sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(c), sql.Identifier("s", c)) for c in values),
        rows=changed or state.stage,
        match=key_equal(state, "t", "s"),
        differs=_differs(values),
        only=only,
    )


ACTS = re.compile(r" ON DELETE (CASCADE|SET NULL|SET DEFAULT)")
"""A foreign key by which rows go or change with the row that they refer to."""


def may_rewrite(conn: psycopg.Connection, state: TableRun) -> bool:
    """Whether a row may as well be deleted and inserted anew as updated: the table has another unique key in which
    values may have changed hands, and nobody notices the difference, neither a trigger nor a foreign key that would
    delete or change rows.
    """
    table = state.plan.table
    unique = [i for i in table.indexes if i.unique and i.name not in key_indexes(table, state.key)]
    acts = any(ACTS.search(fk.definition) for fk in table.referenced_by)
    return bool(state.key and unique) and not acts and not has_triggers_or_rules(conn, state.plan.table.oid)


def rewrite_statement(state: TableRun) -> sql.Composed | None:
    """As :func:`update_statement`, but all old rows go before the first new one comes: then two of them may exchange
    values of a unique key, which an UPDATE refuses as soon as one row has the value that another is yet to give up.
    """
    if not (values := _values(state)):
        return None
    brought = {c.name for c in state.columns}
    columns = [c.name for c in state.plan.table.columns]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL(
        "WITH gone AS (DELETE FROM {target} AS t USING {stage} AS s WHERE {match} AND {differs}"
        " RETURNING {kept}, s.{ord} AS {ord})"
        " INSERT INTO {target} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM gone ORDER BY {ord}"
    ).format(
        target=state.target,
        stage=state.stage,
        match=key_equal(state, "t", "s"),
        differs=_differs(values),
        kept=sql.SQL(", ").join(sql.Identifier("s" if c in brought else "t", c) for c in columns),
        names=names,
        ord=sql.Identifier(state.ordinal),
    )


def insert_statement(state: TableRun, only: sql.Composable, absent: sql.Composable | None = None) -> sql.Composed:
    """Inserts the staged rows, in file order; in every mode but append those whose key the table lacks.

    Values of identity columns are kept as the file has them.

    :param absent: a relation with just those rows of the stage.
    """
    lacked = sql.SQL("") if absent is not None else _lacked(state)
    return sql.SQL(
        "INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {stage} AS s"
        " WHERE true{lacked}{only} ORDER BY {ord}"
    ).format(
        target=state.target,
        columns=columns_of(state),
        values=columns_of(state, "s"),
        stage=absent or state.stage,
        lacked=lacked,
        only=only,
        ord=sql.Identifier("s", state.ordinal),
    )


def _lacked(state: TableRun) -> sql.Composable:
    """The table lacks the key of the staged row ``s``; in append, where rows have no key, nothing."""
    if not state.key:
        return sql.SQL("")
    return sql.SQL(" AND NOT EXISTS (SELECT FROM {} AS t WHERE {})").format(state.target, key_equal(state, "t", "s"))


def sort_out(conn: psycopg.Connection, state: TableRun) -> tuple[sql.Composable | None, sql.Composable | None]:
    """Matches the staged rows with the table's, once.

    :returns: relations with the rows that change one of the table and with those whose key the table lacks; None where
        there are none. In append, where rows have no key, all are of the latter sort.
    """
    if not state.key:
        return None, state.stage
    values = _values(state)
    lacked = sql.SQL("({} IS NULL)").format(sql.Identifier("t", state.key[0]))
    conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_changed, pg_temp.pgsluice_absent, pg_temp.pgsluice_sorted")
    count = conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE pgsluice_sorted ON COMMIT DROP AS SELECT s.ctid AS rid, {lacked} AS lacked"
            " FROM {stage} AS s LEFT JOIN {target} AS t ON {match} WHERE {lacked}{differs}"
        ).format(
            lacked=lacked,
            stage=state.stage,
            target=state.target,
            match=key_equal(state, "t", "s"),
            differs=sql.SQL(" OR {}").format(_differs(values)) if values else sql.SQL(""),
        )
    ).rowcount
    if not count:
        return None, None
    conn.execute("ANALYZE pg_temp.pgsluice_sorted")
    found: list[sql.Composable | None] = []
    for name, which in (("pgsluice_changed", "NOT o.lacked"), ("pgsluice_absent", "o.lacked")):
        rows = sql.Identifier("pg_temp", name)
        made = conn.execute(
            sql.SQL(
                "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT s.* FROM pg_temp.pgsluice_sorted AS o"
                " JOIN {} AS s ON s.ctid = o.rid WHERE {}"
            ).format(sql.Identifier(name), state.stage, sql.SQL(which))
        ).rowcount
        found.append(rows if made else None)
    return found[0], found[1]


def drop_known(conn: psycopg.Connection, state: TableRun) -> None:
    """Of a table whose rows stay as they are: staged rows with the key of one have no further to go."""
    statement = sql.SQL("DELETE FROM {} AS s USING {} AS t WHERE {}").format(
        state.stage, state.target, key_equal(state, "t", "s")
    )
    known = conn.execute(statement).rowcount
    state.staged -= known
    state.landed += known
