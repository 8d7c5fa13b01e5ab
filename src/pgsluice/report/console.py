"""Reports of results: a run, its rejects, the list of runs, a verification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pgsluice.model import (
    Check,
    QueryResult,
    RunResult,
    Strategy,
    TableResult,
    Target,
    VerifyResult,
)
from pgsluice.report.parts import Grid, Line, Part, clean, number, seconds, size, some
from pgsluice.report.parts import height as lines_of
from pgsluice.report.texts.date_orders import date_order_parts
from pgsluice.report.texts.drift_text import drift_parts
from pgsluice.report.texts.guest_text import guest_parts
from pgsluice.report.texts.plan_text import ignored_parts, note_parts, reading_parts, settings_part
from pgsluice.report.texts.quality_text import derived_parts, rule_parts
from pgsluice.report.texts.rejects_text import CELL_LENGTH, HELP_SHOWN, summary_blocks
from pgsluice.text import pluralize

GROUPS_SHOWN = 6
"""Groups of rejects in the summary of a run; half as many on a low terminal."""

DATES_SHOWN = 3
"""Columns in the summary of a run whose order of day and month the files decided."""

REMEDIES_SHOWN = 5
"""Remedies in the summary of a run; ``--json`` has all of them."""

OLD_ROWS_TOLD = 10_000
"""Old row versions of a table of which the summary tells. Autovacuum removes fewer without anybody noticing."""

LOW_TERMINAL = 30
"""A terminal with fewer lines is low."""

TABLES_AT_LEAST = 4
"""Tables in the summary of a run on the lowest terminal."""

HEADLINES = {
    "published": ("Run {run} published: {done} in {seconds}.", "green"),
    "dry_run": ("Run {run} was a dry run: {done}; nothing was written.", ""),
    "skipped": ("Nothing to do: every file was already loaded (--again loads it once more).", ""),
    "vetoed": ("Run {run} vetoed after {seconds}: nothing was published.", "bold red"),
}


def run_parts(result: RunResult, height: int | None = None, address: str = "", width: int = 80) -> list[Part]:
    """The summary of a run.

    :param height: lines of the terminal, which the summary does not exceed if that is possible; None shows all tables.
    :param address: the options that name the database, for the commands that the summary proposes.
    :param width: columns of the terminal.
    """
    parts: list[Part] = [_headline(result)]
    if result.replay_of is not None:
        parts.append(Line(f"It is a replay of corrected rejects of run {result.replay_of}."))
    if result.reason and result.status != "skipped":
        parts.append(Line(clean(result.reason), "red"))
    if before := [f for t in result.tables for f in t.files if f.staged_before]:
        rows = pluralize(sum(f.read for f in before), "row")
        held = size(sum(f.bytes for f in before))
        parts.append(Line(f"Resumed: {pluralize(len(before), 'file')} ({rows}, {held}) had been staged before."))
    if result.config:
        parts.append(settings_part(result.config))
    parts += ignored_parts(result.ignored)
    for file in (f for t in result.tables if not t.skipped for f in t.files):
        parts += reading_parts(file.path, file.evidence, file.passed_over, file.warnings)
    parts += _lacking(result.tables)
    parts += drift_parts(result.drift, done=result.status == "published")
    parts += note_parts((f.path, f.notes) for t in result.tables for f in t.files)
    parts += date_order_parts(
        ((t.table, f.path, f.formats) for t in result.tables for f in t.files if not f.skipped), DATES_SHOWN
    )
    low = height is not None and height < LOW_TERMINAL
    head = sum(lines_of(p, width) for p in parts)
    quality = [*rule_parts(result.rules), *derived_parts(result.derived)]
    guests = guest_parts(result)
    space = None
    if height is not None:
        # What other parts leave: head (2), total (2), blank lines (3), the line that says how many more tables there
        # are, the line of the database, and the prompt.
        least = min(len(result.tables), TABLES_AT_LEAST) + sum(lines_of(p, width) for p in (*quality, *guests))
        space = height - head - least - 10
    ending = _run_ending(result, GROUPS_SHOWN // 2 if low else GROUPS_SHOWN, address, space, width)
    if owed := _left_to_vacuum(result):
        ending = [owed, *ending]
    room = None
    if height is not None:
        room = max(TABLES_AT_LEAST, height - head - sum(lines_of(p, width) for p in (*quality, *ending, *guests)) - 10)
    parts += [Line(), *_tables(result.tables, room)]
    for more in (quality, ending, guests, target_parts(result.target, result.run_id)):
        if more:
            parts += [Line(), *more]
    return parts


def target_parts(target: Target | None, run_id: int = 0) -> list[Part]:
    """The line that says where a command worked.

    :param run_id: the run; 0 if there is none.
    """
    return [Line(f"Database: {clean(target.words(run_id))}")] if target else []


def between_targets(what: str, report: Sequence[Part], target: Target | None) -> list[Part]:
    """A report whose first and last line say where a command worked.

    :param what: what the command does there, as the first line begins.
    """
    first = [Line(f"{what} {clean(target.words())}"), Line()] if target else []
    return [*first, *report, *target_parts(target)]


def _lacking(tables: Sequence[TableResult]) -> list[Part]:
    """The columns that some files of a table lack."""
    lines: list[Part] = []
    for table in tables:
        paths: dict[tuple[str, ...], list[str]] = {}
        for file in table.files:
            if file.lacks:
                paths.setdefault(file.lacks, []).append(file.path)
        for columns, files in paths.items():
            names = ", ".join(map(clean, columns))
            lines.append(Line(f"{clean(table.table)}: {names} not in {some(files)}; new rows have the default."))
    return lines


def _headline(result: RunResult) -> Line:
    text, style = HEADLINES.get(result.status, ("Run {run}: " + clean(result.status) + ".", ""))
    return Line(
        text.format(
            run=result.run_id,
            done=_done(result.tables, "would be " if result.status == "dry_run" else ""),
            seconds=seconds(result.seconds),
        ),
        style,
    )


def _done(tables: Sequence[TableResult], would: str) -> str:
    """The counts of a run in words. For modes that change rows, inserted, updated and deleted rows are counted."""
    where = pluralize(sum(not t.skipped for t in tables), "table")
    if all(t.mode == "append" for t in tables):
        return f"{pluralize(sum(t.loaded for t in tables), 'row')} {would}loaded into {where}"
    inserted, updated, deleted = (sum(getattr(t, what) for t in tables) for what in ("inserted", "updated", "deleted"))
    rest = f"{number(updated)} updated, {number(deleted)} deleted in {where}"
    return f"{pluralize(inserted, 'row')} {would}inserted, {rest}"


def _tables(tables: Sequence[TableResult], room: int | None) -> list[Part]:
    shown = list(tables)
    if room is not None and len(tables) > room:
        # Tables with rejects are more important. The sort is stable, so the load order stays.
        keep = {id(t) for t in sorted(tables, key=lambda t: t.rejected == 0)[:room]}
        shown = [t for t in tables if id(t) in keep]
    counts: tuple[str, ...] = ("read", "loaded", "rejected")
    if any(t.mode != "append" for t in tables):
        counts = ("read", "inserted", "updated", "unchanged", "rejected", "deleted")
    total: tuple[str, ...] = ()
    if len(tables) > 1:
        total = ("total", *(number(sum(getattr(t, field) for t in tables)) for field in counts), "")
    grid = Grid(
        ("table", *counts, "files"),
        tuple((clean(t.table), *(number(getattr(t, field)) for field in counts), _files(t)) for t in shown),
        frozenset(range(1, len(counts) + 1)),
        total,
    )
    if len(shown) == len(tables):
        return [grid]
    return [
        grid,
        Line(f"and {pluralize(len(tables) - len(shown), 'more table')}; --json lists them all", "dim"),
    ]


def _files(table: TableResult) -> str:
    skipped = sum(f.skipped for f in table.files)
    text = number(len(table.files))
    return f"{text} ({number(skipped)} already loaded)" if skipped else text


def _left_to_vacuum(result: RunResult) -> Line | None:
    """The old row versions that a published run left in the tables, if they are many. A shadow table has none."""
    left = ((t.table, t.updated + t.deleted) for t in result.tables if t.way == Strategy.STAGE)
    old = [(table, rows) for table, rows in left if rows >= OLD_ROWS_TOLD]
    if result.status != "published" or not old:
        return None
    counts = ", ".join(f"{clean(table)} {pluralize(rows, 'old row')}" for table, rows in old)
    return Line(f"Left to vacuum: {counts}.", "dim")


def _run_ending(result: RunResult, groups: int, address: str, space: int | None, width: int) -> list[Part]:
    """The groups of rejects, and what the user can do next.

    :param space: how many lines of the terminal are free for them; None if that does not matter.
    """
    if not result.rejects.count:
        return []
    last = _what_next(result, address)
    room = None if space is None else space - sum(lines_of(p, width) for p in last) - 1
    blocks, shown = summary_blocks(result.rejects, groups, room, width)
    told = tuple(text.lower() for group in shown for text in group.help[:HELP_SHOWN])
    remedies = [r for r in result.rejects.remedies if not r.lower().endswith(told)]
    return [*blocks, *(Line(clean(remedy)) for remedy in remedies[:REMEDIES_SHOWN]), *last]


def _what_next(result: RunResult, address: str) -> list[Part]:
    """Where all rejects are, and what the user can do next."""
    rejects = result.rejects
    parts: list[Part] = []
    if rejects.path:
        parts.append(Line(f"All of them as CSV: {clean(rejects.path)}"))
    parts.append(Line(f"Next: pgsluice rejects {result.run_id}{address}"))
    if result.replay_of is not None:
        # After a veto the report is not enough: its records were rejected, but the other records of the file were not
        # loaded either.
        if result.status == "vetoed":
            parts.append(
                Line("Correct your file further and replay it again, or allow rejects: --max-rejects N, N% or all.")
            )
        elif result.status == "published":
            parts.append(
                Line(f"Correct that CSV file further and give it to pgsluice replay {result.replay_of}{address}.")
            )
    elif result.status == "vetoed":
        parts.append(Line("Correct the files and load again, or allow rejects: --max-rejects N, N% or all."))
    return parts


def verify_parts(result: VerifyResult, *, verbose: bool = False) -> list[Part]:
    """The report of a verification: failed checks, counts, rules and queries.

    :param verbose: list the checks of what PostgreSQL guarantees; otherwise one line counts them.
    """
    failed = sum(not c.ok for c in result.checks)
    asked = sum(c.asked for c in result.checks)
    shown = tuple(c for c in result.checks if verbose or not c.guaranteed)
    parts: list[Part] = []
    if shown:
        parts += [_checks(shown), Line()]
    for query in result.queries:
        parts += [_query(query), Line()]
    if result.rules:
        parts += [*rule_parts(result.rules), Line()]
    if folded := len(result.checks) - len(shown):
        parts += [Line(f"{_folded(result.checks)} ({pluralize(folded, 'check')}; --verbose lists them)."), Line()]
    if not result.checks:
        parts.append(Line("Nothing to verify: no run has published yet.", "yellow"))
    elif not failed:
        rest = f"; {pluralize(len(result.checks) - asked, 'table')} not compared" if asked < len(result.checks) else ""
        parts.append(Line(f"Verified: {pluralize(asked, 'check')}, all hold{rest}.", "green"))
    else:
        parts.append(Line(f"{number(failed)} of {pluralize(asked, 'check')} failed.", "bold red"))
    return parts


def _folded(checks: Sequence[Check]) -> str:
    """What PostgreSQL guarantees and the checks have found so, in words."""
    kinds = Counter(c.kind for c in checks if c.guaranteed)
    texts = {"foreign_key": ("foreign key", "no orphans in"), "not_null": ("column", "no NULLs in")}
    words = [f"{said} {pluralize(kinds[kind], what)}" for kind, (what, said) in texts.items() if kinds[kind]]
    found = " and ".join(words)
    return found[0].upper() + found[1:] + " that PostgreSQL guards"


def _checks(checks: Sequence[Check]) -> Grid:
    order = {"rows": 0, "check": 1, "foreign_key": 2, "not_null": 3}
    return Grid(
        ("check", "of", "result", "detail"),
        tuple(
            (c.kind.replace("_", " "), clean(c.subject), _said(c), clean(c.detail))
            for c in sorted(checks, key=lambda c: (c.ok, order.get(c.kind, 0)))
        ),
        wrap=True,
    )


def _said(check: Check) -> str:
    if not check.asked:
        return "not compared"
    return "ok" if check.ok else "FAILED"


def _query(query: QueryResult) -> Grid:
    right = frozenset(
        i for i in range(len(query.columns)) if query.rows and all(_is_number(row[i]) for row in query.rows)
    )
    rows = tuple(tuple(clean(cell, CELL_LENGTH) for cell in row) for row in query.rows)
    return Grid(tuple(clean(c) for c in query.columns), rows, right, title=clean(query.title))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text
    return True
