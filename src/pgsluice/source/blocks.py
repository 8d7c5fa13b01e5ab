"""A file as a sequence of blocks: faultless records for the readers, faults, and the ordinals and lines of all records.

Ordinals number the records of a file from 0, faults included; a header and blank lines have none.
Lines are physical and count from 1, header and blank lines included. A block ends where a record ends.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pgsluice.errors import FileError
from pgsluice.model import Dialect, SourceFile
from pgsluice.source.faults import Fault as Fault
from pgsluice.source.faults import Faults, NotCsv, QuoteFaults
from pgsluice.source.identity import PLANNED, changed
from pgsluice.source.records.fast_scan import clean_prefix, with_lf
from pgsluice.source.records.rules import LF, MAX_RECORD_BYTES, TOO_MANY, CleanSpan, LineTooLong, Record
from pgsluice.source.records.walker import Walker, behind_blank_lines, scan
from pgsluice.source.streams import BOM, open_planned


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring records of a file.

    ``data`` holds the faultless records. LF ends each of them, whatever the file has. Fields are quoted as in the file,
    except for fields that DuckDB would read differently, which become quoted fields: an unquoted field that holds a
    quote, an unquoted field with a BOM at the beginning of the block, and a blank line that means the empty string.
    """

    data: bytes
    rows: int
    """How many records ``data`` holds."""
    ordinals: tuple[tuple[int, int], ...]
    """The ordinals of these records: ranges (first, count), ascending."""
    first_ordinal: int
    count: int
    """How many records the block has, faults included."""
    first_line: int
    offset: int
    """Where the block begins in the decoded stream, in bytes."""
    length: int
    """How long the block is in the decoded stream, in bytes."""
    faults: Sequence[Fault]
    position: int
    """How many bytes of the file on disk have been consumed so far."""
    exact: bool
    """Every record was parsed. Otherwise only the sum of fields is known: see :func:`recheck`."""
    crc: int = 0
    """CRC-32 of the block's bytes in the decoded stream."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a block begins and ends in its file, and the checksum of its bytes: enough to find its records again.

    The fields mean what they mean in :class:`Block`.
    """

    first_ordinal: int
    count: int
    first_line: int
    offset: int
    length: int
    crc: int | None = None
    """None if the version of pgsluice that wrote the extent to the ledger computed no checksum."""


def extent(block: Block) -> Extent:
    """The extent of a block."""
    return Extent(block.first_ordinal, block.count, block.first_line, block.offset, block.length, block.crc)


_MOST_RECORDS = 1 << 19
"""How many records a block holds at most. Records of a few bytes take many times their bytes once they are parsed."""

_MOST_PARTS = 1 << 17
"""How many faults, and runs of faultless records between them, a block holds at most when it is parsed exactly."""

_LEAST_BYTES = 1 << 16
"""The least size of a window of the buffer that is searched for a block."""

_FIRST_BYTES = 1 << 20
"""Size of the first block. It is small, so that the server has work while the next blocks are read; each further
block is twice as large as the block before, up to the usual size."""


class BlockReader:
    """Reads a file once, from its beginning. The reader holds one block and the rest of the bytes read with it.

    :param columns: names for the fields of a record, in order; their number is how many fields a record must have.
    :param block_bytes: how many bytes to read at a time, after the first blocks; a block becomes larger only for a
        longer record.
    :raises FileError: the file is missing or unreadable, or has changed since it was planned.
    """

    def __init__(self, file: SourceFile, columns: Sequence[str], block_bytes: int = 8 << 20) -> None:
        self._file = file
        self._columns = tuple(columns)
        self._most_bytes = block_bytes
        self._block_bytes = min(block_bytes, _FIRST_BYTES)
        self._stream = open_planned(file)
        self._buffer = b""
        self._at_end = False
        self._quote_faults = QuoteFaults()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes read from disk so far, in hexadecimal; of the whole file after the last block."""
        return self._stream.sha256()

    @property
    def nuls(self) -> int:
        """How many NUL characters were removed so far."""
        return self._stream.nuls

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def __iter__(self) -> Iterator[Block]:
        """Yields the blocks that hold a record.

        :raises FileError: the file has changed since it was planned, is corrupt, its header is a fault, a line is
            longer than 32 MiB, or the quotes of too many records in a row do not pair.
        """
        try:
            yield from self._blocks()
        except LineTooLong as error:
            self._stream.check()
            raise FileError(
                f"{self._file.path}: line {error.line} is longer than 32 MiB",
                "Check that this is a CSV file and that its lines end with LF or CRLF",
            ) from error
        except NotCsv as error:
            raise FileError(
                f"{self._file.path}: the quotes of more than {error.count:,} records in a row do not pair, from line"
                f" {error.line} on",
                "Check that this is a CSV file. If another character than"
                f" {self._file.dialect.quote} encloses its fields, name it with --quote",
            ) from error

    def _more(self) -> None:
        # At least as much as the buffer holds: a long record must not be parsed again for every small block.
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
            window, at_end = self._window()
            block = self._block(window, at_end, ordinal, line, offset)
            if not block.length:
                if len(window) < len(self._buffer):
                    self._block_bytes *= 2
                else:
                    self._more()
                continue
            block = replace(block, crc=zlib.crc32(memoryview(window)[: block.length]))
            ordinal += block.count
            offset += block.length
            line += int(np.count_nonzero(np.frombuffer(window, np.uint8, block.length) == LF))
            self._buffer = self._buffer[block.length :]
            self._block_bytes = min(self._most_bytes, 2 * self._block_bytes)
            if block.length < len(window) // 2:
                # The block has as many records as a block may have. The next window need not hold many more.
                self._block_bytes = min(self._block_bytes, max(_LEAST_BYTES, block.length))
            if block.count:
                yield block

    def _window(self) -> tuple[bytes, bool]:
        """The part of the buffer that becomes the next block, and whether the file ends with this part."""
        if len(self._buffer) < 2 * self._block_bytes:
            return self._buffer, self._at_end
        return self._buffer[: self._block_bytes], False

    def _skip_header(self) -> tuple[int, int]:
        """Removes the header from the buffer.

        :returns: the offset and the line of the first byte behind the header.
        :raises FileError: the header is a fault, or is not the header that was planned.
        """
        offset, line = 0, 1
        while True:
            self._more()
            # A file may begin with any number of blank lines.
            blanks = behind_blank_lines(self._buffer)
            header = next(scan(self._buffer, self._file.dialect, fields=None, at_end=self._at_end), None)
            if header is not None and header.fault:
                raise header_fault(self._file.path, header._replace(line=header.line + line - 1))
            behind = blanks if header is None else header.next
            line += self._buffer.count(b"\n", 0, behind)
            offset += behind
            self._buffer = b"" if header is None and self._at_end else self._buffer[behind:]
            if header is not None or self._at_end:
                fields = () if header is None else header.fields
                self._check_header(tuple(value.decode() for value, _ in fields))
                return offset, line

    def _check_header(self, header: tuple[str, ...]) -> None:
        """Checks that the header is the planned header: its fields decide which values go into which columns."""
        if self._file.identity is not None and header != self._file.header:
            before, now = (",".join(fields) for fields in (self._file.header, header))
            raise changed(self._file.path, PLANNED, f"its header was {before}, now {now}")

    def _block(self, buffer: bytes, at_end: bool, ordinal: int, line: int, offset: int) -> Block:
        """The block at the beginning of a buffer; its length is 0 if its first record is incomplete.

        :param at_end: the file ends with the buffer.
        """
        dialect = self._file.dialect
        # A missing newline at the file's end alone must not cost an exact scan.
        unended = at_end and len(buffer) < MAX_RECORD_BYTES and not buffer.endswith((b"\n", b"\r"))
        ended = buffer + b"\n" if unended else buffer
        # DuckDB removes a BOM at the beginning of any block, not only of the file's first block.
        prefix = None if buffer.startswith(BOM) else clean_prefix(ended, dialect, len(self._columns), _MOST_RECORDS)
        position = self._stream.position
        # An incomplete record at the file's end is a fault.
        if prefix is not None and not (at_end and prefix.whole and prefix.cut < len(ended)):
            self._quote_faults.add(line, None)
            rows = int(prefix.ends.size)
            return Block(
                data=prefix.data,
                rows=rows,
                ordinals=((ordinal, rows),),
                first_ordinal=ordinal,
                count=rows,
                first_line=line,
                offset=offset,
                length=min(prefix.cut, len(buffer)),
                faults=(),
                position=position,
                exact=False,
            )
        return _exact(buffer, dialect, self._columns, ordinal, line, offset, position, at_end, self._quote_faults)


def recheck(block: Block, dialect: Dialect, columns: Sequence[str]) -> Block:
    """Parses every record of a block, so that records with too few or too many fields become faults.

    :param columns: those of the :class:`BlockReader` that made the block.
    :returns: the same block with all its faults; the block itself if it is ``exact`` already.
    """
    if block.exact:
        return block
    first, line, offset = block.first_ordinal, block.first_line, block.offset
    again = _exact(block.data, dialect, columns, first, line, offset, block.position, at_end=True)
    # The data may be shorter than the block was in the file: CRLF became LF.
    return replace(again, length=block.length, crc=block.crc)


def block_of(data: bytes, dialect: Dialect, columns: Sequence[str], ordinal: int, line: int) -> Block:
    """A block of records that do not come from a file; every record is parsed.

    :param data: the records.
    :param columns: names for the fields of a record, in order.
    :param ordinal: the ordinal of the first record.
    :param line: the line of the first record.
    :raises LineTooLong: a line is longer than 32 MiB.
    """
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
    quote_faults: QuoteFaults | None = None,
) -> Block:
    """The block that holds all complete records of a buffer; every record is parsed.

    :param position: how many bytes of the file on disk have been consumed.
    :param at_end: the file ends with the buffer.
    :param quote_faults: counts the records of the file. The block may then end before the buffer does.
    :raises NotCsv: too many records in a row have quotes that do not pair.
    """
    first = ordinal
    parts: list[bytes] = []
    faults = Faults()
    length = len(buffer) if at_end else -1
    ranges: list[tuple[int, int]] = []
    begin = first  # where the current range of faultless records begins
    walker = Walker(buffer, dialect, len(columns), columns, at_end)
    for span in walker.spans(line):
        fault = span if isinstance(span, Record) and span.fault else None
        if quote_faults is not None:
            if len(faults) + len(parts) >= _MOST_PARTS or ordinal - first >= _MOST_RECORDS:
                length = span.start
                break
            quote_faults.add(span.line, fault and fault.fault)
        if fault is not None and fault.fault is not None:
            faults.add(ordinal, fault.line, buffer[fault.start : fault.end], fault.fault)
            if ordinal > begin:
                ranges.append((begin, ordinal - begin))
            ordinal += 1
            begin = ordinal
            continue
        parts.append(_block_text(buffer, span, dialect, first=not parts))
        ordinal += 1 if isinstance(span, Record) else span.count
    if ordinal > begin:
        ranges.append((begin, ordinal - begin))
    return Block(
        data=with_lf(b"".join(parts), dialect),
        rows=sum(count for _, count in ranges),
        ordinals=tuple(ranges),
        first_ordinal=first,
        count=ordinal - first,
        first_line=line,
        offset=offset,
        length=walker.consumed if length < 0 else length,
        faults=faults or (),
        position=position,
        exact=True,
    )


def _block_text(buffer: bytes, span: CleanSpan | Record, dialect: Dialect, *, first: bool) -> bytes:
    """The bytes of faultless records as a block holds them.

    :param first: the block begins with these records.
    """
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
    """The record with quotes around every unquoted field that holds a quote.

    :param first: the first field receives quotes in any case.
    """
    quote = dialect.quote.encode()
    fields = (
        quote + value.replace(quote, quote * 2) + quote if quoted or quote in value or (first and i == 0) else value
        for i, (value, quoted) in enumerate(record.fields)
    )
    return dialect.delimiter.encode().join(fields) + b"\n"


def header_fault(path: str, header: Record) -> FileError:
    """The error for a header that is a fault."""
    assert header.fault is not None
    message = header.fault.message
    remedy = "Correct the header"
    if message == TOO_MANY:
        remedy = "A table has at most 1,600 columns. Check that this is a CSV file, and its delimiter (--delimiter)"
    elif message.endswith(": 0x00"):
        remedy = "It holds a NUL byte, which no text of PostgreSQL can hold. --nul strip removes these bytes"
    elif "byte sequence" in message:
        remedy = "Name the file's encoding with --encoding"
    elif "carriage return" in message:
        remedy = "Make its lines end with LF or CRLF"
    return FileError(f"{path}: the header (line {header.line}) cannot be read: {message}", remedy)
