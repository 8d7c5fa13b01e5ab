"""Remote files through fsspec: opened as streams, and read on where a connection breaks."""

from __future__ import annotations

import io
import time
from typing import Any

from pgsluice.source.places.addresses import scheme_of

_PAUSES = (0.2, 1.0, 3.0, 8.0)
"""Seconds to wait before a broken read is tried again. A read that succeeds starts anew."""

_BLOCK_BYTES = 8 << 20
"""How many bytes are requested at a time, where a file is read by ranges."""


def file_system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    :raises ImportError: the package of the file system is not installed.
    """
    from fsspec.core import url_to_fs

    options = {}
    if scheme_of(address) in ("sftp", "ssh"):
        import sshfs  # noqa: F401  (otherwise fsspec takes another package, which trusts every host)

        # Without this option the host's key would not be compared with ~/.ssh/known_hosts.
        options["known_hosts"] = ()
    system, inner = url_to_fs(address, **options)
    return system, str(inner)


class RemoteReader(io.RawIOBase):
    """The bytes of a remote file. A read that breaks is tried again from where it was."""

    def __init__(self, address: str, system: Any, inner: str, size: int | None) -> None:
        """:param size: the bytes of the file; None if its server does not say it."""
        self._system, self._inner, self._size = system, inner, size
        self._is_web = scheme_of(address) in ("http", "https")
        self._position = 0
        self._file = self._open(streaming=self._is_web)

    def _open(self, *, streaming: bool) -> Any:
        # A block size of 0 makes one request for the whole file of a web server.
        return self._system.open(self._inner, "rb", block_size=0 if streaming else _BLOCK_BYTES)

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true; a server that has no ranges raises an error with the first read elsewhere."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves the position.

        :raises OSError: the server does not say how long the file is, or sends it only as a whole.
        """
        if whence == io.SEEK_END and self._size is None:
            raise OSError("its server does not say how long it is; download it first")
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size or 0}[whence]
        if base + offset != self._position:
            self._go(base + offset)
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fills the buffer from the position on."""
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Closes the connection."""
        if not self.closed:
            self._file.close()
        super().close()

    def _go(self, position: int) -> None:
        """Continues at a position."""
        if self._is_web:
            self._file.close()
            self._file = self._open(streaming=not position)
            if not self._file.seekable() and position:
                raise OSError("its server sends it only as a whole; download it first")
        if position:
            self._file.seek(position)
        elif not self._is_web:
            self._file.seek(0)
        self._position = position

    def _read(self, size: int) -> bytes:
        pauses = iter(_PAUSES)
        while True:
            try:
                data: bytes = self._file.read(size)
                # A web server that dies may look like the end of the file.
                if self._is_web and not data and size and self._position < (self._size or 0):
                    raise OSError(f"the connection ended after {self._position:,} of {self._size:,} bytes")
                return data
            except (FileNotFoundError, PermissionError, ImportError):
                raise
            except Exception:
                pause = next(pauses, None)
                if pause is None:
                    raise
                time.sleep(pause)
                self._reopen()

    def _reopen(self) -> None:
        """Opens the file again at the position; a server without ranges sends it once more from its beginning."""
        try:
            self._file.close()
            if self._has_ranges():
                return
            self._file = self._open(streaming=self._is_web)
            left = self._position
            while left and (skipped := len(self._file.read(min(left, 1 << 20)))):
                left -= skipped
        except Exception:
            # The next read would be of another place.
            self._file.close()

    def _has_ranges(self) -> bool:
        """Opens the file at the position, if its server can begin there."""
        self._file = self._open(streaming=False)
        if not self._file.seekable():
            return False
        self._file.seek(self._position)
        if self._is_web:
            try:
                self._file.read(1)
            except ValueError:
                return False
            self._file.seek(self._position)
        return True
