"""Which files are meant, what they are called, and what their headers say."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import fsspec
import pytest

from pgsluice.errors import FileError
from pgsluice.model import DialectOptions
from pgsluice.source.discover import discover

NONE = DialectOptions()


def write(folder: Path, *names: str, data: bytes = b"a,b\n1,2\n") -> None:
    for name in names:
        (folder / name).write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)


def found(*paths: Path | str) -> list[str]:
    return [Path(f.path).name for f in discover([str(p) for p in paths], NONE).files if not f.optional]


def test_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "b_10.csv", "b_2.csv", "B_1.CSV", "a.tsv", "c.csv.gz", "d.TSV.GZ")
    write(tmp_path, ".hidden.csv", "notes.txt", "csv", "x.gz")
    (tmp_path / "deep.csv").mkdir()
    write(tmp_path / "deep.csv", "e.csv")
    assert found(tmp_path) == ["a.tsv", "B_1.CSV", "b_2.csv", "b_10.csv", "c.csv.gz", "d.TSV.GZ"]


def test_files_of_any_suffix_in_the_order_given_each_once(tmp_path: Path) -> None:
    write(tmp_path, "z.dat", "a.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    assert found(tmp_path / "z.dat", tmp_path / "a.csv", tmp_path, os.path.relpath(tmp_path / "z.dat")) == [
        "z.dat",
        "a.csv",
    ]


def test_nothing_there(tmp_path: Path) -> None:
    write(tmp_path, "notes.md")
    with pytest.raises(
        FileError, match=r"no file to load in this folder \(looked for \*\.csv, .*; it holds notes\.md\)"
    ):
        found(tmp_path)
    write(tmp_path, *(f"{i}.md" for i in range(6)))
    with pytest.raises(FileError, match=r"it holds .*\.md, .*\.md and 2 more\)"):
        found(tmp_path)
    with pytest.raises(FileError, match="no such file or folder"):
        found(tmp_path / "none.csv")


def folded(stems: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(re.sub(r"[-\s]+", "_", stem.strip().lower()) for stem in stems)


@pytest.mark.parametrize(
    ("name", "stem", "full"),
    [
        ("orders.csv", "orders", "orders"),
        ("Orders.CSV", "orders", "orders"),
        ("orders_01.csv", "orders", "orders_01"),
        ("orders-2.csv.gz", "orders", "orders_2"),
        ("orders_part3.tsv", "orders", "orders_part3"),
        ("orders-part-3.csv", "orders", "orders_part_3"),
        ("Orders Part 3.csv", "orders", "orders_part_3"),
        ("orders.2024.csv", "orders", "orders.2024"),
        ("orders.2024", "orders", "orders.2024"),
        ("orders2.csv", "orders2", "orders2"),
        ("order items.csv", "order_items", "order_items"),
        ("order--items.csv", "order_items", "order_items"),
        ("spare_part.csv", "spare_part", "spare_part"),
        ("public.orders.csv", "public.orders", "public.orders"),
        ("orders.dat.gz", "orders", "orders"),
        ("2024.csv", "2024", "2024"),
        ("_1.csv", "_1", "_1"),
    ],
)
def test_stems(tmp_path: Path, name: str, stem: str, full: str) -> None:
    write(tmp_path, name)
    (file,) = discover([str(tmp_path / name)], NONE).files
    assert folded(file.stems) == ((full,) if stem == full else (full, stem))


@pytest.mark.parametrize(
    ("name", "stems"),
    [
        ("people 2025-11-26.csv", ("people_2025_11_26", "people_2025_11", "people_2025", "people")),
        ("people_20251126_part2.csv.gz", ("people_20251126_part2", "people_20251126", "people")),
        ("2024-12-31.csv", ("2024_12_31", "2024_12", "2024")),
    ],
)
def test_numbers_go_one_by_one(tmp_path: Path, name: str, stems: tuple[str, ...]) -> None:
    write(tmp_path, name)
    (file,) = discover([str(tmp_path / name)], NONE).files
    assert folded(file.stems) == stems


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"a,b\n1,2\n", ("a", "b")),
        (b"\xef\xbb\xbfa,b", ("a", "b")),
        (b'\n\r\n a ,"b\nb"\r\n', (" a ", "b\nb")),
        ("é;ü\n1;2\n".encode(), ("é", "ü")),
        ("é;ü\n1;2\n".encode("utf-16"), ("é", "ü")),
        (b'\xef\xbb\xbf"id", name ,"a ""b"",c"\n1,2,3\n', ("id", " name ", 'a "b",c')),
        (b"a\n", ("a",)),
        (b"", ()),
        (b"\xef\xbb\xbf", ()),
        (b"\n\n", ()),
        (b'"' + b"x" * 600_000 + b'",b\n', ("x" * 600_000, "b")),
    ],
)
def test_headers(tmp_path: Path, data: bytes, header: tuple[str, ...]) -> None:
    for name in ("x.csv", "x.csv.gz"):
        write(tmp_path, name, data=data)
        (file,) = discover([str(tmp_path / name)], NONE).files
        assert file.header == header
        assert file.bytes == (tmp_path / name).stat().st_size


def test_dialect_and_encoding(tmp_path: Path) -> None:
    write(tmp_path, "u.csv", data="a\tb\n1\t2\n".encode("utf-16"))
    (file,) = discover([str(tmp_path / "u.csv")], NONE).files
    assert (file.dialect.encoding, file.dialect.delimiter) == ("utf-16", "\t")
    write(tmp_path, "l.csv", data="é,b\n".encode("latin-1"))
    (file,) = discover([str(tmp_path / "l.csv")], DialectOptions(encoding="iso8859-1")).files
    assert file.header == ("é", "b")


@pytest.mark.parametrize(
    ("data", "words", "remedy"),
    [
        (b'a,"b\n1,2\n', "unterminated", "header"),
        (b"\xe9,b\n1,2\n", "not UTF-8 .line 1., and its encoding is not certain", "--encoding x.csv=cp1252"),
        (b"\xe9,\xc3\xa9\n\xc3\xa9,2\n", "invalid byte sequence", "--encoding"),
        (b"a\0,b\n1,2\n", "invalid byte sequence", "--nul strip"),
    ],
)
def test_faulty_headers(tmp_path: Path, data: bytes, words: str, remedy: str) -> None:
    write(tmp_path, "x.csv", data=data)
    with pytest.raises(FileError, match=words) as caught:
        discover([str(tmp_path / "x.csv")], NONE)
    assert remedy in caught.value.remedy


def test_urls() -> None:
    system = fsspec.filesystem("memory")
    system.pipe_file("/test-discover/b.csv", b"a,b\n1,2\n")
    system.pipe_file("/test-discover/a_1.csv", b"a;b\n")
    files = discover(["memory://test-discover", "memory://test-discover/b.csv"], NONE).files
    assert [(f.stems, f.bytes, f.header) for f in files] == [(("a_1", "a"), 4, ("a", "b")), (("b",), 8, ("a", "b"))]
    with pytest.raises(FileError, match=r"none\.csv"):
        discover(["memory://test-discover/none.csv"], NONE)
