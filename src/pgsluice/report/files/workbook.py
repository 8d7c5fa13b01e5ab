"""Rejects as a workbook: a sheet for each table, in which every cell is a text and stays as it is typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from pgsluice.errors import CallError
from pgsluice.model import RejectSheet

_MOST_ROWS = 1_000_000
"""A sheet of Excel has 1,048,576 rows. Further rejects go into further sheets."""

_LONGEST_NAME = 31
_WIDTH, _NARROW = 24, 10


def write_workbook(file: BinaryIO, sheets: Iterable[RejectSheet], limit: int | None) -> None:
    """Writes rejects as an .xlsx file.

    :param file: where the workbook is written.
    :param limit: how many rows to write; None for all.
    :raises CallError: the package that writes workbooks is missing.
    """
    try:
        from xlsxwriter import Workbook
    except ImportError as error:
        raise CallError(
            "workbooks need a package that is not installed here", "Install it: pip install 'pgsluice[excel]'"
        ) from error
    # constant_memory writes each row at once, to a file on disk.
    with Workbook(file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        text, head = book.add_format({"num_format": "@"}), book.add_format({"bold": True, "num_format": "@"})
        names: set[str] = set()
        left = limit
        for sheet in sheets:
            rows = islice(sheet.rows, left)
            while (portion := _portion(rows)) is not None:
                page = book.add_worksheet(_name(sheet.table, names))
                page.freeze_panes(1, 2)
                page.set_column(0, len(sheet.header) - 1, _WIDTH, text)
                page.set_column(0, 1, _NARROW, text)
                for column, name in enumerate(sheet.header):
                    page.write_string(0, column, name, head)
                count = 0
                for count, row in enumerate(portion, start=1):
                    for column, value in enumerate(row):
                        if isinstance(value, str):
                            page.write_string(count, column, value, text)
                        else:
                            page.write_number(count, column, value)
                left = None if left is None else left - count
        if not names:
            book.add_worksheet("rejects")


def _portion(rows: Iterator[tuple[int | str, ...]]) -> Iterator[tuple[int | str, ...]] | None:
    """The rows of the next sheet; None if there are none."""
    first = next(rows, None)
    return None if first is None else islice(_chained(first, rows), _MOST_ROWS)


def _chained(first: tuple[int | str, ...], rest: Iterator[tuple[int | str, ...]]) -> Iterator[tuple[int | str, ...]]:
    yield first
    yield from rest


def _name(table: str, names: set[str]) -> str:
    """A name for a sheet that Excel takes, and that no sheet has yet."""
    plain = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", table).strip("'") or "rejects"
    number = 1
    while True:
        end = f" ({number})" if number > 1 else ""
        name = plain[: _LONGEST_NAME - len(end)] + end
        if name.lower() not in names and name.lower() != "history":
            names.add(name.lower())
            return name
        number += 1
