"""Programs that load a file into a table of PostgreSQL: pgsluice, and COPY as psql's \\copy sends it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

import pgsluice
from bench.files.clean import CleanSet, Table
from bench.files.draft import Case, Hints
from bench.files.outcome import REFUSED, Outcome, refused
from pgsluice.arguments import LoadArguments
from pgsluice.errors import SluiceError

KNOWN = set(LoadArguments.__annotations__)


@dataclass
class Server:
    """An embedded server with a database for each set and kind of table."""

    uri: str
    folder: Path
    """Where the files of a load are written."""

    def forget(self) -> None:
        """Lets the server not wait for the disk: nothing of it is needed after a crash."""
        with psycopg.connect(self.uri, autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET fsync = off")
            conn.execute("SELECT pg_reload_conf()")

    def database(self, clean: CleanSet, *, typed: bool) -> str:
        """The URI of the database with the tables of a set; it is made when it is needed first."""
        name = f"{clean.name}_{'typed' if typed else 'text'}"
        uri = psycopg.conninfo.make_conninfo(self.uri, dbname=name)
        with psycopg.connect(self.uri, autocommit=True) as conn:
            if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                with psycopg.connect(uri, autocommit=True) as inner:
                    for table in clean.tables:
                        inner.execute(table.ddl(typed=typed))  # type: ignore[arg-type]
        return uri


def _empty(conn: psycopg.Connection[Any], clean: CleanSet) -> None:
    tables = sql.SQL(", ").join(sql.Identifier(t.name) for t in clean.tables)
    conn.execute(sql.SQL("TRUNCATE {}").format(tables))


def _stored(conn: psycopg.Connection[Any], table: Table) -> list[list[Any]]:
    query = sql.SQL("SELECT * FROM {} ORDER BY ctid").format(sql.Identifier(table.name))
    return [list(row) for row in conn.execute(query)]


def _parents(conn: psycopg.Connection[Any], clean: CleanSet, table: Table) -> None:
    """Fills the tables that the polluted table references."""
    for parent in clean.tables[: clean.tables.index(table)]:
        statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(parent.name))
        with conn.cursor() as cur, cur.copy(statement) as copy:
            for row in parent.rows:
                copy.write_row(row)


def pgsluice_load(server: Server, clean: CleanSet, case: Case, *, typed: bool, hinted: bool) -> Outcome:
    """Loads the polluted file of a case into its table; the tables that it references are filled before."""
    uri = server.database(clean, typed=typed)
    shutil.rmtree(server.folder, ignore_errors=True)
    server.folder.mkdir(parents=True)
    path = server.folder / f"{case.table.name}.csv"
    path.write_bytes(case.data)
    options = load_options(case.hints, case.names) if hinted else {}
    with psycopg.connect(uri, autocommit=True) as conn:
        _empty(conn, clean)
        if typed:
            _parents(conn, clean, case.table)
    start = time.perf_counter()
    try:
        result = pgsluice.load(
            path, database_url=uri, data_dir=str(server.folder / "reports"), again=True, max_rejects="all", **options
        )
    except SluiceError as error:
        return replace(Outcome(REFUSED, f"{type(error).__name__}: {error}"), seconds=time.perf_counter() - start)
    except Exception as error:
        return replace(refused(error), message=f"TRACEBACK {type(error).__name__}: {error}")
    seconds = time.perf_counter() - start
    named = [(r.line, r.raw) for r in pgsluice.reject_rows(result.run_id, database_url=uri)]
    files = [f for t in result.tables for f in t.files]
    warnings = [text for f in files for text in (*f.notes, *f.warnings)]
    named += [(line, "") for text in warnings for line in lines_of(text)]
    with psycopg.connect(uri) as conn:
        rows = _stored(conn, case.table)
    return Outcome(rows=rows, by_column=True, named=named, last=max(map(last_of, warnings), default=0), seconds=seconds)


def lines_of(note: str) -> list[int]:
    """The lines that a note names: ``line 7``, ``lines 3 to 5``."""
    found = re.findall(r"\blines? ([\d,]+)(?:(?: to |-)([\d,]+))?", note)
    numbers = [(int(a.replace(",", "")), int((b or a).replace(",", ""))) for a, b in found]
    return [line for first, last in numbers for line in range(first, last + 1)]


def last_of(warning: str) -> int:
    """How many lines at the end a warning names: ``the last line``, ``the last 4 lines``."""
    found = re.search(r"\bthe last (?:line\b|([\d,]+) lines\b)", warning)
    return int((found[1] or "1").replace(",", "")) if found else 0


def load_options(hints: Hints, names: Sequence[str]) -> dict[str, Any]:
    """The options of pgsluice for what a person knows of a file, as far as this release has them."""
    options: dict[str, Any] = {
        "delimiter": hints.delimiter,
        "quote": {None: None, "": "none"}.get(hints.quote, hints.quote),
        "escape": hints.escape,
        "encoding": hints.encoding,
        "header": hints.header,
        "skip_lines": hints.skip_lines or None,
        "skip_footer": hints.skip_footer - hints.blank_footer or None,
        "comment": hints.comment,
        "decimal": [hints.decimal] if hints.decimal else [],
        "thousands": [hints.thousands] if hints.thousands else [],
        "date_format": [hints.date_format] if hints.date_format else [],
        "integer_decimals": hints.integer_decimals,
        "null": list(hints.null),
        "empty_as_null": hints.empty_as_null,
        "trim": hints.trim,
        "skip_initial_blanks": hints.skip_initial_blank,
        "ragged": None if hints.trailing else hints.ragged,
        "trailing_delimiter": hints.trailing,
        "line_ends": "any" if hints.line_ends else None,
        "format": "text" if hints.text_format else None,
        "nul": "strip" if hints.nul else None,
        "columns": [(name, "") for name in hints.drop_field],
    }
    if hints.units:
        # The lines below the header are passed over with the header, whose names an option gives.
        options |= {"skip_lines": hints.skip_lines + 1 + hints.units, "header": False, "names": [("", list(names))]}
    return {
        name: value
        for name, value in options.items()
        if value not in (None, False, []) or (name == "header" and value is False)
        if name in KNOWN
    }


def copy_load(server: Server, clean: CleanSet, case: Case, *, typed: bool, hinted: bool) -> Outcome:
    """Sends the file by COPY, as \\copy does."""
    uri = server.database(clean, typed=typed)
    start = time.perf_counter()
    notices: list[str] = []
    with psycopg.connect(uri, autocommit=True) as conn:
        _empty(conn, clean)
        if typed:
            _parents(conn, clean, case.table)
        conn.add_notice_handler(lambda d: notices.append(f"{d.message_primary} {d.context or ''}"))
        try:
            if hinted and case.hints.date_format and case.hints.date_format.startswith("%d"):
                conn.execute("SET datestyle = 'ISO, DMY'")
            options = _copy_options(case.hints, case.table, typed) if hinted else [sql.SQL("HEADER")]
            if not (hinted and case.hints.text_format):
                options.insert(0, sql.SQL("FORMAT csv"))
            statement = sql.SQL("COPY {} FROM STDIN ({})").format(
                sql.Identifier(case.table.name), sql.SQL(", ").join(options)
            )
            with conn.cursor() as cur, cur.copy(statement) as copy:
                copy.write(case.data)
        except (psycopg.Error, LookupError) as error:
            return refused(error)
        rows = _stored(conn, case.table)
    lines = [(int(n.split(" line ")[1].split(",")[0].split(" ")[0].strip('":')), "") for n in notices if " line " in n]
    return Outcome(rows=rows, by_column=True, named=lines, seconds=time.perf_counter() - start)


_ENCODINGS = {
    "utf-8-sig": "UTF8",
    "cp1252": "WIN1252",
    "cp1250": "WIN1250",
    "cp1251": "WIN1251",
    "shift_jis": "SJIS",
    "gb18030": "GB18030",
}


def _copy_options(hints: Hints, table: Table, typed: bool) -> list[sql.Composable]:
    options: list[sql.Composable] = []

    def add(name: str, value: str) -> None:
        options.append(sql.SQL(name + " {}").format(sql.Literal(value)))  # type: ignore[arg-type]

    if hints.header is not False:
        options.append(sql.SQL("HEADER"))
    if hints.delimiter:
        add("DELIMITER", hints.delimiter)
    if hints.text_format:
        return options
    if hints.quote is not None:
        add("QUOTE", hints.quote or "\x02")
    if hints.escape:
        add("ESCAPE", hints.escape)
    if hints.encoding in _ENCODINGS:
        add("ENCODING", _ENCODINGS[hints.encoding])
    if hints.null:
        add("NULL", hints.null[0])
    if hints.empty_as_null:
        names = [c.name for c in table.columns if not typed or c.type != "text"]
        options.append(sql.SQL("FORCE_NULL ({})").format(sql.SQL(", ").join(map(sql.Identifier, names))))
    if hints.bad_rows and typed:
        options.append(sql.SQL("ON_ERROR ignore, LOG_VERBOSITY verbose"))
    return options
