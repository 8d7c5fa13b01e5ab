"""Finishing a table: its rows have landed, now they are judged and the table is what it will be.

A table filled in place gets its keys and indexes back, and they judge: one that does not hold has its
offenders named in one set query, they leave, and it is built again. A staged table is poured. Tables
whose foreign keys form a cycle are finished together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import psycopg
from psycopg import sql

from pgsluice.errors import DatabaseError
from pgsluice.model import Index, Listener, Mode, Progress, Strategy, TableName
from pgsluice.pipeline.apply import deferred_keys as cycles
from pgsluice.pipeline.apply.bisect import Poured, pour_rows, settle
from pgsluice.pipeline.apply.delete_missing import (
    Referrer,
    delete_late,
    delete_missing,
    refuse_actions,
    stands_in_the_way,
)
from pgsluice.pipeline.apply.heap_order import bring, try_out
from pgsluice.pipeline.apply.insert import ask_whether_at_all, try_pour
from pgsluice.pipeline.apply.merge_sql import drop_known, have_twins, may_rewrite
from pgsluice.pipeline.fallback import Reconsider
from pgsluice.pipeline.publish.shadow_tables import Shadows
from pgsluice.pipeline.scratch import numbering
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.timing import Clock
from pgsluice.pipeline.validate.bans import Refusal, ban_orphans, make_ban
from pgsluice.pipeline.validate.parent_check import may_ask
from pgsluice.pipeline.validate.validator import judge
from pgsluice.pipeline.validate.values import decide_values
from pgsluice.postgres.capabilities import firing_order, foreign_keys_to, only_insert_decides, unique_indexes
from pgsluice.postgres.ddl import add_constraints, build_index, build_plain_indexes
from pgsluice.postgres.planner_hints import analyze
from pgsluice.postgres.sqlstate import is_row_error, primary_message
from pgsluice.text import pluralize


class Finisher:
    """Finishes groups of tables in load order; a group is one table or the members of a cycle."""

    def __init__(
        self,
        conn: psycopg.Connection,
        states: Mapping[TableName, TableRun],
        clock: Clock,
        listen: Listener,
        shadows: Shadows,
    ) -> None:
        """:param shadows: finish the tables that will be swapped."""
        self._shadows = shadows
        self._conn = conn
        self._states = states
        self._clock = clock
        self._listen = listen
        self._deferred: list[TableRun] = []
        self._late: list[TableRun] = []

    def finish(self, group: Sequence[TableRun]) -> None:
        """Judges and completes the tables of one group.

        :raises Reconsider: see there.
        """
        if group[0].way is Strategy.SWAP:
            self._shadows.finish(group)
        elif group[0].way is Strategy.IN_PLACE:
            for state in group:
                self._fill(state)
            self._rebuild(group)
        else:
            self._pour_group(group)
        for state in group:
            for table in (state.stage, state.doubt):
                self._conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
            if state.numbering:
                # It is not ON COMMIT DROP, and a server that stops at once leaves it behind.
                self._conn.execute(sql.SQL("DROP SEQUENCE {}").format(numbering(state)))
            state.stage_made = state.doubt_made = state.numbering = False

    @contextmanager
    def _attempt(self, group: Sequence[TableRun]) -> Iterator[None]:
        """A savepoint: ``raise psycopg.Rollback`` in it undoes what the database and the states say."""
        before = [(s.staged, s.landed, s.inserted, s.updated, s.gone_made) for s in group]
        undone = True
        try:
            with self._conn.transaction():
                yield
                undone = False
        finally:
            if undone:
                for s, was in zip(group, before, strict=True):
                    s.staged, s.landed, s.inserted, s.updated, s.gone_made = was

    # ------------------------------------------------------------------- in place

    def _fill(self, state: TableRun) -> None:
        """Rows in doubt: what PostgreSQL takes of them joins the others in the table."""
        if not state.doubts:
            return
        with self._clock.phase("judge", state.name):
            self._listen(Progress("judge", state.name, f"{pluralize(state.doubts, 'row')} in doubt"))
            decide_values(self._conn, state)
            if not only_insert_decides(state.plan.table):
                with self._attempt([state]):
                    judged = judge(
                        self._conn, [state], self._states, staged=True, unique=False, outer=False, inner=False
                    )
                    if judged.complete and bring(self._conn, state):
                        return
                    raise psycopg.Rollback
            try_out(self._conn, state, self._states)
            if not bring(self._conn, state):
                raise Reconsider(state.plan.table.name, "rows that were taken one by one are refused together")

    def _rebuild(self, group: Sequence[TableRun]) -> None:
        """Gives the tables their keys, checks and indexes back; rows in their way are named and leave."""
        down = any(not self._checks_hold(s) for s in group if s.checks_down)
        waiting = {
            s.number: unique_indexes(s.plan.table) if down else self._uniques(s, unique_indexes(s.plan.table))
            for s in group
        }
        judged = down or any(waiting.values())
        if judged:
            self._judge_in_place(group, rows=down, unique=True)
            for state in group:
                if left := self._uniques(state, waiting[state.number]):
                    raise Reconsider(state.plan.table.name, f"index {left[0].name} cannot be built")
                if state.checks_down:
                    self._checks(state)
        for state in group:
            self._plain(state)
        if not self._keys(group):
            if not judged:
                self._judge_in_place(group, rows=False, unique=False)
            if judged or not self._keys(group):
                raise Reconsider(group[0].plan.table.name, "a foreign key cannot be added")

    def _judge_in_place(self, group: Sequence[TableRun], *, rows: bool, unique: bool) -> None:
        name = group[0].name
        with self._clock.phase("judge", name):
            self._listen(Progress("judge", name, "unique keys" if unique else "foreign keys"))
            if not judge(self._conn, group, self._states, staged=False, rows=rows, unique=unique).complete:
                # What a set query cannot tell about one row may change the verdict on others.
                raise Reconsider(group[0].plan.table.name, "a constraint can only be asked row by row")

    def _uniques(self, state: TableRun, indexes: Sequence[Index]) -> list[Index]:
        """Builds unique indexes in the order of their oids, which is the order in which they are asked;
        the first that cannot be built and those after it are returned.
        """
        for i, index in enumerate(indexes):
            if not self._index(state, index.name, partial(build_index, self._conn, state.plan.table, index)):
                return list(indexes[i:])
        return []

    def _plain(self, state: TableRun) -> None:
        with self._clock.phase("index", state.name):
            try:
                build_plain_indexes(
                    self._conn,
                    state.plan.table,
                    lambda name: self._listen(Progress("build", state.name, f"index {name}")),
                )
            except psycopg.Error as error:
                if not is_row_error(error):
                    raise
                raise Reconsider(state.plan.table.name, primary_message(error)) from error
        # Before foreign keys are checked, so that their query is planned with the table's real size.
        with self._clock.phase("analyze", state.name):
            analyze(self._conn, state.target)

    def _index(self, state: TableRun, name: str, build: Callable[[], None]) -> bool:
        self._listen(Progress("build", state.name, f"index {name}"))
        with self._clock.phase("index", state.name):
            try:
                with self._conn.transaction():
                    build()
            except psycopg.errors.UniqueViolation:
                return False
            except psycopg.Error as error:
                if not is_row_error(error):
                    raise
                raise Reconsider(state.plan.table.name, primary_message(error)) from error
        return True

    def _checks_hold(self, state: TableRun) -> bool:
        """Adds the CHECKs, which came down before any row broke one; False where one of them is broken now, or where
        adding it would not ask the rows.
        """
        if state.checks_broken or not all(c.validated for c in state.plan.table.checks if c.enforced):
            return False
        try:
            self._checks(state)
        except Reconsider:
            # For the judge to say which row it is, or that no question tells.
            return False
        return True

    def _checks(self, state: TableRun) -> None:
        with self._clock.phase("check", state.name):
            checks = state.plan.table.checks
            self._listen(Progress("build", state.name, f"check {', '.join(c.name for c in checks)}"))
            try:
                with self._conn.transaction():
                    add_constraints(self._conn, state.target, checks)
            except psycopg.Error as error:
                if not is_row_error(error):
                    raise
                raise Reconsider(state.plan.table.name, primary_message(error)) from error
        state.checks_down = False

    def _keys(self, group: Sequence[TableRun]) -> bool:
        """Adds the foreign keys of all tables, all or none; False when rows break one.

        In the order in which they fire, so that the new triggers fire in the order of the old ones.
        """
        try:
            with self._conn.transaction():
                for state in group:
                    with self._clock.phase("foreign key", state.name):
                        for fk in firing_order(state.plan.table):
                            self._listen(Progress("build", state.name, f"foreign key {fk.name}"))
                            add_constraints(self._conn, state.target, [fk])
        except psycopg.errors.ForeignKeyViolation:
            return False
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
            raise Reconsider(group[0].plan.table.name, primary_message(error)) from error
        return True

    # ------------------------------------------------------------------- staged

    def _pour_group(self, group: Sequence[TableRun]) -> None:
        # A member that brought no rows is still a member: foreign keys that point at it wait like the others.
        names = {s.plan.table.name for s in group}
        for state in group:
            self._decide(state)
            if state.plan.mode is Mode.INSERT_MISSING and state.stage_made:
                # A row that would change nothing must be a good row all the same; its keys matter no more.
                judge(self._conn, [state], self._states, staged=True, names=names, unique=False, inner=False)
                drop_known(self._conn, state)
        group = [s for s in group if s.stage_made]
        if not group:
            return
        for state in group:
            ask_whether_at_all(self._conn, state)
        blind = any(only_insert_decides(s.plan.table) for s in group)
        # Pouring does not find the second row of a key that the table holds; nor orphans, where foreign keys wait
        # for the end of the run.
        promising = (
            (blind or not any(s.suspect for s in group))
            and not self._deferred
            and not any(s.key and have_twins(self._conn, s) for s in group)
        )
        if promising:
            if self._pour(group, names):
                return
            [state, *others] = group
            if not (blind or others) and may_rewrite(self._conn, state) and try_pour(self._conn, group, rewrite=True):
                return
        if not blind:
            with self._attempt(group):
                if self._judge_staged(group, names) and self._pour(group, names, judged=True):
                    return
                # What a set query cannot tell about one row may change the verdict on others.
                raise psycopg.Rollback
        self._pour_rows(group, names)

    def _judge_staged(self, group: Sequence[TableRun], names: set[TableName]) -> bool:
        name = group[0].name
        with self._clock.phase("judge", name):
            self._listen(Progress("judge", name, "constraints"))
            for state in group:
                analyze(self._conn, state.stage)
            return judge(self._conn, group, self._states, staged=True, names=names).complete

    def _pour(self, group: Sequence[TableRun], names: set[TableName], *, judged: bool = False) -> bool:
        """Pours whole stages; False, and nothing happened, when PostgreSQL refuses a row.

        Rows that may refer to others of the group are poured in one statement, where that is as good; otherwise table
        by table, while the foreign keys between the tables wait.
        """
        name = group[0].name
        inner = not self._deferred and any(foreign_keys_to(s.plan.table, names, inner=True) for s in group)
        together = inner and cycles.one_statement_is_as_good(self._conn, group)
        waits = inner and not together and len(names) > 1
        at_once = len(names) == 1 and not self._deferred and may_ask(self._conn, group[0])
        try:
            with self._attempt(group):
                if waits:
                    cycles.defer(self._conn, group, names)
                self._listen(Progress("publish", name, "insert"))
                with self._clock.phase("insert", name):
                    if not try_pour(self._conn, group, together=together, at_once=at_once, judged=judged):
                        raise psycopg.errors.IntegrityConstraintViolation
                if waits:
                    cycles.ask(self._conn, group, names)
        except psycopg.IntegrityError:
            return False
        return True

    def _pour_rows(self, group: Sequence[TableRun], names: set[TableName]) -> None:
        """Lets PostgreSQL say row by row.

        Where a row may refer to one that comes later, its foreign keys wait for the last row; who turns out
        to have no parent is banned, and the rows come once more.
        """
        if self._deferred or any(foreign_keys_to(s.plan.table, names, inner=True) for s in group):
            make_ban(self._conn)
            refused: list[Refusal] = []
            while True:
                with self._attempt(group):
                    refused = [r for poured in self._one_by_one(group, names) for r in poured.refusals()]
                    raise psycopg.Rollback
                if not ban_orphans(self._conn, group, names, refused):
                    break
        settle(self._conn, self._one_by_one(group, names), self._states)
        if not self._deferred:
            cycles.ask(self._conn, group, names)

    def _one_by_one(self, group: Sequence[TableRun], names: set[TableName]) -> list[Poured]:
        if not self._deferred:
            cycles.defer(self._conn, group, names)
        result = []
        for state in group:
            with self._clock.phase("insert", state.name):
                result.append(pour_rows(self._conn, state))
        return result

    def _decide(self, state: TableRun) -> None:
        if state.doubt_made:
            with self._clock.phase("judge", state.name):
                self._listen(Progress("judge", state.name, f"{pluralize(state.doubts, 'row')} in doubt"))
                decide_values(self._conn, state)

    def delete_missing(self, states: Sequence[TableRun]) -> None:
        """Before anything is judged: rows that the files do not have go, children before parents.

        Those that others refer to stay until :meth:`settle_deferred`, when the others refer to them no more.
        Only where they are in the way of new rows must they go at once: then the foreign keys between the
        run's tables wait instead, and readers with them, for that takes an exclusive lock.
        """
        staged = [s for s in states if s.way is Strategy.STAGE]
        for state in staged:
            self._decide(state)
        for state in reversed(staged):
            if state.plan.delete_missing:
                self._listen(Progress("publish", state.name, "delete missing rows"))
                with self._clock.phase("delete", state.name):
                    delete_missing(self._conn, state, self._referrers(state))
        self._late = [s for s in reversed(staged) if s.late_rows]
        if any(stands_in_the_way(self._conn, s, self._referrers(s)) for s in self._late):
            refuse_actions(self._conn, self._late, self._referrers)
            self._deferred = staged
            cycles.defer(self._conn, staged, {s.plan.table.name for s in states})
            for state in self._late:
                delete_late(self._conn, state, ())
            self._late = []

    def _referrers(self, state: TableRun) -> list[Referrer]:
        return [
            (child, fk)
            for child in self._states.values()
            for fk in child.plan.table.foreign_keys
            if fk.references == state.plan.table.name
        ]

    def settle_deferred(self) -> None:
        """After the last table: rows that waited are deleted; foreign keys that waited are asked, and are as
        they were.

        :raises DatabaseError: a row that was to stay refers to one that was deleted.
        """
        for state in self._late:
            delete_late(self._conn, state, self._referrers(state))
        if not self._deferred:
            return
        try:
            cycles.ask(self._conn, self._deferred, {s.plan.table.name for s in self._states.values()})
        except psycopg.errors.ForeignKeyViolation as error:
            raise DatabaseError(
                f"rows that the files do not have are still referred to: {primary_message(error)}",
                "Load the tables that refer to them in the same mode, or load without deleting (--mode upsert)",
            ) from error
