"""A file on disk, or on a server, that is read once: hashed, counted, and compared with the file that was planned."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO, Self

from pgsluice.errors import FileError
from pgsluice.model import FileIdentity, Place
from pgsluice.source.identity import (
    HEAD_BYTES,
    READ,
    VANISHED,
    LocalFile,
    OpenFile,
    RemoteFile,
    SpooledFile,
    changed,
    difference,
)
from pgsluice.source.places.addresses import SPOOL, is_remote, translated


class DiskFile:
    """An open file, as it lies on disk.

    :param planned: the identity that the file must have; None: any.
    :param since: since when the file would have changed, for the message: PLANNED or READ.
    """

    def __init__(self, place: Place, planned: FileIdentity | None, since: str) -> None:
        self._place = place
        self.path = place.shown
        """The name of the file, for messages."""
        self.position = 0
        """How many bytes of the file on disk, or of the member of an archive, have been consumed."""
        self._planned = planned
        self._hash = hashlib.sha256()
        self._in_order = True
        """The bytes on disk are read in order, so that they are hashed and counted as they come."""
        try:
            with translated(place):
                self._file: OpenFile = open_file(place.address)
        except FileError as error:
            if planned is not None and isinstance(error.__cause__, FileNotFoundError):
                raise changed(self.path, since, VANISHED) from error
            raise

    def _head(self, since: str, chunk_bytes: int) -> bytes:
        """Reads the first bytes, and compares the identity of the file.

        :raises FileError: the file is not the planned file.
        """
        # Before the first byte is read: a file that changes from here on has another identity afterwards.
        opened = self._file.by_handle()
        self._compare(opened, since)
        head = self._take(chunk_bytes)
        while len(head) < HEAD_BYTES and (more := self._take(chunk_bytes)):
            head += more
        self.identity = replace(opened, ends=self._file.ends(head[:HEAD_BYTES]))
        """The identity of the file when it was opened."""
        self._compare(self.identity, since)
        return head

    def check(self) -> None:
        """Checks that the open file is still the planned file. A file that was not planned has nothing to check.

        :raises FileError: the file has changed.
        """
        if self._planned is None:
            return
        with translated(self._place):
            if what := difference(self._planned, self._file.by_handle()):
                # An open file that loses its name has another ctime; what happened to the name says more.
                raise changed(self.path, READ, self._difference_by_path(self._planned) or what)

    def difference_now(self) -> str:
        """What differs between the file that has the path now and the file that was opened, in words; '' if nothing.

        :raises FileError: the file is unreadable.
        """
        with translated(self._place):
            return self._difference_by_path(self.identity)

    def close(self) -> None:
        """Closes the file."""
        self._file.raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _compare(self, now: FileIdentity, since: str) -> None:
        """Raises FileError if an identity is not that of the planned file."""
        if self._planned is not None and (what := difference(self._planned, now)):
            raise changed(self.path, since, what)

    def _difference_by_path(self, before: FileIdentity) -> str:
        """What differs between an identity and the file that has the path now, in words; '' if nothing."""
        try:
            now = self._file.by_path()
        except FileNotFoundError:
            return VANISHED
        # If the path belongs to another file, its inode differs, so the bytes of the open file may stand for its bytes.
        return difference(before, replace(now, ends=self._file.ends()))

    def _check_end(self) -> None:
        """Checks at the end of the stream that exactly the planned file was read.

        :raises FileError: the file has changed, or another file has its path.
        """
        if self._planned is None:
            return
        self.check()
        if what := self._difference_by_path(self._planned):
            raise changed(self.path, READ, what)
        size = self._planned.size
        if size is not None and size != self.position and self._in_order:
            raise changed(self.path, READ, f"it had {size:,} bytes, {self.position:,} were read")

    def _take(self, size: int) -> bytes:
        """The next bytes of the file on disk, hashed and counted."""
        data = self._file.raw.read(size) or b""
        self._hash.update(data)
        self.position += len(data)
        if data:
            # Not only at the end: a file that grows as fast as it is read has no end.
            self.check()
        return data


class CheckedReader(io.RawIOBase):
    """The file on disk for readers that move in it: each read checks that the file is still the planned file."""

    def __init__(self, raw: BinaryIO, check: Callable[[], None]) -> None:
        self._raw, self._check = raw, check

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves in the file."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """The place in the file."""
        return self._raw.tell()

    def readinto(self, buffer: Any, /) -> int:
        """Fills the buffer."""
        data = self._raw.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self._check()
        return len(data)


def open_file(address: str) -> OpenFile:
    if address.startswith(SPOOL):
        return SpooledFile(int(address.removeprefix(SPOOL)))
    return RemoteFile(address) if is_remote(address) else LocalFile(address)
