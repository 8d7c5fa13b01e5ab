"""Tables as PostgreSQL's catalog describes them."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """The schema and the name of a table, both without quotes."""

    schema: str
    """The schema."""
    name: str
    """The name within the schema."""

    def __str__(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    def called(self, text: str) -> bool:
        """Whether ``text``, written as ``table`` or ``schema.table``, names this table."""
        return text in (self.name, f"{self.schema}.{self.name}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a target table.

    ``type_sql`` is what ``format_type()`` returns, modifier included (``numeric(10,2)``). ``base`` is the name that the
    type has in ``pg_type`` below all domains (``numeric``); ``base_typmod`` is its modifier, -1 if it has none.
    """

    name: str
    """The name, without quotes."""
    number: int
    """``pg_attribute.attnum``."""
    type_sql: str
    """The type with its modifier, as ``format_type()`` returns it: ``numeric(10,2)``."""
    base: str
    """The name of the type in ``pg_type`` below all domains: ``numeric``."""
    base_schema: str
    """The schema of that type."""
    base_typmod: int
    """The modifier of that type; -1 if there is none."""
    kind: str
    """``pg_type.typtype`` of the column's own type: b(ase), c(omposite), d(omain), e(num), r(ange), m(ultirange)."""
    not_null: bool
    """Whether NULL is refused."""
    has_default: bool
    """Whether the column has a default."""
    identity: str
    """'' for no identity column, 'a' for GENERATED ALWAYS, 'd' for BY DEFAULT."""
    generated: str
    """'' for an ordinary column, 's' for a stored generated column, 'v' for a virtual one."""
    labels: tuple[str, ...] = ()
    """The labels of an enum."""
    owned_sequence: str = ""
    """The sequence that the column owns (serial, identity), qualified and quoted; '' if it owns none."""
    default_sql: str = ""
    """The value that a row without the column gets, as SQL; '' for NULL and for generated columns."""
    equality: str = "{left} OPERATOR(pg_catalog.=) {right}"
    """The comparison of a value ``{left}`` with a value ``{right}`` by the default btree operator class of the type.
    The operator is qualified."""
    holds_run: bool = False
    """Whether the load fills the column with the run's id (``--run-column``)."""

    @property
    def is_text(self) -> bool:
        """Whether the column stores any text, so that an empty text is a value."""
        return self.base in ("text", "varchar", "bpchar", "name", "citext")

    @property
    def required(self) -> bool:
        """Whether a file must contain the column: it is NOT NULL, and nothing else gives it a value."""
        filled = self.has_default or self.identity or self.generated or self.holds_run
        return self.not_null and not filled


def text_column(name: str) -> Column:
    """A column of type ``text`` for a field that no table has a column for."""
    return Column(
        name=name,
        number=0,
        type_sql="text",
        base="text",
        base_schema="pg_catalog",
        base_typmod=-1,
        kind="b",
        not_null=False,
        has_default=False,
        identity="",
        generated="",
    )


@dataclass(frozen=True, slots=True)
class Constraint:
    """A row of ``pg_constraint``; ``kind`` is p(rimary), u(nique), c(heck), f(oreign key) or x (exclusion)."""

    oid: int
    """``pg_constraint.oid``."""
    name: str
    """The name, without quotes."""
    kind: str
    """p(rimary), u(nique), c(heck), f(oreign key) or x (exclusion)."""
    columns: tuple[str, ...]
    """The columns of the constraint."""
    definition: str
    """What ``pg_get_constraintdef()`` returns."""
    expression: str = ""
    """The condition of a CHECK as ``pg_get_expr()`` returns it; '' for other kinds."""
    deferrable: bool = False
    """Whether it may be checked at the end of a transaction."""
    deferred: bool = False
    """Whether it is checked there unless a session says otherwise."""
    validated: bool = True
    """Whether PostgreSQL knows that all rows satisfy it."""
    enforced: bool = True
    """Whether PostgreSQL checks it at all (NOT ENFORCED)."""
    comment: str | None = None
    """Its comment; None if there is none."""
    references: TableName | None = None
    """For a foreign key: the table of the parent rows."""
    referenced_columns: tuple[str, ...] = ()
    """For a foreign key: the columns of the parent table."""
    equality: tuple[str, ...] = ()
    """For a foreign key: the comparison of each ``{parent}`` column with its ``{child}`` column, as the key's trigger
    makes it."""
    match_full: bool = False
    """For a foreign key: MATCH FULL."""
    table: TableName | None = None
    """The table that the constraint belongs to."""
    trigger: str = ""
    """The name of the trigger that checks the constraint after the row is inserted (foreign keys, deferrable unique
    keys); '' for other kinds."""


@dataclass(frozen=True, slots=True)
class Index:
    """A row of ``pg_index``, with everything needed to find violations of the index and to build it again."""

    oid: int
    """``pg_class.oid`` of the index."""
    name: str
    """The name, without quotes."""
    definition: str
    """What ``pg_get_indexdef()`` returns."""
    unique: bool
    """Whether it is unique."""
    primary: bool
    """Whether it is the index of the primary key."""
    keys: tuple[str, ...]
    """The key columns or expressions as SQL, without INCLUDE columns."""
    predicate: str
    """The condition of a partial index, as SQL; '' for all rows."""
    nulls_not_distinct: bool
    """Whether two NULLs are equal keys."""
    constraint: str = ""
    """Name of the constraint that owns the index."""
    tablespace: str = ""
    """The tablespace; '' for the default one."""
    comment: str | None = None
    """Its comment; None if there is none."""
    clustered: bool = False
    """Whether the table was clustered by it."""
    replica_identity: bool = False
    """Whether it is the replica identity."""
    plain: bool = True
    """The index is a btree with default operator classes, so ``=`` in a query compares as the index does."""
    collated: bool = False
    """A collation other than C orders the keys, which makes comparisons expensive."""
    valid: bool = True
    """Whether queries may use it."""
    equality: tuple[str, ...] = ()
    """For each key of a btree index: the comparison of ``{left}`` with ``{right}`` by the operator class of the key."""
    said: str = ""
    """The keys as PostgreSQL writes them into the DETAIL of an error (``pg_get_indexdef_columns``)."""

    @property
    def names(self) -> tuple[str, ...]:
        """The keys without quotes: columns by their names, expressions as SQL."""
        found = ((re.fullmatch(r'"((?:[^"]|"")+)"', key), key) for key in self.keys)
        return tuple(quoted[1].replace('""', '"') if quoted else key for quoted, key in found)


class ObstacleKind(enum.StrEnum):
    """What kind of thing keeps pgsluice from dropping and rebuilding the keys of a table.

    The query ``obstacles`` of ``sql/catalog.sql`` gives these values; code decides by the kind and never by the text.
    """

    OWNER = "owner"
    PARTITIONED = "partitioned"
    FOREIGN_TABLE = "foreign table"
    INHERITANCE = "inheritance"
    TRIGGER = "trigger"
    """A trigger of the user fires on INSERT."""
    TRUNCATE_TRIGGER = "truncate trigger"
    KEY_TRIGGER = "key trigger"
    """The triggers of a foreign key are disabled or altered."""
    EVENT_TRIGGER = "event trigger"
    RULE = "rule"
    ROW_SECURITY = "row security"
    PUBLICATION = "publication"
    EXCLUSION = "exclusion"
    PERIOD = "period"
    DEPENDENCY = "dependency"
    """A view or another object depends on an index or a constraint."""
    INDEX = "index"
    """An index has a property that a rebuilt index would lose, or is invalid."""
    PRIVILEGE = "privilege"
    RESUMABLE = "resumable"
    """The run is resumable, so rows go through stages that outlive it."""
    FAILED_ATTEMPT = "failed attempt"
    """An earlier attempt of the run could not finish a table in place."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason against dropping and rebuilding the keys and indexes of a table."""

    kind: ObstacleKind
    """What it is."""
    text: str
    """The reason for people; no code reads it."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Table:
    """A target table with everything that planning and validation need to know about it."""

    oid: int
    """``pg_class.oid``."""
    name: TableName
    """Schema and name."""
    kind: str
    """``pg_class.relkind``: r for a table, p for a partitioned table, f for a foreign table."""
    owner_is_me: bool
    """Whether the role owns the table."""
    columns: tuple[Column, ...]
    """The columns in their order."""
    constraints: tuple[Constraint, ...]
    """The table's own constraints."""
    indexes: tuple[Index, ...]
    """The table's indexes."""
    referenced_by: tuple[Constraint, ...]
    """Foreign keys of any table that reference this table."""
    obstacles: tuple[Obstacle, ...] = ()
    """Reasons against dropping keys and indexes for the time of a load; empty if they may be dropped."""

    def has_obstacle(self, *kinds: ObstacleKind) -> bool:
        """Whether an obstacle of one of these kinds exists."""
        return any(obstacle.kind in kinds for obstacle in self.obstacles)

    @property
    def loadable(self) -> tuple[Column, ...]:
        """The columns that take values of files: all but generated columns and the run column."""
        return tuple(c for c in self.columns if not c.generated and not c.holds_run)

    @property
    def run_column(self) -> str:
        """The column that the load fills with the run's id; '' if there is none."""
        return next((c.name for c in self.columns if c.holds_run), "")

    def column(self, name: str) -> Column:
        """The column of that name.

        :raises StopIteration: the table has no such column.
        """
        return next(c for c in self.columns if c.name == name)

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        """The table's own foreign keys."""
        return tuple(c for c in self.constraints if c.kind == "f")

    @property
    def checks(self) -> tuple[Constraint, ...]:
        """The table's CHECK constraints."""
        return tuple(c for c in self.constraints if c.kind == "c")
