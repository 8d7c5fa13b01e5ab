"""Warnings: rows that break a row rule and are published all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import psycopg

from pgsluice.model import Severity
from pgsluice.pipeline.state import TableRun
from pgsluice.sql import query

MOST_KEPT = 1000
"""How many rows of each rule the ledger keeps, the first in the order of the files. All are counted."""


class WarnedRow(NamedTuple):
    """A row of ``pgsluice.warning`` without its run."""

    rule: str
    table: str
    file: str
    line: int
    raw: str


def count_warnings(conn: psycopg.Connection, table_runs: Sequence[TableRun]) -> dict[str, int]:
    """Counts the published rows that break a rule with the severity warn, by the name of the rule."""
    warned = [t for t in table_runs if any(r.rule.severity is Severity.WARN for r in t.plan.rules)]
    if not warned:
        return {}
    conn.execute(query("rules", "create_warnings"))
    conn.execute(query("rules", "drop_warnings_of_rejects"))
    by_number = {t.number: t for t in warned}
    counts = {r.rule.name: 0 for t in warned for r in t.plan.rules if r.rule.severity is Severity.WARN}
    for table_no, rule_no, count in conn.execute(query("rules", "count_warnings")).fetchall():
        counts[by_number[table_no].plan.rules[rule_no].rule.name] = count
    return counts


def first_warnings(conn: psycopg.Connection, table_runs: Sequence[TableRun]) -> Iterator[WarnedRow]:
    """Yields the first rows that break each rule, with their places in the files.

    :raises FileError: a file cannot be read, or has changed.
    """
    for table_run in table_runs:
        for number, planned in enumerate(table_run.plan.rules):
            if planned.rule.severity is Severity.WARN:
                parameters = {"table_no": table_run.number, "rule_no": number, "most": MOST_KEPT}
                found = conn.execute(query("rules", "first_warnings"), parameters).fetchall()
                yield from _located(table_run, planned.rule.name, [ordinal for (ordinal,) in found])


def _located(table_run: TableRun, rule: str, ordinals: Sequence[int]) -> Iterator[WarnedRow]:
    import numpy as np

    for file in (f for f in table_run.files if not f.skipped):
        wanted = np.array([o - file.base for o in ordinals if file.base <= o < file.base + file.read], np.int64)
        if not wanted.size:
            continue
        for places in file.locate([wanted]):
            for line, raw in zip(places.lines.tolist(), places.raws.to_pylist(), strict=True):
                text = raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
                yield WarnedRow(rule, table_run.name, file.plan.file.path, line, text)
