"""Sheets of workbooks as CSV: Excel (.xlsx, .xlsm, .xlsb, .xls) and OpenDocument (.ods).

A cell becomes a text that PostgreSQL reads as the value of the cell, not as Excel shows it: dates in ISO 8601, whole
numbers without ``.0``, other numbers with the digits that identify them, ``true`` and ``false``. Values are quoted, an
empty cell is NULL, and the error of a formula stands without quotes, so that ``--null '#N/A'`` can mean it.
"""

from __future__ import annotations

import datetime
import html
import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from pgsluice.errors import FileError
from pgsluice.source.spreadsheets.spool import Cell
from pgsluice.source.unpack.tables import csv_line

if TYPE_CHECKING:
    import zipfile

_PIECE_BYTES = 1 << 20

_ERROR = re.compile(rb'<c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]+)([0-9]+)"[^>]*>(?:(?!</c>).)*?<v>([^<]*)</v>', re.DOTALL)
"""A cell with an error in the XML of a sheet (ECMA-376 part 1, 18.3.1.4)."""


class Sheet(NamedTuple):
    """A sheet of a workbook."""

    name: str
    hidden: bool


def sheets_of(path: str, file: BinaryIO) -> list[Sheet]:
    """The sheets of a workbook that have cells, in its order.

    :raises FileError: the file is no workbook, is protected by a password, or the package to read it is missing.
    """
    workbook = _open(path, file)
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    found = []
    for sheet in workbook.sheets_metadata:
        if sheet.typ is SheetTypeEnum.WorkSheet:
            found.append(Sheet(sheet.name, sheet.visible is not SheetVisibleEnum.Visible))
    return found


def sheet_pieces(path: str, file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yields a sheet as CSV: a line for each row of the sheet, from its first row on.

    :raises FileError: the workbook cannot be read, or has no such sheet.
    """
    workbook = _open(path, file)
    if name not in workbook.sheet_names:
        raise FileError(
            f"{path}: the workbook has no sheet {name}", f"Its sheets are {', '.join(workbook.sheet_names)}"
        )
    sheet = workbook.get_sheet_by_name(name)
    if sheet.start is None:
        return
    errors = _errors(file, name)
    top, left = sheet.start
    parts = ["\n" * top]
    size = 0
    for number, row in enumerate(sheet.iter_rows(), start=top):
        line = csv_line([_text(value) for value in row]) if any(value != "" for value in row) else "\n"
        if number in errors:
            line = _with_errors(row, errors[number], left)
        parts.append(line)
        size += len(line)
        if size > _PIECE_BYTES:
            yield "".join(parts).encode()
            parts, size = [], 0
    yield "".join(parts).encode()


def sheet_cells(path: str, file: BinaryIO, name: str) -> Iterator[tuple[int, list[Cell]]]:
    """Yields the rows of a sheet that are not empty: their numbers from 1, and their cells from the first column on.

    :raises FileError: the workbook cannot be read.
    """
    sheet = _open(path, file).get_sheet_by_name(name)
    if sheet.start is None:
        return
    errors = _errors(file, name)
    top, left = sheet.start
    for number, row in enumerate(sheet.iter_rows(), start=top):
        cells = [Cell("", kept=True)] * left + [Cell(_text(v) or "", kept=isinstance(v, str)) for v in row]
        for column, error in errors.get(number, {}).items():
            cells[column] = Cell(error, kept=False)
        if any(cell.text for cell in cells):
            yield number + 1, cells


def _open(path: str, file: BinaryIO) -> Any:
    try:
        from python_calamine import CalamineError, CalamineWorkbook, PasswordError
    except ImportError as error:
        raise FileError(
            f"{path}: workbooks need a package that is not installed here", "Install it: pip install 'pgsluice[excel]'"
        ) from error
    try:
        file.seek(0)
        return CalamineWorkbook.from_filelike(file)
    except PasswordError as error:
        raise FileError(f"{path}: the workbook is protected by a password", "Save it without one") from error
    except CalamineError as error:
        raise FileError(
            f"{path}: this is no workbook that pgsluice reads ({error})", "Save it as .xlsx or CSV"
        ) from error


def _text(value: Any) -> str | None:
    """A cell as text; None for an empty cell."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, datetime.timedelta):
        sign, value = ("-", -value) if value < datetime.timedelta() else ("", value)
        minutes, seconds = divmod(value.seconds, 60)
        fraction = f".{value.microseconds:06}" if value.microseconds else ""
        return f"{sign}{value.days * 24 + minutes // 60}:{minutes % 60:02}:{seconds:02}{fraction}"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def _with_errors(row: list[Any], errors: dict[int, str], left: int) -> str:
    """The record of a row that has errors.

    :param errors: the texts of the errors by the number of their column in the sheet.
    :param left: the number of the first column of the row.
    """
    fields = []
    for column, value in enumerate(row, start=left):
        fields.append(errors[column] if column in errors else csv_line([_text(value)])[:-1])
    return ",".join(fields) + "\n"


def _errors(file: BinaryIO, name: str) -> dict[int, dict[int, str]]:
    """The errors of a sheet of an .xlsx file by row and column from 0. calamine reads them as empty cells."""
    import zipfile

    file.seek(0)
    found: dict[int, dict[int, str]] = {}
    if not zipfile.is_zipfile(file):
        return found
    with zipfile.ZipFile(file) as archive:
        place = _place(archive, name)
        if place is None:
            return found
        with archive.open(place) as sheet:
            rest = b""
            while data := sheet.read(_PIECE_BYTES):
                # A cell may stand across two pieces.
                text = rest + data
                behind = text.rfind(b"</c>") + 4
                for match in _ERROR.finditer(text, 0, max(behind, 0)):
                    column = 0
                    for letter in match[1]:
                        column = 26 * column + letter - 64
                    found.setdefault(int(match[2]) - 1, {})[column - 1] = html.unescape(match[3].decode())
                rest = text[max(behind, 4) :] if behind >= 4 else text
    return found


def _place(archive: zipfile.ZipFile, name: str) -> str | None:
    """The member of an .xlsx file that holds a sheet; None if it is not found."""
    names = archive.namelist()
    if "xl/workbook.xml" not in names or "xl/_rels/workbook.xml.rels" not in names:
        return None
    for tag in re.findall(r"<(?:\w+:)?sheet\b[^>]*>", archive.read("xl/workbook.xml").decode()):
        given = dict(re.findall(r'([\w:]+)="([^"]*)"', tag))
        if html.unescape(given.get("name", "")) != name:
            continue
        key = next((value for key, value in given.items() if key.endswith(":id")), "")
        for relation in re.findall(r"<Relationship\b[^>]*>", archive.read("xl/_rels/workbook.xml.rels").decode()):
            attributes = dict(re.findall(r'(\w+)="([^"]*)"', relation))
            if attributes.get("Id") == key:
                target = attributes["Target"]
                path = target.lstrip("/") if target.startswith("/") else posixpath.normpath("xl/" + target)
                return path if path in names else None
    return None
