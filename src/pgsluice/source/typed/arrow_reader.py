"""Quick reading: a whole block of CSV becomes typed columns, or nothing does.

:mod:`pgsluice.source.typed` proves each value by itself and sorts the rows; it takes DuckDB three times as long as
this. Here Arrow's CSV reader does the work, which can only say that a block holds something that it does not read. So
the proof is one of types, not of values: below stands for each type what Arrow accepts (value_parsing.h of Arrow, and
converter.cc, which drops blanks around numbers and days) and how it is kept to a part that PostgreSQL's input functions
read as the same value. What they read beyond it ('+5', 'infinity', '1_000', a date day first) makes the block none of
ours: it goes to PostgreSQL as the file has it.

What is read is also what PostgreSQL *accepts* in a column of this type: lengths, the range of a numeric, labels of an
enum and NOT NULL are asked here too. Of JSON and of domains they are not: it is for the functions that receive binary
values to ask, as those do that read text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pgsluice.model import Column, Dialect
from pgsluice.source.blocks import Block

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Octets = NDArray[np.uint8]
    Finish = Callable[[pa.Array], pa.Array]


# A plain decimal of this length neither over- nor underflows, and both sides round it correctly (fast_float here,
# strtod there): the bound of typed.py's rule.
_FLOAT_LENGTH = 24


# Of a decimal128.
_DIGITS = 38


# 0001-01-01 in days and microseconds of the Unix era. Arrow reads the year 0000, which PostgreSQL has not.
_FIRST_DAY = -719162


_FIRST_MICROSECOND = _FIRST_DAY * 86_400_000_000


# Words that both read; boolin() takes more.
_TRUE = ["t", "true", "T", "TRUE", "True", "1", "yes", "on"]


_FALSE = ["f", "false", "F", "FALSE", "False", "0", "no", "off"]


_STRINGS = frozenset({"text", "varchar", "bpchar", "json", "jsonb"})


_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})


_TYPES = _STRINGS | _NUMBERS | {"bool", "date", "time", "timestamp", "timestamptz", "uuid"}


class _Uncertain(Exception):
    """The block holds a value that Arrow and PostgreSQL may read differently."""


class ArrowReader:
    """Reads blocks of one file whose fields are, in order, those of ``columns``.

    ``possible`` says whether the types allow it at all; nothing is imported before the first block.
    """

    def __init__(self, columns: Sequence[Column], dialect: Dialect, *, utc: bool) -> None:
        """:param utc: the session's TimeZone is UTC, so that a timestamptz without a zone is the same instant there."""
        self._columns = tuple(columns)
        self._dialect = dialect
        self._utc = utc
        self.possible = all(map(_possible, columns))
        self._finish: tuple[Finish | None, ...] = ()
        self._types: dict[str, pa.DataType] = {}
        self._integers = any(c.base in {"int2", "int4", "int8"} for c in columns)

    def read(self, block: Block) -> pa.RecordBatch | None:
        """The block's records in typed columns; None when it holds any value that is not certain."""
        import pyarrow as pa

        if self._integers and _has_hexadecimal(block.data):
            return None
        if not self._types:
            self._types, self._finish = self._plan()
        try:
            table = self._parse(block.data)
            if table.num_rows != block.rows:
                return None
            arrays = map(_one, table.columns)
            done = [a if finish is None else finish(a) for a, finish in zip(arrays, self._finish, strict=True)]
            for array, column in zip(done, self._columns, strict=True):
                _require(not (column.not_null and array.null_count))
        except (pa.ArrowInvalid, _Uncertain):
            return None
        return pa.RecordBatch.from_arrays(done, names=list(self._types))

    def _plan(self) -> tuple[dict[str, pa.DataType], tuple[Finish | None, ...]]:
        planned = [_rule(c, self._utc) for c in self._columns]
        return {f"c{i}": kind for i, (kind, _) in enumerate(planned)}, tuple(finish for _, finish in planned)

    def _parse(self, data: bytes) -> pa.Table:
        import pyarrow as pa
        import pyarrow.csv as pc

        d = self._dialect
        quoted = d.quote.encode() in data
        return pc.read_csv(
            pa.BufferReader(data),
            read_options=pc.ReadOptions(use_threads=False, column_names=list(self._types), block_size=len(data) + 1),
            parse_options=pc.ParseOptions(
                delimiter=d.delimiter, quote_char=d.quote if quoted else False, newlines_in_values=quoted
            ),
            convert_options=pc.ConvertOptions(
                column_types=self._types,
                null_values=list(d.null or ("",)),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=_TRUE,
                false_values=_FALSE,
                # Blocks have been looked at.
                check_utf8=False,
            ),
        )


def _has_hexadecimal(data: bytes) -> bool:
    """Whether 0x stands anywhere. Arrow reads hexadecimal integers and cannot be told not to; PostgreSQL reads them
    from version 16 on. (A search for the two bytes takes eight times as long, and holds the interpreter's lock.)
    """
    import numpy as np

    octets = np.frombuffer(data, np.uint8)
    marks = np.flatnonzero((octets | 0x20) == ord("x"))
    return bool((octets[marks[marks > 0] - 1] == ord("0")).any())


def _possible(column: Column) -> bool:
    if column.kind == "e" or (column.kind == "d" and column.labels):
        return True
    if column.base_schema != "pg_catalog":
        return False
    if column.base == "numeric" and column.base_typmod >= 4:
        precision, scale = _numeric(column.base_typmod)
        return scale <= precision <= _DIGITS
    return column.base in _TYPES


def _numeric(modifier: int) -> tuple[int, int]:
    """Precision and scale; a negative scale comes out as a large one (see ``rule_for`` of typed.py)."""
    return (modifier - 4) >> 16, (modifier - 4) & 0x7FF


def _rule(column: Column, utc: bool) -> tuple[pa.DataType, Finish | None]:
    """As what Arrow reads the column, and what is to be made of it."""
    import pyarrow as pa

    text = pa.string()
    if column.kind == "e" or column.labels:
        return text, _labels(column.labels)
    match column.base:
        # Digits behind a minus or none, blanks around; a hexadecimal number is excluded elsewhere.
        case "int2":
            return pa.int16(), None
        case "int4":
            return pa.int32(), None
        case "int8":
            return pa.int64(), None
        case "numeric" if column.base_typmod >= 4:
            return text, _decimal(pa.decimal128(*_numeric(column.base_typmod)))
        case "numeric":
            return text, _scaled
        case "float4":
            return text, _float(pa.float32())
        case "float8":
            return text, _float(pa.float64())
        case "bool":
            return pa.bool_(), None
        # Exactly YYYY-MM-DD of the calendar, which means the same under every DateStyle.
        case "date":
            return pa.date32(), _from_year_one("int32", _FIRST_DAY)
        # hh:mm, hh:mm:ss and up to six decimals; neither hour 24 nor second 60.
        case "time":
            return pa.time64("us"), None
        case "timestamp":
            return text, _instants(zoned=False, utc=True)
        case "timestamptz":
            return text, _instants(zoned=True, utc=utc)
        case "uuid":
            return text, _uuids
        # The limit counts characters. A char takes more if they are blanks; those are for PostgreSQL.
        case "varchar" | "bpchar" if column.base_typmod >= 4:
            return text, _short(column.base_typmod - 4)
    return text, None


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _texts(array: pa.Array) -> tuple[Octets, Any, Any]:
    """Bytes of a string column, and where each value that is not NULL begins and ends in them."""
    import numpy as np

    _, offsets, data = array.buffers()
    places = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    octets = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    starts, ends = places[:-1], places[1:]
    if array.null_count:
        there = array.is_valid().to_numpy(zero_copy_only=False)
        starts, ends = starts[there], ends[there]
    return octets, starts, ends


def _require(condition: Any) -> None:
    if not condition:
        raise _Uncertain


def _plain(octets: Octets, starts: Any, ends: Any) -> None:
    """Nothing but digits, points and signs: no exponent, no hexadecimal, no name of an infinity, no blank.

    Arrow must not see '1e-16383' as a decimal: it ends the process (26.0, decimal128 read or cast; the exponent is an
    index into a table of 39 powers).
    """
    body = octets[starts[0] : ends[-1]]
    # In ASCII: - . / 0 ... 9; the slash is none of ours.
    _require(((body - ord("-")) <= ord("9") - ord("-")).all() and not (body == ord("/")).any())


def _decimal(kind: pa.DataType) -> Finish:
    """More decimals than the scale are an error to Arrow, unless they are zeros. More digits than it has are not: so
    none may have more than are left beside those of the scale.
    """

    def finish(array: pa.Array) -> pa.Array:
        octets, starts, ends = _texts(array)
        if len(starts):
            _plain(octets, starts, ends)
            _require((ends - starts).max() <= _DIGITS - kind.scale)
        values = array.cast(kind)
        # Of the precision.
        values.validate(full=True)
        return values

    return finish


def _scaled(array: pa.Array) -> pa.Array:
    """A numeric without modifier keeps the number of decimals of its text: all values must have as many."""
    import pyarrow as pa

    octets, starts, ends = _texts(array)
    if not len(starts):
        return array.cast(pa.decimal128(18, 0))
    _plain(octets, starts, ends)
    first = bytes(octets[starts[0] : ends[0]])
    scale = len(first) - 1 - first.index(b".") if b"." in first else 0
    if scale:
        _require((ends - starts > scale).all() and (octets[ends - 1 - scale] == ord(".")).all())
    else:
        _require(not (octets[starts[0] : ends[-1]] == ord(".")).any())
    _require((ends - starts).max() <= _DIGITS)
    return array.cast(pa.decimal128(_DIGITS, scale))


def _float(kind: pa.DataType) -> Finish:
    def finish(array: pa.Array) -> pa.Array:
        octets, starts, ends = _texts(array)
        if len(starts):
            _plain(octets, starts, ends)
            _require((ends - starts).max() <= _FLOAT_LENGTH)
        return array.cast(kind)

    return finish


def _labels(labels: Sequence[str]) -> Finish:
    import pyarrow as pa
    import pyarrow.compute as pc

    known = pa.array(labels, pa.string())

    def finish(array: pa.Array) -> pa.Array:
        _require(pc.is_in(array.drop_null(), value_set=known).true_count == len(array) - array.null_count)
        return array

    return finish


def _short(limit: int) -> Finish:
    """Texts of so many characters at most."""
    import numpy as np

    def finish(array: pa.Array) -> pa.Array:
        octets, starts, ends = _texts(array)
        longest = (ends - starts).max() if len(starts) else 0
        _require(longest <= 4 * limit)
        if longest > limit:
            # Bytes that continue a character do not count.
            begun = np.zeros(len(octets) + 1, np.int32)
            np.cumsum((octets & 0xC0) != 0x80, out=begun[1:])
            _require((begun[ends] - begun[starts]).max() <= limit)
        return array

    return finish


def _from_year_one(integers: str, first: int) -> Finish:
    """:param integers: numpy's name of what the values are in memory."""
    import numpy as np

    def finish(array: pa.Array) -> pa.Array:
        early = np.frombuffer(array.buffers()[1], integers)[array.offset : array.offset + len(array)] < first
        if array.null_count:
            early &= array.is_valid().to_numpy(zero_copy_only=False)
        _require(not early.any())
        return array

    return finish


def _instants(*, zoned: bool, utc: bool) -> Finish:
    """Timestamps. Arrow also reads hours without minutes, and offsets from UTC of up to a day.

    :param zoned: a value may say how far from UTC it is; as all others of the block, or none does.
    :param utc: one that says nothing is in UTC.
    """
    import pyarrow as pa

    bounded = _from_year_one("int64", _FIRST_MICROSECOND)

    def finish(array: pa.Array) -> pa.Array:
        octets, starts, ends = _texts(array)
        zone = _zone(octets, ends) if zoned and len(starts) else 0
        _require(zone or utc or not len(starts))
        lengths = ends - starts - zone
        days = lengths == 10
        if not (zone == 0 and days.all()):
            # With a day alone among them, the minutes' place is another value's.
            _require(not days.any() and (lengths >= 16).all() and (octets[starts + 13] == ord(":")).all())
        return bounded(array.cast(pa.timestamp("us", "UTC" if zone else None)))

    return finish


def _zone(octets: Octets, ends: Any) -> int:
    """How long the offset from UTC is at the end of each value: Z, +hh or +hh:mm; 0: there is none.

    Whether all have the one that the first has is for the cast to say, which refuses a mixture of some and none,
    and for the place of the sign.
    """
    last = bytes(octets[max(0, ends[0] - 6) : ends[0]])
    if last.endswith(b"Z"):
        _require((octets[ends - 1] == ord("Z")).all())
        return 1
    length = 3 if last[-3:-2] in {b"+", b"-"} else 6 if last[:1] in {b"+", b"-"} and last[-3:-2] == b":" else 0
    if length:
        sign, tens, units = (octets[ends - length + i] for i in range(3))
        _require(((sign == ord("+")) | (sign == ord("-"))).all())
        # PostgreSQL takes less than 16 hours.
        _require(((tens == ord("0")) | ((tens == ord("1")) & (units < ord("5")))).all())
    return length


def _uuids(array: pa.Array) -> pa.Array:
    """The 16 bytes of each, from 8-4-4-4-12 hexadecimal digits; bytes are what pgpq sends as they are."""
    import numpy as np
    import pyarrow as pa

    octets, starts, ends = _texts(array)
    _require((ends - starts == 36).all())
    count = len(starts)
    body = octets[starts[0] : ends[-1]].reshape(count, 36) if count else np.empty((0, 36), np.uint8)
    hyphens = [8, 13, 18, 23]
    _require((body[:, hyphens] == ord("-")).all())
    digits = _nibbles()[np.delete(body, hyphens, axis=1)]
    _require((digits < 16).all())
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
    """The value of each hexadecimal digit, by its byte; 255 for what is none."""
    import numpy as np

    table = np.full(256, 255, np.uint8)
    for i, digit in enumerate("0123456789abcdef"):
        table[ord(digit)] = table[ord(digit.upper())] = i
    return table
