"""Create derived tables and keep them up to date, in one transaction and without locking readers out.

The rows of a table that exists are compared with the new result, and only rows that differ are written. So readers go
on reading, and everything that depends on the table stays. A table is created again only if its definition changed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.errors import CallError, DatabaseError
from pgsluice.model import Definition, DerivedAction, DerivedResult, Materialization, TableName
from pgsluice.postgres.derived.stored import Stored
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sqlstate import primary_message
from pgsluice.sql import compose, query

_NOT_THERE = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)
"""What PostgreSQL says of a query that reads a derived table which is not created yet, or not yet again."""


def derive(
    conn: psycopg.Connection[Any],
    definitions: Sequence[Definition],
    made_by: Mapping[TableName, str],
    changed: Collection[TableName] | None,
) -> tuple[DerivedResult, ...]:
    """Brings derived tables up to date, each after the derived tables that it reads.

    PostgreSQL tells what a definition reads: it becomes a temporary view, whose dependencies are in ``pg_depend``.

    :param conn: has the safe path, and is in a transaction.
    :param made_by: SHA-256 of the definition that made each derived table last.
    :param changed: the tables whose rows have changed; None stands for all tables.
    :returns: a result for each definition, in the order in which they were brought up to date.
    :raises CallError: definitions read each other in a circle, or a name is taken.
    :raises DatabaseError: PostgreSQL refuses a definition or its result.
    """
    waiting = list(definitions)
    dropped: dict[TableName, list[str]] = {}
    names = {d.name for d in definitions}
    fresh: set[TableName] = set()
    done: dict[TableName, DerivedResult] = {}
    while waiting:
        refused: dict[str, str] = {}
        later: list[Definition] = []
        for definition in waiting:
            reads = _reads(conn, definition, refused)
            if reads is None or any(other in names and other not in done for other in reads):
                later.append(definition)
                continue
            stale = changed is None or bool(reads & set(changed)) or bool(reads & fresh)
            result = _Derivation(conn, definition, reads, made_by, dropped).bring_up_to_date(stale=stale)
            if result.action != DerivedAction.KEPT:
                fresh.add(definition.name)
            done[definition.name] = result
        if len(later) == len(waiting):
            raise _stuck(later, refused)
        waiting = later
    return tuple(done.values())


def _reads(conn: psycopg.Connection[Any], definition: Definition, refused: dict[str, str]) -> set[TableName] | None:
    """The tables that a definition reads; None, and a reason in ``refused``, if one of them is not there.

    :raises DatabaseError: PostgreSQL refuses the query for another reason.
    """
    try:
        with conn.transaction():
            with user_path(conn):
                conn.execute(compose("derived", "probe", query=sql.SQL(definition.query)))
            found = conn.execute(query("derived", "reads")).fetchall()
            conn.execute(query("derived", "drop_probe"))
    except _NOT_THERE as error:
        refused[definition.source or str(definition.name)] = primary_message(error)
        return None
    except psycopg.Error as error:
        raise _refused(definition, error) from error
    return {TableName(schema, name) for schema, name in found}


def read_tables_of(conn: psycopg.Connection[Any], definition: Definition) -> set[TableName]:
    """Returns the tables that a definition reads; none if that cannot be told, because PostgreSQL refuses the query."""
    try:
        return _reads(conn, definition, {}) or set()
    except DatabaseError:
        return set()


def _stuck(waiting: Sequence[Definition], refused: Mapping[str, str]) -> CallError:
    if refused:
        first = next(iter(refused))
        return CallError(f"{first}: {refused[first]}", "Check the names in the query")
    names = ", ".join(str(d.name) for d in waiting)
    return CallError(f"the derived tables {names} read each other in a circle", "Break the circle")


def _refused(definition: Definition, error: psycopg.Error) -> DatabaseError:
    where = definition.source or str(definition.name)
    return DatabaseError(f"{where}: {primary_message(error)}", "Correct the definition; nothing was published")


class _Derivation:
    """One derived table on its way."""

    def __init__(
        self,
        conn: psycopg.Connection[Any],
        definition: Definition,
        reads: set[TableName],
        made_by: Mapping[TableName, str],
        dropped: dict[TableName, list[str]],
    ) -> None:
        """:param dropped: derived tables that were dropped to be created again, with their privileges; gets more."""
        self._conn = conn
        self._definition = definition
        self._reads = reads
        self._made_by = made_by
        self._dropped = dropped
        self._stored = Stored(conn, definition)

    def bring_up_to_date(self, *, stale: bool) -> DerivedResult:
        """Creates, rebuilds or refreshes the derived table.

        :param stale: a table that it reads has changed.
        :raises CallError: another relation has its name.
        :raises DatabaseError: PostgreSQL refuses the query or its result.
        """
        started = time.perf_counter()
        try:
            with self._conn.transaction():
                action, changed = self._act(stale)
                rows = 0 if self._definition.materialization is Materialization.VIEW else self._stored.count()
        except psycopg.Error as error:
            raise _refused(self._definition, error) from error
        return DerivedResult(
            name=str(self._definition.name),
            materialization=str(self._definition.materialization),
            action=str(action),
            rows=rows,
            changed=changed,
            seconds=round(time.perf_counter() - started, 3),
            sha256=self._definition.sha256,
            reads=tuple(sorted(map(str, self._reads))),
        )

    def _act(self, stale: bool) -> tuple[DerivedAction, int]:
        stored, definition = self._stored, self._definition
        if stored.exists and definition.sha256 != self._made_by.get(definition.name):
            self._dropped |= stored.drop(self._made_by)
        if not stored.exists:
            rows = stored.create()
            for grant in self._dropped.get(definition.name, ()):
                self._conn.execute(sql.SQL(grant))
            return (DerivedAction.REBUILT if definition.name in self._dropped else DerivedAction.CREATED), rows
        if not stale or definition.materialization is Materialization.VIEW:
            return DerivedAction.KEPT, 0
        if definition.materialization is Materialization.MATVIEW:
            stored.refresh()
            return DerivedAction.REFRESHED, 0
        return DerivedAction.REFRESHED, stored.write_differences()
