"""The parts of a query: its tables with their joins, its keys, and the query itself with a further condition.

PostgreSQL has written the query (:mod:`~pgsluice.postgres.derived.incremental.tree`), sqlglot takes it apart. The text
that sqlglot makes of the whole is given to PostgreSQL again: the parts are used only if PostgreSQL takes both texts for
the same query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from pgsluice.postgres.derived.incremental.tree import ComputeAll, Relation, Tree
from pgsluice.sql import compose, query

if TYPE_CHECKING:
    from sqlglot import exp

_HERE = "pgsluice_condition_of_touched_groups"
"""Where a condition is put into the query."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A table in the FROM clause. The tables are joined one after the other, from the left."""

    relation: Relation
    alias: str
    condition: str
    """What its rows and the rows before must fulfil, as SQL; '' for no condition."""
    left: bool
    """A LEFT JOIN: a row before that matches no row is joined with NULLs."""
    needed_by: frozenset[str]
    """The aliases that its condition names."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A query that has been taken apart. All texts are to be used under the safe path."""

    tables: tuple[Joined, ...]
    where: str
    """The condition of WHERE; '' if there is none."""
    keys: tuple[str, ...]
    """The expressions of the keys."""
    named: frozenset[str]
    """The aliases that the keys and WHERE name."""
    _before: str
    _after: str

    def restricted(self, condition: sql.Composable) -> sql.Composed:
        """The query with a further condition on the rows that it joins."""
        return sql.SQL("{}({}){}").format(sql.SQL(self._before), condition, sql.SQL(self._after))


def take_apart(conn: psycopg.Connection[Any], tree: Tree, keys: Sequence[str]) -> Parts:
    """Takes a query apart.

    :param conn: in the transaction in which ``tree`` was read; it has the safe path.
    :raises ComputeAll: sqlglot does not understand the query, or its joins are nested.
    """
    import sqlglot
    from sqlglot import errors, exp

    try:
        select = sqlglot.parse_one(tree.text, read="postgres")
        text = _text(select)
    except errors.SqlglotError:
        raise ComputeAll("sqlglot cannot parse the query") from None
    if not isinstance(select, exp.Select) or not _same(conn, text):
        raise ComputeAll("sqlglot reads the query otherwise than PostgreSQL")
    tables = _tables(select, {(r.schema, r.name): r for r in tree.relations})
    if len(tables) != tree.occurrences or len({t.alias for t in tables}) != len(tables):
        raise ComputeAll("the joins of the query are nested")
    outputs = {e.alias_or_name: e.unalias() for e in select.expressions}
    if missing := [key for key in keys if key not in outputs]:
        raise ComputeAll(f"sqlglot does not find the column {missing[0]}")
    where = select.args["where"].this if select.args.get("where") else None
    wanted = [outputs[key] for key in keys]
    before, after = _split(select)
    return Parts(
        tables=tables,
        where=_text(where) if where is not None else "",
        keys=tuple(map(_text, wanted)),
        named=frozenset().union(*map(_aliases, [*wanted, *([where] if where is not None else [])])),
        _before=before,
        _after=after,
    )


def _text(expression: exp.Expr) -> str:
    return str(expression.sql(dialect="postgres"))


def _same(conn: psycopg.Connection[Any], text: str) -> bool:
    """Whether PostgreSQL takes a text for the definition that it has parsed."""
    try:
        with conn.transaction():
            conn.execute(compose("incremental", "again", query=sql.SQL(text)))
            same = conn.execute(query("incremental", "same_again")).fetchone() == (True,)
            conn.execute(query("incremental", "drop_again"))
    except psycopg.Error:
        return False
    return same


def _aliases(expression: exp.Expr) -> set[str]:
    """The aliases of tables that an expression names; '' for a column without one."""
    from sqlglot import exp

    return {column.table for column in expression.find_all(exp.Column)}


def _split(select: exp.Select) -> tuple[str, str]:
    """The text of the query before and after a further condition on its rows."""
    from sqlglot import exp

    marked = select.copy()
    here = exp.column(_HERE)
    where = marked.args.get("where")
    condition = exp.and_(exp.paren(where.this.copy()), here, copy=False) if where else here
    marked.set("where", exp.Where(this=condition))
    text = _text(marked)
    if text.count(_HERE) != 1:
        raise ComputeAll("sqlglot writes the query otherwise than expected")
    before, _, after = text.partition(_HERE)
    return before, after


def _tables(select: exp.Select, relations: Mapping[tuple[str, str], Relation]) -> tuple[Joined, ...]:
    from sqlglot import exp

    first = select.find(exp.From)
    assert first is not None
    found: list[Joined] = []
    for item in [first, *(select.args.get("joins") or [])]:
        table = item.this
        if not isinstance(table, exp.Table) or any(
            value for name, value in table.args.items() if name not in ("this", "db", "alias", "only")
        ):
            raise ComputeAll("the joins of the query are nested")
        if table.args.get("alias") and table.args["alias"].columns:
            raise ComputeAll("the joins of the query are nested")
        relation = relations.get((table.db, table.name))
        if relation is None:
            raise ComputeAll(f"sqlglot does not find the table {table.name}")
        found.append(_joined(item, relation, table.alias_or_name, found))
    return tuple(found)


def _joined(item: exp.Expr, relation: Relation, alias: str, before: Sequence[Joined]) -> Joined:
    """A table of the FROM clause with its condition.

    The column of USING is that of the first table before that has it: of an inner or a left join, USING keeps the
    column of the left side, and PostgreSQL refuses two columns of that name which are not joined.
    """
    from sqlglot import exp

    conditions = []
    if isinstance(item, exp.Join):
        words = {str(item.args.get(a) or "").upper() for a in ("side", "kind", "method")} - {""}
        if not words <= {"LEFT", "INNER", "CROSS", "OUTER"}:
            raise ComputeAll(f"the query has a {' '.join(sorted(words))} JOIN")
        if on := item.args.get("on"):
            conditions.append(on)
        for used in item.args.get("using") or ():
            owner = next((t.alias for t in before if used.name in t.relation.columns), None)
            if owner is None:
                raise ComputeAll("the joins of the query are nested")
            sides = (exp.column(used.name, table=name, quoted=True) for name in (owner, alias))
            conditions.append(exp.EQ(this=next(sides), expression=next(sides)))
    condition = exp.and_(*conditions) if conditions else None
    return Joined(
        relation=relation,
        alias=alias,
        condition=_text(condition) if condition is not None else "",
        left=isinstance(item, exp.Join) and str(item.args.get("side") or "").upper() == "LEFT",
        needed_by=frozenset(_aliases(condition)) if condition is not None else frozenset(),
    )
