"""The books: which runs there were, which files they read, which rows they refused.

They live in schema ``pgsluice`` of the target database. Unless a function says otherwise its connection
is in autocommit mode and stands beside the one that loads, so that the books outlive a load that is rolled
back. What must be true exactly when the rows are there (:func:`record_files`, :func:`finish_run` with
``published``) is called on the loading connection, inside its transaction.

A run is alive as long as one of its connections holds a shared advisory lock; :func:`start_run` takes it
before the run becomes visible, so that no other process can mistake the run for a dead one.
"""

from __future__ import annotations

import codecs
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import errors
from psycopg.rows import class_row, dict_row, tuple_row
from psycopg.types.json import Jsonb

from pgsluice.errors import BooksError, CallError, LockedError, PrivilegeError
from pgsluice.model import Dialect, Listener, Progress, Reject, RejectGroup, RunSummary
from pgsluice.sql import query
from pgsluice.target.copy import BinaryEncoder, copy_batch

if TYPE_CHECKING:
    import pyarrow as pa

Connection = psycopg.Connection[Any]

# Classes of advisory locks, the first of their two numbers: "sl" and a letter in ASCII.
RUN_LOCK_CLASS = 0x736C72
TABLE_LOCK_CLASS = 0x736C74
_CREATION_LOCK_CLASS = 0x736C63

_POLL_SECONDS = 0.2
_REJECTS_PER_FETCH = 2000


class FileRecord(NamedTuple):
    """A row of ``pgsluice.file`` without its numbers."""

    table_oid: int
    table_schema: str
    table_name: str
    path: str
    sha256: str
    bytes: int
    status: str
    """loaded, skipped, vetoed."""
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    columns: tuple[str, ...] = ()
    dialect: Dialect = Dialect()
    """With the columns: how a replay reads the records."""
    mode: str = "append"


class RejectRow(NamedTuple):
    """A row of ``pgsluice.reject`` without its numbers."""

    table_name: str
    file: str
    line: int
    ordinal: int
    kind: str
    column_name: str
    constraint_name: str
    sqlstate: str
    message: str
    raw: str
    parent_file: str | None = None
    parent_line: int | None = None
    number: int | None = None
    """Given in a replay: the one that the record has in the run that is replayed."""


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


def _value(conn: Connection, name: str, **parameters: object) -> Any:
    """The first column of the first row of a query, None without a row."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(query("ledger", name), parameters).fetchone()
    return None if row is None else row[0]


def _rows(conn: Connection, name: str, **parameters: object) -> list[tuple[Any, ...]]:
    with conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query("ledger", name), parameters).fetchall()


# --------------------------------------------------------------------------- creation


def ensure(conn: Connection) -> None:
    """Make the ledger if it is not there.

    Several processes may call this at once. A role that may use an existing ledger needs no right to
    create anything. Raises PrivilegeError with the GRANT that is missing.
    """
    state = _state(conn)
    if not state["complete"]:
        _create(conn, state)
    elif not state["usable"]:
        raise PrivilegeError(
            f"role {state['role']} may not write the ledger in schema pgsluice",
            f"As its owner: GRANT USAGE ON SCHEMA pgsluice TO {state['role']}; "
            f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA pgsluice TO {state['role']};",
        )


def _state(conn: Connection) -> dict[str, Any]:
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("ledger", "state")).fetchone()
    assert row is not None  # the query begins with a row of VALUES
    return row


def _create(conn: Connection, state: dict[str, Any]) -> None:
    where = "SCHEMA pgsluice" if state["has_schema"] else f"DATABASE {state['database']}"
    rights = "USAGE, CREATE" if state["has_schema"] else "CREATE"
    try:
        with conn.transaction():
            _value(conn, "lock_creation", **{"class": _CREATION_LOCK_CLASS})
            state = _state(conn)
            if state["complete"]:
                return
            if not state["has_schema"]:
                conn.execute(query("ledger", "create_schema"))
            conn.execute(query("ledger", "create"))
    except errors.InsufficientPrivilege as error:
        raise PrivilegeError(
            f"role {state['role']} may not make the ledger: {error.diag.message_primary}",
            f"As its owner: GRANT {rights} ON {where} TO {state['role']};",
        ) from error


# --------------------------------------------------------------------------- runs


def start_run(conn: Connection, options: dict[str, Any], replay_of: int | None = None) -> int:
    """Open a run with status ``running`` that ``conn`` keeps alive, and return its id.

    ``options`` are anything that JSON can hold.
    """
    client = f"{socket.gethostname()}:{os.getpid()}"
    with conn.transaction():
        run_id = int(_value(conn, "start_run", options=Jsonb(options), client=client, replay_of=replay_of))
        hold_run(conn, run_id)
    return run_id


def hold_run(conn: Connection, run_id: int) -> None:
    """Let ``conn``, the one that loads, keep the run alive, too, and be known as its own to others."""
    _value(conn, "hold_run", **{"class": RUN_LOCK_CLASS, "key": run_id & 0x7FFFFFFF})


def release_run(conn: Connection, run_id: int) -> None:
    """Let go what :func:`start_run` or :func:`hold_run` took; closing ``conn`` does the same."""
    _value(conn, "release_run", **{"class": RUN_LOCK_CLASS, "key": run_id & 0x7FFFFFFF})


def finish_run(
    conn: Connection,
    run_id: int,
    status: str,
    seconds: float,
    detail: str = "",
    rejects_path: str | None = None,
) -> None:
    """Write down how a run ended. ``published`` belongs into the transaction that loads."""
    conn.execute(
        query("ledger", "finish_run"),
        {
            "run_id": run_id,
            "status": status,
            "seconds": seconds,
            "detail": detail,
            "rejects_path": rejects_path,
        },
    )


def record_files(conn: Connection, run_id: int, rows: Iterable[FileRecord]) -> None:
    """Write down the files of a run, once per run, in the order given."""
    with conn.cursor() as cursor:
        cursor.executemany(
            query("ledger", "record_file"),
            [
                row._asdict()
                | {"run_id": run_id, "file_no": number}
                | {"columns": list(row.columns), "dialect": Jsonb(asdict(row.dialect))}
                for number, row in enumerate(rows, start=1)
            ],
        )


def loaded_before(conn: Connection, table_oid: int, sha256: str) -> int | None:
    """The id of the newest published run that put this content into this table."""
    run_id: int | None = _value(conn, "loaded_before", table_oid=table_oid, sha256=sha256)
    return run_id


def sizes_loaded(conn: Connection, table_oids: Sequence[int]) -> set[tuple[int, int]]:
    """(oid of the table, bytes of the file) of everything that published runs loaded into these tables.

    A file of another size need not be hashed to know that it was not loaded before.
    """
    return {(oid, size) for oid, size in _rows(conn, "sizes_loaded", oids=list(table_oids))}


def mark_interrupted(conn: Connection) -> tuple[int, ...]:
    """Give runs that still say ``running``, but whose connections are gone, the status ``interrupted``."""
    return tuple(sorted(run_id for (run_id,) in _rows(conn, "mark_interrupted", **{"class": RUN_LOCK_CLASS})))


def runs(conn: Connection, limit: int) -> tuple[RunSummary, ...]:
    """The newest ``limit`` runs, newest first."""
    with conn.cursor(row_factory=class_row(RunSummary)) as cursor:
        return tuple(cursor.execute(query("ledger", "runs"), {"limit": limit}).fetchall())


# --------------------------------------------------------------------------- locks


def _signed(oid: int) -> int:
    """``oid``, 32 bits without a sign, as the signed integer that advisory locks take."""
    return oid - (1 << 32) if oid >= 1 << 31 else oid


def lock_tables(conn: Connection, oids: Sequence[int], *, no_wait: bool, listen: Listener) -> None:
    """Take tables for the session ``conn``, the one that loads, against other runs of pgsluice.

    The locks stay until :func:`unlock_tables` or the end of the session, whatever becomes of its
    transaction. They are taken in the order of the oids, so that two runs cannot wait for each other.
    If another run has a table: with ``no_wait`` raises LockedError that names it and lets go what it took;
    without, tells ``listen`` once per holder and polls. Call it before ``conn`` takes a snapshot that it
    will go on using (isolation above READ COMMITTED).
    """
    taken: list[int] = []
    try:
        for oid in sorted(set(oids)):
            told: str | None = None
            while not _value(conn, "try_lock_table", **{"class": TABLE_LOCK_CLASS, "key": _signed(oid)}):
                table, holder = _holder(conn, oid)
                if no_wait:
                    raise LockedError(
                        f"table {table} is being loaded by {holder}",
                        "Wait until it has ended, or call without --no-wait",
                    )
                if holder != told:
                    listen(Progress(phase="wait", table=table, step=f"waiting for {holder}"))
                    told = holder
                # Polling instead of a blocking call keeps Ctrl-C working.
                time.sleep(_POLL_SECONDS)
            taken.append(oid)
    except BaseException:
        if not conn.broken:
            unlock_tables(conn, taken)
        raise


def unlock_tables(conn: Connection, oids: Iterable[int]) -> None:
    """Let tables go that :func:`lock_tables` took on this connection."""
    for oid in oids:
        _value(conn, "unlock_table", **{"class": TABLE_LOCK_CLASS, "key": _signed(oid)})


def _holder(conn: Connection, oid: int) -> tuple[str, str]:
    """Name of the table and, in words, who has it."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            query("ledger", "holder"),
            {"class": TABLE_LOCK_CLASS, "run_class": RUN_LOCK_CLASS, "oid": oid},
        ).fetchone()
    if row is None:  # it has let go since
        return str(oid), "another run"
    facts = [f"pid {row['pid']}"]
    facts += [row["application"]] if row["application"] else []
    facts += [f"role {row['role']}"] if row["role"] else []
    facts += [f"since {row['since']}"] if row["since"] else []
    run = "another run" if row["run_id"] is None else f"run {row['run_id']}"
    return row["table_name"], f"{run} ({', '.join(facts)})"


# --------------------------------------------------------------------------- rejects

# What COPY's text format writes in another way. PostgreSQL's text holds no NUL: it becomes ``\\x00``.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\\\x00"})
_BATCH = 500

# Characters that the database's encoding lacks are written as \\u20ac or \\U0001f600, the backslash doubled for COPY.
codecs.register_error(
    "pgsluice_copy",
    lambda e: ("".join(f"\\{_named(c)}" for c in e.object[e.start : e.end]), e.end),  # type: ignore[attr-defined]
)
_NAMED = re.compile(r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}")


def _named(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def with_lacking(conn: Connection, raw: str, given: bytes) -> bytes:
    """A record of a report with the characters that the ledger's ``raw`` could only name: told so, PostgreSQL refuses
    them, instead of storing their names.
    """
    codec = _codec(conn)
    for name in () if codec == "utf-8" else set(_NAMED.findall(raw)):
        number = int(name[2:], 16)
        if number <= 0x10FFFF and not 0xD800 <= number < 0xE000 and not _encodes(chr(number), codec):
            given = given.replace(name.encode(), chr(number).encode())
    return given


def _encodes(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _codec(conn: Connection) -> str:
    """Python's name for the encoding of the database; ASCII where it has none."""
    name = conn.info.parameter_status("server_encoding") or "UTF8"
    try:
        return codecs.lookup("utf-8" if name == "SQL_ASCII" else re.sub("^WIN", "cp", name)).name
    except LookupError:
        return "ascii"


def copy_rejects(conn: Connection, run_id: int, rows: Iterable[RejectRow]) -> int:
    """Write rejected rows down in bulk, numbered on from those of the run that are there, unless they have
    their numbers.

    ``rows`` is read as a stream. Returns how many rows were written.
    """
    first: int = _value(conn, "next_reject", run_id=run_id)
    number = first
    lines: list[str] = []
    codec = _codec(conn)
    with conn.cursor() as cursor, cursor.copy(query("ledger", "copy_rejects")) as copy:

        def write() -> None:
            text = "".join(lines)
            copy.write(text if codec == "utf-8" else text.encode(codec, "pgsluice_copy").decode(codec))
            lines.clear()

        for number, row in enumerate(rows, start=first + 1):
            lines.append(_copy_line(run_id, number - 1 if row.number is None else row.number, row))
            if len(lines) == _BATCH:
                write()
        write()
    return number - first


def takes_report(conn: Connection) -> bool:
    """Whether :func:`copy_report` may be used: the database has all of the report's characters."""
    return _codec(conn) == "utf-8"


def copy_report(conn: Connection, rows: pa.RecordBatch) -> None:
    """Writes rejects down.

    :param rows: the columns of a report, ``parent_file`` and ``parent_line`` NULL where there is none.
    """
    copy_batch(conn, query("ledger", "copy_report"), BinaryEncoder(rows.schema), rows)


def _copy_line(run_id: int, number: int, row: RejectRow) -> str:
    """A row in COPY's text format; of a million, made by hand in a third of the time."""
    fields = [str(run_id), str(number), *(v if type(v) is str else "\\N" if v is None else str(v) for v in row[:-1])]
    line = "\t".join(fields)
    plain = line.count("\\") == row[:-1].count(None) and line.count("\t") == len(fields) - 1
    if not plain or "\n" in line or "\r" in line or "\0" in line:
        line = "\t".join("\\N" if v is None else str(v).translate(_ESCAPES) for v in (run_id, number, *row[:-1]))
    return line + "\n"


def reject_groups(conn: Connection, run_id: int, table: str | None = None) -> tuple[RejectGroup, ...]:
    """The rejected rows of a run (of one table) that are open, counted by table, kind, column, constraint and
    SQLSTATE, most first, but rows whose parents were rejected last.
    """
    return tuple(RejectGroup(*row) for row in _rows(conn, "reject_groups", run_id=run_id, table=table))


def replayed_rows(conn: Connection, run_id: int, table: str | None = None) -> int:
    """How many rejected rows of a run (of one table) were replayed since."""
    return int(_value(conn, "replayed_rows", run_id=run_id, table=table))


def fed(conn: Connection, run_id: int, table: str) -> bool:
    """Whether a run had a file for a table."""
    return bool(_value(conn, "fed", run_id=run_id, table=table))


def reject_rows(conn: Connection, run_id: int, table: str | None = None) -> Iterator[Reject]:
    """The rejected rows of a run (of one table) that are open, file by file in the order of their lines, as a
    stream.

    While the iterator lives ``conn`` is inside a transaction.
    """
    with conn.transaction(), conn.cursor("pgsluice_rejects", row_factory=tuple_row) as cursor:
        cursor.itersize = _REJECTS_PER_FETCH
        for row in cursor.execute(query("ledger", "reject_rows"), {"run_id": run_id, "table": table}):
            yield Reject(*row)


def last_run_with_rejects(conn: Connection) -> int | None:
    """The id of the newest run that refused rows which are open, None if no run did."""
    run_id: int | None = _value(conn, "last_run_with_rejects")
    return run_id


# --------------------------------------------------------------------------- replays


def run_to_replay(conn: Connection, run_id: int) -> RunToReplay | None:
    """A run, None if there is no such."""
    rows = _rows(conn, "run_to_replay", run_id=run_id)
    return RunToReplay(*rows[0]) if rows else None


def report_of(conn: Connection, run_id: int) -> tuple[str | None, int | None] | None:
    """Where the CSV file of a run's rejects is, and which run they can be replayed for, if the run was published; None
    if there is no such run.
    """
    rows = _rows(conn, "report_of", run_id=run_id)
    return (rows[0][0], rows[0][1]) if rows else None


def files_to_replay(conn: Connection, run_id: int) -> tuple[FileToReplay, ...]:
    """The files of a run of which rows were rejected."""
    return tuple(FileToReplay(*row) for row in _rows(conn, "files_to_replay", run_id=run_id))


def rejects_to_replay(conn: Connection, run_id: int) -> Iterator[RejectToReplay]:
    """All rejected rows of a run in the order of their numbers, as a stream; see :func:`reject_rows`."""
    with conn.transaction(), conn.cursor("pgsluice_replay", row_factory=tuple_row) as cursor:
        cursor.itersize = _REJECTS_PER_FETCH
        for row in cursor.execute(query("ledger", "rejects_to_replay"), {"run_id": run_id}):
            yield RejectToReplay(*row)


def may_replay(conn: Connection) -> bool:
    """Whether the role may write down what was replayed."""
    return bool(_value(conn, "may_replay"))


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
            raise BooksError(
                f"more rows of run {run_id} would be replayed than it rejected; nothing was published",
                "Please report this as a defect of pgsluice",
            )


# --------------------------------------------------------------------------- for verify


def exists(conn: Connection) -> bool:
    """Whether the database has a ledger."""
    return bool(_value(conn, "exists"))


def loaded_rows(conn: Connection) -> dict[int, tuple[int, int, bool]]:
    """Oid of a table to how many rows published runs put into it, how many of them replays did, and whether
    some run was in a mode that changes rows.
    """
    return {oid: (rows, replayed, changed) for oid, rows, replayed, changed in _rows(conn, "loaded_rows")}
