"""Which way the blocks of a table go to PostgreSQL: as the file has them, or read here and sent in binary."""

from __future__ import annotations

# Smaller blocks are not worth it: the first costs the loading of Arrow, which takes as long as PostgreSQL takes for
# four megabytes. Blocks begin small (see BlockReader), so that files of less than twice as much never get here.
_WORTH = 4 << 20


# The share of a table's bytes that goes as the file has it in any case: without, there is nothing to compare with.
_SAMPLE = 1 / 16


# How much faster PostgreSQL must take binary for it to be worth the client's work.
_GAIN = 0.95


class FormatChooser:
    """Learns from the blocks of one table themselves which way PostgreSQL takes them faster.

    What it takes PostgreSQL to read decimals and dates, the client has time to do, as long as PostgreSQL is the slower
    of the two; so a block is read here only while another waits to be sent. Whether binary is the faster way depends on
    the types, on who is how busy, and on the network, for it may be twice as long: so it is measured, not guessed.

    The reading thread asks :meth:`typed` and says :meth:`read`; the sender says :meth:`taken` and :meth:`sent`.
    """

    def __init__(self) -> None:
        self._waiting = 0
        self._bytes = {False: 0, True: 0}
        self._seconds = {False: 0.0, True: 0.0}

    def typed(self, size: int) -> bool:
        """Whether a block of so many bytes, which has just been read, is to be typed."""
        text, binary = self._bytes[False], self._bytes[True]
        if size < _WORTH or self._waiting < 1 or text < binary * _SAMPLE:
            return False
        if not (text and binary):
            return True
        return self._seconds[True] / binary < _GAIN * self._seconds[False] / text

    def read(self) -> None:
        """A block is ready."""
        self._waiting += 1

    def taken(self) -> None:
        """The sender has taken a block."""
        self._waiting -= 1

    def sent(self, *, binary: bool, size: int, seconds: float) -> None:
        """PostgreSQL has taken a block of so many bytes of the file."""
        self._bytes[binary] += size
        self._seconds[binary] += seconds


class Backoff:
    """When to try again what may be in vain: after a failure one turn is left out, after the next in a row three, and
    so on.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._pause = 0

    def now(self) -> bool:
        """Whether to try in this turn."""
        self._pause -= 1
        return self._pause < 0

    def tried(self, *, well: bool) -> None:
        """How it went."""
        self._failures = 0 if well else self._failures + 1
        self._pause = (1 << self._failures) - 1
