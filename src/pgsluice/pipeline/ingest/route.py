"""How the blocks of one table are copied: the decisions that the reader thread and the sender share."""

from __future__ import annotations

import threading

from pgsluice.pipeline.ingest.adaptive import FormatChooser


class CopyRoute:
    """The copy route of one table.

    The reader thread decides how to parse a block, the sender learns what PostgreSQL accepts. Everything that both
    touch is behind one lock. ``frozen``, ``direct`` and ``validate_from`` belong to the thread that sends;
    ``validate_from`` changes only while no reader thread runs.
    """

    def __init__(self, *, frozen: bool) -> None:
        """:param frozen: send with COPY FREEZE, so that no index build and no foreign key has to check the visibility
        of each row. (Without it, a load of eight million rows takes a quarter longer.)
        """
        self.frozen = frozen
        self.direct = False
        """Rows go past the stage into the table, with all constraints in force, until PostgreSQL refuses a row. That
        block and the later blocks are staged."""
        self.validate_from: tuple[int, int] | None = None
        """(number of the file, ordinal) of the block that failed in an earlier frozen COPY. From this block on, blocks
        are parsed on the client and CHECK constraints stay dropped until all rows are in."""
        self._lock = threading.Lock()
        self._as_is = False
        self._chooser = FormatChooser()

    @property
    def as_is(self) -> bool:
        """Blocks are sent as the file has them, until PostgreSQL refuses a block. That block and the later blocks are
        parsed by DuckDB, which separates certain rows from rows that only PostgreSQL can judge."""
        with self._lock:
            return self._as_is

    def start_reading(self, *, as_is: bool) -> None:
        """Called by the reader thread before the first block of the table."""
        with self._lock:
            self._as_is = as_is

    def stop_as_is(self) -> None:
        """Called by the sender when PostgreSQL has refused a block."""
        with self._lock:
            self._as_is = False

    def discard_blocks(self) -> None:
        """Called while no reader thread runs: blocks that were read ahead are gone and will be read again."""
        self._chooser = FormatChooser()

    def copy_again(self, validate_from: tuple[int, int] | None) -> None:
        """Called while no reader thread runs, after a frozen COPY has failed.

        :param validate_from: copy frozen rows again and parse on the client from this block on; None: do not freeze.
        """
        self.discard_blocks()
        self.validate_from = validate_from
        self.frozen = validate_from is not None

    def must_parse(self, file: int, ordinal: int) -> bool:
        """Whether the block that begins with this ordinal of this file has to be parsed on the client."""
        return self.validate_from is not None and self.validate_from <= (file, ordinal)

    def prefers_binary(self, size: int) -> bool:
        """Whether a block of ``size`` bytes shall be parsed and sent in binary, because that is faster."""
        with self._lock:
            return self._chooser.prefers_binary(size)

    def block_read(self) -> None:
        """Called by the reader thread for each block."""
        with self._lock:
            self._chooser.block_read()

    def block_taken(self) -> None:
        """Called by the sender for each block."""
        with self._lock:
            self._chooser.block_taken()

    def block_sent(self, *, binary: bool, size: int, seconds: float) -> None:
        """Called by the sender for each block that PostgreSQL took whole."""
        with self._lock:
            self._chooser.block_sent(binary=binary, size=size, seconds=seconds)
