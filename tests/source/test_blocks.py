"""Blocks: the same records whatever their size, every byte accounted for, and DuckDB of one mind with us."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest
from csv_oracle import Expected, parse
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from pgsluice.errors import FileError
from pgsluice.model import Dialect, RejectKind, SourceFile, Verdict
from pgsluice.source.blocks import Block, BlockReader, Extent, Fault, extent, parsing, recheck
from pgsluice.source.locate import locate
from pgsluice.source.records import rules
from pgsluice.source.records.spans import scan

SIZES = [1, 2, 3, 7, 16, 64, 8 << 20]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blocks")


def source(folder: Path, data: bytes, dialect: Dialect, name: str = "x.csv") -> SourceFile:
    path = folder / name
    path.write_bytes(data)
    return SourceFile(str(path), len(data), ("x",), dialect, ())


def names(count: int) -> tuple[str, ...]:
    return tuple(f"c{i}" for i in range(count))


def read(file: SourceFile, fields: int, size: int) -> tuple[list[Block], list[Block]]:
    """The blocks as they come, and after a recheck."""
    reader = BlockReader(file, names(fields), size)
    try:
        found = list(reader)
    finally:
        reader.close()
    return found, [recheck(b, file.dialect, names(fields)) for b in found]


def good(block: Block, fields: int, dialect: Dialect) -> Iterator[tuple[int, tuple[tuple[bytes, bool], ...]]]:
    ordinals = [first + i for first, count in block.ordinals for i in range(count)]
    with pytest.MonkeyPatch.context() as patch:
        # What has been rewritten may be longer than the limit that held for the file.
        patch.setattr(rules, "MAX_RECORD_BYTES", 1 << 30)
        found = list(scan(block.data, dialect, fields=fields))
    assert len(found) == len(ordinals) == block.rows
    assert all(r.fault is None and not r.rewrite for r in found)
    return zip(ordinals, (r.fields for r in found), strict=True)


def found_again(
    file: SourceFile, fields: int, extents: Sequence[Extent], ordinals: Sequence[int]
) -> list[tuple[int, int, bytes]]:
    """Ordinal, line and bytes, asked for in portions of three."""
    portions = (np.asarray(ordinals[i : i + 3], np.int64) for i in range(0, len(ordinals), 3))
    found: list[tuple[int, int, bytes]] = []
    for places in locate(file, names(fields), extents, portions):
        assert (places.records == places.ordinals + 1).all()
        found += zip(places.ordinals.tolist(), places.lines.tolist(), places.raws.to_pylist(), strict=True)
    return found


def check(file: SourceFile, data: bytes, fields: int, size: int, expected: Sequence[Expected]) -> None:
    """All that is promised of blocks, against what the oracle says about the decoded stream."""
    found, rechecked = read(file, fields, size)
    by_ordinal = {e.ordinal: e for e in expected}
    seen: set[int] = set()
    following, consumed = 0, expected[0].start if expected else len(data)
    for block in rechecked:
        assert block.first_ordinal == following
        following += block.count
        # Nothing but blank lines between two blocks.
        assert not data[consumed : block.offset].strip(b"\r\n")
        consumed = block.offset + block.length
        assert block.first_line == 1 + data.count(b"\n", 0, block.offset)
        for ordinal, values in good(block, fields, file.dialect):
            want = by_ordinal[ordinal]
            assert not want.fault
            assert [v for v, _ in values] == [v for v, _ in want.fields]
            for (_, quoted), (text, was) in zip(values, want.fields, strict=True):
                assert quoted == was or (text and ((quoted and b'"' in text) or text.startswith(b"\xef\xbb\xbf")))
            seen.add(ordinal)
        for fault in block.faults:
            want = by_ordinal[fault.ordinal]
            assert want.fault
            assert fault.verdict.message.startswith(want.fault)
            assert fault.line == want.line
            assert fault.raw == data[want.start : want.end]
            seen.add(fault.ordinal)
    assert seen == set(by_ordinal)
    assert not data[consumed:].strip(b"\r\n")
    extents = [extent(b) for b in found]
    places = [(e.ordinal, e.line, data[e.start : e.end]) for e in expected]
    assert found_again(file, fields, extents, list(range(len(expected)))) == places
    dice = random.Random(len(data))
    some = [p for p in places if dice.random() < 0.5]
    assert found_again(file, fields, extents, [p[0] for p in some]) == some


TEXTS = {
    "plain": b"a,b\n1,2\n3,4\n5,6\n",
    "no final newline": b"a,b\n1,2\n3,4",
    "crlf": b"a,b\r\n1,2\r\n3,4\r\n",
    "mixed": b"a,b\n1,2\r\n3,4\n",
    "quoted": b'a,b\n"1","2"\n"x\ny","z""z"\n"","\r\n"\n',
    "quoted crlf": b'a,b\r\n"1","2\r\n\r3"\r\n"x\ny","z""z"\r\n',
    "blank lines": b"\n\na,b\n\n1,2\n\r\n\n3,4\n\n\n",
    "paragraphs": b'a,b\n1,"x\n\n\ny"\n2,z\n',
    "header over lines": b'"a\na",b\n1,2\n3,4\n',
    "header only": b"a,b\n",
    "header without newline": b"a,b",
    "missing quote": b'a,b\n1,2\n3,"4\n5,6\n7,8\n9,10\n',
    "missing quote among quotes": b'a,b\n"1","2"\n"3","4\n"5","6"\n"7","8"\n',
    "text after": b'a,b\n"1"x,2\n3,4\n',
    "disk": b'a,b\n5" disk,2\n"x",5"\n',
    "numbers of fields": b"a,b\n1\n1,2,3\n1,2,\n1,2\n",
    "sums that agree": b"a,b\n1,2,\n1\n1,2\n",
    "nul": b"a,b\n1,\0\n3,4\n",
    "not utf-8": b"a,b\n1,\xff\n\xc3\xa9,4\n",
    "bom inside": b"a,b\n\xef\xbb\xbf1,2\n\xef\xbb\xbf3,4\n",
    "lone cr": b"a,b\n1\r,2\n3,4\r",
    "only blank": b"\n\n\n",
    "empty": b"",
}


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_every_size_finds_the_same(folder: Path, text: bytes, size: int, header: bool) -> None:
    file = source(folder, text, Dialect(header=header))
    check(file, text, 2, size, parse(text, fields=2, header=header, limit=1 << 20))


@pytest.mark.parametrize("size", SIZES)
def test_one_column(folder: Path, size: int) -> None:
    text = b'a\n\nx\r\n\r\n"y\n\nz"\n""\n\n'
    file = source(folder, text, Dialect())
    expected = parse(text, fields=1, header=True, limit=1 << 20)
    assert len(expected) == 6
    check(file, text, 1, size, expected)


ALPHABET = [
    b"a",
    b"b",
    b",",
    b",",
    b",",
    b"\n",
    b"\n",
    b"\r\n",
    b'"',
    b'"',
    b'""',
    b"\r",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
]
ALPHABET += [b"a,b\n", b'"a","b"\n', b'a,"b\n', b"\xef\xbb\xbf"]


@settings(max_examples=600, deadline=None)
@given(
    data=st.lists(st.sampled_from(ALPHABET), max_size=60).map(b"".join),
    size=st.integers(1, 40),
    fields=st.integers(1, 3),
    limit=st.sampled_from([6, 20, 1 << 20]),
    window=st.sampled_from([1, 9, 1 << 20]),
)
def test_any_bytes(folder: Path, data: bytes, size: int, fields: int, limit: int, window: int) -> None:
    while data.startswith(b"\xef\xbb\xbf"):
        data = data.removeprefix(b"\xef\xbb\xbf")  # offsets and lines are those of the stream behind it
    file = source(folder, data, Dialect(header=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "MAX_RECORD_BYTES", limit)
        patch.setattr(rules, "WINDOW_BYTES", window)
        try:
            expected = parse(data, fields=fields, header=False, limit=limit)
        except OverflowError:
            with pytest.raises(FileError, match="is longer than"):
                read(file, fields, size)
        else:
            check(file, data, fields, size, expected)


CELLS = st.text(st.sampled_from("ab,\";'\n\r\té€😀 \ufeff"), max_size=6)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=12),
    size=st.integers(1, 80),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    ending=st.sampled_from(["\n", "\r\n"]),
    dialect=st.sampled_from([Dialect(), Dialect(";", "'"), Dialect("\t"), Dialect("|", "'")]),
)
def test_what_python_writes_is_read_back(
    folder: Path, rows: list[list[str]], size: int, quoting: int, ending: str, dialect: Dialect
) -> None:
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # Python 3.11 leaves a lone CR unquoted when lines end with LF
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=dialect.delimiter, quotechar=dialect.quote, quoting=quoting, lineterminator=ending
    )
    writer.writerow(["x", "y", "z"])
    writer.writerows(rows)
    file = source(folder, out.getvalue().encode(), dialect)
    found, _ = read(file, 3, size)
    assert not any(b.faults for b in found)
    got = [[v.decode() for v, _ in fields] for b in found for _, fields in good(b, 3, dialect)]
    assert got == rows


# --------------------------------------------------------------------------- DuckDB


class Duck:
    """read_csv over bytes, as the typed reader calls it."""

    def __init__(self) -> None:
        self.files = MemoryFileSystem()
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.register_filesystem(self.files)

    def read(self, data: bytes, fields: int, dialect: Dialect) -> list[tuple[str | None, ...]]:
        self.files.pipe_file("/test-blocks.csv", data)
        quote = "'" + dialect.quote.replace("'", "''") + "'"
        nulls = ", ".join(f"'{text}'" for text in dialect.null or ("",))
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names(fields))
        found = self.connection.execute(
            "SELECT * FROM read_csv('memory://test-blocks.csv', auto_detect=false, header=false,"
            f" delim='{dialect.delimiter}', quote={quote}, escape={quote}, nullstr=[{nulls}],"
            " allow_quoted_nulls=false, strict_mode=true, null_padding=false, new_line='\\n',"
            f" max_line_size={64 << 20}, columns={{{columns}}})"
        )
        return found.fetchall()


@pytest.fixture(scope="module")
def duck() -> Duck:
    return Duck()


def as_duck(fields: Sequence[tuple[bytes, bool]], dialect: Dialect) -> tuple[str | None, ...]:
    nulls = dialect.null or ("",)
    return tuple(None if not quoted and v.decode() in nulls else v.decode() for v, quoted in fields)


@pytest.mark.parametrize("size", [16, 8 << 20])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_duckdb_agrees(folder: Path, duck: Duck, text: bytes, size: int) -> None:
    _, found = read(source(folder, text, Dialect()), 2, size)
    for block in found:
        assert duck.read(block.data, 2, Dialect()) == [as_duck(f, Dialect()) for _, f in good(block, 2, Dialect())]


@settings(max_examples=200, deadline=None)
@given(
    data=st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=60).map(b"".join),
    size=st.sampled_from([8, 1 << 20]),
    fields=st.integers(1, 3),
    null=st.sampled_from([(), ("a",), ("a", "")]),
)
def test_duckdb_agrees_on_any_bytes(
    folder: Path, duck: Duck, data: bytes, size: int, fields: int, null: tuple[str, ...]
) -> None:
    """Unless it refuses, or counts otherwise, before the recheck; without reserve after it."""
    dialect = Dialect(header=False, null=null)
    before, after = read(source(folder, data, dialect), fields, size)
    for raw, block in zip(before, after, strict=True):
        want = [as_duck(f, dialect) for _, f in good(block, fields, dialect)]
        if block.rows:
            assert duck.read(block.data, fields, dialect) == want
        if not raw.exact:
            try:
                first = duck.read(raw.data, fields, dialect)
            except duckdb.Error:
                continue
            assert len(first) != raw.rows or first == want


# --------------------------------------------------------------------------- files as they come


def test_clean_blocks_are_not_scanned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"a,b\r\n" + b'"x\r\ny","z"\r\n1,2\n\xc3\xa9,"\n\n"\n' * 2000
    monkeypatch.setattr(parsing, "Spans", None)
    found = list(BlockReader(source(folder, text, Dialect()), names(2), 4096))
    assert len(found) > 5
    assert not any(b.exact for b in found)
    assert sum(b.rows for b in found) == 6000


def test_gzip_of_several_members(folder: Path) -> None:
    text = b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(5000))
    packed = gzip.compress(text[:9999]) + gzip.compress(text[9999:]) + b"\0" * 9
    file = source(folder, packed, Dialect(), "x.csv.gz")
    reader = BlockReader(file, names(2), 1000)
    found = list(reader)
    assert sum(b.rows for b in found) == 5000
    assert reader.sha256 == hashlib.sha256(packed).hexdigest()
    assert found[-1].position == len(packed)
    assert [r for _, _, r in found_again(file, 2, [extent(b) for b in found], [0, 2500, 4999])] == [
        b"0,x",
        b"2500,x",
        b"4999,x",
    ]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252", "utf-8-sig"])
def test_encodings(folder: Path, encoding: str) -> None:
    text = "é,b\nü,2\nß,4\n"
    data = text.encode(encoding)
    file = source(folder, data, Dialect(encoding=encoding))
    reader = BlockReader(file, names(2), 3)
    found = list(reader)
    assert b"".join(b.data for b in found).decode() == "ü,2\nß,4\n"
    assert reader.sha256 == hashlib.sha256(data).hexdigest()
    extents = [extent(b) for b in found]
    assert found_again(file, 2, extents, [1]) == [(1, 3, "ß,4".encode())]


def test_sha256_of_a_plain_file(folder: Path) -> None:
    data = b"\xef\xbb\xbfa,b\n1,2\n"
    reader = BlockReader(source(folder, data, Dialect()), names(2))
    assert [b.data for b in reader] == [b"1,2\n"]
    assert reader.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("quoted", [True, False])
def test_a_field_of_ten_megabytes(folder: Path, duck: Duck, quoted: bool) -> None:
    long = b"x\n" * 5_000_000 if quoted else b"x" * 10_000_000
    text = b"a,b\n1,2\n3," + (b'"' + long + b'"' if quoted else long) + b"\n5,6\n"
    found = list(BlockReader(source(folder, text, Dialect()), names(2), 1 << 20))
    assert [b.faults for b in found] == [()] * len(found)
    rows = [r for b in found for r in duck.read(b.data, 2, Dialect())]
    assert rows == [("1", "2"), ("3", long.decode()), ("5", "6")]


def test_memory_stays_bounded_behind_a_missing_quote(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_RECORD_BYTES", 4096)
    text = b'a,b\n1,"2\n' + b"3,4\n" * 50_000
    found = list(BlockReader(source(folder, text, Dialect()), names(2), 1024))
    assert [f for b in found for f in b.faults] == [
        Fault(
            0,
            2,
            b'1,"2',
            Verdict(RejectKind.STRUCTURE, sqlstate="22P04", message="unterminated CSV quoted field"),
        )
    ]
    assert sum(b.rows for b in found) == 50_000
    assert max(b.length for b in found) <= 4 * 4096


def test_a_faulty_header_is_an_error(folder: Path) -> None:
    with pytest.raises(FileError, match=r"header \(line 1\).*unterminated"):
        list(BlockReader(source(folder, b'a,"b\n1,2\n', Dialect()), names(2)))


def test_locate_notices_that_the_file_shrank(folder: Path) -> None:
    file = source(folder, b"a,b\n1,2\n3,4\n", Dialect())
    extents = [extent(b) for b in BlockReader(file, names(2))]
    Path(file.path).write_bytes(b"a,b\n1,2\n")
    with pytest.raises(FileError, match="changed"):
        found_again(file, 2, extents, [1])


def test_recheck_keeps_ordinals_and_lines(folder: Path) -> None:
    text = b"a,b\r\n1,2\r\n3,4\r\n5,6,\r\n7\r\n8,9\r\n"
    (before, *rest) = BlockReader(source(folder, text, Dialect()), names(2))
    assert not rest
    assert not before.exact
    after = recheck(before, Dialect(), ("x", "y"))
    assert after.ordinals == ((0, 2), (4, 1))
    assert after.data == b"1,2\n3,4\n8,9\n"
    assert [(f.ordinal, f.line, f.verdict.message, f.raw) for f in after.faults] == [
        (2, 4, "extra data after last expected column", b"5,6,"),
        (3, 5, 'missing data for column "y"', b"7"),
    ]
    assert (after.offset, after.length, after.count) == (before.offset, before.length, before.count)
    assert recheck(after, Dialect(), ("x", "y")) is after
