"""Groups of rejects with the consequences of each: rejects whose parents the group has rejected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from pgsluice.model import RejectGroup, RejectKind


class Consequences(NamedTuple):
    """Rejects of one table that follow from the rejects of one group."""

    table: str
    kind: str
    column: str
    constraint: str
    sqlstate: str
    """The group of the causes; its table is ``table``."""
    child_table: str
    rejects: int
    indirect: bool
    """Some of them are children of children."""


def causes_first(groups: Iterable[RejectGroup], consequences: Iterable[Consequences]) -> tuple[RejectGroup, ...]:
    """Gives each group its consequences, and sorts the groups.

    :param groups: in the order of their first rejects.
    :returns: the group with the most rejects and consequences first. Groups of children come last, because they load
        when their causes are corrected.
    """
    following: dict[tuple[str, ...], list[Consequences]] = {}
    for found in consequences:
        following.setdefault(found[:5], []).append(found)
    whole = []
    for group in groups:
        key = group.table, group.kind, group.column, group.constraint, group.sqlstate
        children = following.get(key, [])
        whole.append(
            replace(
                group,
                consequences=sum(c.rejects for c in children),
                consequence_tables=tuple((c.child_table, c.rejects) for c in children),
                grandchildren=any(c.indirect for c in children),
            )
        )
    return tuple(sorted(whole, key=lambda g: (g.kind == RejectKind.PARENT, -g.count - g.consequences)))
