"""Compares pgsluice with the oracle over many random cases; ``make verdicts`` runs it.

python tests/verdicts/verdict_run.py --seed 1 --count 2000 [--version 18]
python tests/verdicts/verdict_run.py --seed 1 --count 300 --rules     # schemas with row rules only
python tests/verdicts/verdict_run.py --seed 1 --count 300 --calm      # schemas in which suspects are held
python tests/verdicts/verdict_run.py --only 1:77        # one case again, shown with its DDL and data
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from unittest import mock

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from verdict_cases import Case, make_case
from verdict_oracle import Oracle, Verdict, insert

import pgsluice
from pgsluice.errors import SluiceError
from pgsluice.model import RowRule, SourceFile
from pgsluice.pipeline.ingest.adaptive import FormatChooser
from pgsluice.pipeline.ingest.route import Care, CopyRoute
from pgsluice.pipeline.ingest.suspects import suspects
from pgsluice.postgres.embedded import server as embedded
from pgsluice.source.blocks import BlockReader

_DATABASE_LASTS = 150
"""Cases after which a new database is taken: a catalog full of dead rows slows everything down."""


class Difference(AssertionError):
    """pgsluice and the oracle disagree."""


@contextmanager
def _some_way(case: Case) -> Iterator[None]:
    """Rows travel as the file has them, as Arrow or as DuckDB reads them, in blocks of a row or of all. Suspects are
    held from the first row on or when a row was refused, however many they are or only if they are few. All that by
    chance, the same for the same case. All of it comes out the same.
    """
    r = Random("".join(case.files.values()))
    size = r.choice([60, 400, 8 << 20])
    as_it_is, typed = r.choice([(True, True), (True, True), (True, False), (False, False)])
    most = r.choice([suspects.MOST, 1.0])
    care = Care.HOLDING if case.calm and r.random() < 0.7 else Care.TRUSTING
    original = BlockReader.__init__

    def small(self: BlockReader, file: SourceFile, columns: Sequence[str]) -> None:
        original(self, file, columns, size)

    with (
        mock.patch.object(BlockReader, "__init__", small),
        mock.patch("pgsluice.pipeline.ingest.reader.AS_IS", as_it_is),
        mock.patch.object(FormatChooser, "prefers_binary", return_value=typed),
        mock.patch.object(suspects, "MOST", most),
        mock.patch.object(CopyRoute, "first_care", care),
    ):
        yield


class Bench:
    """A place to run cases in: a database that is renewed now and then."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._runs = 0
        self._conn: psycopg.Connection | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="verdicts-"))
        self.seen: Counter[str] = Counter()

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
        with psycopg.connect(self._uri, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self._name)))
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _name(self) -> str:
        return f"verdicts_{os.getpid()}"

    def _database(self) -> psycopg.Connection:
        if self._runs % _DATABASE_LASTS == 0:
            if self._conn is not None:
                self._conn.close()
            with psycopg.connect(self._uri, autocommit=True) as admin:
                name = sql.Identifier(self._name)
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
                admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
            self._conn = psycopg.connect(make_conninfo(self._uri, dbname=self._name), autocommit=True)
            self._conn.execute("SET client_min_messages = warning")
        self._runs += 1
        assert self._conn is not None
        return self._conn

    def run(self, case: Case) -> None:
        """Loads the case, lets the oracle do it, and compares.

        :raises Difference: they are not the same.
        """
        conn = self._database()
        while not self._make(conn, case):
            pass
        data = self._folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        for name, text in case.files.items():
            (data / name).write_text(text)
        # The columns of the case are chosen by their header; a lone one would be sniffed otherwise.
        with _some_way(case):
            result = pgsluice.load(
                data,
                database_url=make_conninfo(self._uri, dbname=self._name),
                data_dir=str(self._folder),
                into="s",
                max_rejects="all",
                delimiter=",",
                quote='"',
                skip_footer=0,  # a last line of delimiters alone is a record, as for INSERT
                again=True,
                rules=[RowRule(r.name, r.table, r.expression) for r in case.rules],
            )
        if result.status not in ("published", "skipped"):
            raise Difference(f"status {result.status}: {result.reason}")
        for statement in (s for rule in case.rules for s in rule.ddl):
            conn.execute(statement.encode())
        oracle = Oracle(conn, case)
        order = [t.table.removeprefix("s.") for t in result.tables]
        oracle.run(order)
        for table in result.tables:
            self.seen[table.way] += 1
        self._compare(conn, case, oracle, result.run_id)

    def _make(self, conn: psycopg.Connection, case: Case) -> bool:
        """Makes the case's tables twice.

        Foreign keys fire in the order of their triggers' names, which end in oids and are compared as text:
        when the oids get a digit more in the middle of it (False), the two schemas differ in that order.
        """
        for schema in ("s", "o"):
            conn.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; SET search_path = {schema}")
            for statement in case.ddl:
                conn.execute(statement.encode())
            for table, columns, values in case.before:
                try:
                    with conn.transaction():
                        conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
                        conn.execute(insert(conn, table, columns, values).encode())
                except psycopg.Error:
                    pass
        row = conn.execute(
            "SELECT count(DISTINCT length(t.oid::text)) < 2 FROM pg_trigger AS t"
            " JOIN pg_class AS c ON c.oid = t.tgrelid WHERE t.tgisinternal"
            " AND c.relnamespace IN ('s'::regnamespace, 'o'::regnamespace)"
        ).fetchone()
        return row == (True,)

    def _compare(self, conn: psycopg.Connection, case: Case, oracle: Oracle, run_id: int) -> None:
        wrong = []
        for table in case.tables:
            columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c in case.compared[table])
            kept = []
            for schema in ("o", "s"):
                rows = conn.execute(sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(schema, table)))
                kept.append(Counter(rows.fetchall()))
            for row, n in ((kept[0] - kept[1]) + (kept[1] - kept[0])).items():
                which = "kept by the oracle only" if kept[0][row] > kept[1][row] else "kept by pgsluice only"
                wrong.append(f"{table}: {row} x{n} {which}")
        expected = [v for t in case.tables for _, v in sorted(oracle.refused[t].items())]
        found = [
            Verdict(Path(file).name, line, kind, con, code, col if kind == "not_null" else "", parent)
            for file, line, kind, con, code, col, parent in conn.execute(
                "SELECT file, line, kind, constraint_name, sqlstate, column_name,"
                " coalesce(regexp_replace(parent_file, '^.*/', '') || ':' || parent_line, '')"
                " FROM pgsluice.reject WHERE run_id = %s",
                (run_id,),
            )
        ]
        rivals = [v for v in found if v.kind == "unique" and v.parent]
        wrong += [f"no rival of       {v}" for v in rivals if not self._collide(conn, case, expected, v)]
        # The oracle does not know them.
        found = [replace(v, parent="") if v.kind == "unique" else v for v in found]
        self.seen["rival named"] += len(rivals)
        for v in expected:
            self.seen[v.kind] += 1
        wrong += [f"the oracle says   {v}" for v in expected if v not in set(found)]
        wrong += [f"pgsluice says     {v}" for v in found if v not in set(expected)]
        if len(found) != len(set(found)):
            wrong.append("a row is rejected twice")
        if wrong:
            raise Difference("\n".join(wrong))

    def _collide(self, conn: psycopg.Connection, case: Case, refused: list[Verdict], verdict: Verdict) -> bool:
        """Whether the record that is said to have the row's key stands before it, was not refused, and alone in the
        table keeps the row out by that constraint.
        """
        [table] = {t for t, records in case.records.items() if any(r.file == verdict.file for r in records)}
        places = [f"{r.file}:{r.line}" for r in case.records[table]]
        row, rival = places.index(f"{verdict.file}:{verdict.line}"), places.index(verdict.parent)
        if rival >= row or verdict.parent in {f"{v.file}:{v.line}" for v in refused}:
            return False
        conn.execute("SET search_path = o")
        try:
            with conn.transaction():
                for fk in case.fks:
                    conn.execute(f"ALTER TABLE {fk.table} DROP CONSTRAINT {fk.name}".encode())
                conn.execute(f"TRUNCATE {table} CASCADE; SET CONSTRAINTS ALL IMMEDIATE".encode())
                for which in (rival, row):
                    conn.execute(insert(conn, table, case.columns[table], case.records[table][which].values).encode())
                raise psycopg.Rollback
        except psycopg.errors.UniqueViolation as error:
            return error.diag.constraint_name == verdict.constraint
        return False


def shown(case: Case) -> str:
    """A case as text: DDL, rows before, files."""
    parts = [";\n".join(case.ddl) + ";"]
    parts += [f"-- before: {t} {v}" for t, _, v in case.before]
    parts += [f"-- rule {r.name}: {r.expression}" for r in case.rules]
    parts += [f"-- {name}\n{text}" for name, text in case.files.items()]
    return "\n".join(parts)


def check(bench: Bench, seed: str) -> str:
    """'' when pgsluice and the oracle agree on the case, else how they differ and how to see it again."""
    case = make_case(seed)
    try:
        bench.run(case)
    except (Difference, SluiceError, psycopg.Error) as error:
        again = f"python tests/verdicts/verdict_run.py --only {seed}"
        return f"=== case {seed} differs ({again})\n{type(error).__name__}: {error}\n{shown(case)}\n"
    return ""


_bench: Bench


def _begin(uri: str) -> None:
    global _bench
    _bench = Bench(uri)


def _one(seed: str) -> tuple[str, Counter[str]]:
    _bench.seen.clear()
    return check(_bench, seed), Counter(_bench.seen)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--version", type=int, default=18)
    parser.add_argument("--rules", action="store_true", help="only schemas with row rules")
    parser.add_argument("--calm", action="store_true", help="only schemas and tables in which suspects are held")
    parser.add_argument("--only", help="seed:number of one case")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--stop", type=int, default=10, help="stop after so many differences")
    args = parser.parse_args()
    seeds: Iterable[str] = (
        [args.only] if args.only else [f"{'calm' if args.calm else ''}{args.seed}:{i}" for i in range(args.count)]
    )
    if args.rules:
        numbered = (f"{args.seed}:{i}" for i in itertools.count())
        seeds = itertools.islice((seed for seed in numbered if make_case(seed).rules), args.count)
    started = time.monotonic()
    failed = done = 0
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="sluice-", ignore_cleanup_errors=True) as root:
        Path(root).chmod(0o711)
        uri = embedded.start(Path(root) / "pg", args.version)
        try:
            with psycopg.connect(uri, autocommit=True) as admin:
                for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
                    admin.execute(f"ALTER SYSTEM SET {setting}".encode())
                admin.execute("SELECT pg_reload_conf()")
            with multiprocessing.get_context("spawn").Pool(args.jobs, _begin, (uri,)) as pool:
                for said, counts in pool.imap_unordered(_one, seeds):
                    done += 1
                    seen += counts
                    if said:
                        failed += 1
                        print(said, flush=True)
                        if failed >= args.stop:
                            break
                    if done % 100 == 0:
                        print(f"{done} schemas, {failed} differences, {time.monotonic() - started:.0f} s", flush=True)
        finally:
            embedded.stop(Path(root) / "pg")
    print(f"seed {args.seed}, PostgreSQL {args.version}: {done} schemas, {failed} differences,"
          f" {time.monotonic() - started:.0f} s; {dict(sorted(seen.items()))}")  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
