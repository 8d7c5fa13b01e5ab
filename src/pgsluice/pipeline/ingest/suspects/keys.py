"""Keys of a unique index that earlier rows of the load have, remembered in a bounded memory.

The memory is a Bloom filter: a key that was seen is always found, and a few keys that were not seen are found as well.
Such a row is held out of the frozen COPY without need, and PostgreSQL accepts the row later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_BITS_A_ROW = 16
_LEAST_BITS, _MOST_BITS = 1 << 20, 1 << 29
"""Bounds of the filter: 128 kB and 64 MB. With 30 million keys in 64 MB, one new key in a hundred is found."""

_INTEGERS = frozenset({"int2", "int4", "int8"})
_FACTOR = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: multiplication by this number spreads neighbouring numbers (Fibonacci hashing)."""


class SeenKeys:
    """The keys of one unique index that were seen."""

    def __init__(self, rows: int) -> None:
        """:param rows: about how many rows will come."""
        import numpy as np

        bits = _LEAST_BITS
        while bits < min(_MOST_BITS, rows * _BITS_A_ROW):
            bits *= 2
        self._mask = np.uint64(bits - 1)
        self._shift = np.uint64(64 - (bits - 1).bit_length())
        self._seen = np.zeros(bits // 8, np.uint8)

    def add(self, keys: Any) -> Any:
        """Adds the keys of a block.

        :param keys: a number for each key, as a numpy array of uint64; equal keys have equal numbers.
        :returns: which of the rows may have the key of an earlier row, as a numpy array of booleans.
        """
        import numpy as np

        # The first place keeps neighbours together: the numbers of a sequence touch little memory, and never collide.
        places = keys & self._mask, (keys * np.uint64(_FACTOR)) >> self._shift
        bits = [(place >> np.uint64(3), np.left_shift(1, place & np.uint64(7)).astype(np.uint8)) for place in places]
        seen = np.ones(len(keys), bool)
        for octet, bit in bits:
            seen &= (self._seen[octet] & bit) != 0
        for octet, bit in bits:
            np.bitwise_or.at(self._seen, octet, bit)
        if len(keys) > 1 and not (keys[1:] > keys[:-1]).all():
            order = np.argsort(keys, kind="stable")
            ordered = keys[order]
            seen[order[1:][ordered[1:] == ordered[:-1]]] = True
        return seen


def can_number(base: str) -> bool:
    """Whether :func:`numbers` knows the type."""
    return base in _INTEGERS or base in {"text", "varchar", "uuid", "date", "timestamp", "timestamptz"}


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


def _column_numbers(column: pa.Array) -> Any:
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _text_numbers(column)
    width = kind.bit_width // 8
    octets = np.frombuffer(column.buffers()[1], f"i{width}")[column.offset : column.offset + len(column)]
    return octets.astype(np.int64).view(np.uint64)


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
