"""Shapes of texts: which texts of a column Arrow surely reads as PostgreSQL does.

A shape is narrower than the rules of :mod:`~pgsluice.source.typed.arrow_values`, which judge all texts of a column at
once. It only finds the rows that keep a column from being read; these rules still have to accept the texts that remain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgsluice.model import Column
from pgsluice.source.typed.type_rules import precision_and_scale

if TYPE_CHECKING:
    import pyarrow as pa

_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?"
_ZONE = r"(Z|[+-](0\d|1[0-4])(:[0-5]\d)?)?"
_UUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

_SHAPES = {
    "int2": r"-?\d{1,18}",
    "int4": r"-?\d{1,18}",
    "int8": r"-?\d{1,18}",
    "numeric": r"-?\d{1,18}(\.\d{1,18})?",
    "float4": r"-?\d{1,12}(\.\d{1,8})?",
    "float8": r"-?\d{1,12}(\.\d{1,8})?",
    "date": _DAY,
    "timestamp": f"{_DAY}([ T]{_TIME})?",
    "timestamptz": f"{_DAY}([ T]{_TIME}{_ZONE})?",
    "uuid": _UUID,
}

_BOUNDS = {"int2": 1 << 15, "int4": 1 << 31}


def fitting(column: Column, texts: pa.Array) -> Any:
    """Which texts of a column have the shape of its type, as a numpy array of booleans. NULL has it."""
    import pyarrow.compute as pc

    if column.kind == "e" or column.labels:
        import pyarrow as pa

        fits = pc.is_in(texts, value_set=pa.array(column.labels, pa.string()))
    elif column.base in ("varchar", "bpchar") and column.base_typmod >= 4:
        fits = pc.less_equal(pc.utf8_length(texts), column.base_typmod - 4)
    elif (shape := _shape(column)) is not None:
        fits = pc.match_substring_regex(texts, f"^({shape})$")
        if column.base in _BOUNDS:
            fits = pc.and_kleene(fits, _within(texts, fits, _BOUNDS[column.base]))
    else:
        fits = pc.is_valid(texts)
    return pc.fill_null(fits, True).to_numpy(zero_copy_only=False)


def _shape(column: Column) -> str | None:
    if column.base == "numeric" and column.base_typmod >= 4:
        precision, scale = precision_and_scale(column.base_typmod)
        if scale >= precision:
            return None
        return rf"-?\d{{1,{precision - scale}}}" + (rf"(\.\d{{1,{scale}}})?" if scale else "")
    return _SHAPES.get(column.base)


def _within(texts: pa.Array, fits: pa.Array, bound: int) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pc.if_else(pc.fill_null(fits, False), texts, pa.scalar(None, pa.string())).cast(pa.int64())
    return pc.and_kleene(pc.greater_equal(values, -bound), pc.less(values, bound))
