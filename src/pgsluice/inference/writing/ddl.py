"""``schema.sql``: the schema for people, with the evidence of each part as a comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pgsluice.inference.draft import DraftColumn, DraftKey, DraftReference, DraftTable
from pgsluice.inference.writing.names import ConstraintNames, identifier, identifiers, literal
from pgsluice.model import Certainty, Question, RowPlace
from pgsluice.text import pluralize


def write_ddl(tables: Sequence[DraftTable], later: Sequence[DraftReference], questions: Sequence[Question]) -> str:
    """The text of ``schema.sql``.

    :param tables: in load order.
    :param later: references that are added when all tables are there.
    """
    rows, files = sum(t.rows for t in tables), sum(len(t.files) for t in tables)
    names = ConstraintNames(t.name for t in tables)
    parts = [
        f"-- Written by pgsluice init from {pluralize(rows, 'row')} in {pluralize(files, 'file')}. Every row was read.",
        "-- What is certain is a statement; what is likely is a statement in a comment, with its evidence.",
    ]
    for question in questions:
        parts += list(_question(question))
    for table in tables:
        parts += ["", *_table(table, later, names)]
    if later:
        parts += ["", "-- These foreign keys close a cycle, and wait until all tables are there."]
        parts += [_added(reference, names) for reference in later]
    return "\n".join(parts) + "\n"


def table_sql(table: DraftTable) -> str:
    """The statements that create one table and its indexes, without foreign keys."""
    return "\n".join(_table(table, table.references, ConstraintNames((table.name,))))


def _question(question: Question) -> Iterator[str]:
    yield f"-- question: {_clean(question.table)}.{_clean(question.column)}: {_clean(question.text)};"
    yield f"--   it is text until pgsluice init is called again with {' or '.join(question.answers)}"


def _table(table: DraftTable, later: Sequence[DraftReference], names: ConstraintNames) -> Iterator[str]:
    files = ", ".join(_clean(f.path.rpartition("/")[2]) for f in table.files[:3])
    more = f" and {len(table.files) - 3} more" if len(table.files) > 3 else ""
    yield f"-- {_clean(table.name)}: {pluralize(table.rows, 'row')} of {files}{more}"
    yield f"CREATE TABLE IF NOT EXISTS {identifier(table.name)} ("
    constraints = list(_constraints(table, later, names))
    width = max(len(identifier(c.name)) for c in table.columns)
    types = max(len(c.type_sql) for c in table.columns)
    lines = [_column(c, width, types) for c in table.columns]
    lines += [(f"    {text}", "") for text in constraints]
    room = max(len(text) for text, comment in lines if comment or not constraints) + 1
    for place, (text, comment) in enumerate(lines):
        comma = "," if place + 1 < len(lines) else ""
        yield f"{text + comma:{room}}  -- {comment}" if comment else f"{text}{comma}"
    yield ");"
    yield from _indexes(table, names)
    yield from _likely(table, names)


def _column(column: DraftColumn, width: int, types: int) -> tuple[str, str]:
    text = f"    {identifier(column.name):{width}} {column.type_sql:{types}}"
    text = f"{text} NOT NULL" if column.not_null else text.rstrip()
    comment = _clean(column.evidence)
    if column.missing:
        comment += f"; {pluralize(column.missing, 'NULL')}"
    return text, comment


def _constraints(table: DraftTable, later: Sequence[DraftReference], names: ConstraintNames) -> Iterator[str]:
    key = table.primary_key
    if key is not None and key.certainty is Certainty.CERTAIN:
        yield f"CONSTRAINT {identifier(names.new(table.name, (), 'pkey'))} PRIMARY KEY ({_columns(key.columns)})"
    for key in table.unique_keys:
        if key.certainty is Certainty.CERTAIN:
            yield _unique(key, names)
    for reference in table.references:
        if reference.certainty is Certainty.CERTAIN and reference not in later:
            yield _foreign_key(reference, names)


def _unique(key: DraftKey, names: ConstraintNames) -> str:
    columns = [c.name for c in key.columns]
    name = names.new(key.columns[0].table.name, columns, "key")
    return f"CONSTRAINT {identifier(name)} UNIQUE ({identifiers(columns)})"


def _foreign_key(reference: DraftReference, names: ConstraintNames) -> str:
    columns = [c.name for c in reference.columns]
    name = identifier(names.new(reference.table.name, columns, "fkey"))
    parent = f"{identifier(reference.parent.name)} ({_columns(reference.parents)})"
    return f"CONSTRAINT {name} FOREIGN KEY ({identifiers(columns)}) REFERENCES {parent}"


def _added(reference: DraftReference, names: ConstraintNames) -> str:
    return f"ALTER TABLE {identifier(reference.table.name)} ADD {_foreign_key(reference, names)};"


def _columns(columns: Sequence[DraftColumn]) -> str:
    return identifiers(c.name for c in columns)


def _indexes(table: DraftTable, names: ConstraintNames) -> Iterator[str]:
    """Indexes on foreign keys that no key covers: without them, deleting a parent row reads the whole table."""
    keys = [k for k in (table.primary_key, *table.unique_keys) if k is not None and k.certainty is Certainty.CERTAIN]
    covered = [k.columns for k in keys]
    for reference in table.references:
        if reference.certainty is Certainty.CERTAIN:
            mine = reference.columns
            if not any(columns[: len(mine)] == mine for columns in covered):
                covered.append(mine)
                name = names.new(table.name, [c.name for c in mine], "idx")
                yield f"CREATE INDEX IF NOT EXISTS {identifier(name)} ON {identifier(table.name)} ({_columns(mine)});"


def _likely(table: DraftTable, names: ConstraintNames) -> Iterator[str]:
    """What is likely, as comments."""
    quoted = identifier(table.name)
    key = table.primary_key
    if key is not None and key.certainty is Certainty.LIKELY:
        yield from _proposal(f"({_columns(key.columns)}) is the primary key: {key.evidence}", key.duplicates)
        name = identifier(names.new(table.name, (), "pkey"))
        yield f"-- ALTER TABLE {quoted} ADD CONSTRAINT {name} PRIMARY KEY ({_columns(key.columns)});"
    for reference in table.references:
        if reference.certainty is Certainty.LIKELY:
            what = f"({_columns(reference.columns)}) references {identifier(reference.parent.name)}"
            yield from _proposal(f"{what}: {reference.evidence}", reference.places)
            yield f"-- {_added(reference, names)}"
    for unique in table.unique_keys:
        if unique.certainty is Certainty.LIKELY:
            yield from _proposal(f"({_columns(unique.columns)}) is unique: {unique.evidence}", ())
            yield f"-- ALTER TABLE {quoted} ADD {_unique(unique, names)};"
    for column in table.columns:
        if column.accepted and column.kind == "text":
            accepted = ", ".join(literal(value) for value in column.accepted)
            if any(c in accepted for c in "\r\n"):
                continue
            check = f"CHECK ({identifier(column.name)} IN ({accepted}))"
            name = identifier(names.new(table.name, [column.name], "check"))
            yield from _proposal(f"{identifier(column.name)} has {len(column.accepted)} values", ())
            yield f"-- ALTER TABLE {quoted} ADD CONSTRAINT {name} {check};"


def _proposal(text: str, places: Sequence[RowPlace]) -> Iterator[str]:
    yield f"-- likely: {_clean(text)}"
    for place in places:
        yield f"--   {_clean(place.file)}:{place.line} has {_clean(place.value)}"


def _clean(text: str) -> str:
    """The text on one line: a comment ends with its line."""
    return "".join(c if c.isprintable() else " " for c in text)
