"""Reports of rejects: their causes, the rejects themselves, and what a purge deleted."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

from pgsluice.model import PurgeResult, Reject, RejectGroup, RejectKind, RejectsResult
from pgsluice.report.parts import Excerpt, Line, Part, clean, height, number
from pgsluice.report.texts.reasons import reason_of
from pgsluice.text import pluralize

CELL_LENGTH = 160
"""Characters of a cell that are shown."""

REASON_LENGTH = 1000
"""Characters of the reason of a reject that are shown. A message may quote a value of a megabyte."""

RECORD_LENGTH = 4000
"""Characters of a record that are looked at."""

HELP_SHOWN = 3
"""Remedies that are shown for one group of rejects."""

CAUSES_SHOWN = 20
"""Groups of rejects that ``pgsluice rejects`` shows."""

_ONE_WORD = {
    RejectKind.STRUCTURE: ("record cannot be read", "records cannot be read"),
    RejectKind.VALUE: ("row has a bad value of {column}", "rows have bad values of {column}"),
    RejectKind.NOT_NULL: ("row has no value for {column}", "rows have no value for {column}"),
    RejectKind.CHECK: ("row breaks CHECK {name}", "rows break CHECK {name}"),
    RejectKind.RULE: ("row breaks rule {name}", "rows break rule {name}"),
    RejectKind.UNIQUE: ("row has a key that exists already ({name})", "rows have keys that exist already ({name})"),
    RejectKind.FOREIGN_KEY: ("row has no parent row ({name})", "rows have no parent row ({name})"),
    RejectKind.PARENT: ("row has a rejected parent row ({name})", "rows have rejected parent rows ({name})"),
    RejectKind.EXCLUSION: ("row is excluded by another row ({name})", "rows are excluded by other rows ({name})"),
    RejectKind.TRIGGER: ("row is refused by a trigger", "rows are refused by triggers"),
    RejectKind.POLICY: ("row is refused by a policy", "rows are refused by policies"),
}


def cause_groups(rejects: RejectsResult) -> list[RejectGroup]:
    """The groups to show, the one with the most rejects and consequences first.

    Groups of children are left out if they are counted with their causes, and come last otherwise.
    """
    told: Counter[str] = Counter()
    for group in rejects.groups:
        for table, count in group.consequence_tables:
            told[table] += count
    waiting: Counter[str] = Counter()
    for group in rejects.groups:
        if group.kind == RejectKind.PARENT:
            waiting[group.table] += group.count
    shown = [g for g in rejects.groups if g.kind != RejectKind.PARENT or told[g.table] < waiting[g.table]]
    return sorted(shown, key=lambda g: (g.kind == RejectKind.PARENT, -g.count - g.consequences))


def block_of(group: RejectGroup, reason_length: int = REASON_LENGTH) -> list[Part]:
    """A group of rejects: how many, the place of the first, its record with the value marked, the reason, the help."""
    parts: list[Part] = [Line(_title(group), "bold")]
    first = group.first
    if first is None:
        return [*parts, Line(clean(group.example, reason_length), lead="  ")]
    parts += _place(first)
    reason = reason_of(first, group.condition)
    parts.append(Line(clean(reason, reason_length), lead=_lead(first, "= ")))
    for i, text in enumerate(group.help[:HELP_SHOWN]):
        parts.append(Line(clean(text, reason_length), lead=_lead(first, "= or:   " if i else "= help: ")))
    return parts


def _title(group: RejectGroup) -> str:
    default = ("row is rejected ({name})", "rows are rejected ({name})")
    one, many = _nameless_check(group) or _ONE_WORD.get(RejectKind(group.kind), default)
    words = (one if group.count == 1 else many).format(
        column=clean(group.column), name=clean(group.constraint or group.column)
    )
    title = f"{clean(group.table)}: {number(group.count)} {words}"
    if not group.consequences:
        return title
    relatives = "children and grandchildren" if group.grandchildren else "children"
    if group.consequences == 1:
        relatives = "child"
    tables = ", ".join(f"{clean(table)} {number(count)}" for table, count in group.consequence_tables)
    others = f"{number(group.consequences)} {'other is' if group.consequences == 1 else 'others are'}"
    return f"{title}; {others} {'its' if group.count == 1 else 'their'} {relatives} ({tables})"


def _nameless_check(group: RejectGroup) -> tuple[str, str] | None:
    """The words for rows that violate a CHECK without a name; None for other rejects.

    PostgreSQL reports a row that has no partition in this manner, and a trigger of the user may.
    """
    if group.kind != RejectKind.CHECK or group.constraint:
        return None
    if "partition" in group.example.lower():
        return "row fits no partition", "rows fit no partition"
    return "row breaks a CHECK", "rows break a CHECK"


def _gutter(reject: Reject) -> int:
    return len(str(reject.line))


def _lead(reject: Reject, sign: str) -> str:
    return f"{'':>{_gutter(reject)}} {sign}"


def _place(reject: Reject) -> list[Part]:
    """The place of a reject and its record with the marks."""
    return [
        Line(f"{clean(reject.file)}:{reject.line}", lead=f"{'':>{_gutter(reject)}}--> "),
        Excerpt(reject.line, _pieces(reject)),
    ]


def _pieces(reject: Reject) -> tuple[tuple[str, bool], ...]:
    """The record in pieces without control characters, and whether a piece is marked."""
    pieces: list[tuple[str, bool]] = []
    at = 0
    # A window of the record: what stands far before the first mark and far behind it is left out.
    first = min((m.start for m in reject.marks), default=0)
    low = max(0, first - RECORD_LENGTH // 2)
    raw = reject.raw[low : low + RECORD_LENGTH]
    for mark in sorted(reject.marks, key=lambda m: m.start):
        start, stop = (min(max(at, place - low), len(raw)) for place in (mark.start, mark.stop))
        pieces += [(clean(raw[at:start]), False), (clean(raw[start:stop]), True)]
        at = stop
    return (*pieces, (clean(raw[at:]), False))


def summary_blocks(
    rejects: RejectsResult, most: int, room: int | None, width: int
) -> tuple[list[Part], list[RejectGroup]]:
    """The groups of rejects for the summary of a run, and which groups are shown.

    :param most: how many groups are shown.
    :param room: how many lines of the terminal are free; None if that does not matter. The first group is shown in any
        case.
    :param width: columns of the terminal.
    """
    groups = cause_groups(rejects)
    parts: list[Part] = []
    shown: list[RejectGroup] = []
    for group in groups[:most]:
        block = block_of(group, REASON_LENGTH if room is None else 3 * width)
        if shown:
            block.insert(0, Line())
        needed = sum(height(part, width) for part in block)
        if shown and room is not None and needed > room:
            break
        room = None if room is None else room - needed
        parts += block
        shown.append(group)
    if rest := groups[len(shown) :]:
        parts.append(_rest(rest))
    elif room is None or room > 0:
        parts.append(Line())
    return parts, shown


def _rest(groups: Sequence[RejectGroup]) -> Line:
    count = sum(g.count + g.consequences for g in groups)
    return Line(f"and {pluralize(count, 'reject')} with {pluralize(len(groups), 'more cause')}", "dim")


def rejects_parts(
    run_id: int, rejects: RejectsResult, rows: Iterable[Reject], limit: int, address: str = ""
) -> list[Part]:
    """The report of the rejects of a run: the groups with their counts, then the first rejects.

    :param run_id: the run's id; 0 if no run has rejects.
    :param rows: the rejects in file order; no more than ``limit`` are read.
    :param limit: how many rejects are shown one by one.
    :param address: as for :func:`run_parts`.
    """
    since = f" ({number(rejects.replayed)} corrected and replayed since)" if rejects.replayed else ""
    if not run_id:
        return [Line("No run has rejects.")]
    if rejects.purged:
        return [Line(f"The {pluralize(rejects.purged, 'reject')} of run {run_id} were purged from the ledger.")]
    if not rejects.count:
        return [Line(f"Run {run_id} has no {'further ' if since else ''}rejects{since}.")]
    parts: list[Part] = [Line(f"Run {run_id}: {pluralize(rejects.count, 'reject')}{since}."), Line()]
    groups = cause_groups(rejects)
    for group in groups[:CAUSES_SHOWN]:
        parts += [*block_of(group), Line()]
    if len(groups) > CAUSES_SHOWN:
        parts += [_rest(groups[CAUSES_SHOWN:]), Line()]
    some = tuple(itertools.islice(rows, limit))
    if some and rejects.count > min(len(groups), CAUSES_SHOWN):
        # Otherwise each reject is the first of its group, and stands above.
        parts += [*_one_by_one(some, rejects), Line()]
    if rejects.path and not rejects.replayed:
        parts.append(Line(f"All of them as CSV: {clean(rejects.path)}"))
    if rejects.replay is not None:
        # A CSV file has the fields of one table.
        whole = len({group.table for group in rejects.groups}) > 1
        how = "--format csv" if whole else "--format csv --fields"
        what = "the column raw" if whole else "the fields"
        parts.append(Line(f"Next: pgsluice rejects {run_id}{address} {how} > rejects.csv, correct {what}, and"))
        parts.append(Line(f"pgsluice replay {rejects.replay} rejects.csv{address}"))
        if whole:
            parts.append(Line("For a spreadsheet program: --format xlsx writes a sheet for each table."))
    elif some and some[0].original not in (0, run_id):
        parts.append(Line("Nothing of that replay was published: correct your file further and give it to"))
        parts.append(Line(f"pgsluice replay {some[0].original}{address} again."))
    else:
        parts.append(Line("Nothing of that run was published: correct the files themselves and load them again."))
    return parts


def _one_by_one(some: Sequence[Reject], rejects: RejectsResult) -> list[Part]:
    conditions = {(g.table, g.kind, g.column, g.constraint): g.condition for g in rejects.groups}
    title = "All of them:" if len(some) == rejects.count else f"The first {number(len(some))}:"
    parts: list[Part] = [Line(title, "bold")]
    for reject in some:
        condition = conditions.get((reject.table, reject.kind, reject.column, reject.constraint), "")
        parts += _place(reject)
        parts.append(Line(clean(reason_of(reject, condition), REASON_LENGTH), lead=_lead(reject, "= ")))
    return parts


def purge_parts(result: PurgeResult, age: str) -> list[Part]:
    """What a purge deleted.

    :param age: the age as the user wrote it.
    """
    further = [
        pluralize(count, noun)
        for count, noun in (
            (result.warnings, "warning"),
            (result.evidence, "rule result"),
            (result.profiles, "profile"),
            (result.pages, "page"),
        )
        if count
    ]
    if not (result.rejects or result.reports or result.elsewhere or further):
        return [Line(f"No run that ended more than {clean(age)} ago has rejects.")]
    reports = f"{pluralize(result.reports, 'report')} in {clean(result.folder)}"
    deleted = f"{pluralize(result.rejects, 'reject')} of {pluralize(result.runs, 'run')}, and {reports}"
    parts: list[Part] = [Line(f"Purged, from before {result.before}: {deleted}.")]
    if further:
        parts.append(Line(f"Also: {', '.join(further)}."))
    if result.elsewhere:
        parts.append(Line("These reports are not there, and were not deleted:"))
        parts += [Line(clean(path)) for path in result.elsewhere]
    return parts
