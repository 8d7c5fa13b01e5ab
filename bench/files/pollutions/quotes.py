"""Pollutions by other quotes and escapes."""

from __future__ import annotations

from bench.files.draft import NAMED, Draft, pollution
from bench.files.pollutions.common import delimited, without


@pollution("table", "quote '")
def single_quotes(d: Draft) -> None:
    d.style.quote = d.hints.quote = "'"


@pollution("table", "all fields in quotes '")
def single_quotes_all(d: Draft) -> None:
    d.style.quote = d.hints.quote = "'"
    d.style.all_quoted = True
    d.hints.empty_as_null = True


@pollution("table", "all fields in quotes")
def all_quoted(d: Draft) -> None:
    d.style.all_quoted = True
    d.hints.empty_as_null = True


@pollution("table", "all fields in quotes, delimiter ;")
def all_quoted_semicolon(d: Draft) -> None:
    d.style.all_quoted = True
    d.hints.empty_as_null = True
    delimited(d, ";")


@pollution("table", "quotes are characters as others, delimiter tab")
def bare_quotes(d: Draft) -> None:
    without(d, "\n", "\t")
    delimited(d, "\t")
    d.style.quotes = False
    d.hints.quote = ""
    for row in d.values:
        for i, v in enumerate(row):
            if i and isinstance(v, str) and d.table.columns[i].name != "station_code" and d.rng.random() < 0.2:
                row[i] = d.rng.choice((f'"{v}', f'{v} 5"', f'"{v}" x', f'a "{v}"'))


@pollution("table", "missing quotes: texts with delimiters are not quoted")
def missing_quotes(d: Draft) -> None:
    without(d, "\n", '"')
    d.style.quotes = False
    d.write()
    for piece in d.pieces:
        record = d.records[piece.record] if piece.record is not None else None
        if record and any("," in c.raw for c in record.cells):
            record.fate = NAMED
    d.hints.bad_rows = True


@pollution("table", "backslash before quotes in quoted fields (mysqldump)")
def backslash_quotes(d: Draft) -> None:
    d.style.escape = d.hints.escape = "\\"
    d.style.all_quoted = True
    d.style.null = ""
    d.write()
    for piece in d.pieces:
        if piece.record is not None:
            cells = d.records[piece.record].cells
            piece.text = ",".join("\\N" if c.value is None else d.style.field(c.raw) for c in cells)
            for c in cells:
                c.raw = "\\N" if c.value is None else c.raw
    d.hints.null = ("\\N",)


@pollution("table", "backslash before delimiters, nothing quoted")
def backslash_delimiters(d: Draft) -> None:
    without(d, "\n", '"')
    d.style.quotes = False
    d.hints.escape, d.hints.quote = "\\", ""
    for piece in d.write():
        if piece.record is not None:
            piece.text = ",".join(c.raw.replace(",", "\\,") for c in d.records[piece.record].cells)


@pollution("table", "PostgreSQL's text format, with a header")
def copy_text(d: Draft) -> None:
    delimited(d, "\t")
    d.style.quotes = False
    d.style.null = "\\N"
    d.hints.text_format = d.hints.header = True
    d.hints.null = ("\\N",)
    for piece in d.write():
        if piece.record is not None:
            cells = d.records[piece.record].cells
            piece.text = "\t".join("\\N" if c.value is None else c.raw.replace("\n", "\\n") for c in cells)
