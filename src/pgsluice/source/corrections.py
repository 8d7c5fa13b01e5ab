"""Corrected records as blocks to load, in the places of the records that were rejected.

Each record is parsed by itself, so that a record that is still a fault cannot consume its neighbours.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from pgsluice.model import Dialect, RejectKind, Verdict
from pgsluice.source.blocks import Block, Fault, Remarks, block_of
from pgsluice.source.locate import Places
from pgsluice.source.records.fast_scan import clean_prefix
from pgsluice.source.records.rules import BAD_ENCODING, BAD_FORMAT, LineTooLong
from pgsluice.source.spreadsheets.spool import Spool
from pgsluice.source.streams import BOM

if TYPE_CHECKING:
    from pgsluice.source.locate import Numbers


_PLACEHOLDER = re.compile(rb"\\x(?:00|[89a-f][0-9a-f])")
"""``\\xNN`` as a report writes a byte that is not valid in its record: NUL or a byte above 0x7f."""

_BLOCK_RECORDS, _BLOCK_BYTES = 5000, 4 << 20
"""How many records, and how many bytes, a block of corrected records holds at most."""

_PLACES_AT_ONCE = 200
"""How many records :meth:`Corrections.locate` holds in memory at a time."""


@dataclass(slots=True)
class Corrections:
    """The corrected records of one file of a run, in the order of that file.

    Ordinals number the corrected records from 0: they are not the ordinals of the run that rejected the records.
    """

    spool: Spool
    dialect: Dialect
    first: int
    """The place of the first record in the spool."""
    lines: array[int] = field(default_factory=lambda: array("q"))
    """The line of each record in the original file, by ordinal."""
    records: array[int] = field(default_factory=lambda: array("q"))
    """The number of each record in the original file, from 1, by ordinal."""
    faulty: dict[int, Verdict] = field(default_factory=dict)
    """Ordinals of faults that the user has not changed, with their verdicts."""
    doubles: dict[int, Verdict] = field(default_factory=dict)
    """Ordinals of unchanged records that were rejected for a unique key, with their verdicts."""
    unclear: set[int] = field(default_factory=set)
    """Ordinals of records in which ``\\xNN`` may stand for a byte that could not be read."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def size(self) -> int:
        """Bytes of the records, each with one byte for its line end."""
        return sum(self.spool.length(self.first + i) + 1 for i in range(len(self)))

    def raw(self, ordinal: int) -> bytes:
        """The bytes of a record."""
        return self.spool.raw(self.first + ordinal)

    def reader(self, columns: Sequence[str], keys: frozenset[str]) -> CorrectionReader:
        """A reader of the records as blocks.

        :param columns: names for the fields of a record, in order.
        :param keys: the names of the unique keys by which rows of the files match rows of the table. A record that was
            rejected for one of these keys and has not been changed is rejected again.
        """
        refused = self.faulty | {o: v for o, v in self.doubles.items() if v.constraint in keys}
        return CorrectionReader(self, columns, refused)

    def locate(self, wanted: Iterable[Numbers]) -> Iterator[Places]:
        """Finds records by their ordinals; the result is that of :func:`pgsluice.source.locate.locate`, with the
        numbers of the rejects.

        :param wanted: ordinals, ascending, in portions.
        """
        import numpy as np
        import pyarrow as pa

        for ordinals in wanted:
            for start in range(0, ordinals.size, _PLACES_AT_ONCE):
                some = ordinals[start : start + _PLACES_AT_ONCE]
                listed = some.tolist()
                yield Places(
                    some,
                    np.asarray([self.lines[o] for o in listed]),
                    np.asarray([self.records[o] for o in listed]),
                    pa.array([self.raw(o) for o in listed], pa.binary()),
                    np.asarray([self.spool.numbers[self.first + o] for o in listed]),
                )


class CorrectionReader:
    """Reads corrected records as blocks; has the interface of :class:`~pgsluice.source.blocks.BlockReader`.

    :param refused: ordinals of the records that are rejected without being parsed, with their verdicts.
    """

    def __init__(self, corrections: Corrections, columns: Sequence[str], refused: dict[int, Verdict]) -> None:
        self._corrections = corrections
        self._columns = tuple(columns)
        self._refused = refused
        self._special = sorted(refused.keys() | corrections.unclear)
        self.sha256 = corrections.spool.sha256
        self.remarks = Remarks()

    def close(self) -> None:
        """Does nothing: the report needs the spool, which its owner closes."""

    def __iter__(self) -> Iterator[Block]:
        """Yields the blocks."""
        first = position = 0
        while first < len(self._corrections):
            raws = self._next_records(first)
            position += sum(len(raw) + 1 for raw in raws)
            yield self._together(raws, first, position) or self._one_by_one(raws, first, position)
            first += len(raws)

    def _next_records(self, first: int) -> list[bytes]:
        """The records of the block that begins with ordinal ``first``."""
        raws: list[bytes] = []
        size = 0
        for ordinal in range(first, min(first + _BLOCK_RECORDS, len(self._corrections))):
            if size >= _BLOCK_BYTES:
                break
            raws.append(self._corrections.raw(ordinal))
            size += len(raws[-1]) + 1
        return raws

    def _together(self, raws: Sequence[bytes], first: int, position: int) -> Block | None:
        """The block of these records; None unless all together parse as exactly the same records."""
        dialect = self._corrections.dialect
        if not dialect.plain or bisect_left(self._special, first) < bisect_left(self._special, first + len(raws)):
            return None
        data = b"\n".join(raws) + b"\n"
        prefix = None if BOM in data else clean_prefix(data, dialect, len(self._columns))
        if prefix is None or prefix.ends.tolist() != [end - 1 for end in accumulate(len(raw) + 1 for raw in raws)]:
            return None
        return self._block(prefix.data, [(first, len(raws))], (), raws, first, position, exact=False)

    def _one_by_one(self, raws: Sequence[bytes], first: int, position: int) -> Block:
        """The block of these records, each parsed by itself."""
        parts: list[bytes] = []
        ranges: list[tuple[int, int]] = []
        faults: list[Fault] = []
        for ordinal, raw in enumerate(raws, start=first):
            parsed = self._record(ordinal, raw)
            if isinstance(parsed, Fault):
                faults.append(parsed)
                continue
            parts.append(parsed)
            if ranges and sum(ranges[-1]) == ordinal:
                ranges[-1] = (ranges[-1][0], ranges[-1][1] + 1)
            else:
                ranges.append((ordinal, 1))
        return self._block(b"".join(parts), ranges, faults, raws, first, position, exact=True)

    def _block(
        self,
        data: bytes,
        ranges: Sequence[tuple[int, int]],
        faults: Sequence[Fault],
        raws: Sequence[bytes],
        first: int,
        position: int,
        *,
        exact: bool,
    ) -> Block:
        return Block(
            data=data,
            rows=sum(count for _, count in ranges),
            ordinals=tuple(ranges),
            first_ordinal=first,
            count=len(raws),
            first_line=self._corrections.lines[first],
            offset=0,
            length=len(data),
            faults=tuple(faults),
            position=position,
            exact=exact,
        )

    def _record(self, ordinal: int, raw: bytes) -> bytes | Fault:
        """The record as the block holds it, or the fault that it is."""
        line = self._corrections.lines[ordinal]
        if (verdict := self._refused.get(ordinal)) is not None:
            return Fault(ordinal, line, raw, verdict)
        if ordinal in self._corrections.unclear and (left := _PLACEHOLDER.search(raw)):
            message = f"{left.group().decode()} stands for a byte that could not be read and is still there"
            return _fault(ordinal, line, raw, BAD_ENCODING, message)
        try:
            block = block_of(raw + b"\n", self._corrections.dialect, self._columns, ordinal, line)
        except LineTooLong:
            return _fault(ordinal, line, raw, BAD_FORMAT, "record is longer than 32 MiB")
        if block.count != 1:
            what = f"holds {block.count} records instead of one" if block.count else "is empty"
            return _fault(ordinal, line, raw, BAD_FORMAT, f"the corrected record {what}")
        return block.faults[0] if block.faults else block.data


def _fault(ordinal: int, line: int, raw: bytes, sqlstate: str, message: str) -> Fault:
    return Fault(ordinal, line, raw, Verdict(RejectKind.STRUCTURE, sqlstate=sqlstate, message=message))
