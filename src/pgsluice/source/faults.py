"""Records that cannot be parsed, with their verdicts: in few bytes, because all records of a block may be faults."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

from pgsluice.model import RejectKind, Verdict
from pgsluice.source.records.rules import QUOTE_FAULTS, FaultReason

_MOST_QUOTE_FAULTS = 100_000
"""How many records in a row may have quotes that do not pair. Their number says that the file is not CSV with this
quote: one missing quote makes one fault."""


class Fault(NamedTuple):
    """A record that cannot be parsed, with its verdict."""

    ordinal: int
    line: int
    """The physical line on which the record begins, from 1."""
    raw: bytes
    """The bytes of the record without its line end."""
    verdict: Verdict


class Faults(Sequence[Fault]):
    """The faults of a block, ascending. Each takes 26 bytes besides its raw bytes; a :class:`Fault` takes 300."""

    def __init__(self) -> None:
        self._ordinals = array("q")
        self._lines = array("q")
        self._ends = array("q", (0,))
        self._reasons = array("H")
        self._raw = bytearray()
        self._verdicts: list[Verdict] = []
        self._numbers: dict[FaultReason, int] = {}

    def add(self, ordinal: int, line: int, raw: bytes, reason: FaultReason) -> None:
        """Appends a fault."""
        number = self._numbers.get(reason)
        if number is None:
            number = self._numbers[reason] = len(self._verdicts)
            self._verdicts.append(Verdict(RejectKind.STRUCTURE, sqlstate=reason.sqlstate, message=reason.message))
        self._ordinals.append(ordinal)
        self._lines.append(line)
        self._reasons.append(number)
        self._raw += raw
        self._ends.append(len(self._raw))

    def __len__(self) -> int:
        return len(self._ordinals)

    @overload
    def __getitem__(self, index: int) -> Fault: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Fault]: ...
    def __getitem__(self, index: int | slice) -> Fault | Sequence[Fault]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        i = range(len(self))[index]
        raw = bytes(self._raw[self._ends[i] : self._ends[i + 1]])
        return Fault(self._ordinals[i], self._lines[i], raw, self._verdicts[self._reasons[i]])

    def __iter__(self) -> Iterator[Fault]:
        return (self[i] for i in range(len(self)))


class NotCsv(Exception):
    """Too many records in a row have quotes that do not pair."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line
        """The physical line of the first of these records."""
        self.count = _MOST_QUOTE_FAULTS


class QuoteFaults:
    """Counts the records in a row whose quotes do not pair, over all blocks of a file."""

    def __init__(self) -> None:
        self._count = 0
        self._line = 0

    def add(self, line: int, reason: FaultReason | None) -> None:
        """Counts a record.

        :param line: the physical line of the record.
        :param reason: None for faultless records.
        :raises NotCsv: too many records in a row have quotes that do not pair.
        """
        if reason is None or reason.message not in QUOTE_FAULTS:
            self._count = 0
            return
        if not self._count:
            self._line = line
        self._count += 1
        if self._count > _MOST_QUOTE_FAULTS:
            raise NotCsv(self._line)
