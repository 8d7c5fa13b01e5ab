"""TODO pgsluice.pipeline.fallback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgsluice.model import TableName

if TYPE_CHECKING:
    pass


class Thaw(Exception):
    """PostgreSQL refused a row of a table whose rows arrive frozen. Since they cannot do that in a savepoint of
    their own, all of the table's are out again: they come once more, unfrozen.
    """


class Reconsider(Exception):
    """A table cannot be finished in place: some row stops an index or constraint in a way that no set
    query can name. The run starts again with stages, where such rows are found by halving.
    """

    def __init__(self, table: TableName, reason: str) -> None:
        super().__init__(f"{table}: {reason}")
        self.table = table
        self.reason = reason


class Unfit(Exception):
    """A table cannot be replaced by a new one after all; the run starts again and sends it through a stage."""

    def __init__(self, table: TableName, reason: str) -> None:
        super().__init__(f"{table}: {reason}")
        self.table = table
        self.reason = reason
