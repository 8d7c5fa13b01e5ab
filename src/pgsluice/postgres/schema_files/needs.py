"""Which rights the statements of a schema file need."""

from __future__ import annotations

from dataclasses import dataclass

from pgsluice.postgres.schema_files.apply import Reader, plain_name
from pgsluice.postgres.schema_files.sql_lexer import read_sql, split

_OF_THE_DATABASE = frozenset({"schema", "extension", "language"})


@dataclass(frozen=True, slots=True)
class FileNeeds:
    """What a schema file makes, and what it points at."""

    schemas: frozenset[str]
    """The schemas in which it makes objects; '' for the current schema."""
    creates_schemas: bool
    """It makes objects that belong to the database: schemas and extensions."""
    references: frozenset[tuple[str, str]]
    """Schema ('' for the current one) and name of each table that a foreign key references."""


def read_needs(path: str) -> FileNeeds:
    """Reads what a schema file makes.

    :raises FileError: the file cannot be read.
    :raises SchemaFileError: a quote or a comment has no end.
    """
    schemas: set[str] = set()
    made: set[tuple[str, str]] = set()
    references: set[tuple[str, str]] = set()
    of_the_database = False
    for statement in split(read_sql(path), path):
        reader = Reader(statement.tokens)
        if reader.word() == "create":
            reader.skip()
            kind = reader.word()
            reader.skip()
            if kind in _OF_THE_DATABASE:
                of_the_database = True
            elif kind != "index":
                name = _parts(reader.name())
                schemas.add(name[0])
                made.add(name)
        reader = Reader(statement.tokens)
        while reader.find("references"):
            references.add(_parts(reader.name()))
    return FileNeeds(frozenset(schemas), of_the_database, frozenset(references - made))


def read_tables_made(path: str) -> list[tuple[str, str]]:
    """Returns schema ('' for the current one) and name of each table that a schema file creates, in its order.

    :raises FileError: the file cannot be read.
    :raises SchemaFileError: a quote or a comment has no end.
    """
    made: list[tuple[str, str]] = []
    for statement in split(read_sql(path), path):
        reader = Reader(statement.tokens)
        if reader.word() == "create":
            reader.skip()
            if reader.word() == "table":
                reader.skip()
                made.append(_parts(reader.name()))
    return list(dict.fromkeys(made))


def _parts(name: tuple[str, ...]) -> tuple[str, str]:
    """The schema and the name, without quotes; '' for what is missing."""
    parts = [plain_name((part,)) for part in name]
    return (parts[-2] if len(parts) > 1 else "", parts[-1] if parts else "")
