"""The new table beside the old one: when a replace goes this way, and how the table is made and filled.

``--mode replace`` of a big table: the rows go into a new table, its *shadow*, which gets everything that
the old one has; at the end of the run the two are swapped (:mod:`pgsluice.pipeline.publish.swap`). Readers see the old
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

from pgsluice.model import Constraint, Index, Listener, Progress, Table, TableName
from pgsluice.pipeline.fallback import Unfit
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.timing import Clock
from pgsluice.postgres.ddl import add_constraints, build_index
from pgsluice.postgres.planner_hints import analyze
from pgsluice.postgres.sqlstate import is_row_error, primary_message
from pgsluice.sql import query


@dataclass(slots=True)
class Shadow:
    """A new table, and the old one that it will replace."""

    state: TableRun
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

    def __init__(self, conn: psycopg.Connection, states: Sequence[TableRun], clock: Clock, listen: Listener) -> None:
        """:param states: the tables of the run whose way is :attr:`Strategy.SWAP`."""
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

    def _create(self, state: TableRun, tails: Mapping[int, str]) -> None:
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

    def finish(self, group: Sequence[TableRun]) -> None:
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

    def _guard(self, state: TableRun, step: Callable[[], None]) -> None:
        try:
            step()
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
            raise Unfit(state.plan.table.name, primary_message(error)) from error


def _index_definition(conn: psycopg.Connection, index: Index, name: str, target: sql.Identifier, tail: str) -> str:
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {sql.Identifier(name).as_string(conn)} ON {target.as_string(conn)}{tail}"


def statements(conn: psycopg.Connection, name: str, **parameters: object) -> list[str]:
    """Statements that the server has put together from its catalog."""
    return [text for (text,) in conn.execute(query("swap", name), parameters).fetchall()]
