"""Stages that outlive their run, so that an interrupted one can go on (``--resumable``, ``resume``).

An ordinary run keeps its stages in temporary tables, which vanish with it. A resumable one stages each
file in a transaction of its own, on a connection of its own, into unlogged tables of the ledger's schema,
and notes each file that is staged whole. What is published is still one transaction: the stages are
poured and dropped in it. A server that crashed has emptied its unlogged tables; that is noticed by
counting, and such a run stages anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from pgsluice.errors import FileError
from pgsluice.ledger.advisory_locks import RUN_LOCK_CLASS
from pgsluice.pipeline.scratch import REJECT
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.source.blocks import Extent
from pgsluice.source.streams import hash_of
from pgsluice.sql import query

_CREATION_LOCK_CLASS = 0x736C65
"""Advisory locks for making the table of staged files; the runs' own class holds run ids."""


class Staging:
    """The lasting stages of one run."""

    def __init__(self, connect: Callable[[str], psycopg.Connection], run_id: int) -> None:
        """:param connect: opens a connection that goes by the name given."""
        self.conn = connect("pgsluice stage")
        self.faults = sql.Identifier("pgsluice", f"fault_{run_id}")
        self._run_id = run_id
        with self.conn.transaction():
            # Two first resumable runs at once: one makes the table, the other waits for it.
            self.conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_CREATION_LOCK_CLASS,))
            self.conn.execute(query("checkpoint", "create"))
            self.conn.execute(
                sql.SQL(
                    "CREATE UNLOGGED TABLE IF NOT EXISTS {} (tab integer, ord bigint, kind text, col text, con text,"
                    " code text, message text)"
                ).format(self.faults)
            )

    def close(self) -> None:
        self.conn.close()

    def adopt(self, states: Sequence[TableRun]) -> None:
        """Gives the tables their lasting stages, and marks the files that are staged already.

        :raises FileError: a staged file is another one now.
        """
        by_oid: dict[int, list[tuple[Any, ...]]] = {}
        for row in self.conn.execute(query("checkpoint", "of_run"), {"run_id": self._run_id}).fetchall():
            by_oid.setdefault(int(row[0]), []).append(row[1:])
        for state in states:
            oid = state.plan.table.oid
            state.lasting = True
            state.stage = sql.Identifier("pgsluice", f"stage_{self._run_id}_{oid}")
            state.doubt = sql.Identifier("pgsluice", f"doubt_{self._run_id}_{oid}")
            state.stage_made = self._exists(state.stage)
            state.doubt_made = self._exists(state.doubt)
            rows = by_oid.get(oid, [])
            if rows and self._complete(state, rows):
                self._take(state, rows)
            elif rows or state.stage_made:
                self._begin_anew(state)
        self.conn.commit()

    def _take(self, state: TableRun, rows: Sequence[tuple[Any, ...]]) -> None:
        by_path = {f.plan.file.path: f for f in state.files}
        for path, sha256, first, read, staged, doubts, extents, number in rows:
            file = by_path.get(path)
            # The records that could not be read are noted by the table's number in the run.
            if file is None or number != state.number or hash_of(path) != sha256:
                raise FileError(
                    f"{path}: the files have changed since run {self._run_id} staged them",
                    "Load them anew instead of resuming",
                )
            file.base, file.read, file.sha256, file.staged_before = first, read, sha256, True
            file.extents = [Extent(**e) for e in extents]
            state.staged += staged
            state.doubts += doubts
            state.suspect = state.suspect or bool(doubts)

    def _complete(self, state: TableRun, rows: Sequence[tuple[Any, ...]]) -> bool:
        """Whether the tables hold what was noted: a server that crashed has emptied them."""
        for relation, made, expected in (
            (state.stage, state.stage_made, sum(r[4] for r in rows)),
            (state.doubt, state.doubt_made, sum(r[5] for r in rows)),
        ):
            held = 0
            if made:
                row = self.conn.execute(sql.SQL("SELECT count(*) FROM {}").format(relation)).fetchone()
                held = row[0] if row else 0
            if held != expected:
                return False
        return True

    def _begin_anew(self, state: TableRun) -> None:
        for relation in (state.stage, state.doubt):
            self.conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(relation))
        self.conn.execute(sql.SQL("DELETE FROM {} WHERE tab = %s").format(self.faults), (state.number,))
        self.conn.execute(
            "DELETE FROM pgsluice.staged WHERE run_id = %s AND table_oid = %s", (self._run_id, state.plan.table.oid)
        )
        state.stage_made = state.doubt_made = False

    def _exists(self, table: sql.Identifier) -> bool:
        row = self.conn.execute("SELECT to_regclass(%s) IS NOT NULL", (table.as_string(self.conn),)).fetchone()
        return bool(row and row[0])

    def note(self, state: TableRun, file: FileRun, staged: int, doubts: int) -> None:
        """The file is staged whole: its rows and this note of them are committed together."""
        self.conn.execute(
            query("checkpoint", "add"),
            {
                "run_id": self._run_id,
                "table_oid": state.plan.table.oid,
                "path": file.plan.file.path,
                "sha256": file.sha256,
                "bytes": file.plan.file.bytes,
                "first_ordinal": file.base,
                "rows_read": file.read,
                "rows_staged": staged,
                "rows_in_doubt": doubts,
                "extents": Jsonb([asdict(e) for e in file.extents]),
                "number": state.number,
            },
        )
        self.conn.commit()

    def hand_over(self, main: psycopg.Connection) -> None:
        """What the main transaction needs besides the stages: the records that could not be read."""
        main.execute(
            sql.SQL("INSERT INTO {} (tab, ord, kind, col, con, code, message) SELECT * FROM {}").format(
                REJECT, self.faults
            )
        )

    def drop(self, conn: psycopg.Connection, states: Sequence[TableRun]) -> None:
        """Drops the run's stages, in ``conn``'s transaction."""
        for relation in (self.faults, *(t for s in states for t in (s.stage, s.doubt))):
            conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(relation))
        conn.execute(query("checkpoint", "forget"), {"run_id": self._run_id})


def sweep(book: psycopg.Connection, except_run: int) -> None:
    """Drops the stages that dead runs left behind: whoever loads anew does not want to resume."""
    left = book.execute(
        query("checkpoint", "left_behind"), {"except_run": except_run, "class": RUN_LOCK_CLASS}
    ).fetchall()
    for name, run_id in left:
        with book.transaction():
            # The name comes quoted from regclass.
            book.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.SQL(name)))
            book.execute(query("checkpoint", "forget"), {"run_id": run_id})
