"""Reads corrected rejects: a CSV file or a workbook, with whole records or with a column for each field."""

from __future__ import annotations

import codecs
import csv
import hashlib
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from pgsluice.errors import CallError, FileError
from pgsluice.source.encodings.detect import find_encoding
from pgsluice.source.places.addresses import translated
from pgsluice.source.records.lines import raise_field_limit
from pgsluice.source.spreadsheets.cells import ABOUT, GUARDED_WHOLE, NUMBER, RUN, WHOLE
from pgsluice.source.spreadsheets.formulas import GUARDED_RAW, undo_guard
from pgsluice.source.spreadsheets.spool import Cell, SheetRow, Spool
from pgsluice.source.unpack.workbooks import sheet_cells, sheets_of

_PIECE_BYTES = 1 << 20
_OLD_NUMBER = "reject"
"""The column ``reject_no`` in reports of pgsluice 0.1 and 0.2."""

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""How workbooks begin: .xlsx and .ods, .xls."""


def read_corrected(path: str, run_id: int, encoding: str | None = None) -> Spool:
    """Reads a corrected file: CSV or a workbook with a header, as a spreadsheet program or an editor may write it.

    :param run_id: the run whose rejects the file corrects.
    :param encoding: the encoding of a CSV file; None: it is found.
    :returns: the records; the caller closes the spool.
    :raises FileError: the file cannot be read, or lacks a column of a report.
    :raises CallError: a record belongs to another run, or two records correct the same reject.
    """
    raise_field_limit()
    spool = Spool()
    numbers, lines = array("q"), array("q")
    try:
        for line, number, given in _given(path, run_id, encoding, spool):
            numbers.append(number)
            lines.append(line)
            spool.add(given)
        spool.sort(numbers)
        for place, (number, after) in enumerate(pairwise(spool.numbers)):
            if number == after:
                here, there = lines[spool.added(place)], lines[spool.added(place + 1)]
                raise CallError(
                    f"{path}: lines {here} and {there} both correct reject {number}", "Take one of them out"
                )
    except UnicodeDecodeError as error:
        spool.close()
        raise FileError(
            f"{path}: not {(encoding or 'UTF-8').upper()} ({error.reason})", "Save it as CSV in UTF-8"
        ) from error
    except csv.Error as error:
        spool.close()
        raise FileError(f"{path}: no CSV file ({error})", "Save it as CSV in UTF-8") from error
    except BaseException:
        spool.close()
        raise
    return spool


def run_of(path: str, encoding: str | None = None) -> int:
    """The run that the first row of a corrected file names.

    :param encoding: the encoding of a CSV file; None: it is found.
    :raises FileError: the file cannot be read, or has no column with a run.
    :raises CallError: the file has no row, or its first row names no run.
    """
    raise_field_limit()
    try:
        for table in _tables(path, encoding, None):
            _, head = next(table.rows, (1, []))
            first = next((cells for _, cells in table.rows if any(cell.text for cell in cells)), None)
            place = _layout(table.path, [cell.text for cell in head], None).run
            if first is None:
                continue
            if place < len(first) and first[place].text.strip().isdecimal():
                return int(first[place].text)
            raise CallError(f"{table.path}: the first row names no run", f"Name it: pgsluice replay RUN {path}")
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path}: no CSV file ({error})", "Save it as CSV in UTF-8") from error
    raise CallError(f"{path}: no records to replay", "Correct the column raw, and leave the lines in")


class _Table(NamedTuple):
    """A CSV file, or a sheet of a workbook."""

    path: str
    """What messages call it."""
    rows: Iterator[tuple[int, list[Cell]]]
    """The lines and their cells, the header first."""


def _tables(path: str, encoding: str | None, spool: Spool | None) -> Iterator[_Table]:
    """Yields the tables of a corrected file.

    :param spool: gets the hash and the encoding of the file.
    """
    with translated(path), open(path, "rb") as whole:
        if spool is not None:
            spool.sha256 = hashlib.file_digest(whole, "sha256").hexdigest()
            whole.seek(0)
        if whole.read(8).startswith(_WORKBOOKS):
            for sheet in sheets_of(path, whole):
                yield _Table(f"{path}, sheet {sheet.name}", sheet_cells(path, whole, sheet.name))
            return
    found = _checked(encoding) if encoding else _found(path)
    if spool is not None:
        spool.encoding = found
    with translated(path), open(path, newline="", encoding=found) as text:
        yield _Table(path, _lines(text))


def _given(path: str, run_id: int, encoding: str | None, spool: Spool) -> Iterator[tuple[int, int, str | SheetRow]]:
    """Yields the line, the number of the reject, and what the file says of it."""
    for table in _tables(path, encoding, spool):
        yield from _rows(table.path, table.rows, run_id)


def _checked(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise CallError(
            f"there is no encoding {encoding!r}", "Name one that Python knows: cp1252, for example"
        ) from error


def _found(path: str) -> str:
    """The encoding of a CSV file."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    with translated(path), open(path, "rb") as file:
        head = file.read(_PIECE_BYTES)
        piece = head
        try:
            while piece:
                decode(piece)
                piece = file.read(_PIECE_BYTES)
            decode(b"", True)
        except UnicodeDecodeError:
            pass
        else:
            return "utf-8-sig"
    try:
        found = find_encoding(path, [head, piece], partial(_open, path)).encoding
    except FileError as error:
        raise FileError(
            f"{path}: not UTF-8, and its encoding is not certain",
            "Save it as a workbook (.xlsx) or as CSV in UTF-8, or name the encoding: --encoding cp1252",
        ) from error
    return "utf-8-sig" if found == "utf-8" else found


def _open(path: str) -> BinaryIO:
    return open(path, "rb")


def _lines(text: Iterable[str]) -> Iterator[tuple[int, list[Cell]]]:
    """Yields the line and the cells of every record of a CSV file."""
    lines = iter(text)
    head = next(lines, "")
    # Spreadsheets write the list separator of the user's locale.
    delimiter = max(",;\t", key=head.count)
    names = next(csv.reader([head], delimiter=delimiter), [])
    yield 1, [Cell(name, kept=False) for name in names]
    reader = csv.reader(lines, delimiter=delimiter)
    line = 2
    for cells in reader:
        yield line, [Cell(cell, kept=False) for cell in cells]
        line = reader.line_num + 2


class _Layout(NamedTuple):
    """Which columns a file has."""

    names: list[str]
    run: int
    number: int
    whole: int | None
    """The column with whole records; None if there is none."""
    guarded: bool
    by_field: bool
    """The records are divided into a column for each field."""


def _rows(path: str, rows: Iterator[tuple[int, list[Cell]]], run_id: int) -> Iterator[tuple[int, int, str | SheetRow]]:
    _, head = next(rows, (1, []))
    layout = _layout(path, [cell.text for cell in head], run_id)
    needed = max(layout.run, layout.number, -1 if layout.whole is None else layout.whole)
    for line, cells in rows:
        if not any(cell.text for cell in cells):
            continue
        if len(cells) <= needed:
            raise FileError(f"{path}:{line}: {len(cells)} cells instead of {len(layout.names)}", "Mend the line")
        run, reject = cells[layout.run].text, cells[layout.number].text
        if not (run.strip().isdecimal() and reject.strip().isdecimal()):
            raise CallError(
                f"{path}:{line}: no numbers in the columns {RUN} and {layout.names[layout.number]}",
                "Mend or remove the line",
            )
        if int(run) != run_id:
            raise CallError(f"{path}:{line}: this is a reject of run {int(run)}, not of run {run_id}", "Remove it")
        if int(reject) > sys.maxsize:
            raise CallError(f"{path}:{line}: run {run_id} has no reject {int(reject)}", "Remove the line")
        whole = None if layout.whole is None else cells[layout.whole].text
        if layout.by_field:
            fields = {
                name: cell
                for name, cell in zip(layout.names, cells, strict=False)
                if name and name not in (*ABOUT, WHOLE, GUARDED_WHOLE)
            }
            if surplus := next((cell.text for cell in cells[len(layout.names) :] if cell.text), ""):
                raise FileError(f"{path}:{line}: the cell {surplus!r} has no name in the first line", "Mend the line")
            yield line, int(reject), SheetRow(whole, layout.guarded, fields)
        else:
            assert whole is not None
            yield line, int(reject), undo_guard(whole) if layout.guarded else whole


def _layout(path: str, names: Sequence[str], run_id: int | None) -> _Layout:
    """Finds the columns of a file.

    :raises FileError: a column is missing, or two columns say the same.
    """
    if GUARDED_RAW in names and "raw" in names:
        raise FileError(f"{path}: the columns raw and {GUARDED_RAW}", "Keep the column that you have corrected")
    number = NUMBER if NUMBER in names else _OLD_NUMBER
    by_field = "raw" not in names and GUARDED_RAW not in names and (WHOLE in names or GUARDED_WHOLE in names)
    guarded = next((name for name in (GUARDED_WHOLE if by_field else GUARDED_RAW,) if name in names), "")
    whole = guarded or (WHOLE if by_field else "raw")
    for name in (RUN, number, whole):
        if name not in names:
            raise FileError(
                f"{path}: no column {NUMBER if name == number else name!r} in its first line",
                f"Take a file of pgsluice rejects {run_id or 'RUN'} --format csv or --format xlsx, and keep"
                f" its columns {RUN}, {NUMBER} and {whole}",
            )
    twice = next((name for name in names if name and names.count(name) > 1), "")
    if by_field and twice:
        raise FileError(f"{path}: the first line has the column {twice!r} twice", "Take one of them out")
    return _Layout(list(names), names.index(RUN), names.index(number), names.index(whole), bool(guarded), by_field)
