"""Exact counts of distinct values, and which distinct values another column has."""

from __future__ import annotations

from collections.abc import Sequence

from pgsluice.inference.columns.choose import value_sql
from pgsluice.inference.draft import DraftColumn, DraftTable
from pgsluice.inference.reading.store import Store

LONGEST_KEY = 200
"""Bytes of the longest value of a key. An index of PostgreSQL refuses values from about 2,700 bytes on."""

_SMALL = 20_000
"""Up to so many rows every column is counted exactly."""

_NEARLY = 0.9
"""The share of distinct values from which a count must be exact."""

_KEY_KINDS = frozenset({"integer", "text", "uuid", "inet", "date", "timestamp"})


def may_be_key(column: DraftColumn) -> bool:
    """Whether the type of a column suits a key."""
    suits = column.kind in _KEY_KINDS or (column.kind == "number" and column.type_sql.endswith(", 0)"))
    return suits and column.longest <= LONGEST_KEY and column.type_sql != "timestamptz"


def count_distinct(store: Store, table: DraftTable) -> None:
    """Counts the distinct values of columns that may be keys, or nearly are, exactly."""
    for column in table.columns:
        if may_be_key(column) and (table.rows <= _SMALL or column.distinct >= _NEARLY * column.filled):
            v = value_sql(column)
            distinct = f"SELECT DISTINCT {v} AS v FROM {table.store} WHERE {v} IS NOT NULL"
            column.distinct = store.row(f"SELECT count(*) AS n FROM ({distinct})")["n"]
            column.exact = True


def comparable(child: DraftColumn, parent: DraftColumn) -> bool:
    """Whether values of two columns can be the same. A code may look like a number in one of two columns."""
    if child.kind == parent.kind:
        return child.type_sql == parent.type_sql or child.kind in ("integer", "text", "uuid")
    return {child.kind, parent.kind} == {"integer", "text"}


def coverage(store: Store, children: Sequence[DraftColumn], parents: Sequence[DraftColumn]) -> tuple[int, int]:
    """How many distinct values the child columns have, and how many of them the parent columns have too."""
    values = [_pair(child, parent) for child, parent in zip(children, parents, strict=True)]
    mine = ", ".join(f"{v} AS v{i}" for i, (v, _) in enumerate(values))
    theirs = ", ".join(f"{v} AS v{i}" for i, (_, v) in enumerate(values))
    every = ", ".join(f"v{i}" for i in range(len(values)))
    filled = " AND ".join(f"v{i} IS NOT NULL" for i in range(len(values)))
    row = store.row(
        f"WITH child AS (SELECT DISTINCT {every} FROM (SELECT {mine} FROM {children[0].table.store}) WHERE {filled}),"
        f" parent AS (SELECT {theirs} FROM {parents[0].table.store})"
        " SELECT (SELECT count(*) FROM child) AS n,"
        f" (SELECT count(*) FROM child SEMI JOIN parent USING ({every})) AS found"
    )
    return row["n"], row["found"]


def orphans(
    store: Store, children: Sequence[DraftColumn], parents: Sequence[DraftColumn], most: int
) -> list[tuple[int, str]]:
    """The first rows whose values the parent columns do not have: (row, values as text)."""
    values = [_pair(child, parent) for child, parent in zip(children, parents, strict=True)]
    mine = ", ".join(f"{v} AS v{i}" for i, (v, _) in enumerate(values))
    theirs = ", ".join(f"{v} AS v{i}" for i, (_, v) in enumerate(values))
    every, filled, shown = _of_values(len(values))
    return [
        (int(row), str(text))
        for row, text in store.rows(
            f"SELECT row, {shown} FROM (SELECT rowid AS row, {mine} FROM {children[0].table.store}) child"
            f" ANTI JOIN (SELECT {theirs} FROM {parents[0].table.store}) parent USING ({every})"
            f" WHERE {filled} ORDER BY row LIMIT {most}"
        )
    ]


def duplicates(store: Store, columns: Sequence[DraftColumn], most: int) -> list[tuple[int, str]]:
    """The first rows whose values an earlier row has: (row, values as text)."""
    values = ", ".join(f"{value_sql(c)} AS v{i}" for i, c in enumerate(columns))
    every, filled, shown = _of_values(len(columns))
    return [
        (int(row), str(text))
        for row, text in store.rows(
            f"SELECT max(row), any_value({shown}) FROM (SELECT rowid AS row, {values} FROM {columns[0].table.store})"
            f" WHERE {filled} GROUP BY {every} HAVING count(*) > 1 ORDER BY 1 LIMIT {most}"
        )
    ]


def are_unique(store: Store, columns: Sequence[DraftColumn]) -> bool:
    """Whether no two rows have the same values in these columns, none of which has NULLs."""
    values = ", ".join(f"{value_sql(c)} AS v{i}" for i, c in enumerate(columns))
    table = columns[0].table
    distinct = store.row(f"SELECT count(*) AS n FROM (SELECT DISTINCT {values} FROM {table.store})")["n"]
    return bool(distinct == table.rows)


def _pair(child: DraftColumn, parent: DraftColumn) -> tuple[str, str]:
    """SQL of the values of two columns, as one type."""
    one, other = value_sql(child), value_sql(parent)
    return (one, other) if child.kind == parent.kind else (child.text, parent.text)


def _of_values(count: int) -> tuple[str, str, str]:
    """SQL over the columns ``v0``, ``v1`` and so on: their list, whether none is NULL, and their values as a text."""
    names = [f"v{i}" for i in range(count)]
    return (
        ", ".join(names),
        " AND ".join(f"{name} IS NOT NULL" for name in names),
        " || ', ' || ".join(f"{name}::VARCHAR" for name in names),
    )
