"""What a reader counts besides records: blank lines, and records that may have swallowed lines."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgsluice
from pgsluice.model import Dialect, LineEnds, SourceFile
from pgsluice.report.console import run_parts
from pgsluice.source.blocks import BlockReader, Remarks, recheck
from pgsluice.source.records import rules
from pgsluice.source.records.spans import scan

SIZES = [1, 2, 3, 7, 16, 64, 8 << 20]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("remarks")


def remarks(folder: Path, data: bytes, fields: int, size: int, dialect: Dialect) -> Remarks:
    path = folder / "x.csv"
    path.write_bytes(data)
    names = tuple(f"c{i}" for i in range(fields))
    reader = BlockReader(SourceFile(str(path), len(data), ("x",), dialect, ()), names, size)
    try:
        for block in reader:
            recheck(block, dialect, names)
    finally:
        reader.close()
    return reader.remarks


SWALLOWED = [
    # every line, with and without lines between
    (b'a,b\n1,"x\n2,y"\n', 2, Dialect(), 2),
    (b'a,b\n0,0\n1,"x\n2,y\n3,z"\n', 2, Dialect(), 3),
    (b'a,b,c\r\n1,"x,5\r\n3,z",7\r\n', 3, Dialect(), 2),
    # one line between
    (b'a,b,c\n1,"x\n2,y,6\n3",7\n', 3, Dialect(), 2),
    (b'a\tb\tc\n\n1\t"x\t5\n2\t y\t6\n3\tz"\t7', 3, Dialect("\t"), 3),
    # dialects that are not plain
    (b'a;b;c\n#\n1;"x;5\n2;y;6\n3;z";7\n', 3, Dialect(";", comment="#"), 3),
    (b'a;b;c\n1;"x;5\n2;y;6\n3;z";7\n', 3, Dialect(";", comment="#"), 2),
    (b'a||b||c\r1||"x||5\r2||y||6\r3||z"||7\r', 3, Dialect("||", line_ends=LineEnds.ANY), 2),
    (b'a, b, c\n1, "x, 5\n2, y, 6\n3, z", 7\n', 3, Dialect(skip_initial_blanks=True), 2),
    (b'a b\n1 "x\n2 y"\n', 2, Dialect("blanks"), 2),
    (b"a,b,c\n1,'x,5\n2,y,6\n3,z',7\n", 3, Dialect(quote="'"), 2),
    (b'a,b,c\n1,"x\\",5\n2,y,6\n3,z",7\n', 3, Dialect(escape="\\"), 2),
    # texts of several lines
    (b'a,b\n1,"Dear Sir,\n\nyours, x"\n2,"a\nb"\n', 2, Dialect(), 0),
    (b'a,b\n1,"1,000\n2,000"\n', 2, Dialect(), 0),
    (b'a,b\n1,"{\n""k"": 1,\n}"\n', 2, Dialect(), 0),
    (b'a,b,c\n1,"x, y, z\nu, v, w\n",2\n', 3, Dialect(), 0),
    (b'a,b,c\n"x\ny\nz",1,2\n1,2,"x\ny"\n', 3, Dialect(), 0),
    (b'a b c\n1 "two words\nthree more words\nend" 3\n', 3, Dialect("blanks"), 0),
    # neither fields nor quotes
    (b'a\n"x\ny\nz"\n', 1, Dialect(), 0),
    (b'a,b\n1,"x\n2,y"\n', 2, Dialect(quote=""), 0),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("data", "fields", "dialect", "line"), SWALLOWED)
def test_swallowed_lines(folder: Path, data: bytes, fields: int, dialect: Dialect, line: int, size: int) -> None:
    found = remarks(folder, data, fields, size, dialect)
    assert (found.swallowing, found.first_swallowing) == (bool(line), line)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("data", "fields", "dialect", "count"),
    [
        (b"\n\r\na,b\n\n1,2\n\n\n,\n3,4\n\r\n", 2, Dialect(), 6),
        (b'a,b\n1,"\n\n"\n', 2, Dialect(), 0),
        (b"a,b\n1\n\n2,3,4\n\n5,6", 2, Dialect(), 2),
        (b"1,2\n\n3,4\n", 2, Dialect(header=False), 1),
        (b"title\n\na,b\n1,2\n\ntotal\n\n", 2, Dialect(skip_lines=2, skip_footer=1), 1),
        (b"a\n\n1\n\n", 1, Dialect(), 0),
        (b"\n#\na;b\n\n#\n#\n \n1;2\n\n", 2, Dialect(";", comment="#", skip_initial_blanks=True), 4),
        (b"a,b\r\r1,2\r\r\n\n3,4\r", 2, Dialect(line_ends=LineEnds.ANY), 3),
    ],
)
def test_blank_lines(folder: Path, data: bytes, fields: int, dialect: Dialect, count: int, size: int) -> None:
    assert remarks(folder, data, fields, size, dialect) == Remarks(blank_lines=count)


def expected(data: bytes, fields: int) -> Remarks:
    """The remarks about a file with commas, by the words of the documentation."""
    at = blank = swallowing = first = 0
    for record in scan(data, Dialect(header=False), fields=fields):
        blank += data.count(b"\n", at, record.start)
        at = record.next
        lines = data[record.start : record.end].split(b"\n")
        if fields == 1 or len(lines) == 1 or b'"' not in data[record.start : record.end]:
            continue
        fits = [line.count(b",") == fields - 1 and not re.search(b",[ \t]", line) for line in lines]
        if fields == 2:
            fits = [fit and all(line.removesuffix(b"\r").split(b",")) for fit, line in zip(fits, lines, strict=True)]
        if all(fits) or (fields > 2 and any(fits[1:-1])):
            swallowing += 1
            first = first or record.line
    return Remarks(blank_lines=blank + data.count(b"\n", at), swallowing=swallowing, first_swallowing=first)


PARTS = [b"a", b",", b",", b", ", b"\n", b"\n", b"\r\n", b'"', b'"', b'""', b"\xff", b"1,2\n", b"1,2,3\n", b',"']
PARTS += [b'1,"2\n3,4"\n', b'1,"2,3\n4,5,6\n7,8",9\n', b'"x\ny",2\n']


@settings(max_examples=600, deadline=None)
@given(
    data=st.lists(st.sampled_from(PARTS), max_size=40).map(b"".join),
    size=st.integers(1, 40),
    fields=st.integers(1, 3),
    window=st.sampled_from([1, 9, 1 << 20]),
)
def test_any_bytes(folder: Path, data: bytes, size: int, fields: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "WINDOW_BYTES", window)
        assert remarks(folder, data, fields, size, Dialect(header=False)) == expected(data, fields)


def summary(result: pgsluice.RunResult) -> str:
    return "\n".join(str(getattr(part, "text", "")) for part in run_parts(result))


def test_load_warns_of_swallowed_lines(conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE orders (id int PRIMARY KEY, note text, price int)")
    rows = "".join(f"{i},note {i},{i}\n" for i in range(10, 60))
    text = f'id,note,price\n1,"plain",2\n{rows}3,"half,4\n5,middle,6\n7,other half",8\n9,"two\nlines",10\n'
    (tmp_path / "orders.csv").write_text(text)
    result = pgsluice.load(tmp_path, database_url=db, data_dir=str(tmp_path / "d"), delimiter=",", quote='"')
    assert (
        f"Warning: {tmp_path}/orders.csv: the record at line 53 spans lines and holds delimiters. If quotes are data:"
        " --quote none." in summary(result)
    )
    # The sample shows one of the records, and the whole file shows it again.
    assert summary(result).count("--quote none") == 1
    conn.execute("TRUNCATE orders")
    again = pgsluice.load(
        tmp_path, database_url=db, data_dir=str(tmp_path / "d"), again=True, max_rejects="all", quote="none"
    )
    assert again.tables[0].files[0].warnings == ()
    assert conn.execute("SELECT note FROM orders WHERE id IN (3, 5, 7) ORDER BY id").fetchall() == [
        ('"half',),
        ("middle",),
        ('other half"',),
    ]


def test_load_counts_blank_lines(conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE orders (id int PRIMARY KEY, note text)")
    (tmp_path / "orders.csv").write_text("id,note\n1,a\n\n2,b\n\n\n3,c\n")
    options = {"database_url": db, "data_dir": str(tmp_path / "d")}
    result = pgsluice.load(tmp_path, **options)  # type: ignore[arg-type]
    assert result.tables[0].files[0].blank_lines == 3
    assert "orders.csv: 3 blank lines passed over." in summary(result)
    (skipped,) = pgsluice.load(tmp_path, **options).tables[0].files  # type: ignore[arg-type]
    assert (skipped.blank_lines, skipped.notes) == (None, ())
