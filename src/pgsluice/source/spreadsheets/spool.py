"""What a corrected file says of each reject, on disk until the records are loaded."""

from __future__ import annotations

import json
import os
import tempfile
from array import array
from collections.abc import Mapping
from typing import IO, NamedTuple


class Cell(NamedTuple):
    """A cell of a sheet."""

    text: str
    kept: bool
    """The program keeps the text as it was typed: a text cell of a workbook. Other cells may have been rewritten."""


class SheetRow(NamedTuple):
    """A row of a sheet that has a column for each field."""

    whole: str | None
    """The whole record, if somebody wrote it into one cell; None if the sheet has no such column."""
    guarded: bool
    """The texts are guarded against formulas."""
    cells: Mapping[str, Cell]
    """The cells of the fields by the names of their columns."""


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
        self._by_field = array("b")
        self.sha256 = ""
        """SHA-256 of the corrected file, in hexadecimal."""
        self.encoding = "utf-8"
        """The encoding of the corrected file."""

    def add(self, given: str | SheetRow) -> None:
        """Appends a record, or a row of a sheet, which :meth:`replace` later makes a record of."""
        self._by_field.append(isinstance(given, SheetRow))
        raw = (json.dumps(given) if isinstance(given, SheetRow) else given).encode()
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

    def row(self, place: int) -> SheetRow | None:
        """The row of a sheet; None if the corrected file has a whole record."""
        if not self._by_field[self._order[place]]:
            return None
        whole, guarded, cells = json.loads(self.raw(place))
        return SheetRow(whole, guarded, {name: Cell(*cell) for name, cell in cells.items()})

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
