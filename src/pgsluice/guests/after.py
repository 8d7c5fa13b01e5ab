"""Runs the guests of a run after its publish, and records what became of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg

from pgsluice.errors import SluiceError
from pgsluice.guests import dbt
from pgsluice.ledger.quality import newest_published, record_guests, was_built
from pgsluice.model import Guest, GuestResult, Listener, RunResult, RunStatus

_log = logging.getLogger(__name__)

Connect = Callable[[str], psycopg.Connection]


def check_guests(guests: Sequence[Guest]) -> None:
    """Checks, before a run begins, what can be known then: the programs are installed, and the projects are there.

    :raises CallError: a program is not installed.
    :raises FileError: a project is not there.
    """
    for guest in guests:
        dbt.check(guest.project)


def run_guests(connect: Connect, guests: Sequence[Guest], result: RunResult, listen: Listener) -> RunResult:
    """Runs guests one after the other until one fails, and records the results.

    After a run that skipped every file, a guest runs only if it was not built since the newest published run: the same
    command, given again after a failure, does what is left to do.

    :param connect: opens a connection to the database of the run with the given application name.
    :param result: of the run.
    :param listen: receives the phase ``then``.
    :returns: the result of the run with the results of the guests.
    """
    if not guests or result.status not in (RunStatus.PUBLISHED, RunStatus.SKIPPED):
        return result
    done: list[GuestResult] = []
    try:
        with connect("pgsluice guests") as conn:
            conn.autocommit = True
            newest = newest_published(conn) or result.run_id
            run_id = result.run_id if result.status == RunStatus.PUBLISHED else newest
            for guest in guests:
                if result.status == RunStatus.SKIPPED and was_built(conn, guest, newest):
                    continue
                done.append(dbt.build(conn, guest.project, run_id, newest, listen))
                _tell(done[-1])
                if not done[-1].ok:
                    break
        if done:
            # The connection may have been lost while the guest ran, and its transaction is none of the guest's.
            with connect("pgsluice guests") as conn:
                _record(conn, run_id, done)
    except (psycopg.Error, SluiceError) as error:
        done = _with_trouble(guests, done, str(error).strip().split("\n")[0])
    return replace(result, guests=tuple(done))


def _record(conn: psycopg.Connection, run_id: int, done: Sequence[GuestResult]) -> None:
    """Writes the results into the ledger. A database whose encoding lacks a character gets an escape for it."""
    try:
        with conn.transaction():
            record_guests(conn, run_id, done)
    except (psycopg.DataError, psycopg.errors.UntranslatableCharacter):
        with conn.transaction():
            record_guests(conn, run_id, [_in_ascii(r) for r in done])


def _in_ascii(result: GuestResult) -> GuestResult:
    nodes = tuple(replace(n, name=_escaped(n.name), message=_escaped(n.message)) for n in result.nodes)
    project, name, message = map(_escaped, (result.project, result.name, result.message))
    return replace(result, nodes=nodes, project=project, name=name, message=message)


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _with_trouble(guests: Sequence[Guest], done: Sequence[GuestResult], words: str) -> list[GuestResult]:
    """The results, the last of which says what went wrong with the database."""
    if not done:
        first = guests[0]
        return [GuestResult(first.program, first.project, "", 0, False, 0.0, words)]
    said = f"the result is not in the ledger: {words}"
    return [*done[:-1], replace(done[-1], ok=False, message="; ".join(filter(None, (done[-1].message, said))))]


def _tell(result: GuestResult) -> None:
    """Logs how a guest ended."""
    failed = [n.name for n in result.nodes if not n.ok and n.status != "skipped"]
    words = result.message or ", ".join(failed) or f"{len(result.nodes)} nodes"
    level = logging.INFO if result.ok else logging.WARNING
    ended = "built" if result.ok else "failed"
    _log.log(level, "%s %s %s after %.3f s: %s", result.program, result.project, ended, result.seconds, words)
