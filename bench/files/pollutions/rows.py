"""Pollutions of single records in a file that is clean otherwise."""

from __future__ import annotations

from collections.abc import Callable

from bench.files.draft import EITHER, GOOD, NAMED, Draft, Record, pollution


def _texts(record: Record) -> list[int]:
    """The fields of a record that hold text, the key left out."""
    return [i for i, c in enumerate(record.cells) if i and isinstance(c.value, str)]


def _has_text(record: Record) -> bool:
    return bool(_texts(record))


def _with(mark: str) -> Callable[[Record], bool]:
    return lambda record: any(mark in record.cells[i].raw for i in _texts(record))


def _text_place(d: Draft) -> tuple[int, int, list[str]]:
    """A record that has a text, the last field with a text, and the record's fields."""
    place = d.some(lambda r: _has_text(r) and "\n" not in "".join(c.raw for c in r.cells))
    record = d.records[d.pieces[place].record or 0]
    return place, _texts(record)[-1], d.fields(place)


def _set_text(d: Draft, place: int, i: int, value: str) -> list[str]:
    """Gives a text field another value; returns the fields."""
    cell = d.records[d.pieces[place].record or 0].cells[i]
    cell.value = cell.raw = value
    return d.fields(place)


def _bad(d: Draft) -> None:
    d.hints.bad_rows = True


@pollution("row", "a record lacks a delimiter")
def missing_delimiter(d: Draft) -> None:
    d.write()
    place = d.some()
    fields = d.fields(place)
    d.spoil(place, ",".join([fields[0] + fields[1], *fields[2:]]))
    _bad(d)


@pollution("row", "a record lacks the delimiter behind a quoted field")
def missing_delimiter_quoted(d: Draft) -> None:
    d.write()
    place, i, fields = _text_place(d)
    i = min(i, len(fields) - 2)
    text = fields[i] if fields[i].startswith('"') else f'"{fields[i]}"'
    d.spoil(place, ",".join([*fields[:i], text + fields[i + 1], *fields[i + 2 :]]))
    _bad(d)


@pollution("row", "a record has a doubled delimiter")
def doubled_delimiter(d: Draft) -> None:
    d.write()
    place = d.some(lambda r: r.cells[-1].value is not None)
    fields = d.fields(place)
    d.spoil(place, ",".join([fields[0], "", *fields[1:]]))
    _bad(d)


@pollution("row", "a record ends early")
def short_row(d: Draft) -> None:
    d.write()
    place = d.some(lambda r: r.cells[-1].value is not None)
    d.spoil(place, ",".join(d.fields(place)[:-2]))
    _bad(d)


@pollution("row", "a record has a field too many")
def long_row(d: Draft) -> None:
    d.write()
    place = d.some()
    d.spoil(place, ",".join([*d.fields(place), "surplus"]))
    _bad(d)


@pollution("row", "a record has other delimiters")
def other_delimiter(d: Draft) -> None:
    d.write()
    place = d.some()
    d.spoil(place, ";".join(d.fields(place)))
    _bad(d)


@pollution("row", "a closing quote is missing")
def missing_closing_quote(d: Draft) -> None:
    d.write()
    place, i, fields = _text_place(d)
    fields[i] = '"' + fields[i].strip('"')
    d.spoil(place, ",".join(fields))
    _bad(d)


@pollution("row", "an opening quote is missing before a text with a delimiter")
def missing_opening_quote(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, "north, then east")
    fields[i] = fields[i][1:]
    d.spoil(place, ",".join(fields))
    _bad(d)


@pollution("row", 'quotes around a field are doubled: ""text""')
def doubled_quotes(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, "simple words")
    fields[i] = f'""{fields[i]}""'
    d.spoil(place, ",".join(fields))
    _bad(d)


@pollution("row", "a quote in the middle of an unquoted field")
def quote_inside(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, '5" pipe')
    fields[i] = '5" pipe'
    d.spoil(place, ",".join(fields), GOOD)


@pollution("row", "quotes inside of a quoted field are not doubled")
def quotes_not_doubled(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, 'the "big" one')
    fields[i] = '"the "big" one"'
    d.spoil(place, ",".join(fields))
    _bad(d)


@pollution("row", "a record has quotes '")
def other_quotes(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, "up, then down")
    fields[i] = "'up, then down'"
    d.spoil(place, ",".join(fields))
    _bad(d)


@pollution("row", "a backslash before a quote in one field")
def backslash_quote(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, 'the "big" one')
    fields[i] = '"the \\"big\\" one"'
    d.spoil(place, ",".join(fields))
    _bad(d)


@pollution("row", "blanks between a delimiter and a quoted text with a delimiter")
def blank_before_quote(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, "left, then right")
    fields[i] = " " + fields[i]
    d.spoil(place, ",".join(fields))
    _bad(d)


@pollution("row", "a word where a number or a date belongs")
def bad_field(d: Draft) -> None:
    d.write()
    place = d.some()
    typed = [i for i, c in enumerate(d.table.columns) if i and c.type != "text"]
    i = d.rng.choice(typed)
    d.records[d.pieces[place].record or 0].cells[i].raw = "unknown"
    d.spoil(place, ",".join(d.fields(place)))
    _bad(d)


@pollution("row", "a date that does not exist")
def bad_date(d: Draft) -> None:
    d.write()
    (i, *_) = [i for i, c in enumerate(d.table.columns) if c.type == "date"]
    place = d.some(lambda r: r.cells[i].value is not None)
    d.records[d.pieces[place].record or 0].cells[i].raw = "2023-02-30"
    d.spoil(place, ",".join(d.fields(place)))
    _bad(d)


@pollution("row", "a letter O in a number")
def typing_error(d: Draft) -> None:
    d.write()
    typed = [i for i, c in enumerate(d.table.columns) if i and c.type in ("int", "decimal")]
    place = d.some(lambda r: any(r.cells[i].value is not None for i in typed))
    cells = d.records[d.pieces[place].record or 0].cells
    i = next(i for i in typed if cells[i].value is not None)
    cells[i].raw = cells[i].raw[:-1] + "O"
    d.spoil(place, ",".join(d.fields(place)))
    _bad(d)


@pollution("row", "a NUL byte in a text")
def nul_byte(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, "ab cd")
    fields[i] = "ab\0 cd"
    d.spoil(place, ",".join(fields), EITHER)
    d.hints.nul = True
    _bad(d)


@pollution("row", "bytes of another encoding in one record")
def bad_bytes(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, "Caf\x00 Lis\x00")
    d.spoil(place, ",".join(fields))
    d.records[d.pieces[place].record or 0].cells[i].value = d.records[d.pieces[place].record or 0].cells[i].raw = (
        "Café Lisé"
    )
    d.finish = lambda data: data.replace(b"\0", b"\xe9")
    _bad(d)


@pollution("row", "a field of 200,000 characters")
def long_field(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, "many words, " * 16_000 + "end")
    d.spoil(place, ",".join(fields), GOOD)


@pollution("row", "a quoted field of many lines")
def many_lines(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, "\n".join(f"line {n}, of a note" for n in range(60)))
    d.spoil(place, ",".join(fields), GOOD)


@pollution("row", "the file is cut off in its last record")
def cut_off(d: Draft) -> None:
    d.write()
    place = len(d.pieces) - 1
    d.spoil(place, ",".join(d.fields(place)[:2]))
    d.last_eol = False
    _bad(d)


@pollution("row", "the file is cut off in a quoted field")
def cut_off_quoted(d: Draft) -> None:
    d.write()
    place = len(d.pieces) - 1
    fields = d.fields(place)
    d.spoil(place, ",".join(fields[:-1]) + ',"half a te')
    d.last_eol = False
    _bad(d)


@pollution("row", "two records on one line")
def merged_rows(d: Draft) -> None:
    d.write()
    place = d.some(lambda r: True)
    both = [d.pieces[place], d.pieces[place + 1]]
    for piece in both:
        d.records[piece.record or 0].fate = NAMED
    d.pieces[place].eol = ""
    _bad(d)


@pollution("row", "a line break in an unquoted text")
def split_row(d: Draft) -> None:
    d.write()
    place, i, _ = _text_place(d)
    fields = _set_text(d, place, i, "upper part lower part")
    fields[i] = "upper part\nlower part"
    d.spoil(place, ",".join(fields))
    _bad(d)


@pollution("row", "a no-break space in a number")
def invisible(d: Draft) -> None:
    d.write()
    typed = [i for i, c in enumerate(d.table.columns) if i and c.type in ("int", "decimal")]
    place = d.some(lambda r: any(r.cells[i].value is not None for i in typed))
    cells = d.records[d.pieces[place].record or 0].cells
    i = next(i for i in typed if cells[i].value is not None)
    cells[i].raw = "\u00a0" + cells[i].raw
    d.spoil(place, ",".join(d.fields(place)))
    _bad(d)


@pollution("row", "a bad record in every ten")
def many_bad_rows(d: Draft) -> None:
    d.write()
    for place in range(5, len(d.pieces) - 1, 10):
        d.spoil(place, ",".join([*d.fields(place), "surplus", "fields"]))
    _bad(d)
