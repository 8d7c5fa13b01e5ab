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
from pgsluice.model import Definition, Derived, DerivedAction, DerivedResult, Made, Materialization, TableName
from pgsluice.postgres.derived.incremental.touched import ChangedRows
from pgsluice.postgres.derived.incremental.tree import ComputeAll
from pgsluice.postgres.derived.incremental.update import Incremental
from pgsluice.postgres.derived.stored import Stored
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sqlstate import may_pass, primary_message
from pgsluice.sql import compose, query
from pgsluice.text import pluralize

_NOT_THERE = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)
"""What PostgreSQL says of a query that reads a derived table which is not created yet, or not yet again."""


def derive(
    conn: psycopg.Connection[Any],
    definitions: Sequence[Definition],
    made: Mapping[TableName, Made],
    changed: Collection[TableName] | None,
    followed: Mapping[int, ChangedRows] | None = None,
) -> Derived:
    """Brings derived tables up to date, each after the derived tables that it reads.

    PostgreSQL tells what a definition reads: it becomes a temporary view, whose dependencies are in ``pg_depend``.

    :param conn: has the safe path, and is in a transaction.
    :param made: how each derived table was made last.
    :param changed: the tables whose rows have changed; None stands for all tables.
    :param followed: the rows that the run has changed, by the oid of their table, for incremental derived tables; None
        computes whole queries.
    :returns: a result for each definition, in the order in which they were brought up to date.
    :raises CallError: definitions read each other in a circle, or a name is taken.
    :raises DatabaseError: PostgreSQL refuses a definition or its result.
    """
    waiting = list(definitions)
    touched: set[TableName] = set()
    if changed is not None:
        # A trigger or an action of a foreign key may have changed tables that the run does not feed.
        touched = {TableName(*row) for row in conn.execute(query("derived", "written")).fetchall()} | set(changed)
    dropped: dict[TableName, list[str]] = {}
    names = {d.name for d in definitions}
    fresh: set[TableName] = set()
    done: dict[TableName, DerivedResult] = {}
    stamps: dict[str, Mapping[str, Any]] = {}
    while waiting:
        refused: dict[str, str] = {}
        later: list[Definition] = []
        for definition in waiting:
            reads = _reads(conn, definition, refused)
            if reads is None or any(other in names and other not in done for other in reads):
                later.append(definition)
                continue
            stale = changed is None or bool(reads & touched) or bool(reads & fresh)
            derivation = _Derivation(conn, definition, reads, made, dropped, followed)
            result = derivation.bring_up_to_date(stale=stale)
            if result.action != DerivedAction.KEPT:
                fresh.add(definition.name)
            if derivation.stamp is not None:
                stamps[result.name] = derivation.stamp
            done[definition.name] = result
        if len(later) == len(waiting):
            raise _stuck(later, refused)
        waiting = later
    return Derived(tuple(done.values()), stamps)


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
        if may_pass(error):
            raise
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
        made: Mapping[TableName, Made],
        dropped: dict[TableName, list[str]],
        followed: Mapping[int, ChangedRows] | None,
    ) -> None:
        """:param dropped: derived tables that were dropped to be created again, with their privileges; gets more."""
        self._conn = conn
        self._definition = definition
        self._reads = reads
        self._made = made
        self._mine = made.get(definition.name)
        self._dropped = dropped
        self._followed = followed
        self._stored = Stored(conn, definition)
        self._rows = self._mine.rows if self._mine else 0
        self._note = ""
        self.stamp: Mapping[str, Any] | None = None
        """The state of the tables that an incremental derived table reads, if it was written."""

    def bring_up_to_date(self, *, stale: bool) -> DerivedResult:
        """Creates, rebuilds, refreshes or updates the derived table.

        :param stale: a table that it reads has changed.
        :raises CallError: another relation has its name.
        :raises DatabaseError: PostgreSQL refuses the query or its result.
        """
        started = time.perf_counter()
        try:
            with self._conn.transaction():
                action, changed = self._act(stale)
        except psycopg.Error as error:
            if may_pass(error):
                raise
            raise _refused(self._definition, error) from error
        return DerivedResult(
            name=str(self._definition.name),
            materialization=str(self._definition.materialization),
            action=str(action),
            rows=0 if self._definition.materialization is Materialization.VIEW else self._rows,
            changed=changed,
            seconds=round(time.perf_counter() - started, 3),
            sha256=self._definition.sha256,
            reads=tuple(sorted(map(str, self._reads))),
            note=self._note,
        )

    def _act(self, stale: bool) -> tuple[DerivedAction, int]:
        stored, definition = self._stored, self._definition
        if stored.exists and (self._mine is None or definition.sha256 != self._mine.sha256):
            self._dropped |= stored.drop(self._made)
        if not stored.exists:
            self._rows = stored.create()
            for grant in self._dropped.get(definition.name, ()):
                self._conn.execute(sql.SQL(grant))
            self._keep_stamp()
            created = DerivedAction.REBUILT if definition.name in self._dropped else DerivedAction.CREATED
            return created, self._rows
        if not stale or definition.materialization is Materialization.VIEW:
            return DerivedAction.KEPT, 0
        if definition.materialization is Materialization.MATVIEW:
            stored.refresh()
            self._rows = stored.count()
            return DerivedAction.REFRESHED, 0
        if definition.incremental_by and self._followed is not None:
            return self._update(self._followed)
        return self._refresh()

    def _update(self, followed: Mapping[int, ChangedRows]) -> tuple[DerivedAction, int]:
        """Computes the touched groups again, or the whole query if these groups are not known for certain."""
        assert self._mine is not None
        incremental = Incremental(self._conn, self._definition)
        try:
            touched = incremental.find_touched(self._mine.stamp, followed)
        except ComputeAll as reason:
            self._note = f"computed as a whole: {reason}"
            return self._refresh(incremental)
        self._note = pluralize(touched.count, "group")
        changed = 0
        if touched.count:
            incremental.compute(touched)
            written = self._stored.write_differences(touched.rows_of("t"))
            self._rows += written.inserted - written.deleted
            changed = sum(written)
        self.stamp = incremental.stamp()
        return DerivedAction.UPDATED, changed

    def _refresh(self, incremental: Incremental | None = None) -> tuple[DerivedAction, int]:
        self._rows = self._stored.compute()
        changed = sum(self._stored.write_differences())
        self._keep_stamp(incremental)
        return DerivedAction.REFRESHED, changed

    def _keep_stamp(self, incremental: Incremental | None = None) -> None:
        """Makes the stamp of an incremental table, and notes if its groups can never be computed by themselves."""
        if self._definition.incremental_by:
            incremental = incremental or Incremental(self._conn, self._definition)
            self.stamp = incremental.stamp()
            if incremental.reason and not self._note:
                self._note = f"computed as a whole: {incremental.reason}"
