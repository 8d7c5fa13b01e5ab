"""The new table beside the old one: when a replace goes this way, and how the table is made and filled.

``--mode replace`` of a big table: the rows go into a new table, its *shadow*, which gets everything that
the old one has; at the end of the run the two are swapped (:mod:`pgsluice.load.swap`). Readers see the old
rows until then. What a new table cannot keep (:func:`with_swaps` asks for it) sends the table through a
stage, as does the first row that PostgreSQL refuses: which rows stay when some are rejected is a question
about the old rows, and the stage has the answer. So a shadow only ever takes good rows, and needs no judge.

The rows are written frozen (``COPY ... FREEZE``): whoever waits for the swap with a snapshot from before
it sees the new table's rows. Rows with the run's own xmin would be invisible to such a snapshot, and the
table empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from pgsluice.load.build import add_constraints, build_index
from pgsluice.load.state import Clock, TableLoad
from pgsluice.load.statistics import analyze
from pgsluice.model import Constraint, Index, Listener, Mode, Progress, Table, TableName, TablePlan, Way
from pgsluice.sql import query
from pgsluice.target.catalog import is_empty
from pgsluice.target.verdict import about_rows, primary

WORTHWHILE = 16 << 20
"""Bytes of files from which a swap pays: below, touching the rows that differ is as quick, and locks nobody."""


class Unfit(Exception):
    """A table cannot be replaced by a new one after all; the run starts again and sends it through a stage."""

    def __init__(self, table: TableName, reason: str) -> None:
        super().__init__(f"{table}: {reason}")
        self.table = table
        self.reason = reason


# --------------------------------------------------------------------------- the choice


def with_swaps(
    conn: psycopg.Connection, plans: Sequence[TablePlan], unfit: Mapping[TableName, str]
) -> tuple[TablePlan, ...]:
    """The plans, those of them turned to :attr:`Way.SWAP` that can be; the others say why they cannot.

    :param unfit: tables for which an attempt failed, and why.
    """
    replaced = {p.table.name: p for p in plans if p.mode is Mode.REPLACE and p.delete_missing}
    if not replaced:
        return tuple(plans)
    against = _obstacles(conn, list(replaced.values()), unfit)
    neighbours = _neighbours(plans)
    by_name = {p.table.name: p for p in plans}
    fit = set(replaced) - against.keys()
    shrinking = True
    while shrinking:
        shrinking = False
        for name in sorted(fit):
            other = next((n for n in sorted(neighbours[name]) if n not in fit and not _stays(by_name[n], name)), None)
            if other is not None:
                because = against.get(other, f"it is not replaced ({by_name[other].mode}, {by_name[other].way})")
                against[name] = f"a foreign key joins it to {other}: {because}"
                fit.discard(name)
                shrinking = True
    sizes = {n: sum(f.file.bytes for f in by_name[n].files) for n in replaced}
    worth = any(
        sum(sizes[n] for n in cluster) >= WORTHWHILE and not all(is_empty(conn, n) for n in cluster)
        for cluster in _clusters(fit, neighbours)
    )
    # A reader whose snapshot is older than the swap sees new tables as they are, and in the others the old rows.
    # So of the tables that are replaced all are swapped, or none.
    stands = next((n for n in sorted(replaced) if n in against), None)
    for n in sorted(fit):
        if not worth:
            against[n] = f"its files are small (below {WORTHWHILE >> 20} MB)"
        elif stands is not None:
            against[n] = f"{stands} cannot be swapped, and readers are to see all tables new or all old"
        else:
            by_name[n] = replace(by_name[n], way=Way.SWAP, why=_why(is_empty(conn, n)))
    for name, reason in against.items():
        if by_name[name].way is Way.STAGE:
            by_name[name] = replace(by_name[name], why=f"{by_name[name].why}; no {Way.SWAP}: {reason}")
    return tuple(by_name[p.table.name] for p in plans)


def _why(empty: bool) -> str:
    return "tables it has foreign keys with are replaced as well" if empty else "it holds rows; nothing would be lost"


def _obstacles(
    conn: psycopg.Connection, plans: Sequence[TablePlan], unfit: Mapping[TableName, str]
) -> dict[TableName, str]:
    """The first thing that stands against each table."""
    oids = [p.table.oid for p in plans]
    rows = conn.execute(query("swap", "obstacles"), {"oids": oids}).fetchall()
    found: dict[TableName, str] = {}
    for p in plans:
        lacking = _lacking(p)
        reasons = [
            *([unfit[p.table.name]] if p.table.name in unfit else []),
            *p.table.obstacles,
            *(words for oid, _, words in rows if oid == p.table.oid),
            *([f"the files lack {lacking}, which keeps its values"] if lacking else []),
        ]
        if reasons:
            found[p.table.name] = reasons[0]
    return found


def _lacking(plan: TablePlan) -> str:
    """A column that the files do not bring; rows that are matched keep its value, which a new table has not."""
    brought = next((f.brought for f in plan.files if f.columns), ())
    return next((c.name for c in plan.table.columns if not c.generated and c.name not in brought), "")


def _neighbours(plans: Sequence[TablePlan]) -> dict[TableName, set[TableName]]:
    """Tables of the run that a foreign key joins."""
    near: dict[TableName, set[TableName]] = {p.table.name: set() for p in plans}
    for p in plans:
        for fk in p.table.foreign_keys:
            if fk.references in near and fk.references is not None and fk.references != p.table.name:
                near[p.table.name].add(fk.references)
                near[fk.references].add(p.table.name)
    return near


def _stays(parent: TablePlan, child: TableName) -> bool:
    """Whether a table of the run that is not swapped can have a child that is: it only ever grows."""
    keeps = parent.mode in (Mode.APPEND, Mode.INSERT_MISSING) and parent.way is Way.STAGE
    return keeps and all(fk.references != child for fk in parent.table.foreign_keys)


def _clusters(names: set[TableName], neighbours: Mapping[TableName, set[TableName]]) -> list[set[TableName]]:
    """Tables that can only be swapped together."""
    left, clusters = set(names), []
    while left:
        todo, cluster = [left.pop()], set[TableName]()
        while todo:
            name = todo.pop()
            cluster.add(name)
            near = neighbours[name] & left
            left -= near
            todo += near
        clusters.append(cluster)
    return clusters


# --------------------------------------------------------------------------- the new table


@dataclass(slots=True)
class Shadow:
    """A new table, and the old one that it will replace."""

    state: TableLoad
    oid: int
    table: Table
    """The old table as it will be built again: under the new table's name, indexes under temporary ones."""
    incoming: list[tuple[Constraint, str]]
    """Foreign keys of tables that are not swapped: the one to the old table, and the name of its double."""

    @property
    def old(self) -> Table:
        return self.state.plan.table


class Shadows:
    """Makes, fills and finishes the new tables of one run."""

    def __init__(self, conn: psycopg.Connection, states: Sequence[TableLoad], clock: Clock, listen: Listener) -> None:
        """:param states: the tables of the run whose way is :attr:`Way.SWAP`."""
        self._conn = conn
        self._states = states
        self._clock = clock
        self._listen = listen
        self._names = {s.plan.table.name for s in states}
        self._parts: dict[int, tuple[str, str]] = {}
        self.made: dict[TableName, Shadow] = {}

    def create(self) -> None:
        """Makes the new tables, empty and without keys, and has the rows land in them.

        :raises Unfit: a table cannot be made again.
        """
        if not self._states:
            return
        oids = [s.plan.table.oid for s in self._states]
        tails: dict[int, str] = dict(self._conn.execute(query("swap", "indexes"), {"oids": oids}).fetchall())
        self._parts = {
            oid: (head, tail)
            for oid, head, tail in self._conn.execute(query("swap", "foreign_keys"), {"oids": oids}).fetchall()
        }
        for state in self._states:
            self._guard(state, lambda s=state: self._create(s, tails))  # type: ignore[misc]

    def _create(self, state: TableLoad, tails: Mapping[int, str]) -> None:
        conn, old = self._conn, state.plan.table
        # By the oid, which the run holds: runs on other tables of the schema choose other names.
        name = TableName(old.name.schema, f"pgsluice_new_{old.oid}")
        target = sql.Identifier(name.schema, name.name)
        conn.execute("SET LOCAL default_tablespace = ''")
        for statement in statements(conn, "create", old=old.oid, shadow=name.name):
            conn.execute(sql.SQL(statement))
        conn.execute("SET LOCAL default_tablespace TO DEFAULT")
        row = conn.execute("SELECT %s::regclass::oid::bigint", (target.as_string(conn),)).fetchone()
        assert row is not None
        oid = int(row[0])
        for statement in statements(conn, "dress", old=old.oid, new=oid):
            conn.execute(sql.SQL(statement))
        names = {i.name: f"pgsluice_new_{i.oid}" for i in old.indexes}
        owned = {i.constraint: names[i.name] for i in old.indexes if i.constraint}
        table = replace(
            old,
            name=name,
            indexes=tuple(
                replace(
                    i,
                    name=names[i.name],
                    constraint=owned.get(i.constraint, ""),
                    definition=_index_definition(conn, i, names[i.name], target, tails[i.oid]),
                )
                for i in old.indexes
            ),
            constraints=tuple(replace(c, name=owned.get(c.name, c.name)) for c in old.constraints),
        )
        incoming = [(c, f"pgsluice_fk_{c.oid}") for c in old.referenced_by if c.table not in self._names]
        self.made[old.name] = Shadow(state, oid, table, incoming)
        state.target = target
        state.becomes = oid

    def finish(self, group: Sequence[TableLoad]) -> None:
        """Builds keys, indexes and foreign keys of tables whose rows are all there; they judge.

        :raises Unfit: a row breaks one.
        """
        shadows = [self.made[s.plan.table.name] for s in group]
        for shadow in shadows:
            self._guard(shadow.state, lambda s=shadow: self._build(s))  # type: ignore[misc]
        for shadow in shadows:
            self._guard(shadow.state, lambda s=shadow: self._keys(s))  # type: ignore[misc]

    def _build(self, shadow: Shadow) -> None:
        conn, state = self._conn, shadow.state
        with self._clock.phase("index", state.name):
            for index, named in zip(shadow.table.indexes, shadow.old.indexes, strict=True):
                self._listen(Progress("build", state.name, f"index {named.name}"))
                build_index(conn, shadow.table, index)
        with self._clock.phase("analyze", state.name):
            analyze(conn, state.target)
        with self._clock.phase("count", state.name):
            old = sql.Identifier(shadow.old.name.schema, shadow.old.name.name)
            row = conn.execute(sql.SQL("SELECT count(*) FROM ONLY {}").format(old)).fetchone()
            assert row is not None
            state.deleted = int(row[0])

    def _keys(self, shadow: Shadow) -> None:
        state = shadow.state
        with self._clock.phase("foreign key", state.name):
            for fk in sorted(shadow.old.foreign_keys, key=lambda c: c.oid):
                self._listen(Progress("build", state.name, f"foreign key {fk.name}"))
                add_constraints(self._conn, state.target, [self._pointed(fk, fk.name)])
            for fk, name in shadow.incoming:
                assert fk.table is not None
                self._listen(Progress("build", state.name, f"foreign key {fk.name} of {fk.table}"))
                relation = sql.Identifier(fk.table.schema, fk.table.name)
                add_constraints(self._conn, relation, [self._pointed(fk, name)])

    def _pointed(self, fk: Constraint, name: str) -> Constraint:
        """The foreign key under a name, pointing at the new table where it points at one that is swapped."""
        assert fk.references is not None
        head, tail = self._parts[fk.oid]
        parent = self.made.get(fk.references)
        goal = parent.table.name if parent is not None else fk.references
        where = sql.Identifier(goal.schema, goal.name).as_string(self._conn)
        return replace(fk, name=name, definition=f"{head}{where}{tail}")

    def _guard(self, state: TableLoad, step: Callable[[], None]) -> None:
        try:
            step()
        except psycopg.Error as error:
            if not about_rows(error):
                raise
            raise Unfit(state.plan.table.name, primary(error)) from error


def _index_definition(conn: psycopg.Connection, index: Index, name: str, target: sql.Identifier, tail: str) -> str:
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {sql.Identifier(name).as_string(conn)} ON {target.as_string(conn)}{tail}"


def statements(conn: psycopg.Connection, name: str, **parameters: object) -> list[str]:
    """Statements that the server has put together from its catalog."""
    return [text for (text,) in conn.execute(query("swap", name), parameters).fetchall()]
