"""Modes: what becomes of the rows that a table holds already.

All modes share the stage, the judge and the one transaction; they differ in the statements by which rows
leave the stage, and in whose keys count as taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.errors import MappingError
from pgsluice.load.state import TableLoad
from pgsluice.load.statistics import without
from pgsluice.model import FilePlan, Index, Mode, Modes, Table
from pgsluice.sql import query


def matching(table: Table, files: Sequence[FilePlan], modes: Modes) -> tuple[Mode, tuple[str, ...], bool]:
    """Mode of a table, the key columns by which rows are matched, and whether missing rows go.

    :raises MappingError: no key, or one that the files do not bring; or nothing at all to replace the rows.
    """
    mode = modes.of(table.name)
    if mode is Mode.APPEND:
        return mode, (), False
    delete = mode is Mode.REPLACE or (mode is Mode.UPSERT and modes.delete_missing)
    if modes.replay and mode is Mode.REPLACE:
        # The run that is replayed has deleted what was missing, and kept the old rows of rejected records.
        if not _own_key(table) and not any(table.name.called(name) for name, _ in modes.keys):
            return Mode.APPEND, (), False
        mode = Mode.UPSERT
    delete = delete and not modes.replay
    named = next((key for name, key in modes.keys if table.name.called(name)), None)
    key = _named_key(table, named) if named is not None else _own_key(table)
    columns = next((f.brought for f in files if f.columns), ())
    if delete and not columns:
        raise MappingError(
            f"{files[0].file.path} is empty and has no header; {mode} would delete every row of {table.name}",
            "Write the header into the file if that is meant",
        )
    if not key:
        if mode is Mode.REPLACE:
            return mode, (), True
        raise MappingError(
            f"{table.name} has no primary key, so {mode} cannot match its rows",
            f"Name a unique constraint of it with --key {table.name}=NAME",
        )
    lacking = [c for c in key if columns and c not in columns]
    if lacking:
        raise MappingError(
            f"{mode} matches the rows of {table.name} by {', '.join(key)}, and the files have no {', '.join(lacking)}",
            f"Add the column, or name another key with --key {table.name}=NAME",
        )
    return mode, key, delete


def restore(stored: Mapping[str, Any], *, replay: bool = False) -> Modes:
    """The modes of a run as the ledger's JSON has them."""
    return Modes(
        Mode(stored.get("run", Mode.APPEND)),
        tuple((name, Mode(mode)) for name, mode in stored.get("tables", ())),
        tuple((name, key) for name, key in stored.get("keys", ())),
        # What was missing went with the run; its replay brings rows and takes none.
        delete_missing=not replay and stored.get("delete_missing", False),
        replay=replay,
    )


def _usable(table: Table, index: Index) -> tuple[str, ...]:
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
    return frozenset(i.name for i in table.indexes if key and set(_usable(table, i)) == set(key))


def _own_key(table: Table) -> tuple[str, ...]:
    return next((_usable(table, i) for i in table.indexes if i.primary), ())


def _named_key(table: Table, named: str) -> tuple[str, ...]:
    wanted = tuple(part.strip() for part in named.split(","))
    for index in table.indexes:
        columns = _usable(table, index)
        if columns and (index.name == named or sorted(columns) == sorted(wanted)):
            return columns
    raise MappingError(
        f"--key {named!r} is no unique key of {table.name}",
        "Name a unique constraint or its columns; none with a condition, an expression or NULLS NOT DISTINCT",
    )


# --------------------------------------------------------------------------- statements


def columns_of(state: TableLoad, alias: str | None = None) -> sql.Composed:
    """The loaded columns, quoted, in the order of the table's first file."""
    return sql.SQL(", ").join(sql.Identifier(alias, c.name) if alias else sql.Identifier(c.name) for c in state.columns)


def key_equal(state: TableLoad, left: str, right: str) -> sql.Composed:
    """``left.key = right.key``, all columns of the key."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, c), sql.Identifier(right, c)) for c in state.key
    )


def have_twins(conn: psycopg.Connection, state: TableLoad) -> bool:
    """Whether two staged rows have one key. Of a key that the table holds, no constraint would ever say so."""
    names = key_indexes(state.plan.table, state.key)
    sorts = not any(i.collated for i in state.plan.table.indexes if i.name in names)
    # In half of the time that hashing takes, as for the judge's duplicates; files are often in order anyway.
    with without(conn, "enable_hashagg") if sorts else nullcontext():
        return conn.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE ({}) IS NOT NULL GROUP BY {} HAVING count(*) > 1)").format(
                state.stage, _key_of(state), _key_of(state)
            )
        ).fetchone() == (True,)


def note_twins(conn: psycopg.Connection, state: TableLoad) -> None:
    """Makes ``state.twins``: the ordinals of staged rows whose key another one has, and that of the first."""
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(state.twins))
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE {twins} ON COMMIT DROP AS SELECT ord, first FROM"
            " (SELECT {ord} AS ord, min({ord}) OVER k AS first, count(*) OVER k AS n FROM {stage}"
            " WHERE ({key}) IS NOT NULL WINDOW k AS (PARTITION BY {key})) AS x WHERE n > 1"
        ).format(twins=state.twins, ord=sql.Identifier(state.ordinal), stage=state.stage, key=_key_of(state))
    )


def _key_of(state: TableLoad) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, state.key))


def _values(state: TableLoad) -> list[str]:
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
    state: TableLoad, only: sql.Composable, changed: sql.Composable | None = None
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


def may_rewrite(conn: psycopg.Connection, state: TableLoad) -> bool:
    """Whether a row may as well be deleted and inserted anew as updated: the table has another unique key in which
    values may have changed hands, and nobody notices the difference, neither a trigger nor a foreign key that would
    delete or change rows.
    """
    table = state.plan.table
    unique = [i for i in table.indexes if i.unique and i.name not in key_indexes(table, state.key)]
    acts = any(ACTS.search(fk.definition) for fk in table.referenced_by)
    return bool(state.key and unique) and not acts and not somebody_notices(conn, state)


def somebody_notices(conn: psycopg.Connection, state: TableLoad) -> bool:
    """Whether the table has a trigger or a rule, of whatever event."""
    return conn.execute(query("modes", "somebody_notices"), {"oid": state.plan.table.oid}).fetchone() == (True,)


def somebody_computes(conn: psycopg.Connection, oids: Sequence[int]) -> bool:
    """Whether a function of somebody's, which may do and look for anything, takes part when rows of these tables are
    written.
    """
    return conn.execute(query("modes", "somebody_computes"), {"oids": list(oids)}).fetchone() == (True,)


def rewrite_statement(state: TableLoad) -> sql.Composed | None:
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


def insert_statement(state: TableLoad, only: sql.Composable, absent: sql.Composable | None = None) -> sql.Composed:
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


def _lacked(state: TableLoad) -> sql.Composable:
    """The table lacks the key of the staged row ``s``; in append, where rows have no key, nothing."""
    if not state.key:
        return sql.SQL("")
    return sql.SQL(" AND NOT EXISTS (SELECT FROM {} AS t WHERE {})").format(state.target, key_equal(state, "t", "s"))


def sort_out(conn: psycopg.Connection, state: TableLoad) -> tuple[sql.Composable | None, sql.Composable | None]:
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


def drop_known(conn: psycopg.Connection, state: TableLoad) -> None:
    """Of a table whose rows stay as they are: staged rows with the key of one have no further to go."""
    statement = sql.SQL("DELETE FROM {} AS s USING {} AS t WHERE {}").format(
        state.stage, state.target, key_equal(state, "t", "s")
    )
    known = conn.execute(statement).rowcount
    state.staged -= known
    state.landed += known
