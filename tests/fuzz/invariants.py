"""Reads a file of any bytes as a load does, and checks what must hold for every file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pgsluice.errors import SluiceError
from pgsluice.model import BLANKS, Dialect, DialectOptions, Format, LineEnds, SourceFile
from pgsluice.source.blocks import BlockReader, Extent, extent, recheck
from pgsluice.source.discover import discover
from pgsluice.source.locate import locate
from pgsluice.source.records.lines import count_lines
from pgsluice.source.records.rules import MAX_RECORD_BYTES, Record
from pgsluice.source.records.spans import scan
from pgsluice.source.streams import open_planned

sys.path.append(str(Path(__file__).parents[1] / "source"))
import csv_oracle

BLOCK_SIZES = (1 << 23, 1 << 16, 97)
"""Bytes of a block. The last is smaller than most files of a fuzzer, so that records cross its end."""

MOST_COLUMNS = 50


Values = tuple[bytes | None, ...]
"""The values of a record; None for NULL."""


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass
class Reading:
    """What one pass over a file finds."""

    records: list[Values]
    """The faultless records, in order."""
    ordinals: list[int]
    """Their ordinals."""
    faults: list[tuple[int, int, bytes, str]]
    """Ordinal, line, raw bytes and message of each fault."""
    extents: list[Extent]
    error: str = ""
    """The error that ended the pass."""


def check(path: Path, options: DialectOptions) -> str:
    """Reads a file with several sizes of blocks, and compares.

    :returns: a word for what happened: refused, empty or read.
    :raises Broken: an invariant does not hold.
    """
    try:
        found = discover([str(path)], options)
    except SluiceError:
        return "refused"
    if not found.files:
        return "empty"
    (file,) = found.files
    columns = file.header if 1 <= len(file.header) <= MOST_COLUMNS else ("a", "b")
    first, *others = (read(file, columns, size) for size in BLOCK_SIZES)
    for size, other in zip(BLOCK_SIZES[1:], others, strict=True):
        _same(f"records in blocks of {size} bytes", first.records, other.records)
        _same(f"ordinals in blocks of {size} bytes", first.ordinals, other.ordinals)
        _same(f"faults in blocks of {size} bytes", first.faults, other.faults)
        _same(f"errors in blocks of {size} bytes", first.error, other.error)
    if first.error:
        return "refused"
    for reading in (first, others[-1]):
        _located(file, columns, reading)
    dialect = file.dialect
    known = Dialect(delimiter=dialect.delimiter, quote=dialect.quote, encoding="utf-8", header=dialect.header)
    if dialect == known and dialect.plain:
        _as_the_oracle(file, columns, first)
    return "read"


def read(file: SourceFile, columns: Sequence[str], block_bytes: int) -> Reading:
    """One pass over a file."""
    reading = Reading([], [], [], [])
    try:
        reader = BlockReader(file, columns, block_bytes)
    except SluiceError as error:
        reading.error = str(error)
        return reading
    expected, line = 0, 0
    try:
        for raw_block in reader:
            block = recheck(raw_block, file.dialect, columns)
            _same("the first ordinal of a block", block.first_ordinal, expected)
            if block.first_line < line:
                raise Broken(f"a block begins on line {block.first_line}, behind line {line}")
            expected, line = expected + block.count, block.first_line
            _same("rows and faults of a block", block.rows + len(block.faults), block.count)
            reading.ordinals += [first + i for first, count in block.ordinals for i in range(count)]
            parsed = [r for r in scan(block.data, file.dialect.in_blocks, fields=len(columns)) if not r.fault]
            _same("rows of a block and records of its data", len(parsed), block.rows)
            reading.records += [_values(r, file) for r in parsed]
            # In blocks of other dialects, lines and bytes of faults are those within the block: see recheck().
            plain = file.dialect.plain
            reading.faults += [
                (f.ordinal, f.line if plain else 0, f.raw if plain else b"", f.verdict.message) for f in block.faults
            ]
            reading.extents.append(extent(raw_block))
    except SluiceError as error:
        reading.error = str(error)
    finally:
        reader.close()
    return reading


def _values(record: Record, file: SourceFile) -> Values:
    """The values of a record. Whether a field is quoted counts only where it makes the difference to NULL."""
    return _null(record.fields, file)


def _null(fields: Sequence[tuple[bytes, bool]], file: SourceFile) -> Values:
    null = [text.encode() for text in file.dialect.null_texts]
    return tuple(None if value in null and not quoted else value for value, quoted in fields)


def _located(file: SourceFile, columns: Sequence[str], reading: Reading) -> None:
    """Checks that the text of every record is found, that the texts cover the file, and that lines are right."""
    with open_planned(file) as stream:
        data = b"".join(iter(lambda: stream.read(1 << 20), b""))
    faults = {ordinal: (line, raw) for ordinal, line, raw, _ in reading.faults}
    values = dict(zip(reading.ordinals, reading.records, strict=True))
    at, ordinal = reading.extents[0].offset if reading.extents else len(data), 0
    wanted = (np.arange(e.first_ordinal, e.first_ordinal + e.count) for e in reading.extents)
    for places in locate(file, columns, reading.extents, wanted):
        raws = places.raws.to_pylist()
        for number, line, raw in zip(places.ordinals.tolist(), places.lines.tolist(), raws, strict=True):
            _same("an ordinal", number, ordinal)
            start = _start(data, at, raw, file)
            # The lines of JSON Lines are those of the file on disk, in which no header stands.
            header = file.form == "json"
            _same(f"the line of record {number}", line + header, count_lines(data, file.dialect, 0, start) + 1)
            at, ordinal = _behind_end(data, start + len(raw)), ordinal + 1
            if number in faults:
                if file.dialect.plain:
                    _same(f"fault {number}", (line, raw), faults[number])
            else:
                again = next(scan(raw or b"\n", file.dialect, fields=len(columns)), None)
                _same(f"the fields of record {number}", again and _values(again, file), values[number])
    if not file.dialect.skip_footer and not _between(data[at:], file):
        raise Broken(f"behind the last record is {data[at:][:80]!r}")
    _same("records found", ordinal, len(values) + len(faults))


def _as_the_oracle(file: SourceFile, columns: Sequence[str], reading: Reading) -> None:
    """Compares with the slow parser of the tests, which knows plain dialects."""
    with open_planned(file) as stream:
        data = b"".join(iter(lambda: stream.read(1 << 20), b""))
    dialect = file.dialect
    marks = {"delimiter": dialect.delimiter.encode(), "quote": dialect.quote.encode()}
    wanted = csv_oracle.parse(data, fields=len(columns), header=dialect.header, limit=MAX_RECORD_BYTES, **marks)
    values = [_null(e.fields, file) for e in wanted if not e.fault]
    _same("records, as the oracle sees them", reading.records, values)
    faults = [(e.ordinal, e.line, data[e.start : e.end]) for e in wanted if e.fault]
    _same("faults, as the oracle sees them", [f[:3] for f in reading.faults], faults)


def _start(data: bytes, at: int, raw: bytes, file: SourceFile) -> int:
    """Where the text of the next record begins; only lines that are no records stand before it.

    :param at: where the last record ended.
    """
    comment = file.dialect.comment.encode()
    start = data.find(raw, at)
    while start >= 0:
        # The text, above all an empty text, may stand in a comment, too.
        begins = start == at or data[start - 1] in b"\r\n"
        if _between(data[at:start], file) and not (comment and (data.startswith(comment, start) or not begins)):
            return start
        start = data.find(raw, start + 1) if comment else -1
    raise Broken(f"record {raw[:80]!r} does not follow {data[at : at + 80]!r}")


def _between(gap: bytes, file: SourceFile) -> bool:
    """Whether these bytes may stand between two records: line ends, blanks where they are no data, comments, and the
    end marker of the text format.
    """
    dialect = file.dialect
    loose = dialect.skip_initial_blanks or dialect.delimiter == BLANKS
    ends = b"[\\r\\n]" if dialect.line_ends is LineEnds.ANY else b"\\n"
    lines = [line.strip(b"\r\n \t" if loose else b"\r\n") for line in re.split(ends, gap)]
    comment = dialect.comment.encode()
    marker = b"\\." if dialect.format is Format.TEXT else None
    return all(not line or (comment and line.startswith(comment)) or line == marker for line in lines)


def _behind_end(data: bytes, at: int) -> int:
    """The position behind the line end at ``at``."""
    return at + 2 if data.startswith(b"\r\n", at) else at + 1


def _same(what: str, one: object, other: object) -> None:
    if one != other:
        if isinstance(one, list) and isinstance(other, list):
            place, pair = next(_differences(one, other))
            raise Broken(f"{what}: number {place} differs: {pair!r}"[:1000])
        raise Broken(f"{what}: {one!r} and {other!r}"[:1000])


def _differences(one: list[object], other: list[object]) -> Iterator[tuple[int, object]]:
    for place in range(max(len(one), len(other))):
        pair = tuple(side[place] if place < len(side) else None for side in (one, other))
        if pair[0] != pair[1]:
            yield place, pair
