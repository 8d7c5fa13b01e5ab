"""A replay: corrected rejects of a run that was published, found again in the ledger and made ready to load.

What :class:`~pgsluice.pipeline.run.Run` loads then are the records of the corrected file in the places of the
original ones: same table, file and line, same dialect and columns, same modes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import psycopg

from pgsluice.errors import CallError, MappingError, PrivilegeError
from pgsluice.ledger.rejects import with_lacking
from pgsluice.ledger.replays import (
    FileToReplay,
    RejectToReplay,
    RunToReplay,
    files_to_replay,
    may_replay,
    rejects_to_replay,
    run_to_replay,
)
from pgsluice.ledger.schema import exists
from pgsluice.model import Dialect, LoadOptions, Modes, SourceFile, TableName, Verdict
from pgsluice.options import restore_modes
from pgsluice.pipeline.rejects.report_file import PLACEHOLDERS
from pgsluice.source.corrections import Corrections, Spool, read_corrected
from pgsluice.source.records.rules import BAD_ENCODING


@dataclass(frozen=True, slots=True)
class Replay:
    """Which records of which files are to be loaded for a run."""

    run_id: int
    files: tuple[SourceFile, ...]
    corrections: dict[str, Corrections]
    """By the file's path."""
    into: str | None
    modes: Modes
    spool: Spool

    @property
    def schemas(self) -> frozenset[str]:
        """Those of the tables that the files go into."""
        return frozenset(f.feeds.schema for f in self.files if f.feeds is not None)

    def options(self, given: LoadOptions) -> LoadOptions:
        """What the call says, and what it takes over from the run."""
        # The files are known to be loaded; that is no reason to pass over them.
        return replace(given, into=self.into, modes=self.modes, again=True)

    def numbers_but(self, refused: Iterable[int]) -> Iterator[int]:
        """Numbers of the rejects that are loaded when these are refused again."""
        gone = set(refused)
        return (number for number in self.spool.numbers if number not in gone)

    def close(self) -> None:
        self.spool.close()


def open_replay(conn: psycopg.Connection, run_id: int, path: str) -> Replay:
    """Reads the corrected file and finds its records in the ledger.

    :param conn: in autocommit mode.
    :raises CallError: the run cannot be replayed; a record of the file is no reject of it, or was replayed.
    :raises FileError: the file cannot be read.
    """
    run = _run(conn, run_id)
    spool = read_corrected(path, run_id)
    try:
        if not spool.numbers:
            raise CallError(f"{path}: no records to replay", "Correct the column raw, and leave the lines in")
        known = {f.path: f for f in files_to_replay(conn, run_id)}
        modes = restore_modes(run.options.get("modes") or {}, replay=True)
        found = _match(conn, run_id, path, spool, known)
        for file in {known[name].table_oid: known[name] for name in found}.values():
            _same_table(conn, run_id, file)
        files = tuple(_source(known[name], c) for name, c in found.items())
        return Replay(run_id, files, found, run.options.get("into"), modes, spool)
    except BaseException:
        spool.close()
        raise


def _run(conn: psycopg.Connection, run_id: int) -> RunToReplay:
    run = run_to_replay(conn, run_id) if exists(conn) else None
    if run is None:
        raise CallError(f"there is no run {run_id}", "pgsluice runs lists them")
    if run.replay_of is not None:
        raise CallError(
            f"run {run_id} is itself a replay of run {run.replay_of}", f"Replay run {run.replay_of} with this file"
        )
    if run.status != "published":
        raise CallError(
            f"run {run_id} was not published ({run.status}), so none of its rows are loaded",
            "Correct the files themselves and load them again",
        )
    if not may_replay(conn):
        raise PrivilegeError(
            "this role may not write down in schema pgsluice what is replayed",
            "As its owner: GRANT UPDATE ON pgsluice.file, pgsluice.reject TO the role",
        )
    return run


def _same_table(conn: psycopg.Connection, run_id: int, file: FileToReplay) -> None:
    name = TableName(file.table_schema, file.table_name)
    row = conn.execute(
        "SELECT c.oid::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s",
        (name.schema, name.name),
    ).fetchone()
    if row is None or row[0] != file.table_oid:
        what = "is no longer there" if row is None else "was made anew since"
        raise MappingError(f"the table {name} that run {run_id} loaded {what}", "Load the files again")


def _source(file: FileToReplay, corrections: Corrections) -> SourceFile:
    return SourceFile(
        path=file.path,
        bytes=corrections.size,
        stems=(),
        dialect=corrections.dialect,
        header=tuple(file.columns),
        feeds=TableName(file.table_schema, file.table_name),
    )


def _match(
    conn: psycopg.Connection, run_id: int, path: str, spool: Spool, known: dict[str, FileToReplay]
) -> dict[str, Corrections]:
    """The records by file, in load order: rejects are numbered so."""
    found: dict[str, Corrections] = {}
    numbers = spool.numbers
    place = 0
    for reject in rejects_to_replay(conn, run_id):
        if place == len(numbers) or numbers[place] < reject.number:
            break
        if numbers[place] > reject.number:
            continue
        if reject.replayed_by is not None:
            raise CallError(
                f"{path}: reject {reject.number} ({reject.file}:{reject.line}) was already replayed,"
                f" by run {reject.replayed_by}; nothing was loaded",
                f"Take it out; pgsluice rejects {run_id} --format csv writes those that are still open",
            )
        if reject.file not in found:
            file = known[reject.file]
            dialect = Dialect(**(file.dialect | {"null": tuple(file.dialect["null"])}))
            found[reject.file] = Corrections(spool, dialect, place)
        given = spool.raw(place)
        if (whole := with_lacking(conn, reject.raw, given)) != given:
            spool.replace(place, whole)
        _add(found[reject.file], reject, place)
        place += 1
    if place < len(numbers):
        raise CallError(f"{path}: run {run_id} has no reject {numbers[place]}", "Remove the line")
    return found


def _add(corrections: Corrections, reject: RejectToReplay, place: int) -> None:
    ordinal = len(corrections)
    corrections.lines.append(reject.line)
    corrections.records.append(reject.ordinal)
    if reject.sqlstate == BAD_ENCODING or reject.message.endswith(PLACEHOLDERS):
        corrections.unclear.add(ordinal)
    original, given = reject.raw.encode(), corrections.spool.raw(place)
    if _newlines(given) != _newlines(original):
        return
    if given != original:
        # Spreadsheets write newlines within a cell in their own way, which nobody meant to correct.
        corrections.spool.replace(place, original)
    refusal = Verdict(reject.kind, reject.column_name, reject.constraint_name, reject.sqlstate, reject.message)
    if reject.kind == "structure":
        corrections.faulty[ordinal] = refusal
    elif reject.kind == "unique":
        corrections.doubles[ordinal] = refusal


def _newlines(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
