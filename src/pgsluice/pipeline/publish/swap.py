"""The swap: new tables take the old ones' places, in a section so short that readers hardly notice.

Until here readers and the old tables were left alone. The section locks them, drops them and renames what
was built beside them, with everything it can have done before already done: what costs time is above the
lock. It waits for the lock in short turns, because everybody who comes later waits behind it.
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
from pgsluice.model import Listener, Progress
from pgsluice.pipeline.fallback import Unfit
from pgsluice.pipeline.publish.sequences import advance, farthest
from pgsluice.pipeline.publish.shadow_tables import Shadow, Shadows, statements
from pgsluice.pipeline.retry import PAUSES
from pgsluice.sql import query

_TURN = 0.04
"""Seconds that readers may have to queue behind the swap while it waits for its locks. Doubled in each
further round (see :data:`~pgsluice.pipeline.retry.PAUSES`): where reads never pause, some must wait."""


_REST = 0.08
"""Seconds, on average, between two turns, in which everybody else goes on."""


Portrait = dict[tuple[str, str, str], tuple[str | None, ...]]


class Swap:
    """Puts the new tables of one run in the old ones' places."""

    def __init__(
        self, conn: psycopg.Connection, shadows: Shadows, listen: Listener, holders: Callable[[], str]
    ) -> None:
        """:param holders: says who holds the tables."""
        self._conn = conn
        self._shadows = sorted(shadows.made.values(), key=lambda s: s.old.oid)
        self._listen = listen
        self._holders = holders
        self._old = [s.old.oid for s in self._shadows]
        self._new = [s.oid for s in self._shadows]

    def perform(self, seconds: float, *, no_wait: bool) -> None:
        """Swaps all tables; to be followed by the commit at once.

        :param seconds: how long a round of turns for the locks takes.
        :raises LockedError: somebody holds a table through all rounds.
        :raises Unfit: a table's new self would differ from the old one in more than its rows.
        """
        if not self._shadows:
            return
        conn = self._conn
        for shadow in self._shadows:
            for text in statements(conn, "rights", old=shadow.old.oid, new=shadow.oid):
                conn.execute(sql.SQL(text))
        with conn.cursor(row_factory=dict_row) as cursor:
            near = cursor.execute(query("swap", "neighbours"), {"oids": self._old}).fetchall()
        tables = [sql.Identifier(s.old.name.schema, s.old.name.name) for s in self._shadows]
        tables += [sql.Identifier(r["schema"], r["name"]) for r in near if r["oid"] not in self._new]
        script = self._script()
        tops = [top for s in self._shadows for top in farthest(conn, s.state)]
        turn = _TURN
        for pause in (*(() if no_wait else PAUSES), None):
            deadline = time.monotonic() + seconds
            while True:
                try:
                    with conn.transaction():
                        before, stamp = portrait(conn, self._old), self._stamp()
                        self._lock(tables, turn)
                        if self._stamp() != stamp:
                            before = portrait(conn, self._old)
                        self._swap(script, tops, turn, before)
                    return
                except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                    if time.monotonic() > deadline:
                        break
                    time.sleep(_REST * random.uniform(0.5, 1.5))
            who = self._holders()
            if pause is None:
                raise LockedError(f"the tables are in use by {who}", "Try again when they have ended")
            self._listen(Progress("wait", step=f"the tables are in use by {who}; trying again in {pause:g} s"))
            time.sleep(pause)
            turn *= 2

    def _lock(self, tables: list[sql.Identifier], turn: float) -> None:
        """Locks the tables, the one that could not be had last time first.

        A reader that holds it may be about to read another: as long as nothing is locked yet that reader goes
        on and ends. For the further ones there is less patience, since readers may wait for the first by then.

        :raises psycopg.errors.LockNotAvailable: somebody holds one; it is the first of ``tables`` now.
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

    def _swap(self, script: sql.Composed, tops: Sequence[tuple[str, int]], turn: float, before: Portrait) -> None:
        conn = self._conn
        # What is dropped and altered locks more, above all the parents of foreign keys that may not be locked.
        conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(int(turn * 1000))))
        for sequence, top in tops:
            advance(conn, sequence, top)
        try:
            conn.execute(script)
        except psycopg.errors.DependentObjectsStillExist as error:
            what = (error.diag.message_detail or "something").split("\n")[0]
            raise Unfit(self._shadows[0].old.name, what) from error
        after = portrait(conn, self._new)
        if before != after:
            raise self._difference(before, after)

    def _stamp(self) -> list[tuple[Any, ...]]:
        """Tells quickly whether something that no lock keeps out, such as a GRANT, came after a portrait."""
        return self._conn.execute(query("swap", "stamp"), {"oids": self._old}).fetchall()

    def _difference(self, before: Portrait, after: Portrait) -> Unfit:
        key = next(k for k in sorted({*before, *after}) if before.get(k) != after.get(k))
        sort, owner, name = key
        shadow = next((s for s in self._shadows if str(s.old.name) == owner), self._shadows[0])
        lost = "changed meanwhile or cannot be kept"
        return Unfit(shadow.old.name, f"{sort} {name} {lost}")

    def _script(self) -> sql.Composed:
        """All renaming in one message to the server."""
        parts: list[sql.Composable] = []
        late: list[sql.Composable] = []
        for shadow in self._shadows:
            self._sequences(shadow, parts, late)
            self._statistics(shadow, late)
            for fk, name in shadow.incoming:
                assert fk.table is not None
                child, own = sql.Identifier(fk.table.schema, fk.table.name), sql.Identifier(fk.name)
                parts.append(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(child, own))
                late.append(
                    sql.SQL("ALTER TABLE {} RENAME CONSTRAINT {} TO {}").format(child, sql.Identifier(name), own)
                )
        old = [sql.Identifier(s.old.name.schema, s.old.name.name) for s in self._shadows]
        parts.append(sql.SQL("DROP TABLE {}").format(sql.SQL(", ").join(old)))
        for shadow in self._shadows:
            parts.append(
                sql.SQL("ALTER TABLE {} RENAME TO {}").format(shadow.state.target, sql.Identifier(shadow.old.name.name))
            )
            parts += (
                sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                    sql.Identifier(shadow.old.name.schema, new.name), sql.Identifier(named.name)
                )
                for new, named in zip(shadow.table.indexes, shadow.old.indexes, strict=True)
            )
        return sql.SQL("; ").join([*parts, *late])

    def _sequences(self, shadow: Shadow, parts: list[sql.Composable], late: list[sql.Composable]) -> None:
        for row in self._pairs("sequences", shadow):
            own = sql.Identifier(row["schema"], row["name"])
            if row["identity"]:
                new = row["new"]
                parts.append(sql.SQL("SELECT setval({}, last_value, is_called) FROM {}").format(sql.Literal(new), own))
                late.append(sql.SQL("ALTER SEQUENCE {} RENAME TO {}").format(sql.SQL(new), sql.Identifier(row["name"])))
            else:
                column = sql.Identifier(shadow.table.name.schema, shadow.table.name.name, row["column"])
                parts.append(sql.SQL("ALTER SEQUENCE {} OWNED BY {}").format(own, column))

    def _statistics(self, shadow: Shadow, late: list[sql.Composable]) -> None:
        for row in self._pairs("statistics", shadow):
            name = sql.Identifier(row["name"])
            if row["owner"] is not None:
                new = sql.Identifier(row["new_schema"], row["new_name"])
                late.append(sql.SQL("ALTER STATISTICS {} OWNER TO {}").format(new, sql.Identifier(row["owner"])))
            late.append(
                sql.SQL("ALTER STATISTICS {} RENAME TO {}").format(
                    sql.Identifier(row["new_schema"], row["new_name"]), name
                )
            )
            if row["schema"] != row["new_schema"]:
                new = sql.Identifier(row["new_schema"], row["name"])
                late.append(sql.SQL("ALTER STATISTICS {} SET SCHEMA {}").format(new, sql.Identifier(row["schema"])))

    def _pairs(self, name: str, shadow: Shadow) -> list[dict[str, Any]]:
        with self._conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query("swap", name), {"old": shadow.old.oid, "new": shadow.oid}).fetchall()


def portrait(conn: psycopg.Connection, oids: Sequence[int]) -> Portrait:
    """Everything about the tables that is not data."""
    rows = conn.execute(query("swap", "portrait"), {"oids": list(oids)}).fetchall()
    return {(sort, owner, name): tuple(facts) for sort, owner, name, facts in rows}


def write_out(main: psycopg.Connection, book: psycopg.Connection, run_id: int) -> None:
    """Has the server write what the commit would have to write while readers wait.

    A commit flushes the log up to its own record. Under ``wal_level = minimal`` the new tables are not in
    the log, and the commit itself syncs their files: a checkpoint does most of it beforehand, where the
    role may ask for one.
    """
    row = main.execute(
        "SELECT current_setting('wal_level') = 'minimal', r.rolsuper OR pg_has_role(r.oid, 'pg_checkpoint', 'MEMBER')"
        " FROM pg_roles AS r WHERE r.rolname = current_user"
    ).fetchone()
    if row == (True, True):
        book.execute("CHECKPOINT")
    else:
        book.execute("UPDATE pgsluice.run SET detail = detail WHERE run_id = %s", (run_id,))
