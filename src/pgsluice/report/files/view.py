"""What the page shows: the report with bounds, so that the page stays small whatever the run was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from pgsluice.model import (
    ColumnProfile,
    DerivedResult,
    GuestNode,
    GuestResult,
    PhaseTime,
    Reject,
    RejectGroup,
    ReportFile,
    ReportKey,
    ReportTable,
    ReportWarning,
    RuleResult,
    RunReport,
)
from pgsluice.text import pluralize

T = TypeVar("T")

_BRIEF = 0.005
"""Phases that took fewer seconds are not shown: they would read as 0.00 s."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many of each kind the page shows, and how many characters of a text."""

    files: int = 300
    tables: int = 200
    keys: int = 20
    groups: int = 60
    samples: int = 5
    rules: int = 200
    evidence: int = 5
    warnings: int = 100
    columns: int = 400
    frequent: int = 5
    derived: int = 100
    nodes: int = 200
    phases: int = 30
    remedies: int = 20
    width: int = 160

    def smaller(self) -> Bounds:
        """Half of everything, but at least 1."""
        return Bounds(**{f.name: max(1, getattr(self, f.name) // 2) for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Some(Generic[T]):
    """The first elements of a sequence, and how many are left out."""

    shown: Sequence[T]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class TableProfile:
    """The profiles of the columns of one table."""

    table: str
    rows: int
    exact: bool
    columns: Some[ColumnProfile]


@dataclass(frozen=True, slots=True)
class View:
    """The report within its bounds."""

    report: RunReport
    bounds: Bounds
    verdict: str
    files: Some[ReportFile]
    tables: Some[ReportTable]
    keys: dict[str, Some[ReportKey]]
    """The foreign keys by the name of the table."""
    places: dict[str, int]
    """Where the tables stand in load order, from 1."""
    groups: Some[RejectGroup]
    samples: dict[RejectGroup, Sequence[Reject]]
    remedies: Some[str]
    rules: Some[RuleResult]
    warnings: Some[ReportWarning]
    profiles: Some[TableProfile]
    derived: Some[DerivedResult]
    guests: tuple[tuple[GuestResult, Some[GuestNode]], ...]
    """The guests with their parts, the failed ones first."""
    phases: Some[PhaseTime]
    slowest: float
    """Seconds of the slowest phase."""


def view_of(report: RunReport, bounds: Bounds) -> View:
    """Cuts the report to the bounds."""
    tables = _some(report.notes.tables, bounds.tables)
    shown = _some(report.rejects.groups, bounds.groups)
    phases = sorted((p for p in report.notes.phases if p.seconds >= _BRIEF), key=lambda p: -p.seconds)
    return View(
        report=report,
        bounds=bounds,
        verdict=verdict(report),
        files=_some(report.files, bounds.files),
        tables=tables,
        keys={t.table: _some(t.keys, bounds.keys) for t in tables.shown},
        places={t.table: place for place, t in enumerate(tables.shown, 1)},
        groups=shown,
        samples=_samples(report, shown.shown, bounds),
        remedies=_some(report.rejects.remedies, bounds.remedies),
        rules=_some(report.rules, bounds.rules),
        warnings=_some(report.warnings, bounds.warnings),
        profiles=_profiles(report, bounds),
        derived=_some(report.derived, bounds.derived),
        guests=tuple(
            (g, _some(sorted(g.nodes, key=lambda n: (n.ok, n.status == "skipped")), bounds.nodes))
            for g in report.guests
        ),
        phases=_some(phases, bounds.phases),
        slowest=phases[0].seconds if phases else 0.0,
    )


def verdict(report: RunReport) -> str:
    """What became of the run, in a sentence or two."""
    rejected = f" {pluralize(report.rejects.count, 'row')} were rejected." if report.rejects.count else ""
    if report.status == "published":
        rows = f"{pluralize(report.loaded, 'row')} of {report.read:,} were loaded and published."
        failed = [f" {g.program} {g.name or g.project} failed after the publish." for g in report.guests if not g.ok]
        return f"{rows}{rejected if report.rejects.count != 1 else ' 1 row was rejected.'}{''.join(failed)}"
    if report.status == "running":
        return "The run has not ended. Nothing is published yet."
    if report.status == "dry_run":
        return f"The run was a dry run: nothing was published.{rejected}"
    return f"Nothing was published: {report.detail}." if report.detail else "Nothing was published."


def _some(values: Sequence[T], most: int) -> Some[T]:
    return Some(values[:most], max(0, len(values) - most))


def _samples(report: RunReport, groups: Sequence[RejectGroup], bounds: Bounds) -> dict[RejectGroup, Sequence[Reject]]:
    """The first rejects of each group."""
    found: dict[tuple[str, ...], list[Reject]] = {}
    for r in report.samples:
        found.setdefault((r.table, r.kind, r.column, r.constraint, r.sqlstate), []).append(r)
    keys = {g: (g.table, g.kind, g.column, g.constraint, g.sqlstate) for g in groups}
    return {g: found.get(key, [])[: bounds.samples] for g, key in keys.items()}


def _profiles(report: RunReport, bounds: Bounds) -> Some[TableProfile]:
    """The profiles by table. ``left_out`` counts columns: those of tables that are not shown at all."""
    by_table: dict[str, list[ColumnProfile]] = {}
    for profile in report.profiles:
        by_table.setdefault(str(profile.table), []).append(profile)
    order = {t.table: place for place, t in enumerate(report.notes.tables)}
    room, shown = bounds.columns, []
    for name in sorted(by_table, key=lambda name: order.get(name, len(order))):
        columns = by_table[name]
        if room > 0:
            shown.append(TableProfile(name, columns[0].rows, columns[0].exact, _some(columns, room)))
            room -= len(columns)
    counted = sum(len(t.columns.shown) + t.columns.left_out for t in shown)
    return Some(shown, len(report.profiles) - counted)
