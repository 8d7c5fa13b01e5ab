"""A file as a sequence of blocks: faultless records for DuckDB, faults by name, ordinals and lines of both.

Ordinals number the records of a file from 0, faulty ones included; a header and blank lines have none.
Lines are physical and count from 1, header and blank lines included. A block ends where a record ends.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pgsluice.errors import FileError
from pgsluice.model import Dialect, SourceFile
from pgsluice.source.records.fast_scan import clean, with_lf
from pgsluice.source.records.rules import LineTooLong, Record, Run
from pgsluice.source.records.walker import Walker, scan
from pgsluice.source.streams import BOM, open_decoded


class Fault(NamedTuple):
    """A record that is none: what PostgreSQL would have said, and its bytes without the newline."""

    ordinal: int
    line: int
    sqlstate: str
    message: str
    raw: bytes
    kind: str = "structure"
    column: str = ""
    constraint: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring records of a file.

    ``data`` holds the faultless ones: each ended by LF, whatever the file has; quoted as the file has them,
    but what DuckDB would not read as it is becomes a quoted field: an unquoted one that holds a quote, or
    begins the block with a BOM, or is a blank line that means the empty string.
    """

    data: bytes
    rows: int
    """Records in ``data``."""
    ordinals: tuple[tuple[int, int], ...]
    """Theirs: runs of (first, count), ascending."""
    first_ordinal: int
    count: int
    """All records of the block, faulty ones included."""
    first_line: int
    offset: int
    """Where the block begins in the decoded stream."""
    length: int
    faults: tuple[Fault, ...]
    position: int
    """Bytes of the file on disk consumed so far."""
    exact: bool
    """Every record was looked at. Otherwise only the sum of fields is known: see :func:`recheck`."""
    crc: int = 0
    """Of the bytes of the decoded stream."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What to keep of a block in order to find its records again."""

    first_ordinal: int
    count: int
    first_line: int
    offset: int
    length: int
    crc: int | None = None
    """None: it was written down by a version that did not know it."""


def extent(block: Block) -> Extent:
    return Extent(block.first_ordinal, block.count, block.first_line, block.offset, block.length, block.crc)


# The first block is small, so that the server has something to do while the others are read; each of the
# next is twice as large, up to the usual size.
_FIRST_BYTES = 1 << 20


class BlockReader:
    """Reads a file once, from its beginning. Holds a block and what is left over from the one before.

    :param columns: names for the fields of a record, in order; their number is how many there must be.
    :param block_bytes: how much to read at a time, in the end; a block grows beyond it only for a longer record.
    """

    def __init__(self, file: SourceFile, columns: Sequence[str], block_bytes: int = 8 << 20) -> None:
        self._file = file
        self._columns = tuple(columns)
        self._most_bytes = block_bytes
        self._block_bytes = min(block_bytes, _FIRST_BYTES)
        self._stream = open_decoded(file.path, file.dialect.encoding)
        self._buffer = b""
        self._at_end = False

    @property
    def sha256(self) -> str:
        """Hex digest of the file as it is on disk; whole once all blocks have been taken."""
        return self._stream.sha256()

    def close(self) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[Block]:
        """The blocks that hold any record.

        :raises FileError: the file is corrupt, has a faulty header, or a line longer than 32 MiB.
        """
        try:
            yield from self._blocks()
        except LineTooLong as error:
            raise FileError(
                f"{self._file.path}: line {error.line} is longer than 32 MiB",
                "Check that this is a CSV file and that its lines end with LF or CRLF",
            ) from error

    def _more(self) -> None:
        # At least as much as there is: a long record must not be looked at once for every small block.
        size = max(self._block_bytes, len(self._buffer))
        data = self._stream.read(size)
        self._at_end = len(data) < size
        self._buffer = self._buffer + data if self._buffer else data

    def _blocks(self) -> Iterator[Block]:
        import numpy as np

        offset, line = self._skip_header() if self._file.dialect.header else (0, 1)
        ordinal = 0
        while True:
            if len(self._buffer) < self._block_bytes and not self._at_end:
                self._more()
            if not self._buffer:
                if self._at_end:
                    return
                continue
            block = self._block(ordinal, line, offset)
            if not block.length:
                self._more()
                continue
            block = replace(block, crc=zlib.crc32(memoryview(self._buffer)[: block.length]))
            ordinal += block.count
            offset += block.length
            line += int(np.count_nonzero(np.frombuffer(self._buffer, np.uint8, block.length) == 10))
            self._buffer = self._buffer[block.length :]
            self._block_bytes = min(self._most_bytes, 2 * self._block_bytes)
            if block.count:
                yield block

    def _skip_header(self) -> tuple[int, int]:
        """Drops the header from the buffer. :return: offset and line of what follows."""
        while True:
            self._more()
            header = next(scan(self._buffer, self._file.dialect, fields=None, at_end=self._at_end), None)
            if header is not None:
                if header.fault:
                    raise header_fault(self._file.path, header)
                line = 1 + self._buffer.count(b"\n", 0, header.next)
                self._buffer = self._buffer[header.next :]
                return header.next, line
            if self._at_end:
                self._buffer = b""
                return 0, 1

    def _block(self, ordinal: int, line: int, offset: int) -> Block:
        """The block that the buffer begins with; of length 0 when its first record is incomplete."""
        buffer, dialect = self._buffer, self._file.dialect
        # A missing newline at the file's end is not worth the exact scanner.
        ended = buffer + b"\n" if self._at_end and not buffer.endswith((b"\n", b"\r")) else buffer
        # DuckDB drops a BOM, wherever in the file the block comes from.
        verdict = None if buffer.startswith(BOM) else clean(ended, dialect, len(self._columns))
        position = self._stream.position
        # An incomplete record at the file's end is a fault.
        if verdict is not None and not (self._at_end and verdict.cut < len(ended)):
            rows = int(verdict.ends.size)
            return Block(
                data=verdict.data,
                rows=rows,
                ordinals=((ordinal, rows),),
                first_ordinal=ordinal,
                count=rows,
                first_line=line,
                offset=offset,
                length=min(verdict.cut, len(buffer)),
                faults=(),
                position=position,
                exact=False,
            )
        return _exact(buffer, dialect, self._columns, ordinal, line, offset, position, self._at_end)


def recheck(block: Block, dialect: Dialect, columns: Sequence[str]) -> Block:
    """The same block after a look at every record: those with too few or too many fields become faults.

    :param columns: as for the :class:`BlockReader` that the block is from.
    :return: the block itself when it is ``exact`` already.
    """
    if block.exact:
        return block
    first, line, offset = block.first_ordinal, block.first_line, block.offset
    again = _exact(block.data, dialect, columns, first, line, offset, block.position, at_end=True)
    # The data may be shorter than the block was in the file: CRLF became LF.
    return replace(again, length=block.length, crc=block.crc)


def block_of(data: bytes, dialect: Dialect, columns: Sequence[str], ordinal: int, line: int) -> Block:
    """A block of records that come from elsewhere than a file; every one of them is looked at."""
    return _exact(data, dialect, columns, ordinal, line, 0, len(data), at_end=True)


def _exact(
    buffer: bytes,
    dialect: Dialect,
    columns: Sequence[str],
    ordinal: int,
    line: int,
    offset: int,
    position: int,
    at_end: bool,
) -> Block:
    first = ordinal
    parts: list[bytes] = []
    faults: list[Fault] = []
    runs: list[tuple[int, int]] = []
    begin, end = first, first  # the run that is growing
    walker = Walker(buffer, dialect, len(columns), columns, at_end)
    for span in walker.spans(line):
        if isinstance(span, Record) and span.fault:
            sqlstate, message = span.fault
            faults.append(Fault(ordinal, span.line, sqlstate, message, buffer[span.start : span.end]))
            if end > begin:
                runs.append((begin, end - begin))
            ordinal += 1
            begin = end = ordinal
            continue
        parts.append(_text(buffer, span, dialect, first=not parts))
        ordinal += 1 if isinstance(span, Record) else span.count
        end = ordinal
    if end > begin:
        runs.append((begin, end - begin))
    return Block(
        data=with_lf(b"".join(parts), dialect),
        rows=sum(count for _, count in runs),
        ordinals=tuple(runs),
        first_ordinal=first,
        count=ordinal - first,
        first_line=line,
        offset=offset,
        length=len(buffer) if at_end else walker.consumed,
        faults=tuple(faults),
        position=position,
        exact=True,
    )


def _text(buffer: bytes, span: Run | Record, dialect: Dialect, *, first: bool) -> bytes:
    """Faultless records as they go into a block."""
    bom = first and buffer.startswith(BOM, span.start)
    if isinstance(span, Record):
        if span.rewrite or bom:
            return _rewritten(span, dialect, bom or span.start == span.end)
        return buffer[span.start : span.end] + b"\n"
    text = buffer[span.start : span.next]
    if bom:
        head = next(scan(text, dialect, fields=None))
        text = _rewritten(head, dialect, bom) + text[head.next :]
    return text


def _rewritten(record: Record, dialect: Dialect, first: bool) -> bytes:
    """The record with its unquoted fields quoted where they hold a quote, and the ``first`` in any case."""
    quote = dialect.quote.encode()
    fields = (
        quote + value.replace(quote, quote * 2) + quote if quoted or quote in value or (first and i == 0) else value
        for i, (value, quoted) in enumerate(record.fields)
    )
    return dialect.delimiter.encode().join(fields) + b"\n"


def header_fault(path: str, header: Record) -> FileError:
    """The error for a header that is no record."""
    assert header.fault is not None
    message = header.fault[1]
    remedy = "Correct the header"
    if "byte sequence" in message:
        remedy = "Name the file's encoding with --encoding"
    elif "carriage return" in message:
        remedy = "Make its lines end with LF or CRLF"
    return FileError(f"{path}: the header (line {header.line}) cannot be read: {message}", remedy)
