"""Start over: drop the ledger, and the tables that a schema file creates."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.api.connections import PathLike, connected, existing
from pgsluice.errors import CallError, DatabaseError, LockedError
from pgsluice.ledger.advisory_locks import live_runs
from pgsluice.ledger.schema import exists
from pgsluice.model import DroppedRelation, ResetResult
from pgsluice.postgres.asking.target import read_target
from pgsluice.postgres.schema_files.needs import read_tables_made
from pgsluice.postgres.search_path import choose_schema, current_schema
from pgsluice.postgres.sqlstate import primary_message
from pgsluice.sql import query

Connection = psycopg.Connection[Any]

_KINDS = {"r": "table", "p": "table", "f": "foreign table", "v": "view", "m": "materialized view"}
"""``pg_class.relkind`` in words."""


def reset(
    *,
    ledger: bool = False,
    schema: PathLike | Sequence[PathLike] = (),
    everything: bool = False,
    dry_run: bool = False,
    into: str | None = None,
    database_url: str | None = None,
    data_dir: str | None = None,
) -> ResetResult:
    """Drops the ledger, the tables of schema files, or these, the derived tables and the ledger: all or nothing.

    The function does not ask. ``dry_run`` returns what would be dropped. Nothing is dropped that another
    object depends on.

    :param ledger: drop what pgsluice knows of its runs: the schema ``pgsluice`` with files and rejects.
    :param schema: a schema file, or several: drop the tables that they create, with their rows.
    :param everything: drop the tables of ``schema``, the derived tables and the ledger.
    :param dry_run: drop nothing.
    :param into: the schema of the tables, as for :func:`pgsluice.load`.
    :param database_url, data_dir: the database, as for :func:`pgsluice.load`.
    :returns: what was dropped, or would be.
    :raises CallError: the call does not say what to drop.
    :raises LockedError: a run is under way, or another session holds a table.
    :raises DatabaseError: something depends on what would be dropped, or a right is missing; nothing was dropped.
    :raises FileError: a schema file cannot be read.
    """
    named = [schema] if isinstance(schema, (str, os.PathLike)) else list(schema)
    files = [os.fspath(path) for path in named]
    require_choice(ledger=ledger, schema_files=files, everything=everything)
    return start_over(
        database_url=database_url,
        data_dir=data_dir,
        into=into,
        ledger=ledger or everything,
        schema_files=files,
        derived=everything,
        dry_run=dry_run,
    )


def start_over(
    *,
    database_url: str | None,
    data_dir: str | None,
    into: str | None,
    ledger: bool,
    schema_files: Sequence[str],
    derived: bool,
    confirm: Callable[[ResetResult], None] = lambda _: None,
    dry_run: bool = False,
) -> ResetResult:
    """Drops the ledger, the tables of schema files and derived tables, all or nothing.

    :param ledger: drop the ledger.
    :param schema_files: drop the tables that these files create.
    :param derived: drop the derived tables that the ledger knows.
    :param confirm: is told what will be dropped, before it is; raises an error to stop the reset.
    :param dry_run: drop nothing, and ask nobody.
    :returns: what was dropped, or would be.
    :raises LockedError: a run is under way, or another session holds a table.
    :raises DatabaseError: another object depends on a table, or it belongs to another role.
    """
    with existing(database_url, data_dir) as conn, conn.transaction():
        conn.execute("SELECT pg_catalog.set_config('lock_timeout', '5s', true)")
        if into:
            choose_schema(conn, into)
        schema = into or current_schema(conn)
        here = [run for run in live_runs(conn) if run[2] == conn.info.dbname]
        _refuse(here)
        has_ledger = exists(conn)
        if has_ledger:
            _lock_ledger(conn)
        found = _survey(conn, schema, ledger and has_ledger, schema_files, derived and has_ledger)
        if found.empty or dry_run:
            return found
        confirm(found)
        try:
            _drop(conn, found)
        except psycopg.errors.LockNotAvailable as error:
            raise LockedError("another session holds a table", "Try again when it has ended") from error
        except psycopg.errors.DependentObjectsStillExist as error:
            detail = " ".join((error.diag.message_detail or "").split())
            raise DatabaseError(
                f"{primary_message(error)}: {detail}; nothing was dropped", "Drop what depends on it first"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseError(
                f"{primary_message(error)}; nothing was dropped", "Reset as the role that made it, or as its owner"
            ) from error
    return found


def refuse_live_runs(address: str) -> None:
    """Checks that no run is under way on an embedded server.

    :raises LockedError: a run is.
    """
    with connected(address) as conn:
        _refuse(live_runs(conn))


def _refuse(runs: Sequence[tuple[int, int, str]]) -> None:
    if runs:
        words = ", ".join(f"run {run} (pid {pid} of database {database})" for run, pid, database in runs)
        raise LockedError(f"a run is under way: {words}", "Wait for its end, or interrupt it")


def _lock_ledger(conn: Connection) -> None:
    """Keeps new runs from beginning. A run that waits here fails when the ledger is gone."""
    try:
        conn.execute("LOCK TABLE pgsluice.run IN SHARE MODE")
    except psycopg.errors.LockNotAvailable as error:
        raise LockedError("another session writes the ledger", "Try again when it has ended") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseError(primary_message(error), "Reset as the role that made the ledger") from error


def _survey(
    conn: Connection, schema: str | None, ledger: bool, schema_files: Sequence[str], derived: bool
) -> ResetResult:
    wanted = [(own or schema, name) for file in schema_files for own, name in read_tables_made(file)]
    rows: list[tuple[str, str, str]] = []
    if derived:
        rows += conn.execute(query("reset", "derived")).fetchall()
    if wanted:
        places = {"schemas": [schema for schema, _ in wanted], "names": [name for _, name in wanted]}
        rows += [row for row in conn.execute(query("reset", "relations"), places) if row not in rows]
    relations = tuple(DroppedRelation(row[0], row[1], _KINDS[row[2]], _count(conn, row)) for row in rows)
    runs, rejects = None, 0
    if ledger:
        row = conn.execute(query("reset", "ledger")).fetchone()
        assert row is not None
        runs, rejects = row
    return ResetResult(read_target(conn, schema), runs, rejects, relations)


def _count(conn: Connection, relation: tuple[str, str, str]) -> int:
    schema, name, kind = relation
    if kind not in "rpm":
        return 0
    try:
        with conn.transaction():
            row = conn.execute(
                sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(sql.Identifier(schema, name))
            ).fetchone()
    except psycopg.Error:  # a materialized view without content, a table that may not be read
        return 0
    return int(row[0]) if row else 0


def _drop(conn: Connection, found: ResetResult) -> None:
    """Drops what was found, views and derived tables before the tables that they read."""
    names: dict[str, list[sql.Identifier]] = {}
    for relation in found.relations:
        names.setdefault(relation.kind, []).append(sql.Identifier(relation.schema, relation.name))
    for kind in ("view", "materialized view", "foreign table", "table"):
        if kind in names:
            # One statement: the tables may reference each other.
            conn.execute(sql.SQL("DROP {} {}").format(sql.SQL(kind.upper()), sql.SQL(", ").join(names[kind])))
    if found.runs is not None:
        conn.execute("DROP SCHEMA pgsluice CASCADE")


def require_choice(*, ledger: bool, schema_files: Sequence[str], everything: bool) -> None:
    """Checks that a call says what to drop.

    :raises CallError: it says nothing, or everything without the file of the tables.
    """
    if everything and not schema_files:
        raise CallError("--all needs to know which tables", "Name the file that creates them: --schema FILE")
    if not (ledger or schema_files):
        raise CallError(
            "reset needs to know what to drop",
            "--ledger: what pgsluice knows of its runs; --schema FILE: the tables that FILE creates; both, or --all"
            " (in Python ledger, schema and everything)",
        )
