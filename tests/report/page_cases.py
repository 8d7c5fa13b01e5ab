"""Reports for the tests of the page: one of a real run full of texts that look like HTML, and a huge one."""

from __future__ import annotations

from pathlib import Path

import psycopg

import pgsluice
from pgsluice.model import (
    ColumnProfile,
    GuestNode,
    GuestResult,
    PhaseTime,
    Reject,
    RejectGroup,
    RejectsResult,
    ReportFile,
    ReportKey,
    ReportTable,
    RowRule,
    RuleResult,
    RunNotes,
    RunReport,
    RunSummary,
    SetRule,
    Severity,
    TableName,
)

EVIL = "<script>alert('x')</script>"

Connection = psycopg.Connection[tuple[object, ...]]


def load_evil(conn: Connection, db: str, folder: Path) -> RunReport:
    """Loads two tables with rejects, broken rules, a derived table and names, values and files like ``EVIL``."""
    conn.execute(
        'CREATE TABLE parents (id int PRIMARY KEY, "<b>note</b>" text, seen date);'
        "CREATE TABLE children (id int PRIMARY KEY, parent int NOT NULL REFERENCES parents, amount numeric)"
    )
    files = folder / "in"
    files.mkdir()
    parents = [f'{i},"{EVIL if i % 3 else "a&b"}",2024-01-{1 + i % 28:02}' for i in range(1, 200)]
    bad = [f'x,"{EVIL}",2024-01-01', f'300,"\x1b[31m{EVIL}",2024-13-01']
    (files / "parents_<img src=x onerror=alert(1)>.csv").write_text(
        "\n".join(["id,<b>note</b>,seen", *parents, *bad, ""])
    )
    children = [f"{i},{i},{i}.50" for i in range(1, 150)] + ["900,300,1", "901,999,2"]
    (files / "children.csv").write_text("\n".join(["id,parent,amount", *children, ""]))
    definition = folder / "totals.sql"
    definition.write_text("-- unique index: parent\nSELECT parent, sum(amount) AS total FROM children GROUP BY 1")
    rules = [
        RowRule(f"warn {EVIL}", "parents", "id > 20", Severity.WARN),
        RowRule("holds", "children", "amount > 0"),
        SetRule(f"set {EVIL}", f"SELECT id, '{EVIL.replace(chr(39), '')}' AS \"<i>\" FROM parents", Severity.WARN),
    ]
    for again in (False, True):
        conn.execute("UPDATE children SET amount = 0.1 WHERE id = 5")
        result = pgsluice.load(
            files,
            database_url=db,
            data_dir=str(folder / "data"),
            rules=rules,
            derive=[str(definition)],
            max_rejects="all",
            tables=[("parents", "parents*")],
            mode="upsert",
            again=again,
        )
        assert result.status == "published"
    return pgsluice.run_report(database_url=db)


def huge() -> RunReport:
    """A report of 200 tables with 5,000 columns and 100,000 rejects in 2,000 groups, with long names and texts."""
    long = "<&\"'" * 80
    tables = [f"table_{n}_{long}"[:63] for n in range(200)]
    groups = tuple(
        RejectGroup(tables[n % 200], "value", f"column {n}", "", "22P02", 50, f"{long}:1: {long}") for n in range(2000)
    )
    samples = tuple(
        Reject(7, g.table, f"{long}.csv", n, "value", g.column, "", "22P02", long, long, detail=long)
        for g in groups
        for n in range(5)
    )
    profiles = tuple(
        ColumnProfile(
            TableName("public", tables[n // 25]),
            n % 25,
            f"column {n}",
            "numeric",
            1000,
            10,
            True,
            500.0,
            "1",
            "1000",
            500.5,
            tuple((f"{long}{i}", 0.01) for i in range(10)),
            tuple(str(i * 50) for i in range(20)),
        )
        for n in range(5000)
    )
    notes = RunNotes(
        tuple(
            ReportTable(t, "append", "in place", long, (), (ReportKey(("a",), tables[0], ("b",)),) * 30, 1, 0, 0, 0)
            for t in tables
        ),
        tuple(PhaseTime(t, phase, 0.5) for t in tables for phase in ("copy", "index", "analyze")),
        (long,) * 100,
    )
    nodes = tuple(GuestNode(f"{long}{n}", "test", "fail", False, 1.0, n, long) for n in range(2000))
    return RunReport(
        run_id=7,
        status="published",
        started="2026-01-01T00:00:00+00",
        ended="2026-01-01T00:10:00+00",
        seconds=600.0,
        detail="",
        replay_of=None,
        database="shop",
        server_version="18.6",
        files=tuple(ReportFile(t, f"/{long}/{t}.csv", 10, "loaded", "append", 600, 100, 500, 0) for t in tables * 5),
        notes=notes,
        rejects=RejectsResult(100_000, None, groups, remedies=notes.remedies, replay=7),
        samples=samples,
        rules=tuple(RuleResult(f"{long}{n}", "row", tables[0], "warn", False, n, detail=long) for n in range(1000)),
        warnings=(),
        profiles=profiles,
        derived=(),
        guests=(GuestResult("dbt", long, long, 7, False, 1.0, long, nodes),),
        history=tuple(RunSummary(n, "published", "2026-01-01", 1.0, 1, n, n, 0, "") for n in range(30)),
    )
