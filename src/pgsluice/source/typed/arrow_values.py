"""Checks and conversions of the text columns that Arrow reads: numbers, labels, lengths and UUIDs.

A conversion takes the texts of a column and returns the values, or raises :class:`Uncertain` if Arrow and PostgreSQL
may read any of the texts differently. The conversions look at the bytes of all texts at once, with numpy. Dates and
instants are converted in :mod:`~pgsluice.source.typed.arrow_reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Octets = NDArray[np.uint8]
    Conversion = Callable[[pa.Array], pa.Array]


# A plain decimal of at most this length neither overflows nor underflows, and Arrow (fast_float) and PostgreSQL
# (strtod) both round it correctly. The rule of type_rules.py has the same bound.
_FLOAT_LENGTH = 24

DECIMAL_DIGITS = 38
"""The precision of Arrow's decimal128."""


class Uncertain(Exception):
    """The block holds a value that Arrow and PostgreSQL may read differently."""


def texts(array: pa.Array) -> tuple[Octets, Any, Any]:
    """The bytes of a string column, and where each text that is not NULL begins and ends in these bytes."""
    import numpy as np

    _, offsets, data = array.buffers()
    places = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    octets = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    starts, ends = places[:-1], places[1:]
    if array.null_count:
        there = array.is_valid().to_numpy(zero_copy_only=False)
        starts, ends = starts[there], ends[there]
    return octets, starts, ends


def require(condition: Any) -> None:
    """Raises :class:`Uncertain` unless the condition is true."""
    if not condition:
        raise Uncertain


def _plain(octets: Octets, starts: Any, ends: Any) -> None:
    """Checks that texts hold digits, points and minus signs only: no exponent, hexadecimal, name of an infinity, blank.

    Arrow must not read '1e-16383' as a decimal: it ends the process (Arrow 26.0, decimal128, when parsing and when
    casting; the exponent is an index into a table of 39 powers).
    """
    body = octets[starts[0] : ends[-1]]
    # In ASCII these characters are neighbours: - . / 0 ... 9. The slash is excluded by itself.
    require(((body - ord("-")) <= ord("9") - ord("-")).all() and not (body == ord("/")).any())


def decimal(kind: pa.DataType) -> Conversion:
    """Converts texts to a decimal type with a modifier.

    Arrow refuses more decimals than the scale, unless they are zeros. Arrow does not notice more digits than a
    decimal128 has, so no text may be longer than the digits that the scale leaves.
    """

    def convert(array: pa.Array) -> pa.Array:
        octets, starts, ends = texts(array)
        if len(starts):
            _plain(octets, starts, ends)
            require((ends - starts).max() <= DECIMAL_DIGITS - kind.scale)
        values = array.cast(kind)
        # The cast does not check the precision.
        values.validate(full=True)
        return values

    return convert


def scaled(array: pa.Array) -> pa.Array:
    """Converts texts to a numeric without modifier.

    Such a numeric keeps the number of decimals of its text, so all texts must have the same number.
    """
    import pyarrow as pa

    octets, starts, ends = texts(array)
    if not len(starts):
        return array.cast(pa.decimal128(18, 0))
    _plain(octets, starts, ends)
    first = bytes(octets[starts[0] : ends[0]])
    scale = len(first) - 1 - first.index(b".") if b"." in first else 0
    if scale:
        require((ends - starts > scale).all() and (octets[ends - 1 - scale] == ord(".")).all())
    else:
        require(not (octets[starts[0] : ends[-1]] == ord(".")).any())
    require((ends - starts).max() <= DECIMAL_DIGITS)
    return array.cast(pa.decimal128(DECIMAL_DIGITS, scale))


def floating(kind: pa.DataType) -> Conversion:
    """Converts texts to a floating-point type."""

    def convert(array: pa.Array) -> pa.Array:
        octets, starts, ends = texts(array)
        if len(starts):
            _plain(octets, starts, ends)
            require((ends - starts).max() <= _FLOAT_LENGTH)
        return array.cast(kind)

    return convert


def labels(known: Sequence[str]) -> Conversion:
    """Checks that every text is a label of an enum.

    :param known: the labels.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    value_set = pa.array(known, pa.string())

    def convert(array: pa.Array) -> pa.Array:
        require(pc.is_in(array.drop_null(), value_set=value_set).true_count == len(array) - array.null_count)
        return array

    return convert


def limited(limit: int) -> Conversion:
    """Checks that no text has more characters than the limit."""
    import numpy as np

    def convert(array: pa.Array) -> pa.Array:
        octets, starts, ends = texts(array)
        longest = (ends - starts).max() if len(starts) else 0
        require(longest <= 4 * limit)
        if longest > limit:
            # A byte 10xxxxxx continues a character of UTF-8 and is not counted.
            begun = np.zeros(len(octets) + 1, np.int32)
            np.cumsum((octets & 0xC0) != 0x80, out=begun[1:])
            require((begun[ends] - begun[starts]).max() <= limit)
        return array

    return convert


def uuids(array: pa.Array) -> pa.Array:
    """Converts texts of 8-4-4-4-12 hexadecimal digits to binary values of 16 bytes, which pgpq sends unchanged."""
    import numpy as np
    import pyarrow as pa

    octets, starts, ends = texts(array)
    require((ends - starts == 36).all())
    count = len(starts)
    body = octets[starts[0] : ends[-1]].reshape(count, 36) if count else np.empty((0, 36), np.uint8)
    hyphens = [8, 13, 18, 23]
    require((body[:, hyphens] == ord("-")).all())
    digits = _nibbles()[np.delete(body, hyphens, axis=1)]
    require((digits < 16).all())
    raw = (digits[:, 0::2] << 4) | digits[:, 1::2]
    values = pa.Array.from_buffers(
        pa.binary(),
        count,
        [None, pa.py_buffer(np.arange(0, 16 * count + 1, 16, dtype=np.int32)), pa.py_buffer(raw.tobytes())],
    )
    if not array.null_count:
        return values
    places = np.cumsum(array.is_valid().to_numpy(zero_copy_only=False)) - 1
    return values.take(pa.array(places, mask=array.is_null().to_numpy(zero_copy_only=False)))


@lru_cache
def _nibbles() -> Octets:
    """A table of the values of hexadecimal digits, by their ASCII codes; 255 for any other byte."""
    import numpy as np

    table = np.full(256, 255, np.uint8)
    for i, digit in enumerate("0123456789abcdef"):
        table[ord(digit)] = table[ord(digit.upper())] = i
    return table
