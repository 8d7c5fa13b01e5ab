"""Set rules: queries over the tables as the run would publish them."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.errors import CallError
from pgsluice.model import ColumnProfile, RuleResult, SetRule, TableName
from pgsluice.pipeline.quality.drift import ask_drift
from pgsluice.pipeline.quality.results import broken_by, set_result
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sqlstate import may_pass, primary_message
from pgsluice.sql import compose, query
from pgsluice.text import pluralize

EVIDENCE_ROWS = 5
"""How many rows that break a rule are kept with its result."""


def ask_set_rules(
    conn: psycopg.Connection[Any],
    rules: Sequence[SetRule],
    fed: Collection[TableName] | None = None,
    profiles: Sequence[ColumnProfile] = (),
) -> tuple[RuleResult, ...]:
    """Asks the set rules, in their order.

    Each query runs in a savepoint that is rolled back and that may not write.

    :param fed: the tables that the run feeds; a rule about another table is left out. None asks every rule.
    :param profiles: what the columns hold now, for drift rules.
    :raises CallError: a query cannot be executed, or a rule with bounds does not return one value.
    :raises psycopg.Error: an error that says nothing about the rule.
    """
    wanted = (r for r in rules if not r.table or fed is None or any(name.called(r.table) for name in fed))
    return tuple(_ask(conn, rule) if rule.drift is None else ask_drift(conn, rule, profiles) for rule in wanted)


def _ask(conn: psycopg.Connection[Any], rule: SetRule) -> RuleResult:
    started = time.perf_counter()
    count, columns, rows = 0, (), []  # type: tuple[int, tuple[str, ...], list[tuple[str, ...]]]
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(query("rules", "read_only"))
            with user_path(conn):
                text = sql.SQL(rule.query.strip().rstrip(";"))
                holds = not rule.bounded and conn.execute(compose("rules", "count_rows", query=text)).fetchone() == (0,)
                if not holds:
                    conn.execute(compose("rules", "declare_rows", query=text))
                    count, columns, rows = _fetch(conn)
    except psycopg.Error as error:
        if may_pass(error):
            raise
        raise _wrong(rule, primary_message(error)) from error
    result = _judge_value(rule, columns, rows, count) if rule.bounded else _judge_rows(rule, columns, rows, count)
    return replace(result, seconds=round(time.perf_counter() - started, 3))


def _fetch(conn: psycopg.Connection[Any]) -> tuple[int, tuple[str, ...], list[tuple[str, ...]]]:
    """How many rows the query has, the names of its columns, and its first rows as texts; NULL is ''."""
    with conn.cursor() as cursor:
        cursor.execute(query("rules", "first_rows"))
        # The rows as PostgreSQL writes them, whatever their types.
        result = cursor.pgresult
        assert result is not None
        columns = tuple((result.fname(i) or b"").decode() for i in range(result.nfields))
        rows = [
            tuple((result.get_value(row, i) or b"").decode(errors="replace") for i in range(result.nfields))
            for row in range(result.ntuples)
        ]
    count = len(rows)
    if count == EVIDENCE_ROWS:
        count += conn.execute(query("rules", "other_rows")).rowcount
    return count, columns, rows


def _judge_rows(rule: SetRule, columns: tuple[str, ...], rows: list[tuple[str, ...]], count: int) -> RuleResult:
    return set_result(rule, not count, count=count, detail=broken_by(count), evidence=(columns, *rows) if rows else ())


def _judge_value(rule: SetRule, columns: tuple[str, ...], rows: list[tuple[str, ...]], count: int) -> RuleResult:
    """The result of a rule with bounds.

    :raises CallError: the query does not return one row with one number.
    """
    if count != 1 or len(columns) != 1:
        raise _wrong(
            rule, f"it returns {pluralize(count, 'row')} of {pluralize(len(columns), 'column')}, not one value"
        )
    [[text]] = rows
    try:
        value = Decimal(text)
    except InvalidOperation:
        if text:
            raise _wrong(rule, f"its value {text!r} is not a number") from None
        return set_result(rule, False, count=1, detail="the value is NULL")
    # A control total counts cents of any sum. A float has 15 digits.
    low, high = rule.minimum, rule.maximum
    if low is not None and (value.is_nan() or value < Decimal(str(low))):
        return set_result(rule, False, count=1, value=text, detail=f"{text} is less than {low}")
    if high is not None and (value.is_nan() or value > Decimal(str(high))):
        return set_result(rule, False, count=1, value=text, detail=f"{text} is more than {high}")
    return set_result(rule, True, value=text)


def _wrong(rule: SetRule, why: str) -> CallError:
    where = f" ({rule.source})" if rule.source else ""
    return CallError(
        f"set rule {rule.name!r}{where} cannot be asked: {why}",
        "Write one query that returns the rows that break the rule, or one number for a rule with bounds",
    )
