"""What a replay reads from the ledger, and what it writes there: which rejects it loads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from psycopg.rows import tuple_row

from pgsluice.errors import AccountingError, CallError
from pgsluice.ledger.queries import REJECTS_PER_FETCH
from pgsluice.ledger.rejects import RejectRow
from pgsluice.ledger.statements import Connection, fetch_rows, fetch_value
from pgsluice.model import Verdict
from pgsluice.sql import query


class RunToReplay(NamedTuple):
    """A run whose rejects are to be replayed."""

    status: str
    options: dict[str, Any]
    replay_of: int | None


class FileToReplay(NamedTuple):
    """A file of a run that is replayed: where its records go, and how they are read."""

    path: str
    table_oid: int
    table_schema: str
    table_name: str
    columns: list[str]
    dialect: dict[str, Any]


def run_to_replay(conn: Connection, run_id: int) -> RunToReplay | None:
    """Returns a run, None if the run does not exist."""
    rows = fetch_rows(conn, "run_to_replay", run_id=run_id)
    return RunToReplay(*rows[0]) if rows else None


def files_to_replay(conn: Connection, run_id: int) -> tuple[FileToReplay, ...]:
    """Returns the files of a run that had rejects."""
    return tuple(FileToReplay(*row) for row in fetch_rows(conn, "files_to_replay", run_id=run_id))


def rejects_to_replay(conn: Connection, run_id: int) -> Iterator[tuple[int, RejectRow]]:
    """Yields all rejects of a run with their numbers, in ascending order, those that were replayed included.

    The rows are read through a server-side cursor. ``conn`` is inside a transaction until the iterator ends or is
    closed.
    """
    with conn.transaction(), conn.cursor("pgsluice_replay", row_factory=tuple_row) as cursor:
        cursor.itersize = REJECTS_PER_FETCH
        for row in cursor.execute(query("ledger", "rejects_to_replay"), {"run_id": run_id}):
            number, table, file, line, ordinal, *verdict, raw, parent_file, parent_line, replayed_by = row
            yield (
                number,
                RejectRow(
                    table, file, line, ordinal, Verdict(*verdict), raw, parent_file, parent_line, number, replayed_by
                ),
            )


def may_replay(conn: Connection) -> bool:
    """Says whether the role may write which rejects were replayed."""
    return bool(fetch_value(conn, "may_replay"))


def mark_replayed(conn: Connection, run_id: int, replay: int, numbers: Iterable[int]) -> None:
    """Writes that a replay loads these rejects.

    :param conn: the main connection, inside the transaction that loads.
    :param run_id: the run that is replayed.
    :param replay: the run that replays.
    :param numbers: the numbers of the rejects in ``run_id``.
    :raises CallError: another replay loaded some of the rejects in the meantime.
    :raises AccountingError: ``run_id`` rejected fewer rows than were replayed.
    """
    with conn.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE pgsluice_replayed (reject_no bigint PRIMARY KEY) ON COMMIT DROP")
        with cursor.copy(query("ledger", "copy_replayed")) as copy:
            for number in numbers:
                copy.write_row((number,))
        wanted = cursor.rowcount
        runs = {"run_id": run_id, "replay": replay}
        if cursor.execute(query("ledger", "mark_replayed"), runs).rowcount != wanted:
            raise CallError(
                f"another replay of run {run_id} has loaded some of these rejects in the meantime",
                f"pgsluice rejects {run_id} --format csv writes those that are still open",
            )
        cursor.execute(query("ledger", "mark_earlier_replays"), runs)
        cursor.execute(query("ledger", "count_replayed"), runs)
    if fetch_value(conn, "files_out_of_balance", run_id=run_id):
        raise AccountingError(
            f"more rows of run {run_id} would be replayed than it rejected; nothing was published",
            "Please report this as a defect of pgsluice",
        )
