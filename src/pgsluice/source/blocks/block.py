"""Blocks: neighbouring records of a file, and where they stand in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pgsluice.source.faults import Fault


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring records of a file.

    ``data`` holds the faultless records in the plain dialect :attr:`pgsluice.model.Dialect.in_blocks`. LF ends each of
    them, whatever the file has. If the file's own dialect is plain, fields are quoted as in the file, except for fields
    that DuckDB would read differently, which become quoted fields: an unquoted field that holds a quote, an unquoted
    field with a BOM at the beginning of the block, and a blank line that means the empty string.
    """

    data: bytes
    rows: int
    """How many records ``data`` holds."""
    ordinals: tuple[tuple[int, int], ...]
    """The ordinals of these records: ranges (first, count), ascending."""
    first_ordinal: int
    count: int
    """How many records the block has, faults included."""
    first_line: int
    offset: int
    """Where the block begins in the decoded stream, in bytes."""
    length: int
    """How long the block is in the decoded stream, in bytes."""
    faults: Sequence[Fault]
    position: int
    """How many bytes of the file on disk have been consumed so far."""
    exact: bool
    """Every record was parsed. Otherwise only the sum of fields is known: see :func:`recheck`."""
    crc: int = 0
    """CRC-32 of the block's bytes in the decoded stream."""
    translated: bool = False
    """The bytes of the faults are in the plain dialect of blocks, and not in that of the file."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a block begins and ends in its file, and the checksum of its bytes: enough to find its records again.

    The fields mean what they mean in :class:`Block`.
    """

    first_ordinal: int
    count: int
    first_line: int
    offset: int
    length: int
    crc: int | None = None
    """None if the version of pgsluice that wrote the extent to the ledger computed no checksum."""


def extent(block: Block) -> Extent:
    """The extent of a block."""
    return Extent(block.first_ordinal, block.count, block.first_line, block.offset, block.length, block.crc)
