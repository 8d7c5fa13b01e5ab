"""Unique indexes: rows that share a key with each other or with a stored row.

Which of the duplicates stays is decided in :mod:`~pgsluice.pipeline.validate.elimination`.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

from psycopg import sql

from pgsluice.model import Index, RejectKind, Strategy, Verdict
from pgsluice.pipeline.scratch import DUPLICATE, EARLIER, KEY_GROUP
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.rejecting.details import key_exists
from pgsluice.pipeline.validate.rejecting.row_numbers import found_in_heap, rank, validated_relation
from pgsluice.pipeline.validate.violations import TRIGGER, UNIQUE, Violations
from pgsluice.postgres.planner_hints import (
    analyze,
    execute_examined,
    execute_without_loops,
    fence,
    planner_setting_off,
)
from pgsluice.postgres.sql_fragments import equal, equal_or_null, rows_alike
from pgsluice.postgres.table_properties import unique_indexes
from pgsluice.sql import compose


def find_duplicates(violations: Violations) -> None:
    """Finds the rows of every group that shares a unique key, and staged rows whose key the table contains."""
    table_run = violations.table_run
    if any(c.kind == "x" for c in table_run.table.constraints):
        violations.incomplete = True
    for index_no, index in enumerate(unique_indexes(table_run.table)):
        if not index.plain or not _is_staged(violations, index):
            violations.incomplete = True
            continue
        keys = _IndexKeys(index)
        priority = unique_priority(violations, index_no, index)
        found = _find_groups(violations, index_no, keys)
        if found:
            violations.add_verdict(priority, duplicate_verdict(index), key_exists(index))
        if violations.staged:
            _find_stored(violations, keys, priority)


def _is_staged(violations: Violations, index: Index) -> bool:
    """Whether the stage holds the values that the index will contain.

    The columns of an expression or a condition are not known here. A query tells if the stage lacks one of them.
    """
    if not (violations.staged and violations.table_run.partial and violations.table_run.merge_key):
        return True
    return not index.predicate and set(index.names) <= violations.brought


def unique_priority(violations: Violations, index_no: int, index: Index) -> int:
    """When PostgreSQL checks the index: with the row, or by a trigger if its constraint is deferrable."""
    place = violations.trigger_order.get(index.constraint)
    return UNIQUE + index_no if place is None else TRIGGER + place


def duplicate_verdict(index: Index) -> Verdict:
    """The verdict on a row whose key another row has."""
    return Verdict(
        RejectKind.UNIQUE,
        ", ".join(index.names),
        index.name,
        "23505",
        f'duplicate key value violates unique constraint "{index.name}"',
    )


@dataclass(frozen=True, slots=True)
class _IndexKeys:
    """The keys of an index as parts of queries; ``k0``, ``k1`` ... are their names."""

    index: Index
    nulls: tuple[bool, ...] | None = None
    """Of an index with NULLS NOT DISTINCT: only rows are meant whose keys are NULL exactly where this says so."""

    @property
    def names(self) -> list[sql.SQL]:
        return [sql.SQL(f"k{i}") for i in range(len(self.index.keys))]

    @property
    def named(self) -> list[sql.Composed]:
        return [sql.SQL("({}) AS {}").format(sql.SQL(k), n) for k, n in zip(self.index.keys, self.names, strict=True)]

    @property
    def condition(self) -> sql.Composable:
        """WHERE with the rows that the index contains and compares, or nothing."""
        index = self.index
        conditions = [sql.SQL("({})").format(sql.SQL(index.predicate))] if index.predicate else []
        nulls = self.nulls if index.nulls_not_distinct else (False,) * len(index.keys)
        for key, null in zip(index.keys, nulls, strict=True) if nulls is not None else ():
            conditions.append(sql.SQL("({}) IS NULL" if null else "({}) IS NOT NULL").format(sql.SQL(key)))
        return sql.SQL("WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("")

    @property
    def same(self) -> sql.Composable:
        """The rows ``a`` and ``b`` have the same key."""
        if self.index.nulls_not_distinct and self.nulls is None:
            return rows_alike(
                [sql.SQL("a.{}").format(n) for n in self.names], [sql.SQL("b.{}").format(n) for n in self.names]
            )
        nulls = self.nulls or (False,) * len(self.names)
        compared = [
            equal(equality, sql.SQL("a.{}").format(n), sql.SQL("b.{}").format(n))
            for equality, n, null in zip(self.index.equality, self.names, nulls, strict=True)
            if not null
        ]
        return sql.SQL(" AND ").join(compared) if compared else sql.SQL("true")

    @property
    def alike(self) -> sql.Composed:
        """The rows ``a`` and ``b`` have the same key, NULLs included."""
        return sql.SQL(" AND ").join(
            equal_or_null(equality, sql.SQL("a.{}").format(n), sql.SQL("b.{}").format(n))
            for equality, n in zip(self.index.equality, self.names, strict=True)
        )

    def rows(self, relation: sql.Composable, *further: sql.Composable) -> sql.Composable:
        """A subquery for the rows of a relation that the index contains: ``row_id``, the keys, further columns."""
        columns = sql.SQL(", ").join([*self.named, *further])
        return sql.SQL("(SELECT ctid AS row_id, {} FROM {} {})").format(columns, relation, self.condition)


def _find_groups(violations: Violations, index_no: int, keys: _IndexKeys) -> bool:
    """Lists the rows that share a key of the index in the scratch table of duplicates; False if there are none."""
    conn, table_run, index = violations.conn, violations.table_run, keys.index
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(KEY_GROUP))
    # Sorting takes half of the time of hashing, which touches memory all over; but comparing what a collation orders
    # costs many times as much.
    with nullcontext() if index.collated else planner_setting_off(conn, "enable_hashagg"):
        found = violations.run(
            compose(
                "validate",
                "key_groups",
                keys=sql.SQL(", ").join(keys.names),
                keyed_rows=keys.rows(violations.relation),
            )
        )
    if not found:
        return False
    analyze(conn, KEY_GROUP)
    within = sql.SQL(f"({index.predicate})" if index.predicate else "true")
    key = "CASE WHEN {} THEN ({}) END AS {}" if index.predicate else "({1}) AS {2}"
    by = rank(conn, table_run, violations.staged)
    found = violations.run(
        compose(
            "validate",
            "duplicates",
            table_no=table_run.table_no,
            index_no=sql.Literal(index_no),
            ordinal=by.ordinal,
            rank=by.column,
            within=within,
            keys=sql.SQL(", ").join(
                sql.SQL(key).format(within, sql.SQL(k), n) for k, n in zip(index.keys, keys.names, strict=True)
            ),
            relation=violations.relation,
            same=keys.same,
            row_map=by.row_map,
        ),
        execute=lambda conn, statement: execute_examined(conn, statement, violations.rows),
    )
    conn.execute(sql.SQL("ANALYZE {}").format(DUPLICATE))
    return bool(found)


def _find_stored(violations: Violations, keys: _IndexKeys, priority: int) -> None:
    """Finds staged rows whose key the table contains in a row that is not their match by the merge key.

    Rows of an index with NULLS NOT DISTINCT are looked for in portions that have their NULLs in the same places. Within
    a portion only "=" compares, for which hash joins and index lookups exist.
    """
    table_run, index = violations.table_run, keys.index
    match = [sql.Identifier(c) for c in table_run.merge_key]
    if match and sorted(index.keys) == sorted(m.as_string() for m in match):
        return
    if table_run.strategy is Strategy.IN_PLACE:
        _find_earlier(violations, keys, priority)
        return
    further: list[sql.Composable] = [sql.SQL("{} AS m{}").format(m, sql.SQL(str(i))) for i, m in enumerate(match)]
    own: sql.Composable = _same_match(table_run, "a", "b") if match else sql.SQL("")
    table = table_run.relation if table_run.table.kind != "r" else sql.SQL("ONLY {}").format(table_run.relation)
    end = fence(violations.conn, violations.rows, table_run.table.name)

    def same_but_no_match(keys: _IndexKeys) -> sql.Composable:
        return sql.SQL("{} AND NOT ({})").format(keys.same, own) if match else keys.same

    found = 0
    for portion in _portions(violations, keys) if index.nulls_not_distinct else [keys]:
        found += violations.record(
            compose(
                "validate",
                "stored_duplicates",
                staged=portion.rows(violations.relation, *further),
                stored=portion.rows(table, *further),
                same=same_but_no_match(portion),
                fence=end,
            ),
            priority,
            duplicate_verdict(index),
            key_exists(index),
            execute=execute_without_loops,
        )
    if not (found and match):
        return
    moves_away = compose(
        "validate",
        "key_moves_away",
        stored=keys.rows(table, *further),
        staged=keys.rows(violations.relation, *further),
        same=same_but_no_match(keys),
        staged_keys=sql.SQL("(SELECT {} FROM {})").format(sql.SQL(", ").join(further), violations.relation),
        matched=_same_match(table_run, "m", "b"),
        own=own,
        alike=keys.alike,
    )
    if execute_examined(violations.conn, moves_away, violations.rows).fetchone() == (True,):
        # The order of the rows decides whether the stored row gives its key up in time.
        violations.incomplete = True


def _find_earlier(violations: Violations, keys: _IndexKeys, priority: int) -> None:
    """Finds held rows whose key the table contains, with the ordinals of the rows in the table.

    All rows of the table are rows of the run. If one of them comes behind the held row in the files, the held row might
    have stayed: then the validation is incomplete.
    """
    conn, table_run, index = violations.conn, violations.table_run, keys.index
    table = validated_relation(table_run, staged=False)
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(EARLIER))
    found = violations.run(
        compose(
            "validate",
            "rows_in_table",
            ordinal=table_run.ordinal,
            staged=keys.rows(violations.relation, table_run.ordinal),
            stored=keys.rows(table),
            same=keys.same,
            fence=fence(conn, violations.rows, table_run.table.name),
        ),
        execute=execute_without_loops,
    )
    if not found:
        return
    rows = sql.SQL("SELECT row_id, staged_id, ordinal FROM {}").format(EARLIER)
    conn.execute(
        compose(
            "validate",
            "duplicates_of_rows_in_table",
            table_no=table_run.table_no,
            priority=sql.Literal(priority),
            rows=found_in_heap(conn, table_run, rows),
        )
    )
    violations.add_verdict(priority, duplicate_verdict(index), key_exists(index))
    table_run.findings.repeated = True
    later = compose("validate", "comes_later", table_no=table_run.table_no, priority=sql.Literal(priority))
    if conn.execute(later).fetchone() == (True,):
        violations.incomplete = True


def _portions(violations: Violations, keys: _IndexKeys) -> list[_IndexKeys]:
    """The keys of the relation by where they are NULL."""
    are_null = sql.SQL(", ").join(sql.SQL("{} IS NULL").format(n) for n in keys.names)
    found = violations.attempt(
        sql.SQL("SELECT DISTINCT {} FROM {} AS g").format(are_null, keys.rows(violations.relation))
    )
    return [replace(keys, nulls=tuple(nulls)) for nulls in found.fetchall()] if found is not None else []


def _same_match(table_run: TableRun, left: str, right: str) -> sql.Composed:
    """The rows ``left`` and ``right`` have the same merge key; ``m0``, ``m1`` ... are its columns."""
    columns = [table_run.table.column(name) for name in table_run.merge_key]
    return sql.SQL(" AND ").join(
        equal(c.equality, sql.SQL(f"{left}.m{i}"), sql.SQL(f"{right}.m{i}")) for i, c in enumerate(columns)
    )
