"""The judge: which rows are refused, and by what. PostgreSQL decides; this module asks it in sets.

Two questions are put to it. *Values*: what do the texts in doubt mean to the columns' own input functions
(:mod:`pgsluice.pipeline.validate.values`). *Constraints*: which rows of a relation break one (:func:`judge`); those leave as
rejects, and whoever called tries again. Which row stays where rows exclude each other is defined in
``docs/explanation/verdicts.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import psycopg

from pgsluice.model import TableName
from pgsluice.pipeline.scratch import DUP, OFF, clean_slate
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.reject_rows import expel
from pgsluice.pipeline.validate.unique import any_rows, name_duplicates, note_lost, settle_group
from pgsluice.pipeline.validate.violations import Offenders
from pgsluice.postgres.capabilities import foreign_keys_to


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of :func:`judge`."""

    left: int
    """Rows that left."""
    complete: bool
    """Every constraint could be asked."""


def judge(
    conn: psycopg.Connection,
    group: Sequence[TableRun],
    others: Mapping[TableName, TableRun],
    *,
    staged: bool,
    names: Collection[TableName] = (),
    rows: bool = True,
    unique: bool = True,
    outer: bool = True,
    inner: bool = True,
) -> Judgement:
    """Moves the rows that break a constraint to the rejects.

    :param group: a table, or tables whose foreign keys form a cycle.
    :param others: the run's tables by name, for the parents that were rejected themselves.
    :param staged: judge the stages; else the tables themselves, which were filled in place.
    :param names: the tables of the group where ``group`` lacks those that brought no rows.
    :param rows: ask CHECK, and NOT NULL of a stage.
    :param unique: ask the unique indexes; of several rows with one key the first in file order stays.
    :param outer: ask the foreign keys that point out of the group.
    :param inner: ask those that point into it.
    """
    names = names or {s.plan.table.name for s in group}
    clean_slate(conn)
    asked = [(s, Offenders(conn, s, staged=staged)) for s in group]
    for state, offenders in asked:
        if rows:
            if staged:
                offenders.not_null()
            offenders.checks()
        if outer:
            offenders.foreign_keys(foreign_keys_to(state.plan.table, names, inner=False))
        if unique:
            offenders.duplicates()
    keys = [(o, k) for s, o in asked if inner and (k := foreign_keys_to(s.plan.table, names, inner=True))]
    if keys or any_rows(conn, DUP):
        note_lost(conn)
        settle_group(conn, group, keys)
        for state, offenders in asked:
            name_duplicates(conn, state, offenders)
    left = 0
    if any_rows(conn, OFF):
        left = expel(conn, asked, others, staged)
    return Judgement(left, not any(o.unanswered for _, o in asked))
