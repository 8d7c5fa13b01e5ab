"""The rules of a run, asked of the tables as they stand: for ``pgsluice verify`` and ``pgsluice rules test``."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.errors import DatabaseError, MappingError
from pgsluice.model import PlannedRule, RuleResult, Rules, SetRule, Table
from pgsluice.pipeline.quality.results import row_result
from pgsluice.pipeline.quality.set_rules import ask_set_rules
from pgsluice.postgres.catalog import read_tables
from pgsluice.postgres.row_rules import understand
from pgsluice.postgres.search_path import choose_schema
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.postgres.sqlstate import primary_message
from pgsluice.sql import compose


def ask_standing(conn: psycopg.Connection[Any], rules: Rules, schema: str | None) -> tuple[RuleResult, ...]:
    """Asks the rules of the tables as they stand. Drift rules need a run and are left out.

    :param conn: has the safe path, and is in autocommit mode. Nothing is written.
    :param schema: the schema of the tables; None for the first schema of the user's path.
    :raises MappingError: a rule names a table that does not exist.
    :raises CallError: a rule cannot be asked.
    :raises DatabaseError: a rule raises an error for some row.
    """
    if not rules.rows and not rules.sets:
        return ()
    with conn.transaction(force_rollback=True):
        if schema:
            choose_schema(conn, schema)
        tables = read_tables(conn, schema)
        found = []
        for rule in rules.rows:
            table = next((t for t in tables if t.name.called(rule.table)), None)
            if table is None:
                raise MappingError(f"rule {rule.name!r} is about {rule.table!r}, which is no table", "Check the name")
            [planned] = understand(conn, table, [rule])
            found.append(_ask(conn, table, planned))
        asked: list[SetRule] = [rule for rule in rules.sets if rule.drift is None]
        return (*found, *ask_set_rules(conn, asked))


def _ask(conn: psycopg.Connection[Any], table: Table, planned: PlannedRule) -> RuleResult:
    """Asks one row rule, as the set rule that finds the rows which break it."""
    rule = planned.rule
    started = time.perf_counter()
    statement = compose(
        "rules",
        "standing",
        table=identifier(table.name),
        alias=sql.Identifier(table.name.name),
        expression=sql.SQL(planned.expression),
    )
    try:
        with conn.transaction():
            row = conn.execute(statement).fetchone()
    except psycopg.Error as error:
        raise DatabaseError(
            f"rule {rule.name!r} raises an error for a row of {rule.table}: {primary_message(error)}",
            "Write the rule so that it has a value for every row, with NULLIF or CASE for example",
        ) from error
    assert row is not None
    return replace(row_result(rule, int(row[0])), seconds=round(time.perf_counter() - started, 3))
