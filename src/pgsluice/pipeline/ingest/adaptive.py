"""Choices that are measured while blocks are sent: text or binary COPY, and when to try again what may fail."""

from __future__ import annotations

# Below this size binary is not worth its start: the first binary block loads Arrow, which takes as long as PostgreSQL
# takes for four megabytes of text. Blocks begin small (see BlockReader), so files of less than twice as much never
# get here.
_MIN_BYTES = 4 << 20

# At least this share of a table's bytes is sent as text, because without it there is nothing to compare with.
_TEXT_SAMPLE = 1 / 16

# PostgreSQL must take binary in less than this share of the time for text, or the client's work does not pay.
_GAIN = 0.95


class FormatChooser:
    """Learns from the blocks of one table whether PostgreSQL takes them faster as text or in binary.

    The client has time to parse decimals and dates as long as PostgreSQL is the slower side, so a block is parsed only
    while another block waits to be sent. Which format is faster depends on the types, on the load of both machines and
    on the network (binary may be twice as long), so it is measured. Not safe for threads; see
    :class:`~pgsluice.pipeline.ingest.route.CopyRoute`.
    """

    def __init__(self) -> None:
        self._waiting = 0
        self._bytes = {False: 0, True: 0}
        self._seconds = {False: 0.0, True: 0.0}

    def prefers_binary(self, size: int) -> bool:
        """Whether a block of ``size`` bytes that was just read shall be parsed and sent in binary."""
        text, binary = self._bytes[False], self._bytes[True]
        if size < _MIN_BYTES or self._waiting < 1 or text < binary * _TEXT_SAMPLE:
            return False
        if not (text and binary):
            return True
        return self._seconds[True] / binary < _GAIN * self._seconds[False] / text

    def block_read(self) -> None:
        """Notes that a block waits for the sender."""
        self._waiting += 1

    def block_taken(self) -> None:
        """Notes that the sender has taken a block."""
        self._waiting -= 1

    def block_sent(self, *, binary: bool, size: int, seconds: float) -> None:
        """Notes how many seconds PostgreSQL took for a block of ``size`` bytes of the file."""
        self._bytes[binary] += size
        self._seconds[binary] += seconds


class Backoff:
    """Exponential backoff, counted in turns: one turn is left out after a failure, three after the next, and so on."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause = 0

    def now(self) -> bool:
        """Whether to try in this turn."""
        self._pause -= 1
        return self._pause < 0

    def tried(self, *, well: bool) -> None:
        """Notes whether the try of this turn succeeded."""
        self._failures = 0 if well else self._failures + 1
        self._pause = (1 << self._failures) - 1
