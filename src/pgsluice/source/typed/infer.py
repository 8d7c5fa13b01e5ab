"""The type for a column that a table does not have yet, from all values of a field. In doubt it is ``text``."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from pgsluice.model import SourceFile, text_column
from pgsluice.source.blocks import BlockReader
from pgsluice.source.typed.duckdb_reader import DuckDBReader

if TYPE_CHECKING:
    import pyarrow as pa

TEXT = "text"


def _is_date(text: str) -> bool:
    return _parses(datetime.date.fromisoformat, text)


def _is_timestamp(text: str) -> bool:
    return _parses(datetime.datetime.fromisoformat, text)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_TIMESTAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"

_TYPES: Mapping[str, tuple[str, Callable[[str], bool] | None]] = {
    # Zeros in front are part of a number that is a name, of a postcode for example.
    "bigint": (r"-?(0|[1-9][0-9]{0,17})", None),
    "numeric": (r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", None),
    "boolean": (r"true|false|TRUE|FALSE|True|False", None),
    "date": (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", _is_date),
    "timestamp without time zone": (_TIMESTAMP, _is_timestamp),
    "timestamp with time zone": (_TIMESTAMP + r"(Z|[-+][0-9]{2}:[0-9]{2})", _is_timestamp),
}
"""The types in the order in which they are tried: what each value must look like, and what else must be true of it."""


def column_type(files: Iterable[tuple[SourceFile, int]]) -> str:
    """The type of PostgreSQL that all values of a field have.

    :param files: the files with the position of the field in each, from 0.
    :raises FileError: a file cannot be read.
    """
    found = [types_of(file, position) for file, position in files]
    filled = [types for types in found if types is not None]
    common = functools.reduce(frozenset.intersection, filled) if filled else frozenset()
    return next((name for name in _TYPES if name in common), TEXT)


@functools.lru_cache(maxsize=256)
def types_of(file: SourceFile, position: int) -> frozenset[str] | None:
    """The types that all values of a field have; None if the file has no value for it.

    A load plans several times, and reads the file once for all plans.
    """
    names = file.field_names
    reader = DuckDBReader({position: text_column(names[position])}, names, file.dialect, path=file.path, utc=False)
    reader.text_only = True
    left: frozenset[str] | None = None
    with closing(reader), closing(BlockReader(file, names)) as blocks:
        for block in blocks:
            rows = reader.read(block).text
            values = rows.column(0).drop_null() if rows is not None else None
            if values is not None and len(values):
                left = _fitting(values, frozenset(_TYPES) if left is None else left)
            if left is not None and not left:
                break
    return left


def _fitting(values: pa.ChunkedArray, types: frozenset[str]) -> frozenset[str]:
    """Those of the types that all values have."""
    import pyarrow.compute as pc

    found = set()
    for name in types:
        pattern, check = _TYPES[name]
        if not pc.all(pc.match_substring_regex(values, f"^(?:{pattern})$")).as_py():
            continue
        if check is None or all(map(check, pc.unique(values).to_pylist())):
            found.add(name)
    return frozenset(found)
