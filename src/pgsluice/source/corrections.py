"""Corrected rejects: the CSV file in which a user corrected records, and its records as blocks to load.

Each record is parsed by itself, so that a record that is still a fault cannot consume its neighbours.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import sys
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import IO, TYPE_CHECKING

from pgsluice.errors import CallError, FileError
from pgsluice.model import Dialect, RejectKind, Verdict
from pgsluice.source.blocks import Block, Fault, Remarks, block_of
from pgsluice.source.formulas import GUARDED_RAW, undo_guard
from pgsluice.source.locate import Places
from pgsluice.source.places.addresses import translated
from pgsluice.source.records.fast_scan import clean_prefix
from pgsluice.source.records.rules import BAD_ENCODING, BAD_FORMAT, LineTooLong
from pgsluice.source.streams import BOM

if TYPE_CHECKING:
    from pgsluice.source.locate import Numbers


_PLACEHOLDER = re.compile(rb"\\x(?:00|[89a-f][0-9a-f])")
"""``\\xNN`` as a report writes a byte that is not valid in its record: NUL or a byte above 0x7f."""

_BLOCK_RECORDS, _BLOCK_BYTES = 5000, 4 << 20
"""How many records, and how many bytes, a block of corrected records holds at most."""

_PLACES_AT_ONCE = 200
"""How many records :meth:`Corrections.locate` holds in memory at a time."""

_FIELD_CHARACTERS = 1 << 28


def raise_field_limit() -> None:
    """Lets Python's csv module read fields as long as the longest record.

    The limit belongs to the process; its default is 128 kB.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _FIELD_CHARACTERS))


class Spool:
    """The ``raw`` column of a corrected file, in a temporary file on disk, ordered by the numbers of the rejects.

    Records are added in the order of the corrected file; after :meth:`sort` a record is known by its *place*, its
    position in the order of the numbers, from 0.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the spool)
        self._end = 0
        self.numbers = array("q")
        """The numbers of the rejects, ascending; empty before :meth:`sort`."""
        self._offsets = array("q")
        self._lengths = array("q")
        self._order = array("q")
        self.sha256 = ""
        """SHA-256 of the corrected file, in hexadecimal."""

    def add(self, raw: bytes) -> None:
        """Appends a record."""
        self._offsets.append(self._end)
        self._lengths.append(len(raw))
        self._file.write(raw)
        self._end += len(raw)

    def sort(self, numbers: array[int]) -> None:
        """Orders the records by the numbers of their rejects. No record can be added afterwards.

        :param numbers: the number of each record, in the order in which the records were added.
        """
        self._file.flush()
        self._order = array("q", sorted(range(len(numbers)), key=numbers.__getitem__))
        self.numbers = array("q", (numbers[which] for which in self._order))

    def added(self, place: int) -> int:
        """The position of a record in the order in which the records were added, from 0."""
        return self._order[place]

    def raw(self, place: int) -> bytes:
        """The bytes of a record."""
        which = self._order[place]
        # pread() moves no file position: the reader thread and the thread that writes the report both call this.
        return os.pread(self._file.fileno(), self._lengths[which], self._offsets[which])

    def length(self, place: int) -> int:
        """The length of a record in bytes."""
        return self._lengths[self._order[place]]

    def replace(self, place: int, raw: bytes) -> None:
        """Gives a record other bytes."""
        self._file.seek(0, os.SEEK_END)
        which = self._order[place]
        self._offsets[which], self._lengths[which] = self._end, len(raw)
        self._file.write(raw)
        self._file.flush()
        self._end += len(raw)

    def close(self) -> None:
        """Deletes the temporary file."""
        self._file.close()


def read_corrected(path: str, run_id: int) -> Spool:
    """Reads a corrected file: CSV in UTF-8 with a header, as a spreadsheet or an editor may write it.

    :param run_id: the run whose rejects the file corrects.
    :returns: the records; the caller closes the spool.
    :raises FileError: the file cannot be read, or lacks a column of a report.
    :raises CallError: a record belongs to another run, or two records correct the same reject.
    """
    raise_field_limit()
    spool = Spool()
    numbers, lines = array("q"), array("q")
    try:
        with translated(path), open(path, "rb") as whole:
            spool.sha256 = hashlib.file_digest(whole, "sha256").hexdigest()
        with translated(path), open(path, newline="", encoding="utf-8-sig") as text:
            for line, number, raw in _rows(path, text, run_id):
                numbers.append(number)
                lines.append(line)
                spool.add(raw.encode())
        spool.sort(numbers)
        for place, (number, after) in enumerate(pairwise(spool.numbers)):
            if number == after:
                here, there = lines[spool.added(place)], lines[spool.added(place + 1)]
                raise CallError(
                    f"{path}: lines {here} and {there} both correct reject {number}", "Take one of them out"
                )
    except UnicodeDecodeError as error:
        spool.close()
        raise FileError(f"{path}: not UTF-8 ({error.reason})", "Save it as CSV in UTF-8") from error
    except csv.Error as error:
        spool.close()
        raise FileError(f"{path}: no CSV file ({error})", "Save it as CSV in UTF-8") from error
    except BaseException:
        spool.close()
        raise
    return spool


def _rows(path: str, text: Iterable[str], run_id: int) -> Iterator[tuple[int, int, str]]:
    """Yields the line, the number of the reject and the record of every row of a corrected file."""
    lines = iter(text)
    head = next(lines, "")
    # Spreadsheets write the list separator of the user's locale.
    delimiter = max(",;\t", key=head.count)
    names = next(csv.reader([head], delimiter=delimiter), [])
    guarded = GUARDED_RAW in names
    if guarded and "raw" in names:
        raise FileError(f"{path}: the columns raw and {GUARDED_RAW}", "Keep the column that you have corrected")
    places = []
    for name in ("run", "reject", GUARDED_RAW if guarded else "raw"):
        if name not in names:
            raise FileError(
                f"{path}: no column {name!r} in its first line",
                f"Take a file that pgsluice rejects {run_id} --format csv wrote, and keep the columns run, reject, raw",
            )
        places.append(names.index(name))
    reader = csv.reader(lines, delimiter=delimiter)
    line = 2
    for cells in reader:
        if any(cells):
            if len(cells) <= max(places):
                raise FileError(f"{path}:{line}: {len(cells)} cells instead of {len(names)}", "Mend the line")
            run, reject, raw = (cells[place] for place in places)
            if not (run.strip().isdecimal() and reject.strip().isdecimal()):
                raise CallError(f"{path}:{line}: no numbers in the columns run and reject", "Mend or remove the line")
            if int(run) != run_id:
                raise CallError(f"{path}:{line}: this is a reject of run {int(run)}, not of run {run_id}", "Remove it")
            if int(reject) > sys.maxsize:
                raise CallError(f"{path}:{line}: run {run_id} has no reject {int(reject)}", "Remove the line")
            yield line, int(reject), undo_guard(raw) if guarded else raw
        line = reader.line_num + 2


@dataclass(slots=True)
class Corrections:
    """The corrected records of one file of a run, in the order of that file.

    Ordinals number the corrected records from 0: they are not the ordinals of the run that rejected the records.
    """

    spool: Spool
    dialect: Dialect
    first: int
    """The place of the first record in the spool."""
    lines: array[int] = field(default_factory=lambda: array("q"))
    """The line of each record in the original file, by ordinal."""
    records: array[int] = field(default_factory=lambda: array("q"))
    """The number of each record in the original file, from 1, by ordinal."""
    faulty: dict[int, Verdict] = field(default_factory=dict)
    """Ordinals of faults that the user has not changed, with their verdicts."""
    doubles: dict[int, Verdict] = field(default_factory=dict)
    """Ordinals of unchanged records that were rejected for a unique key, with their verdicts."""
    unclear: set[int] = field(default_factory=set)
    """Ordinals of records in which ``\\xNN`` may stand for a byte that could not be read."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def size(self) -> int:
        """Bytes of the records, each with one byte for its line end."""
        return sum(self.spool.length(self.first + i) + 1 for i in range(len(self)))

    def raw(self, ordinal: int) -> bytes:
        """The bytes of a record."""
        return self.spool.raw(self.first + ordinal)

    def reader(self, columns: Sequence[str], keys: frozenset[str]) -> CorrectionReader:
        """A reader of the records as blocks.

        :param columns: names for the fields of a record, in order.
        :param keys: the names of the unique keys by which rows of the files match rows of the table. A record that was
            rejected for one of these keys and has not been changed is rejected again.
        """
        refused = self.faulty | {o: v for o, v in self.doubles.items() if v.constraint in keys}
        return CorrectionReader(self, columns, refused)

    def locate(self, wanted: Iterable[Numbers]) -> Iterator[Places]:
        """Finds records by their ordinals; the result is that of :func:`pgsluice.source.locate.locate`, with the
        numbers of the rejects.

        :param wanted: ordinals, ascending, in portions.
        """
        import numpy as np
        import pyarrow as pa

        for ordinals in wanted:
            for start in range(0, ordinals.size, _PLACES_AT_ONCE):
                some = ordinals[start : start + _PLACES_AT_ONCE]
                listed = some.tolist()
                yield Places(
                    some,
                    np.asarray([self.lines[o] for o in listed]),
                    np.asarray([self.records[o] for o in listed]),
                    pa.array([self.raw(o) for o in listed], pa.binary()),
                    np.asarray([self.spool.numbers[self.first + o] for o in listed]),
                )


class CorrectionReader:
    """Reads corrected records as blocks; has the interface of :class:`~pgsluice.source.blocks.BlockReader`.

    :param refused: ordinals of the records that are rejected without being parsed, with their verdicts.
    """

    def __init__(self, corrections: Corrections, columns: Sequence[str], refused: dict[int, Verdict]) -> None:
        self._corrections = corrections
        self._columns = tuple(columns)
        self._refused = refused
        self._special = sorted(refused.keys() | corrections.unclear)
        self.sha256 = corrections.spool.sha256
        self.remarks = Remarks()

    def close(self) -> None:
        """Does nothing: the report needs the spool, which its owner closes."""

    def __iter__(self) -> Iterator[Block]:
        """Yields the blocks."""
        first = position = 0
        while first < len(self._corrections):
            raws = self._next_records(first)
            position += sum(len(raw) + 1 for raw in raws)
            yield self._together(raws, first, position) or self._one_by_one(raws, first, position)
            first += len(raws)

    def _next_records(self, first: int) -> list[bytes]:
        """The records of the block that begins with ordinal ``first``."""
        raws: list[bytes] = []
        size = 0
        for ordinal in range(first, min(first + _BLOCK_RECORDS, len(self._corrections))):
            if size >= _BLOCK_BYTES:
                break
            raws.append(self._corrections.raw(ordinal))
            size += len(raws[-1]) + 1
        return raws

    def _together(self, raws: Sequence[bytes], first: int, position: int) -> Block | None:
        """The block of these records; None unless all together parse as exactly the same records."""
        dialect = self._corrections.dialect
        if not dialect.plain or bisect_left(self._special, first) < bisect_left(self._special, first + len(raws)):
            return None
        data = b"\n".join(raws) + b"\n"
        prefix = None if BOM in data else clean_prefix(data, dialect, len(self._columns))
        if prefix is None or prefix.ends.tolist() != [end - 1 for end in accumulate(len(raw) + 1 for raw in raws)]:
            return None
        return self._block(prefix.data, [(first, len(raws))], (), raws, first, position, exact=False)

    def _one_by_one(self, raws: Sequence[bytes], first: int, position: int) -> Block:
        """The block of these records, each parsed by itself."""
        parts: list[bytes] = []
        ranges: list[tuple[int, int]] = []
        faults: list[Fault] = []
        for ordinal, raw in enumerate(raws, start=first):
            parsed = self._record(ordinal, raw)
            if isinstance(parsed, Fault):
                faults.append(parsed)
                continue
            parts.append(parsed)
            if ranges and sum(ranges[-1]) == ordinal:
                ranges[-1] = (ranges[-1][0], ranges[-1][1] + 1)
            else:
                ranges.append((ordinal, 1))
        return self._block(b"".join(parts), ranges, faults, raws, first, position, exact=True)

    def _block(
        self,
        data: bytes,
        ranges: Sequence[tuple[int, int]],
        faults: Sequence[Fault],
        raws: Sequence[bytes],
        first: int,
        position: int,
        *,
        exact: bool,
    ) -> Block:
        return Block(
            data=data,
            rows=sum(count for _, count in ranges),
            ordinals=tuple(ranges),
            first_ordinal=first,
            count=len(raws),
            first_line=self._corrections.lines[first],
            offset=0,
            length=len(data),
            faults=tuple(faults),
            position=position,
            exact=exact,
        )

    def _record(self, ordinal: int, raw: bytes) -> bytes | Fault:
        """The record as the block holds it, or the fault that it is."""
        line = self._corrections.lines[ordinal]
        if (verdict := self._refused.get(ordinal)) is not None:
            return Fault(ordinal, line, raw, verdict)
        if ordinal in self._corrections.unclear and (left := _PLACEHOLDER.search(raw)):
            message = f"{left.group().decode()} stands for a byte that could not be read and is still there"
            return _fault(ordinal, line, raw, BAD_ENCODING, message)
        try:
            block = block_of(raw + b"\n", self._corrections.dialect, self._columns, ordinal, line)
        except LineTooLong:
            return _fault(ordinal, line, raw, BAD_FORMAT, "record is longer than 32 MiB")
        if block.count != 1:
            what = f"holds {block.count} records instead of one" if block.count else "is empty"
            return _fault(ordinal, line, raw, BAD_FORMAT, f"the corrected record {what}")
        return block.faults[0] if block.faults else block.data


def _fault(ordinal: int, line: int, raw: bytes, sqlstate: str, message: str) -> Fault:
    return Fault(ordinal, line, raw, Verdict(RejectKind.STRUCTURE, sqlstate=sqlstate, message=message))
