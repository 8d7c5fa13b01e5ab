"""Records found again by their ordinals: the line of a reject, and its bytes as they stand in the file.

A load keeps only the extent of each block. For the report the blocks that hold a reject are read once more.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pgsluice.errors import FileError
from pgsluice.model import Dialect, LineEnds, SourceFile
from pgsluice.source.blocks import Extent
from pgsluice.source.identity import READ, changed
from pgsluice.source.records.fast_scan import clean_prefix
from pgsluice.source.records.rules import CR, LF, Record
from pgsluice.source.records.spans import Spans
from pgsluice.source.streams import DecodedStream, open_planned

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]


class Places(NamedTuple):
    """Where records stand in their file, and their bytes: one array for each property, as there may be a million
    records.
    """

    ordinals: Numbers
    """The ordinals within the file, from 0."""
    lines: Numbers
    """The physical lines on which the records begin, from 1."""
    records: Numbers
    """The numbers of the records within the file, from 1."""
    raws: pa.BinaryArray
    """The bytes of the records without their line ends."""
    numbers: Numbers | None = None
    """In a replay: the numbers that the records have among the rejects of the replayed run."""
    offsets: Numbers | None = None
    """The bytes of the file at which the records begin, from 0; None if the stream has not the bytes of the file."""


def locate(
    file: SourceFile, columns: Sequence[str], extents: Sequence[Extent], wanted: Iterable[Numbers]
) -> Iterator[Places]:
    """Finds records by their ordinals. Only extents that hold a wanted record are read, one extent at a time.

    :param columns: those of the :class:`~pgsluice.source.blocks.BlockReader` that made the extents.
    :param extents: the extents of the file's blocks, ascending.
    :param wanted: ordinals, ascending, in portions of any size; an extent holds each of them.
    :returns: the records in the order of their ordinals; a portion may come in several parts.
    :raises FileError: the file cannot be read, or has changed.
    """
    following = iter(extents)
    current = None
    at = 0
    with open_planned(file, again=True) as stream:
        for ordinals in wanted:
            while ordinals.size:
                while current is None or ordinals[0] >= current.first_ordinal + current.count:
                    current, index = next(following), None
                if index is None:
                    _forward(stream, at, current.offset)
                    data = stream.read(current.length)
                    if current.crc is not None and zlib.crc32(data) != current.crc:
                        raise _changed(file)
                    at = current.offset + current.length
                    index = _Index(data, file.dialect, columns, current)
                here = int(ordinals.searchsorted(current.first_ordinal + current.count))
                found = index.places(ordinals[:here])
                if found is None:
                    raise _changed(file)
                found = found._replace(offsets=_in_file(found.offsets, stream))
                # The rows of such a file are its lines, though a text may hold line breaks.
                yield found if file.form not in ("parquet", "json") else found._replace(lines=found.ordinals + 1)
                ordinals = ordinals[here:]
        stream.check()


def _in_file(offsets: Numbers | None, stream: DecodedStream) -> Numbers | None:
    """Offsets in the file, of offsets in its stream."""
    return None if offsets is None or stream.begin is None else offsets + stream.begin


def _changed(file: SourceFile) -> FileError:
    return changed(file.path, READ, "its records are not where they were")


def _forward(stream: DecodedStream, at: int, offset: int) -> None:
    """Moves the stream from ``at`` to ``offset``; a stream that cannot seek is read up to there."""
    if at == offset:
        return
    if stream.seekable:
        stream.seek(offset)
        return
    while at < offset:
        skipped = len(stream.read(min(1 << 20, offset - at)))
        if not skipped:
            return
        at += skipped


class _Index:
    """Where the records of one extent begin and end.

    :param data: the bytes of the extent.
    """

    def __init__(self, data: bytes, dialect: Dialect, columns: Sequence[str], extent: Extent) -> None:
        import numpy as np

        self._extent = extent
        self._data = data if data.endswith((b"\n", b"\r")) else data + b"\n"
        self._octets = np.frombuffer(self._data, np.uint8)
        self._newlines = np.flatnonzero(self._octets == LF)
        if dialect.line_ends is LineEnds.ANY and b"\r" in self._data:
            cr = np.flatnonzero(self._octets == CR)
            alone = cr[np.append(self._octets, LF)[cr + 1] != LF]
            self._newlines = np.sort(np.concatenate((self._newlines, alone)))
        self._starts, self._stops = self._bounds(data, dialect, columns)

    def _bounds(self, data: bytes, dialect: Dialect, columns: Sequence[str]) -> tuple[Numbers, Numbers]:
        """Where each record begins, and where it ends, its line end excluded."""
        if not dialect.plain:
            return self._walk(data, dialect, columns)
        if dialect.quote.encode() not in data and data.endswith(b"\n"):
            # Without quotes each line is a record, faults included.
            starts, stops = self._lines(0, self._newlines)
            if len(columns) > 1:
                starts, stops = starts[stops > starts], stops[stops > starts]
            return starts, stops
        prefix = clean_prefix(self._data, dialect, len(columns))
        if prefix is not None and prefix.cut == len(self._data):
            return self._lines(0, prefix.ends)
        return self._walk(data, dialect, columns)

    def _walk(self, data: bytes, dialect: Dialect, columns: Sequence[str]) -> tuple[Numbers, Numbers]:
        """What :meth:`_bounds` returns, by the exact rules."""
        import numpy as np

        firsts: list[int] = []
        lasts: list[int] = []
        # The bytes behind the extent had no influence on where its records end, so its end may stand for the end of
        # the file.
        for span in Spans(data, dialect, columns, at_end=True).of(self._extent.first_line):
            if isinstance(span, Record):
                firsts.append(span.start)
                lasts.append(span.end)
                continue
            if span.ends is None:
                low = int(self._newlines.searchsorted(span.start))
                ends = self._newlines[low : low + span.count]
            else:
                ends = np.asarray(span.ends)
            starts, stops = self._lines(span.start, ends)
            firsts.extend(starts.tolist())
            lasts.extend(stops.tolist())
        return np.asarray(firsts, np.int64), np.asarray(lasts, np.int64)

    def _lines(self, start: int, ends: Numbers) -> tuple[Numbers, Numbers]:
        """The bounds of neighbouring records that end at these LFs; a CR before the LF belongs to the line end.

        :param start: where the first record begins.
        """
        import numpy as np

        starts = np.concatenate(([start], ends[:-1] + 1))
        return starts, ends - ((ends > starts) & (self._octets[ends - 1] == CR))

    def places(self, ordinals: Numbers) -> Places | None:
        """The records with these ordinals; None if the extent has fewer records."""
        import numpy as np
        import pyarrow as pa

        chosen = ordinals - self._extent.first_ordinal
        if int(chosen[-1]) >= self._starts.size:
            return None
        starts, stops = self._starts[chosen], self._stops[chosen]
        # The bounds cut the data into strings: record, bytes between two records, record, and so on.
        bounds = np.column_stack((starts, stops)).astype(np.int32).ravel()
        count = 2 * chosen.size - 1
        strings = pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(bounds), pa.py_buffer(self._data)])
        return Places(
            ordinals,
            self._extent.first_line + np.searchsorted(self._newlines, starts),
            ordinals + 1,
            strings.take(pa.array(np.arange(0, count, 2))),
            offsets=self._extent.offset + starts,
        )
