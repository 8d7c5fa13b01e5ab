"""What files are packed in: each kind gives the same records as the plain file, or an error that says what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import shlex
import shutil
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest

from pgsluice.errors import FileError
from pgsluice.model import DialectOptions, SourceFile
from pgsluice.source.blocks import BlockReader, extent
from pgsluice.source.discover import Discovery, discover
from pgsluice.source.locate import locate
from pgsluice.source.streams import hash_of
from pgsluice.source.unpack.signatures import is_json_lines, kind_of

TEXT = ("id,name\n" + "".join(f"{i},name {i * 7919 % 1000}\n" for i in range(30_000))).encode()


def by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def whole(data: bytes) -> bytes:
        path = pa.BufferOutputStream()
        with pa.CompressedOutputStream(path, codec) as stream:
            stream.write(data)
        return path.getvalue().to_pybytes()

    return whole


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": by_arrow("zstd"),
    "lz4": by_arrow("lz4"),
}
each_packer = pytest.mark.parametrize("kind", PACKERS)


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def found(*paths: Path | str, **options: object) -> Discovery:
    return discover([str(p) for p in paths], DialectOptions(), **options)  # type: ignore[arg-type]


def records(file: SourceFile) -> bytes:
    reader = BlockReader(file, file.header)
    try:
        data = b"".join(block.data for block in reader)
        assert reader.sha256 == hash_of(file)
        return data
    finally:
        reader.close()


def names(discovery: Discovery) -> list[str]:
    return [Path(f.path).name for f in discovery.files]


@each_packer
@pytest.mark.parametrize("name", ["t.csv", "t.csv.{}", "t"])
def test_compressed_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    (file,) = found(put(tmp_path, name.format(kind), PACKERS[kind](TEXT))).files
    assert file.stems == ("t",)
    assert records(file) == TEXT.removeprefix(b"id,name\n")


@each_packer
def test_members_and_frames_follow_each_other(tmp_path: Path, kind: str) -> None:
    pack = PACKERS[kind]
    parts = [TEXT[:9], b"", TEXT[9:50_000], TEXT[50_000:]]
    (file,) = found(put(tmp_path, "t.csv", b"".join(map(pack, parts)))).files
    assert records(file) == TEXT.removeprefix(b"id,name\n")


@each_packer
def test_truncated_and_corrupt(tmp_path: Path, kind: str) -> None:
    packed = PACKERS[kind](random.Random(1).randbytes(900_000).hex().encode())
    for cut in (len(packed) - 1, len(packed) // 2, 600_000):
        with pytest.raises(FileError, match=r"t.csv: the \w+ file is truncated"):
            records(found(put(tmp_path, "t.csv", packed[:cut])).files[0])
    if kind in ("zst", "lz4"):
        # pyarrow writes no checksums, the programs do.
        packed = (
            subprocess.run(
                ["zstd" if kind == "zst" else kind, "-qc"], input=TEXT * 5, check=True, capture_output=True
            ).stdout
            if shutil.which("zstd") and shutil.which("lz4")
            else packed
        )
    broken = bytearray(packed)
    broken[len(packed) // 2] ^= 0xFF
    with pytest.raises(FileError, match=r"t.csv: (?:cannot be read|the .* file is truncated)"):
        records(found(put(tmp_path, "t.csv", bytes(broken))).files[0])
    with pytest.raises(FileError, match=r"cannot be read|is truncated"):
        records(found(put(tmp_path, "t.csv", packed + b"tail")).files[0])


@each_packer
def test_max_bytes(tmp_path: Path, kind: str) -> None:
    path = put(tmp_path, "t.csv", PACKERS[kind](TEXT))
    assert records(found(path, max_bytes=len(TEXT)).files[0])
    with pytest.raises(FileError, match=r"t.csv: the file unpacks to more than [0-9,]+ bytes \(--max-bytes\)"):
        records(found(path, max_bytes=len(TEXT) - 1).files[0])


def test_max_bytes_of_containers(tmp_path: Path) -> None:
    for path in (
        zipped(tmp_path / "a.zip", {"t.csv": TEXT}),
        tarred(tmp_path / "a.tar", {"t.csv": TEXT}),
        tarred(tmp_path / "a.tar.gz", {"t.csv": TEXT}, "w:gz"),
        zipped(tmp_path / "b.zip", {"t.csv.gz": gzip.compress(TEXT)}),
    ):
        with pytest.raises(FileError, match="unpacks to more than 100,000 bytes"):
            records(found(path, max_bytes=100_000).files[0])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip(tmp_path: Path, method: int) -> None:
    members = {
        "data/orders_1.csv": TEXT,
        "data/b.csv.gz": gzip.compress(TEXT),
        "__MACOSX/data/._b.csv": b"x",
        "data/.hidden.csv": b"x",
        "data/readme.txt": b"read\n",
        "data/picture.png": b"x",
        "data/": b"",
    }
    discovery = found(zipped(tmp_path / "all.zip", members, method))
    assert [(f.path.removeprefix(str(tmp_path)), f.stems, f.optional) for f in discovery.files] == [
        ("/all.zip!data/orders_1.csv", ("orders_1", "orders"), False),
        ("/all.zip!data/b.csv.gz", ("b",), False),
        ("/all.zip!data/readme.txt", ("readme",), True),
    ]
    assert [Path(i.path).name for i in discovery.ignored] == ["picture.png"]
    assert {records(f) for f in discovery.files[:2]} == {TEXT.removeprefix(b"id,name\n")}
    # Two members are two files, though their archive is one.
    assert hash_of(discovery.files[0]) != hash_of(discovery.files[1])


def test_one_member_may_have_its_table_from_the_archive(tmp_path: Path) -> None:
    (file,) = found(zipped(tmp_path / "orders.csv.zip", {"export 17.csv": TEXT})).files
    assert file.stems == ("export 17", "export", "orders")
    (file,) = found(zipped(tmp_path / "orders.zip", {"data": TEXT})).files
    assert file.stems == ("data", "orders")


def test_a_member_can_be_named_and_skipped(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", {"a.csv": TEXT, "sub/b.csv": TEXT, "notes.md": b"x\n"})
    assert names(found(f"{path}!sub/b.csv")) == ["b.csv"]
    assert names(found(f"{path}!*.csv")) == ["all.zip!a.csv", "b.csv"]
    assert names(found(f"{path}!notes.md")) == ["all.zip!notes.md"]
    assert names(found(path, skip=["a.csv"])) == ["b.csv"]
    with pytest.raises(FileError, match=r"no file c.csv in it to load"):
        found(f"{path}!c.csv")
    odd = put(tmp_path, "odd!name.csv", TEXT)
    assert names(found(odd)) == ["odd!name.csv"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_tar(tmp_path: Path, mode: str, format: int) -> None:
    path = tmp_path / "all.tgz"
    with tarfile.open(path, mode, format=format) as archive:  # type: ignore[call-overload]
        for name, data in {"./a.csv": TEXT, "b/c.csv": TEXT[:1000], "._a.csv": b""}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    discovery = found(path)
    try:
        assert names(discovery) == ["all.tgz!a.csv", "c.csv"]
        assert records(discovery.files[0]) == TEXT.removeprefix(b"id,name\n")
        assert len(discovery.spools) == (0 if mode == "w" else 1)
    finally:
        discovery.close()


def test_tar_within_zstd(tmp_path: Path) -> None:
    path = put(tmp_path, "all.tar.zst", PACKERS["zst"](tarred(tmp_path / "x.tar", {"a.csv": TEXT}).read_bytes()))
    discovery = found(path)
    assert [f.stems for f in discovery.files] == [("a", "all")]
    assert records(discovery.files[0]) == TEXT.removeprefix(b"id,name\n")
    discovery.close()


def test_archives_that_cannot_be_read(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", {"a.csv": TEXT})
    put(tmp_path, "cut.zip", whole.read_bytes()[:-30])
    put(tmp_path, "cut.tar", tarred(tmp_path / "a.tar", {"a.csv": TEXT}).read_bytes()[:100_000])
    data = bytearray(whole.read_bytes())
    for at in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1
    put(tmp_path, "secret.zip", bytes(data))
    data = bytearray(whole.read_bytes())
    for at in (data.index(b"PK\x03\x04") + 8, data.index(b"PK\x01\x02") + 10):
        data[at : at + 2] = struct.pack("<H", 9)
    put(tmp_path, "deflate64.zip", bytes(data))
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a.csv", b"a\n1\n")
        archive.writestr("a.csv", b"a\n2\n")
    zipped(tmp_path / "nested.zip", {"b.csv": whole.read_bytes()})
    zipped(tmp_path / "none.zip", {"a.png": b"x"})
    zipped(tmp_path / "letter.zip", {"word/document.xml": b"x", "[Content_Types].xml": b"x"})
    for name, words in {
        "cut.zip": "the zip file cannot be read",
        "cut.tar": "the tar file (?:is truncated|cannot be read)",
        "secret.zip": "secret.zip!a.csv: the member is encrypted",
        "deflate64.zip": "packed by a method that is not known here",
        "twice.zip": "two members called a.csv",
        "nested.zip": "a zip file within a zip file",
        "none.zip": r"no CSV file in this archive \(it holds a.png\)",
        "letter.zip": "this is a Word document",
    }.items():
        with pytest.raises(FileError, match=words) as caught:
            found(tmp_path / name)
        assert caught.value.remedy


def test_what_is_not_readable_says_what_it_is(tmp_path: Path) -> None:
    for data, words in {
        b"7z\xbc\xaf\x27\x1c\0\4": "a 7z archive",
        b"Rar!\x1a\x07\x01\0": "a rar archive",
        b"%PDF-1.7\n": "a PDF document",
        b"<!DOCTYPE html>\n<html>": r"a web page \(HTML\)",
        b"\n <HTML><table>": r"a web page \(HTML\)",
        b"<?xml version='1.0'?>": "an XML document",
        b"SQLite format 3\0": "an SQLite database",
        b"PGDMP\1\16": "a dump of pg_dump",
        b'[{"a": 1},\n{"a": 2}]': "a JSON array",
        b"ARROW1\0\0": "an Arrow .Feather. file",
    }.items():
        for packed in (data, gzip.compress(data)):
            with pytest.raises(FileError, match=f"t.csv: this is {words}, which pgsluice does not read") as caught:
                found(put(tmp_path, "t.csv", packed))
            assert caught.value.remedy
    for header in (b"ORC_ID,name\n1,2\n", b"BZh,name\n1,2\n", b"PGDMP,x\n1,2\n", b"MSCF,x\n1,2\n"):
        assert found(put(tmp_path, "t.csv", header)).files[0].header


def test_kinds() -> None:
    assert kind_of(b"id,name\n") is None
    assert kind_of(b"") is None
    assert is_json_lines(b'{"a": 1}\n{"a"')
    assert is_json_lines(b' {"a": {}}')
    for other in (b'{"a": \n1}', b"{a},b\n1,2\n", b"[1]\n"):
        assert not is_json_lines(other)


def test_in_folders(tmp_path: Path) -> None:
    put(tmp_path, "a.csv.zst", PACKERS["zst"](TEXT))
    put(tmp_path, "b.txt.xz", lzma.compress(TEXT))
    put(tmp_path, "c.jsonl", b'{"x": 1}\n')
    put(tmp_path, "d.json", b'{"x": 1}\n')
    put(tmp_path, "~$e.xlsx", b"")
    put(tmp_path, "sub/f.csv", TEXT)
    zipped(tmp_path / "g.zip", {"h.csv": TEXT, "i.csv": TEXT})
    discovery = found(tmp_path)
    assert [(Path(f.path).name, f.optional) for f in discovery.files] == [
        ("a.csv.zst", False),
        ("b.txt.xz", True),
        ("c.jsonl", False),
        ("d.json", True),
        ("g.zip!h.csv", True),
        ("g.zip!i.csv", True),
    ]
    assert sorted((Path(i.path).name, i.why.partition(";")[0]) for i in discovery.ignored) == [
        ("sub", "a subfolder"),
        ("~$e.xlsx", "Excel makes such a file while it has a workbook open"),
    ]


def test_empty_files(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", b"")
    with pytest.raises(FileError, match=r"t.csv: the file is empty") as caught:
        found(path, allow_empty=False)
    assert "--allow-empty" in caught.value.remedy
    assert found(path, allow_empty=True).files[0].header == ()
    with pytest.raises(FileError, match="is empty"):
        found(put(tmp_path, "t.csv.gz", gzip.compress(b"")), allow_empty=False)


def test_the_remedy_for_an_empty_file_names_that_file(tmp_path: Path) -> None:
    put(tmp_path, "t1.csv", b"id\n1\n")
    put(tmp_path, "t[1].csv", b"")
    with pytest.raises(FileError, match="is empty") as caught:
        found(tmp_path, allow_empty=False)
    words = shlex.split(caught.value.remedy.partition(",")[0])
    (file,) = found(tmp_path, allow_empty=False, skip=[words[words.index("--skip") + 1]]).files
    assert file.path.endswith("t1.csv")


def test_rows_of_json_lines_are_found_again_by_line(tmp_path: Path) -> None:
    path = put(tmp_path, "t.jsonl", b'{"id": 1, "name": "a\\nb"}\n{"id": 2.50, "more": [1.10, {"x": null}]}\r\n{}\n')
    (file,) = found(path).files
    assert (file.header, file.form) == (("id", "name", "more"), "json")
    reader = BlockReader(file, file.header)
    blocks = list(reader)
    assert b"".join(b.data for b in blocks) == b'"1","a\nb",\n"2.50",,"[1.10, {""x"": null}]"\n,,\n'
    import numpy as np

    (places,) = locate(file, file.header, [extent(b) for b in blocks], [np.array([1, 2])])
    assert places.lines.tolist() == [2, 3]
    (marked,) = found(put(tmp_path, "u.jsonl", b'\xef\xbb\xbf{"a": 1}\n{"a": 2}')).files
    assert records(marked) == b'"1"\n"2"\n'
    (wide,) = found(put(tmp_path, "v.jsonl", '{"a": "é"}\n'.encode("utf-16"))).files
    assert records(wide) == '"é"\n'.encode()
    for wrong, words in {
        b'{"a": 1}\nx\n': "line 2 is not JSON",
        b'{"a": 1}\n\n{"a": 1}\n': "line 2 is empty",
        b'{"a": 1}\n[1]\n': "line 2 is no JSON object",
        b'{"a": 1}\n{"a": NaN}\n': "line 2 is not JSON",
    }.items():
        with pytest.raises(FileError, match=words):
            found(put(tmp_path, "t.jsonl", wrong))


def test_sheets(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "orders"  # type: ignore[union-attr]
    book.active.append(["id", "name"])  # type: ignore[union-attr]
    book.create_sheet("notes")["C3"] = "x"
    book.create_sheet("secret").sheet_state = "hidden"
    book["secret"]["A1"] = "x"
    book.save(tmp_path / "book.xlsx")
    discovery = found(tmp_path / "book.xlsx")
    assert [(Path(f.path).name, f.stems, f.optional) for f in discovery.files] == [
        ("book.xlsx!orders", ("orders",), True),
        ("book.xlsx!notes", ("notes",), True),
    ]
    assert [(Path(i.path).name, i.why) for i in discovery.ignored] == [("book.xlsx!secret", "a hidden sheet")]
    assert names(found(f"{tmp_path}/book.xlsx!secret")) == ["book.xlsx!secret"]
    del book["notes"], book["secret"]
    book.save(tmp_path / "customers.xlsx")
    (file,) = found(tmp_path / "customers.xlsx").files
    assert (file.stems, file.optional) == (("orders", "customers"), False)
    with pytest.raises(FileError, match="no workbook that pgsluice reads"):
        found(put(tmp_path, "x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)))


MEMORY = """
import sys
from pgsluice.model import DialectOptions
from pgsluice.source.blocks import BlockReader
from pgsluice.source.discover import discover
found = discover([sys.argv[1]], DialectOptions())
for file in found.files:
    print(sum(block.count for block in BlockReader(file, file.header)))
# ru_maxrss would be that of the test runner, which made the file.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("kind", ["zst", "xz", "zip", "tar.gz", "parquet"])
def test_memory_is_bounded(tmp_path: Path, kind: str) -> None:
    """A file of some hundred kilobytes that unpacks to 80 MB, of which a reader holds a few blocks."""
    rows = 8_000_000
    path = tmp_path / f"t.{kind}"
    data = b"a,b\n" + b"1,2345678\n" * rows
    if kind == "zip":
        zipped(path, {"t.csv": data})
    elif kind == "tar.gz":
        tarred(path, {"t.csv": data}, "w:gz")
    elif kind == "parquet":
        from pyarrow import parquet

        parquet.write_table(pa.table({"a": pa.array([1] * rows, pa.int8()), "b": pa.array(["x"] * rows)}), path)
    else:
        path.write_bytes(PACKERS[kind](data))
    del data
    read = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], check=True, capture_output=True, text=True, env=os.environ
    )
    count, kilobytes = read.stdout.split()
    assert int(count) == rows
    assert int(kilobytes) < 400_000, kilobytes
