"""Parquet and JSON Lines as CSV: each value as a text that PostgreSQL's input function reads as the same value.

Every value is quoted, and NULL is an empty field without quotes. So NULL and the empty text stay different, and no
value is taken for NULL. A nested value becomes JSON.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from pgsluice.errors import FileError

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1 << 13
"""How many rows are converted at a time."""

_PIECE_BYTES = 1 << 20


def csv_line(values: Sequence[str | None]) -> str:
    """A record of the CSV that this package makes, with its line end."""
    return ",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in values) + "\n"


# --------------------------------------------------------------------------- Parquet


def parquet_pieces(path: str, file: BinaryIO, progress: Callable[[float], None]) -> Iterator[bytes]:
    """Yields a Parquet file as CSV, with a header.

    :param progress: is told the share of the rows that were read, from 0 to 1.
    :raises FileError: the file is no Parquet file, or a column has a type without a text.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        opened = parquet.ParquetFile(file, pre_buffer=False)
        schema = opened.schema_arrow
        yield csv_line(schema.names).encode()
        options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
        done = 0
        for batch in opened.iter_batches(batch_size=_ROWS):
            texts = [_texts(path, column, field) for column, field in zip(batch.columns, batch.schema, strict=True)]
            buffer = io.BytesIO()
            # Names that repeat are no matter here: the header is written.
            numbered = [str(i) for i in range(len(texts))]
            csv.write_csv(pa.RecordBatch.from_arrays(texts, numbered), buffer, options)
            done += batch.num_rows
            progress(done / max(1, opened.metadata.num_rows))
            yield buffer.getvalue()
    except (pa.ArrowException, OSError) as error:
        raise FileError(
            f"{path}: the Parquet file cannot be read ({str(error).splitlines()[0]})", "Check that the file is whole"
        ) from error


def _texts(path: str, column: pa.Array, field: pa.Field) -> pa.Array:
    """The values of a column as texts."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(column, pa.ExtensionArray):
        if str(column.type).startswith("extension<arrow.uuid"):
            return pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())
        column = column.storage
    kind = column.type
    if types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if types.is_null(kind):
        return column.cast(pa.string())
    if types.is_nested(kind):
        return pa.array([None if v is None else to_json(v) for v in _python(column)], pa.string())
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return pa.array([None if v is None else "\\x" + v.hex() for v in column.to_pylist()], pa.string())
    if types.is_duration(kind):
        return pa.array([None if v is None else _interval(v, kind.unit) for v in column.cast(pa.int64()).to_pylist()])
    if types.is_timestamp(kind) and kind.tz is not None:
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    if types.is_float16(kind):
        column = column.cast(pa.float32())
    try:
        return column.cast(pa.string())
    except pa.ArrowNotImplementedError as error:
        raise FileError(
            f"{path}: column {field.name} has the type {kind}, which has no text here", "Convert the column first"
        ) from error


def _interval(value: int, unit: str) -> str:
    """A duration as PostgreSQL reads an interval, which has microseconds."""
    scale = {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    return f"{decimal.Decimal(value).scaleb(-scale):f} seconds"


def _python(column: pa.Array) -> list[Any]:
    """The values of a nested column as Python has them; maps become dictionaries."""
    import pyarrow as pa

    if pa.types.is_map(column.type):
        return [None if v is None else dict(v) for v in column.to_pylist()]
    return list(column.to_pylist())


# --------------------------------------------------------------------------- JSON


class _Number(str):
    """A number as it is written in a JSON text, so that no digit is lost."""

    __slots__ = ()


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no value of JSON")


_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_constant)


def to_json(value: Any) -> str:
    """A nested value as JSON text: numbers with all digits, times in ISO 8601, bytes in base64."""
    if isinstance(value, _Number):
        return str.__str__(value)
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)}: {to_json(v)}" for k, v in value.items()) + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(to_json, value)) + "]"
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    if isinstance(value, (datetime.date, datetime.time)):
        return json.dumps(value.isoformat())
    if value is None or isinstance(value, (bool, int, float, str)):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(str(value), ensure_ascii=False)


def json_fields(path: str, pieces: Iterator[bytes]) -> tuple[str, ...]:
    """The keys of all objects of a JSON Lines file, in the order in which they appear.

    :raises FileError: a line is no JSON object.
    """
    fields: dict[str, None] = {}
    for number, line in enumerate(_lines(pieces), start=1):
        fields.update(dict.fromkeys(_object(path, number, line)))
    return tuple(fields)


def json_pieces(path: str, pieces: Iterator[bytes], fields: Sequence[str]) -> Iterator[bytes]:
    """Yields a JSON Lines file as CSV, with a header. A key that an object lacks is NULL, as null is.

    :raises FileError: a line is no JSON object, or has a key that is not among the fields.
    """
    parts = [csv_line(fields)]
    size = 0
    known = set(fields)
    for number, line in enumerate(_lines(pieces), start=1):
        found = _object(path, number, line)
        if not known.issuperset(found):
            raise FileError(f"{path}: line {number:,} has another key than before", "Load it again when it is complete")
        parts.append(csv_line([_text(found.get(field)) for field in fields]))
        size += len(line)
        if size > _PIECE_BYTES:
            yield "".join(parts).encode()
            parts, size = [], 0
    yield "".join(parts).encode()


def _text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    if value is True or value is False:
        return "true" if value else "false"
    return to_json(value)


def _object(path: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = _DECODER.decode(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except (ValueError, RecursionError) as error:
        what = "is empty" if not line.strip() else f"is not JSON ({error})"
        raise FileError(
            f"{path}: line {number:,} {what}", "Each line of JSON Lines is an object: correct it"
        ) from error
    if not isinstance(found, dict):
        raise FileError(
            f"{path}: line {number:,} is no JSON object", "Each line of JSON Lines is an object: correct it"
        )
    return found


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a text; an empty line at the end is none."""
    rest: list[bytes] = []
    for piece in pieces:
        first, newline, behind = piece.partition(b"\n")
        rest.append(first)
        if not newline:
            continue
        yield b"".join(rest)
        lines = behind.split(b"\n")
        yield from lines[:-1]
        rest = [lines[-1]]
    if last := b"".join(rest).strip():
        yield last
