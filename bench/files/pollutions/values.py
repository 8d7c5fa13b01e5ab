"""Pollutions by other notations of the values."""

from __future__ import annotations

from bench.files.draft import Draft, pollution
from bench.files.pollutions.common import delimited


@pollution("values", "decimal commas, delimiter ;")
def decimal_comma(d: Draft) -> None:
    delimited(d, ";")
    d.style.decimal = d.hints.decimal = ","


@pollution("values", "1.234,50: points between thousands, decimal comma, delimiter ;")
def thousands_point(d: Draft) -> None:
    delimited(d, ";")
    d.style.decimal = d.hints.decimal = ","
    d.style.thousands = d.hints.thousands = "."


@pollution("values", "1,234.50: commas between thousands, in quotes")
def thousands_comma(d: Draft) -> None:
    d.style.thousands = d.hints.thousands = ","


def _dated(d: Draft, form: str) -> None:
    d.style.date = d.hints.date_format = form


@pollution("values", "dates 31.12.2024, delimiter ;")
def dates_dotted(d: Draft) -> None:
    delimited(d, ";")
    _dated(d, "%d.%m.%Y")


@pollution("values", "dates 31/12/2024")
def dates_day_first(d: Draft) -> None:
    _dated(d, "%d/%m/%Y")


@pollution("values", "dates 12/31/2024")
def dates_month_first(d: Draft) -> None:
    _dated(d, "%m/%d/%Y")


@pollution("values", "dates 05/04/2024, day first, no day above 12")
def dates_ambiguous(d: Draft) -> None:
    for row in d.values:
        for i, v in enumerate(row):
            if d.table.columns[i].type == "date" and v is not None:
                row[i] = v.replace(day=1 + v.day % 12)
    _dated(d, "%d/%m/%Y")
    d.unreadable_unhinted = True


@pollution("values", "dates 20240131")
def dates_compact(d: Draft) -> None:
    _dated(d, "%Y%m%d")


@pollution("values", "NULL as \\N")
def null_n(d: Draft) -> None:
    d.style.null = "\\N"
    d.hints.null = ("\\N",)


@pollution("values", "NULL as the word NULL")
def null_word(d: Draft) -> None:
    d.style.null = "NULL"
    d.hints.null = ("NULL",)


@pollution("values", "NULL as NA")
def null_na(d: Draft) -> None:
    d.style.null = "NA"
    d.hints.null = ("NA",)


@pollution("values", "NULL as - in each column")
def null_dash(d: Draft) -> None:
    d.style.null = "-"
    d.hints.null = ("-",)


@pollution("values", "blanks around the values: columns padded to a width")
def padded(d: Draft) -> None:
    d.write()
    for piece in d.pieces:
        fields = (
            d.names
            if piece.header
            else [d.style.field(c.raw, c.value is None) for c in d.records[piece.record or 0].cells]
        )
        piece.text = ",".join(f if '"' in f else f"{f:<12}" for f in fields)
    d.hints.trim = True


@pollution("values", "integers with .0, as pandas writes columns with gaps")
def float_integers(d: Draft) -> None:
    d.hints.integer_decimals = True
    for piece in d.write():
        if piece.record is not None:
            cells = d.records[piece.record].cells
            for cell, column in list(zip(cells, d.table.columns, strict=True))[1:]:
                if column.type == "int" and cell.value is not None and column.name not in ("customer_id",):
                    cell.raw += ".0"
            piece.text = d.line(d.records[piece.record])
