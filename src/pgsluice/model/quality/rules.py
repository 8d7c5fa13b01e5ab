"""Rules that the user adds to the constraints of the tables, and what became of them in a run."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pgsluice.model.catalog import TableName


class Severity(enum.StrEnum):
    """What a broken rule means."""

    REJECT = "reject"
    """The row is a reject. Row rules only."""
    VETO = "veto"
    """Nothing is published. Set rules only."""
    WARN = "warn"
    """The rows are published, and the warning is recorded."""


@dataclass(frozen=True, slots=True)
class GenericTest:
    """What a rule asks in the words of dbt's generic tests."""

    name: str
    """``not_null``, ``accepted_values``, ``relationships`` or ``unique``."""
    columns: tuple[str, ...]
    """The columns that the rule is about."""
    values: tuple[str, ...] = ()
    """Of ``accepted_values``: the values."""
    parent: str = ""
    """Of ``relationships``: the table that holds the values, as the user writes it."""
    field: str = ""
    """Of ``relationships``: the column of that table."""


@dataclass(frozen=True, slots=True)
class RowRule:
    """A condition on each row of a table. A row breaks the rule if the condition is false; NULL passes, as in a
    CHECK.
    """

    name: str
    """The name of the rule, for rejects and reports."""
    table: str
    """The table as the user writes it: ``table`` or ``schema.table``."""
    expression: str
    """A boolean SQL expression over the columns of the table."""
    severity: Severity = Severity.REJECT
    """``reject`` or ``warn``."""
    description: str = ""
    """What the rule is for, in the user's words."""
    source: str = ""
    """Where the rule is written, for messages; '' if it came from Python."""
    generic: GenericTest | None = None
    """What the rule asks in the words of dbt; None for an expression of the user."""


class Measure(enum.StrEnum):
    """What a drift rule compares with earlier runs."""

    ROWS = "rows"
    NULLS = "nulls"
    """The share of NULL in a column."""
    DISTINCT = "distinct"
    """The number of distinct values of a column, as PostgreSQL's statistics estimate it."""
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a measure may be from its median in earlier published runs."""

    measure: Measure
    """What is compared."""
    column: str = ""
    """The column; '' for the measure rows."""
    runs: int = 10
    """How many earlier runs are compared."""
    deviations: float = 5.0
    """How many deviations from the median are right. The deviation is the median absolute deviation (MAD) times 1.4826,
    which estimates the standard deviation (Rousseeuw and Croux, 1993), but at least a hundredth of the median."""


@dataclass(frozen=True, slots=True)
class SetRule:
    """A query over the tables as they will be published.

    Without bounds the query must return no row. With a bound its only row has one value, which must lie within them.
    """

    name: str
    """The name of the rule, for reports."""
    query: str = ""
    """The query; '' for a drift rule."""
    severity: Severity = Severity.VETO
    """``veto`` or ``warn``."""
    minimum: float | str | None = None
    """The least value that is right, a number; None sets no bound. A text keeps digits that a float cannot hold."""
    maximum: float | str | None = None
    """The greatest value that is right, as ``minimum``."""
    drift: Drift | None = None
    """Compare with earlier runs, in place of a query."""
    table: str = ""
    """The table that the rule is about: a run that does not feed the table does not ask the rule. '' for every run."""
    description: str = ""
    """What the rule is for, in the user's words."""
    source: str = ""
    """Where the rule is written, for messages; '' if it came from Python."""
    generic: GenericTest | None = None
    """What the rule asks in the words of dbt; None for a query of the user."""

    @property
    def bounded(self) -> bool:
        """Whether the query gives a value, and not rows that break the rule."""
        return self.minimum is not None or self.maximum is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a run."""

    rows: tuple[RowRule, ...] = ()
    """The row rules."""
    sets: tuple[SetRule, ...] = ()
    """The set rules."""


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """A row rule as PostgreSQL understands it."""

    rule: RowRule
    """The rule as the user wrote it."""
    expression: str
    """The condition with every name qualified, as PostgreSQL's deparser writes it."""
    columns: tuple[str, ...]
    """The columns that the rules of the table read."""
    reads: tuple[TableName, ...] = ()
    """Other tables that the rules of the table read."""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What became of one rule in a run or in ``verify``."""

    name: str
    """The name of the rule."""
    kind: str
    """``row`` or ``set``."""
    table: str
    """The table that the rule is about; '' for a query over several."""
    severity: str
    """One of :class:`Severity`."""
    ok: bool
    """Whether no row breaks the rule."""
    count: int
    """Rows that break the rule. For a set rule with bounds: 0 or 1."""
    value: str = ""
    """The value of a set rule with bounds."""
    detail: str = ""
    """Why the rule is broken, in words."""
    evidence: tuple[tuple[str, ...], ...] = ()
    """The first rows of a set rule's query: the names of the columns, then the values."""
    seconds: float = 0.0
    """How long the query took."""
