"""The state of the inference: tables and columns about which more and more is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from pgsluice.model import Certainty, ColumnFormat, RowPlace, SourceFile


@dataclass(slots=True, eq=False)
class DraftColumn:
    """A column of a table that is being found out."""

    table: DraftTable
    number: int
    """The place of the column in its table, from 0; its texts are the column ``c<number>`` of the store."""
    name: str
    field: str
    nulls: int = 0
    empties: int = 0
    """How many values are quoted empty fields."""
    distinct: int = 0
    """How many distinct values there are: about as many, unless ``exact``."""
    exact: bool = False
    shortest: int = 0
    longest: int = 0
    """Lengths of the values in bytes."""
    mean_length: float = 0.0
    phrases: bool = False
    """Many values hold a blank: they are names or texts, and no codes."""
    type_sql: str = "text"
    kind: str = "text"
    """What the values are: ``integer``, ``number``, ``float``, ``text``, ``boolean``, ``date``, ``timestamp``,
    ``time``, ``uuid``, ``json``, ``inet``, ``array``."""
    format: ColumnFormat | None = None
    evidence: str = ""
    accepted: tuple[str, ...] = ()
    least: int | None = None
    greatest: int | None = None
    """The bounds of integers."""
    digits: int = 0
    decimals: int = 0
    characters: int = 0
    """The length of the longest value in characters."""
    empty_as_null: bool = False
    """Quoted empty fields are NULL, because the type is not text."""

    @property
    def text(self) -> str:
        """SQL of the text of the column."""
        return f"c{self.number}"

    @property
    def filled(self) -> int:
        """How many values there are."""
        return self.table.rows - self.missing

    @property
    def missing(self) -> int:
        """How many values are NULL."""
        return self.nulls + (self.empties if self.empty_as_null else 0)

    @property
    def not_null(self) -> bool:
        """Whether every row has a value."""
        return self.table.rows > 0 and self.missing == 0

    @property
    def unique(self) -> bool:
        """Whether no value comes twice."""
        return self.exact and self.filled > 0 and self.distinct == self.filled

    def __str__(self) -> str:
        return f"{self.table.name}.{self.name}"


@dataclass(slots=True, eq=False)
class DraftKey:
    """A primary or unique key that is being found out."""

    columns: tuple[DraftColumn, ...]
    certainty: Certainty
    evidence: str
    duplicates: tuple[RowPlace, ...] = ()


@dataclass(slots=True, eq=False)
class DraftReference:
    """A foreign key that is being found out."""

    columns: tuple[DraftColumn, ...]
    parents: tuple[DraftColumn, ...]
    name_score: float
    score: float
    coverage: float
    orphans: int
    certainty: Certainty = Certainty.LIKELY
    evidence: str = ""
    places: tuple[RowPlace, ...] = ()

    @property
    def table(self) -> DraftTable:
        """The child table."""
        return self.columns[0].table

    @property
    def parent(self) -> DraftTable:
        """The parent table."""
        return self.parents[0].table


@dataclass(slots=True, eq=False)
class DraftTable:
    """A table that is being found out."""

    number: int
    """Its rows are the table ``t<number>`` of the store."""
    name: str
    files: list[SourceFile]
    names: tuple[tuple[str, ...], ...] = ()
    """For each file the name of the column of each field."""
    columns: list[DraftColumn] = field(default_factory=list)
    rows: int = 0
    given: bool = False
    """The user named the table."""
    primary_key: DraftKey | None = None
    unique_keys: list[DraftKey] = field(default_factory=list)
    references: list[DraftReference] = field(default_factory=list)
    faults: int = 0

    @property
    def store(self) -> str:
        """The name of its table in the store."""
        return f"t{self.number}"

    def column(self, name: str) -> DraftColumn:
        """The column of that name."""
        return next(c for c in self.columns if c.name == name)
