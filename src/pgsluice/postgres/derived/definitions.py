"""Definitions of derived tables: one file each, a small header of comments and one SELECT.

::

    -- materialized: table
    -- unique index: day
    SELECT ordered_at::date AS day, sum(total_amount) AS revenue FROM orders GROUP BY 1

The name of the file is the name of the derived table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pgsluice.errors import CallError
from pgsluice.model import Definition, DerivedIndex, Materialization, TableName
from pgsluice.sql_headers import read_sql_file, sql_files

_KEYS = ("materialized", "index", "unique index", "incremental by", "description")


def read_definitions(paths: Sequence[str | Path], schema: str) -> tuple[Definition, ...]:
    """Reads the definitions in files and folders, ordered by the names of their files.

    :param paths: ``.sql`` files, or folders of them.
    :param schema: the schema of derived tables whose file name says none (``schema.name.sql``).
    :raises FileError: a path is missing or unreadable, or a folder holds no ``.sql`` file.
    :raises CallError: a header is wrong, or two files define the same table.
    """
    found: dict[TableName, Definition] = {}
    for path in paths:
        for file in sql_files(Path(path)):
            definition = _read(file, schema)
            if definition.name in found:
                raise CallError(
                    f"{file} and {found[definition.name].source} both define {definition.name}", "Rename one of them"
                )
            found[definition.name] = definition
    return tuple(found.values())


def _read(path: Path, schema: str) -> Definition:
    file = read_sql_file(path, _KEYS)
    own, dot, name = file.stem.rpartition(".")
    kind = file.last("materialized", "table").lower()
    if kind not in tuple(Materialization):
        raise CallError(f"{path}: materialized: {kind!r} is none of {', '.join(Materialization)}", "Correct the header")
    definition = Definition(
        name=TableName(own if dot else schema, name if dot else file.stem),
        materialization=Materialization(kind),
        query=file.statement,
        indexes=tuple(
            DerivedIndex(columns, key == "unique index")
            for key in ("unique index", "index")
            for columns in file.header.get(key, ())
        ),
        description=" ".join(file.header.get("description", ())),
        source=str(path),
        incremental_by=tuple(column for line in file.header.get("incremental by", ()) for column in _names(line)),
    )
    _check(definition)
    # The description and other comments do not make another table.
    made_of = (str(definition.materialization), definition.query, definition.indexes)
    return replace(definition, sha256=hashlib.sha256(repr(made_of).encode()).hexdigest())


def _names(line: str) -> list[str]:
    """The names of columns in a line of the header: separated by commas, in double quotes where SQL needs them."""
    found = re.findall(r'\s*(?:"((?:[^"]|"")+)"|([^",]+?))\s*(?:,|$)', line)
    return [quoted.replace('""', '"') if quoted else plain.lower() for quoted, plain in found]


def _check(definition: Definition) -> None:
    if definition.incremental_by and definition.materialization is not Materialization.TABLE:
        raise CallError(
            f"{definition.source}: incremental by: a {definition.materialization} is not computed in parts",
            "Write materialized: table, or remove the line",
        )
    if definition.indexes and definition.materialization is Materialization.VIEW:
        raise CallError(
            f"{definition.source}: a view has no index", "Make it a table or a matview, or remove the index"
        )
