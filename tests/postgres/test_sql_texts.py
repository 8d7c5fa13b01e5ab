"""The texts of ``sql/*.sql``: functions and tables of PostgreSQL have their schema."""

from __future__ import annotations

import re
from importlib import resources

import pytest

FILES = sorted(f.name for f in resources.files("pgsluice.sql").iterdir() if f.name.endswith(".sql"))
GRAMMAR = {"coalesce", "nullif", "greatest", "least", "position", "unnest"}
"""Functions that the grammar knows; ``unnest`` with several arguments is another (gram.y, parse_clause.c)."""


@pytest.mark.parametrize("file", FILES)
def test_tables_of_postgresql_are_qualified(file: str) -> None:
    text = resources.files("pgsluice.sql").joinpath(file).read_text()
    code = re.sub(r"'(?:[^']|'')*'|--[^\n]*", "", text)
    assert re.findall(r"(?<![\w.])pg_(?!catalog\b|temp\b)\w+", code) == []


@pytest.mark.parametrize("file", FILES)
def test_functions_are_qualified(file: str) -> None:
    text = resources.files("pgsluice.sql").joinpath(file).read_text()
    code = re.sub(r"'(?:[^']|'')*'|--[^\n]*", "", text)
    called = re.findall(r"(?<![\w.{%])([a-z_]+)\(", code)
    assert [name for name in called if name not in GRAMMAR] == []
