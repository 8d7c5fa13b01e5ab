"""A run: from paths to published tables, with as many attempts as it takes.

Two connections work side by side. The *main* connection holds the transaction in which everything happens that a reader
of the tables may see; if the process is killed, PostgreSQL rolls it back. The *ledger* connection records, in small
transactions of its own, that the run exists and how it ended if it did not publish. That a run published is recorded by
the main transaction itself, so the ledger cannot disagree with the tables.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from pgsluice.errors import CallError, ConnectError, DatabaseError, LockedError
from pgsluice.ledger.advisory_locks import hold_run, lock_tables
from pgsluice.ledger.reports import record_notes
from pgsluice.ledger.runs import mark_interrupted
from pgsluice.ledger.schema import ensure
from pgsluice.model import Listener, LoadOptions, Phase, Progress, RunNotes, RunResult, RunStatus, SourceFile
from pgsluice.pipeline.attempt import Attempt
from pgsluice.pipeline.fallback import FallBack, Retreat
from pgsluice.pipeline.ingest.checkpoint import drop_left_behind
from pgsluice.pipeline.plan.discovery import discover_files
from pgsluice.pipeline.plan.prepare import Lessons, Preparation, ReplayFiles
from pgsluice.pipeline.retry import LOCKED, PAUSES, transient_reason
from pgsluice.pipeline.run_entry import RunEntry
from pgsluice.pipeline.timing import Clock
from pgsluice.postgres.connecting.session import configure_session
from pgsluice.postgres.sqlstate import primary_message
from pgsluice.source.discover import Discovery
from pgsluice.source.places.addresses import has_secret, is_remote, shown_address
from pgsluice.source.places.spool import STDIN, is_pipe
from pgsluice.source.records.fast_scan import warm_up

if TYPE_CHECKING:
    from pgsluice.pipeline.rejects.replay import Replay

_log = logging.getLogger(__name__)

_CONNECTIONS = 2
"""How many connections a run has: the main connection and the ledger connection."""


class Run:
    """One load. Made for one call of :meth:`execute`."""

    def __init__(
        self,
        connect: Callable[[str], psycopg.Connection],
        paths: Sequence[str],
        options: LoadOptions,
        listen: Listener,
        replay: Replay | None = None,
        resume: int = 0,
    ) -> None:
        """:param connect: opens a connection to the target database with the given application name.
        :param paths: the files; of a replay, the corrected file.
        :param replay: load these corrected rejects of an earlier run.
        :param resume: the id of an interrupted run to continue.
        """
        self._connect = connect
        self._main: psycopg.Connection
        self._ledger_conn: psycopg.Connection
        self._connections: list[psycopg.Connection] = []
        """The main connection and the ledger connection, once they are open."""
        self._were_open = False
        """Both connections were open at some time."""
        self._ledger_ready = False
        self._paths = paths
        self._options = options
        self._listen = listen
        self._replay = replay
        self._clock = Clock()
        self._entry = RunEntry(paths, options, replay.run_id if replay else None, resume)
        self._lessons = Lessons()
        self._attempt: Attempt | None = None

    def _discover(self) -> Discovery:
        options = self._options
        if options.resumable:
            _check_lasting(self._paths)
        return discover_files(self._paths, options)

    def execute(self) -> RunResult:
        """Runs the load; errors that pass are tried again (:mod:`pgsluice.pipeline.retry`).

        :returns: what was read, loaded and rejected.
        :raises SluiceError: something stands against the load; nothing was published.
        :raises psycopg.Error: an error of the database that does not pass; nothing was published.
        """
        found = Discovery(tuple(self._replay.files), ()) if self._replay else self._discover()
        try:
            # Imports numpy while the connections are opened and the load is planned.
            warm_up()
            result = self._attempts(found.files)
        except BaseException as error:
            if (after_all := self._fail(error)) is None:
                raise
            result = after_all
        finally:
            self._close_checkpoints()
            self._close()
            found.close()
        plan = self._attempt.plan if self._attempt else None
        if plan is None:
            return replace(result, ignored=found.ignored)
        # The report has found columns that are too narrow.
        drift = (*plan.drift, *result.drift)
        return replace(result, ignored=(*found.ignored, *plan.ignored), drift=drift, target=plan.target)

    def _open(self) -> None:
        """Opens the connections."""
        # A connection that is open belongs to the list at once: the next one may fail.
        self._main = self._connect("pgsluice")
        self._connections.append(self._main)
        configure_session(self._main)
        self._ledger_conn = self._connect("pgsluice ledger")
        self._connections.append(self._ledger_conn)
        self._ledger_conn.autocommit = True
        if self._entry.run_id:
            hold_run(self._ledger_conn, self._entry.run_id)
        self._were_open = True

    def _close(self) -> None:
        """Closes the connections."""
        for conn in self._connections:
            conn.close()
        self._connections.clear()

    def _prepare_ledger(self) -> None:
        """Creates or migrates the ledger, and cleans up after interrupted runs."""
        ensure(self._ledger_conn)
        mark_interrupted(self._ledger_conn)
        drop_left_behind(self._ledger_conn, self._entry.run_id)
        self._ledger_ready = True

    def _attempts(self, files: Sequence[SourceFile]) -> RunResult:
        """Attempts to load until an attempt succeeds, or fails with an error that does not pass."""
        pauses = iter(() if self._options.no_wait else PAUSES)
        again = False
        while True:
            try:
                self._close_checkpoints()
                self._reopen()
                if again and (result := self._committed_after_all()) is not None:
                    return result
                if not self._ledger_ready:
                    self._prepare_ledger()
                self._attempt = self._new_attempt()
                return self._attempt.execute(files, self._connect)
            except FallBack as fallback:
                self._fall_back(fallback)
            except psycopg.errors.ReadOnlySqlTransaction as error:
                raise DatabaseError(
                    f"this session only reads: {primary_message(error)}",
                    "If the role has default_transaction_read_only = on: export"
                    " PGOPTIONS='-c default_transaction_read_only=off'. If the server is a standby: give the address of"
                    " the primary",
                ) from error
            except (psycopg.Error, ConnectError) as error:
                what = transient_reason(error, *self._connections, were_open=self._were_open)
                locked = self._attempt is not None and getattr(error, "sqlstate", None) == LOCKED
                if locked:
                    what = f"the tables are in use by {self._preparation.lock_holders()}"
                pause = next(pauses, None)
                if not what or pause is None:
                    if locked:
                        raise LockedError(what, "Try again when they have ended") from error
                    raise
                _log.warning("%s; trying again in %g s", what, pause)
                self._listen(Progress(Phase.WAIT, step=f"{what}; trying again in {pause:g} s"))
                time.sleep(pause)
                again = True

    def _new_attempt(self) -> Attempt:
        replayed = ReplayFiles(self._replay.schemas, self._replay.corrections) if self._replay else None
        self._preparation = Preparation(
            self._main, self._ledger_conn, self._options, self._lessons, self._listen, replayed
        )
        return Attempt(
            self._main,
            self._ledger_conn,
            self._preparation,
            self._entry,
            self._options,
            self._clock,
            self._listen,
            self._replay,
        )

    def _fall_back(self, fallback: FallBack) -> None:
        """Rolls back and notes the reason, so that the next attempt plans accordingly."""
        self._main.rollback()
        if self._attempt is not None and self._attempt.committing is not None:
            self._listen(Progress(Phase.ROLLBACK))
        if fallback.to is Retreat.READ_DATES:
            self._lessons.values.found_numeric_date(fallback.path)
        elif fallback.to is Retreat.READ_NUMBERS:
            self._lessons.values.found_signs(fallback.path)
        else:
            lessons = self._lessons.no_swap if fallback.to is Retreat.NO_SWAP else self._lessons.stages
            lessons[fallback.table] = fallback.reason
        _log.info("%s: starting again: %s", fallback.table, fallback.reason)
        self._listen(Progress(Phase.PLAN, str(fallback.table), f"starting again: {fallback.reason}"))

    def _reopen(self) -> None:
        """Opens the connections, or rolls back, or opens new connections in place of broken ones."""
        if len(self._connections) == _CONNECTIONS:
            try:
                self._main.rollback()
                self._ledger_conn.execute("SELECT 1")
                return
            except psycopg.Error:
                pass
        self._close()
        self._open()

    def _close_checkpoints(self) -> None:
        if self._attempt is not None and self._attempt.checkpoints is not None:
            self._attempt.checkpoints.close()

    def _committed_after_all(self) -> RunResult | None:
        """The result, if the connection was lost during the commit and the commit succeeded.

        The same transaction has recorded it in the ledger. The lost session has ended when its advisory locks on the
        tables are free.
        """
        if self._attempt is None or (result := self._attempt.committing) is None:
            return None
        lock_tables(self._main, self._attempt.oids, no_wait=False, listen=self._listen)
        return result if self._entry.is_published(self._ledger_conn) else None

    def _fail(self, error: BaseException) -> RunResult | None:
        """Records that the run ended without a result, as far as the connections still live.

        :returns: the result after all, if the error came too late to stop the commit.
        """
        committing = self._attempt.committing if self._attempt is not None else None
        if committing is not None:
            with suppress(psycopg.Error, ConnectError):
                self._reopen()
        if len(self._connections) < _CONNECTIONS:
            return None
        with suppress(psycopg.Error):
            self._main.rollback()
        if not self._entry.run_id:
            return None
        interrupted = isinstance(error, KeyboardInterrupt)
        detail = str(error).strip().split("\n")[0] or ("interrupted" if interrupted else "")
        status = RunStatus.INTERRUPTED if interrupted else RunStatus.FAILED
        _log.warning("run %d: %s: %s", self._entry.run_id, status, detail)
        # If even this cannot be recorded, the next run finds no living session and marks the run as interrupted.
        with suppress(psycopg.Error):
            # This waits for a commit that is under way, and does not overwrite the status of a commit that succeeded.
            self._entry.finish(self._ledger_conn, status, detail)
            if committing is not None and self._entry.is_published(self._ledger_conn):
                return committing
            record_notes(self._ledger_conn, self._entry.run_id, RunNotes(phases=self._clock.times()))
            if committing is not None:
                self._listen(Progress(Phase.ROLLBACK))
        return None


def _check_lasting(paths: Sequence[str]) -> None:
    """Checks that a later process can find the files again by what the ledger stores of their paths.

    :raises CallError: a path is a pipe, or has a secret, which the ledger does not store.
    """
    for path in paths:
        if has_secret(path):
            raise CallError(
                f"{shown_address(path)}: --resumable needs an address without user, password and query string, as the"
                " ledger stores none of them",
                "Leave --resumable out, or give the secret to the file system in its own way, by its variables",
            )
        if not is_remote(path) and (path == STDIN or (os.path.exists(path) and is_pipe(path))):
            raise CallError(
                f"{path}: a run that reads a pipe cannot be resumed", "Leave --resumable out, or load a file"
            )
