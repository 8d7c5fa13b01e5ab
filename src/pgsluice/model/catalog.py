"""TODO pgsluice.model.catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    schema: str
    name: str

    def __str__(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    def called(self, text: str) -> bool:
        """Whether somebody who wrote ``table`` or ``schema.table`` means this one."""
        return text in (self.name, f"{self.schema}.{self.name}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a target table.

    ``type_sql`` is ``format_type()`` with its modifier (``numeric(10,2)``). ``base`` is the name of the
    type in ``pg_type`` after unwrapping domains (``numeric``), ``base_typmod`` its modifier, -1: none.
    """

    name: str
    number: int
    type_sql: str
    base: str
    base_schema: str
    base_typmod: int
    kind: str
    """``pg_type.typtype`` of the column's own type: b(ase), c(omposite), d(omain), e(num), r(ange), m(ultirange)."""
    not_null: bool
    has_default: bool
    identity: str
    """'' none, 'a' always, 'd' by default."""
    generated: str
    """'' none, 's' stored, 'v' virtual."""
    labels: tuple[str, ...] = ()
    """The labels of an enum."""
    owned_sequence: str = ""
    """Quoted, qualified name of the sequence that the column owns (serial, identity)."""

    @property
    def required(self) -> bool:
        """A file must bring this column: it is NOT NULL and nothing fills it."""
        return self.not_null and not self.has_default and not self.identity and not self.generated


@dataclass(frozen=True, slots=True)
class Constraint:
    """A row of ``pg_constraint``: p(rimary), u(nique), c(heck), f(oreign key), x (exclusion)."""

    oid: int
    name: str
    kind: str
    columns: tuple[str, ...]
    definition: str
    """``pg_get_constraintdef``."""
    expression: str = ""
    """Of a CHECK: ``pg_get_expr(conbin)``."""
    index_oid: int = 0
    deferrable: bool = False
    deferred: bool = False
    validated: bool = True
    enforced: bool = True
    no_inherit: bool = False
    inherited: bool = False
    comment: str | None = None
    references: TableName | None = None
    referenced_columns: tuple[str, ...] = ()
    equality: tuple[str, ...] = ()
    """Of a foreign key: how its trigger compares each ``{parent}`` column with the ``{child}`` column."""
    match_full: bool = False
    table: TableName | None = None
    """The table that carries the constraint (of interest for foreign keys that point at a table)."""
    trigger: str = ""
    """Of a constraint that a trigger asks after the row is in (foreign keys, deferrable unique keys): its name."""


@dataclass(frozen=True, slots=True)
class Index:
    """A row of ``pg_index`` with what is needed to judge by it and to make it again."""

    oid: int
    name: str
    definition: str
    unique: bool
    primary: bool
    keys: tuple[str, ...]
    """Columns or expressions in SQL, key columns only (without INCLUDE)."""
    predicate: str
    nulls_not_distinct: bool
    constraint: str = ""
    """Name of the constraint that owns the index."""
    tablespace: str = ""
    comment: str | None = None
    clustered: bool = False
    replica_identity: bool = False
    plain: bool = True
    """Default operator classes: set queries with ``=`` judge as the index does."""
    collated: bool = False
    """A collation other than C orders the keys."""
    valid: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The keys: columns by their names, expressions as SQL has them."""
        found = ((re.fullmatch(r'"((?:[^"]|"")+)"', key), key) for key in self.keys)
        return tuple(quoted[1].replace('""', '"') if quoted else key for quoted, key in found)


@dataclass(frozen=True, slots=True)
class Table:
    """A target table with everything that the plan and the judge ask about it."""

    oid: int
    name: TableName
    kind: str
    """``pg_class.relkind``: r table, p partitioned, f foreign, v view."""
    persistence: str
    owner_is_me: bool
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    indexes: tuple[Index, ...]
    referenced_by: tuple[Constraint, ...]
    """Foreign keys of any table that point here (``table`` names theirs)."""
    can_insert: bool = True
    obstacles: tuple[str, ...] = ()
    """Why keys and indexes may not be taken down for the time of a load, in words; empty: they may."""

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        return tuple(c for c in self.constraints if c.kind == "f")

    @property
    def checks(self) -> tuple[Constraint, ...]:
        return tuple(c for c in self.constraints if c.kind == "c")
