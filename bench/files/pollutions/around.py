"""Pollutions of what stands around the records: lines above and below, and the header."""

from __future__ import annotations

from bench.files.draft import Draft, Piece, pollution
from bench.files.pollutions.common import delimited


@pollution("table", "nothing: the clean file")
def clean(d: Draft) -> None:
    pass


@pollution("table", "a title above the header")
def preamble_title(d: Draft) -> None:
    d.write().insert(0, Piece(f"Export of {d.table.name}"))
    d.hints.skip_lines = 1


@pollution("table", "a title, a date and a blank line above the header")
def preamble_lines(d: Draft) -> None:
    d.write()[:0] = [Piece("Monthly report, final version"), Piece("Created 2024-03-01 by R. Example"), Piece("")]
    d.hints.skip_lines = 3


@pollution("table", "names and values above the header")
def preamble_pairs(d: Draft) -> None:
    d.write()[:0] = [Piece("Report:,all rows"), Piece("Period:,2024"), Piece("Unit:,EUR")]
    d.hints.skip_lines = 3


@pollution("table", "a title padded with delimiters, as a spreadsheet writes it")
def preamble_padded(d: Draft) -> None:
    width = len(d.names) - 1
    d.write()[:0] = [Piece("Annual list" + "," * width), Piece("," * width)]
    d.hints.skip_lines = 2


@pollution("table", "a total below the records")
def footer_total(d: Draft) -> None:
    d.write()
    d.pieces.append(Piece("Total" + "," * (len(d.names) - 2) + ",12345.67"))
    d.hints.skip_footer = 1


@pollution("table", "a count of rows below the records")
def footer_count(d: Draft) -> None:
    d.write()
    d.pieces.append(Piece(f"({len(d.records)} rows)"))
    d.hints.skip_footer = 1


@pollution("table", "a blank line and notes below the records")
def footer_notes(d: Draft) -> None:
    d.write()
    d.pieces += [Piece(""), Piece("Source: own survey, 2024"), Piece("* preliminary value")]
    d.hints.skip_footer, d.hints.blank_footer = 3, 1


@pollution("table", "title above, notes below")
def preamble_and_footer(d: Draft) -> None:
    d.write().insert(0, Piece("Quarterly list"))
    d.pieces += [Piece(""), Piece("End of report")]
    d.hints.skip_lines, d.hints.skip_footer, d.hints.blank_footer = 1, 2, 1


@pollution("table", "units below the header")
def units_row(d: Draft) -> None:
    units = {"int": "[1]", "decimal": "[EUR]", "date": "[day]", "text": ""}
    d.write().insert(1, Piece(",".join(units[c.type] for c in d.table.columns)))
    d.hints.units = 1


@pollution("table", "groups of columns above the header")
def group_header(d: Draft) -> None:
    d.write().insert(0, Piece(",".join(["Keys"] + [""] * (len(d.names) - 2) + ["Details"])))
    d.hints.skip_lines = 1


@pollution("table", "Excel's line sep=;")
def sep_line(d: Draft) -> None:
    delimited(d, ";")
    d.write().insert(0, Piece("sep=;"))
    d.hints.skip_lines = 1


@pollution("table", "comments above the header")
def comments_above(d: Draft) -> None:
    d.write()[:0] = [Piece("# written by logger 2.1"), Piece("# all times are UTC, no DST")]
    d.hints.comment = "#"


@pollution("table", "comments between the records")
def comments_inside(d: Draft) -> None:
    d.write()
    for _ in range(3):
        d.pieces.insert(d.some(), Piece("# checked, all good"))
    d.hints.comment = "#"


@pollution("table", "blank lines between the records")
def blank_lines_inside(d: Draft) -> None:
    d.write()
    for _ in range(4):
        d.pieces.insert(d.some(), Piece(""))


@pollution("table", "blank lines at both ends")
def blank_lines_ends(d: Draft) -> None:
    d.write()[:0] = [Piece(""), Piece("")]
    d.pieces += [Piece(""), Piece(""), Piece("")]


@pollution("table", "lines of delimiters alone, as a spreadsheet writes its empty rows")
def delimiter_lines(d: Draft) -> None:
    d.write()
    d.pieces += [Piece("," * (len(d.names) - 1))] * 4
    d.hints.skip_footer = 4


@pollution("table", "no header")
def no_header(d: Draft) -> None:
    d.names = []
    d.hints.header = False


@pollution("table", "no header, delimiter ;")
def no_header_semicolon(d: Draft) -> None:
    d.names = []
    d.hints.header = False
    delimited(d, ";")


@pollution("table", "the header in capitals")
def header_capitals(d: Draft) -> None:
    d.names = [n.upper() for n in d.names]


@pollution("table", "the header in words: Customer Id")
def header_words(d: Draft) -> None:
    d.names = [n.replace("_", " ").title() for n in d.names]


@pollution("table", "the header in camelCase")
def header_camel(d: Draft) -> None:
    d.names = [n.split("_")[0] + "".join(w.title() for w in n.split("_")[1:]) for n in d.names]


@pollution("table", "the header again in the middle (files put together)")
def header_repeated(d: Draft) -> None:
    d.write()
    d.pieces.insert(len(d.pieces) // 2, d.header())
    d.hints.bad_rows = True


@pollution("table", "columns in another order than the table's")
def other_order(d: Draft) -> None:
    order = list(range(len(d.names)))
    d.rng.shuffle(order)
    d.write()
    for piece in d.pieces:
        fields = (
            [d.style.field(n) for n in d.names]
            if piece.header
            else [d.style.field(c.raw, c.value is None) for c in d.records[piece.record or 0].cells]
        )
        piece.text = ",".join(fields[i] for i in order)


@pollution("table", "a first column without a name: numbers of rows, as R and pandas write")
def row_numbers(d: Draft) -> None:
    d.write()
    for place, piece in enumerate(d.pieces):
        piece.text = ('""' if piece.header else f'"{place}"') + "," + piece.text
    d.hints.drop_field = ("",)


@pollution("table", "two empty columns without a name at the end")
def empty_columns(d: Draft) -> None:
    for piece in d.write():
        piece.text += ",,"
    d.hints.drop_field = ("",)
