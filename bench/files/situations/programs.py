"""Runs the programs on the files of a situation, as their users would."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench.files.clean import Table
from bench.files.draft import Case, Cell, Hints, Pollution, Record
from bench.files.outcome import REFUSED, Outcome, refused
from bench.files.score import score
from bench.files.script_readers import duckdb_with
from bench.files.situations import model
from bench.files.situations.model import File, Situation

_TRIED = Pollution("situation", "table", "", lambda _: None)

RIGHT = "right"
WRONG = "wrong"
REFUSES = "refused"
WARNED = "warned"
"""Wrong, and a warning says so."""


@dataclass(frozen=True)
class End:
    """How a program ends with a situation: right, wrong (in silence) or refused."""

    kind: str
    message: str = ""


@dataclass
class Place:
    """Where situations are tried."""

    uri: str
    """The server."""
    folder: Path
    other: Any
    """The process with pandas (:class:`bench.files.__main__.OtherEnvironment`)."""
    bench_bin: Path

    def write(self, situation: Situation) -> Path:
        """Writes the files of a situation into a folder of their own."""
        folder = self.folder / situation.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in situation.files:
            (folder / file.name).write_bytes(file.data)
        return folder

    def database(self, situation: Situation) -> str:
        """The URI of the database, which holds nothing but the empty tables of a situation."""
        with psycopg.connect(self.uri, autocommit=True) as conn:
            conn.execute("SET client_min_messages = error")
            conn.execute("DROP SCHEMA IF EXISTS pgsluice CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            for table in situation.tables:
                conn.execute(table.ddl(typed=True))  # type: ignore[arg-type]
        return self.uri


def judge(situation: Situation, table: Table, outcome: Outcome) -> End:
    """Compares what a table (or a frame) holds with what is right for it."""
    if outcome.status == REFUSED:
        return End(REFUSES, outcome.message)
    rows = [model.row(text, table) for file in situation.files if file.table == table for text in file.rows]
    records = tuple(Record([Cell(v, "" if v is None else str(v)) for v in values]) for values in rows)
    names = tuple(c.name for c in table.columns)
    case = Case(_TRIED, "", table, 0, b"", records, names, Hints(), False)
    found = score(case, outcome, hinted=True)
    if situation.end == model.REFUSED:
        return End(WRONG, "loaded")
    return End(RIGHT) if not found.silent and found.cells == 1 else End(WRONG, "; ".join(found.silent)[:300])


def _worst(ends: list[End]) -> End:
    for kind in (REFUSES, WRONG):
        for end in ends:
            if end.kind == kind:
                return end
    return ends[0] if ends else End(REFUSES, "nothing was loaded")


def _stored(situation: Situation, uri: str) -> End:
    ends = []
    with psycopg.connect(uri) as conn:
        for table in situation.tables:
            query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(table.name))
            rows = [list(r) for r in conn.execute(query)]
            ends.append(judge(situation, table, Outcome(rows=rows, by_column=True)))
    return _worst(ends)


def pgsluice(place: Place, situation: Situation, options: str | None) -> End:
    """``pgsluice load FOLDER OPTIONS``: exit code 0 and the right rows, or a message."""
    folder, uri = place.write(situation), place.database(situation)
    # A person names a file whose suffix does not say that it is a CSV file.
    path = folder if len(situation.files) > 1 else folder / situation.files[0].name
    command = [Path(sys.executable).parent / "pgsluice", "load", path, *shlex.split(options or "")]
    command += ["--database-url", uri, "--data-dir", place.folder / "reports", "--quiet"]
    return _ran(situation, uri, list(map(str, command)))


def _ran(situation: Situation, uri: str, command: list[str]) -> End:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    told = f"{done.stdout}\n{done.stderr}"
    if done.returncode:
        return End(REFUSES, told)
    end = _stored(situation, uri)
    if end.kind == WRONG and re.search(r"(?i)\bwarning\b|not loaded|was not read", told):
        return End(WARNED, told)
    return end


def copy(place: Place, situation: Situation, options: str | None) -> End:
    """``\\copy TABLE FROM FILE WITH (FORMAT csv, HEADER, OPTIONS)`` for each file."""
    uri = place.database(situation)
    listed = options or ""
    if "FORMAT" not in listed:
        listed = f"FORMAT csv, {listed}" if listed else "FORMAT csv"
    if "HEADER" not in listed:
        listed += ", HEADER"
    try:
        with psycopg.connect(uri) as conn, conn.cursor() as cur:
            for file in situation.files:
                wanted = listed
                if "FORCE_NULL" not in wanted or file.table.name == "readings":
                    statement = f"COPY {file.table.name} FROM STDIN ({wanted})"
                    with cur.copy(statement) as sender:  # type: ignore[arg-type]
                        sender.write(file.data)
    except psycopg.Error as error:
        return End(REFUSES, str(error))
    return _stored(situation, uri)


def csvsql(place: Place, situation: Situation, options: str | None) -> End:
    """``csvsql --db URI --insert --no-create --tables TABLE OPTIONS FILE`` for each file."""
    folder, uri = place.write(situation), place.database(situation)
    info = psycopg.conninfo.conninfo_to_dict(uri)
    url = f"postgresql+psycopg2://{info['user']}@/{info['dbname']}?host={info['host']}&port={info['port']}"
    for file in situation.files:
        arguments = ["--db", url, "--insert", "--no-create", "--tables", file.table.name]
        arguments += shlex.split(options or "")
        found = place.other.ask("csvsql", folder / file.name, arguments)
        if found.status == REFUSED:
            return End(REFUSES, found.message)
    return _stored(situation, uri)


def _frames(place: Place, situation: Situation, read: Any) -> End:
    """Judges programs that read into frames: each file for itself."""
    folder = place.write(situation)
    ends = []
    for table in situation.tables:
        rows: list[list[Any]] = []
        header: list[str] | None = None
        failed = None
        for file in (f for f in situation.files if f.table == table):
            found: Outcome = read(folder / file.name, file)
            if found.status == REFUSED:
                failed = found
                break
            rows += _by_column(found, table)
            header = found.header
        whole = failed or Outcome(rows=rows, header=header, by_column=True)
        ends.append(judge(situation, table, whole))
    return _worst(ends)


def _by_column(found: Outcome, table: Table) -> list[list[Any]]:
    """The rows with their fields in the order of the table's columns, where the names say it."""
    names = [re.sub(r"[\W_]", "", h.lower()) for h in found.header or []]
    wanted = [re.sub(r"[\W_]", "", c.name.lower()) for c in table.columns]
    if not set(wanted) <= set(names):
        return found.rows
    return [[r[names.index(w)] if names.index(w) < len(r) else None for w in wanted] for r in found.rows]


def duckdb(place: Place, situation: Situation, options: str | None) -> End:
    """``SELECT * FROM read_csv(FILE, OPTIONS)``."""

    def read(path: Path, _: File) -> Outcome:
        try:
            return duckdb_with(str(path), options or "")
        except Exception as error:
            return refused(error)

    return _frames(place, situation, read)


def pandas(place: Place, situation: Situation, options: str | None) -> End:
    """``pandas.read_csv(FILE, OPTIONS)``."""
    return _frames(place, situation, lambda path, _: place.other.ask("pandas_with", path, options or ""))


PROGRAMS = {"pgsluice": pgsluice, "copy": copy, "duckdb": duckdb, "pandas": pandas, "csvsql": csvsql}
