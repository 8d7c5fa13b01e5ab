"""The outcome of the rules of a run: which rules hold, which are broken, and whether that vetoes the run."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.model import ColumnProfile, RejectKind, RuleResult, Rules, Severity
from pgsluice.pipeline.quality.results import row_result
from pgsluice.pipeline.quality.set_rules import ask_set_rules
from pgsluice.pipeline.quality.warnings import count_warnings
from pgsluice.pipeline.scratch import REJECT, VERDICT
from pgsluice.pipeline.state import TableRun
from pgsluice.sql import compose


def rule_results(
    conn: psycopg.Connection, rules: Rules, table_runs: Sequence[TableRun], profiles: Sequence[ColumnProfile]
) -> tuple[RuleResult, ...]:
    """Asks the set rules, and counts the rows that break row rules.

    :param table_runs: the tables that the run has loaded. Rules about other tables are left out.
    :param profiles: the profiles of these tables, for drift rules.
    :raises CallError: a set rule cannot be asked.
    """
    planned = [r.rule for t in table_runs for r in t.plan.rules]
    rejected = _count_rejected(conn) if any(r.severity is Severity.REJECT for r in planned) else {}
    warned = count_warnings(conn, table_runs)
    rows = tuple(
        row_result(rule, (warned if rule.severity is Severity.WARN else rejected).get(rule.name, 0)) for rule in planned
    )
    return rows + ask_set_rules(conn, rules.sets, {t.table.name for t in table_runs}, profiles)


def veto_of(results: Sequence[RuleResult]) -> str:
    """Which set rules veto the run, in words; '' if none does."""
    broken = [r for r in results if not r.ok and r.severity == Severity.VETO]
    return "; ".join(f"the rule {r.name} is broken: {r.detail}" for r in broken)


def _count_rejected(conn: psycopg.Connection) -> dict[str, int]:
    """The rejects of each row rule."""
    statement = compose(
        "rules", "count_rejected", kind=sql.Literal(str(RejectKind.RULE)), reject=REJECT, verdict=VERDICT
    )
    return dict(conn.execute(statement).fetchall())
