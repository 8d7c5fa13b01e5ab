"""Reads a file block by block."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pgsluice.errors import FileError
from pgsluice.model import SourceFile
from pgsluice.source.blocks.block import Block
from pgsluice.source.blocks.body import Body
from pgsluice.source.blocks.parsing import MOST_RECORDS, exact_block
from pgsluice.source.blocks.tally import Remarks, Tally
from pgsluice.source.faults import NotCsv
from pgsluice.source.identity import PLANNED, changed
from pgsluice.source.records.fast_scan import CleanPrefix, clean_prefix
from pgsluice.source.records.free.translation import translate
from pgsluice.source.records.lines import behind_lines, count_lines
from pgsluice.source.records.rules import MAX_RECORD_BYTES, TOO_MANY, LineTooLong, Record
from pgsluice.source.records.spans import first_record
from pgsluice.source.streams import BOM, open_planned

_LEAST_BYTES = 1 << 16
"""The least size of a window of the buffer that is searched for a block."""

_FIRST_BYTES = 1 << 20
"""Size of the first block. It is small, so that the server has work while the next blocks are read; each further
block is twice as large as the block before, up to the usual size."""


_MOST_HEADERS = 3
"""How many lines that hold the header again are noted."""


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
        self._dialect = file.dialect
        self._stream = open_planned(file)
        self._body = Body(self._stream, file.dialect)
        self._buffer = b""
        self._at_end = False
        self._header = b""
        """The text of the header, if it names more than one field."""
        self._header_again: list[int] = []
        """The first lines behind the header that hold the header again: files were put together."""
        self._tally = Tally(file.dialect, self._columns)

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes read from disk so far, in hexadecimal; of the whole file after the last block."""
        return self._stream.sha256()

    @property
    def remarks(self) -> Remarks:
        """What a user should know of the part of the file that was read so far."""
        tally = self._tally
        again = tuple(self._header_again)
        return Remarks(self._stream.nuls, tally.blank_lines, tally.swallowing, tally.first_swallowing, again)

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
        data = self._body.read(size)
        self._at_end = len(data) < size
        self._buffer = self._buffer + data if self._buffer else data

    def _blocks(self) -> Iterator[Block]:
        offset, line = self._skip_lines()
        if self._dialect.header:
            offset, line = self._skip_header(offset, line)
        ordinal = 0
        while True:
            if len(self._buffer) < self._block_bytes and not self._at_end:
                self._more()
            if not self._buffer:
                if self._at_end:
                    return
                continue
            window, at_end = self._window()
            block, prefix = self._block(window, at_end, ordinal, line, offset)
            if not block.length:
                if len(window) < len(self._buffer):
                    self._block_bytes *= 2
                else:
                    self._more()
                continue
            block = replace(block, crc=zlib.crc32(memoryview(window)[: block.length]))
            ordinal += block.count
            offset += block.length
            self._look_for_header(window, block.length, line)
            lines = count_lines(window, self._dialect, 0, block.length)
            if prefix is not None:
                self._tally.add_clean(window, block.length, prefix, line, lines)
            line += lines
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

    def _skip_lines(self) -> tuple[int, int]:
        """Removes the lines from the buffer that are passed over before the header or the first record.

        :returns: the offset and the line of the first byte behind them.
        :raises LineTooLong: one of the lines is longer than MAX_RECORD_BYTES.
        """
        offset, missing = 0, self._dialect.skip_lines
        while missing:
            self._more()
            behind, left = behind_lines(self._buffer, self._dialect, missing, at_end=self._at_end)
            if left == missing and len(self._buffer) > MAX_RECORD_BYTES:
                raise LineTooLong(self._dialect.skip_lines - missing + 1)
            offset, missing = offset + behind, left
            self._buffer = self._buffer[behind:]
        return offset, self._dialect.skip_lines + 1

    def _skip_header(self, offset: int, line: int) -> tuple[int, int]:
        """Removes the header from the buffer.

        :param offset: where the buffer begins.
        :param line: the line on which the buffer begins.
        :returns: the offset and the line of the first byte behind the header.
        :raises FileError: the header is a fault, or is not the header that was planned.
        """
        while True:
            # A file may begin with any number of blank lines.
            header, behind = first_record(self._buffer, self._dialect, line, at_end=self._at_end)
            if header is not None and header.fault:
                raise header_fault(self._file.path, header)
            if header is not None and len(header.fields) > 1:
                self._header = self._buffer[header.start : header.end]
            line += count_lines(self._buffer, self._dialect, 0, behind)
            offset += behind
            self._tally.add_blank_lines(self._buffer, 0, behind if header is None else header.start)
            self._buffer = b"" if header is None and self._at_end else self._buffer[behind:]
            if header is not None or self._at_end:
                fields = () if header is None else header.fields
                self._check_header(tuple(value.decode() for value, _ in fields))
                return offset, line
            self._more()

    def _look_for_header(self, buffer: bytes, length: int, line: int) -> None:
        """Notes the lines of a block that hold the header again.

        :param length: how many bytes of the buffer belong to the block.
        :param line: the line on which the block begins.
        """
        at = buffer.find(self._header, 0, length) if self._header else -1
        while at >= 0 and len(self._header_again) < _MOST_HEADERS:
            end = at + len(self._header)
            if (not at or buffer[at - 1] in b"\r\n") and (end >= length or buffer[end] in b"\r\n"):
                self._header_again.append(line + count_lines(buffer, self._dialect, 0, at))
            at = buffer.find(self._header, end, length)

    def _check_header(self, header: tuple[str, ...]) -> None:
        """Checks that the header is the planned header: its fields decide which values go into which columns."""
        if not header and self._file.header and self._dialect.skip_footer:
            raise FileError(
                f"{self._file.path}: the last {self._dialect.skip_footer:,} lines that are not blank hold the header",
                "Give --skip-footer a smaller number",
            )
        if self._file.identity is not None and header != self._file.header:
            before, now = (",".join(fields) for fields in (self._file.header, header))
            raise changed(self._file.path, PLANNED, f"its header was {before}, now {now}")

    def _block(
        self, buffer: bytes, at_end: bool, ordinal: int, line: int, offset: int
    ) -> tuple[Block, CleanPrefix | None]:
        """The block at the beginning of a buffer; its length is 0 if its first record is incomplete.

        :param at_end: the file ends with the buffer.
        :returns: the block, and its records if they were not parsed one by one.
        """
        found = self._clean(buffer, at_end)
        position = self._stream.position
        if found is None:
            columns, tally = self._columns, self._tally
            return exact_block(buffer, self._dialect, columns, ordinal, line, offset, position, at_end, tally), None
        length, prefix = found
        rows = int(prefix.ends.size)
        block = Block(
            data=prefix.data,
            rows=rows,
            ordinals=((ordinal, rows),),
            first_ordinal=ordinal,
            count=rows,
            first_line=line,
            offset=offset,
            length=length,
            faults=(),
            position=position,
            exact=False,
        )
        return block, prefix

    def _clean(self, buffer: bytes, at_end: bool) -> tuple[int, CleanPrefix] | None:
        """The complete records at the beginning of a buffer, and their length in it, if none of them seems a fault."""
        if not self._dialect.plain:
            return translate(buffer, self._dialect, len(self._columns), MOST_RECORDS, at_end=at_end)
        # A missing newline at the file's end alone must not cost an exact scan.
        unended = at_end and len(buffer) < MAX_RECORD_BYTES and not buffer.endswith((b"\n", b"\r"))
        ended = buffer + b"\n" if unended else buffer
        # DuckDB removes a BOM at the beginning of any block, not only of the file's first block.
        prefix = (
            None if buffer.startswith(BOM) else clean_prefix(ended, self._dialect, len(self._columns), MOST_RECORDS)
        )
        # An incomplete record at the file's end is a fault.
        if prefix is None or (at_end and prefix.whole and prefix.cut < len(ended)):
            return None
        return min(prefix.cut, len(buffer)), prefix


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
        remedy = "If CR ends its lines, use --line-ends any; otherwise make them end with LF or CRLF"
    return FileError(f"{path}: the header (line {header.line}) cannot be read: {message}", remedy)
