"""The decoded stream: what comes out, what it says about the file on disk, and how it fails."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import os
import random
from pathlib import Path

import fsspec
import pytest

from pgsluice.errors import FileError
from pgsluice.source.streams import open_decoded


def drain(path: Path | str, encoding: str = "utf-8", size: int = 1000) -> bytes:
    with open_decoded(str(path), encoding) as stream:
        parts = []
        while part := stream.read(size):
            parts.append(part)
        if "://" not in str(path):
            raw = Path(path).read_bytes()
            assert stream.position == len(raw)
            assert stream.sha256() == hashlib.sha256(raw).hexdigest()
    return b"".join(parts)


def write(folder: Path, data: bytes, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096, 5 << 20])
def test_plain(tmp_path: Path, size: int) -> None:
    data = b"a,b\n" * 2000
    path = write(tmp_path, data)
    assert drain(path, size=size) == data
    assert drain(write(tmp_path, codecs.BOM_UTF8 + data), size=size) == data
    assert drain(write(tmp_path, gzip.compress(data)), size=size) == data


def test_reads_are_full_until_the_end(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(3_000_000)
    for path in (write(tmp_path, data), write(tmp_path, gzip.compress(data), "y.gz")):
        with open_decoded(str(path), "utf-8") as stream:
            assert len(stream.read(2_500_000)) == 2_500_000
            assert len(stream.read(2_500_000)) == 500_000
            assert stream.read(1) == b""


def test_gzip_that_swells(tmp_path: Path) -> None:
    data = b"a" * 50_000_000
    assert drain(write(tmp_path, gzip.compress(data) + gzip.compress(b"") + gzip.compress(b"b")), size=1 << 22) == (
        data + b"b"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252", "shift_jis"])
def test_transcoding(tmp_path: Path, encoding: str) -> None:
    text = "ab,c\n" * 300_000 if encoding == "shift_jis" else "aé,€\n" * 300_000
    data = text.encode(encoding)
    assert drain(write(tmp_path, data), encoding, 1 << 20) == text.encode()
    if encoding.startswith("utf-16-"):
        marked = ("\ufeff" + text).encode(encoding)
        assert drain(write(tmp_path, marked), encoding, 1 << 20) == text.encode()


def test_an_undecodable_byte_is_located(tmp_path: Path) -> None:
    path = write(tmp_path, b"a" * 1_500_000 + b"\x81,b\n")
    with pytest.raises(FileError, match=r"x\.csv: not cp1252 at byte 1500000") as caught:
        drain(path, "cp1252")
    assert "--encoding" in caught.value.remedy
    cut = write(tmp_path, "abc".encode("utf-16-le") + b"\x41")
    with pytest.raises(FileError, match="not utf-16-le at byte 6"):
        drain(cut, "utf-16-le")


def test_seek_counts_from_behind_the_bom(tmp_path: Path) -> None:
    for bom in (b"", codecs.BOM_UTF8):
        with open_decoded(str(write(tmp_path, bom + b"0123456789")), "utf-8") as stream:
            assert stream.seekable
            stream.seek(4)
            assert stream.read(3) == b"456"
            stream.seek(0)
            assert stream.read(99) == b"0123456789"
    with open_decoded(str(write(tmp_path, gzip.compress(b"x"))), "utf-8") as stream:
        assert not stream.seekable


def test_failures_name_file_and_remedy(tmp_path: Path) -> None:
    cases = [
        (str(tmp_path / "none.csv"), "no such file"),
        (str(tmp_path), "this is a folder"),
        (str(write(tmp_path, b"a,b\n", "text.csv.gz")), "not gzip"),
        (str(write(tmp_path, gzip.compress(b"a,b\n" * 99)[:-9], "cut.csv.gz")), "truncated"),
        (str(write(tmp_path, gzip.compress(b"a,b\n" * 99) + b"tail", "tail.csv.gz")), "cannot be read"),
        (str(write(tmp_path, gzip.compress(b"a")[:12] + b"\xff" * 9, "bad.csv.gz")), "cannot be read"),
    ]
    for path, words in cases:
        with pytest.raises(FileError, match=words) as caught:
            drain(path)
        assert path in caught.value.message
        assert caught.value.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = write(tmp_path, b"a")
    path.chmod(0)
    with pytest.raises(FileError, match="not readable"):
        drain(path)


def test_urls() -> None:
    with fsspec.open("memory://test-streams/x.csv", "wb") as file:
        file.write(gzip.compress(b"a,b\n"))
    assert drain("memory://test-streams/x.csv") == b"a,b\n"
    for path in ("memory://test-streams/none.csv", "nonsense://x"):
        with pytest.raises(FileError, match=r"none.csv|nonsense"):
            drain(path)
