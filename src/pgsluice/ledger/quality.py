"""Write rules, warnings, derived tables and profiles of a run into the ledger, and read them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from psycopg.types.json import Jsonb

from pgsluice.ledger.statements import Connection, fetch_rows
from pgsluice.model import (
    ColumnProfile,
    Definition,
    Derived,
    DerivedAction,
    Guest,
    GuestResult,
    Made,
    RuleResult,
    TableName,
)
from pgsluice.sql import query


def record_rules(conn: Connection, run_id: int, results: Iterable[RuleResult]) -> None:
    """Inserts what became of the rules of a run."""
    rows = [
        {
            "run_id": run_id,
            "rule": r.name,
            "kind": r.kind,
            "table_name": r.table,
            "severity": r.severity,
            "ok": r.ok,
            "count": r.count,
            "value": r.value,
            "detail": r.detail,
            "evidence": Jsonb(r.evidence),
            "seconds": r.seconds,
        }
        for r in results
    ]
    _insert(conn, "record_rule", rows)


def record_warnings(conn: Connection, run_id: int, rows: Iterable[tuple[str, str, str, int, str]]) -> None:
    """Inserts rows that break a rule and are published all the same.

    :param rows: rule, table, file, line and raw record.
    """
    names = ("rule", "table_name", "file", "line", "raw")
    _insert(conn, "record_warning", [{"run_id": run_id} | dict(zip(names, row, strict=True)) for row in rows])


def record_derived(conn: Connection, run_id: int | None, definitions: Iterable[Definition], derived: Derived) -> None:
    """Inserts what was done with derived tables. Tables that were kept as they are have no row.

    :param run_id: None for ``pgsluice derive``.
    :param definitions: the definitions of these tables.
    """
    names = {str(d.name): d.name for d in definitions}
    rows = [
        {
            "run_id": run_id,
            "table_schema": names[r.name].schema,
            "table_name": names[r.name].name,
            "materialization": r.materialization,
            "action": r.action,
            "rows": r.rows,
            "changed": r.changed,
            "seconds": r.seconds,
            "sha256": r.sha256,
            "reads": list(r.reads),
            "note": r.note,
            "stamp": Jsonb(derived.stamps[r.name]) if r.name in derived.stamps else None,
        }
        for r in derived.results
        if r.action != DerivedAction.KEPT
    ]
    _insert(conn, "record_derived", rows)


def record_profiles(conn: Connection, run_id: int, profiles: Iterable[ColumnProfile]) -> None:
    """Inserts the profiles of a published run."""
    rows = [
        {
            "run_id": run_id,
            "table_schema": p.table.schema,
            "table_name": p.table.name,
            "column_no": p.number,
            "column_name": p.column,
            "type": p.type,
            "rows": p.rows,
            "nulls": p.nulls,
            "exact": p.exact,
            "distinct": p.distinct,
            "minimum": p.minimum,
            "maximum": p.maximum,
            "mean": p.mean,
            "frequent": Jsonb(p.frequent),
            "bounds": list(p.bounds),
        }
        for p in profiles
    ]
    _insert(conn, "record_profile", rows)


def record_guests(conn: Connection, run_id: int, results: Iterable[GuestResult]) -> None:
    """Inserts what became of the projects that ran after a run: each project, and its parts.

    :param run_id: a run that has published. Earlier results of the same projects stay.
    """
    rows: list[dict[str, object]] = []
    last: int = fetch_rows(conn, "last_guest", sql_file="ledger_quality", run_id=run_id)[0][0]
    for number, r in enumerate(results, last + 1):
        common = {"run_id": run_id, "guest_no": number, "program": r.program, "project": r.project}
        common["built_for"] = r.built_for
        parts: list[tuple[object, ...]] = [
            (r.name, "project", "success" if r.ok else "error", r.ok, None, r.seconds, r.message)
        ]
        parts += [(n.name, n.kind, n.status, n.ok, n.failures, n.seconds, n.message) for n in r.nodes]
        names = ("name", "kind", "status", "ok", "failures", "seconds", "message")
        rows += [common | {"place": place} | dict(zip(names, p, strict=True)) for place, p in enumerate(parts)]
    _insert(conn, "record_guest", rows)


def newest_published(conn: Connection) -> int | None:
    """The id of the newest published run; None if there is none."""
    run_id: int | None = fetch_rows(conn, "newest_published", sql_file="ledger_quality")[0][0]
    return run_id


def was_built(conn: Connection, guest: Guest, run_id: int) -> bool:
    """Says whether a project was built without a failure for this run or for a later run."""
    parameters = {"program": guest.program, "project": guest.project, "run_id": run_id}
    return bool(fetch_rows(conn, "guest_built", sql_file="ledger_quality", **parameters)[0][0])


def kept_tables(conn: Connection) -> list[tuple[str, str]]:
    """Schema and name of the tables that runs have loaded or derived."""
    return [(schema, name) for schema, name in fetch_rows(conn, "kept_tables", sql_file="ledger_quality")]


def made_by(conn: Connection) -> dict[TableName, str]:
    """SHA-256 of the definition that made each derived table last. The ledger may have an older version."""
    return {TableName(schema, name): sha256 for schema, name, sha256 in fetch_rows(conn, "made_by")}


def made_last(conn: Connection) -> dict[TableName, Made]:
    """How each derived table was made last."""
    return {TableName(schema, name): Made(*rest) for schema, name, *rest in fetch_rows(conn, "made_last")}


def earlier_profiles(conn: Connection, table: TableName, column: str, runs: int) -> tuple[ColumnProfile, ...]:
    """The profiles of a column in the newest published runs, newest first; without values.

    :param runs: how many at most.
    """
    rows = fetch_rows(
        conn, "earlier_profiles", table_schema=table.schema, table_name=table.name, column=column, runs=runs
    )
    return tuple(
        ColumnProfile(table, 0, column, "", count, nulls, exact, distinct, None, None, mean)
        for count, nulls, exact, distinct, mean in rows
    )


def _insert(conn: Connection, name: str, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        with conn.cursor() as cursor:
            cursor.executemany(query("ledger_quality", name), rows)
