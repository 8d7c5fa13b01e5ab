"""Reports of the ledger: the list of runs, and one run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pgsluice.model import PhaseTime, RunReport, RunStatus, RunSummary
from pgsluice.report.parts import Grid, Line, Part, clean, number, seconds, size
from pgsluice.report.texts.quality_text import derived_parts, rule_parts
from pgsluice.text import pluralize

_CELL_LENGTH = 160
"""Characters of a cell that are shown."""

_NARROW = 100
"""A terminal with fewer columns is narrow."""

_BRIEF = 0.005
"""Phases that took fewer seconds are not shown: they would read as 0.00."""

_SLOWEST = 3
"""Tables that are named for each phase."""


def runs_parts(runs: Sequence[RunSummary], width: int | None = None) -> list[Part]:
    """The list of runs, in the given order.

    :param width: columns of the terminal; None if the output is no terminal. Details then stand below the list. A
        narrow list does not count tables.
    """
    if not runs:
        return [Line("No runs yet. Start one: pgsluice load FOLDER")]
    below = width is not None
    replays = any(r.replayed for r in runs)
    counts = ("read", "loaded", "rejected", *(("replayed",) if replays else ()))
    narrow = width is not None and width < _NARROW
    short = narrow and len({r.started[:4] for r in runs}) == 1
    rows = tuple(
        (
            str(r.run_id),
            r.status,
            clean(_moment(r.started)[5:] if short else _moment(r.started)),
            "" if r.seconds is None else seconds(r.seconds),
            *(() if narrow else (number(r.tables),)),
            *(number(getattr(r, field)) for field in counts),
            *(() if below else (clean(_detail(r), _CELL_LENGTH),)),
        )
        for r in runs
    )
    head = (
        "run",
        "status",
        "started",
        "time",
        *(() if narrow else ("tables",)),
        *counts,
        *(() if below else ("detail",)),
    )
    parts: list[Part] = [Grid(head, rows, frozenset({0, *range(3, len(head) - (not below))}))]
    if below and any(map(_detail, runs)):
        parts += [Line(), *(Line(clean(_detail(r)), lead=f"Run {r.run_id}: ") for r in runs if _detail(r))]
    return parts


def _moment(iso: str) -> str:
    """A timestamp to the minute, without its zone."""
    return iso[:16].replace("T", " ")


def _detail(run: RunSummary | RunReport) -> str:
    replay = f"replay of run {run.replay_of}" if run.replay_of is not None else ""
    return "; ".join(text for text in (replay, run.detail) if text)


def run_report_parts(report: RunReport, address: str = "") -> list[Part]:
    """One run: how it ended, its files, tables, options, rules, rejects, and where its time went.

    :param address: the options that name the database, for the commands that the report proposes.
    """
    lasted = f" after {seconds(report.seconds)}" if report.seconds is not None else ""
    style = {"published": "green", "vetoed": "bold red", "failed": "bold red", "interrupted": "red"}
    parts: list[Part] = [Line(f"Run {report.run_id} {clean(report.status)}{lasted}.", style.get(report.status, "bold"))]
    if _detail(report):
        parts.append(Line(clean(_detail(report))))
    facts = {
        "started": report.started,
        "ended": report.ended,
        "database": f"{report.database}, PostgreSQL {report.server_version} now",
        "role": report.role,
        "client": " with ".join(filter(None, (report.client, report.pgsluice and f"pgsluice {report.pgsluice}"))),
        "paths": " ".join(shlex.quote(str(path)) for path in report.options.get("paths", ())),
    }
    options = [*_limits(report.options.get("limits", {})), *_options(report.options)]
    facts["options"] = ", ".join(options) or "all at their defaults"
    longest = max(map(len, facts)) + 2
    parts += [Line(clean(text), lead=f"{name + ':':<{longest}}") for name, text in facts.items() if text]
    if report.files:
        parts += [Line(), _files(report)]
    if report.notes.tables:
        parts += [Line(), _tables(report)]
    if quality := [*rule_parts(report.rules), *derived_parts(report.derived)]:
        parts += [Line(), *quality]
    if report.notes.phases:
        parts += [Line(), _times(report.notes.phases)]
    parts.append(Line())
    if report.rejects.count:
        causes = pluralize(len(report.rejects.groups), "group")
        rejects = f"{pluralize(report.rejects.count, 'open reject')} in {causes}: pgsluice rejects {report.run_id}"
        parts.append(Line(f"{rejects}{address}"))
        if report.rejects.path:
            parts.append(Line(f"All of them as CSV: {clean(report.rejects.path)}"))
    if report.status != RunStatus.RUNNING:
        parts.append(Line(f"As a page: pgsluice report {report.run_id}{address}"))
    return parts


def _files(report: RunReport) -> Grid:
    """The files. What is the same for all files of a usual run has no column."""
    status = ("status",) if any(f.status != "loaded" for f in report.files) else ()
    counts = ("read", "loaded", "rejected", *(("replayed",) if any(f.replayed for f in report.files) else ()))
    rows = tuple(
        (
            clean(f.table),
            size(f.bytes),
            *(f.status for _ in status),
            *(number(getattr(f, count)) for count in counts),
            clean(f.path),
        )
        for f in report.files
    )
    first = 2 + len(status)
    return Grid(
        ("table", "size", *status, *counts, "file"), rows, frozenset({1, *range(first, first + len(counts))}), wrap=True
    )


def _times(profile: Sequence[PhaseTime]) -> Grid:
    """Where the time went, phase by phase, with the tables that took the most of each."""
    spent: dict[str, list[tuple[float, str]]] = {}
    for p in profile:
        spent.setdefault(p.phase, []).append((p.seconds, p.table))
    total = sum(p.seconds for p in profile)
    rows = []
    for phase, parts in spent.items():
        sum_ = sum(value for value, _ in parts)
        if sum_ < _BRIEF:
            continue
        slowest = [(v, t) for v, t in sorted(parts, reverse=True) if t and v >= _BRIEF][:_SLOWEST]
        where = ", ".join(f"{clean(table)} {value:.2f}" for value, table in slowest)
        rows.append((phase, f"{sum_:.2f}", f"{sum_ / total:.0%}", where))
    last = ("total", f"{total:.2f}", "", "")
    return Grid(("phase", "seconds", "share", "slowest tables"), tuple(rows), frozenset({1, 2}), last, wrap=True)


def _tables(report: RunReport) -> Grid:
    rows = tuple(
        (clean(t.table), t.mode, t.way, *map(number, (t.inserted, t.updated, t.unchanged, t.deleted)), clean(t.why))
        for t in report.notes.tables
    )
    head = ("table", "mode", "strategy", "inserted", "updated", "unchanged", "deleted", "why")
    return Grid(head, rows, frozenset(range(3, 7)), wrap=True)


_NO_OPTIONS = frozenset({"paths", "fields", "role", "pgsluice", "reports", "limits"})
"""Parts of the stored options that are shown elsewhere, or that are no option of the call."""

_EMPTY: tuple[object, ...] = (None, False, "", 0, [], {})


def _options(stored: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The options that are not empty, as ``name=value``; parts of an option with a point between the names."""
    for name, value in stored.items():
        if (not prefix and name in _NO_OPTIONS) or value in _EMPTY or (prefix, name, value) in _DEFAULTS:
            continue
        if isinstance(value, Mapping):
            yield from _options(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}={_value(value)}"


def _limits(stored: Mapping[str, Any]) -> Iterator[str]:
    """The limits of rejects, as the option has them."""
    limits = [
        ("", stored.get("run") or {"rows": 0}),
        *((f"{table}=", limit) for table, limit in stored.get("tables", ())),
    ]
    for table, limit in limits:
        percent, rows = limit.get("percent"), limit.get("rows")
        text = f"{percent:g}%" if percent is not None else "all" if rows is None else str(rows)
        if table or text != "0":
            yield f"max_rejects={table}{text}"


def _value(value: object) -> str:
    return "/".join(map(_value, value)) if isinstance(value, (list, tuple)) else str(value)


_DEFAULTS = (
    ("", "lock_timeout", 5.0),
    ("", "profile", True),
    ("modes.", "run", "append"),
    ("drift.", "run", "error"),
    ("dialect.", "ragged", "reject"),
)
"""Defaults that are not empty."""


def profile_parts(profile: Sequence[PhaseTime]) -> list[Part]:
    """Where the time went: seconds by table and phase, phases in the order in which they began.

    The reader thread reads while the sender sends. The column of the phase ``read`` is the time that the sender
    waited for the reader.
    """
    phases = tuple(dict.fromkeys(p.phase for p in profile))
    spent: dict[tuple[str, str], float] = {(p.table, p.phase): p.seconds for p in profile}
    names = tuple(dict.fromkeys(p.table for p in profile))

    def row(name: str) -> tuple[str, ...]:
        values = [spent.get((name, phase), 0.0) for phase in phases]
        return (clean(name) or "(run)", *(f"{v:.2f}" if v >= 0.005 else "" for v in values), f"{sum(values):.2f}")

    sums = [sum(spent.get((name, phase), 0.0) for name in names) for phase in phases]
    total = ("total", *(f"{v:.2f}" for v in sums), f"{sum(sums):.2f}")
    numbers = frozenset(range(1, len(phases) + 2))
    return [Grid(("seconds", *phases, "total"), tuple(row(n) for n in names), numbers, total)]
