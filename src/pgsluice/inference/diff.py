"""What an existing schema lacks for files: the difference between an inferred schema and the tables that are there.

A change is needed if a load would reject rows or refuse files without it. Whether a type has room for the values of the
files is decided by what the values are, and not by the type that ``init`` would write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pgsluice.inference.writing.names import ConstraintNames, identifier, identifiers
from pgsluice.model import (
    Certainty,
    Column,
    InferredColumn,
    InferredForeignKey,
    InferredSchema,
    InferredTable,
    Proposal,
    SchemaDiff,
    Table,
)
from pgsluice.names import Names

_BOUNDS = {"int2": 2**15, "int4": 2**31, "int8": 2**63}

_ACCEPTS = {
    "float4": {"integer", "number", "float"},
    "float8": {"integer", "number", "float"},
    "date": {"date"},
    "timestamp": {"date", "timestamp"},
    "timestamptz": {"date", "timestamp"},
    "time": {"time"},
    "bool": {"boolean"},
    "uuid": {"uuid"},
    "json": {"json"},
    "jsonb": {"json"},
    "inet": {"inet"},
}
"""The kinds of values that types take whatever the values are."""

_TEXTS = frozenset({"text", "varchar", "bpchar", "citext"})


def diff(found: InferredSchema, existing: Sequence[Table]) -> SchemaDiff:
    """The changes that existing tables need for files.

    :param found: what the files have.
    :param existing: the tables that are there.
    """
    names = Names(t.name.name for t in existing)
    known: dict[str, Table] = {}
    for table in found.tables:
        near = names.find(table.name)
        if len(near) == 1:
            known[table.name] = next(t for t in existing if t.name.name == near[0])
    proposals: list[Proposal] = []
    same = []
    taken = ConstraintNames(c.name for t in existing for c in t.constraints)
    for table in found.tables:
        mine = list(_of_table(table, known, taken))
        proposals += mine
        if not mine:
            same.append(str(known[table.name].name))
    return SchemaDiff(tuple(proposals), tuple(same), found.questions)


def _of_table(table: InferredTable, known: dict[str, Table], taken: ConstraintNames) -> Iterator[Proposal]:
    there = known.get(table.name)
    if there is None:
        yield Proposal(table.name, "there is no such table", table.sql, True)
        yield from _references_of_new(table, known, taken)
        return
    name = str(there.name)
    alter = f"ALTER TABLE {_qualified(there)}"
    names = Names(c.name for c in there.columns)
    columns: dict[str, Column] = {}
    for column in table.columns:
        near = names.find(column.field) or names.find(column.name)
        if len(near) != 1:
            why = f"the field {column.field} has no column"
            yield Proposal(name, why, f"{alter} ADD COLUMN {identifier(column.name)} {column.type_sql};", True)
            continue
        columns[column.name] = there.column(near[0])
        yield from _of_column(name, alter, column, columns[column.name], table.rows)
    brought = {c.name for c in columns.values()}
    for missing in there.columns:
        if missing.required and missing.name not in brought:
            why = f"{missing.name} is NOT NULL without a default, and no file has it"
            yield Proposal(name, why, f"{alter} ALTER COLUMN {identifier(missing.name)} DROP NOT NULL;", True)
    if len(columns) == len(table.columns):
        yield from _keys(table, there, columns, known, taken)


def _of_column(name: str, alter: str, column: InferredColumn, there: Column, rows: int) -> Iterator[Proposal]:
    quoted = identifier(there.name)
    if wider := _wider(column, there):
        why = f"{there.name} is {there.type_sql}, and the files have {column.evidence or column.kind}"
        yield Proposal(name, why, f"{alter} ALTER COLUMN {quoted} TYPE {wider};", True)
    if there.not_null and not column.not_null and rows:
        yield Proposal(
            name,
            f"{there.name} is NOT NULL, and rows of the files have no value",
            f"{alter} ALTER COLUMN {quoted} DROP NOT NULL;",
            True,
        )


def _wider(column: InferredColumn, there: Column) -> str:
    """The type that a column needs for the values; '' if its type has room for them, or if that is not known."""
    if column.kind == "none" or there.base_schema != "pg_catalog" or there.kind not in ("b", "d"):
        return ""
    if there.base in _TEXTS:
        room = there.base_typmod - 4 if there.base_typmod >= 4 else None
        return "text" if room is not None and there.base != "text" and column.longest > room else ""
    if there.base in _BOUNDS:
        return _wider_integer(column, _BOUNDS[there.base])
    if there.base == "numeric":
        return _wider_number(column, there.base_typmod)
    accepted = _ACCEPTS.get(there.base)
    if accepted is None or column.kind in accepted or _are_bits(column, there):
        return ""
    return column.type_sql


def _wider_integer(column: InferredColumn, bound: int) -> str:
    if column.kind != "integer" or column.least is None or column.greatest is None:
        return column.type_sql
    if -bound <= column.least and column.greatest < bound:
        return ""
    return "bigint" if column.type_sql == "integer" and bound == 2**31 else column.type_sql


def _wider_number(column: InferredColumn, modifier: int) -> str:
    if column.kind == "float":
        return "numeric"
    if column.kind not in ("integer", "number"):
        return column.type_sql
    if modifier < 4:
        return ""
    precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
    if column.digits <= precision - scale and column.decimals <= scale:
        return ""
    decimals = max(scale, column.decimals)
    return f"numeric({max(precision - scale, column.digits) + decimals}, {decimals})"


def _are_bits(column: InferredColumn, there: Column) -> bool:
    """Whether the values are 0 and 1 in a column of truth values."""
    return there.base == "bool" and column.kind == "integer" and column.least in (0, 1) and column.greatest in (0, 1)


def _keys(
    table: InferredTable,
    there: Table,
    columns: dict[str, Column],
    known: dict[str, Table],
    taken: ConstraintNames,
) -> Iterator[Proposal]:
    """The keys that the files suggest and the table does not have."""
    name, alter = str(there.name), f"ALTER TABLE {_qualified(there)}"
    key = table.primary_key
    if key is not None and key.certainty is Certainty.CERTAIN and not any(c.kind == "p" for c in there.constraints):
        mine = [columns[c].name for c in key.columns]
        added = f"ADD CONSTRAINT {identifier(taken.new(there.name.name, (), 'pkey'))} PRIMARY KEY ({identifiers(mine)})"
        yield Proposal(name, f"there is no primary key: {key.evidence}", f"{alter} {added};", False)
    for reference in table.foreign_keys:
        parent = known.get(reference.references)
        if reference.certainty is Certainty.CERTAIN and parent is not None and _can_reference(reference, parent):
            yield from _reference(reference, there, parent, columns, taken)


def _references_of_new(table: InferredTable, known: dict[str, Table], taken: ConstraintNames) -> Iterator[Proposal]:
    """The foreign keys of a table that is not there yet, to tables with a key of the referenced columns."""
    for reference in table.foreign_keys:
        parent = known.get(reference.references)
        able = parent is None or _can_reference(reference, parent)
        if reference.certainty is Certainty.CERTAIN and able:
            goal = identifier(reference.references) if parent is None else _qualified(parent)
            theirs = (
                list(reference.referenced_columns) if parent is None else _found(reference.referenced_columns, parent)
            )
            name = identifier(taken.new(table.name, reference.columns, "fkey"))
            mine = identifiers(reference.columns)
            added = f"ADD CONSTRAINT {name} FOREIGN KEY ({mine}) REFERENCES {goal} ({identifiers(theirs)});"
            why = f"({', '.join(reference.columns)}) references {reference.references}: {reference.evidence}"
            yield Proposal(table.name, why, f"ALTER TABLE {identifier(table.name)} {added}", False)


def _can_reference(reference: InferredForeignKey, parent: Table) -> bool:
    """Whether the parent table has a key of the referenced columns."""
    wanted = sorted(_found(reference.referenced_columns, parent))
    return any(c.kind in "pu" and sorted(c.columns) == wanted for c in parent.constraints)


def _found(names: Sequence[str], table: Table) -> list[str]:
    """The columns of a table that names mean."""
    known = Names(c.name for c in table.columns)
    return [near[0] for name in names if len(near := known.find(name)) == 1]


def _reference(
    reference: InferredForeignKey, there: Table, parent: Table, columns: dict[str, Column], taken: ConstraintNames
) -> Iterator[Proposal]:
    mine = [columns[c].name for c in reference.columns]
    theirs = _found(reference.referenced_columns, parent)
    if any(c.kind == "f" and sorted(c.columns) == sorted(mine) for c in there.constraints):
        return
    added = f"ADD CONSTRAINT {identifier(taken.new(there.name.name, mine, 'fkey'))} FOREIGN KEY ({identifiers(mine)})"
    statement = f"ALTER TABLE {_qualified(there)} {added} REFERENCES {_qualified(parent)} ({identifiers(theirs)});"
    why = f"({', '.join(mine)}) references {parent.name}: {reference.evidence}"
    yield Proposal(str(there.name), why, statement, False)


def _qualified(table: Table) -> str:
    name = identifier(table.name.name)
    return name if table.name.schema == "public" else f"{identifier(table.name.schema)}.{name}"
