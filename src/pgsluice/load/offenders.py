"""Offenders: the rows of one relation that break a constraint, found by set queries, one a constraint.

The relation is either the table itself, filled in place while its keys were down, or its stage. Both are
addressed by ``ctid``; a row's ordinal comes from the stage's column, or from the row's rank in the heap
(see :class:`pgsluice.load.state.Segments`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from pgsluice.load.state import TableLoad
from pgsluice.model import Constraint, Index
from pgsluice.target.verdict import about_rows

OFF = sql.Identifier("pg_temp", "pgsluice_off")
"""Rows to be rejected: rid, ordinal, and the verdict; the lowest ``prio`` of a row is what PostgreSQL
would have said first."""
DUP = sql.Identifier("pg_temp", "pgsluice_dup")
"""Members of groups that share a unique key."""

# The order in which PostgreSQL looks at a row: NOT NULL, CHECK (by name), unique indexes (by oid), then
# foreign keys, whose triggers run at the end of the statement (execMain.c, ExecConstraints; trigger.c).
PRIO_NOT_NULL, PRIO_CHECK, PRIO_UNIQUE, PRIO_FOREIGN = 0, 100_000, 200_000, 300_000


class Offenders:
    """Fills :data:`OFF` and :data:`DUP` for one relation.

    A query that PostgreSQL cannot answer (a CHECK that raises, an operator out of sight) is left out and
    noted in ``unanswered``: such rows are found when they are poured, by PostgreSQL itself.
    """

    def __init__(self, conn: psycopg.Connection, state: TableLoad, *, staged: bool) -> None:
        self._conn = conn
        self._state = state
        self._staged = staged
        self._relation: sql.Composable = state.stage if staged else sql.SQL("ONLY {}").format(state.target)
        self._mapped = {c.name for c in state.columns}
        self.unanswered = False
        conn.execute(
            "CREATE TEMP TABLE IF NOT EXISTS pgsluice_off (rid tid NOT NULL, ord bigint, prio integer NOT NULL,"
            " kind text NOT NULL, col text NOT NULL, con text NOT NULL, code text NOT NULL,"
            " message text NOT NULL) ON COMMIT DROP"
        )
        conn.execute(
            "CREATE TEMP TABLE IF NOT EXISTS pgsluice_dup (ix integer NOT NULL, grp bigint NOT NULL,"
            " rid tid NOT NULL, ord bigint, orphan boolean NOT NULL DEFAULT false) ON COMMIT DROP"
        )
        conn.execute(sql.SQL("TRUNCATE {}, {}").format(OFF, DUP))

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
        """Rows for which a CHECK is false (unknown passes, as in SQL)."""
        table = self._state.plan.table
        enforced = (c for c in table.checks if c.enforced)
        for i, check in enumerate(sorted(enforced, key=lambda c: c.name)):
            if self._staged and not set(check.columns) <= self._mapped:
                self.unanswered = True
                continue
            # The alias is the table's own name, for expressions that name the whole row.
            self._find(
                sql.SQL("SELECT {alias}.ctid FROM {relation} AS {alias} WHERE ({expression}) IS FALSE").format(
                    alias=sql.Identifier(table.name.name),
                    relation=self._relation,
                    expression=sql.SQL(check.expression),
                ),
                PRIO_CHECK + i,
                kind="check",
                column=check.columns[0] if len(check.columns) == 1 else "",
                constraint=check.name,
                code="23514",
                message=f'new row for relation "{table.name.name}" violates check constraint "{check.name}"',
            )

    def foreign_keys(self, keys: Sequence[Constraint], beside: Mapping[int, sql.Composable] | None = None) -> int:
        """Rows whose parent does not exist.

        :param beside: by oid of a foreign key: a stage whose rows count as parents as well.
        :returns: how many rows were added to the offenders.
        """
        found = 0
        for i, fk in enumerate(sorted(keys, key=lambda c: c.oid)):
            if not fk.enforced:
                continue
            if self._staged and not set(fk.columns) <= self._mapped:
                self.unanswered = True
                continue
            found += self._find(
                self._orphans(fk, (beside or {}).get(fk.oid)),
                PRIO_FOREIGN + i,
                kind="foreign_key",
                column=", ".join(fk.columns),
                constraint=fk.name,
                code="23503",
                message=f'insert or update on table "{self._state.plan.table.name.name}" violates'
                f' foreign key constraint "{fk.name}"',
            )
        return found

    def _orphans(self, fk: Constraint, beside: sql.Composable | None) -> sql.Composable:
        assert fk.references is not None
        parents: list[sql.Composable] = [sql.Identifier(fk.references.schema, fk.references.name)]
        if beside is not None:
            parents.append(beside)
        child = [sql.Identifier("r", c) for c in fk.columns]
        match = sql.SQL(" AND ").join(
            sql.SQL("{} OPERATOR({}) {}").format(sql.Identifier("p", p), sql.SQL(op), c)
            for p, op, c in zip(fk.referenced_columns, fk.equality, child, strict=True)
        )
        absent = sql.SQL(" AND ").join(
            sql.SQL("NOT EXISTS (SELECT FROM {} AS p WHERE {})").format(parent, match) for parent in parents
        )
        whole = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(c) for c in child)
        query = sql.SQL("SELECT r.ctid FROM {} AS r WHERE {} AND {}").format(self._relation, whole, absent)
        if fk.match_full and len(child) > 1:
            some = sql.SQL(" OR ").join(sql.SQL("{} IS NOT NULL").format(c) for c in child)
            query = sql.SQL("{} UNION ALL SELECT r.ctid FROM {} AS r WHERE ({}) AND NOT ({})").format(
                query, self._relation, some, whole
            )
        return query

    def duplicates(self) -> None:
        """Members of every group that shares a unique key; and, of a stage, keys that the table holds."""
        self._taken_down = False
        for ix, index in enumerate(unique_indexes(self._state)):
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
                relation: sql.Composable, keys: list[sql.Composed] = keys, where: sql.Composable = where
            ) -> sql.Composable:
                return sql.SQL("(SELECT ctid AS rid, {} FROM {} {})").format(sql.SQL(", ").join(keys), relation, where)

            equal = " IS NOT DISTINCT FROM " if index.nulls_not_distinct else " = "
            same = sql.SQL(" AND ").join(sql.SQL(f"a.{{0}}{equal}b.{{0}}").format(n) for n in names)
            groups = sql.SQL(
                "SELECT {names}, row_number() OVER () AS grp FROM {keyed} AS g GROUP BY {names} HAVING count(*) > 1"
            ).format(names=sql.SQL(", ").join(names), keyed=keyed(self._relation))
            self._run(
                sql.SQL(
                    "INSERT INTO {dup} (ix, grp, rid) SELECT {ix}, b.grp, a.rid"
                    " FROM {keyed} AS a JOIN ({groups}) AS b ON {same}"
                ).format(dup=DUP, ix=sql.Literal(ix), keyed=keyed(self._relation), groups=groups, same=same)
            )
            if self._staged and not (match and sorted(index.keys) == sorted(m.as_string() for m in match)):
                if match:
                    keys += [sql.SQL("{} AS m{}").format(m, sql.SQL(str(i))) for i, m in enumerate(match)]
                    own = sql.SQL(" AND ").join(sql.SQL(f"a.m{i} = b.m{i}") for i in range(len(match)))
                    same = sql.SQL("{} AND NOT ({})").format(same, own)
                self._find(
                    sql.SQL("SELECT a.rid FROM {} AS a WHERE EXISTS (SELECT FROM {} AS b WHERE {})").format(
                        keyed(self._relation),
                        keyed(
                            sql.SQL("ONLY {}").format(self._state.target)
                            if self._state.plan.table.kind == "r"
                            else self._state.target
                        ),
                        same,
                    ),
                    PRIO_UNIQUE + ix,
                    **unique_verdict(index),
                )

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
        return self._run(
            sql.SQL(
                "INSERT INTO {} (rid, prio, kind, col, con, code, message)"
                " SELECT f.ctid, {}, {}, {}, {}, {}, {} FROM ({}) AS f (ctid)"
            ).format(
                OFF,
                *(sql.Literal(v) for v in (prio, kind, column, constraint, code, message)),
                rids,
            )
        )

    def _run(self, statement: sql.Composed) -> int:
        try:
            with self._conn.transaction():
                return self._conn.execute(statement).rowcount
        except psycopg.Error as error:
            if not about_rows(error):
                raise
            self.unanswered = True
            return 0


def unique_indexes(state: TableLoad) -> list[Index]:
    """The table's unique indexes in the order in which PostgreSQL asks them: by oid."""
    return sorted((i for i in state.plan.table.indexes if i.unique and i.valid), key=lambda i: i.oid)


def unique_verdict(index: Index) -> dict[str, str]:
    """What is said of a row whose key another row of the index has."""
    return {
        "kind": "unique",
        "column": ", ".join(index.keys),
        "constraint": index.name,
        "code": "23505",
        "message": f'duplicate key value violates unique constraint "{index.name}"',
    }
