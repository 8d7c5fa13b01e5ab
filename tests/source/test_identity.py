"""Identity: every change of a file between its plan and its last byte is noticed, wherever it happens."""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pgsluice.errors import FileError
from pgsluice.model import DialectOptions, FileIdentity, SourceFile
from pgsluice.source import identity as identity_module
from pgsluice.source import streams
from pgsluice.source.blocks import BlockReader, extent
from pgsluice.source.discover import discover
from pgsluice.source.identity import await_tick, check_age, difference, remote_identity
from pgsluice.source.locate import locate
from pgsluice.source.streams import hash_of, open_planned

ROWS = "".join(f"{n},name {n},{n % 7}\n" for n in range(20_000))
TEXT = f"id,name,n\n{ROWS}".encode()

Change = Callable[[Path], object]


def planned(path: Path | str) -> SourceFile:
    (file,) = discover([str(path)], DialectOptions()).files
    return file


def read(file: SourceFile, block_bytes: int = 8 << 20) -> int:
    reader = BlockReader(file, file.header, block_bytes)
    try:
        return sum(block.count for block in reader)
    finally:
        reader.close()


def drain(stream: streams.DecodedStream) -> None:
    while stream.read(1000):
        pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_bytes(TEXT)
    return path


def in_place(path: Path, data: bytes) -> None:
    """Overwrites bytes in the middle, and sets mtime back."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(len(TEXT) // 2)
        file.write(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"20000,one more,1\n")


def replace_by_copy(path: Path) -> None:
    """Another file with the same content and the same mtime takes the name."""
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, path)


CHANGES: dict[str, tuple[Change, str]] = {
    "nothing left": (lambda p: p.write_bytes(b""), rf"it had {len(TEXT):,} bytes, now 0\)"),
    "half": (lambda p: os.truncate(p, len(TEXT) // 2), f"now {len(TEXT) // 2:,}"),
    "append": (append, f"bytes, now {len(TEXT) + 17:,}"),
    "in place": (lambda p: in_place(p, b"x"), "content, permissions or links"),
    "other columns": (lambda p: p.write_bytes(TEXT.replace(b"id,name,n", b"name,id,n")), "was written again"),
    "other delimiter": (lambda p: p.write_bytes(TEXT.replace(b",", b";")), "was written again"),
    "replaced": (replace_by_copy, "another file has taken its place"),
    "vanished": (lambda p: p.unlink(), "no file has its name any more"),
    # The content is the same, but ctime does not tell a chmod from a rewrite whose mtime was set back.
    "chmod": (lambda p: p.chmod(0o600), "content, permissions or links"),
}
each_change = pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=CHANGES)


@pytest.fixture
def small_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK_BYTES", 1 << 16)


def test_a_file_that_stays(path: Path) -> None:
    file = planned(path)
    assert read(file) == 20_000
    assert read(file, 1000) == 20_000
    assert file.identity is not None
    assert file.identity.size == file.bytes == len(TEXT)


@each_change
def test_changed_before_it_is_opened(path: Path, change: Change, words: str) -> None:
    file = planned(path)
    change(path)
    with pytest.raises(FileError, match=f"t.csv: the file has changed since it was planned .*{words}") as caught:
        read(file)
    assert caught.value.remedy == "Load it again when it is complete; nothing was published"
    with pytest.raises(FileError, match=words):
        hash_of(file)


@pytest.mark.usefixtures("small_reads")
@pytest.mark.parametrize("block_bytes", [1000, 8 << 20])
@each_change
def test_changed_while_it_is_read(path: Path, change: Change, words: str, block_bytes: int) -> None:
    file = planned(path)
    reader = BlockReader(file, file.header, block_bytes)
    blocks = iter(reader)
    if block_bytes == 1000:
        next(blocks)
    change(path)
    with pytest.raises(FileError, match=f"the file has changed while it was read .*{words}"):
        list(blocks)
    reader.close()


def test_a_file_that_grows_while_it_is_read(path: Path, small_reads: None) -> None:
    file = planned(path)
    with open_planned(file) as stream:
        append(path)
        with pytest.raises(FileError, match="while it was read"):
            drain(stream)
        # It stopped at once: a file that grows for ever is not read for ever.
        assert stream.position < len(TEXT)


@pytest.mark.parametrize("change", ["truncated", "other"])
def test_gzip(tmp_path: Path, small_reads: None, change: str) -> None:
    path = tmp_path / "t.csv.gz"
    noise = os.urandom(400_000).hex()
    path.write_bytes(gzip.compress(f"id\n{noise}\n".encode()))
    file = planned(path)
    assert read(file) == 1
    with open_planned(file) as stream:
        stream.read(10)
        if change == "truncated":
            os.truncate(path, file.bytes // 2)
        else:
            path.write_bytes(gzip.compress(b"id\n1\n"))
        with pytest.raises(FileError, match=r"while it was read \(it had"):
            drain(stream)


def test_no_rewrite_hides_in_a_tick_of_the_clock(path: Path) -> None:
    """The times of a file have the resolution of the kernel's tick; the bytes in the middle are not hashed."""
    for n in range(30):
        path.write_bytes(TEXT)
        file = planned(path)
        in_place(path, str(n % 10).encode())
        with pytest.raises(FileError, match="has changed"):
            read(file)


@pytest.mark.skipif(sys.platform != "linux", reason="a clock of Linux")
def test_the_wait_for_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lasts until the clock that stamps files has passed the file's time, but no longer than a tick."""
    clock = iter([99, 100, 100, 101])
    slept: list[float] = []
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _: next(clock))
    monkeypatch.setattr(time, "sleep", slept.append)
    await_tick(FileIdentity(1, 0.0, (("ctime", "100"),)))
    assert len(slept) == 3
    assert list(clock) == []
    await_tick(FileIdentity(1, 0.0, ()))
    monkeypatch.undo()
    before = time.monotonic()
    await_tick(FileIdentity(1, 0.0, (("ctime", str(time.time_ns() + 10**12)),)))
    assert time.monotonic() - before < 5


@pytest.mark.parametrize("place", [30, -30])
def test_first_and_last_bytes_are_compared(path: Path, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system whose times do not tell a rewrite."""
    honest = identity_module._local
    monkeypatch.setattr(identity_module, "_local", lambda s: replace(honest(s), marks=(("inode", str(s.st_ino)),)))
    file = planned(path)
    assert read(file) == 20_000
    path.write_bytes(TEXT[:place] + b"9" + TEXT[place + 1 :])
    with pytest.raises(FileError, match="first or last bytes differ"):
        read(file)


def test_the_header_is_compared(path: Path) -> None:
    file = planned(path)
    with pytest.raises(FileError, match="its header was name,id,n, now id,name,n"):
        read(replace(file, header=("name", "id", "n")))


def test_a_file_that_is_written_while_it_is_planned(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pgsluice.source import discover as discover_module

    monkeypatch.setattr(discover_module, "await_tick", lambda _: append(path))
    with pytest.raises(FileError, match="the file has changed while it was read"):
        planned(path)


def test_records_are_not_located_in_another_file(path: Path) -> None:
    file = planned(path)
    extents = [extent(block) for block in BlockReader(file, file.header)]

    def located() -> list[bytes]:
        found = locate(file, file.header, extents, iter([np.asarray([7], np.int64)]))
        return [raw for places in found for raw in places.raws.to_pylist()]

    assert located() == [b"7,name 7,0"]
    replace_by_copy(path)
    with pytest.raises(FileError, match=r"changed while it was read \(another file"):
        located()


def test_a_path_is_opened_once_for_each_reader(path: Path) -> None:
    """Nothing stays open between plan and read."""
    before = len(os.listdir("/proc/self/fd"))
    files = [planned(path) for _ in range(20)]
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(FileError):
        read(replace(files[0], header=()))
    path.unlink()
    for file in files:
        with pytest.raises(FileError):
            open_planned(file)
    assert len(os.listdir("/proc/self/fd")) == before


# --------------------------------------------------------------------------- remote files


@pytest.fixture
def remote() -> Iterator[str]:
    system = fsspec.filesystem("memory")
    system.pipe_file("/identity/t.csv", TEXT)
    yield "memory://identity/t.csv"
    system.rm("/identity", recursive=True)


def test_a_remote_file_is_compared(remote: str, small_reads: None) -> None:
    system = fsspec.filesystem("memory")
    file = planned(remote)
    assert (file.bytes, read(file)) == (len(TEXT), 20_000)
    blocks = iter(BlockReader(file, file.header, 1000))
    next(blocks)
    system.pipe_file("/identity/t.csv", TEXT)  # the same content, written again
    with pytest.raises(FileError, match=r"changed while it was read \(its created was"):
        list(blocks)
    with pytest.raises(FileError, match=r"changed since it was planned \(its created was"):
        read(file)
    system.pipe_file("/identity/t.csv", TEXT[:-30])
    with pytest.raises(FileError, match=r"planned \(it had"):
        hash_of(file)
    system.rm_file("/identity/t.csv")
    with pytest.raises(FileError, match="no file has its name any more"):
        read(file)
    system.pipe_file("/identity/t.csv", TEXT)


def test_a_server_that_sends_less_than_it_says(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = MemoryFileSystem.info

    def more(self: MemoryFileSystem, path: str, **options: object) -> dict[str, object]:
        found: dict[str, object] = honest(self, path, **options)
        return found | {"size": len(TEXT) + 5}

    monkeypatch.setattr(MemoryFileSystem, "info", more)
    file = planned(remote)
    with pytest.raises(FileError, match=rf"it had {len(TEXT) + 5:,} bytes, {len(TEXT):,} were read"):
        read(file)


def test_what_servers_tell() -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    s3 = {"size": 5, "ETag": '"a"', "LastModified": when, "VersionId": None, "StorageClass": "STANDARD"}
    assert remote_identity(s3) == FileIdentity(5, when.timestamp(), (("ETag", '"a"'), ("LastModified", str(when))))
    http = {"size": None, "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT", "url": "http://x/y", "mimetype": "text/csv"}
    assert remote_identity(http).modified == when.timestamp()
    assert remote_identity({"size": 5, "updated": "2026-01-02T03:04:05Z"}).modified == when.timestamp()
    assert remote_identity({"size": 5, "mtime": 7}).modified == 7
    assert remote_identity({"size": 5, "last_modified": "yesterday"}).modified is None
    nothing = remote_identity({"name": "y"})
    assert nothing == FileIdentity(None, None, ())
    assert difference(remote_identity(s3), remote_identity(s3 | {"ETag": '"b"'})) == 'its ETag was "a", now "b"'
    assert difference(remote_identity(s3), remote_identity(s3 | {"StorageClass": "COLD"})) == ""
    assert difference(nothing, remote_identity({"size": 1})) == "it had unknown bytes, now 1"


# --------------------------------------------------------------------------- age


def test_a_young_file_is_refused(path: Path) -> None:
    with pytest.raises(FileError, match=r"was written 0\.\d s ago, and --settle refuses files of less than 60 s"):
        discover([str(path)], DialectOptions(), settle=60)
    os.utime(path, (0, time.time() - 61))
    assert len(discover([str(path)], DialectOptions(), settle=60).files) == 1
    os.utime(path, (0, time.time() + 100))
    with pytest.raises(FileError, match=r"s in the future"):
        discover([str(path)], DialectOptions(), settle=60)
    assert len(discover([str(path)], DialectOptions()).files) == 1


def test_an_unknown_age_is_refused() -> None:
    check_age("x", FileIdentity(1, None, ()), 0)
    with pytest.raises(FileError, match="does not say when it was written") as caught:
        check_age("x", FileIdentity(1, None, ()), 60)
    assert "--settle" in caught.value.remedy
