"""Checkpoints of a resumable run (``--resumable``): stages that outlive the run, so that it can be resumed.

An ordinary run keeps its stages in temporary tables, which vanish with its connection. A resumable run stages each
file in a transaction of its own, on a connection of its own, into unlogged tables of the ledger's schema, and records
each file that is staged completely. The publish is still one transaction, in which the stages are emptied into the
tables and dropped. A server that crashes empties its unlogged tables; the checkpoints notice that by counting, and the
run stages those files again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from pgsluice.errors import DatabaseError, FileError
from pgsluice.ledger.advisory_locks import RUN_LOCK_CLASS
from pgsluice.pipeline.scratch import REJECT
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.source.blocks import Extent
from pgsluice.source.streams import hash_of
from pgsluice.sql import compose, query

_CREATION_LOCK_CLASS = 0x736C65
"""The class of the advisory lock under which the table of staged files is created ("sl" and a letter in ASCII)."""


class Checkpoints:
    """The lasting stages of one run."""

    def __init__(self, connect: Callable[[str], psycopg.Connection], run_id: int) -> None:
        """:param connect: opens a connection with the given application name."""
        self.conn = connect("pgsluice stage")
        self.faults = sql.Identifier("pgsluice", f"fault_{run_id}")
        """The table of records that cannot be parsed."""
        self._run_id = run_id
        with self.conn.transaction():
            # Two resumable runs may be the first at the same time: one of them creates the table, the other waits.
            self.conn.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s, 0)", (_CREATION_LOCK_CLASS,))
            self.conn.execute(query("checkpoint", "create"))
            self.conn.execute(compose("scratch", "create_faults", faults=self.faults))
            self._refuse_foreign()

    def _refuse_foreign(self) -> None:
        """Checks that no other role has made a stage of the run, whose triggers would run with the rights of this role.

        :raises DatabaseError: another role has.
        """
        found = self.conn.execute(query("checkpoint", "foreign_stage"), {"run_id": self._run_id}).fetchone()
        if found is not None:
            raise DatabaseError(
                f"table pgsluice.{found[0]} of role {found[1]} has the name of a stage of run {self._run_id} and is not"
                " a table that this role can trust",
                f"As a superuser: DROP TABLE pgsluice.{found[0]}; then load again",
            )

    def close(self) -> None:
        """Closes the connection. The stages stay."""
        self.conn.close()

    def adopt(self, table_runs: Sequence[TableRun]) -> None:
        """Gives the tables their lasting stages and marks the files that are staged already.

        :raises FileError: a staged file has changed.
        """
        by_oid: dict[int, list[tuple[Any, ...]]] = {}
        for row in self.conn.execute(query("checkpoint", "of_run"), {"run_id": self._run_id}).fetchall():
            by_oid.setdefault(int(row[0]), []).append(row[1:])
        for table_run in table_runs:
            oid = table_run.table.oid
            stage = sql.Identifier("pgsluice", f"stage_{self._run_id}_{oid}")
            text_stage = sql.Identifier("pgsluice", f"text_stage_{self._run_id}_{oid}")
            table_run.scratch.outlive_run(
                stage, text_stage, stage_made=self._exists(stage), text=self._exists(text_stage)
            )
            rows = by_oid.get(oid, [])
            if rows and self._complete(table_run, rows):
                self._take_over(table_run, rows)
            elif rows or table_run.scratch.stage_made:
                self._discard(table_run)
        self.conn.commit()

    def add(self, table_run: TableRun, file: FileRun, staged: int, in_doubt: int) -> None:
        """Records that a file is staged completely, in the transaction that staged it, and commits.

        :param staged: rows of the file in the stage; ``in_doubt``: rows in the text stage.
        """
        self.conn.execute(
            query("checkpoint", "add"),
            {
                "run_id": self._run_id,
                "table_oid": table_run.table.oid,
                "path": file.plan.file.path,
                "sha256": file.sha256,
                "bytes": file.plan.file.bytes,
                "first_ordinal": file.base,
                "rows_read": file.read,
                "rows_staged": staged,
                "rows_in_doubt": in_doubt,
                "extents": Jsonb([asdict(e) for e in file.extents]),
                "number": table_run.number,
            },
        )
        self.conn.commit()

    def hand_over(self, main: psycopg.Connection) -> None:
        """Copies the rejects of unparsable records into the main transaction."""
        main.execute(
            sql.SQL(
                "INSERT INTO {} (table_no, ordinal, kind, column_name, constraint_name, sqlstate, message, detail)"
                " SELECT * FROM {}"
            ).format(REJECT, self.faults)
        )

    def drop(self, conn: psycopg.Connection, table_runs: Sequence[TableRun]) -> None:
        """Drops the stages of the run, in the transaction of ``conn``."""
        for relation in (self.faults, *(r for t in table_runs for r in (t.scratch.stage, t.scratch.text_stage))):
            conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(relation))
        conn.execute(query("checkpoint", "forget"), {"run_id": self._run_id})

    def _take_over(self, table_run: TableRun, rows: Sequence[tuple[Any, ...]]) -> None:
        by_path = {f.plan.file.path: f for f in table_run.files}
        for path, sha256, first, read, staged, in_doubt, extents, number in rows:
            file = by_path.get(path)
            # Rejects of unparsable records are stored under the number of the table run.
            if file is None or number != table_run.number or hash_of(file.plan.file) != sha256:
                raise FileError(
                    f"{path}: the files have changed since run {self._run_id} staged them",
                    "Load them anew instead of resuming",
                )
            file.base, file.read, file.sha256, file.staged_before = first, read, sha256, True
            file.extents = [Extent(**e) for e in extents]
            table_run.counts.staged += staged
            table_run.counts.in_doubt += in_doubt
            table_run.findings.suspect = table_run.findings.suspect or bool(in_doubt)

    def _complete(self, table_run: TableRun, rows: Sequence[tuple[Any, ...]]) -> bool:
        """Whether the stages hold as many rows as were recorded. A server that crashed has emptied them."""
        scratch = table_run.scratch
        for relation, made, expected in (
            (scratch.stage, scratch.stage_made, sum(r[4] for r in rows)),
            (scratch.text_stage, scratch.text_stage_made, sum(r[5] for r in rows)),
        ):
            held = 0
            if made:
                row = self.conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(relation)).fetchone()
                held = row[0] if row else 0
            if held != expected:
                return False
        return True

    def _discard(self, table_run: TableRun) -> None:
        scratch = table_run.scratch
        for relation in (scratch.stage, scratch.text_stage):
            self.conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(relation))
        self.conn.execute(sql.SQL("DELETE FROM {} WHERE table_no = %s").format(self.faults), (table_run.number,))
        self.conn.execute(
            "DELETE FROM pgsluice.staged WHERE run_id = %s AND table_oid = %s", (self._run_id, table_run.table.oid)
        )
        scratch.forget_stages()

    def _exists(self, table: sql.Identifier) -> bool:
        row = self.conn.execute(
            "SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (table.as_string(self.conn),)
        ).fetchone()
        return bool(row and row[0])


def drop_left_behind(ledger_conn: psycopg.Connection, except_run: int) -> None:
    """Drops the stages of runs that have ended; a user who loads again does not resume.

    :param except_run: the run that is being resumed.
    """
    found = ledger_conn.execute(
        query("checkpoint", "left_behind"), {"except_run": except_run, "class": RUN_LOCK_CLASS}
    ).fetchall()
    for name, run_id in found:
        with ledger_conn.transaction():
            # regclass has quoted the name.
            ledger_conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.SQL(name)))
            ledger_conn.execute(query("checkpoint", "forget"), {"run_id": run_id})
