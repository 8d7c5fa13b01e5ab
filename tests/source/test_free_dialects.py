"""Dialects that are not plain: the same records as an oracle finds, whatever the blocks."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from csv_oracle import parse
from free_oracle import Oracle

from pgsluice.errors import FileError
from pgsluice.model import BLANKS, Dialect, Format, LineEnds, Ragged, SourceFile
from pgsluice.source.blocks import BlockReader, extent, recheck
from pgsluice.source.locate import locate
from pgsluice.source.records.free import translation
from pgsluice.source.records.spans import scan

TEXT = Dialect("\t", "", format=Format.TEXT, null=("\\N",), header=False)

DIALECTS = {
    "two characters": Dialect("||"),
    "three characters": Dialect("~|~", "'"),
    "not ascii": Dialect("§"),
    "control": Dialect("\x01", ""),
    "no quote": Dialect(",", ""),
    "no quote, two characters": Dialect("||", ""),
    "stand-in as delimiter": Dialect("\x1e", ""),
    "escape": Dialect(escape="\\"),
    "escape, null": Dialect(escape="\\", null=("", "\\N")),
    "escape, no quote": Dialect("|", "", escape="\\", null=("", "\\N")),
    "escape, two characters": Dialect("||", escape="^", null=("NA",)),
    "blanks": Dialect(BLANKS),
    "blanks, escape": Dialect(BLANKS, escape="\\"),
    "initial blanks": Dialect(skip_initial_blanks=True),
    "initial blanks, tab": Dialect("\t", skip_initial_blanks=True),
    "trailing": Dialect("|", trailing_delimiters=1),
    "trailing, two characters": Dialect("||", trailing_delimiters=1, skip_initial_blanks=True),
    "three trailing": Dialect(";", trailing_delimiters=3),
    "two trailing, blanks": Dialect(";", trailing_delimiters=2, skip_initial_blanks=True),
    "two trailing, fill": Dialect("|", trailing_delimiters=2, ragged=Ragged.FILL),
    "comment": Dialect(comment="#"),
    "comment, any end": Dialect(comment="//", line_ends=LineEnds.ANY, escape="\\"),
    "any end": Dialect(line_ends=LineEnds.ANY),
    "any end, no quote": Dialect("|", "", line_ends=LineEnds.ANY),
    "any end, blanks": Dialect(BLANKS, line_ends=LineEnds.ANY),
    "drop": Dialect(ragged=Ragged.DROP),
    "fill": Dialect(ragged=Ragged.FILL),
    "fill, null": Dialect("||", ragged=Ragged.FILL, null=("NA",), trailing_delimiters=1),
    "text": TEXT,
    "text, null": Dialect("|", "", format=Format.TEXT, null=("NA", ""), header=False),
}


def alphabet(dialect: Dialect, dice: random.Random) -> list[bytes]:
    delimiter = " " if dialect.delimiter == BLANKS else dialect.delimiter
    marks = [delimiter.encode(), delimiter[:1].encode(), b"\n", b"\n", b"a"]
    marks += [m.encode() for m in (dialect.quote, dialect.escape, dialect.comment) if m]
    if dialect.format == "text" or dialect.escape:
        marks += [b"\\", b"\\N", b"N", b"n", b"x4", b"7", b"\\."]
    if dialect.line_ends == "any" or dice.random() < 0.3:
        marks += [b"\r", b"\r\n"]
    if dialect.delimiter == BLANKS or dialect.skip_initial_blanks:
        marks += [b" ", b"\t"]
    marks += dice.choice(
        [[], [b"NA", b'"'], ["é".encode(), b"\xc3", b"\0"], [b"\x1e", b"\x1f", b","], [b"\xef\xbb\xbf"]]
    )
    # Well-formed fields, so that whole records occur.
    separator = delimiter.encode()
    if dialect.quote:
        q = dialect.quote.encode()
        marks += [q + b"x" + separator + b"\n" + q, separator + q + b"y" + q + b"\n"]
    return [*marks, b"1" + separator + b"2\n", b"3" + separator + separator + b"4\n"]


def samples(dialect: Dialect, seed: int, count: int) -> list[tuple[bytes, int]]:
    dice = random.Random(seed)
    return [
        (b"".join(dice.choices(alphabet(dialect, dice), k=dice.choice([4, 12, 30]))), dice.choice([1, 2, 2, 3]))
        for _ in range(count)
    ]


@pytest.mark.parametrize("name", DIALECTS)
def test_records(name: str) -> None:
    dialect = DIALECTS[name]
    assert not dialect.plain
    assert dialect.in_blocks.plain
    for data, fields in samples(dialect, 3, 300):
        expected = Oracle(data, dialect, fields).records()
        found = list(scan(data, dialect, fields=fields))
        assert [(r.line, r.start, r.end, r.next) for r in found] == [
            (e.line, e.start, e.end, e.next) for e in expected
        ], (data, fields)
        for record, want in zip(found, expected, strict=True):
            assert (record.fault.message if record.fault else "").startswith(want.fault), (data, fields)
            assert bool(record.fault) == bool(want.fault), (data, fields)
            assert want.fault or list(record.fields) == want.fields, (data, fields)


@pytest.mark.parametrize("name", DIALECTS)
def test_blocks(name: str, tmp_path: Path) -> None:
    dialect = DIALECTS[name]
    path = tmp_path / "x.csv"
    translated = 0
    for number, (data, fields) in enumerate(samples(dialect, 4, 120)):
        # The stream removes a BOM at the beginning of the file; the text format ends with its marker.
        data = data.lstrip(b"\xef\xbb\xbf")
        if dialect.format == "text" and data.rstrip(b"\r\n").split(b"\n")[-1] == b"\\.":
            continue
        path.write_bytes(data)
        file = SourceFile(str(path), len(data), ("x",), dialect_without_header(dialect), ())
        columns = tuple(f"c{i}" for i in range(fields))
        expected = Oracle(data, dialect, fields).records()
        reader = BlockReader(file, columns, [1, 5, 40, 1 << 20][number % 4])
        blocks = list(reader)
        reader.close()
        rows: dict[int, list[tuple[bytes, bool]]] = {}
        faults: dict[int, str] = {}
        for block in blocks:
            translated += not block.exact
            again = recheck(block, dialect, columns)
            plain = dialect.in_blocks
            read = parse(
                again.data,
                fields=fields,
                header=False,
                delimiter=plain.delimiter.encode(),
                quote=plain.quote.encode(),
                limit=1 << 30,
            )
            assert not any(r.fault for r in read), (data, fields)
            ordinals = [first + i for first, count in again.ordinals for i in range(count)]
            rows |= dict(zip(ordinals, (list(r.fields) for r in read), strict=True))
            faults |= {f.ordinal: f.verdict.message for f in again.faults}
        for ordinal, want in enumerate(expected):
            if want.fault:
                assert faults.pop(ordinal).startswith(want.fault), (data, fields)
            else:
                assert means(rows.pop(ordinal), dialect.in_blocks) == means(want.fields, dialect), (data, fields)
        assert not rows
        assert not faults
        if expected:
            wanted = [np.arange(len(expected))]
            found = list(locate(file, columns, [extent(b) for b in blocks], wanted))
            places = [
                (line, raw) for p in found for line, raw in zip(p.lines.tolist(), p.raws.to_pylist(), strict=True)
            ]
            assert places == [(e.line, data[e.start : e.end]) for e in expected], (data, fields)
    assert translated


def dialect_without_header(dialect: Dialect) -> Dialect:
    from dataclasses import replace

    return replace(dialect, header=False)


def means(fields: list[tuple[bytes, bool]], dialect: Dialect) -> list[bytes | None]:
    """The values, NULL as None; a quoted empty field is told from an unquoted one."""
    nulls = [t.encode() for t in dialect.null_texts]
    return [
        None if value in nulls and not quoted else (b"<quoted>" if not value and quoted and b"" in nulls else value)
        for value, quoted in fields
    ]


def test_header_and_lines_that_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'Title "x\n;;\n# note\na||b\n1||2\n\n#3||4\n5||6\nTotal||11\n\n \n')
    dialect = Dialect("||", skip_lines=2, comment="#", skip_footer=1)
    file = SourceFile(str(path), 1, ("x",), dialect, ("a", "b"))
    for size in (1, 7, 1 << 20):
        blocks = list(BlockReader(file, ("a", "b"), size))
        assert b"".join(b.data for b in blocks) == b"1\x1f2\n5\x1f6\n"
        assert blocks[0].first_line == 5
        (places,) = locate(file, ("a", "b"), [extent(b) for b in blocks][-1:], [np.asarray([1])])
        assert (places.lines.tolist(), places.raws.to_pylist()) == ([8], [b"5||6"])


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
@pytest.mark.parametrize("marker", [b"", b"\\."])
def test_end_marker_of_the_text_format(tmp_path: Path, marker: bytes, end: bytes) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"1\ta\n2\t\\\\.\n" + marker + end)
    file = SourceFile(str(path), 1, ("x",), TEXT, ())
    for size in (1, 1 << 20):
        blocks = list(BlockReader(file, ("a", "b"), size))
        assert (sum(b.count for b in blocks), sum(len(b.faults) for b in blocks)) == (2, 0)
    path.write_bytes(b"1\ta\n\\.\n2\tb\n" + marker + end)
    (block,) = BlockReader(file, ("a", "b"))
    assert [(f.line, f.verdict.message[:18]) for f in block.faults] == [(2, "end-of-copy marker")]


def test_translation_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert translation.translate(b'1||"a\n||"\n2||b\n3||', Dialect("||"), 2, 100, at_end=False)[0] == 15  # type: ignore[index]


def test_a_footer_that_holds_the_header(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n1,2\n")
    file = SourceFile(str(path), 1, ("x",), Dialect(skip_footer=3), ("a", "b"))
    with pytest.raises(FileError, match="the last 3 lines that are not blank hold the header"):
        list(BlockReader(file, ("a", "b")))
