"""TODO pgsluice.ledger.replays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.rows import tuple_row

from pgsluice.errors import AccountingError, CallError
from pgsluice.ledger.queries import _REJECTS_PER_FETCH
from pgsluice.ledger.statements import Connection, fetch_rows, fetch_value
from pgsluice.sql import query

if TYPE_CHECKING:
    pass


class RunToReplay(NamedTuple):
    status: str
    options: dict[str, Any]
    replay_of: int | None


class FileToReplay(NamedTuple):
    path: str
    table_oid: int
    table_schema: str
    table_name: str
    columns: list[str]
    dialect: dict[str, Any]


class RejectToReplay(NamedTuple):
    number: int
    file: str
    line: int
    ordinal: int
    kind: str
    column_name: str
    constraint_name: str
    sqlstate: str
    message: str
    raw: str
    replayed_by: int | None


def run_to_replay(conn: Connection, run_id: int) -> RunToReplay | None:
    """A run, None if there is no such."""
    rows = fetch_rows(conn, "run_to_replay", run_id=run_id)
    return RunToReplay(*rows[0]) if rows else None


def files_to_replay(conn: Connection, run_id: int) -> tuple[FileToReplay, ...]:
    """The files of a run of which rows were rejected."""
    return tuple(FileToReplay(*row) for row in fetch_rows(conn, "files_to_replay", run_id=run_id))


def rejects_to_replay(conn: Connection, run_id: int) -> Iterator[RejectToReplay]:
    """All rejected rows of a run in the order of their numbers, as a stream; see :func:`reject_rows`."""
    with conn.transaction(), conn.cursor("pgsluice_replay", row_factory=tuple_row) as cursor:
        cursor.itersize = _REJECTS_PER_FETCH
        for row in cursor.execute(query("ledger", "rejects_to_replay"), {"run_id": run_id}):
            yield RejectToReplay(*row)


def may_replay(conn: Connection) -> bool:
    """Whether the role may write down what was replayed."""
    return bool(fetch_value(conn, "may_replay"))


def mark_replayed(conn: Connection, run_id: int, replay: int, numbers: Iterable[int]) -> None:
    """Write down, on the loading connection, that run ``replay`` loads these rejected rows of ``run_id``.

    Raises CallError if another replay did so in the meantime.
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
        cursor.execute(query("ledger", "book_replayed"), runs)
        booked = conn.execute("SELECT count(*) FROM pgsluice.file WHERE run_id = %s AND rows_rejected < 0", [run_id])
        if booked.fetchone() != (0,):
            raise AccountingError(
                f"more rows of run {run_id} would be replayed than it rejected; nothing was published",
                "Please report this as a defect of pgsluice",
            )
