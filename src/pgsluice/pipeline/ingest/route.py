"""How the blocks of one table are copied: the decisions that the reader thread and the sender share."""

from __future__ import annotations

import enum
import threading

from pgsluice.pipeline.ingest.adaptive import FormatChooser
from pgsluice.pipeline.ingest.suspects.suspects import Suspects


class Care(enum.IntEnum):
    """How carefully a table is copied. A frozen COPY that fails starts again with more care."""

    TRUSTING = 0
    """Frozen; PostgreSQL reads the values and checks NOT NULL and CHECK."""
    HOLDING = 1
    """Frozen; the client reads every block, and suspects are held in the stage."""
    VALIDATING = 2
    """Frozen; the client reads every block, and CHECKs are dropped until all rows are in."""
    SINGLE = 3
    """Not frozen; each block has a savepoint of its own."""


class CopyRoute:
    """The copy route of one table.

    The reader thread decides how to parse a block, the sender learns what PostgreSQL accepts. Everything that both
    touch is behind one lock. ``care``, ``direct`` and ``suspects`` belong to the thread that sends; ``care`` changes
    only while no reader thread runs.
    """

    first_care = Care.TRUSTING
    """The care for the first frozen COPY of a table."""

    def __init__(self, *, frozen: bool) -> None:
        """:param frozen: send with COPY FREEZE, so that no index build and no foreign key has to check the visibility
        of each row. (Without it, a load of eight million rows takes a quarter longer.)
        """
        self.care = self.first_care if frozen else Care.SINGLE
        self.suspects: Suspects | None = None
        """Finds the rows to hold, where the care is HOLDING."""
        self.direct = False
        """Rows go past the stage into the table, with all constraints in force, until PostgreSQL refuses a row. That
        block and the later blocks are staged."""
        self._lock = threading.Lock()
        self._as_is = False
        self._chooser = FormatChooser()

    @property
    def frozen(self) -> bool:
        """Rows are sent with COPY FREEZE."""
        return self.care is not Care.SINGLE

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

    def copy_again(self, care: Care) -> None:
        """Called while no reader thread runs: copy the table from its first row, with this care."""
        self.discard_blocks()
        self.care = care
        self.suspects = None

    @property
    def must_parse(self) -> bool:
        """Whether every block has to be parsed on the client."""
        return self.care in (Care.HOLDING, Care.VALIDATING)

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
