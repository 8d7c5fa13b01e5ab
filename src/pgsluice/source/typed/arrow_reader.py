"""The fast typed reader: Arrow's CSV reader converts a whole block into typed columns, or the block is not read.

:class:`~pgsluice.source.typed.duckdb_reader.DuckDBReader` proves each value by itself and divides the rows; it takes
three times as long. Arrow's CSV reader can only report that a block holds some value that Arrow does not read. So the
proof here is a proof for types, not for values. For each type, :func:`_rule` names what Arrow accepts (Arrow's
sources: value_parsing.h, and converter.cc, which drops blanks around numbers and days), and restricts this to the texts
that PostgreSQL's input function reads as the same value. If a block holds a text that only PostgreSQL reads ('+5',
'infinity', '1_000', a date with the day first), the block is not read here and goes to PostgreSQL as the file has it.

A block that is read holds only values that PostgreSQL accepts in columns of these types: lengths, the range of a
numeric, labels of an enum and NOT NULL are checked here too. JSON and the CHECKs of domains are not checked: the
functions that receive binary values check them, as the input functions do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pgsluice.model import Column, Dialect
from pgsluice.source.blocks import Block
from pgsluice.source.typed import arrow_values
from pgsluice.source.typed.arrow_values import DECIMAL_DIGITS, Uncertain, require, texts
from pgsluice.source.typed.type_rules import INTEGERS, NUMBERS, precision_and_scale

if TYPE_CHECKING:
    import pyarrow as pa

    from pgsluice.source.typed.arrow_values import Conversion, Octets


# 0001-01-01 as days and as microseconds since 1970-01-01. Arrow reads the year 0000, which PostgreSQL does not have.
_FIRST_DAY = -719162
_FIRST_MICROSECOND = _FIRST_DAY * 86_400_000_000

# Words that Arrow is told to read as booleans; boolin() reads all of them, and more.
_TRUE = ["t", "true", "T", "TRUE", "True", "1", "yes", "on"]
_FALSE = ["f", "false", "F", "FALSE", "False", "0", "no", "off"]

_STRINGS = frozenset({"text", "varchar", "bpchar", "json", "jsonb"})
_TYPES = _STRINGS | NUMBERS | {"bool", "date", "time", "timestamp", "timestamptz", "uuid"}


class ArrowReader:
    """Reads the blocks of one file. pyarrow is imported when the first block is read.

    :param columns: the target columns of the fields of a record, in order.
    :param utc: the session's TimeZone is UTC, so a timestamptz without an offset is an instant in UTC.
    """

    def __init__(self, columns: Sequence[Column], dialect: Dialect, *, utc: bool) -> None:
        self.columns = tuple(columns)
        self._dialect = dialect.in_blocks
        self._utc = utc
        self.possible = all(map(_possible, columns))
        """Whether the reader knows the types of all columns; otherwise :meth:`read` must not be called."""
        self._conversions: tuple[Conversion | None, ...] = ()
        self._types: dict[str, pa.DataType] = {}
        self._integers = any(c.base in INTEGERS for c in columns)

    def read(self, block: Block) -> pa.RecordBatch | None:
        """The block's records in typed columns; None if any value of the block is not certain."""
        import pyarrow as pa

        try:
            columns = self.parse(block)
            if columns is None or len(columns[0]) != block.rows:
                return None
            done = [self.convert(i, array) for i, array in enumerate(columns)]
            for array, column in zip(done, self.columns, strict=True):
                require(not (column.not_null and array.null_count))
        except (pa.ArrowInvalid, Uncertain):
            return None
        return pa.RecordBatch.from_arrays(done, names=list(self._types))

    def parse(self, block: Block, as_texts: frozenset[int] = frozenset()) -> list[pa.Array] | None:
        """The columns of a block as Arrow's CSV reader makes them; None if Arrow might read a value of another type.

        :param as_texts: positions of columns that are read as texts, whatever their type.
        :raises pa.ArrowInvalid: Arrow does not read a value, or a record has a wrong number of fields.
        """
        import pyarrow as pa

        if self._integers and _may_have_hexadecimal(block.data):
            return None
        if not self._types:
            self._types, self._conversions = self._plan()
        types = {n: pa.string() if i in as_texts else t for i, (n, t) in enumerate(self._types.items())}
        return [_as_array(column) for column in self._parse(block.data, types).columns]

    def convert(self, position: int, array: pa.Array) -> pa.Array:
        """The values of a column as they are sent.

        :param array: the column as :meth:`parse` returns it, or some of its values.
        :raises pa.ArrowInvalid, Uncertain: a value is not certain.
        """
        wanted, conversion = list(self._types.values())[position], self._conversions[position]
        if array.type != wanted:
            array = self._from_texts(array, wanted)
        return array if conversion is None else conversion(array)

    def _from_texts(self, array: pa.Array, wanted: pa.DataType) -> pa.Array:
        """Texts as the CSV reader would read them, for the texts whose shape is plain
        (:mod:`~pgsluice.source.typed.partly.shapes`).
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if not pa.types.is_boolean(wanted):
            return array.cast(wanted)
        true, false = (pc.is_in(array, value_set=pa.array(words)) for words in (_TRUE, _FALSE))
        require(true.true_count + false.true_count == len(array) - array.null_count)
        return pc.if_else(array.is_valid(), true, pa.scalar(None, pa.bool_()))

    def _plan(self) -> tuple[dict[str, pa.DataType], tuple[Conversion | None, ...]]:
        """The type that Arrow reads each column as, by column name, and the conversion that follows."""
        planned = [_rule(c, self._utc) for c in self.columns]
        return {f"c{i}": kind for i, (kind, _) in enumerate(planned)}, tuple(conversion for _, conversion in planned)

    def _parse(self, data: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """Calls Arrow's CSV reader.

        :raises pa.ArrowInvalid: Arrow does not read a value, or a record has a wrong number of fields.
        """
        import pyarrow as pa
        import pyarrow.csv as pc

        d = self._dialect
        quoted = d.quote.encode() in data
        return pc.read_csv(
            pa.BufferReader(data),
            read_options=pc.ReadOptions(use_threads=False, column_names=list(types), block_size=len(data) + 1),
            parse_options=pc.ParseOptions(
                delimiter=d.delimiter, quote_char=d.quote if quoted else False, newlines_in_values=quoted
            ),
            convert_options=pc.ConvertOptions(
                column_types=types,
                null_values=list(d.null_texts),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=_TRUE,
                false_values=_FALSE,
                # A block holds UTF-8 only.
                check_utf8=False,
            ),
        )


def _may_have_hexadecimal(data: bytes) -> bool:
    """Whether ``0x`` or ``0X`` occurs in the block.

    Arrow reads hexadecimal integers, without an option to refuse them; PostgreSQL reads them from version 16 on.
    """
    # A search for the two bytes takes eight times as long and holds the interpreter's lock.
    import numpy as np

    octets = np.frombuffer(data, np.uint8)
    marks = np.flatnonzero((octets | 0x20) == ord("x"))
    return bool((octets[marks[marks > 0] - 1] == ord("0")).any())


def _possible(column: Column) -> bool:
    """Whether :func:`_rule` has a rule for the column."""
    if column.kind == "e" or (column.kind == "d" and column.labels):
        return True
    if column.base_schema != "pg_catalog":
        return False
    if column.base == "numeric" and column.base_typmod >= 4:
        precision, scale = precision_and_scale(column.base_typmod)
        return scale <= precision <= DECIMAL_DIGITS
    return column.base in _TYPES


def _rule(column: Column, utc: bool) -> tuple[pa.DataType, Conversion | None]:
    """The type that Arrow reads a column as, and the conversion that follows; without a conversion Arrow's rules are
    strict enough.
    """
    import pyarrow as pa

    text = pa.string()
    if column.kind == "e" or column.labels:
        return text, arrow_values.labels(column.labels)
    match column.base:
        # Digits, with a minus or without, blanks around; hexadecimal numbers are excluded by _may_have_hexadecimal().
        case "int2":
            return pa.int16(), None
        case "int4":
            return pa.int32(), None
        case "int8":
            return pa.int64(), None
        case "numeric" if column.base_typmod >= 4:
            return text, arrow_values.decimal(pa.decimal128(*precision_and_scale(column.base_typmod)))
        case "numeric":
            return text, arrow_values.scaled
        case "float4":
            return text, arrow_values.floating(pa.float32())
        case "float8":
            return text, arrow_values.floating(pa.float64())
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
            return text, arrow_values.uuids
        # The limit counts characters. PostgreSQL accepts more in a char if they are blanks: such blocks are not read.
        case "varchar" | "bpchar" if column.base_typmod >= 4:
            return text, arrow_values.limited(column.base_typmod - 4)
    return text, None


def _as_array(column: pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _from_year_one(integers: str, first: int) -> Conversion:
    """Checks that no date or instant is before the year 1.

    :param integers: numpy's name of the type that the values have in memory.
    :param first: the beginning of the year 1.
    """
    import numpy as np

    def convert(array: pa.Array) -> pa.Array:
        early = np.frombuffer(array.buffers()[1], integers)[array.offset : array.offset + len(array)] < first
        if array.null_count:
            early &= array.is_valid().to_numpy(zero_copy_only=False)
        require(not early.any())
        return array

    return convert


def _instants(*, zoned: bool, utc: bool) -> Conversion:
    """Converts texts to timestamps. Arrow also reads hours without minutes and offsets of up to a day, which are
    excluded here.

    :param zoned: values may have an offset from UTC: either all values of the block have an offset, or none.
    :param utc: a value without an offset is in UTC.
    """
    import pyarrow as pa

    bounded = _from_year_one("int64", _FIRST_MICROSECOND)

    def convert(array: pa.Array) -> pa.Array:
        octets, starts, ends = texts(array)
        zone = _zone(octets, ends) if zoned and len(starts) else 0
        require(zone or utc or not len(starts))
        lengths = ends - starts - zone
        days = lengths == 10
        if not (zone == 0 and days.all()):
            # Every value must have minutes: in a date alone, the position of the colon would lie in another value.
            require(not days.any() and (lengths >= 16).all() and (octets[starts + 13] == ord(":")).all())
        return bounded(array.cast(pa.timestamp("us", "UTC" if zone else None)))

    return convert


def _zone(octets: Octets, ends: Any) -> int:
    """The length of the offset from UTC at the end of each value: Z, +hh or +hh:mm; 0 if there is no offset.

    The first value decides. That all other values have an offset of the same length is checked by the position of the
    sign, and by the cast, which refuses values with and without an offset together.
    """
    last = bytes(octets[max(0, ends[0] - 6) : ends[0]])
    if last.endswith(b"Z"):
        require((octets[ends - 1] == ord("Z")).all())
        return 1
    length = 3 if last[-3:-2] in {b"+", b"-"} else 6 if last[:1] in {b"+", b"-"} and last[-3:-2] == b":" else 0
    if length:
        sign, tens, units = (octets[ends - length + i] for i in range(3))
        require(((sign == ord("+")) | (sign == ord("-"))).all())
        # PostgreSQL accepts offsets of less than 16 hours.
        require(((tens == ord("0")) | ((tens == ord("1")) & (units < ord("5")))).all())
    return length
