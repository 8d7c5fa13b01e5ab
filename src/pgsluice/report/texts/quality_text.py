"""Text about rules and derived tables."""

from __future__ import annotations

from collections.abc import Sequence

from pgsluice.model import DerivedResult, RuleResult, Rules
from pgsluice.report.parts import Grid, Line, Part, clean, number, seconds
from pgsluice.text import pluralize


def rule_parts(results: Sequence[RuleResult]) -> list[Part]:
    """What became of the rules: the broken ones one by one, and how many hold."""
    if not results:
        return []
    broken = [r for r in results if not r.ok]
    parts: list[Part] = [
        Line(f"Rule {clean(r.name)}{_about(r)} is broken ({r.severity}): {clean(r.detail)}.", _style(r)) for r in broken
    ]
    for rule in broken:
        parts += _evidence(rule)
    parts.append(Line(f"{number(len(results) - len(broken))} of {pluralize(len(results), 'rule')} hold."))
    return parts


def derived_parts(results: Sequence[DerivedResult]) -> list[Part]:
    """What was done with derived tables."""
    if not results:
        return []
    rows: tuple[tuple[str, ...], ...] = tuple(
        (
            clean(r.name),
            r.materialization,
            r.action,
            number(r.rows) if r.materialization != "view" else "",
            number(r.changed) if r.materialization == "table" else "",
            seconds(r.seconds),
            clean(r.note, 120),
        )
        for r in results
    )
    head: tuple[str, ...] = ("derived", "as", "", "rows", "changed", "time")
    if any(r.note for r in results):
        return [Grid((*head, ""), rows, frozenset({3, 4, 5}), wrap=True)]
    return [Grid(head, tuple(row[:-1] for row in rows), frozenset({3, 4, 5}))]


def rule_list(rules: Rules) -> list[Part]:
    """The rules that a load would ask."""
    rows = [(r.name, r.table, str(r.severity), r.expression, r.source) for r in rules.rows]
    rows += [(r.name, r.table, str(r.severity), r.query or f"drift of {_drift(r.drift)}", r.source) for r in rules.sets]
    if not rows:
        return [Line("There are no rules. Write them into pgsluice.toml as [rules.NAME], or name SQL files: --rules.")]
    cleaned = tuple(tuple(clean(cell, 120) for cell in row) for row in rows)
    return [Grid(("rule", "table", "severity", "what is asked", "written in"), cleaned, frozenset(), wrap=True)]


def _drift(drift: object) -> str:
    measure, column = getattr(drift, "measure", ""), getattr(drift, "column", "")
    return f"{measure} of {column}" if column else str(measure)


def _about(rule: RuleResult) -> str:
    return f" of {clean(rule.table)}" if rule.table else ""


def _style(rule: RuleResult) -> str:
    return "yellow" if rule.severity == "warn" else "red"


def _evidence(rule: RuleResult) -> list[Part]:
    """The first rows that a set rule found."""
    if not rule.evidence:
        return []
    head, *rows = rule.evidence
    cells = tuple(tuple(clean(cell, 60) for cell in row) for row in rows)
    return [Grid(tuple(map(clean, head)), cells, frozenset(), title=clean(rule.name))]
