"""The steps from files to a schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pgsluice.errors import FileError
from pgsluice.inference.columns.choose import choose_types
from pgsluice.inference.draft import DraftColumn, DraftKey, DraftReference, DraftTable
from pgsluice.inference.keys.choose import choose_keys
from pgsluice.inference.reading.files import settled_files
from pgsluice.inference.reading.grouping import draft_tables
from pgsluice.inference.reading.store import Store
from pgsluice.inference.writing.ddl import table_sql, write_ddl
from pgsluice.inference.writing.order import load_order
from pgsluice.inference.writing.settings import write_settings
from pgsluice.model import (
    IgnoredFile,
    InferredColumn,
    InferredForeignKey,
    InferredKey,
    InferredSchema,
    InferredTable,
    Listener,
    LoadOptions,
    Question,
    SourceFile,
)
from pgsluice.source.places.names import literal_glob


def infer(
    files: Sequence[SourceFile],
    options: LoadOptions,
    *,
    paths: Sequence[str],
    schema: str,
    given: Mapping[str, Any],
    likely: bool,
    listen: Listener,
) -> InferredSchema:
    """Finds the schema of files.

    :param files: what discovery found.
    :param options: how the files are read; ``tables`` names tables, and ``formats`` answers questions.
    :param paths: the paths for ``pgsluice.toml``.
    :param schema: the path of ``schema.sql`` for ``pgsluice.toml``.
    :param given: the arguments of the call that a load needs again.
    :param likely: take what is likely.
    :raises FileError: a file cannot be read, or none of the files holds a table.
    :raises MappingError: a file can be read in several ways.
    """
    taken, ignored = settled_files(files, options.dialect)
    if not taken:
        why = f" ({ignored[0].path}: {ignored[0].why})" if ignored else ""
        raise FileError(f"none of the files holds a table{why}", "Name files with a header and rows")
    tables = draft_tables(taken, options.tables)
    questions: list[Question] = []
    with Store() as store:
        for table in tables:
            store.read(table, listen)
            questions += choose_types(store, table, options.formats, likely=likely)
        choose_keys(store, tables, listen, likely=likely)
        warnings = tuple(store.warnings)
    order, later = load_order(tables)
    return InferredSchema(
        tables=tuple(_table(t, table_sql(t)) for t in order),
        questions=tuple(questions),
        warnings=(*warnings, *(f"{i.path} is left out: {i.why}" for i in ignored)),
        sql=write_ddl(order, later, questions),
        settings=write_settings(order, paths, schema, _with_skipped(given, ignored)),
    )


def _with_skipped(given: Mapping[str, Any], ignored: Sequence[IgnoredFile]) -> dict[str, Any]:
    """The arguments, with the files that a load must not take: their names may be those of tables."""
    skip = [*given.get("skip", ()), *(literal_glob(file.path) for file in ignored)]
    return {**given, "skip": skip} if skip else dict(given)


def _table(table: DraftTable, sql: str) -> InferredTable:
    return InferredTable(
        table.name,
        tuple(f.path for f in table.files),
        table.rows,
        tuple(_column(c) for c in table.columns),
        None if table.primary_key is None else _key(table.primary_key),
        tuple(_key(k) for k in table.unique_keys),
        tuple(_foreign_key(r) for r in table.references),
        sql,
    )


def _column(column: DraftColumn) -> InferredColumn:
    return InferredColumn(
        column.name,
        column.field,
        column.type_sql,
        column.not_null,
        column.evidence,
        column.format,
        column.accepted,
        kind=column.kind if column.filled else "none",
        least=column.least,
        greatest=column.greatest,
        digits=column.digits,
        decimals=column.decimals,
        longest=column.characters,
    )


def _key(key: DraftKey) -> InferredKey:
    return InferredKey(tuple(c.name for c in key.columns), key.certainty, key.evidence, key.duplicates)


def _foreign_key(reference: DraftReference) -> InferredForeignKey:
    return InferredForeignKey(
        tuple(c.name for c in reference.columns),
        reference.parent.name,
        tuple(c.name for c in reference.parents),
        reference.certainty,
        reference.coverage,
        reference.orphans,
        round(reference.name_score, 2),
        reference.evidence,
        reference.places,
    )
