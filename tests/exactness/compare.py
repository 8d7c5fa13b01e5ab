"""Texts go into PostgreSQL twice, and what became of them is compared on the server.

The *oracle* is PostgreSQL alone: one INSERT of an untyped literal for each text, each in a subtransaction
of its own. Where that is not what pgsluice did, COPY of the one value decides: INSERT converts a literal
first and applies the column's length or precision afterwards, while COPY hands both to the input function,
so that there are texts ('1e-16384' for a numeric(10,2)) on which PostgreSQL's own two ways differ.

The *candidate* is, first, the quick reader (see :mod:`exactness.quick`), and then :func:`pgsluice.load` with
the same texts in CSV files, twice: once all of them, and once those that the oracle took. The rule by which a
file of many uncertain rows goes as text is switched off, so that every value that is called certain, rightly or
not, does travel in binary; every second load of all values leaves it on. Tables alternate between being empty
(rows go in place) and holding a row (rows go through a stage).

Stored values are compared as the bytes that the types' send functions make of them, which tell '1.5' from
'1.50' and -0 from 0; refused ones by their SQLSTATE.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from unittest import mock

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from exactness import quick
from exactness.columns import BIG, CASES, DATABASES, TYPES, Case, Database
from exactness.values import Value, by_chance, by_hand
from pgsluice.api import load, reject_rows
from pgsluice.errors import MappingError, SluiceError
from pgsluice.pipeline.ingest.sender import CopySender
from pgsluice.postgres.catalog import read_tables

_numbers = itertools.count(1)

_ASK = """
CREATE FUNCTION oracle.ask(target text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
  FOR r IN SELECT id, x FROM oracle.question ORDER BY id LOOP
    BEGIN
      EXECUTE format('INSERT INTO oracle.%I (id, v) OVERRIDING SYSTEM VALUE VALUES (%s, %L)',
                     target, r.id, convert_from(r.x, 'UTF8'));
    EXCEPTION WHEN OTHERS THEN
      INSERT INTO oracle.refused VALUES (target, r.id, SQLSTATE);
    END;
  END LOOP;
END $$
"""


@dataclass(frozen=True, slots=True)
class Difference:
    database: str
    case: str
    value: Value
    how: str
    """What PostgreSQL did and what pgsluice did, in words."""

    def line(self, version: int) -> str:
        """One line that says it and makes it happen again."""
        value = repr(self.value) if len(repr(self.value)) < 2000 else f"{repr(self.value)[:60]}... cut"
        return (
            f"pg{version} {self.database}, {self.case}: {self.how} -- PYTHONPATH=tests .venv/bin/python -m exactness"
            f" --versions {version} --database {self.database} --only {_shell(self.case)} --value {_shell(value)}"
        )


@dataclass(slots=True)
class Tally:
    """What a number of rounds saw."""

    values: int = 0
    stored: int = 0
    refused: int = 0
    binary: int = 0
    """Values that reached PostgreSQL in binary, over both loads of a round."""
    quick: int = 0
    """Values that the quick reader read."""
    copied: int = 0
    """Values on which PostgreSQL's INSERT and COPY differ, and pgsluice did as COPY."""
    passed: int = 0
    """Values that mean the moment at which they are read, to PostgreSQL itself."""
    differences: list[Difference] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.values += other.values
        self.stored += other.stored
        self.refused += other.refused
        self.binary += other.binary
        self.quick += other.quick
        self.copied += other.copied
        self.passed += other.passed
        self.differences += other.differences


class Bench:
    """One database with an oracle's and a candidate's table for every case."""

    def __init__(self, uri: str, database: Database, cases: Sequence[Case], folder: Path) -> None:
        self._uri = uri
        self._database = database
        self._folder = folder
        self._tables = {case.name: f"c{CASES.index(case):03}" for case in cases}
        self.cases = tuple(cases)
        self._conn = psycopg.connect(make_conninfo(uri, client_encoding="UTF8"), autocommit=True)
        self._conn.execute(TYPES.encode())
        self._conn.execute("CREATE SCHEMA oracle; CREATE TABLE oracle.question (id bigint, x bytea)")
        self._conn.execute("CREATE TABLE oracle.refused (target text, id bigint, code text)")
        self._conn.execute(_ASK)
        for case in cases:
            if case.needs:
                self._conn.execute(f"CREATE EXTENSION IF NOT EXISTS {case.needs}".encode())
            for schema in ("public", "oracle"):
                self._conn.execute(
                    f"CREATE TABLE {schema}.{self._tables[case.name]} (id bigint, v {case.definition})".encode()
                )

    def close(self) -> None:
        self._conn.close()

    def values(self, case: Case, count: int, r: Random, *, by_hand_too: int | None = 0) -> list[Value]:
        """Distinct values for a case.

        :param count: how many from the generator.
        :param by_hand_too: how many of the hand-made ones; None: all of them.
        """
        made = by_hand(case.own, case.name in BIG and by_hand_too is None)
        if by_hand_too is not None:
            made = r.sample(made, min(by_hand_too, len(made)))
        values: dict[Value, None] = dict.fromkeys(made)
        wanted = len(values) + count
        # Where a type has few texts near to it, the generator repeats itself.
        for value in itertools.islice(by_chance(case.make, case.own, r), 2 * count):
            if len(values) >= wanted:
                break
            values[value] = None
        shuffled = list(values)
        r.shuffle(shuffled)
        return shuffled

    def round(self, given: Mapping[str, Sequence[Value]], r: Random, parity: int) -> Tally:
        """All values of all cases given, through the oracle and twice through pgsluice.

        :param parity: 0 or 1: which half of the tables is empty for the first load (the other half for the second),
            and whether the first load sends all certain values in binary (0).
        """
        today = self._today()
        tally = self._once(given, r, parity)
        if self._today() != today:  # midnight has passed between the two, and 'today' is another day
            tally = self._once(given, r, parity)
        return tally

    def _today(self) -> object:
        return self._conn.execute("SELECT current_date, (now() AT TIME ZONE 'UTC')::date").fetchone()

    def _once(self, given: Mapping[str, Sequence[Value]], r: Random, parity: int) -> Tally:
        codes = self._ask(given)
        self._copied = self._passed = 0
        everything = {n: dict(enumerate(xs)) for n, xs in given.items()}
        nothing: dict[str, dict[int, str]] = {n: {} for n in given}
        tally = Tally(values=sum(map(len, given.values())))
        tables = {t.name.name: t for t in read_tables(self._conn, "public")}
        utc = dict(self._database.settings).get("TimeZone") == "UTC"
        for name, values in everything.items():
            table = self._tables[name]
            read, found = quick.differences(
                self._conn,
                tables[table],
                values,
                codes[name],
                r,
                utc=utc,
                field=lambda value: _field(value, quoted=False),
                differ=partial(self._differ, table, codes=codes[name]),
            )
            tally.quick += read
            tally.differences += [
                Difference(self._database.name, name, values[i], f"{words} (read quickly)") for i, words in found
            ]
        with _counted() as binary:
            tally.differences += self._load("all values", everything, codes, r, parity, share=None if parity else 1.0)
            good = {n: {i: x for i, x in xs.items() if i not in codes[n]} for n, xs in everything.items()}
            tally.differences += self._load("accepted values", good, nothing, r, 1 - parity, share=1.0)
        tally.refused = sum(len(c) for c in codes.values())
        tally.stored = tally.values - tally.refused
        tally.binary, tally.copied, tally.passed = binary[0], self._copied, self._passed
        return tally

    # ------------------------------------------------------------------- oracle

    def _ask(self, given: Mapping[str, Sequence[Value]]) -> dict[str, dict[int, str]]:
        """PostgreSQL's own verdicts: for each case the SQLSTATE by the position of each value it refused."""
        self._conn.execute("TRUNCATE oracle.refused")
        for name, values in given.items():
            table = self._tables[name]
            self._conn.execute(sql.SQL("TRUNCATE oracle.question, {}").format(sql.Identifier("oracle", table)))
            with self._conn.cursor() as cursor, cursor.copy("COPY oracle.question FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int8", "bytea"])
                for i, value in enumerate(values):
                    copy.write_row((i, value.encode() if isinstance(value, str) else value))
            self._conn.execute("SELECT oracle.ask(%s)", (table,))
        codes: dict[str, dict[int, str]] = {name: {} for name in given}
        names = {table: name for name, table in self._tables.items()}
        for table, i, code in self._conn.execute("SELECT * FROM oracle.refused"):
            codes[names[table]][i] = code
        return codes

    # ------------------------------------------------------------------- candidate

    def _load(
        self,
        what: str,
        given: Mapping[str, Mapping[int, Value]],
        codes: Mapping[str, dict[int, str]],
        r: Random,
        parity: int,
        share: float | None,
        told: Sequence[str] = (),
    ) -> list[Difference]:
        """:param told: the tables whose numbers have the signs of PostgreSQL, by an option."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        lines: dict[str, dict[int, int]] = {}
        ways = {}
        for k, (name, values) in enumerate(given.items()):
            table = self._tables[name]
            lines[table] = _write(self._folder / f"{table}.csv", values, r)
            self._conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
            ways[name] = "in place"
            if k % 2 != parity:
                seeded = self._conn.execute(
                    sql.SQL("INSERT INTO {} (id, v) OVERRIDING SYSTEM VALUE SELECT -1, v FROM {} LIMIT 1").format(
                        sql.Identifier(table), sql.Identifier("oracle", table)
                    )
                ).rowcount
                ways[name] = "stage" if seeded else "in place"
        try:
            with _typed_only(share) if share else contextlib.nullcontext():
                result = load(
                    self._folder,
                    database_url=self._uri,
                    data_dir=str(self._folder),
                    max_rejects="all",
                    delimiter=",",
                    quote='"',
                    encoding="utf-8",
                    again=True,
                    decimal=[f"{table}.v=." for table in told],
                )
        except (SluiceError, psycopg.Error) as error:
            print(f"{self._database.name}: {error}", file=sys.stderr, flush=True)
            return self._crashed(what, given, codes, r, parity, share, error)
        said: dict[str, dict[int, str]] = {table: {} for table in lines}
        for reject in reject_rows(result.run_id, database_url=self._uri):
            said[reject.table][lines[reject.table][reject.line]] = reject.sqlstate
        out = []
        signs = {
            t.table for t in result.tables for f in t.files for x in f.formats if x.why and x.decimal + x.thousands
        }
        for name, values in given.items():
            how, table = f"{what}, {ways[name]}", self._tables[name]
            for i, words in self._differ(table, values, said[table], codes[name]):
                if not (table in signs and _has_sign(values[i])) and not (table in told and _has_space(values[i])):
                    out.append(Difference(self._database.name, name, values[i], f"{words} ({how})"))
        if decided := [name for name in given if self._tables[name] in signs and not told]:
            # The numbers of a column decided that '1,234.50' has a comma between groups of digits, so it is stored.
            # Here the numbers are read as PostgreSQL reads them.
            some, verdicts = {name: given[name] for name in decided}, {name: codes[name] for name in decided}
            tables = [self._tables[name] for name in decided]
            out += self._load(f"{what}, with a decimal point", some, verdicts, r, parity, share, tables)
        return out

    def _crashed(
        self,
        what: str,
        given: Mapping[str, Mapping[int, Value]],
        codes: Mapping[str, dict[int, str]],
        r: Random,
        parity: int,
        share: float | None,
        error: Exception,
    ) -> list[Difference]:
        """The load itself failed: which case, which value? Halves until one is left."""
        if len(given) > 1:
            out = []
            for k, name in enumerate(given):
                one = {name: given[name]}
                out += self._load(what, one, {name: codes[name]}, r, (parity + k) % 2, share)
            return out
        ((name, values),) = given.items()
        if len(values) > 1:
            ids, both = list(values), []
            for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
                found = self._load(what, {name: {i: values[i] for i in half}}, codes, r, parity, share)
                if crashed := [d for d in found if "the load failed" in d.how]:
                    return crashed[:1]
                both += found
            if isinstance(error, MappingError) and "the decimal sign of" in str(error):
                # '1.500' beside '1.000,50' has two readings, which is asked. Apart, both halves were compared.
                return both
        value = next(iter(values.values()), None) if len(values) == 1 else f"any of {len(values)} together"
        words = f"the load failed: {' '.join(str(error).split())[:300]} ({what})"
        return [Difference(self._database.name, name, value, words)]

    def _differ(
        self, table: str, values: Mapping[int, Value], said: Mapping[int, str], codes: dict[int, str]
    ) -> list[tuple[int, str]]:
        """What differs between the oracle's table and pgsluice's, in words; asks COPY where something does."""
        suspects = dict(self._differ_from_insert(table, values, codes, said))
        if not suspects:
            return []
        self._copy_in(table, values, codes, suspects)
        found = [(i, words) for i, words in self._differ_from_insert(table, values, codes, said) if i in suspects]
        self._copied += len(suspects) - len({i for i, _ in found})
        passing = self._passing(table, values, codes, {i for i, _ in found})
        self._passed += len(passing)
        return [(i, words) for i, words in found if i not in passing]

    def _copy_in(
        self, table: str, values: Mapping[int, Value], codes: dict[int, str], ids: Iterable[int]
    ) -> dict[int, bytes]:
        """Some values of the oracle's table once more, each by a COPY; what is stored of them, as bytes."""
        target = sql.Identifier("oracle", table)
        copy_in = sql.SQL("COPY {} (id, v) FROM STDIN (FORMAT csv)").format(target)
        with self._conn.transaction():
            for i in ids:
                self._conn.execute(sql.SQL("DELETE FROM {} WHERE id = {}").format(target, i))
                codes.pop(i, None)
                try:
                    with self._conn.transaction(), self._conn.cursor() as cursor, cursor.copy(copy_in) as copy:
                        copy.write(b"%d,%s\n" % (i, _field(values[i], quoted=True)))
                except psycopg.Error as error:
                    codes[i] = str(error.sqlstate)
        stored = sql.SQL("SELECT id, record_send(o) FROM {} AS o WHERE id = ANY(%s)").format(target)
        return dict(self._conn.execute(stored, (list(ids),)).fetchall())

    def _passing(self, table: str, values: Mapping[int, Value], codes: dict[int, str], ids: set[int]) -> set[int]:
        """Those of which PostgreSQL itself stores something else a moment later: a 'now' is among them."""
        if not ids:
            return set()
        first = self._copy_in(table, values, codes, ids)
        time.sleep(1.1)  # a type may keep whole seconds only
        again = self._copy_in(table, values, codes, ids)
        return {i for i in ids if i in first and i in again and first[i] != again[i]}

    def _differ_from_insert(
        self, table: str, values: Mapping[int, Value], codes: Mapping[int, str], said: Mapping[int, str]
    ) -> Iterator[tuple[int, str]]:
        for i in values:
            if (code := codes.get(i, "stored")) != (ours := said.get(i, "stored")):
                yield i, f"PostgreSQL: {code}, pgsluice: {ours}"
        stored = self._conn.execute(
            sql.SQL(
                "SELECT coalesce(o.id, t.id), row_to_json(o)::text, row_to_json(t)::text FROM {} AS o"
                " FULL JOIN (SELECT * FROM {} AS t WHERE id >= 0) AS t USING (id)"
                " WHERE (o.id IS NULL OR t.id IS NULL OR record_send(o) <> record_send(t))"
                " AND coalesce(o.id, t.id) = ANY(%s)"
            ).format(sql.Identifier("oracle", table), sql.Identifier("public", table)),
            (list(values),),
        )
        for i, theirs, ours in stored:
            if (i in codes) == (i in said):
                yield i, f"PostgreSQL stores {str(theirs)[:200]}, pgsluice {str(ours)[:200]}"


def _write(path: Path, values: Mapping[int, Value], r: Random) -> dict[int, int]:
    """The values as a CSV file. :return: each one's id by the line on which its record begins."""
    lines = {}
    line = 2
    with path.open("wb") as out:
        out.write(b"id,v\n")
        for i, value in values.items():
            lines[line] = i
            data = _field(value, quoted=r.random() < 0.3)
            out.write(b"%d,%s\n" % (i, data))
            line += 1 + data.count(b"\n")
    return lines


def _has_space(value: Value) -> bool:
    """Whether a value has a space other than the blank: ``--decimal`` removes such a space around a number."""
    text = value if isinstance(value, str) else value.decode(errors="replace")
    return any(space in text for space in "\u00a0\u2007\u2009\u202f")


def _has_sign(value: Value) -> bool:
    """Whether a value has a decimal comma, or a sign between digits."""
    text = value if isinstance(value, str) else value.decode(errors="replace")
    return "," in text or re.search(r"[0-9][^0-9A-Za-z][0-9]", text) is not None


def _field(value: Value, *, quoted: bool) -> bytes:
    if value is None:
        return b""
    data = value.encode() if isinstance(value, str) else value
    if quoted or not data or any(b in data for b in b',"\n\r'):
        data = b'"' + data.replace(b'"', b'""') + b'"'
    return data


@contextlib.contextmanager
def _typed_only(share: float) -> Iterator[None]:
    """Every certain value travels in binary, where PostgreSQL's own reading of the file would hide it."""
    with (
        mock.patch("pgsluice.source.typed.duckdb_reader.TEXT_SHARE", share),
        mock.patch("pgsluice.pipeline.ingest.reader.AS_IS", False),
    ):
        yield


@contextlib.contextmanager
def _counted() -> Iterator[list[int]]:
    """Counts the rows that PostgreSQL took in binary."""
    count = [0]
    original = CopySender._send_typed

    def typed(self: CopySender, piece: object, chunk: object, batch: object) -> bool:
        taken = original(self, piece, chunk, batch)  # type: ignore[arg-type]
        if taken:
            count[0] += batch.num_rows  # type: ignore[attr-defined]
        return taken

    with mock.patch.object(CopySender, "_send_typed", typed):
        yield count


def _shell(text: str) -> str:
    import shlex

    return shlex.quote(text)


# --------------------------------------------------------------------------- databases


@contextlib.contextmanager
def bench(server: str, database: Database, folder: Path, only: str | None = None) -> Iterator[Bench]:
    """A fresh database with the settings, and a bench in it.

    :param server: URI of a superuser's database on the server.
    :param only: the one case that is wanted.
    """
    name = f"exact_{database.name}_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as admin:
        known = {row[0] for row in admin.execute("SELECT name FROM pg_available_extensions")}
        admin.execute(
            sql.SQL("CREATE DATABASE {} ENCODING {} TEMPLATE template0 LOCALE 'C'").format(
                sql.Identifier(name), sql.Literal(database.encoding)
            )
        )
        for key, value in database.settings:
            admin.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(name), sql.Identifier(key), sql.Literal(value)
                )
            )
    cases = [
        c
        for c in CASES
        if (c.when or database.every_case)
        and (not c.needs or c.needs in known)
        and only in (None, c.name)
        # The one collation that is there for UTF-8 alone.
        and (database.encoding == "UTF8" or "ucs_basic" not in c.definition)
    ]
    try:
        made = Bench(server.replace("/postgres?", f"/{name}?"), database, cases, folder / name)
        try:
            yield made
        finally:
            made.close()
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def database_named(name: str) -> Database:
    return next(d for d in DATABASES if d.name == name)
