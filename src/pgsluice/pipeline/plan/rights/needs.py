"""Which rights a load needs: on its tables, on what their defaults call, on schemas, and on derived tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from pgsluice.ledger.quality import made_by
from pgsluice.ledger.schema import exists
from pgsluice.model import Definition, DriftKind, LoadOptions, Materialization, Mode, Plan, Table, TableName
from pgsluice.postgres.schema_files.needs import FileNeeds
from pgsluice.sql import query

Connection = psycopg.Connection[Any]


@dataclass(slots=True)
class Needs:
    """The rights that a load needs."""

    tables: list[tuple[int, str]] = field(default_factory=list)
    """The oid of a relation, and a right."""
    defaults: list[tuple[int, str]] = field(default_factory=list)
    """The oid of a table, and a column whose default is computed."""
    schemas: list[tuple[str, str]] = field(default_factory=list)
    """The name of a schema, and a right."""
    create_schemas: bool = False
    """The right to create schemas in the database."""
    owned: list[int] = field(default_factory=list)
    """Relations whose definition the load changes."""

    def add_table(self, oid: int, mode: Mode, *, delete_missing: bool) -> None:
        """Adds the rights that a mode needs on a table."""
        rights = ["INSERT", "SELECT"]
        if mode in (Mode.UPSERT, Mode.REPLACE):
            rights.append("UPDATE")
        if mode is Mode.REPLACE or delete_missing:
            rights.append("DELETE")
        self.tables += [(oid, right) for right in rights]

    def add_schema_file(self, conn: Connection, file: FileNeeds, schema: str | None) -> None:
        """Adds what the statements of a schema file need.

        :param schema: the schema of names without a schema.
        """
        self.create_schemas = file.creates_schemas
        for made_in in dict.fromkeys(name or schema for name in file.schemas):
            if made_in is not None:
                self.schemas += [(made_in, "CREATE"), (made_in, "USAGE")]
        for own, name in file.references:
            row = conn.execute(query("rights", "relation"), {"schema": own or schema, "name": name}).fetchone()
            if row is not None:
                self.tables.append((row[0], "REFERENCES"))

    def add_derived(self, conn: Connection, definitions: Sequence[Definition]) -> None:
        """Adds what derived tables need: the rights to create or change them, and to read what they read."""
        from pgsluice.postgres.derived.build import read_tables_of

        last = _made_by(conn)
        own = {d.name for d in definitions}
        reads: set[TableName] = set()
        for definition in definitions:
            place = {"schema": definition.name.schema, "name": definition.name.name}
            row = conn.execute(query("rights", "relation"), place).fetchone()
            if row is None:
                self.schemas += [(definition.name.schema, "CREATE"), (definition.name.schema, "USAGE")]
            elif last.get(definition.name) == definition.sha256 and definition.materialization is Materialization.TABLE:
                self.tables += [(row[0], right) for right in ("DELETE", "INSERT", "SELECT", "UPDATE")]
            elif definition.materialization is not Materialization.VIEW or last.get(definition.name):
                self.owned.append(row[0])
            reads |= read_tables_of(conn, definition) - own
        names = sorted(reads)
        schemas, tables = [n.schema for n in names], [n.name for n in names]
        oids = conn.execute(query("rights", "oids"), {"schemas": schemas, "names": tables}).fetchall()
        self.tables += [(oid, "SELECT") for (oid,) in oids]


def _made_by(conn: Connection) -> dict[TableName, str]:
    """Which definition made each derived table last; nothing if the role may not read the ledger."""
    try:
        with conn.transaction():
            return made_by(conn) if exists(conn) else {}
    except psycopg.errors.InsufficientPrivilege:
        return {}


def needs_of_plan(conn: Connection, plan: Plan, options: LoadOptions) -> Needs:
    """Returns what a load needs that is planned."""
    needs = Needs()
    for t in plan.tables:
        needs.add_table(t.table.oid, t.mode, delete_missing=t.delete_missing)
        full = set(t.brought) - set(t.partial)
        needs.defaults += [(t.table.oid, c.name) for c in t.table.columns if c.name not in full and not c.holds_run]
    changed = {drift.table for drift in plan.drift if drift.kind == DriftKind.ADDED_COLUMN}
    needs.owned += [t.table.oid for t in plan.tables if str(t.table.name) in changed]
    if options.derive:
        from pgsluice.postgres.derived.definitions import read_definitions

        needs.add_derived(conn, read_definitions(options.derive, plan.target.schema or "public"))
    return needs


def needs_of_names(conn: Connection, tables: Sequence[Table], options: LoadOptions) -> Needs:
    """Returns what a load needs that cannot be planned yet, because rights are missing.

    :param tables: the tables that the files feed, by their names.
    """
    needs = Needs()
    for table in tables:
        needs.add_table(table.oid, options.modes.of(table.name), delete_missing=options.modes.delete_missing)
    # Which columns the files have is not known: all defaults are taken as needed.
    needs.defaults += conn.execute(query("rights", "defaults"), {"oids": [t.oid for t in tables]}).fetchall()
    return needs
