"""Grids on a narrow terminal: names stay whole where there is room, and are divided behind a mark otherwise."""

from __future__ import annotations

import io
import re

import pytest

from pgsluice.report.parts import Grid, Line, columns_of, wrapped, write

FILES = Grid(
    ("file", "table", "delimiter", "NULL is"),
    (
        ("clean/customers.csv", "customers", "comma", "empty, unquoted; or 'n/a', unquoted"),
        ("clean/products.csv", "products", "comma", "empty, unquoted"),
    ),
    wrap=True,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(grid: Grid, width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    out = Terminal()
    write([grid], out)
    return re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())


@pytest.mark.parametrize("width", [56, 80, 160])
def test_file_names_stay_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(FILES, width, monkeypatch)
    assert all(columns_of(line.rstrip()) <= width for line in text.splitlines())
    for word in ("clean/customers.csv", "clean/products.csv", "customers ", "products ", "delimiter"):
        assert word in text


def test_a_name_that_does_not_fit_is_divided_behind_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "exports_of_the_quarter/archive/customers-2026-11-26-from-the-old-system.csv"
    grid = Grid(("file", "table"), ((path, "customers"),), wrap=True)
    text = shown(grid, 50, monkeypatch)
    assert "exports_of_the_quarter/archive/" in text
    assert all(columns_of(line.rstrip()) <= 50 for line in text.splitlines())
    assert wrapped(Line(path), 34) == [
        "exports_of_the_quarter/archive/",
        "customers-2026-11-26-from-the-old-",
        "system.csv",
    ]
