"""Modes: what becomes of the rows that a table holds already.

All modes share the stage, the judge and the one transaction; they differ in the statements by which rows
leave the stage, and in whose keys count as taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.errors import DatabaseError, MappingError
from pgsluice.load.state import TableLoad
from pgsluice.model import Constraint, FilePlan, Index, Mode, Modes, Table, Way
from pgsluice.sql import query
from pgsluice.target.verdict import about_rows, primary
from pgsluice.words import counted


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
    columns = next((f.columns for f in files if f.columns), ())
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
    quoted = {sql.Identifier(c.name).as_string(): c.name for c in table.columns}
    bare = {c.name: c.name for c in table.columns}
    columns = [quoted.get(k) or bare.get(k) for k in index.keys]
    if not index.unique or index.predicate or not index.valid or not all(columns):
        return ()
    if index.nulls_not_distinct and not all(table.column(c).not_null for c in columns if c):
        return ()
    return tuple(c for c in columns if c)


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


def update_statement(state: TableLoad, only: sql.Composable) -> sql.Composed | None:
    """Updates the rows whose values differ; None when the files bring nothing but the key.

    ``*<>`` compares the values' binary images: 1.5 and 1.50, or two spellings that a collation takes for
    equal, are a change, and types without an equality of their own (json, point) can be compared.
    """
    values = [c for c in state.columns if c.name not in state.key]
    if state.plan.mode is Mode.INSERT_MISSING or not values or not state.key:
        return None

    def row(alias: str) -> sql.Composed:
        return sql.SQL("ROW({})::record").format(sql.SQL(", ").join(sql.Identifier(alias, c.name) for c in values))

    return sql.SQL("UPDATE {target} AS t SET {sets} FROM {stage} AS s WHERE {match} AND {old} *<> {new}{only}").format(
        target=state.target,
        sets=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(c.name), sql.Identifier("s", c.name)) for c in values
        ),
        stage=state.stage,
        match=key_equal(state, "t", "s"),
        old=row("t"),
        new=row("s"),
        only=only,
    )


_ACTS = re.compile(r" ON DELETE (CASCADE|SET NULL|SET DEFAULT)")
"""A foreign key by which rows go or change with the row that they refer to."""


def may_rewrite(conn: psycopg.Connection, state: TableLoad) -> bool:
    """Whether a row may as well be deleted and inserted anew as updated: the table has another unique key in which
    values may have changed hands, and nobody notices the difference, neither a trigger nor a foreign key that would
    delete or change rows.
    """
    table = state.plan.table
    unique = [i for i in table.indexes if i.unique and i.name not in key_indexes(table, state.key)]
    acts = any(_ACTS.search(fk.definition) for fk in table.referenced_by)
    return bool(state.key and unique) and not acts and not _somebody_notices(conn, state)


def _somebody_notices(conn: psycopg.Connection, state: TableLoad) -> bool:
    """Whether the table has a trigger or a rule, of whatever event."""
    return conn.execute(query("modes", "somebody_notices"), {"oid": state.plan.table.oid}).fetchone() == (True,)


def rewrite_statement(state: TableLoad) -> sql.Composed | None:
    """As :func:`update_statement`, but all old rows go before the first new one comes: then two of them may exchange
    values of a unique key, which an UPDATE refuses as soon as one row has the value that another is yet to give up.
    """
    update = update_statement(state, sql.SQL(""))
    if update is None:
        return None
    brought = {c.name for c in state.columns}
    columns = [c.name for c in state.plan.table.columns]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    values = [c for c in columns if c in brought and c not in state.key]
    row = [sql.SQL(", ").join(sql.Identifier(alias, c) for c in values) for alias in "ts"]
    return sql.SQL(
        "WITH gone AS (DELETE FROM {target} AS t USING {stage} AS s WHERE {match}"
        " AND ROW({old})::record *<> ROW({new})::record RETURNING {kept}, s.{ord} AS {ord})"
        " INSERT INTO {target} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM gone ORDER BY {ord}"
    ).format(
        target=state.target,
        stage=state.stage,
        match=key_equal(state, "t", "s"),
        old=row[0],
        new=row[1],
        kept=sql.SQL(", ").join(sql.Identifier("s" if c in brought else "t", c) for c in columns),
        names=names,
        ord=sql.Identifier(state.ordinal),
    )


def insert_statement(state: TableLoad, only: sql.Composable) -> sql.Composed:
    """Inserts the staged rows, in file order; in every mode but append those whose key the table lacks.

    Values of identity columns are kept as the file has them.
    """
    absent: sql.Composable = sql.SQL("")
    if state.key:
        absent = sql.SQL(" AND NOT EXISTS (SELECT FROM {} AS t WHERE {})").format(
            state.target, key_equal(state, "t", "s")
        )
    return sql.SQL(
        "INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {stage} AS s"
        " WHERE true{absent}{only} ORDER BY {ord}"
    ).format(
        target=state.target,
        columns=columns_of(state),
        values=columns_of(state, "s"),
        stage=state.stage,
        absent=absent,
        only=only,
        ord=sql.Identifier("s", state.ordinal),
    )


def drop_known(conn: psycopg.Connection, state: TableLoad) -> None:
    """Of a table whose rows stay as they are: staged rows with the key of one have no further to go."""
    statement = sql.SQL("DELETE FROM {} AS s USING {} AS t WHERE {}").format(
        state.stage, state.target, key_equal(state, "t", "s")
    )
    known = conn.execute(statement).rowcount
    state.staged -= known
    state.landed += known


Referrer = tuple[TableLoad, Constraint]
"""A table of the run and its foreign key that points at the table in question."""


def delete_missing(conn: psycopg.Connection, state: TableLoad, referrers: Sequence[Referrer]) -> None:
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
            f"of {counted(unread[0], 'record')} for {state.name} the key cannot be read, so nobody knows which of"
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


def _unread(conn: psycopg.Connection, state: TableLoad) -> sql.Composed:
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


def stands_in_the_way(conn: psycopg.Connection, state: TableLoad, referrers: Sequence[Referrer]) -> bool:
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
        if r[0].stage_made or r[0].way is not Way.STAGE
    )


def refuse_actions(
    conn: psycopg.Connection, states: Sequence[TableLoad], referrers: Callable[[TableLoad], Sequence[Referrer]]
) -> None:
    """Before late rows go at once: nothing that the run's tables hold on to may go or change with them.

    :raises DatabaseError: a foreign key would delete or change rows that are to stay.
    """
    for state in states:
        for child, fk in referrers(state):
            if (action := _ACTS.search(fk.definition)) is None:
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


def delete_late(conn: psycopg.Connection, state: TableLoad, referrers: Sequence[Referrer]) -> None:
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


def _delete(conn: psycopg.Connection, state: TableLoad, where: sql.Composable) -> None:
    try:
        with conn.transaction():
            state.deleted += conn.execute(sql.SQL("DELETE FROM {} AS t WHERE {}").format(state.target, where)).rowcount
            rows = sql.SQL("SELECT FROM {} AS t WHERE {}").format(state.target, where)
            if _somebody_notices(conn, state) and _exist(conn, rows):
                raise DatabaseError(
                    f"{state.name} has rows that the files do not have, and a trigger or rule of the table keeps them",
                    "Load without deleting (--mode upsert), or disable the trigger",
                )
    except psycopg.errors.InsufficientPrivilege:
        raise
    except psycopg.Error as error:
        if not about_rows(error):
            raise
        raise DatabaseError(
            f"{state.name} has rows that the files do not have and that cannot be deleted: {primary(error)}",
            "Load the tables that refer to them as well, or load without deleting (--mode upsert)",
        ) from error
