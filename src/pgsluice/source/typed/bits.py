"""Patterns of bytes in whole blocks, one bit for each byte: a quick look at every block of a clean file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW = 1 << 20
"""How many bytes are looked at together: they and what is computed of them fit into the processor's cache."""


def windows(data: bytes, before: int, behind: int) -> Iterator[NDArray[Any]]:
    """The bytes of a block in overlapping pieces: each byte has so many others before and behind it in one of them.

    Line ends stand before the first byte and behind the last.
    """
    import numpy as np

    octets = np.frombuffer(data, np.uint8)
    edge = np.full(max(before, behind), ord("\n"), np.uint8)
    for start in range(0, len(data), _WINDOW):
        window = octets[max(0, start - before) : start + _WINDOW + behind]
        if start == 0:
            window = np.concatenate((edge[:before], window))
        if start + _WINDOW + behind > len(data):
            window = np.concatenate((window, edge))
        yield window


def is_digit(octets: NDArray[Any]) -> NDArray[Any]:
    """Which bytes are digits."""
    found: NDArray[Any] = (octets - ord("0")) < 10
    return found


def as_bits(mask: NDArray[Any]) -> NDArray[Any]:
    """A mask as bits in words of 64."""
    import numpy as np

    packed = np.packbits(mask, bitorder="little")
    return np.concatenate((packed, np.zeros(-len(packed) % 8, np.uint8))).view("<u8")


def at(bits: NDArray[Any], offset: int) -> NDArray[Any]:
    """The bits so many places further on: the bit of each byte tells about the byte behind it by ``offset``."""
    import numpy as np

    if offset > 0:
        moved = bits >> np.uint64(offset)
        moved[:-1] |= bits[1:] << np.uint64(64 - offset)
    else:
        moved = bits << np.uint64(-offset)
        moved[1:] |= bits[:-1] >> np.uint64(64 + offset)
    return moved
