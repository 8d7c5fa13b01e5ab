"""Profiles: what the columns of a table held when a run was published."""

from __future__ import annotations

from dataclasses import dataclass

from pgsluice.model.catalog import TableName


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column of one table. Values are texts, as PostgreSQL writes them."""

    table: TableName
    """The table."""
    number: int
    """The number of the column in the table."""
    column: str
    """The column."""
    type: str
    """The type of the column."""
    rows: int
    """Rows of the table."""
    nulls: int
    """Rows in which the column is NULL."""
    exact: bool
    """``rows``, ``nulls``, ``mean`` and the bounds of numbers and dates were counted. Otherwise they are estimates from
    PostgreSQL's statistics."""
    distinct: float | None = None
    """An estimate of the number of distinct values (``pg_stats.n_distinct``)."""
    minimum: str | None = None
    """The least value; None if it is not known."""
    maximum: str | None = None
    """The greatest value; None if it is not known."""
    mean: float | None = None
    """Of a column of numbers, and of a boolean column: the share of true."""
    frequent: tuple[tuple[str, float], ...] = ()
    """The most frequent values with their shares of the rows."""
    bounds: tuple[str, ...] = ()
    """Bounds that divide the other values into parts of equal size (``pg_stats.histogram_bounds``)."""
