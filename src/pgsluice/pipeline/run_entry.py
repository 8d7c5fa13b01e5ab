"""The run's entry in the ledger: its id, its start, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import psycopg

from pgsluice.ledger.advisory_locks import hold_run
from pgsluice.ledger.runs import finish_run, start_run
from pgsluice.model import LoadOptions, RunStatus
from pgsluice.source.places.addresses import shown_address


class RunEntry:
    """One run in the ledger. ``run_id`` is 0 until the entry is opened."""

    def __init__(self, paths: Sequence[str], options: LoadOptions, replay_of: int | None, run_id: int = 0) -> None:
        """:param replay_of: the run whose rejects the run replays.
        :param run_id: the id of an interrupted run that is resumed.
        """
        self._paths = list(paths)
        self._options = options
        self._started = time.perf_counter()
        self.replay_of = replay_of
        self.run_id = run_id
        self.began = False
        """An attempt of this process has opened the entry."""

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._started

    def open(
        self, ledger_conn: psycopg.Connection, main: psycopg.Connection, fields: Mapping[str, Sequence[str]]
    ) -> None:
        """Starts the run in the ledger, unless it is started, and marks ``main`` as a connection of the run.

        :param fields: the names of the fields by path, for the files of which a replay has to know them.
        """
        if not self.run_id:
            paths = [shown_address(path) for path in self._paths]
            options: dict[str, Any] = asdict(self._options) | {"paths": paths, "fields": fields}
            self.run_id = start_run(ledger_conn, options, self.replay_of)
        hold_run(main, self.run_id)
        self.began = True

    def finish(self, conn: psycopg.Connection, status: RunStatus, detail: str = "", report: str | None = None) -> None:
        """Records how the run ended. ``published`` has to be recorded on the main connection, before its commit.

        :param detail: why nothing was published.
        :param report: the path of the CSV report of rejects.
        """
        finish_run(conn, self.run_id, status, self.seconds, detail, report)

    def is_published(self, ledger_conn: psycopg.Connection) -> bool:
        """Whether the ledger says that the run is published."""
        row = ledger_conn.execute("SELECT status FROM pgsluice.run WHERE run_id = %s", (self.run_id,)).fetchone()
        return row == (RunStatus.PUBLISHED,)
