"""Delete missing: rows whose keys the files do not contain are deleted without taking other rows with them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence

import psycopg
from psycopg import sql

from pgsluice.errors import DatabaseError
from pgsluice.model import Constraint, Strategy, TableName
from pgsluice.pipeline.apply.changed_rows import keep_deleted
from pgsluice.pipeline.apply.merge_sql import ACTIONS, keys_equal
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.planner_hints import execute_examined
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sql_fragments import keys_match, qualified_type
from pgsluice.postgres.sqlstate import is_row_error, primary_message
from pgsluice.postgres.table_properties import has_triggers_or_rules, key_indexes
from pgsluice.sql import compose
from pgsluice.text import pluralize

Referrer = tuple[TableRun, Constraint]
"""A table of the run and its foreign key that references the table in question."""

_LOAD_REFERRERS = "Load the tables that refer to them in the same mode, or load without deleting (--mode upsert)"


class Deferred(enum.Enum):
    """Which missing rows of a table wait for the end of the run."""

    NONE = "none"
    LISTED = "listed"
    """The rows whose merge keys are in the scratch table of deferred deletes."""
    ALL = "all"
    """All rows: the table has no merge key."""


class MissingRows:
    """Deletes the missing rows of a run's tables, children before parents.

    Rows that the run's tables still reference are deferred: the rows that reference them may yet reference others.
    """

    def __init__(self, conn: psycopg.Connection, referrers: Callable[[TableRun], Sequence[Referrer]]) -> None:
        """:param referrers: the foreign keys of the run's tables that reference a table."""
        self._conn = conn
        self._referrers = referrers
        self._deferred: dict[int, Deferred] = {}

    def deferred(self, table_run: TableRun) -> Deferred:
        """Which rows of the table are deferred."""
        return self._deferred.get(table_run.number, Deferred.NONE)

    def delete(self, table_run: TableRun) -> None:
        """Deletes the rows whose keys are not in the files; a table without a merge key is emptied.

        A row whose record was rejected stays, because the files do contain it.

        :raises DatabaseError: something outside of the load references a row to delete; or a record could not be read,
            so that its key is unknown.
        """
        conn, referrers = self._conn, self._referrers(table_run)
        if not table_run.merge_key:
            if any(_exist(conn, _references(r, table_run.relation)) for r in referrers):
                self._deferred[table_run.number] = Deferred.ALL
            else:
                _delete(conn, table_run, sql.SQL("true"))
            return
        unread = conn.execute(_unreadable_keys(conn, table_run)).fetchone()
        if unread and unread[0]:
            raise DatabaseError(
                f"of {pluralize(unread[0], 'record')} for {table_run.name} the key cannot be read, so nobody knows"
                " which of its rows are missing",
                "Mend the files, or load without deleting (--mode upsert)",
            )
        missing = _missing(table_run)
        if referrers and self._defer_referenced(table_run, referrers, missing):
            missing = sql.SQL("{} AND NOT EXISTS (SELECT FROM {} AS l WHERE {})").format(
                missing, table_run.scratch.deferred_deletes, keys_equal(table_run, "t", "l")
            )
        _delete(conn, table_run, missing)

    def _defer_referenced(self, table_run: TableRun, referrers: Sequence[Referrer], missing: sql.Composable) -> bool:
        """Lists the missing rows that the run's tables reference; False if there are none."""
        columns = dict.fromkeys((*table_run.merge_key, *(c for _, fk in referrers for c in fk.referenced_columns)))
        held = sql.SQL(" UNION ").join(
            sql.SQL("SELECT {} FROM {} AS t WHERE {} AND EXISTS (SELECT FROM {} AS c WHERE {})").format(
                sql.SQL(", ").join(sql.Identifier("t", c) for c in columns),
                table_run.relation,
                missing,
                child.relation,
                _references_parent(fk, "t"),
            )
            for child, fk in referrers
        )
        scratch = table_run.scratch
        found = execute_examined(
            self._conn, compose("apply", "deferred_deletes", deferred_deletes=scratch.deferred_deletes, held=held)
        ).rowcount
        self._deferred[table_run.number] = Deferred.LISTED if found else Deferred.NONE
        return bool(found)

    def stand_in_the_way(self, table_run: TableRun) -> bool:
        """Whether deferred rows cannot wait until the end of the run.

        New rows may need their values in another unique key, or may reference them although they will be deleted.
        """
        table = table_run.table
        key = table_run.merge_key
        if not key or any(i.unique and i.name not in key_indexes(table, key) for i in table.indexes):
            return True
        if any(c.kind == "x" for c in table.constraints):
            return True
        return any(
            _exist(self._conn, _references(r, table_run.scratch.deferred_deletes, arriving=True))
            for r in self._referrers(table_run)
            if r[0].scratch.stage_made or r[0].strategy is not Strategy.STAGE
        )

    def refuse_actions(self, table_runs: Sequence[TableRun]) -> None:
        """Before deferred rows are deleted early: makes sure that no ON DELETE action would touch rows that stay.

        :raises DatabaseError: a foreign key would delete or change rows that are to stay.
        """
        for table_run in table_runs:
            for child, fk in self._referrers(table_run):
                if (action := ACTIONS.search(fk.definition)) is None:
                    continue
                deletes = table_run.scratch.deferred_deletes if table_run.merge_key else table_run.relation
                held = _references((child, fk), deletes)
                if child.merge_key and self.deferred(child) is Deferred.LISTED:
                    held = sql.SQL("{} WHERE NOT EXISTS (SELECT FROM {} AS l WHERE {})").format(
                        held, child.scratch.deferred_deletes, keys_equal(child, "c", "l")
                    )
                if _exist(self._conn, held):
                    raise DatabaseError(
                        f"{table_run.name} has rows that the files do not have and that must go before new ones come,"
                        f" and {child.name} still refers to some of them ({fk.name},{action[0]})",
                        "Load without deleting first (--mode upsert), so that these rows refer to others",
                    )

    def delete_deferred(self, table_run: TableRun, *, check_referrers: bool) -> None:
        """Deletes the deferred rows of a table.

        :param check_referrers: make sure that no row which stays references them, whatever its foreign key would do.
        :raises DatabaseError: a row that stays references a row to delete.
        """
        if table_run.merge_key:
            deletes = table_run.scratch.deferred_deletes
            for child, fk in self._referrers(table_run) if check_referrers else ():
                # Rows of the table itself may be deleted together with the rows that they reference.
                if child is not table_run and _exist(self._conn, _references((child, fk), deletes)):
                    raise DatabaseError(
                        f"{table_run.name} has rows that the files do not have and {child.name} still refers to"
                        f" ({fk.name})",
                        _LOAD_REFERRERS,
                    )
            listed = sql.SQL("EXISTS (SELECT FROM {} AS l WHERE {})").format(deletes, keys_equal(table_run, "t", "l"))
            _delete(self._conn, table_run, listed)
        else:
            _delete(self._conn, table_run, sql.SQL("true"))
        self._deferred[table_run.number] = Deferred.NONE


def referrers_among(tables: Mapping[TableName, TableRun]) -> Callable[[TableRun], list[Referrer]]:
    """A function that returns the foreign keys of these tables that reference a table."""

    def referrers(table_run: TableRun) -> list[Referrer]:
        return [
            (child, fk)
            for child in tables.values()
            for fk in child.table.foreign_keys
            if fk.references == table_run.table.name
        ]

    return referrers


def _missing(table_run: TableRun) -> sql.Composable:
    """The condition that the files do not contain the merge key of ``t``."""
    scratch = table_run.scratch
    parts: list[sql.Composable] = [sql.SQL("true")]
    if scratch.stage_made:
        parts.append(
            sql.SQL("NOT EXISTS (SELECT FROM {} AS s WHERE {})").format(scratch.stage, keys_equal(table_run, "t", "s"))
        )
    if scratch.rejected_keys_made:
        same = sql.SQL(" AND ").join(
            sql.SQL("g.{c} OPERATOR(pg_catalog.=) t.{c}::pg_catalog.text").format(c=sql.Identifier(c))
            for c in table_run.merge_key
        )
        parts.append(sql.SQL("NOT EXISTS (SELECT FROM {} AS g WHERE {})").format(scratch.rejected_keys, same))
    return sql.SQL(" AND ").join(parts)


def _unreadable_keys(conn: psycopg.Connection, table_run: TableRun) -> sql.Composed:
    """A query that counts the records whose merge key cannot be read, or lacks a value that must be there.

    It is unknown which row of the table such a record stands for.
    """
    scratch = table_run.scratch
    key = sql.Literal(list(table_run.merge_key))
    parts: list[sql.Composable] = [compose("apply", "unreadable_keys", table_no=table_run.table_no, key=key)]
    columns = [c for c in table_run.columns if c.name in table_run.merge_key]
    if required := [sql.SQL("k.{} IS NULL").format(sql.Identifier(c.name)) for c in columns if c.not_null]:
        null = sql.SQL(" OR ").join(required)
        for made, relation in (
            (scratch.stage_made, scratch.stage),
            (scratch.rejected_keys_made, scratch.rejected_keys),
        ):
            if made:
                parts.append(sql.SQL("SELECT {} FROM {} AS k WHERE {}").format(table_run.ordinal, relation, null))
    if scratch.rejected_keys_made and conn.info.server_version >= 160000:
        # A record with several faults has a verdict on the first only.
        bad = sql.SQL(" OR ").join(
            sql.SQL("NOT pg_catalog.pg_input_is_valid(k.{}, {})").format(
                sql.Identifier(c.name), sql.Literal(qualified_type(c.type_sql))
            )
            for c in columns
        )
        parts.append(sql.SQL("SELECT {} FROM {} AS k WHERE {}").format(table_run.ordinal, scratch.rejected_keys, bad))
    return sql.SQL("SELECT pg_catalog.count(*) FROM ({}) AS b").format(sql.SQL(" UNION ").join(parts))


def _references_parent(fk: Constraint, parent: str) -> sql.Composed:
    """The condition that the row ``c`` references the row ``parent``."""
    return keys_match(fk, parent, "c")


def _references(referrer: Referrer, parents: sql.Identifier, *, arriving: bool = False) -> sql.Composed:
    """A query for rows of the referring table that reference rows of ``parents``.

    :param arriving: look at the rows of the stage, if there is one, instead of the table.
    """
    child, fk = referrer
    rows = child.scratch.stage if arriving and child.scratch.stage_made else child.relation
    return sql.SQL("SELECT FROM {} AS c JOIN {} AS p ON {}").format(rows, parents, _references_parent(fk, "p"))


def _exist(conn: psycopg.Connection, rows: sql.Composed) -> bool:
    # Not EXISTS: for EXISTS the planner expects a row soon and takes a nested loop; where no row exists among three
    # million, that loop visits all pairs.
    statement = sql.SQL("SELECT pg_catalog.count(*) > 0 FROM ({}) AS x").format(rows)
    return execute_examined(conn, statement).fetchone() == (True,)


def _delete(conn: psycopg.Connection, table_run: TableRun, condition: sql.Composable) -> None:
    table, name = table_run.relation, table_run.name
    try:
        with conn.transaction():
            deletion = sql.SQL("DELETE FROM {} AS t WHERE {}").format(table, condition)
            with user_path(conn):
                deleted = execute_examined(conn, keep_deleted(table_run, deletion)).rowcount
            table_run.counts.deleted += deleted
            rows = sql.SQL("SELECT FROM {} AS t WHERE {}").format(table, condition)
            if has_triggers_or_rules(conn, table_run.table.oid) and _exist(conn, rows):
                raise DatabaseError(
                    f"{name} has rows that the files do not have, and a trigger or rule of the table keeps them",
                    "Load without deleting (--mode upsert), or disable the trigger",
                )
    except psycopg.errors.InsufficientPrivilege:
        raise
    except psycopg.Error as error:
        if not is_row_error(error):
            raise
        raise DatabaseError(
            f"{name} has rows that the files do not have and that cannot be deleted: {primary_message(error)}",
            "Load the tables that refer to them as well, or load without deleting (--mode upsert)",
        ) from error
