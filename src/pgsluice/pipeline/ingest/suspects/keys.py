"""Keys of a unique index that earlier rows of the load have, remembered in a bounded memory.

The memory is a Bloom filter: a key that was seen is always found, and a few keys that were not seen are found as well.
Such a row is held out of the frozen COPY without need, and PostgreSQL accepts the row later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgsluice.source.typed.type_rules import INTEGERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_PLACES_A_ROW = 16
_LEAST, _MOST = 1 << 20, 1 << 29
"""Bounds of the bits of the filter: 128 kB and 64 MB. The bytes of the filter are a sixteenth as many."""

_FACTOR = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: multiplication by this number spreads neighbouring numbers (Fibonacci hashing)."""


class SeenKeys:
    """The keys of one unique index that were seen.

    A key has two places: a bit at its number itself, and a byte at a hash of the number. The bits of neighbouring
    numbers are neighbours, so the numbers of a sequence touch little memory and never collide. The bytes tell apart
    numbers that share a bit.
    """

    def __init__(self, rows: int) -> None:
        """:param rows: about how many rows will come."""
        import numpy as np

        places = _LEAST
        while places < min(_MOST, rows * _PLACES_A_ROW):
            places *= 2
        self._mask = np.uint64(places - 1)
        self._bits = np.zeros(places // 8, np.uint8)
        self._shift = np.uint64(64 - (places // 16 - 1).bit_length())
        self._bytes = np.zeros(places // 16, bool)

    def add(self, keys: Any) -> Any:
        """Adds the keys of a block.

        :param keys: a number for each key, as a numpy array of uint64; equal keys have equal numbers.
        :returns: which of the rows may have the key of an earlier row, as a numpy array of booleans.
        """
        import numpy as np

        if not len(keys):
            return np.zeros(0, bool)
        place, hashed = keys & self._mask, (keys * np.uint64(_FACTOR)) >> self._shift
        octet, bit = place >> np.uint64(3), np.left_shift(1, place & np.uint64(7)).astype(np.uint8)
        seen = ((self._bits[octet] & bit) != 0) & self._bytes[hashed]
        self._bytes[hashed] = True
        if not (keys[1:] > keys[:-1]).all():
            order = np.argsort(keys, kind="stable")
            ordered = keys[order]
            seen[order[1:][ordered[1:] == ordered[:-1]]] = True
        if not (octet[1:] >= octet[:-1]).all():
            order = np.argsort(octet, kind="stable")
            octet, bit = octet[order], bit[order]
        # The bits of one byte together: numpy's bitwise_or.at takes ten times as long.
        starts = np.concatenate(([0], np.flatnonzero(octet[1:] != octet[:-1]) + 1))
        self._bits[octet[starts]] |= np.bitwise_or.reduceat(bit, starts)
        return seen


def can_number(base: str) -> bool:
    """Whether :func:`numbers` knows the type."""
    return base in INTEGERS or base in {"text", "varchar", "uuid", "date", "timestamp", "timestamptz"}


def numbers(columns: Sequence[pa.Array]) -> tuple[Any, Any]:
    """A number for the key of each row, and which rows have a whole key (no NULL).

    Equal keys have equal numbers. The number of a single integer is the integer itself.
    """
    import numpy as np

    there = np.ones(len(columns[0]), bool)
    for column in columns:
        if column.null_count:
            there &= column.is_valid().to_numpy(zero_copy_only=False)
    found = [_column_numbers(column) for column in columns]
    if len(found) == 1:
        return found[0], there
    mixed = np.zeros(len(columns[0]), np.uint64)
    for one in found:
        mixed = (mixed ^ one) * np.uint64(_FACTOR)
        mixed ^= mixed >> np.uint64(29)
    return mixed, there


def int64_values(column: pa.Array) -> Any:
    """The values of a column of integers, or of a type that is one in memory, as a numpy array of int64; any number
    for NULL.
    """
    import numpy as np

    values = np.frombuffer(column.buffers()[1], f"i{column.type.bit_width // 8}")
    return values[column.offset : column.offset + len(column)].astype(np.int64)


def _column_numbers(column: pa.Array) -> Any:
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _text_numbers(column)
    return int64_values(column).view(np.uint64)


def _text_numbers(column: pa.Array) -> Any:
    """A hash of the bytes of each text: their sum, each byte multiplied by a number for its place."""
    import numpy as np

    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    starts, lengths = places[:-1], np.diff(places)
    if data is None or not lengths.any():
        return lengths.astype(np.uint64)
    octets = np.frombuffer(data, np.uint8)[places[0] : places[-1]]
    within = np.arange(len(octets), dtype=np.int64) - np.repeat(starts - places[0], lengths)
    weights = (within.astype(np.uint64) * np.uint64(2) + np.uint64(1)) * np.uint64(_FACTOR)
    weights ^= weights >> np.uint64(31)
    # Sums wrap around, which is what a hash wants; a sum up to each text gives the sum of each text by subtraction.
    sums = np.zeros(len(octets) + 1, np.uint64)
    np.cumsum((octets.astype(np.uint64) + np.uint64(1)) * weights, out=sums[1:])
    return sums[places[1:] - places[0]] - sums[places[:-1] - places[0]]
