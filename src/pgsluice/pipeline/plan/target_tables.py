"""The tables that a load may feed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import psycopg

from pgsluice.model import LoadOptions, SourceFile, Table
from pgsluice.pipeline.plan.file_tables import FileTables, split_name
from pgsluice.postgres.catalog import read_tables, require_schema


def target_tables(
    conn: psycopg.Connection[Any],
    options: LoadOptions,
    files: Sequence[SourceFile],
    schema: str | None,
    schemas: Collection[str] = (),
    *,
    details: bool = True,
) -> tuple[Table, ...]:
    """The tables that a load may feed: the tables of its schema, and of other schemas that ``--table`` names.

    :param schema: the schema of the load; None if no schema of the user's path exists.
    :param schemas: further schemas.
    :param details: read the definitions of the tables that the files feed; of all others the names are enough.
    :raises MappingError: a file has no table.
    """
    if options.into:
        require_schema(conn, options.into)

    def read(only: Collection[int]) -> tuple[Table, ...]:
        tables = read_tables(conn, schema, only) if schema is not None else ()
        known = {t.name.schema for t in tables}
        for other in (*schemas, *(split_name(name)[0] for name, _ in options.tables)):
            if other is not None and other not in known:
                known.add(other)
                tables += read_tables(conn, other, only)
        return tables

    names = read(())
    return read(FileTables(names, options.tables).fed_by(files)[0]) if details else names
