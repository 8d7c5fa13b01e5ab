"""Reports of rejects: their causes, their groups, the rejects themselves, and what a purge deleted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from pathlib import Path

from pgsluice.model import PurgeResult, Reject, RejectGroup, RejectsResult
from pgsluice.report.parts import Grid, Line, Part, clean, number
from pgsluice.text import pluralize

CELL_LENGTH = 160
"""Characters of a record or a cell that are shown."""

REASON_LENGTH = 1000
"""Characters of the reason of a reject that are shown. A message may quote a value of a megabyte."""

_CAUSES_SHOWN = 3
"""Causes that the summary tells together with their consequences."""

_PLACE = re.compile(r"(.*?):([0-9]+): (.*)")
"""An example of a group: file, line, reason."""


def group_parts(rejects: RejectsResult, most: int | None) -> list[Part]:
    """The causes with their consequences, then the groups of rejects.

    :param most: how many groups are shown; None: all.
    """
    # As the ledger and the report sort them; a result may come from elsewhere.
    groups = sorted(rejects.groups, key=lambda g: (g.kind == "parent", -g.count - g.consequences))
    shown = groups[:most]
    parts: list[Part] = []
    parts += [Line(_cause(g)) for g in groups if g.consequences][:_CAUSES_SHOWN]
    parts += [
        Grid(
            ("rejects", "table", "kind", "where", "first one"),
            tuple((number(g.count), clean(g.table), g.kind, _where(g), clean(g.example, REASON_LENGTH)) for g in shown),
            frozenset({0}),
            wrap=most is None,
        )
    ]
    if len(groups) > len(shown):
        rest = groups[len(shown) :]
        parts.append(
            Line(
                f"and {pluralize(sum(g.count for g in rest), 'reject')} in {pluralize(len(rest), 'more group')}",
                "dim",
            )
        )
    return parts


def _cause(group: RejectGroup) -> str:
    """A group of rejects with what follows from it, in words."""
    one = group.count == 1
    relatives = "children and grandchildren" if group.grandchildren else "children"
    tables = ", ".join(f"{clean(table)} {number(count)}" for table, count in group.consequence_tables)
    others = f"{number(group.consequences)} {'other is' if group.consequences == 1 else 'others are'}"
    verb = "cannot be read" if group.kind == "structure" else "is rejected" if one else "are rejected"
    example = clean(group.example, REASON_LENGTH)
    place = _PLACE.fullmatch(example)
    if one and place is not None:
        records = f"1 record of {Path(place[1]).name} {verb} (line {place[2]}: {place[3]})"
    else:
        records = f"{pluralize(group.count, 'record')} of table {clean(group.table)} {verb} (the first: {example})"
    return f"{records}; {others} {'its' if one else 'their'} {relatives} ({tables})."


def _where(group: RejectGroup) -> str:
    return clean(group.constraint or group.column)


def rejects_parts(
    run_id: int, rejects: RejectsResult, rows: Iterable[Reject], limit: int, address: str = ""
) -> list[Part]:
    """The report of the rejects of a run: all groups with their counts, then the first rejects.

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
    parts += group_parts(rejects, None)
    some = tuple(itertools.islice(rows, limit))
    shown = tuple(
        (f"{clean(r.file)}:{r.line}", r.kind, clean(_reason(r), REASON_LENGTH), clean(r.raw, CELL_LENGTH)) for r in some
    )
    if shown:
        title = "" if len(shown) == rejects.count else f"The first {number(len(shown))}:"
        parts += [Line(), Grid(("file:line", "kind", "message", "record"), shown, title=title, wrap=True)]
    parts.append(Line())
    if rejects.path and not rejects.replayed:
        parts.append(Line(f"All of them as CSV: {clean(rejects.path)}"))
    if rejects.replay is not None:
        parts.append(
            Line(f"Next: pgsluice rejects {run_id}{address} --format csv > rejects.csv, correct the column raw, and")
        )
        parts.append(Line(f"pgsluice replay {rejects.replay} rejects.csv{address}"))
    elif some and some[0].original not in (0, run_id):
        parts.append(Line("Nothing of that replay was published: correct your file further and give it to"))
        parts.append(Line(f"pgsluice replay {some[0].original}{address} again."))
    else:
        parts.append(Line("Nothing of that run was published: correct the files themselves and load them again."))
    return parts


def _reason(reject: Reject) -> str:
    return f"{reject.message}: {reject.detail}" if reject.detail else reject.message


def purge_parts(result: PurgeResult, age: str) -> list[Part]:
    """What a purge deleted.

    :param age: the age as the user wrote it.
    """
    if not (result.rejects or result.reports or result.elsewhere):
        return [Line(f"No run that ended more than {clean(age)} ago has rejects.")]
    reports = f"{pluralize(result.reports, 'report')} in {clean(result.folder)}"
    deleted = f"{pluralize(result.rejects, 'reject')} of {pluralize(result.runs, 'run')}, and {reports}"
    parts: list[Part] = [Line(f"Purged, from before {result.before}: {deleted}.")]
    if result.elsewhere:
        parts.append(Line("These reports are not there, and were not deleted:"))
        parts += [Line(clean(path)) for path in result.elsewhere]
    return parts
