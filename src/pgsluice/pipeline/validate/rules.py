"""Row rules: which rows of a stage or of a table break a condition of the user.

A rule has the standing of a CHECK: PostgreSQL's CHECKs come first, unique keys and foreign keys after the rules. A row
that breaks several rules is rejected for the first of them.

A rule is asked of the row as the table would hold it. A column that the files lack has the value of the row that the
staged row updates, otherwise the default. What a BEFORE trigger makes of the row is not known before the INSERT.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import psycopg
from psycopg import sql

from pgsluice.errors import CallError, DatabaseError
from pgsluice.model import Mode, PlannedRule, RejectKind, Severity, Verdict
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.rejecting.row_numbers import numbered, validated_relation
from pgsluice.pipeline.validate.violations import (
    RULE,
    UNIQUE,
    Violations,
    enforced_checks,
    evaluate_checks,
    lacks_columns,
)
from pgsluice.postgres.planner_hints import execute_examined
from pgsluice.postgres.sql_fragments import equal, qualified_type
from pgsluice.postgres.sqlstate import is_row_error, primary_message
from pgsluice.sql import compose, query

_SQLSTATE = "23514"
"""check_violation: what PostgreSQL says of a row that breaks a CHECK (manual, appendix A)."""


def rejecting(table_run: TableRun) -> tuple[PlannedRule, ...]:
    """The rules of the table whose breach rejects a row."""
    return tuple(r for r in table_run.plan.rules if r.rule.severity is Severity.REJECT)


def breaks_rules(conn: psycopg.Connection, table_run: TableRun, relation: sql.Composable, *, staged: bool) -> bool:
    """Whether any row breaks a rule whose breach rejects the row.

    :param relation: the stage, or the relation that holds the rows of the files and no others.
    :param staged: ``relation`` is the stage.
    :raises DatabaseError: a rule raises an error for some row.
    """
    rules = rejecting(table_run)
    if not rules:
        return False
    broken = sql.SQL(" OR ").join(_is_false(rule) for rule in rules)
    statement = compose("rules", "any_broken", rows=_rows(conn, table_run, relation, staged), broken=broken)
    return _asked(conn, statement, rules).fetchone() == (True,)


def find_broken_rules(violations: Violations) -> None:
    """Records the rows that break a rule as violations.

    :raises DatabaseError: a rule raises an error for some row.
    """
    table_run = violations.table_run
    rules = rejecting(table_run)
    if not rules:
        return
    cases = sql.SQL(" ").join(
        sql.SQL("WHEN {} THEN {}").format(_is_false(rule), sql.Literal(RULE + i)) for i, rule in enumerate(rules)
    )
    statement = compose(
        "rules",
        "broken",
        table_no=table_run.table_no,
        alias=_alias(table_run),
        cases=cases,
        rows=_rows(violations.conn, table_run, violations.relation, violations.staged),
    )
    if not _asked(violations.conn, statement, rules).rowcount:
        return
    violations.found += 1
    for i, rule in enumerate(rules):
        violations.insert_verdict(RULE + i, verdict_of(rule))


def find_completed_checks(violations: Violations) -> None:
    """Finds staged rows for which a CHECK is false that reads columns which the files lack.

    The columns are completed as for a rule. A CHECK that reads a number of a sequence is left out.
    """
    table_run = violations.table_run
    for priority, check in enforced_checks(table_run):
        if not lacks_columns(violations, check):
            continue
        lacking = [c for c in check.columns if c not in violations.brought]
        with suppress(CallError):
            rows = _completed(violations.conn, table_run, violations.relation, check.columns, lacking)
            evaluate_checks(violations, [(priority, check)], rows, last=True)


def keep_broken_rules(violations: Violations) -> None:
    """Drops the violations of rows that break no rule."""
    statement = compose(
        "rules", "keep_broken", first=sql.Literal(RULE), end=sql.Literal(UNIQUE), table_no=violations.table_run.table_no
    )
    execute_examined(violations.conn, statement, violations.rows * violations.found)


def find_warnings(conn: psycopg.Connection, table_run: TableRun, *, staged: bool) -> None:
    """Stores which rows break a rule with the severity warn.

    For a table filled in place this has to come before a row is removed, because the ordinal of a row follows from its
    place in the heap.

    :param staged: ask the stage; otherwise the table itself.
    :raises DatabaseError: a rule raises an error for some row.
    """
    for number, rule in enumerate(table_run.plan.rules):
        if rule.rule.severity is not Severity.WARN:
            continue
        conn.execute(query("rules", "create_warnings"))
        relation = validated_relation(table_run, staged)
        rows = compose(
            "rules",
            "rows_that_break",
            alias=_alias(table_run),
            rows=_rows(conn, table_run, relation, staged),
            broken=_is_false(rule),
        )
        numbered_rows = numbered(conn, table_run, rows, staged)
        statement = compose(
            "rules",
            "find_warnings",
            table_no=table_run.table_no,
            rule_no=sql.Literal(number),
            numbered=numbered_rows,
        )
        _asked(conn, statement, [rule])


def verdict_of(rule: PlannedRule) -> Verdict:
    """What is said of a row that breaks the rule."""
    message = f'row breaks the rule "{rule.rule.name}"'
    if rule.rule.description:
        message += f": {rule.rule.description}"
    return Verdict(RejectKind.RULE, "", rule.rule.name, _SQLSTATE, message)


def _is_false(rule: PlannedRule) -> sql.Composed:
    return sql.SQL("(({}) IS FALSE)").format(sql.SQL(rule.expression))


def _alias(table_run: TableRun) -> sql.Identifier:
    return sql.Identifier(table_run.table.name.name)


def _asked(
    conn: psycopg.Connection, statement: sql.Composed, rules: Sequence[PlannedRule]
) -> psycopg.Cursor[tuple[object, ...]]:
    """Executes a statement that evaluates rules.

    :raises DatabaseError: a rule raises an error for some row.
    """
    try:
        with conn.transaction():
            return conn.execute(statement)
    except psycopg.Error as error:
        if not is_row_error(error):
            raise
        names = ", ".join(rule.rule.name for rule in rules)
        raise DatabaseError(
            f"one of the rules {names} raises an error for a row of {rules[0].rule.table}: {primary_message(error)}",
            "Write the rule so that it has a value for every row, with NULLIF or CASE for example",
        ) from error


def _rows(conn: psycopg.Connection, table_run: TableRun, relation: sql.Composable, staged: bool) -> sql.Composed:
    """The rows to ask, under the name of the table, for a FROM clause."""
    alias = _alias(table_run)
    needed = table_run.plan.rules[0].columns
    brought = {c.name for c in table_run.columns}
    lacking = [c for c in needed if c not in brought]
    if staged and lacking:
        relation = _completed(conn, table_run, relation, needed, lacking)
    return sql.SQL("{} AS {}").format(relation, alias)


def _completed(
    conn: psycopg.Connection,
    table_run: TableRun,
    stage: sql.Composable,
    needed: Sequence[str],
    lacking: Sequence[str],
) -> sql.Composed:
    """The staged rows with columns that the files lack.

    :param needed: the columns that the rules read.
    :param lacking: the columns of ``needed`` that the files lack.
    :raises CallError: the value of a column is not known before the INSERT.
    """
    found = conn.execute(
        query("rules", "default_values"), {"table": table_run.table.oid, "columns": list(lacking)}
    ).fetchall()
    defaults: dict[str, sql.Composable] = {}
    generated: dict[str, sql.Composable] = {}
    read: set[str] = set()
    for name, expression, kind, identity, reads in found:
        if identity or (expression is not None and "nextval(" in expression):
            raise CallError(
                f"a rule of {table_run.name} reads {name}, which the files lack and a sequence numbers",
                "Leave the column out of the rule, or add it to the files",
            )
        column = sql.SQL(qualified_type(table_run.table.column(name).type_sql))
        value = sql.SQL("CAST({} AS {})").format(sql.SQL(expression or "NULL"), column)
        (generated if kind else defaults)[name] = value
        read.update(reads if kind else ())
    if generated:
        ordinary = list(dict.fromkeys((*(c for c in needed if c not in generated), *sorted(read))))
        brought = {c.name for c in table_run.columns}
        rest = [c for c in ordinary if c not in brought]
        inner = _completed(conn, table_run, stage, ordinary, rest) if rest else stage
        rows = sql.SQL("{} AS {}").format(inner, _alias(table_run))
        alias = _alias(table_run)
        known: dict[str, sql.Composable] = {
            name: sql.Identifier(table_run.table.name.name, name) for name in needed if name not in generated
        }
        return compose("rules", "generated_rows", alias=alias, columns=_named(known | generated), rows=rows)
    updates = table_run.merge_key and table_run.plan.mode is not Mode.INSERT_MISSING
    values: dict[str, sql.Composable] = {name: sql.Identifier("s", name) for name in needed if name not in defaults}
    if updates:
        there = sql.Identifier("t", table_run.merge_key[0])
        defaults = {
            name: sql.SQL("CASE WHEN {} IS NULL THEN {} ELSE {} END").format(there, default, sql.Identifier("t", name))
            for name, default in defaults.items()
        }
    if table_run.run_column in defaults:
        defaults[table_run.run_column] = sql.Literal(table_run.run_id)
    match = sql.SQL(" AND ").join(
        equal(table_run.table.column(c).equality, sql.Identifier("t", c), sql.Identifier("s", c))
        for c in table_run.merge_key
    )
    matches = sql.SQL(" LEFT JOIN {} AS t ON {}").format(table_run.relation, match) if updates else sql.SQL("")
    return compose("rules", "staged_rows", columns=_named(values | defaults), stage=stage, matches=matches)


def _named(values: dict[str, sql.Composable]) -> sql.Composed:
    """A select list: each value under its column's name."""
    return sql.SQL(", ").join(sql.SQL("{} AS {}").format(v, sql.Identifier(name)) for name, v in values.items())
