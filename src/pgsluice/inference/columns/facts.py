"""What the values of the columns have in common: counts, lengths, and the kinds that all values have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pgsluice.inference.columns.kinds import Kind
from pgsluice.inference.draft import DraftColumn, DraftTable
from pgsluice.inference.reading.store import Store

_SAMPLED = 1000
"""How many rows at the beginning and at the end of a table show which kinds are worth a look at all rows."""

_AT_ONCE = 60
"""How many conditions one query has."""

_LOOKED_AT = 100
"""How many values of each column are looked at before any query."""

_BETTER = {
    "integer": ("whole", "number", "float"),
    "number": ("float",),
    "date": ("timestamp", "zoned"),
    "timestamp": ("zoned",),
}
"""Kinds beside which others are never taken."""

Kinds = Mapping[DraftColumn, Sequence[Kind]]


def count_values(store: Store, table: DraftTable) -> None:
    """Counts NULLs, quoted empty fields and distinct values, and measures the texts."""
    for column in table.columns:
        c = column.text
        found = store.row(
            f"SELECT count(*) FILTER ({c} IS NULL) AS nulls, count(*) FILTER ({c} = '') AS empties,"
            f" approx_count_distinct({c}) AS distinct_values, min(strlen({c})) AS shortest,"
            f" max(strlen({c})) AS longest, max(length({c})) AS characters, avg(strlen({c})) AS mean,"
            f" count(*) FILTER (contains({c}, ' ')) AS blanks FROM {table.store}"
        )
        column.nulls, column.empties = found["nulls"], found["empties"]
        column.distinct = found["distinct_values"]
        column.shortest, column.longest = found["shortest"] or 0, found["longest"] or 0
        column.characters = found["characters"] or 0
        column.mean_length = found["mean"] or 0.0
        column.phrases = found["blanks"] * 10 > table.rows


def common_kinds(store: Store, table: DraftTable, wanted: Kinds) -> dict[DraftColumn, list[Kind]]:
    """The kinds that all values of each column have, quoted empty fields apart."""
    able = {column: _able(store, column, several) for column, several in wanted.items() if several}
    rows = f"(SELECT * FROM {table.store} WHERE rowid < {_SAMPLED} OR rowid >= {table.rows - _SAMPLED})"
    found = _holding(store, rows, able)
    if table.rows > 2 * _SAMPLED:
        found = _holding_all(store, table, found)
    return {column: found.get(column, []) for column in table.columns}


def _holding_all(store: Store, table: DraftTable, wanted: Kinds) -> dict[DraftColumn, list[Kind]]:
    """The kinds that all values have, of those that a sample has, without kinds that another one makes needless."""
    first = {column: _without_needless(several) for column, several in wanted.items()}
    found = _holding(store, table.store, first)
    # What made other kinds needless in the sample may not hold in all rows.
    again = {
        column: [kind for kind in several if kind not in first[column]]
        for column, several in wanted.items()
        if len(found[column]) < len(first[column])
    }
    for column, several in _holding(store, table.store, again).items():
        found[column] += several
    return found


def _without_needless(several: Sequence[Kind]) -> list[Kind]:
    names = {kind.name for kind in several}
    needless = {name for better, worse in _BETTER.items() if better in names for name in worse}
    return [kind for kind in several if kind.name not in needless]


def _able(store: Store, column: DraftColumn, several: Sequence[Kind]) -> list[Kind]:
    """The kinds that some values of a column look like."""
    c = column.text
    rows = store.rows(f"SELECT {c} FROM {column.table.store} WHERE {c} <> '' LIMIT {_LOOKED_AT}")
    return [kind for kind in several if all(kind.gate.match(value) for (value,) in rows)]


def _holding(store: Store, rows: str, wanted: Kinds) -> dict[DraftColumn, list[Kind]]:
    pairs = [(column, kind) for column, several in wanted.items() for kind in several if column.longest]
    left: dict[DraftColumn, list[Kind]] = {column: [] for column in wanted}
    for start in range(0, len(pairs), _AT_ONCE):
        part = pairs[start : start + _AT_ONCE]
        inner = ", ".join(
            f"{kind.text_sql(f'nullif({column.text}, {chr(39) * 2})')} AS x{i}" for i, (column, kind) in enumerate(part)
        )
        outer = ", ".join(
            f"count(*) FILTER (x{i} IS NOT NULL AND NOT coalesce({kind.holds.replace('{x}', f'x{i}')}, false)) AS n{i}"
            for i, (_, kind) in enumerate(part)
        )
        failures = store.row(f"SELECT {outer} FROM (SELECT {inner} FROM {rows})")
        for i, (column, kind) in enumerate(part):
            if not failures[f"n{i}"]:
                left[column].append(kind)
    return left
