"""The exception that makes a run start again with a safer strategy."""

from __future__ import annotations

import enum

from pgsluice.model import TableName


class Retreat(enum.Enum):
    """What a fallback changes."""

    COPY_AGAIN = "copy the table again"
    """The table alone is copied again from its first row, because COPY FREEZE failed."""
    STAGES = "stages"
    """The run starts again and sends every table through a stage, because a table cannot be finished in place."""
    NO_SWAP = "no swap"
    """The run starts again and does not replace the table by a shadow table."""
    READ_DATES = "read dates"
    """The run starts again and first reads all dates of a file, because the file has numeric dates."""
    READ_NUMBERS = "read numbers"
    """The run starts again and first reads all numbers of a file, because one of them may have two readings."""


class FallBack(Exception):
    """A table cannot be loaded with its strategy; the run falls back to a safer one.

    Nobody outside of :mod:`pgsluice.pipeline` sees this exception.
    """

    def __init__(self, table: TableName, reason: str, to: Retreat, path: str = "") -> None:
        """:param reason: why, for people.
        :param to: what to do instead.
        :param path: the file that is the reason.
        """
        super().__init__(f"{table}: {reason}")
        self.table = table
        self.reason = reason
        self.to = to
        self.path = path


def read_numbers(table: TableName, path: str) -> FallBack:
    """The fallback that reads all numbers of a file before its rows are sent."""
    return FallBack(table, f"{path} has numbers whose signs are not certain", Retreat.READ_NUMBERS, path)
