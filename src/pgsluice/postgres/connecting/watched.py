"""A connection that does something else while it waits for the server: it asks how far an index build is.

The question goes through another connection, in the thread that waits, so that listeners hear of the answer there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from pgsluice.sql import query

Result = TypeVar("Result")

FIRST = 1.0
"""Seconds of a build before the server is asked for the first time."""
EACH = 0.5
"""Seconds between two questions."""
WHOLE = 1000
"""The share of a build that is over counts in thousandths."""

_INTERVAL = 0.1
"""Seconds after which a wait looks whether there is something to do."""


class WatchedConnection(psycopg.Connection[tuple[object, ...]]):
    """A connection with a function that it calls about ten times a second while it waits for the server."""

    meanwhile: Callable[[], None] | None = None

    def wait(self, gen: PQGen[Result], interval: float = _INTERVAL, timeout: float | None = None) -> Result:
        """Waits for the server, as psycopg does. An error of the function cancels the statement and is raised."""
        if self.meanwhile is None:
            return super().wait(gen, interval, timeout)
        failed: list[BaseException] = []
        try:
            result = super().wait(self._calling(gen, self.meanwhile, failed), interval, timeout)
        except psycopg.errors.QueryCanceled:
            if failed:
                raise failed[0] from None
            raise
        if failed:
            raise failed[0]
        return result

    def _calling(self, gen: PQGen[Result], meanwhile: Callable[[], None], failed: list[BaseException]) -> PQGen[Result]:
        """The generator, with a call whenever the socket was not ready in time.

        The generator has to go on after an error, until the server has answered: otherwise the connection could not
        execute another statement, not even a rollback.
        """
        try:
            wanted: Any = next(gen)
            while True:
                ready = yield wanted
                try:
                    if ready == 0 and not failed:
                        meanwhile()
                except BaseException as error:
                    failed.append(error)
                    with suppress(psycopg.Error):
                        self.cancel_safe(timeout=5)
                wanted = gen.send(ready)
        except StopIteration as end:
            result: Result = end.value
            return result


@contextmanager
def watched_build(
    conn: psycopg.Connection[Any], other: psycopg.Connection[Any], tell: Callable[[int], None]
) -> Iterator[None]:
    """Tells, while the context lasts, how far the indexes are that ``conn`` builds.

    :param other: a connection that does nothing meanwhile, in autocommit mode.
    :param tell: receives the share that is over, in thousandths, whenever it has changed.
    """
    if not isinstance(conn, WatchedConnection):
        yield
        return
    pid = conn.info.backend_pid
    due = time.monotonic() + FIRST
    told = -1

    def ask() -> None:
        nonlocal due, told
        if time.monotonic() < due:
            return
        due = time.monotonic() + EACH
        with suppress(psycopg.Error):
            row = other.execute(query("session", "index_share"), {"pid": pid, "whole": WHOLE}).fetchone()
            share = int(row[0]) if row else told
            if share != told:
                told = share
                tell(share)

    conn.meanwhile = ask
    try:
        yield
    finally:
        conn.meanwhile = None
