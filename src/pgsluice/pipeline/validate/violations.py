"""Offenders: the rows of one relation that break a constraint, found by set queries, one a constraint.

The relation is either the table itself, filled in place while its keys were down, or its stage. Both are
addressed by ``ctid``; a row's ordinal comes from the stage's column, or from the row's rank in the heap
(see :class:`pgsluice.pipeline.row_map.RowMap`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, Index
from pgsluice.pipeline.scratch import DUP, LOST, OFF, SAID
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.row_numbers import rank, relation
from pgsluice.postgres.capabilities import trigger_order, unique_indexes
from pgsluice.postgres.planner_hints import analyze, planner_setting_off
from pgsluice.postgres.sql_fragments import keys_match
from pgsluice.postgres.sqlstate import is_row_error

# The order in which PostgreSQL looks at a row: NOT NULL (by number of the column), CHECK (by name), unique
# indexes (by oid), then the triggers of deferrable unique keys and of foreign keys, by the triggers' names
# (execMain.c, ExecConstraints; execIndexing.c; trigger.c). Foreign keys within a group of tables are asked
# when all of the group is there, so they come last.
PRIO_NOT_NULL, PRIO_CHECK, PRIO_UNIQUE, PRIO_TRIGGER, PRIO_INNER = 0, 100_000, 200_000, 300_000, 400_000


class Offenders:
    """Fills :data:`OFF` and :data:`DUP` for one relation.

    A question that cannot be put to a set of rows (a CHECK that raises, a column that the stage lacks) is left
    out and noted in ``unanswered``: then only an INSERT can tell.
    """

    def __init__(self, conn: psycopg.Connection, state: TableRun, *, staged: bool) -> None:
        self._conn = conn
        self._state = state
        self._staged = staged
        self._relation = relation(state, staged)
        self._mapped = {c.name for c in state.columns}
        self._order = trigger_order(state.plan.table)
        self.unanswered = False
        self.answers = 0
        """How many questions found rows; each finds a row once."""

    def not_null(self) -> None:
        """NULLs in columns that take none."""
        for column in self._state.columns:
            if column.not_null:
                self._find(
                    sql.SQL("SELECT ctid FROM {} WHERE {} IS NULL").format(self._relation, sql.Identifier(column.name)),
                    PRIO_NOT_NULL + column.number,
                    kind="not_null",
                    column=column.name,
                    code="23502",
                    message=f'null value in column "{column.name}" of relation'
                    f' "{self._state.plan.table.name.name}" violates not-null constraint',
                )

    def checks(self) -> None:
        """Rows for which a CHECK is false (unknown passes, as in SQL): all CHECKs in one scan, or, when one of them
        raises an error, each by itself.
        """
        table = self._state.plan.table
        enforced = sorted((c for c in table.checks if c.enforced), key=lambda c: c.name.encode())
        asked = []
        for i, check in enumerate(enforced):
            if self._staged and not set(check.columns) <= self._mapped:
                self.unanswered = True
            else:
                asked.append((PRIO_CHECK + i, check))
        if len(asked) < 2 or not self._broken(asked, last=False):
            for one in asked:
                self._broken([one], last=True)

    def _broken(self, asked: Sequence[tuple[int, Constraint]], *, last: bool) -> bool:
        """Finds rows that break one of these CHECKs, by the first of them.

        :param last: there is no other way to ask.
        :returns: whether they could be asked.
        """
        table = self._state.plan.table
        # The alias is the table's own name, for expressions that name the whole row.
        alias = sql.Identifier(table.name.name)
        cases = sql.SQL(" ").join(
            sql.SQL("WHEN ({}) IS FALSE THEN {}").format(sql.SQL(check.expression), sql.Literal(prio))
            for prio, check in asked
        )
        found = self._run(
            sql.SQL(
                "INSERT INTO {off} (tab, rid, prio) SELECT {tab}, f.rid, f.prio FROM"
                " (SELECT {alias}.ctid, CASE {cases} END FROM {relation} AS {alias}) AS f (rid, prio)"
                " WHERE f.prio IS NOT NULL"
            ).format(off=OFF, tab=sql.Literal(self._state.number), alias=alias, cases=cases, relation=self._relation),
            last=last,
        )
        self.answers += bool(found)
        for prio, check in asked if found else ():
            self._say(
                prio,
                kind="check",
                column=check.columns[0] if len(check.columns) == 1 else "",
                constraint=check.name,
                code="23514",
                message=f'new row for relation "{table.name.name}" violates check constraint "{check.name}"',
            )
        return found is not None

    def foreign_keys(self, keys: Sequence[Constraint]) -> None:
        """Rows whose parent does not exist in its table."""
        for fk in keys:
            if self._asked(fk):
                self._find(self._orphans(fk, [self._parent(fk)]), PRIO_TRIGGER + self._order[fk.name], **_orphan(fk))

    def inner_keys(self, keys: Sequence[Constraint], group: Sequence[TableRun], *, without_losers: bool) -> int:
        """Rows that have not left and whose parent exists neither in its table nor among those of the group
        that have not left.

        :param without_losers: count rows that lost a unique key to an earlier one as gone.
        :returns: how many reasons were found.
        """
        found = 0
        for fk in keys:
            if not self._asked(fk):
                continue
            parents = [] if not self._staged else [self._parent(fk)]
            for other in group:
                if other.plan.table.name == fk.references and (other.stage_made or not self._staged):
                    parents.append((relation(other, self._staged), _stays("p", other, without_losers)))
            stays = _stays("r", self._state, without_losers)
            found += self._find(self._orphans(fk, parents, stays), PRIO_INNER + self._order[fk.name], **_orphan(fk))
        return found

    def _asked(self, fk: Constraint) -> bool:
        if not fk.enforced:
            return False
        # Of a key with PERIOD (18) a range must be covered, by several parents if need be.
        if (self._staged and not set(fk.columns) <= self._mapped) or re.search(r"\bPERIOD\b", fk.definition):
            self.unanswered = True
            return False
        return True

    def _parent(self, fk: Constraint) -> tuple[sql.Composable, sql.Composable]:
        """The referenced table as the key's trigger reads it: all of its rows, and no inheriting tables."""
        assert fk.references is not None
        name = sql.Identifier(fk.references.schema, fk.references.name)
        row = self._conn.execute(
            "SELECT c.relkind = 'p', row_security_active(c.oid) FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
            (fk.references.schema, fk.references.name),
        ).fetchone()
        assert row is not None
        if row[1]:
            self.unanswered = True
        return (name if row[0] else sql.SQL("ONLY {}").format(name)), sql.SQL("true")

    def _orphans(
        self,
        fk: Constraint,
        parents: Sequence[tuple[sql.Composable, sql.Composable]],
        stays: sql.Composable | None = None,
    ) -> sql.Composable:
        child = [sql.Identifier("r", c) for c in fk.columns]
        match = keys_match(fk, "p", "r")
        absent = sql.SQL("").join(
            sql.SQL(" AND NOT EXISTS (SELECT FROM {} AS p WHERE {} AND {})").format(parent, match, condition)
            for parent, condition in parents
        )
        stays = stays or sql.SQL("true")
        whole = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(c) for c in child)
        query = sql.SQL("SELECT r.ctid FROM {} AS r WHERE {} AND {}{}").format(self._relation, stays, whole, absent)
        if fk.match_full and len(child) > 1:
            some = sql.SQL(" OR ").join(sql.SQL("{} IS NOT NULL").format(c) for c in child)
            query = sql.SQL("{} UNION ALL SELECT r.ctid FROM {} AS r WHERE {} AND ({}) AND NOT ({})").format(
                query, self._relation, stays, some, whole
            )
        return query

    def duplicates(self) -> None:
        """Members of every group that shares a unique key; and, of a stage, keys that the table holds."""
        if any(c.kind == "x" for c in self._state.plan.table.constraints):
            self.unanswered = True
        for ix, index in enumerate(unique_indexes(self._state.plan.table)):
            if not index.plain:
                self.unanswered = True
                continue
            # Rows are matched by the mode's key: a row of the table that has the staged row's key is no rival.
            match = [sql.Identifier(c) for c in self._state.key] if self._staged else []
            keys = [sql.SQL("({}) AS k{}").format(sql.SQL(k), sql.SQL(str(i))) for i, k in enumerate(index.keys)]
            names = [sql.SQL(f"k{i}") for i in range(len(index.keys))]
            conditions = [sql.SQL("({})").format(sql.SQL(index.predicate))] if index.predicate else []
            if not index.nulls_not_distinct:
                conditions += [sql.SQL("({}) IS NOT NULL").format(sql.SQL(k)) for k in index.keys]
            where = sql.SQL("WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("")

            def keyed(
                whose: sql.Composable, keys: list[sql.Composed] = keys, where: sql.Composable = where
            ) -> sql.Composable:
                return sql.SQL("(SELECT ctid AS rid, {} FROM {} {})").format(sql.SQL(", ").join(keys), whose, where)

            equal = " IS NOT DISTINCT FROM " if index.nulls_not_distinct else " = "
            same = sql.SQL(" AND ").join(sql.SQL(f"a.{{0}}{equal}b.{{0}}").format(n) for n in names)
            # The keys first and their rows then, because nothing else tells the planner that they are few.
            groups = sql.SQL(
                "CREATE TEMP TABLE pgsluice_group ON COMMIT DROP AS SELECT {names}, row_number() OVER () AS grp"
                " FROM {keyed} AS g GROUP BY {names} HAVING count(*) > 1"
            ).format(names=sql.SQL(", ").join(names), keyed=keyed(self._relation))
            self._conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_group")
            # Sorted in half of the time that hashing takes, which reaches all over the memory; but what a
            # collation orders costs many times as much to compare.
            with nullcontext() if index.collated else planner_setting_off(self._conn, "enable_hashagg"):
                found = self._run(groups)
            if found:
                analyze(self._conn, sql.Identifier("pg_temp", "pgsluice_group"))
                found = self._run(self._members(ix, index, same))
                self._conn.execute(sql.SQL("ANALYZE {}").format(DUP))
            verdict = unique_verdict(index)
            prio = self.unique_prio(ix, index)
            self.answers += bool(found)
            if found:
                self._say(prio, **verdict)
            if self._staged and not (match and sorted(index.keys) == sorted(m.as_string() for m in match)):
                if match:
                    keys += [sql.SQL("{} AS m{}").format(m, sql.SQL(str(i))) for i, m in enumerate(match)]
                    own = sql.SQL(" AND ").join(sql.SQL(f"a.m{i} = b.m{i}") for i in range(len(match)))
                    same = sql.SQL("{} AND NOT ({})").format(same, own)
                held = keyed(
                    sql.SQL("ONLY {}").format(self._state.target)
                    if self._state.plan.table.kind == "r"
                    else self._state.target
                )
                found = self._find(
                    sql.SQL("SELECT a.rid FROM {} AS a WHERE EXISTS (SELECT FROM {} AS b WHERE {})").format(
                        keyed(self._relation), held, same
                    ),
                    prio,
                    **verdict,
                )
                if found and match and self._moves_away(keyed(self._relation), held, same, own, names):
                    # Whether the row of the table is gone in time, the order of the rows decides.
                    self.unanswered = True

    def _members(self, ix: int, index: Index, same: sql.Composable) -> sql.Composed:
        """Statement that lists the rows with the keys of the groups, with their ordinals.

        :param same: row ``a`` has the key of group ``b``.
        """
        within = sql.SQL(f"({index.predicate})" if index.predicate else "true")
        # All rows have to be numbered, but a key is only asked of those that the index has.
        key = "CASE WHEN {} THEN ({}) END AS k{}" if index.predicate else "({1}) AS k{2}"
        keys = sql.SQL(", ").join(
            sql.SQL(key).format(within, sql.SQL(k), sql.SQL(str(i))) for i, k in enumerate(index.keys)
        )
        by = rank(self._conn, self._state, self._staged)
        return sql.SQL(
            "INSERT INTO {dup} (tab, ix, grp, rid, ord) SELECT {tab}, {ix}, b.grp, a.rid, {ordinal}"
            " FROM (SELECT ctid AS rid, {rank}, {within} AS within, {keys} FROM {relation}) AS a"
            " JOIN pg_temp.pgsluice_group AS b ON {same} AND a.within{segments}"
        ).format(
            dup=DUP,
            tab=sql.Literal(self._state.number),
            ix=sql.Literal(ix),
            ordinal=by.ordinal,
            rank=by.column,
            within=within,
            keys=keys,
            relation=self._relation,
            same=same,
            segments=by.segments,
        )

    def _moves_away(
        self,
        staged: sql.Composable,
        held: sql.Composable,
        same: sql.Composable,
        own: sql.Composable,
        names: Sequence[sql.SQL],
    ) -> bool:
        """Whether a row of the table that has a staged row's key is itself to be updated, to another key or none.

        :param staged: the stage's rows in the index, with ``k0`` and so on for its keys, ``m0`` for the mode's.
        :param held: the table's.
        :param same: ``a`` and ``b`` have one key and are not the same row.
        :param own: ``a`` is what the row ``b`` of the table is to be.
        """
        like = sql.SQL(" AND ").join(sql.SQL("a.{0} IS NOT DISTINCT FROM b.{0}").format(n) for n in names)
        key = sql.SQL(", ").join(map(sql.Identifier, self._state.key))
        mine = sql.SQL("SELECT {} FROM {}").format(key, self._relation)
        other = sql.SQL(", ").join(sql.SQL(f"b.m{i}") for i in range(len(self._state.key)))
        return self._conn.execute(
            sql.SQL(
                "SELECT EXISTS (SELECT FROM {held} AS b WHERE EXISTS (SELECT FROM {staged} AS a WHERE {same})"
                " AND ({other}) IN ({mine}) AND NOT EXISTS (SELECT FROM {staged} AS a WHERE {own} AND {like}))"
            ).format(held=held, staged=staged, same=same, other=other, mine=mine, own=own, like=like)
        ).fetchone() == (True,)

    def unique_prio(self, ix: int, index: Index) -> int:
        """When PostgreSQL asks the index: with the row, or by a trigger if its constraint is deferrable."""
        place = self._order.get(index.constraint)
        return PRIO_UNIQUE + ix if place is None else PRIO_TRIGGER + place

    def _find(
        self,
        rids: sql.Composable,
        prio: int,
        *,
        kind: str,
        column: str = "",
        constraint: str = "",
        code: str,
        message: str,
    ) -> int:
        found = self._run(
            sql.SQL("INSERT INTO {} (tab, rid, prio) SELECT {}, f.ctid, {} FROM ({}) AS f (ctid)").format(
                OFF, sql.Literal(self._state.number), sql.Literal(prio), rids
            )
        )
        self.answers += bool(found)
        if found:
            self._say(prio, kind=kind, column=column, constraint=constraint, code=code, message=message)
        return found or 0

    def _say(self, prio: int, *, kind: str, column: str, constraint: str, code: str, message: str) -> None:
        self._conn.execute(
            sql.SQL("INSERT INTO {} SELECT {}").format(
                SAID,
                sql.SQL(", ").join(
                    map(sql.Literal, (self._state.number, prio, kind, column, constraint, code, message))
                ),
            )
        )

    def _run(self, statement: sql.Composed, *, last: bool = True) -> int | None:
        """Rows that the statement found; None when a row made it fail.

        :param last: then the question stays unanswered.
        """
        try:
            with self._conn.transaction():
                return self._conn.execute(statement).rowcount
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
            self.unanswered = self.unanswered or last
            return None


def _stays(alias: str, state: TableRun, without_losers: bool) -> sql.Composed:
    return sql.SQL("NOT EXISTS (SELECT FROM {lost} AS l WHERE l.tab = {tab} AND l.rid = {rid}{losers})").format(
        lost=LOST,
        tab=sql.Literal(state.number),
        rid=sql.Identifier(alias, "ctid"),
        losers=sql.SQL("" if without_losers else " AND NOT l.loser"),
    )


def _orphan(fk: Constraint) -> dict[str, str]:
    """What is said of a row whose parent is not there."""
    assert fk.table is not None
    return {
        "kind": "foreign_key",
        "column": ", ".join(fk.columns),
        "constraint": fk.name,
        "code": "23503",
        "message": f'insert or update on table "{fk.table.name}" violates foreign key constraint "{fk.name}"',
    }


def unique_verdict(index: Index) -> dict[str, str]:
    """What is said of a row whose key another row of the index has."""
    return {
        "kind": "unique",
        "column": ", ".join(index.names),
        "constraint": index.name,
        "code": "23505",
        "message": f'duplicate key value violates unique constraint "{index.name}"',
    }
