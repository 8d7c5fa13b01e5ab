"""Row rules of the plan: which table each rule is about, and what it has to be loaded after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg

from pgsluice.errors import CallError, MappingError
from pgsluice.model import PlannedRule, RowRule, Table, TableName
from pgsluice.names import Names
from pgsluice.postgres.row_rules import understand


def plan_rules(
    conn: psycopg.Connection, rules: Sequence[RowRule], tables: Sequence[Table], fed: Mapping[TableName, Table]
) -> dict[TableName, tuple[PlannedRule, ...]]:
    """The row rules of the tables that files feed.

    :param tables: every table of the target schema.
    :param fed: the tables that files feed. Rules of other tables are not asked.
    :raises MappingError: a rule names a table that does not exist.
    :raises CallError: a rule is not a condition on a row of its table.
    """
    for rule in rules:
        if not any(t.name.called(rule.table) for t in tables):
            near = Names(str(t.name) for t in tables).nearest(rule.table)
            raise MappingError(
                f"rule {rule.name!r} is about {rule.table!r}, which is not a table of the target schema",
                f"Did you mean {near}?" if near else "Check the name of the table",
            )
    found: dict[TableName, tuple[PlannedRule, ...]] = {}
    for name, table in fed.items():
        if mine := [rule for rule in rules if name.called(rule.table)]:
            found[name] = understand(conn, table, mine)
    return found


def read_first(planned: Mapping[TableName, Sequence[PlannedRule]]) -> dict[TableName, set[TableName]]:
    """For each table the tables that its rules read, and which have to be loaded before it."""
    return {name: {other for rule in rules for other in rule.reads} - {name} for name, rules in planned.items()}


def check_order(order: Sequence[TableName], planned: Mapping[TableName, Sequence[PlannedRule]]) -> None:
    """Checks that every rule reads only tables that are complete when the rule is asked.

    :raises CallError: a rule reads its own table, or a table that is loaded later or together with it.
    """
    for name, rules in planned.items():
        for rule in rules:
            for other in rule.reads:
                if other in order and order.index(other) >= order.index(name):
                    raise CallError(
                        f"rule {rule.rule.name!r} of {name} reads {other}, which is not loaded before {name}",
                        "Write the rule as a set rule: a query that must return no row",
                    )
