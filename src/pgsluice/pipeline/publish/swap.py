"""The swap: shadow tables take the places of the old tables, in a section so short that readers hardly notice.

Until here readers and the old tables were left alone. The swap locks the old tables, drops them and renames what was
built beside them; everything that takes time is done before the lock. It waits for its locks in short turns, because
every session that comes later waits behind it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from pgsluice.errors import LockedError
from pgsluice.model import Listener, Phase, Progress
from pgsluice.pipeline.fallback import FallBack, Retreat
from pgsluice.pipeline.publish.sequences import advance, farthest_values
from pgsluice.pipeline.publish.shadow_tables import Shadow, ShadowTables, composed_by_server
from pgsluice.pipeline.retry import PAUSES
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.sql import query

_TURN = 0.04
"""Seconds that readers may queue behind the swap while it waits for its locks. Doubled in each further round (see
:data:`~pgsluice.pipeline.retry.PAUSES`): where reads never pause, some must wait."""

_REST = 0.08
"""Average seconds between two turns, in which all other sessions go on."""

Portrait = dict[tuple[str, str, str], tuple[str | None, ...]]
"""Everything about a table that is not data: (kind of thing, table, name) to its facts."""


class Swap:
    """Exchanges the shadow tables of one attempt with the old tables."""

    def __init__(
        self, conn: psycopg.Connection, shadows: ShadowTables, listen: Listener, lock_holders: Callable[[], str]
    ) -> None:
        """:param lock_holders: says in words who holds locks on the tables."""
        self._conn = conn
        self._shadows = sorted(shadows.made.values(), key=lambda s: s.old.oid)
        self._listen = listen
        self._lock_holders = lock_holders
        self._old = [s.old.oid for s in self._shadows]
        self._new = [s.oid for s in self._shadows]

    def perform(self, seconds: float, *, no_wait: bool) -> None:
        """Swaps all tables; the caller commits at once.

        :param seconds: how long one round of turns for the locks takes.
        :raises LockedError: another session holds a table through all rounds.
        :raises FallBack: a new table would differ from the old one in more than its rows.
        """
        if not self._shadows:
            return
        conn = self._conn
        for shadow in self._shadows:
            for text in composed_by_server(conn, "rights", old=shadow.old.oid, new=shadow.oid):
                conn.execute(sql.SQL(text))
        with conn.cursor(row_factory=dict_row) as cursor:
            near = cursor.execute(query("swap", "neighbours"), {"oids": self._old}).fetchall()
        tables = [s.table_run.relation for s in self._shadows]
        tables += [sql.Identifier(r["schema"], r["name"]) for r in near if r["oid"] not in self._new]
        script = self._script()
        values = [value for s in self._shadows for value in farthest_values(conn, s.table_run)]
        turn = _TURN
        for pause in (*(() if no_wait else PAUSES), None):
            if self._try_for(seconds, tables, script, values, turn):
                return
            who = self._lock_holders()
            if pause is None:
                raise LockedError(f"the tables are in use by {who}", "Try again when they have ended")
            step = f"the tables are in use by {who}; trying again in {pause:g} s"
            self._listen(Progress(Phase.WAIT, step=step))
            time.sleep(pause)
            turn *= 2

    def _try_for(
        self,
        seconds: float,
        tables: list[sql.Identifier],
        script: sql.Composed,
        values: Sequence[tuple[str, int]],
        turn: float,
    ) -> bool:
        """One round of turns; False if the locks were not free in any of them."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with self._conn.transaction():
                    before, stamp = portrait(self._conn, self._old), self._stamp()
                    self._lock(tables, turn)
                    if self._stamp() != stamp:
                        before = portrait(self._conn, self._old)
                    self._swap(script, values, turn, before)
                return True
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                if time.monotonic() > deadline:
                    return False
                time.sleep(_REST * random.uniform(0.5, 1.5))

    def _lock(self, tables: list[sql.Identifier], turn: float) -> None:
        """Locks the tables, beginning with the table that was not free in the last turn.

        A reader that holds that table may be about to read another. As long as nothing is locked yet the reader goes on
        and ends. The other tables get less time, since readers may already wait for the first.

        :raises psycopg.errors.LockNotAvailable: another session holds a table; it is the first of ``tables`` now.
        """
        patience = turn
        for table in tuple(tables):
            lock = sql.SQL("SET LOCAL lock_timeout = {}; LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE")
            try:
                self._conn.execute(lock.format(sql.Literal(int(patience * 1000)), table))
            except psycopg.errors.LockNotAvailable:
                tables.remove(table)
                tables.insert(0, table)
                raise
            patience = turn / 4

    def _swap(self, script: sql.Composed, values: Sequence[tuple[str, int]], turn: float, before: Portrait) -> None:
        conn = self._conn
        # DROP and ALTER lock more tables, above all parents of foreign keys, which pgsluice may not be allowed to lock.
        conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(int(turn * 1000))))
        for sequence, value in values:
            advance(conn, sequence, value)
        try:
            conn.execute(script)
        except psycopg.errors.DependentObjectsStillExist as error:
            what = (error.diag.message_detail or "something").split("\n")[0]
            raise FallBack(self._shadows[0].old.name, what, Retreat.NO_SWAP) from error
        after = portrait(conn, self._new)
        if before != after:
            raise self._difference(before, after)

    def _stamp(self) -> list[tuple[Any, ...]]:
        """A value that changes when something that no lock prevents, such as a GRANT, changes the old tables."""
        return self._conn.execute(query("swap", "stamp"), {"oids": self._old}).fetchall()

    def _difference(self, before: Portrait, after: Portrait) -> FallBack:
        key = next(k for k in sorted({*before, *after}) if before.get(k) != after.get(k))
        sort, owner, name = key
        shadow = next((s for s in self._shadows if s.old.name.called(owner)), self._shadows[0])
        reason = f"{sort} {name} changed meanwhile or cannot be kept"
        return FallBack(shadow.old.name, reason, Retreat.NO_SWAP)

    def _script(self) -> sql.Composed:
        """All statements of the swap as one message to the server."""
        parts: list[sql.Composable] = []
        late: list[sql.Composable] = []
        for shadow in self._shadows:
            self._move_sequences(shadow, parts, late)
            self._rename_statistics(shadow, late)
            for fk, name in shadow.incoming:
                assert fk.table is not None
                child, own = identifier(fk.table), sql.Identifier(fk.name)
                parts.append(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(child, own))
                late.append(
                    sql.SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}").format(child, sql.Identifier(name), own)
                )
        old = [s.table_run.relation for s in self._shadows]
        parts.append(sql.SQL("DROP TABLE {}").format(sql.SQL(", ").join(old)))
        for shadow in self._shadows:
            parts.append(
                sql.SQL("ALTER TABLE {} RENAME TO {}").format(shadow.relation, sql.Identifier(shadow.old.name.name))
            )
            parts += (
                sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                    sql.Identifier(shadow.old.name.schema, new.name), sql.Identifier(named.name)
                )
                for new, named in zip(shadow.table.indexes, shadow.old.indexes, strict=True)
            )
        return sql.SQL("; ").join([*parts, *late])

    def _move_sequences(self, shadow: Shadow, parts: list[sql.Composable], late: list[sql.Composable]) -> None:
        for row in self._pairs("sequences", shadow):
            own = sql.Identifier(row["schema"], row["name"])
            if row["identity"]:
                new = row["new"]
                parts.append(
                    sql.SQL("SELECT pg_catalog.setval({}, last_value, is_called) FROM {}").format(sql.Literal(new), own)
                )
                late.append(sql.SQL("ALTER SEQUENCE {} RENAME TO {}").format(sql.SQL(new), sql.Identifier(row["name"])))
            else:
                column = sql.Identifier(shadow.table.name.schema, shadow.table.name.name, row["column"])
                parts.append(sql.SQL("ALTER SEQUENCE {} OWNED BY {}").format(own, column))

    def _rename_statistics(self, shadow: Shadow, late: list[sql.Composable]) -> None:
        for row in self._pairs("statistics", shadow):
            name = sql.Identifier(row["name"])
            new = sql.Identifier(row["new_schema"], row["new_name"])
            if row["owner"] is not None:
                late.append(sql.SQL("ALTER STATISTICS {} OWNER TO {}").format(new, sql.Identifier(row["owner"])))
            late.append(sql.SQL("ALTER STATISTICS {} RENAME TO {}").format(new, name))
            if row["schema"] != row["new_schema"]:
                renamed = sql.Identifier(row["new_schema"], row["name"])
                late.append(sql.SQL("ALTER STATISTICS {} SET SCHEMA {}").format(renamed, sql.Identifier(row["schema"])))

    def _pairs(self, name: str, shadow: Shadow) -> list[dict[str, Any]]:
        with self._conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query("swap", name), {"old": shadow.old.oid, "new": shadow.oid}).fetchall()


def portrait(conn: psycopg.Connection, oids: Sequence[int]) -> Portrait:
    """Everything about the tables that is not data."""
    rows = conn.execute(query("swap", "portrait"), {"oids": list(oids)}).fetchall()
    return {(sort, owner, name): tuple(facts) for sort, owner, name, facts in rows}


def write_out(main: psycopg.Connection, ledger_conn: psycopg.Connection, run_id: int) -> None:
    """Makes the server write, before the swap, what the commit would write while readers wait.

    A commit flushes the log up to its own record. Under ``wal_level = minimal`` new tables are not in the log, and the
    commit itself syncs their files; a checkpoint does most of that in advance, if the role may ask for one.
    """
    if main.execute(query("publish", "may_checkpoint")).fetchone() == (True, True):
        ledger_conn.execute("CHECKPOINT")
    else:
        ledger_conn.execute("UPDATE pgsluice.run SET detail = detail WHERE run_id = %s", (run_id,))
