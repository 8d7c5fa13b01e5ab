"""Rights that the role lacks: they end a load before a row is read, with all GRANTs as the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from pgsluice.errors import PrivilegeError
from pgsluice.ledger.schema import missing_grants
from pgsluice.model import LoadOptions, Plan, SourceFile
from pgsluice.pipeline.plan.file_tables import FileTables
from pgsluice.pipeline.plan.rights.needs import Needs, needs_of_names, needs_of_plan
from pgsluice.pipeline.plan.target_tables import target_tables
from pgsluice.postgres.schema_files.needs import read_needs
from pgsluice.postgres.search_path import current_schema
from pgsluice.sql import query
from pgsluice.text import pluralize

Connection = psycopg.Connection[Any]


def check_privileges(conn: Connection, plan: Plan, options: LoadOptions) -> None:
    """Checks that the role has every right on tables, sequences and schemas that the planned load needs.

    :raises PrivilegeError: rights are missing; the remedy is a GRANT for each object.
    """
    if statements := _grants(conn, needs_of_plan(conn, plan, options)):
        raise privilege_error(conn, statements)


def missing_rights(conn: Connection, plan: Plan, options: LoadOptions) -> tuple[str, ...]:
    """Returns the statements that give the role what it lacks for the planned load, those for the ledger included.

    :raises DatabaseError: the ledger cannot be used, whatever is granted.
    """
    return (*_grants(conn, needs_of_plan(conn, plan, options)), *missing_grants(conn, lasting=options.resumable))


def missing_before_plan(
    conn: Connection, options: LoadOptions, files: Sequence[SourceFile], schema: str | None
) -> tuple[str, ...]:
    """Returns the statements for a load that cannot be planned, because its role may not create or see the tables.

    :param schema: the schema of the tables.
    """
    names = target_tables(conn, options, files, schema, details=False) if schema else ()
    fed, _ = FileTables(names, options.tables).fed_by(files)
    needs = needs_of_names(conn, [t for t in names if t.oid in fed], options)
    if schema:
        needs.schemas.append((schema, "USAGE"))
    if options.schema_file:
        needs.add_schema_file(conn, read_needs(options.schema_file), schema)
    return (*_grants(conn, needs), *missing_grants(conn, lasting=options.resumable))


def unusable_schema(conn: Connection, options: LoadOptions) -> str | None:
    """Returns the schema of the load if it exists and the role may not use it, else None."""
    schema = options.into
    if schema is None:
        if current_schema(conn) is not None:
            return None
        row = conn.execute(query("rights", "first_schema")).fetchone()
        schema = None if row is None else str(row[0])
    row = conn.execute(query("rights", "may_use_schema"), {"schema": schema}).fetchone()
    return schema if row == (False,) else None


def first_schema(conn: Connection, options: LoadOptions) -> str | None:
    """Returns the schema of the load, whether the role may use it or not."""
    if options.into:
        return options.into
    row = conn.execute(query("rights", "first_schema")).fetchone()
    return None if row is None else str(row[0])


def privilege_error(conn: Connection, statements: Sequence[str]) -> PrivilegeError:
    """Returns the error for missing rights.

    :param statements: the statements that grant them, at least one.
    """
    role, database = _role(conn), conn.info.dbname
    if len(statements) == 1:
        return PrivilegeError(
            f"role {role} lacks a right in database {database} that this load needs", f"As its owner: {statements[0]}"
        )
    return PrivilegeError(
        f"role {role} lacks rights in database {database} that this load needs",
        f"As the owner of the database and its tables, these {pluralize(len(statements), 'GRANT')}:",
        statements,
    )


def _grants(conn: Connection, needs: Needs) -> tuple[str, ...]:
    parameters = {
        "tables": [oid for oid, _ in needs.tables],
        "rights": [right for _, right in needs.tables],
        "default_tables": [oid for oid, _ in needs.defaults],
        "default_columns": [column for _, column in needs.defaults],
        "schemas": [schema for schema, _ in needs.schemas],
        "schema_rights": [right for _, right in needs.schemas],
        "create_schemas": needs.create_schemas,
    }
    role = _role(conn)
    found = conn.execute(query("rights", "missing"), parameters).fetchall()
    owners = conn.execute(query("rights", "owners"), {"oids": needs.owned}).fetchall()
    return (
        *(f"GRANT {', '.join(rights)} ON {kind} {name} TO {role};" for kind, name, rights in found),
        *(f"GRANT {owner} TO {role};" for (owner,) in owners),
    )


def _role(conn: Connection) -> str:
    row = conn.execute(query("rights", "role")).fetchone()
    assert row is not None
    return str(row[0])
