"""Write and read what only the report of a run needs, and join it with the rest of the ledger."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from psycopg.types.json import Json

from pgsluice.ledger.queries import purged_rejects, reject_groups, replayed_rows
from pgsluice.ledger.statements import Connection, fetch_rows
from pgsluice.model import (
    ColumnProfile,
    DerivedResult,
    GroupNote,
    GuestNode,
    GuestResult,
    PhaseTime,
    Reject,
    RejectsResult,
    ReportFile,
    ReportKey,
    ReportTable,
    ReportWarning,
    RuleResult,
    RunNotes,
    RunReport,
    RunSummary,
    TableName,
)
from pgsluice.sql import query

RUNS = 30
"""How many runs the history shows."""
SAMPLES = 5
"""How many rejects of each group are shown."""
WARNINGS = 200
"""How many rows of which rules warn are shown."""
WIDTH = 1000
"""How many characters of a record or a value are read."""


def record_notes(conn: Connection, run_id: int, notes: RunNotes) -> None:
    """Stores what the report of a run needs beyond the other tables of the ledger.

    :param conn: for a published run the main connection, inside the transaction that loads.
    """
    conn.execute(query("ledger_report", "record_summary"), {"run_id": run_id, "summary": Json(asdict(notes))})


def read_notes(conn: Connection, run_id: int) -> RunNotes:
    """Reads the notes of a run; a ledger before version 3 has none."""
    return _notes(conn, run_id) if _rows(conn, "has")[0][0] else RunNotes()


def rows_left(conn: Connection) -> dict[int, int | None]:
    """Counts the rows that published runs left in each table, by the oid of the table.

    :returns: None for a table of which the ledger does not know what each run inserted and deleted.
    """
    return dict(_rows(conn, "rows_left")) if _rows(conn, "has")[0][0] else {}


def newest_run(conn: Connection) -> int | None:
    """Returns the id of the newest run, None if there is none."""
    run_id: int | None = _rows(conn, "newest")[0][0]
    return run_id


def read_report(conn: Connection, run_id: int) -> RunReport | None:
    """Reads everything that the ledger has of a run. A ledger of an older version has less.

    :returns: None if the run does not exist.
    """
    found = _rows(conn, "run", run_id=run_id)
    if not found:
        return None
    (_, status, started, ended, seconds, detail, replay_of, path, database, version, client, options) = found[0]
    groups = reject_groups(conn, run_id)
    new = bool(_rows(conn, "has")[0][0])
    notes = _notes(conn, run_id) if new else RunNotes()
    rejects = RejectsResult(
        sum(g.count for g in groups),
        path,
        groups,
        replayed_rows(conn, run_id),
        notes.remedies,
        replay=(replay_of or run_id) if status == "published" else None,
        purged=purged_rejects(conn, run_id),
    )
    return RunReport(
        run_id=run_id,
        status=status,
        started=started,
        ended=ended,
        seconds=seconds,
        detail=detail,
        replay_of=replay_of,
        database=database,
        server_version=version,
        role=options.get("role", ""),
        pgsluice=options.get("pgsluice", ""),
        client=client,
        options=options,
        files=tuple(ReportFile(*row) for row in _rows(conn, "files", run_id=run_id)),
        notes=notes,
        rejects=rejects,
        samples=tuple(Reject(*row) for row in _rows(conn, "samples", run_id=run_id, each=SAMPLES, width=WIDTH)),
        rules=_rules(conn, run_id) if new else (),
        warnings=_warnings(conn, run_id) if new else (),
        profiles=_profiles(conn, run_id) if new else (),
        derived=_derived(conn, run_id) if new else (),
        guests=_guests(conn, run_id) if _rows(conn, "has_guests")[0][0] else (),
        history=tuple(RunSummary(*row) for row in _rows(conn, "history", run_id=run_id, limit=RUNS)),
    )


def _notes(conn: Connection, run_id: int) -> RunNotes:
    rows = _rows(conn, "summary", run_id=run_id)
    if not rows:
        return RunNotes()
    summary: dict[str, Any] = rows[0][0]
    return RunNotes(
        tables=tuple(_table(table) for table in summary["tables"]),
        phases=tuple(PhaseTime(**phase) for phase in summary["phases"]),
        remedies=tuple(summary["remedies"]),
        # Summaries of version 0.2 and before have no groups.
        groups=tuple(_group_note(note) for note in summary.get("groups", ())),
    )


def _group_note(note: dict[str, Any]) -> GroupNote:
    return GroupNote(**note | {"columns": tuple(note["columns"]), "help": tuple(note["help"])})


def _table(table: dict[str, Any]) -> ReportTable:
    keys = tuple(ReportKey(tuple(k["columns"]), k["parent"], tuple(k["parent_columns"])) for k in table["keys"])
    return ReportTable(**table | {"keys": keys, "merge_key": tuple(table["merge_key"])})


def _rules(conn: Connection, run_id: int) -> tuple[RuleResult, ...]:
    found = []
    for *first, evidence, seconds in _rows(conn, "rules", run_id=run_id):
        cells = tuple(tuple(str(cell) for cell in row) for row in evidence)
        found.append(RuleResult(*(*first, cells, seconds)))
    return tuple(found)


def _warnings(conn: Connection, run_id: int) -> tuple[ReportWarning, ...]:
    rows = _rows(conn, "warnings", run_id=run_id, limit=WARNINGS, width=WIDTH)
    return tuple(ReportWarning(*row) for row in rows)


def _derived(conn: Connection, run_id: int) -> tuple[DerivedResult, ...]:
    rows = _rows(conn, "derived", run_id=run_id)
    return tuple(DerivedResult(*(*first, tuple(reads), note)) for *first, reads, note in rows)


def _guests(conn: Connection, run_id: int) -> tuple[GuestResult, ...]:
    projects: dict[int, GuestResult] = {}
    nodes: dict[int, list[GuestNode]] = {}
    for number, place, program, project, name, built_for, *rest in _rows(conn, "guests", run_id=run_id):
        kind, status, ok, seconds, failures, message = rest
        if place:
            nodes[number].append(GuestNode(name, kind, status, ok, seconds, failures, message))
        else:
            projects[number], nodes[number] = GuestResult(program, project, name, built_for, ok, seconds, message), []
    return tuple(replace(result, nodes=tuple(nodes[number])) for number, result in projects.items())


def _profiles(conn: Connection, run_id: int) -> tuple[ColumnProfile, ...]:
    found = []
    for schema, name, *rest, frequent, bounds in _rows(conn, "profiles", run_id=run_id, width=WIDTH):
        shares = tuple((str(value), float(share)) for value, share in frequent)
        found.append(ColumnProfile(*(TableName(schema, name), *rest, shares, tuple(bounds))))
    return tuple(found)


def _rows(conn: Connection, name: str, **parameters: object) -> list[tuple[Any, ...]]:
    """Returns the rows of a query of ``sql/ledger_report.sql``."""
    return fetch_rows(conn, name, sql_file="ledger_report", **parameters)
