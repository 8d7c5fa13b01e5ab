"""The results of rules, made from what the run or the database has counted."""

from __future__ import annotations

from pgsluice.model import RowRule, RuleResult, SetRule
from pgsluice.text import pluralize


def row_result(rule: RowRule, count: int) -> RuleResult:
    """The result of a row rule.

    :param count: how many rows break the rule.
    """
    return RuleResult(
        name=rule.name,
        kind="row",
        table=rule.table,
        severity=str(rule.severity),
        ok=not count,
        count=count,
        detail=broken_by(count),
    )


def set_result(
    rule: SetRule,
    ok: bool,
    *,
    count: int = 0,
    value: str = "",
    detail: str = "",
    evidence: tuple[tuple[str, ...], ...] = (),
) -> RuleResult:
    """The result of a set rule.

    :param count: how many rows break the rule; 1 for a number that is out of bounds.
    :param value: the number that the rule is about, as PostgreSQL writes it.
    :param detail: why the rule does not hold, or what is to be known about it.
    :param evidence: the names of columns, and some of the rows that break the rule.
    """
    return RuleResult(
        name=rule.name,
        kind="set",
        table=rule.table,
        severity=str(rule.severity),
        ok=ok,
        count=count,
        value=value,
        detail=detail,
        evidence=evidence,
    )


def broken_by(count: int) -> str:
    """How many rows break a rule, in words; '' if none does."""
    if not count:
        return ""
    return "1 row breaks the rule" if count == 1 else f"{pluralize(count, 'row')} break the rule"
