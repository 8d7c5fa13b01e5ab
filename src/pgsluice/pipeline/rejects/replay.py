"""Prepare a replay: match the records of a corrected report with the rejects of a published run in the ledger.

:class:`~pgsluice.pipeline.run.Run` then loads the corrected records in the places of the original records: same table,
file and line, same dialect and columns, same modes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg

from pgsluice.errors import CallError, MappingError, PrivilegeError
from pgsluice.ledger.queries import purged_rejects
from pgsluice.ledger.rejects import RejectRow, restore_lacking
from pgsluice.ledger.replays import (
    FileToReplay,
    RunToReplay,
    files_to_replay,
    may_replay,
    rejects_to_replay,
    run_to_replay,
)
from pgsluice.ledger.schema import exists
from pgsluice.model import ColumnRule, Guest, LoadOptions, Modes, RejectKind, Rules, RunColumns, SourceFile, TableName
from pgsluice.options import restore_modes
from pgsluice.options.guests import restore_guests
from pgsluice.options.quality import restore_quality_rules
from pgsluice.options.rules import restore_rules, restore_run_columns
from pgsluice.pipeline.rejects.report_file import PLACEHOLDERS, cut_from
from pgsluice.pipeline.rejects.sheet_records import FileFields, SheetReader, fields_of
from pgsluice.source.corrections import Corrections
from pgsluice.source.records.rules import BAD_ENCODING
from pgsluice.source.spreadsheets.read import read_corrected
from pgsluice.source.spreadsheets.spool import Spool


@dataclass(frozen=True, slots=True)
class Replay:
    """The corrected records that a run loads, and what they take over from the run that is replayed."""

    run_id: int
    """The run that is replayed."""
    files: tuple[SourceFile, ...]
    corrections: dict[str, Corrections]
    """The corrected records by the path of their file."""
    into: str | None
    modes: Modes
    rules: tuple[ColumnRule, ...]
    """Where columns got their values from in the run that is replayed."""
    run_columns: RunColumns
    """The columns that hold the id of a run."""
    quality: Rules
    derive: tuple[str, ...]
    then: tuple[Guest, ...]
    spool: Spool

    @property
    def schemas(self) -> frozenset[str]:
        """The schemas of the tables that the files go into."""
        return frozenset(f.feeds.schema for f in self.files if f.feeds is not None)

    def options(self, given: LoadOptions) -> LoadOptions:
        """Returns the options of the call together with those that the replay takes over from the run.

        :param given: the options of the call.
        """
        # The ledger knows the content of these files as loaded; ``again`` keeps the run from skipping them.
        return replace(
            given,
            into=self.into,
            modes=self.modes,
            rules=self.rules,
            run_columns=self.run_columns,
            quality=self.quality,
            derive=self.derive,
            then=self.then,
            again=True,
        )

    def numbers_but(self, refused: Iterable[int]) -> Iterator[int]:
        """Yields the numbers of the rejects that the replay loads.

        :param refused: the numbers of the rejects that are rejected again.
        """
        again = set(refused)
        return (number for number in self.spool.numbers if number not in again)

    def close(self) -> None:
        """Deletes the copy of the corrected records on disk."""
        self.spool.close()


def open_replay(conn: psycopg.Connection, run_id: int, path: str, encoding: str | None = None) -> Replay:
    """Reads a corrected report and find its records in the ledger.

    :param conn: in autocommit mode.
    :param run_id: the run that is replayed.
    :param path: the corrected report.
    :param encoding: its encoding, if it is a CSV file; None: it is found.
    :returns: the replay; the caller closes it.
    :raises CallError: the run cannot be replayed; a record of the report is no reject of the run, or was replayed.
    :raises FileError: the report cannot be read.
    :raises MappingError: a table of the run was dropped.
    :raises PrivilegeError: the role may not write which rejects were replayed.
    """
    run = _run(conn, run_id)
    spool = read_corrected(path, run_id, encoding)
    try:
        if not spool.numbers:
            raise CallError(f"{path}: no records to replay", "Correct the column raw, and leave the lines in")
        known = {f.path: f for f in files_to_replay(conn, run_id)}
        modes = restore_modes(run.options.get("modes") or {}, replay=True)
        labels: dict[str, list[str]] = run.options.get("fields", {})
        fields = {name: fields_of(file, labels) for name, file in known.items()}
        sheet = SheetReader(path, spool.encoding)
        found = _match(conn, run_id, path, spool, fields, sheet)
        for file in {known[name].table_oid: known[name] for name in found}.values():
            _same_table(conn, run_id, file)
        files = tuple(_source(known[name], c, labels.get(name, ())) for name, c in found.items())
        files = (replace(files[0], notes=sheet.notes), *files[1:])
        return Replay(
            run_id,
            files,
            found,
            run.options.get("into"),
            modes,
            restore_rules(run.options),
            restore_run_columns(run.options),
            restore_quality_rules(run.options.get("quality", {})),
            tuple(run.options.get("derive", ())),
            restore_guests(run.options),
            spool,
        )
    except BaseException:
        spool.close()
        raise


def _run(conn: psycopg.Connection, run_id: int) -> RunToReplay:
    """Returns the run, if it can be replayed by this role."""
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
    if purged := purged_rejects(conn, run_id):
        raise CallError(
            f"the rejects of run {run_id} ({purged:,}) were purged from the ledger, so they cannot be replayed",
            "Load the corrected rows from a file of their own: pgsluice load",
        )
    if not may_replay(conn):
        raise PrivilegeError(
            "this role may not write down in schema pgsluice what is replayed",
            "As its owner: GRANT UPDATE ON pgsluice.file, pgsluice.reject TO the role",
        )
    return run


def _same_table(conn: psycopg.Connection, run_id: int, file: FileToReplay) -> None:
    """Raises MappingError if the table of the file is no longer the table that the run loaded."""
    name = TableName(file.table_schema, file.table_name)
    row = conn.execute(
        "SELECT c.oid::bigint FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s",
        (name.schema, name.name),
    ).fetchone()
    if row is None or row[0] != file.table_oid:
        what = "is no longer there" if row is None else "was made anew since"
        raise MappingError(f"the table {name} that run {run_id} loaded {what}", "Load the files again")


def _source(file: FileToReplay, corrections: Corrections, labels: Sequence[str]) -> SourceFile:
    return SourceFile(
        path=file.path,
        bytes=corrections.size,
        stems=(),
        dialect=corrections.dialect,
        header=tuple(file.columns),
        labels=tuple(labels),
        feeds=TableName(file.table_schema, file.table_name),
    )


def _match(
    conn: psycopg.Connection,
    run_id: int,
    path: str,
    spool: Spool,
    known: Mapping[str, FileFields],
    sheet: SheetReader,
) -> dict[str, Corrections]:
    """Matches the corrected records with the rejects of the run.

    Both are read in ascending order of their numbers, which is the load order.

    :param known: the fields of the files of the run by path.
    :param sheet: makes records of rows that have a cell for each field.
    :returns: the corrected records by the path of their file, in load order.
    """
    found: dict[str, Corrections] = {}
    numbers = spool.numbers
    place = 0
    for number, reject in rejects_to_replay(conn, run_id):
        if place == len(numbers) or numbers[place] < number:
            break
        if numbers[place] > number:
            continue
        if reject.replayed_by is not None:
            raise CallError(
                f"{path}: reject {number} ({reject.file}:{reject.line}) was already replayed,"
                f" by run {reject.replayed_by}; nothing was loaded",
                f"Take it out; pgsluice rejects {run_id} --format csv writes those that are still open",
            )
        if reject.file not in found:
            found[reject.file] = Corrections(spool, known[reject.file].dialect, place)
        given = spool.raw(place)
        row = spool.row(place)
        text = sheet.whole(reject, given.decode()) if row is None else sheet.raw(reject, row, known[reject.file])
        if text.encode() != given:
            spool.replace(place, given := text.encode())
        if (size := cut_from(given)) is not None:
            raise CallError(
                f"{path}: reject {number} ({reject.file}:{reject.line}) is kept cut, its record has {size:,} bytes;"
                " nothing was loaded",
                "Write the whole record into the column raw, or take the line out and load the record from a file of"
                " its own: pgsluice load",
            )
        if (whole := restore_lacking(conn, reject.raw, given)) != given:
            spool.replace(place, whole)
        _add(found[reject.file], reject, place)
        place += 1
    if place < len(numbers):
        raise CallError(f"{path}: run {run_id} has no reject {numbers[place]}", "Remove the line")
    return found


def _add(corrections: Corrections, reject: RejectRow, place: int) -> None:
    """Appends the record at ``place`` of the spool to the corrected records of its file."""
    ordinal = len(corrections)
    corrections.lines.append(reject.line)
    corrections.records.append(reject.ordinal)
    verdict = reject.verdict
    if verdict.sqlstate == BAD_ENCODING or verdict.message.endswith(PLACEHOLDERS):
        corrections.unclear.add(ordinal)
    original, given = reject.raw.encode(), corrections.spool.raw(place)
    if _newlines(given) != _newlines(original):
        return
    if given != original:
        # A spreadsheet writes newlines within a cell in another form; this is no correction.
        corrections.spool.replace(place, original)
    if verdict.kind == RejectKind.STRUCTURE:
        corrections.faulty[ordinal] = verdict
    elif verdict.kind == RejectKind.UNIQUE:
        corrections.doubles[ordinal] = verdict


def _newlines(raw: bytes) -> bytes:
    """Returns the record with every newline as LF."""
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
