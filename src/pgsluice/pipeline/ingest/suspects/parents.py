"""The keys of a parent table, to find rows without a parent before they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from pgsluice.model import Constraint
from pgsluice.pipeline.ingest.suspects.keys import int64_values
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.sql import compose

if TYPE_CHECKING:
    import pyarrow as pa

MOST_PARENTS = 4_000_000
"""How many keys of a parent table are read at most; each takes eight bytes while they are read."""

_WIDEST = 1 << 28
"""The widest range of keys that is remembered: a bit for each number, 32 MB."""


class ParentKeys:
    """The keys of a parent table, where a single integer is the key."""

    def __init__(self, keys: Any) -> None:
        """:param keys: the keys as a numpy array of int64; their range is at most as wide as :data:`_WIDEST`."""
        import numpy as np

        self._first = int(keys.min()) if len(keys) else 0
        places = keys - self._first
        self._width = int(places.max()) + 1 if len(keys) else 0
        there = np.zeros(self._width, bool)
        there[places] = True
        self._there = np.packbits(there, bitorder="little")

    @classmethod
    def read(cls, conn: psycopg.Connection, fk: Constraint) -> ParentKeys | None:
        """Reads the keys of the parent table of a foreign key over one integer; None if they are too many or too far
        apart to be remembered, or if the role may not read them.
        """
        import numpy as np

        assert fk.references is not None
        statement = compose(
            "suspects",
            "parent_keys",
            key=sql.Identifier(fk.referenced_columns[0]),
            parent=identifier(fk.references),
            most=sql.Literal(MOST_PARENTS + 1),
        )
        try:
            with conn.transaction():
                row = conn.cursor(binary=True).execute(statement).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            return None
        assert row is not None
        count, first, last, keys = row
        if count > MOST_PARENTS or (count and last - first >= _WIDEST):
            return None
        return cls(np.frombuffer(keys or b"", ">i8").astype(np.int64))

    def lacking(self, column: pa.Array) -> Any:
        """Which values have no parent, as a numpy array of booleans; a NULL needs none."""
        import numpy as np

        places = int64_values(column) - self._first
        outside = (places < 0) | (places >= self._width)
        lacking = outside.copy()
        inside = ~outside
        known = places[inside]
        lacking[inside] = (self._there[known >> 3] >> (known & 7).astype(np.uint8)) & 1 == 0
        if column.null_count:
            lacking &= column.is_valid().to_numpy(zero_copy_only=False)
        return lacking
