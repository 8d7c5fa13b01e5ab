"""Pollutions by other delimiters."""

from __future__ import annotations

from bench.files.draft import EITHER, Draft, pollution
from bench.files.pollutions.common import delimited, without


@pollution("table", "delimiter ;")
def semicolon(d: Draft) -> None:
    delimited(d, ";")


@pollution("table", "delimiter ; and commas in many texts")
def semicolon_commas(d: Draft) -> None:
    delimited(d, ";")
    for row in d.values:
        for i, v in enumerate(row):
            if i and isinstance(v, str) and d.table.columns[i].name != "station_code":
                row[i] = v.replace("\n", " ").replace(" ", ", ")


@pollution("table", "delimiter tab")
def tab(d: Draft) -> None:
    delimited(d, "\t")


@pollution("table", "delimiter |")
def bar(d: Draft) -> None:
    delimited(d, "|")


@pollution("table", "delimiter #")
def hash_delimiter(d: Draft) -> None:
    delimited(d, "#")


@pollution("table", "delimiter blank")
def blank_delimiter(d: Draft) -> None:
    delimited(d, " ")
    d.style.null = '""'
    d.hints.empty_as_null = True


@pollution("table", "delimiter ^")
def caret(d: Draft) -> None:
    delimited(d, "^")


@pollution("table", "delimiter \\x01, nothing quoted")
def x01(d: Draft) -> None:
    without(d, "\n", '"')
    delimited(d, "\x01")
    d.style.quotes = False


@pollution("table", "delimiter || of two characters")
def two_bars(d: Draft) -> None:
    without(d, "\n", '"', "|")
    delimited(d, "||")
    d.style.quotes = False


@pollution("table", "delimiter ~|~ of three characters")
def tilde_bar(d: Draft) -> None:
    without(d, "\n", '"', "|")
    delimited(d, "~|~")
    d.style.quotes = False


@pollution("table", "every delimiter doubled")
def doubled_delimiters(d: Draft) -> None:
    delimited(d, ",,")
    without(d, "\n", '"', ",")
    d.style.quotes = False


@pollution("table", "a blank behind each delimiter")
def blank_behind(d: Draft) -> None:
    d.write()
    for piece in d.pieces:
        fields = (
            d.names
            if piece.header
            else [d.style.field(c.raw, c.value is None) for c in d.records[piece.record or 0].cells]
        )
        piece.text = ", ".join(fields)
    d.hints.skip_initial_blank = True


@pollution("table", "a delimiter at the end of each record, not of the header")
def trailing_delimiter(d: Draft) -> None:
    for piece in d.write():
        piece.text += "" if piece.header else ","
    d.hints.ragged, d.hints.trailing = "drop", True


@pollution("table", "a delimiter at the end of each line")
def trailing_delimiter_all(d: Draft) -> None:
    for piece in d.write():
        piece.text += ","
    d.hints.drop_field = ("",)


@pollution("table", "delimiter | at the end of each line, no header (dbgen)")
def dbgen(d: Draft) -> None:
    d.names = []
    without(d, "\n", '"', "|")
    delimited(d, "|")
    d.style.quotes = False
    for piece in d.write():
        piece.text += "|"
    d.hints.header, d.hints.ragged, d.hints.trailing = False, "drop", True


@pollution("table", "empty fields at the end of records are missing")
def short_rows(d: Draft) -> None:
    for piece in d.write():
        if piece.record is not None and piece.text.endswith(","):
            piece.text = piece.text.rstrip(",")
            d.records[piece.record].fate = EITHER
    d.hints.ragged = "fill"
