"""Blocks whose records are parsed one by one, which finds every fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pgsluice.model import Dialect
from pgsluice.source.blocks.block import Block
from pgsluice.source.blocks.tally import Tally
from pgsluice.source.faults import Faults
from pgsluice.source.records.fast_scan import with_lf
from pgsluice.source.records.free.rewriting import Rewriter
from pgsluice.source.records.rules import CleanSpan, Record
from pgsluice.source.records.spans import Spans, scan
from pgsluice.source.streams import BOM

MOST_RECORDS = 1 << 19
"""How many records a block holds at most. Records of a few bytes take many times their bytes once they are parsed."""

_MOST_PARTS = 1 << 17
"""How many faults, and runs of faultless records between them, a block holds at most when it is parsed exactly."""


def recheck(block: Block, dialect: Dialect, columns: Sequence[str]) -> Block:
    """Parses every record of a block, so that records with too few or too many fields become faults.

    If the file's dialect is not plain, lines and bytes of these faults are those within the block; only their ordinals
    tell where they stand in the file.

    :param dialect: the dialect of the file.
    :param columns: those of the :class:`BlockReader` that made the block.
    :returns: the same block with all its faults; the block itself if it is ``exact`` already.
    """
    if block.exact:
        return block
    first, line, offset = block.first_ordinal, block.first_line, block.offset
    # The text of a block is plain, but what becomes of short and long records is still the file's matter.
    translated = not dialect.plain
    dialect = replace(dialect.in_blocks, ragged=dialect.ragged) if translated else dialect
    again = exact_block(block.data, dialect, columns, first, line, offset, block.position, at_end=True)
    # The data may be shorter than the block was in the file: CRLF became LF.
    return replace(again, length=block.length, crc=block.crc, translated=translated)


def block_of(data: bytes, dialect: Dialect, columns: Sequence[str], ordinal: int, line: int) -> Block:
    """A block of records that do not come from a file; every record is parsed.

    :param data: the records.
    :param columns: names for the fields of a record, in order.
    :param ordinal: the ordinal of the first record.
    :param line: the line of the first record.
    :raises LineTooLong: a line is longer than 32 MiB.
    """
    return exact_block(data, dialect, columns, ordinal, line, 0, len(data), at_end=True)


def exact_block(
    buffer: bytes,
    dialect: Dialect,
    columns: Sequence[str],
    ordinal: int,
    line: int,
    offset: int,
    position: int,
    at_end: bool,
    tally: Tally | None = None,
) -> Block:
    """The block that holds all complete records of a buffer; every record is parsed.

    :param position: how many bytes of the file on disk have been consumed.
    :param at_end: the file ends with the buffer.
    :param tally: counts over the blocks of the file. The block may then end before the buffer does.
    :raises NotCsv: too many records in a row have quotes that do not pair.
    """
    first = ordinal
    texts = _PlainTexts(buffer, dialect) if dialect.plain else _FreeTexts(dialect)
    faults = Faults()
    length = len(buffer) if at_end else -1
    ranges: list[tuple[int, int]] = []
    begin = first  # where the current range of faultless records begins
    spans = Spans(buffer, dialect, columns, at_end)
    for span in spans.of(line):
        fault = span if isinstance(span, Record) and span.fault else None
        if tally is not None:
            if len(faults) + texts.parts >= _MOST_PARTS or ordinal - first >= MOST_RECORDS:
                length = span.start
                break
            tally.add(buffer, span)
        if fault is not None and fault.fault is not None:
            faults.add(ordinal, fault.line, buffer[fault.start : fault.end], fault.fault)
            if ordinal > begin:
                ranges.append((begin, ordinal - begin))
            ordinal += 1
            begin = ordinal
            continue
        texts.add(span)
        ordinal += 1 if isinstance(span, Record) else span.count
    length = spans.consumed if length < 0 else length
    if tally is not None:
        tally.end(buffer, length)
    if ordinal > begin:
        ranges.append((begin, ordinal - begin))
    return Block(
        data=texts.joined(),
        rows=sum(count for _, count in ranges),
        ordinals=tuple(ranges),
        first_ordinal=first,
        count=ordinal - first,
        first_line=line,
        offset=offset,
        length=length,
        faults=faults or (),
        position=position,
        exact=True,
    )


class _PlainTexts:
    """The text of a block of a plain file: the records as the file has them, with LF as line end."""

    def __init__(self, buffer: bytes, dialect: Dialect) -> None:
        self._buffer = buffer
        self._dialect = dialect
        self._parts: list[bytes] = []

    @property
    def parts(self) -> int:
        """How many pieces of memory the text takes."""
        return len(self._parts)

    def add(self, span: CleanSpan | Record) -> None:
        """Appends faultless records."""
        self._parts.append(_block_text(self._buffer, span, self._dialect, first=not self._parts))

    def joined(self) -> bytes:
        """The whole text."""
        return with_lf(b"".join(self._parts), self._dialect)


class _FreeTexts:
    """The text of a block of a file that is not plain: the records in the plain dialect of blocks."""

    parts = 0

    def __init__(self, dialect: Dialect) -> None:
        self._text = bytearray()
        self._rewriter = Rewriter(dialect)

    def add(self, span: CleanSpan | Record) -> None:
        """Appends a faultless record."""
        assert isinstance(span, Record)
        self._text += self._rewriter.line(span.fields)

    def joined(self) -> bytes:
        """The whole text."""
        return bytes(self._text)


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
