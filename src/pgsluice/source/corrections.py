"""Corrected rejects: the CSV file in which a person mended records, and its records as blocks to load.

Each record is looked at by itself, so that one which is still faulty cannot swallow its neighbours.
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
from pgsluice.model import Dialect
from pgsluice.source.blocks import Block, Fault, block_of
from pgsluice.source.locate import Places
from pgsluice.source.records.fast_scan import clean
from pgsluice.source.records.rules import BAD_ENCODING, BAD_FORMAT, LineTooLong
from pgsluice.source.streams import BOM, translated

if TYPE_CHECKING:
    from pgsluice.source.locate import Numbers


_PLACEHOLDER = re.compile(rb"\\x(?:00|[89a-f][0-9a-f])")


_BATCH_RECORDS, _BATCH_BYTES = 5000, 4 << 20


_FOUND_AT_ONCE = 200


# A raw record may be as long as a record can be; the csv module's own limit is 128 kB.
csv.field_size_limit(1 << 28)


class Spool:
    """The ``raw`` column of a corrected file, on disk, by number of the reject."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the spool)
        self._end = 0
        self.numbers = array("q")
        self._offsets = array("q")
        self._lengths = array("q")
        self._order = array("q")
        self.sha256 = ""

    def add(self, raw: bytes) -> None:
        self._offsets.append(self._end)
        self._lengths.append(len(raw))
        self._file.write(raw)
        self._end += len(raw)

    def sort(self, numbers: array[int]) -> None:
        """Ends the adding; ``numbers`` are those of the records added, in that order."""
        self._file.flush()
        self._order = array("q", sorted(range(len(numbers)), key=numbers.__getitem__))
        self.numbers = array("q", (numbers[which] for which in self._order))

    def added(self, place: int) -> int:
        """Which record, as they were added, is the one at this place in the order of the numbers."""
        return self._order[place]

    def raw(self, place: int) -> bytes:
        which = self._order[place]
        # Read by the thread that reads ahead and by the one that writes the report.
        return os.pread(self._file.fileno(), self._lengths[which], self._offsets[which])

    def length(self, place: int) -> int:
        return self._lengths[self._order[place]]

    def replace(self, place: int, raw: bytes) -> None:
        self._file.seek(0, os.SEEK_END)
        which = self._order[place]
        self._offsets[which], self._lengths[which] = self._end, len(raw)
        self._file.write(raw)
        self._file.flush()
        self._end += len(raw)

    def close(self) -> None:
        self._file.close()


def read_corrected(path: str, run_id: int) -> Spool:
    """Reads a corrected file: CSV in UTF-8 with a header, as a spreadsheet or an editor may leave it.

    :raises FileError: it cannot be read, or is no report of rejects.
    :raises CallError: a record is of another run, or comes twice.
    """
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
    """Line, number of the reject, and record."""
    lines = iter(text)
    head = next(lines, "")
    # Spreadsheets write the separator of their country.
    delimiter = max(",;\t", key=head.count)
    names = next(csv.reader([head], delimiter=delimiter), [])
    places = []
    for name in ("run", "reject", "raw"):
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
            yield line, int(reject), raw
        line = reader.line_num + 2


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an uncorrected record need not be tried."""

    kind: str
    column: str
    constraint: str
    sqlstate: str
    message: str


@dataclass(slots=True)
class Corrections:
    """The corrected records of one file of a run, in that file's order; ordinals count them from 0."""

    spool: Spool
    dialect: Dialect
    first: int
    """Place of the first one in the spool."""
    lines: array[int] = field(default_factory=lambda: array("q"))
    records: array[int] = field(default_factory=lambda: array("q"))
    faulty: dict[int, Refusal] = field(default_factory=dict)
    """Records of faulty structure that nobody touched."""
    doubles: dict[int, Refusal] = field(default_factory=dict)
    """Untouched records whose unique key another record had."""
    unclear: set[int] = field(default_factory=set)
    """Records in which ``\\xNN`` may stand for a byte that could not be read."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def size(self) -> int:
        """Bytes of the records, with their newlines."""
        return sum(self.spool.length(self.first + i) + 1 for i in range(len(self)))

    def raw(self, ordinal: int) -> bytes:
        return self.spool.raw(self.first + ordinal)

    def reader(self, columns: Sequence[str], keys: frozenset[str]) -> CorrectionReader:
        """:param keys: the unique keys by which rows are matched with those of the table."""
        refused = self.faulty | {o: r for o, r in self.doubles.items() if r.constraint in keys}
        return CorrectionReader(self, columns, refused)

    def locate(self, wanted: Iterable[Numbers]) -> Iterator[Places]:
        """As :func:`pgsluice.source.locate.locate`, with the numbers of the rejects."""
        import numpy as np
        import pyarrow as pa

        for ordinals in wanted:
            for start in range(0, ordinals.size, _FOUND_AT_ONCE):
                some = ordinals[start : start + _FOUND_AT_ONCE]
                own = some.tolist()
                yield Places(
                    some,
                    np.asarray([self.lines[o] for o in own]),
                    np.asarray([self.records[o] for o in own]),
                    pa.array([self.raw(o) for o in own], pa.binary()),
                    np.asarray([self.spool.numbers[self.first + o] for o in own]),
                )


class CorrectionReader:
    """Blocks of corrected records; stands in for a :class:`~pgsluice.source.blocks.BlockReader`."""

    def __init__(self, corrections: Corrections, columns: Sequence[str], refused: dict[int, Refusal]) -> None:
        self._of = corrections
        self._columns = tuple(columns)
        self._refused = refused
        self._special = sorted(refused.keys() | corrections.unclear)
        self.sha256 = corrections.spool.sha256

    def close(self) -> None:
        """The spool stays, for the report."""

    def __iter__(self) -> Iterator[Block]:
        first = position = 0
        while first < len(self._of):
            raws: list[bytes] = []
            size = 0
            while first + len(raws) < len(self._of) and len(raws) < _BATCH_RECORDS and size < _BATCH_BYTES:
                raws.append(self._of.raw(first + len(raws)))
                size += len(raws[-1]) + 1
            position += size
            yield self._together(raws, first, position) or self._one_by_one(raws, first, position)
            first += len(raws)

    def _together(self, raws: Sequence[bytes], first: int, position: int) -> Block | None:
        """All of them, if each is beyond doubt one record."""
        if bisect_left(self._special, first) < bisect_left(self._special, first + len(raws)):
            return None
        data = b"\n".join(raws) + b"\n"
        verdict = None if BOM in data else clean(data, self._of.dialect, len(self._columns))
        if verdict is None or verdict.ends.tolist() != [end - 1 for end in accumulate(len(raw) + 1 for raw in raws)]:
            return None
        return self._block(verdict.data, [(first, len(raws))], (), raws, first, position, exact=False)

    def _one_by_one(self, raws: Sequence[bytes], first: int, position: int) -> Block:
        parts: list[bytes] = []
        runs: list[tuple[int, int]] = []
        faults: list[Fault] = []
        for ordinal, raw in enumerate(raws, start=first):
            one = self._record(ordinal, raw)
            if isinstance(one, Fault):
                faults.append(one)
                continue
            parts.append(one)
            if runs and sum(runs[-1]) == ordinal:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            else:
                runs.append((ordinal, 1))
        return self._block(b"".join(parts), runs, faults, raws, first, position, exact=True)

    def _block(
        self,
        data: bytes,
        runs: Sequence[tuple[int, int]],
        faults: Sequence[Fault],
        raws: Sequence[bytes],
        first: int,
        position: int,
        *,
        exact: bool,
    ) -> Block:
        return Block(
            data=data,
            rows=sum(count for _, count in runs),
            ordinals=tuple(runs),
            first_ordinal=first,
            count=len(raws),
            first_line=self._of.lines[first],
            offset=0,
            length=len(data),
            faults=tuple(faults),
            position=position,
            exact=exact,
        )

    def _record(self, ordinal: int, raw: bytes) -> bytes | Fault:
        """The record as it goes into a block, or what is wrong with it."""
        line = self._of.lines[ordinal]
        if (no := self._refused.get(ordinal)) is not None:
            return Fault(ordinal, line, no.sqlstate, no.message, raw, no.kind, no.column, no.constraint)
        if ordinal in self._of.unclear and (left := _PLACEHOLDER.search(raw)):
            message = f"{left.group().decode()} stands for a byte that could not be read and is still there"
            return Fault(ordinal, line, BAD_ENCODING, message, raw)
        try:
            block = block_of(raw + b"\n", self._of.dialect, self._columns, ordinal, line)
        except LineTooLong:
            return Fault(ordinal, line, BAD_FORMAT, "record is longer than 32 MiB", raw)
        if block.count != 1:
            what = f"holds {block.count} records instead of one" if block.count else "is empty"
            return Fault(ordinal, line, BAD_FORMAT, f"the corrected record {what}", raw)
        return block.faults[0] if block.faults else block.data
