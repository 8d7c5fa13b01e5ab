"""Identity: notices that a file is no longer the file that was planned.

A run plans all files first and reads them later, one after the other; the last file may be read hours after its plan.
In between a file may be truncated, written again, replaced or deleted. Keeping all files open would not help: a file
that is written in place changes under its open handle, and a process may open only so many files. So discovery takes
the identity of each file, and every later reader of the file compares: when it opens the file, while it reads, and when
it has read the last byte.

The identity of a local file holds its size, inode, mtime, ctime, and a hash of its first and last bytes. ctime is the
property that a writer cannot set: it also changes when a program such as ``cp -p`` sets mtime back. It changes with
chmod, chown, a rename and a hard link as well, which leave the content alone. pgsluice cannot tell them from a rewrite,
so each of them counts as a change: the cost is a second load, while the other decision could cost rows. Reading changes
neither time (inode(7)). The first and the last bytes are for file systems whose times are coarse.

A remote file has the properties that its server tells: size, and ETag, version, checksum or time if there are any.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Protocol, cast

from pgsluice.errors import FileError
from pgsluice.model import FileIdentity
from pgsluice.source.places.remote import RemoteReader, file_system

HEAD_BYTES, TAIL_BYTES = 1 << 16, 1 << 12
"""How many first and last bytes of a file are hashed. The first bytes are read anyway; the last bytes cost a read."""

PLANNED, READ = "since it was planned", "while it was read"
"""Since when a file has changed, in the words of the message."""

VANISHED = "no file has its name any more"
"""What has changed if the path names no file, in the words of the message."""

_COARSE_CLOCK = 5
"""``CLOCK_REALTIME_COARSE`` of linux/time.h, which Python's module ``time`` has no name for."""

_TICK = 0.05
"""Seconds after which a clock that stamps files has moved on. A tick of Linux takes 1 to 10 ms."""

_REMOTE_MARK = re.compile(
    "etag|version|versionid|(meta)?generation|(content)?md5(hash)?|crc(32c)?|digest|checksum"
    "|lastmodified|modified|updated|mtime|created|ino"
)
"""The properties in ``info()`` of fsspec's file systems that change with the content, lower case, without - and _."""

_REMOTE_TIMES = ("lastmodified", "modified", "updated", "mtime", "created")
"""The properties that say when the content was written, the most exact first."""


class OpenFile(Protocol):
    """A file that is open for reading, with the means to find out whether it has changed."""

    raw: BinaryIO
    """The bytes on disk, unbuffered."""

    def by_handle(self) -> FileIdentity:
        """The identity of the open file, without the hash of its ends."""

    def by_path(self) -> FileIdentity:
        """The identity of the file that has the path now, without the hash of its ends.

        :raises Exception: what the file system raises, if no file has the path.
        """

    def ends(self, head: bytes | None = None) -> str:
        """The hash of the first and the last bytes.

        :param head: the first HEAD_BYTES as they were read, or all bytes of a shorter file; None to read them again.
        """


class LocalFile:
    """An open file of a local file system."""

    def __init__(self, path: str) -> None:
        # Unbuffered: reads are large, and a buffer would only copy the bytes.
        self.raw = cast(BinaryIO, io.FileIO(os.fspath(path), "r"))
        self._path = path

    def by_handle(self) -> FileIdentity:
        """See :class:`OpenFile`."""
        return _local(os.fstat(self.raw.fileno()))

    def by_path(self) -> FileIdentity:
        """See :class:`OpenFile`."""
        return _local(os.stat(self._path))

    def ends(self, head: bytes | None = None) -> str:
        """See :class:`OpenFile`."""
        handle = self.raw.fileno()
        size = os.fstat(handle).st_size
        tail_bytes = min(TAIL_BYTES, size)
        # pread leaves the position of the handle alone.
        first = os.pread(handle, HEAD_BYTES, 0) if head is None else head
        return hashlib.sha256(first + os.pread(handle, tail_bytes, size - tail_bytes)).hexdigest()


class SpooledFile:
    """An open copy of what could be read only once. Its handle is shared: each reader has a position of its own."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.raw = cast(BinaryIO, _Positioned(handle))

    def by_handle(self) -> FileIdentity:
        """See :class:`OpenFile`."""
        return _local(os.fstat(self._handle))

    def by_path(self) -> FileIdentity:
        """The identity of the open file; it has no path."""
        return self.by_handle()

    def ends(self, head: bytes | None = None) -> str:
        """The hash of nothing: no other process can write to the file."""
        return ""


class _Positioned(io.RawIOBase):
    """A file handle that is read from a position of its own, and stays open."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._position = 0

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Moves the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._handle).st_size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fills the buffer from the position on."""
        count = os.preadv(self._handle, [buffer], self._position)
        self._position += count
        return count


class RemoteFile:
    """An open file of a file system of fsspec. Each look at its identity is a request to the server."""

    def __init__(self, path: str) -> None:
        self._system, self._inner = file_system(path)
        # Before the file is opened: a change in between is noticed at the end of reading.
        self._identity = self.by_path()
        self.raw = cast(BinaryIO, RemoteReader(path, self._system, self._inner, self._identity.size))
        self._ends = ""

    def by_handle(self) -> FileIdentity:
        """The identity when the file was opened; a server knows no handles."""
        return self._identity

    def by_path(self) -> FileIdentity:
        """See :class:`OpenFile`."""
        # File systems of fsspec keep what a listing said.
        self._system.invalidate_cache(self._system._parent(self._inner))
        return remote_identity(self._system.info(self._inner))

    def ends(self, head: bytes | None = None) -> str:
        """The hash of the first bytes alone, read once: other bytes would cost a request."""
        if head is not None:
            self._ends = hashlib.sha256(head).hexdigest()
        return self._ends


def _local(status: os.stat_result) -> FileIdentity:
    marks = (
        ("inode", f"{status.st_dev}:{status.st_ino}"),
        ("mtime", str(status.st_mtime_ns)),
        ("ctime", str(status.st_ctime_ns)),
    )
    return FileIdentity(status.st_size, status.st_mtime, marks)


def remote_identity(info: Mapping[str, Any]) -> FileIdentity:
    """The identity of a remote file.

    :param info: what ``info()`` of its file system says.
    """
    known = {name.lower().replace("-", "").replace("_", ""): (name, value) for name, value in info.items()}
    marks = tuple(
        (name, str(value)) for key, (name, value) in sorted(known.items()) if value and _REMOTE_MARK.fullmatch(key)
    )
    size = info.get("size")
    times = (_seconds(known[key][1]) for key in _REMOTE_TIMES if key in known)
    return FileIdentity(None if size is None else int(size), next((t for t in times if t is not None), None), marks)


def _seconds(value: Any) -> float | None:
    """A time as seconds since 1970. Servers write it as a number, an ISO 8601 text or the date of an HTTP header."""
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str):
        for parse in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                value = parse(value)
                break
            except ValueError:
                continue
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def difference(planned: FileIdentity, now: FileIdentity) -> str:
    """What differs between two identities, in words; '' if they are equal.

    The hash of the ends counts only if both identities have it.
    """
    if planned.size != now.size:
        before, after = ("unknown" if s is None else f"{s:,}" for s in (planned.size, now.size))
        return f"it had {before} bytes, now {after}"
    before_marks, now_marks = dict(planned.marks), dict(now.marks)
    for name in dict.fromkeys((*before_marks, *now_marks)):
        before, after = before_marks.get(name, "unknown"), now_marks.get(name, "unknown")
        if before != after:
            words = {
                "inode": "another file has taken its place",
                "mtime": "it was written again",
                "ctime": "its content, permissions or links were changed",
            }
            return words.get(name, f"its {name} was {before}, now {after}")
    if planned.ends and now.ends and planned.ends != now.ends:
        return "its first or last bytes differ"
    return ""


def changed(path: str, since: str, what: str) -> FileError:
    """The error for a file that has changed.

    :param since: PLANNED or READ.
    :param what: what has changed, as :func:`difference` says.
    """
    return FileError(
        f"{path}: the file has changed {since} ({what})", "Load it again when it is complete; nothing was published"
    )


def check_age(path: str, identity: FileIdentity, settle: float) -> None:
    """Checks that a file was written at least so many seconds ago.

    :param settle: seconds; 0 checks nothing.
    :raises FileError: the file is younger, or its server does not say when it was written.
    """
    if not settle:
        return
    if identity.modified is None:
        raise FileError(
            f"{path}: its server does not say when it was written, and --settle {settle:g} needs that time",
            "Download the file first, or leave --settle out",
        )
    age = time.time() - identity.modified
    if age < settle:
        written = f"{age:,.1f} s ago" if age >= 0 else f"{-age:,.1f} s in the future"
        raise FileError(
            f"{path}: the file may not be complete: it was written {written},"
            f" and --settle refuses files of less than {settle:g} s",
            "Load it again later; nothing was published",
        )


def await_tick(identity: FileIdentity) -> None:
    """Waits until a file system would give a file that is written now a later time than this file has.

    File systems of Linux stamp files with the clock of the kernel's timer, which moves every few milliseconds
    (``CLOCK_REALTIME_COARSE``). A file that was written in the present tick could be written again without another
    time. Git calls such a file racily clean (git's Documentation/technical/racy-git.txt). The wait is a tick, and only
    for a file that was written just now.
    """
    stamp = dict(identity.marks).get("ctime")
    if sys.platform != "linux" or stamp is None:
        return
    # The time of a file on another machine may lie in the future.
    until = time.monotonic() + _TICK
    while time.clock_gettime_ns(_COARSE_CLOCK) <= int(stamp) and time.monotonic() < until:
        time.sleep(0.001)
