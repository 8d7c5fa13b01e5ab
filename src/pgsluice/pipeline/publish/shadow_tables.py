"""Shadow tables: for ``--mode replace`` of a big table, a new table beside the old one.

The rows of the files go into the shadow table, which gets everything that the table has. At the end of the run the two
are exchanged (:mod:`pgsluice.pipeline.publish.swap`); until then readers see the old rows. When a replace uses a
shadow table is decided in :mod:`pgsluice.pipeline.plan.strategy`. A shadow table only ever holds good rows and is never
validated: the first row that PostgreSQL refuses sends the table through a stage, because which rows stay when some are
rejected is a question about the old rows as well.

The rows are written with COPY FREEZE. A reader that waits for the swap with an older snapshot then sees the rows of the
shadow table. Rows with the transaction id of the run would be invisible to that snapshot, and the table empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from pgsluice.model import Constraint, Index, Phase, Progress, Table, TableName
from pgsluice.pipeline.fallback import FallBack, Retreat
from pgsluice.pipeline.state import RunContext, TableRun
from pgsluice.postgres.planner_hints import analyze_filled, loops_off_if_scanned
from pgsluice.postgres.rebuild_keys import add_constraints, build_index
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.postgres.sqlstate import is_row_error, primary_message
from pgsluice.sql import query


@dataclass(frozen=True, slots=True)
class Shadow:
    """A shadow table and the table that it will replace."""

    table_run: TableRun
    relation: sql.Identifier
    oid: int
    table: Table
    """The old table's definition with the shadow table's name and temporary names for the indexes."""
    incoming: list[tuple[Constraint, str]]
    """Foreign keys of tables that are not swapped: the key to the old table, and the name of the key to the shadow."""

    @property
    def old(self) -> Table:
        """The table that will be replaced."""
        return self.table_run.table


class ShadowTables:
    """Creates and finishes the shadow tables of one attempt."""

    def __init__(self, context: RunContext, table_runs: Sequence[TableRun]) -> None:
        """:param table_runs: the tables with the strategy :attr:`~pgsluice.model.Strategy.SWAP`."""
        self._context = context
        self._conn = context.conn
        self._table_runs = table_runs
        self._names = {t.table.name for t in table_runs}
        self._key_parts: dict[int, tuple[str, str]] = {}
        """Definitions of foreign keys by oid: the text before the parent's name and the text after it."""
        self.made: dict[TableName, Shadow] = {}

    def create(self) -> None:
        """Creates the shadow tables, empty and without keys, as destinations of the rows.

        :raises FallBack: a table cannot be created again.
        """
        if not self._table_runs:
            return
        oids = [t.table.oid for t in self._table_runs]
        tails: dict[int, str] = dict(self._conn.execute(query("swap", "indexes"), {"oids": oids}).fetchall())
        self._key_parts = {
            oid: (head, tail)
            for oid, head, tail in self._conn.execute(query("swap", "foreign_keys"), {"oids": oids}).fetchall()
        }
        for table_run in self._table_runs:
            self._guarded(table_run, lambda t=table_run: self._create(t, tails))  # type: ignore[misc]

    def _create(self, table_run: TableRun, tails: Mapping[int, str]) -> None:
        conn, old = self._conn, table_run.table
        # The name contains the oid, whose lock the run holds: runs on other tables of the schema use other names.
        name = TableName(old.name.schema, f"pgsluice_new_{old.oid}")
        relation = identifier(name)
        conn.execute("SET LOCAL default_tablespace = ''")
        for statement in composed_by_server(conn, "create", old=old.oid, shadow=name.name):
            conn.execute(sql.SQL(statement))
        conn.execute("SET LOCAL default_tablespace TO DEFAULT")
        row = conn.execute("SELECT %s::regclass::oid::bigint", (relation.as_string(conn),)).fetchone()
        assert row is not None
        oid = int(row[0])
        for statement in composed_by_server(conn, "dress", old=old.oid, new=oid):
            conn.execute(sql.SQL(statement))
        incoming = [(c, f"pgsluice_fk_{c.oid}") for c in old.referenced_by if c.table not in self._names]
        table = _shadow_definition(conn, old, name, tails)
        self.made[old.name] = Shadow(table_run, relation, oid, table, incoming)
        table_run.shadow = relation
        table_run.shadow_oid = oid

    def finish(self, group: Sequence[TableRun]) -> None:
        """Builds keys, indexes and foreign keys of shadow tables whose rows are all there.

        :raises FallBack: a row violates a constraint.
        """
        shadows = [self.made[t.table.name] for t in group]
        for shadow in shadows:
            self._guarded(shadow.table_run, lambda s=shadow: self._build(s))  # type: ignore[misc]
        for shadow in shadows:
            self._guarded(shadow.table_run, lambda s=shadow: self._add_foreign_keys(s))  # type: ignore[misc]

    def _build(self, shadow: Shadow) -> None:
        conn, table_run, clock = self._conn, shadow.table_run, self._context.clock
        with clock.phase("index", table_run.name):
            for index, old in zip(shadow.table.indexes, shadow.old.indexes, strict=True):
                with self._context.building(table_run.name, old.name):
                    build_index(conn, shadow.table, index)
        with clock.phase("analyze", table_run.name):
            analyze_filled(conn, shadow.relation, shadow.table)
        with clock.phase("count", table_run.name):
            row = conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM ONLY {}").format(table_run.relation)).fetchone()
            assert row is not None
            table_run.counts.deleted = int(row[0])

    def _add_foreign_keys(self, shadow: Shadow) -> None:
        table_run = shadow.table_run
        with self._context.clock.phase("foreign key", table_run.name):
            for fk in sorted(shadow.old.foreign_keys, key=lambda c: c.oid):
                self._tell(table_run, f"foreign key {fk.name}")
                with loops_off_if_scanned(self._conn, table_run.counts.landed, fk):
                    add_constraints(self._conn, shadow.relation, [self._pointed(fk, fk.name)])
            for fk, name in shadow.incoming:
                assert fk.table is not None
                self._tell(table_run, f"foreign key {fk.name} of {fk.table}")
                relation = identifier(fk.table)
                add_constraints(self._conn, relation, [self._pointed(fk, name)])

    def _pointed(self, fk: Constraint, name: str) -> Constraint:
        """The foreign key under a name, referencing the shadow table if its parent is swapped."""
        assert fk.references is not None
        head, tail = self._key_parts[fk.oid]
        parent = self.made.get(fk.references)
        goal = parent.table.name if parent is not None else fk.references
        where = identifier(goal).as_string(self._conn)
        return replace(fk, name=name, definition=f"{head}{where}{tail}")

    def _guarded(self, table_run: TableRun, step: Callable[[], None]) -> None:
        """Runs a step; an error that concerns a row becomes a fallback."""
        try:
            step()
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
            raise FallBack(table_run.table.name, primary_message(error), Retreat.NO_SWAP) from error

    def _tell(self, table_run: TableRun, step: str) -> None:
        self._context.listen(Progress(Phase.BUILD, table_run.name, step))


def composed_by_server(conn: psycopg.Connection, name: str, **parameters: object) -> list[str]:
    """Statements that a query of ``sql/swap.sql`` composes from the catalog."""
    return [text for (text,) in conn.execute(query("swap", name), parameters).fetchall()]


def _shadow_definition(conn: psycopg.Connection, old: Table, name: TableName, tails: Mapping[int, str]) -> Table:
    """The definition of the shadow table.

    :param tails: the definitions of the old table's indexes by oid, from the access method on.
    """
    names = {i.name: f"pgsluice_new_{i.oid}" for i in old.indexes}
    owned = {i.constraint: names[i.name] for i in old.indexes if i.constraint}
    target = identifier(name).as_string(conn)

    def renamed(index: Index) -> Index:
        unique = "UNIQUE " if index.unique else ""
        new = names[index.name]
        definition = f"CREATE {unique}INDEX {sql.Identifier(new).as_string(conn)} ON {target}{tails[index.oid]}"
        return replace(index, name=new, constraint=owned.get(index.constraint, ""), definition=definition)

    return replace(
        old,
        name=name,
        indexes=tuple(map(renamed, old.indexes)),
        constraints=tuple(replace(c, name=owned.get(c.name, c.name)) for c in old.constraints),
    )
