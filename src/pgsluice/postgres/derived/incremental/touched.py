"""Which groups of a query may differ after a run: the terms that find their keys.

Let J be the rows that FROM and WHERE make, and let every LEFT JOIN be two cases: matched, which is an inner join, or
not matched, which joins one row of NULLs. J before and J after the run are among the rows of these cases over all rows
that a table has now or had before ("ever"). A row that is in one of the two J only

- either uses a row that the run has written or ended (*changed*), in some place of FROM. The first kind of term puts
  the changed rows into that place and every row that ever was into the others;
- or has NULLs in place of a table of a LEFT JOIN although a changed row of this table matches. The second kind of term
  puts NULLs into that place and asks for such a row.

A group whose key no term finds has the same rows of J before and after, and so the same result. A term may find more
keys than have changed: these groups are computed again in vain, and no group is missed.

A table of a LEFT JOIN on which neither a key nor WHERE nor another condition depends is left out where it is not the
changed one: it repeats rows, and a key stays what it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from psycopg import sql

from pgsluice.model import TableName
from pgsluice.postgres.derived.incremental.joins import Joined, Parts
from pgsluice.postgres.derived.incremental.tree import ComputeAll
from pgsluice.postgres.sql_fragments import identifier

_MOST_CASES = 3
"""How many left joins may be matched or not, on which keys depend: the terms double with each."""


@dataclass(slots=True)
class ChangedRows:
    """The rows of a table that a run has ended or written, in two temporary tables with the columns of the table."""

    old: sql.Identifier
    """Rows that were updated or deleted, as they were."""
    new: sql.Identifier
    """Rows that were inserted or updated, as they are."""
    most: int = 0
    """How many rows are worth being kept: half of the table."""
    undone_old: int = 0
    """Row versions that statements have ended which were rolled back. PostgreSQL counts them as well."""
    undone_new: int = 0
    """Row versions that such statements have written."""


def terms(parts: Parts, changed: Mapping[int, ChangedRows]) -> sql.Composed:
    """A query for the keys of the groups that may differ. The columns are named k1, k2 and so on.

    :param changed: the changed rows by the oid of their table.
    :raises ComputeAll: there would be too many terms.
    """
    found = [
        term
        for place, table in enumerate(parts.tables)
        if table.relation.oid in changed
        for term in _terms_of(parts, place, changed)
    ]
    return sql.SQL(" UNION ").join(found)


def _terms_of(parts: Parts, place: int, changed: Mapping[int, ChangedRows]) -> Iterator[sql.Composed]:
    needed = _needed(parts, place)
    cases = [t.alias for i, t in enumerate(parts.tables) if t.left and t.alias in needed and i != place]
    if len(cases) > _MOST_CASES:
        raise ComputeAll("the keys depend on many left joins")
    own = parts.tables[place]
    others = [t for i, t in enumerate(parts.tables) if i != place]
    unmatched = own.left and (own.alias in parts.named or any(own.alias in t.needed_by for t in others))
    for matched in itertools.product((True, False), repeat=len(cases)):
        nulls = {alias for alias, match in zip(cases, matched, strict=True) if not match}
        yield _term(parts, place, needed, nulls, changed, matched=True)
        if unmatched:
            yield _term(parts, place, needed, nulls, changed, matched=False)


def _needed(parts: Parts, place: int) -> set[str]:
    """The aliases of the tables that a term has: without those of left joins on which nothing depends."""
    tables = list(parts.tables)
    own = tables[place]
    while True:
        named = set(parts.named).union(*(t.needed_by - {t.alias} for t in tables))
        spare = next((t for t in tables if t.left and t is not own and t.alias not in named), None)
        if spare is None:
            return {t.alias for t in tables}
        tables.remove(spare)


def _term(
    parts: Parts,
    place: int,
    needed: set[str],
    nulls: set[str],
    changed: Mapping[int, ChangedRows],
    *,
    matched: bool,
) -> sql.Composed:
    """The keys of the rows with a changed row in one place.

    :param place: where the changed rows are.
    :param nulls: the aliases of the other tables of left joins that are not matched.
    :param matched: the first kind of term; False for the second.
    """
    source: list[sql.Composable] = []
    conditions: list[sql.Composable] = [sql.SQL("({})").format(sql.SQL(parts.where))] if parts.where else []
    for i, table in enumerate(parts.tables):
        if table.alias not in needed:
            continue
        rows, condition = _ever(table, changed.get(table.relation.oid)), sql.SQL(f"({table.condition})")
        if i == place:
            rows = _changed(changed[table.relation.oid])
            if not matched:
                exists = sql.SQL("EXISTS (SELECT FROM {} AS {} WHERE {})")
                conditions.append(exists.format(rows, sql.Identifier(table.alias), condition))
        if table.alias in nulls or (i == place and not matched):
            rows, condition = _nulls(table), sql.SQL("(true)")
        elif not table.condition:
            condition = sql.SQL("(true)")
        item = sql.SQL("{} AS {}").format(rows, sql.Identifier(table.alias))
        source.append(sql.SQL("JOIN {} ON {}").format(item, condition) if source else item)
    keys = (
        sql.SQL("{} AS {}").format(sql.SQL(key), sql.Identifier(f"k{n}")) for n, key in enumerate(parts.keys, start=1)
    )
    return sql.SQL("SELECT DISTINCT {} FROM {} WHERE {}").format(
        sql.SQL(", ").join(keys),
        sql.SQL(" ").join(source),
        sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true"),
    )


def _ever(table: Joined, changed: ChangedRows | None) -> sql.Composable:
    """The rows that the table has, and those that it had before the run."""
    relation = identifier(TableName(table.relation.schema, table.relation.name))
    if changed is None:
        return relation
    return sql.SQL("(SELECT * FROM {} UNION ALL SELECT * FROM {})").format(relation, changed.old)


def _changed(changed: ChangedRows) -> sql.Composable:
    return sql.SQL("(SELECT * FROM {} UNION ALL SELECT * FROM {})").format(changed.old, changed.new)


def _nulls(table: Joined) -> sql.Composable:
    """One row of NULLs with the columns of the table."""
    relation = identifier(TableName(table.relation.schema, table.relation.name))
    return sql.SQL("(SELECT n.* FROM (SELECT) AS one LEFT JOIN {} AS n ON false)").format(relation)
