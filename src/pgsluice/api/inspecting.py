"""Public functions that read what runs have done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pgsluice import verification
from pgsluice.api.configured import database_of
from pgsluice.api.connections import PathLike, connected, existing, read_rows, with_rows
from pgsluice.api.quality import quality_options
from pgsluice.errors import CallError
from pgsluice.ledger import queries, reports, schema
from pgsluice.ledger.replays import files_to_replay, run_to_replay
from pgsluice.model import (
    PurgeResult,
    Reject,
    RejectSheet,
    RejectsResult,
    RowRule,
    RunReport,
    RunSummary,
    SetRule,
    Severity,
    VerifyResult,
)
from pgsluice.options import build_options
from pgsluice.pipeline.quality.standing import ask_standing
from pgsluice.pipeline.rejects.purge import purge
from pgsluice.pipeline.rejects.recall import recall
from pgsluice.pipeline.rejects.sheet_records import fields_of, guarded_sheet, sheets
from pgsluice.postgres.connecting.connect import resolve


def verify(
    *,
    database_url: str | None = None,
    data_dir: str | None = None,
    into: str | None = None,
    sql: str | None = None,
    rules: Sequence[RowRule | SetRule | Mapping[str, Any]] = (),
    rule_files: Sequence[PathLike] = (),
    config: PathLike | None = None,
) -> VerifyResult:
    """Verifies the loaded tables: rows against the ledger, rows without parents, and NULLs in NOT NULL columns.

    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data.
    :param into: the schema of the tables (default: the first of the search path).
    :param sql: a file of queries, each under a comment ``-- name: title``, to execute as well.
    :param rules: rules to ask of the tables as they stand, as for :func:`load`.
    :param rule_files: SQL files of rules, or folders of them.
    :param config: a file of settings (``pgsluice.toml``) with rules.
    :returns: the checks, the results of the queries and of the rules. A check or a rule that fails is in the result
        and raises no error.
    :raises FileError: ``sql`` cannot be read.
    :raises SchemaFileError: a query of ``sql`` fails.
    :raises DatabaseError: the database cannot be reached, the schema ``into`` does not exist, or a newer pgsluice wrote
        the ledger.
    """
    options, file = quality_options(config, rules, rule_files)
    with existing(database_of(file, database_url, data_dir) if file else database_url, data_dir) as conn:
        found = verification.verify(conn, into or options.into, sql)
        asked = ask_standing(conn, options.quality, into or options.into)
    broken = any(not rule.ok and rule.severity != Severity.WARN for rule in asked)
    return replace(found, ok=found.ok and not broken, rules=asked)


def runs(
    *,
    database_url: str | None = None,
    data_dir: str | None = None,
    limit: int = 20,
    file: str | None = None,
    table: str | None = None,
) -> tuple[RunSummary, ...]:
    """Returns the newest runs of the ledger, newest first.

    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data.
    :param limit: how many runs to return.
    :param file: the path of a file, its name or the end of its path: only runs that had such a file.
    :param table: only runs that had a file for this table.
    :returns: an empty tuple if the database has no ledger.
    :raises DatabaseError: the database cannot be reached, or a newer pgsluice wrote the ledger.
    """
    with existing(database_url, data_dir) as conn:
        return queries.runs(conn, limit, file, table) if schema.exists(conn) else ()


def rejects(
    run_id: int | None = None,
    *,
    table: str | None = None,
    database_url: str | None = None,
    data_dir: str | None = None,
) -> tuple[int, RejectsResult]:
    """Counts the open rejects of a run in groups of equal verdicts. Rejects that were replayed are not counted.

    :param run_id: the run; None stands for the newest run that has open rejects.
    :param table: count the rejects of this table only.
    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data.
    :returns: the run's id (0 if no run has open rejects) and the groups.
    :raises CallError: the run does not exist, or had no file for the table.
    :raises DatabaseError: the database cannot be reached, or a newer pgsluice wrote the ledger.
    """
    conninfo = resolve(database_url, data_dir, make=False)
    with connected(conninfo) as conn:
        known = schema.exists(conn)
        if run_id is None:
            run_id = queries.last_run_with_rejects(conn) if known else None
            if run_id is None:
                none = RejectsResult(0, None)
                none.set_source(lambda: iter(()))
                return 0, none
        row = queries.report_of(conn, run_id) if known else None
        if row is None:
            raise CallError(f"there is no run {run_id}", "pgsluice runs lists them")
        groups = recall(conn, run_id, queries.reject_groups(conn, run_id, table))
        replayed = queries.replayed_rows(conn, run_id, table)
        if table is not None and not (groups or replayed or queries.had_file(conn, run_id, table)):
            raise CallError(f"run {run_id} had no file for a table {table}", "Leave --table out to see all of them")
        path, replay_for = row
        count, purged = sum(g.count for g in groups), queries.purged_rejects(conn, run_id)
        found = RejectsResult(count, path, groups, replayed, replay=replay_for, purged=purged)
        with_rows(found, run_id, conninfo, table)
        return run_id, found


def reject_rows(
    run_id: int,
    *,
    table: str | None = None,
    marks: bool = False,
    database_url: str | None = None,
    data_dir: str | None = None,
) -> Iterator[Reject]:
    """Yields the open rejects of a run in load order.

    The rows are read as a stream; the connection stays open until the iterator ends or is closed.

    :param run_id: the run.
    :param table: yield the rejects of this table only.
    :param marks: find the parts of each record that the reason is about.
    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data.
    :returns: an iterator; empty if the run does not exist.
    :raises DatabaseError: the database cannot be reached, or a newer pgsluice wrote the ledger.
    """
    yield from read_rows(resolve(database_url, data_dir, make=False), run_id, table, marks=marks)


def reject_sheets(
    run_id: int,
    *,
    table: str | None = None,
    guard_formulas: bool = False,
    database_url: str | None = None,
    data_dir: str | None = None,
) -> Iterator[RejectSheet]:
    """Yields the open rejects of a run as a sheet for each table, with a column for each field of the records.

    :func:`replay` takes the sheets back, from a workbook or from CSV.

    :param run_id: the run.
    :param table: the rejects of this table only.
    :param guard_formulas: an apostrophe stands before texts that a spreadsheet program would run as formulas, which it
        does with CSV and does not with text cells of a workbook.
    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data.
    :returns: an iterator; empty if the run does not exist.
    :raises DatabaseError: the database cannot be reached, or a newer pgsluice wrote the ledger.
    """
    conninfo = resolve(database_url, data_dir, make=False)
    with connected(conninfo) as conn:
        run = run_to_replay(conn, run_id) if schema.exists(conn) else None
        if run is None:
            return
        files = {file.path: fields_of(file, run.options.get("fields", {})) for file in files_to_replay(conn, run_id)}
    for sheet in sheets(read_rows(conninfo, run_id, table), files):
        yield guarded_sheet(sheet) if guard_formulas else sheet


def run_report(run_id: int | None = None, *, database_url: str | None = None, data_dir: str | None = None) -> RunReport:
    """Returns everything that the ledger has of a run, for a report.

    :param run_id: the run; None stands for the newest run.
    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data.
    :raises CallError: the run does not exist.
    :raises DatabaseError: the database cannot be reached, or a newer pgsluice wrote the ledger.
    """
    conninfo = resolve(database_url, data_dir, make=False)
    with connected(conninfo) as conn:
        known = schema.exists(conn)
        wanted = reports.newest_run(conn) if known and run_id is None else run_id
        found = reports.read_report(conn, wanted) if known and wanted is not None else None
    if found is None:
        missing = "there is no run yet" if wanted is None else f"there is no run {wanted}"
        raise CallError(
            missing, "pgsluice runs lists them" if wanted is not None else "Load files first: pgsluice load"
        )
    with_rows(found.rejects, found.run_id, conninfo)
    return found


def purge_rejects(older_than: str, *, database_url: str | None = None, data_dir: str | None = None) -> PurgeResult:
    """Deletes old rejects from the ledger, and their reports in ``data_dir``. The counts of the runs stay.

    :param older_than: ``12h``, ``30d`` or ``8w``: delete the rejects of runs that ended longer ago.
    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data and for reports, as for :func:`load`.
    :returns: what was deleted.
    :raises CallError: ``older_than`` is no age, or a report cannot be deleted.
    :raises DatabaseError: the database cannot be reached, or the role may not delete rejects.
    """
    with existing(database_url, data_dir) as conn:
        return purge(conn, older_than, build_options(data_dir).reports)
