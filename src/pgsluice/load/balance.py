"""Which way a block goes: to PostgreSQL as it is, or read by DuckDB and sent in binary.

Both ways store the same: a block that PostgreSQL takes as CSV was read by its own input functions, and a
value travels in binary only where it is certain to mean the same (:mod:`pgsluice.source.typed`). They differ
in who works. As it is, a block costs the client next to nothing and the server the parsing; typed, the client
works ahead on another core and the server has less to do. So small tables go as they are, and for others
both ways are measured on the first blocks. A block that PostgreSQL refuses is read by DuckDB, which sorts
certain rows from those in doubt, and so is what follows it in the table.
"""

from __future__ import annotations

# Below this size (bytes of the table's files) DuckDB is not even loaded: nothing that it could gain would pay
# for loading it and for finding out.
_SMALL = 32 << 20

# The first block that DuckDB reads, and the first that is sent in binary, take several times as long as others.
_WARM = 2

# DuckDB takes three times the client's CPU seconds. For that it has to save more than a few percent of the
# time: on two cores 3.2 million orders took 0.97 of the time and 5 core-seconds more.
_WORTH = 0.6


class Balance:
    """Decides for the blocks of one table, by seconds for each byte; asked by the thread that reads, told by
    both.
    """

    def __init__(self, size: int, *, able: bool) -> None:
        """:param size: bytes of the table's files.
        :param able: COPY can read the files' dialect.
        """
        self._small = size < _SMALL
        self._given = 0
        self._sent: dict[bool, float] = {}
        self._converted = 0.0
        self._conversions = 0
        self.refused = not able
        """Blocks are read by DuckDB from now on."""

    def as_it_is(self) -> bool:
        """Whether the next block goes as it is: yes for the first one, so that the server begins at once."""
        self._given += 1
        if self.refused:
            return False
        if self._small or self._given == 1:
            return True
        if self._conversions < _WARM or True not in self._sent:
            return False
        # Reading and sending overlap: the slower of the two counts.
        return max(self._converted, self._sent.get(False, 0.0)) > _WORTH * self._sent[True]

    def converted(self, size: int, seconds: float) -> None:
        """How long DuckDB took for a block."""
        self._conversions += 1
        self._converted = seconds / max(size, 1)

    def sent(self, size: int, seconds: float, *, as_it_is: bool) -> None:
        """How long a block took to send, until PostgreSQL had it."""
        self._sent[as_it_is] = seconds / max(size, 1)
