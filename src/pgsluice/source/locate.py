"""Records found again by their ordinals: what a reject's line was, and its bytes as they stand in the file."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pgsluice.errors import FileError
from pgsluice.model import Dialect, SourceFile
from pgsluice.source.blocks import Extent
from pgsluice.source.records.fast_scan import clean
from pgsluice.source.records.rules import Record
from pgsluice.source.records.walker import Walker
from pgsluice.source.streams import DecodedStream, open_decoded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]


class Places(NamedTuple):
    """Neighbouring records that were looked for: column by column, because there may be a million of them."""

    ordinals: Numbers
    """In the file's own count, from 0."""
    lines: Numbers
    records: Numbers
    """Which record of the file each is, from 1."""
    raws: pa.BinaryArray
    """Bytes without the newline."""
    numbers: Numbers | None = None
    """In a replay: which reject of the run that is replayed each is."""


def locate(
    file: SourceFile, columns: Sequence[str], extents: Sequence[Extent], wanted: Iterable[Numbers]
) -> Iterator[Places]:
    """Records by their ordinals: reads again only the extents that hold one of them, one at a time.

    :param columns: as for the :class:`~pgsluice.source.blocks.BlockReader` that the extents are from.
    :param extents: ascending.
    :param wanted: ordinals, ascending, in portions; all of them are in one of the extents.
    :return: the records of each portion, once or several times some of them, in their order.
    :raises FileError: the file cannot be read, or is no longer the one that it was.
    """
    pieces = iter(extents)
    piece = None
    at = 0
    with open_decoded(file.path, file.dialect.encoding) as stream:
        for ordinals in wanted:
            while ordinals.size:
                while piece is None or ordinals[0] >= piece.first_ordinal + piece.count:
                    piece, index = next(pieces), None
                if index is None:
                    _forward(stream, at, piece.offset)
                    data = stream.read(piece.length)
                    if piece.crc is not None and zlib.crc32(data) != piece.crc:
                        raise _changed(file)
                    at = piece.offset + piece.length
                    index = _Index(data, file.dialect, columns, piece)
                here = int(ordinals.searchsorted(piece.first_ordinal + piece.count))
                found = index.places(ordinals[:here])
                if found is None:
                    raise _changed(file)
                yield found
                ordinals = ordinals[here:]


def _changed(file: SourceFile) -> FileError:
    return FileError(f"{file.path}: the file has changed while it was read", "Load it again")


def _forward(stream: DecodedStream, at: int, offset: int) -> None:
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
    """Where the records of one extent begin and end."""

    def __init__(self, data: bytes, dialect: Dialect, columns: Sequence[str], piece: Extent) -> None:
        import numpy as np

        self._piece = piece
        self._data = ended = data if data.endswith((b"\n", b"\r")) else data + b"\n"
        octets = np.frombuffer(ended, np.uint8)
        self._newlines = np.flatnonzero(octets == 10)
        if dialect.quote.encode() not in data and data.endswith(b"\n"):
            # Each line is a record, whatever is wrong with it.
            starts, stops = self._lines(0, self._newlines, octets)
            if len(columns) > 1:
                starts, stops = starts[stops > starts], stops[stops > starts]
            self._starts, self._stops = starts, stops
            return
        verdict = clean(ended, dialect, len(columns))
        if verdict is not None and verdict.cut == len(ended):
            self._starts, self._stops = self._lines(0, verdict.ends, octets)
            return
        firsts: list[int] = []
        lasts: list[int] = []
        # The extent alone suffices: what lies behind it made no difference to where its records end.
        for span in Walker(data, dialect, len(columns), columns, at_end=True).spans(piece.first_line):
            if isinstance(span, Record):
                firsts.append(span.start)
                lasts.append(span.end)
                continue
            if span.ends is None:
                low = int(self._newlines.searchsorted(span.start))
                ends = self._newlines[low : low + span.count]
            else:
                ends = np.asarray(span.ends)
            starts, stops = self._lines(span.start, ends, octets)
            firsts.extend(starts.tolist())
            lasts.extend(stops.tolist())
        self._starts, self._stops = np.asarray(firsts, np.int64), np.asarray(lasts, np.int64)

    @staticmethod
    def _lines(start: int, ends: Numbers, octets: NDArray[np.uint8]) -> tuple[Numbers, Numbers]:
        """Faultless records that follow each other and end at these LFs; a CR before one is not theirs."""
        import numpy as np

        starts = np.concatenate(([start], ends[:-1] + 1))
        return starts, ends - ((ends > starts) & (octets[ends - 1] == 13))

    def places(self, ordinals: Numbers) -> Places | None:
        """The records; None if the extent has not that many."""
        import numpy as np
        import pyarrow as pa

        chosen = ordinals - self._piece.first_ordinal
        if int(chosen[-1]) >= self._starts.size:
            return None
        starts, stops = self._starts[chosen], self._stops[chosen]
        # Every other string between these bounds is a record, those between them are what lies between.
        bounds = np.column_stack((starts, stops)).astype(np.int32).ravel()
        count = 2 * chosen.size - 1
        strings = pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(bounds), pa.py_buffer(self._data)])
        return Places(
            ordinals,
            self._piece.first_line + np.searchsorted(self._newlines, starts),
            ordinals + 1,
            strings.take(pa.array(np.arange(0, count, 2))),
        )
