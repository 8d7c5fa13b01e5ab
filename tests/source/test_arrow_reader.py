"""What the Arrow reader takes for certain; tests/exactness compares the values with PostgreSQL."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pgsluice.model import Column, Dialect
from pgsluice.source.blocks import block_of
from pgsluice.source.typed.arrow_reader import ArrowReader


def _column(base: str, modifier: int, schema: str = "pg_catalog") -> Column:
    return Column(
        name=base,
        number=1,
        type_sql=base,
        base=base,
        base_schema=schema,
        base_typmod=modifier,
        kind="b",
        not_null=False,
        has_default=False,
        identity="",
        generated="",
    )


def _numeric(precision: int, scale: int) -> int:
    return (precision << 16 | scale) + 4


def _read(base: str, *values: str, modifier: int = -1, utc: bool = False, dialect: Dialect | None = None) -> object:
    """The values of the second column as Arrow's text of them; None when the block is not read."""
    dialect = dialect or Dialect(header=False)
    reader = ArrowReader([_column("int4", -1), _column(base, modifier)], dialect, utc=utc)
    assert reader.possible
    data = "".join(f"{i}{dialect.delimiter}{value}\n" for i, value in enumerate(values)).encode()
    batch = reader.read(block_of(data, dialect, ("a", "b"), 0, 1))
    if batch is None:
        return None
    column = batch.column(1)
    return [str(v) for v in column] if pa.types.is_decimal(column.type) else column.to_pylist()


CERTAIN = [
    ("int2", ["1", "", "-32768"], [1, None, -32768]),
    ("int4", [" 7 ", "007"], [7, 7]),
    ("numeric", ["1.50", "-0.25", ""], ["1.50", "-0.25", "None"]),
    ("numeric", ["", ""], ["None", "None"]),
    ("float8", ["1", "-.5", ""], [1.0, -0.5, None]),
    ("bool", ["t", "False", "1", ""], [True, False, True, None]),
    ("text", ["", '""', "NaN", '"a\nb"'], [None, "", "NaN", "a\nb"]),
]


@pytest.mark.parametrize(("base", "values", "expected"), CERTAIN)
def test_certain(base: str, values: list[str], expected: list[object]) -> None:
    assert _read(base, *values) == expected


UNCERTAIN = [
    ("int4", ["0x1F"]), ("int4", ["1.5"]), ("int4", ["+5"]), ("int4", ["1_000"]), ("int4", ["2147483648"]),
    ("int4", ['""']), ("numeric", ["1.5", "1.50"]), ("numeric", ["1.50", "2"]), ("numeric", ["2", "1.5"]),
    ("numeric", ["1e3"]), ("numeric", ["NaN"]), ("float8", ["1e400"]), ("float8", ["inf"]), ("float8", [" 1"]),
    ("float8", ["1" * 25]), ("date", ["0000-12-31"]), ("date", ["", "0000-12-31"]), ("date", ["01/02/2024"]),
    ("timestamp", ["2024-01-01 11"]), ("timestamp", ["2024-01-01 11:00", "2024-01-01"]),
    ("timestamp", ["2024-01-01 11:00Z"]), ("timestamp", ["0000-12-31 11:00"]),
    ("timestamptz", ["2024-01-01 11:00"]), ("timestamptz", ["2024-01-01"]), ("timestamptz", ["2024-01-01 11+00"]),
    ("timestamptz", ["2024-01-01 11:00+16"]), ("timestamptz", ["2024-01-01 11:00+00", "2024-01-01 11:00+15:30"]),
    ("timestamptz", ["2024-01-01 11:00+00", "2024-01-01 11:00Z"]), ("time", ["24:00"]), ("time", ["11:00:60"]),
    ("uuid", ["a0eebc999c0b4ef8bb6d6bb9bd380a11"]), ("uuid", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g"]),
    ("bool", ["tru"]),
]  # fmt: skip


@pytest.mark.parametrize(("base", "values"), UNCERTAIN)
def test_uncertain(base: str, values: list[str]) -> None:
    assert _read(base, *values) is None


def test_decimals_that_end_or_overflow_arrow_do_not_reach_it() -> None:
    for precision, scale, value in ((10, 2, "1e-16383163"), (38, 38, "2147483648"), (10, 2, "9" * 37)):
        assert _read("numeric", value, modifier=_numeric(precision, scale)) is None
    assert _read("numeric", "1.5", "12", "", modifier=_numeric(10, 2)) == ["1.50", "12.00", "None"]


def test_an_instant_without_a_zone_is_certain_in_utc() -> None:
    assert _read("timestamptz", "2024-01-01 11:00", utc=True) is not None
    assert _read("timestamptz", "2024-01-01 11:00+00", "2024-01-01 11:00", utc=True) is None


def test_the_dialect() -> None:
    dialect = Dialect(delimiter=";", quote="'", header=False, null=("NULL",))
    assert _read("text", "NULL", "'NULL'", "", "'a;b'", dialect=dialect) == [None, "NULL", "", "a;b"]


def test_a_wrong_number_of_fields_is_not_read() -> None:
    reader = ArrowReader([_column("int4", -1)] * 2, Dialect(header=False), utc=True)
    block = block_of(b"1,2\n3,4\n", Dialect(header=False), ("a", "b"), 0, 1)
    assert reader.read(block) is not None
    # As in a block of which only the sum of fields is known.
    object.__setattr__(block, "data", b"1,2,3\n4\n")
    assert reader.read(block) is None


def test_types_that_it_does_not_know() -> None:
    for column in (_column("interval", -1), _column("_int4", -1), _column("citext", -1, "public")):
        assert not ArrowReader([column], Dialect(), utc=True).possible
    assert not ArrowReader([_column("numeric", _numeric(60, 20))], Dialect(), utc=True).possible
