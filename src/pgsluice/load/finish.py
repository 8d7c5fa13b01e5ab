"""Finishing a table: its rows have landed, now they are judged and the table is what it will be.

A table filled in place gets its keys and indexes back, and they judge: one that does not hold has its
offenders named in one set query, they leave, and it is built again. A staged table is poured. Tables
whose foreign keys form a cycle are finished together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import psycopg
from psycopg import sql

from pgsluice.errors import DatabaseError
from pgsluice.load.build import add_constraint, build_index, build_plain
from pgsluice.load.judge import decide_values, judge
from pgsluice.load.modes import delete_missing, drop_known
from pgsluice.load.offenders import unique_indexes
from pgsluice.load.pour import pour_halving, try_pour
from pgsluice.load.state import Clock, TableLoad
from pgsluice.model import Constraint, Listener, Mode, Progress, TableName, Way
from pgsluice.target.verdict import about_rows, primary


class Reconsider(Exception):
    """A table cannot be finished in place: some row stops an index or constraint in a way that no set
    query can name. The run starts again with stages, where such rows are found by halving.
    """

    def __init__(self, table: TableName, reason: str) -> None:
        super().__init__(f"{table}: {reason}")
        self.table = table
        self.reason = reason


class Finisher:
    """Finishes groups of tables in load order; a group is one table or the members of a cycle."""

    def __init__(
        self, conn: psycopg.Connection, states: Mapping[TableName, TableLoad], clock: Clock, listen: Listener
    ) -> None:
        self._conn = conn
        self._states = states
        self._clock = clock
        self._listen = listen
        self._deferred: list[TableLoad] = []

    def finish(self, group: Sequence[TableLoad]) -> None:
        """Judges and completes the tables of one group.

        :raises Reconsider: see there.
        """
        names = {s.plan.table.name for s in group}
        if group[0].way is Way.IN_PLACE:
            for state in group:
                self._fill(state)
            for state in group:
                self._rebuild(state, _keys(state, names, inner=False))
            self._inner_keys(group, names)
        else:
            self._pour_group(group, names)
        for state in group:
            for table in (state.stage, state.doubt):
                self._conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
            state.stage_made = state.doubt_made = False

    # ------------------------------------------------------------------- in place

    def _fill(self, state: TableLoad) -> None:
        """Rows in doubt: what PostgreSQL takes of them joins the others in the table."""
        if not state.doubts:
            return
        with self._clock.phase("judge", state.name):
            self._listen(Progress("judge", state.name, f"{state.doubts:,} rows in doubt"))
            decide_values(self._conn, state)
            judge(self._conn, state, self._states, staged=True, unique=False)
            if not try_pour(self._conn, state):
                pour_halving(self._conn, state)

    def _rebuild(self, state: TableLoad, keys: Sequence[Constraint]) -> None:
        table, conn = state.plan.table, self._conn
        uniques = unique_indexes(state)
        waiting = [] if state.checks_down else list(uniques)
        for index in list(waiting):
            if not self._index(state, index.name, partial(build_index, conn, table, index)):
                break
            waiting.remove(index)
        if waiting or state.checks_down:
            with self._clock.phase("judge", state.name):
                self._listen(Progress("judge", state.name, "unique keys" if waiting else "checks"))
                judge(conn, state, self._states, staged=False, rows=state.checks_down, keys=keys)
            built = {i.name for i in uniques} - {i.name for i in waiting} if not state.checks_down else set()
            for index in uniques:
                if index.name not in built and not self._index(
                    state, index.name, partial(build_index, conn, table, index)
                ):
                    raise Reconsider(table.name, f"index {index.name} cannot be built")
            if state.checks_down:
                self._checks(state)
        with self._clock.phase("index", state.name):
            try:
                build_plain(conn, state, self._listen)
            except psycopg.Error as error:
                if not about_rows(error):
                    raise
                raise Reconsider(table.name, primary(error)) from error
        # Before foreign keys are checked, so that their query is planned with the table's real size.
        with self._clock.phase("analyze", state.name):
            conn.execute(sql.SQL("ANALYZE {}").format(state.target))
        with self._clock.phase("foreign key", state.name):
            if not self._keys(state, keys):
                with self._clock.phase("judge", state.name):
                    judge(conn, state, self._states, staged=False, rows=False, keys=keys, unique=False)
                if not self._keys(state, keys):
                    raise Reconsider(table.name, "a foreign key cannot be added")

    def _index(self, state: TableLoad, name: str, build: Callable[[], None]) -> bool:
        self._listen(Progress("build", state.name, f"index {name}"))
        with self._clock.phase("index", state.name):
            try:
                with self._conn.transaction():
                    build()
            except psycopg.errors.UniqueViolation:
                return False
            except psycopg.Error as error:
                if not about_rows(error):
                    raise
                raise Reconsider(state.plan.table.name, primary(error)) from error
        return True

    def _checks(self, state: TableLoad) -> None:
        with self._clock.phase("check", state.name):
            for check in state.plan.table.checks:
                self._listen(Progress("build", state.name, f"check {check.name}"))
                try:
                    with self._conn.transaction():
                        add_constraint(self._conn, state.target, check)
                except psycopg.Error as error:
                    if not about_rows(error):
                        raise
                    raise Reconsider(state.plan.table.name, primary(error)) from error
        state.checks_down = False

    def _keys(self, state: TableLoad, keys: Sequence[Constraint]) -> bool:
        """Adds foreign keys, all or none; False when rows break one."""
        try:
            with self._conn.transaction():
                for fk in keys:
                    self._listen(Progress("build", state.name, f"foreign key {fk.name}"))
                    add_constraint(self._conn, state.target, fk)
        except psycopg.errors.ForeignKeyViolation:
            return False
        except psycopg.Error as error:
            if not about_rows(error):
                raise
            raise Reconsider(state.plan.table.name, primary(error)) from error
        return True

    def _inner_keys(self, group: Sequence[TableLoad], names: set[TableName]) -> None:
        """Foreign keys within the group: a row that leaves may orphan others, so until nothing leaves."""
        inner = [(s, k) for s in group if (k := _keys(s, names, inner=True))]
        if not inner:
            return
        for attempt in (1, 2):
            try:
                with self._conn.transaction():
                    for state, keys in inner:
                        if not self._keys(state, keys):
                            raise psycopg.errors.ForeignKeyViolation
                return
            except psycopg.errors.ForeignKeyViolation:
                if attempt == 2:
                    raise Reconsider(group[0].plan.table.name, "a foreign key cannot be added") from None
            while sum(
                judge(self._conn, s, self._states, staged=False, rows=False, keys=k, unique=False) for s, k in inner
            ):
                pass

    # ------------------------------------------------------------------- staged

    def _pour_group(self, group: Sequence[TableLoad], names: set[TableName]) -> None:
        judged = False
        for state in group:
            self._decide(state)
            if state.plan.mode is Mode.INSERT_MISSING and state.stage_made:
                # A row that would change nothing must be a good row all the same; its keys matter no more.
                judge(self._conn, state, self._states, staged=True, unique=False)
                drop_known(self._conn, state)
        if any(s.suspect for s in group):
            self._judge_staged(group, names)
            judged = True
        if len(group) > 1 and not self._deferred:
            self._defer(group, names, deferred=True)
        for state in group:
            if not state.stage_made:
                continue
            self._listen(Progress("publish", state.name, "insert"))
            with self._clock.phase("insert", state.name):
                poured = try_pour(self._conn, state)
            if not poured and not judged:
                self._judge_staged(group, names)
                judged = True
                with self._clock.phase("insert", state.name):
                    poured = try_pour(self._conn, state)
            if not poured:
                alone = len(group) == 1 and not self._deferred
                if alone:
                    self._defer(group, names, deferred=True)
                with self._clock.phase("insert", state.name):
                    pour_halving(self._conn, state)
                if alone:
                    self._defer(group, names, deferred=False)
        if len(group) > 1 and not self._deferred:
            self._defer(group, names, deferred=False)

    def _decide(self, state: TableLoad) -> None:
        if state.doubt_made:
            with self._clock.phase("judge", state.name):
                self._listen(Progress("judge", state.name, f"{state.doubts:,} rows in doubt"))
                decide_values(self._conn, state)

    def delete_missing(self, states: Sequence[TableLoad]) -> None:
        """Before anything is judged: rows that the files do not have go, children before parents.

        Foreign keys between the run's tables wait until :meth:`settle_deferred`.
        """
        self._deferred = [s for s in states if s.way is Way.STAGE]
        names = {s.plan.table.name for s in states}
        for state in self._deferred:
            self._decide(state)
        self._defer(self._deferred, names, deferred=True)
        for state in reversed(self._deferred):
            if state.plan.delete_missing:
                self._listen(Progress("publish", state.name, "delete missing rows"))
                with self._clock.phase("delete", state.name):
                    delete_missing(self._conn, state)

    def settle_deferred(self) -> None:
        """After the last table: the foreign keys that waited are asked, and are as they were.

        :raises DatabaseError: a row that was to stay refers to one that was deleted.
        """
        if not self._deferred:
            return
        try:
            self._defer(self._deferred, {s.plan.table.name for s in self._states.values()}, deferred=False)
        except psycopg.errors.ForeignKeyViolation as error:
            raise DatabaseError(
                f"rows that the files do not have are still referred to: {primary(error)}",
                "Load the tables that refer to them in the same mode, or load without deleting (--mode upsert)",
            ) from error

    def _judge_staged(self, group: Sequence[TableLoad], names: set[TableName]) -> None:
        group = [s for s in group if s.stage_made]
        for state in group:
            with self._clock.phase("judge", state.name):
                self._listen(Progress("judge", state.name, "constraints"))
                self._conn.execute(sql.SQL("ANALYZE {}").format(state.stage))
                judge(self._conn, state, self._states, staged=True, keys=_keys(state, names, inner=False))
        left = True
        while left:
            left = False
            for state in group:
                inner = _keys(state, names, inner=True)
                beside = {
                    fk.oid: parent.stage
                    for fk in inner
                    if fk.references is not None
                    and (parent := self._states.get(fk.references)) is not None
                    and parent.stage_made
                }
                if inner and judge(
                    self._conn,
                    state,
                    self._states,
                    staged=True,
                    rows=False,
                    keys=inner,
                    unique=False,
                    beside=beside,
                ):
                    left = True

    def _defer(self, group: Sequence[TableLoad], names: set[TableName], *, deferred: bool) -> None:
        """Foreign keys within the group wait for its last row; they are as they were afterwards.

        ALTER CONSTRAINT is transactional, touches the catalog only, and nobody else ever sees it.
        """
        for state in group:
            if not state.plan.table.owner_is_me:
                continue
            for fk in _keys(state, names, inner=True):
                name = sql.Identifier(state.plan.table.name.schema, fk.name)
                if deferred:
                    if not fk.deferrable:
                        self._alter(state, fk, "DEFERRABLE INITIALLY DEFERRED")
                    self._conn.execute(sql.SQL("SET CONSTRAINTS {} DEFERRED").format(name))
                else:
                    self._conn.execute(sql.SQL("SET CONSTRAINTS {} IMMEDIATE").format(name))
                    if not fk.deferrable:
                        self._alter(state, fk, "NOT DEFERRABLE")

    def _alter(self, state: TableLoad, fk: Constraint, how: str) -> None:
        self._conn.execute(
            sql.SQL("ALTER TABLE {} ALTER CONSTRAINT {} " + how).format(state.target, sql.Identifier(fk.name))
        )


def _keys(state: TableLoad, names: set[TableName], *, inner: bool) -> list[Constraint]:
    """The table's foreign keys that point into its group, or out of it."""
    return [fk for fk in state.plan.table.foreign_keys if (fk.references in names) == inner]
