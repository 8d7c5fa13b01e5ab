"""Rejects as sheets with a column for each field, and the records that corrected sheets make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pgsluice.errors import CallError
from pgsluice.ledger.rejects import RejectRow
from pgsluice.ledger.replays import FileToReplay
from pgsluice.model import Dialect, Reject, RejectSheet, TableName
from pgsluice.options import restore_dialect
from pgsluice.pipeline.rejects.report_file import cut_from
from pgsluice.source.spreadsheets.cells import (
    ABOUT,
    WHOLE,
    Field,
    cell_of,
    divided,
    field_names,
    joined,
    shows_all,
    with_newlines,
)
from pgsluice.source.spreadsheets.formulas import guard, undo_guard
from pgsluice.source.spreadsheets.programs import lacks, may_be_made, rewritten
from pgsluice.source.spreadsheets.spool import Cell, SheetRow


class FileFields(NamedTuple):
    """The fields of a file of a run."""

    table: str
    dialect: Dialect
    columns: tuple[str, ...]
    """The columns of the table in the order of the fields; '' for a field that is left out."""
    names: tuple[str, ...]
    """The names of the fields in a sheet; '' for a field that is not shown."""

    def divide(self, raw: str) -> tuple[Field, ...] | None:
        """Divides a record; None if it is kept cut, or has a fault."""
        return None if cut_from(raw.encode()) is not None else divided(raw, self.dialect, self.columns)


def fields_of(file: FileToReplay, labels: Mapping[str, Sequence[str]]) -> FileFields:
    """The fields of a file.

    :param labels: the names of the fields by the path of the file, as far as the ledger has them.
    """
    columns = tuple(file.columns)
    table = str(TableName(file.table_schema, file.table_name))
    return FileFields(table, restore_dialect(file.dialect), columns, field_names(columns, labels.get(file.path, ())))


def sheets(rejects: Iterable[Reject], files: Mapping[str, FileFields]) -> Iterator[RejectSheet]:
    """Yields the rejects as a sheet for each table; the rows of a sheet are read before the next one.

    :param rejects: in load order, which is table by table.
    :param files: the fields of each file by its path.
    """
    for table, rows in groupby(rejects, key=lambda r: r.table):
        names = tuple(dict.fromkeys(name for f in files.values() if f.table == table for name in f.names if name))
        yield RejectSheet(table, (*ABOUT, WHOLE, *names), _sheet_rows(rows, files, names))


def _sheet_rows(
    rejects: Iterable[Reject], files: Mapping[str, FileFields], names: Sequence[str]
) -> Iterator[tuple[int | str, ...]]:
    for r in rejects:
        file = files[r.file]
        found = file.divide(r.raw)
        cells = {} if found is None else dict(zip(file.names, (cell_of(f.text) for f in found), strict=True))
        about = (r.original, r.reject_no, r.file, r.line, r.kind, r.column, r.message, r.detail)
        yield (*about, cell_of(r.raw) if found is None else "", *(cells.get(name, "") for name in names))


def guarded_sheet(sheet: RejectSheet) -> RejectSheet:
    """The sheet with its texts guarded against formulas."""
    header = tuple(f"guarded_{name}" if name == WHOLE else name for name in sheet.header)
    rows = (tuple(guard(cell) if isinstance(cell, str) else cell for cell in row) for row in sheet.rows)
    return RejectSheet(sheet.table, header, rows)


class SheetReader:
    """Makes records of the rows of a corrected sheet.

    :param path: the corrected file, for messages.
    :param encoding: its encoding.
    """

    def __init__(self, path: str, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self._orders = frozenset(("DMY", "MDY", "YMD"))
        self._restored: list[str] = []
        """The first cells that a program had rewritten."""
        self._count = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the file was read."""
        if not self._count:
            return ()
        what = (
            "1 cell that a spreadsheet program has" if self._count == 1 else f"{self._count:,} cells that a program has"
        )
        return (f"{what} rewritten keep the texts that they had: {'; '.join(self._restored)}",)

    def raw(self, reject: RejectRow, row: SheetRow, file: FileFields) -> str:
        """The record of a row.

        :raises CallError: it is not certain what was meant.
        """
        found = file.divide(reject.raw)
        cells = {name: cell for name, cell in row.cells.items() if cell.text or name in file.names}
        if unknown := next((name for name in cells if name not in file.names), ""):
            raise self._error(reject, f"its file has no field {unknown!r}", f"Take the column {unknown} out")
        if found is None:
            return self._whole(reject, row, cells, file)
        edited = {
            place: text
            for place, (name, field) in enumerate(zip(file.names, found, strict=True))
            if name in cells and (text := self._edited(reject, name, field.text, cells[name], row.guarded)) is not None
        }
        if row.whole:
            if edited:
                raise self._error(reject, "both the cell record and cells of fields were edited", "Undo one of the two")
            return self._unguarded(row.whole, row.guarded)
        if not edited:
            return reject.raw
        fields = [Field(edited[i], quoted=False) if i in edited else field for i, field in enumerate(found)]
        return self._joined(reject, fields, file)

    def _whole(self, reject: RejectRow, row: SheetRow, cells: Mapping[str, Cell], file: FileFields) -> str:
        """The record of a reject that could not be divided into fields."""
        filled = any(cell.text for cell in cells.values())
        if row.whole is None or (row.whole and not filled):
            whole = Cell(row.whole or "", kept=False)
            text = None if row.whole is None else self._edited(reject, WHOLE, reject.raw, whole, row.guarded)
            return reject.raw if text is None else text
        if row.whole:
            raise self._error(reject, "both the cell record and cells of fields have texts", "Empty one of the two")
        if "" in file.names or not filled:
            raise self._error(reject, "the cell record is empty", "Write the record into it, or take the line out")
        texts = [cells[name].text if name in cells else "" for name in file.names]
        fields = [Field(self._unguarded(text, row.guarded), quoted=False) for text in texts]
        return self._joined(reject, fields, file)

    def whole(self, reject: RejectRow, given: str) -> str:
        """The record that somebody wrote into the column raw.

        :raises CallError: the encoding of the file lacks characters of the record.
        """
        if given == reject.raw or not lacks(reject.raw, self._encoding):
            return given
        text = self._edited(reject, "raw", reject.raw, Cell(given, kept=False), guarded=False)
        return reject.raw if text is None else text

    def _joined(self, reject: RejectRow, fields: Sequence[Field], file: FileFields) -> str:
        raw = joined(fields, file.dialect, file.columns)
        if raw is None:
            raise self._error(
                reject, "its file has no way to write these fields", "Write the record into the cell record"
            )
        return raw

    def _edited(self, reject: RejectRow, name: str, text: str, cell: Cell, guarded: bool) -> str | None:
        """What somebody wrote into a cell; None if nobody did.

        :param text: the text that the cell showed.
        """
        shown, now = cell_of(text), with_newlines(cell.text)
        if now in (shown, guard(shown)):
            return None
        if not cell.kept and self._was_rewritten(reject, shown, now):
            return None
        if not shows_all(text) or lacks(shown, self._encoding):
            why = "characters that the file's encoding lacks" if shows_all(text) else "more than a cell shows"
            raise self._error(
                reject, f"{name} was edited, and has {why}", "Correct it in the column raw of --format csv, in UTF-8"
            )
        if not cell.kept and may_be_made(shown, now):
            raise self._error(
                reject,
                f"{name} is {now} where it was {shown}: a spreadsheet program may have written that",
                "Correct it in a workbook (pgsluice rejects --format xlsx), whose cells keep what is typed",
            )
        return self._unguarded(now, guarded)

    def _was_rewritten(self, reject: RejectRow, shown: str, now: str) -> bool:
        orders = rewritten(shown, now, self._encoding)
        if orders is None:
            return False
        if orders:
            if not self._orders & orders:
                raise self._error(
                    reject,
                    f"{now} was {shown}, which other dates of the file contradict: day and month are exchanged",
                    "Correct dates in a workbook (pgsluice rejects --format xlsx), whose cells keep what is typed",
                )
            self._orders &= orders
        self._count += 1
        if len(self._restored) < 3:
            self._restored.append(f"{shown}, saved as {now}")
        return True

    @staticmethod
    def _unguarded(text: str, guarded: bool) -> str:
        return undo_guard(text) if guarded else text

    def _error(self, reject: RejectRow, what: str, remedy: str) -> CallError:
        where = f"reject {reject.number} ({reject.file}:{reject.line})"
        return CallError(f"{self._path}: {where}: {what}; nothing was loaded", remedy)
