"""Explains groups of rejects: what a value must fulfil, which columns the reason is about, and what to do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pgsluice.model import (
    GroupNote,
    Mode,
    ObstacleKind,
    RejectGroup,
    RejectKind,
    Strategy,
    Table,
)
from pgsluice.pipeline.rejects.causes import Causes
from pgsluice.pipeline.rejects.marks import Marker
from pgsluice.pipeline.rejects.narrow import narrow_columns
from pgsluice.pipeline.state import TableRun
from pgsluice.postgres.table_properties import merge_key_columns

_LABELS_SHOWN = 20
"""Labels of an enum that are named."""

NO_VALUE = "Write a value into the file: the column is NOT NULL and has no default"
KEEP_ONE = "Keep one of the two records"


def explained(groups: Sequence[RejectGroup], table_runs: Sequence[TableRun], causes: Causes) -> tuple[RejectGroup, ...]:
    """The groups with conditions, marks and help.

    :param causes: what the values of the rejects have in common.
    """
    by_name = {t.name: t for t in table_runs}
    constraints = {
        (group.table, group.constraint): _columns(by_name[group.table].table, group.constraint)
        for group in groups
        if group.constraint
    }
    files = {(t.name, f.plan.file.path): (f.plan.columns, f.plan.file.dialect) for t in table_runs for f in t.files}
    marker = Marker(files, constraints)
    wider = {(drift.table, drift.name): statement for drift, statement in narrow_columns(groups, table_runs)}
    return tuple(
        replace(
            group,
            first=marker.marked(group.first) if group.first else None,
            condition=_condition(by_name[group.table], group),
            help=_help(group, by_name, causes, wider),
        )
        for group in groups
    )


def group_notes(groups: Sequence[RejectGroup], table_runs: Sequence[TableRun]) -> tuple[GroupNote, ...]:
    """What the ledger keeps of the groups, for ``pgsluice rejects``."""
    by_name = {t.name: t for t in table_runs}
    return tuple(
        GroupNote(
            g.table,
            g.kind,
            g.column,
            g.constraint,
            g.sqlstate,
            _columns(by_name[g.table].table, g.constraint),
            g.condition,
            g.help,
        )
        for g in groups
    )


def _columns(table: Table, constraint: str) -> tuple[str, ...]:
    """The columns of a constraint or a unique index; () if there is none of that name, or if it has expressions."""
    for found in table.constraints:
        if found.name == constraint:
            return found.columns
    return next((index.names for index in table.indexes if index.name == constraint), ())


def _condition(table_run: TableRun, group: RejectGroup) -> str:
    if group.kind == RejectKind.CHECK:
        return next((c.expression for c in table_run.table.checks if c.name == group.constraint), "")
    if group.kind == RejectKind.RULE:
        return next((r.expression for r in table_run.plan.rules if r.rule.name == group.constraint), "")
    if group.kind == RejectKind.VALUE:
        labels = next((c.labels for c in table_run.columns if c.name == group.column), ())
        more = ", ..." if len(labels) > _LABELS_SHOWN else ""
        return f"one of {', '.join(labels[:_LABELS_SHOWN])}{more}" if labels else ""
    return ""


def _help(
    group: RejectGroup,
    by_name: Mapping[str, TableRun],
    causes: Causes,
    wider: Mapping[tuple[str, str], str],
) -> tuple[str, ...]:
    table_run = by_name[group.table]
    if group.kind == RejectKind.VALUE and (statement := wider.get((group.table, group.column))):
        return (f"To widen the column: {statement.partition('To widen the column: ')[2]}",)
    if found := causes.help(group):
        return found
    if group.kind == RejectKind.NOT_NULL:
        return (NO_VALUE,)
    if group.kind == RejectKind.UNIQUE:
        return _duplicate(table_run, group, len(by_name))
    if group.kind == RejectKind.FOREIGN_KEY:
        return _orphan(table_run, group, by_name)
    if (
        group.kind == RejectKind.CHECK
        and not group.constraint
        and table_run.table.has_obstacle(ObstacleKind.PARTITIONED)
    ):
        return (f"Create a partition of {table_run.name} that holds such rows, or a DEFAULT partition",)
    return ()


def _duplicate(table_run: TableRun, group: RejectGroup, tables: int) -> tuple[str, ...]:
    """What cures rows whose key exists already."""
    if group.first is not None and group.first.parent_file:
        return (KEEP_ONE,)
    if table_run.plan.mode is not Mode.APPEND or table_run.strategy is not Strategy.STAGE:
        return ()
    table = table_run.table
    index = next((i for i in table.indexes if i.name == group.constraint), None)
    if index is None:
        return ()
    columns = merge_key_columns(table, index)
    if not columns or not all(set(columns) <= set(f.plan.brought) for f in table_run.files if f.plan.columns):
        return ()
    only = f"{table_run.name}=" if tables > 1 else ""
    key = "" if index.primary else f" --key {shlex.quote(f'{table_run.name}={index.name}')}"
    if not index.primary and any(i.primary and set(i.names) <= set(table_run.plan.brought) for i in table.indexes):
        # The rows have a primary key of their own. To match them by another key would change the primary key of rows.
        return ()
    return tuple(
        f"{words}: --mode {shlex.quote(f'{only}{mode}')}{key}"
        for words, mode in (
            ("If the table holds these rows already, and the file brings their new values", Mode.UPSERT),
            ("If the rows of the table are to stay as they are", Mode.INSERT_MISSING),
        )
    )


def _orphan(table_run: TableRun, group: RejectGroup, by_name: Mapping[str, TableRun]) -> tuple[str, ...]:
    """What cures rows without a parent row."""
    key = next((c for c in table_run.table.foreign_keys if c.name == group.constraint), None)
    if key is None or key.references is None:
        return ()
    parent = str(key.references)
    if parent in by_name:
        return (f"Add the missing rows to the files of {parent}, or correct {', '.join(key.columns)}",)
    return (f"No file of this run is for {parent}: load its missing rows before, or in the same run",)
