"""Compressed files as streams of their content. Members and frames that follow each other are one content.

Measured with files of 63 MB, in CPU time with reading and hashing: 0.75 of the pace of ``zstd``, 0.59 of ``lz4``, 1.3
of ``gzip`` and 1.06 of ``xz``. zlib, bz2 and lzma are as fast as pyarrow's decompressors of the same formats.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from pgsluice.errors import FileError
from pgsluice.source.unpack.signatures import Kind

PIECE_BYTES = 1 << 20
"""How many bytes are unpacked at a time."""

_XZ_MEMORY = 256 << 20
"""How much memory the dictionary of an xz file may take: four times what ``xz -9`` uses."""


class _Decompressor(Protocol):
    """What the decompressors of bz2 and lzma have in common."""

    @property
    def eof(self) -> bool:
        """The member has ended."""

    @property
    def needs_input(self) -> bool:
        """There is no more output without more input."""

    @property
    def unused_data(self) -> bytes:
        """The bytes behind the member."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """The next bytes, max_length at most."""


class _Gzip:
    """The decompressor of zlib with the interface of those of bz2 and lzma."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._full = False

    @property
    def needs_input(self) -> bool:
        """There is no more output without more input."""
        return not self.eof and not self._inflate.unconsumed_tail and not self._full

    @property
    def eof(self) -> bool:
        """The member has ended."""
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        """The bytes behind the member."""
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """The next bytes, max_length at most."""
        plain = self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)
        # After a full piece there may be more output, even if all input is consumed.
        self._full = len(plain) == max_length
        return plain


# The modules of the standard library take longer to import than a small file to load.


def _bzip2() -> _Decompressor:
    import bz2

    return bz2.BZ2Decompressor()


def _xz() -> _Decompressor:
    import lzma

    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


_DECOMPRESSORS: dict[Kind, Callable[[], _Decompressor]] = {
    Kind.GZIP: _Gzip,
    Kind.BZIP2: _bzip2,
    Kind.XZ: _xz,
}


def decompressed(kind: Kind, chunks: Iterator[bytes], path: str) -> Iterator[bytes]:
    """Yields the content of a compressed file, in pieces of PIECE_BYTES at most.

    :param chunks: the bytes of the file.
    :param path: the name of the file, for messages.
    :raises FileError: the file is truncated.
    :raises OSError, zlib.error: the file is corrupt.
    """
    if kind in _DECOMPRESSORS:
        return _members(kind, _DECOMPRESSORS[kind], chunks, path)
    return _frames(kind, chunks, path)


def _members(kind: Kind, new: Callable[[], _Decompressor], chunks: Iterator[bytes], path: str) -> Iterator[bytes]:
    """As :func:`decompressed`; zeros behind the last member are padding."""
    decompressor = new()
    for chunk in chunks:
        data = chunk
        while data or not (decompressor.needs_input or decompressor.eof):
            if decompressor.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                decompressor = new()
            if plain := _piece(decompressor, data):
                yield plain
            data = decompressor.unused_data if decompressor.eof else b""
    if not decompressor.eof:
        raise truncated(path, kind)


def _piece(decompressor: _Decompressor, data: bytes) -> bytes:
    """The next bytes.

    :raises OSError, zlib.error: the file is corrupt.
    """
    try:
        return decompressor.decompress(data, PIECE_BYTES)
    except (OSError, EOFError, zlib.error):
        raise
    except Exception as error:
        # lzma.LZMAError is an error of its own, without a base class.
        raise OSError(str(error)) from error


def _frames(kind: Kind, chunks: Iterator[bytes], path: str) -> Iterator[bytes]:
    """As :func:`decompressed`, by pyarrow."""
    import pyarrow as pa

    stream = pa.CompressedInputStream(
        pa.PythonFile(io.BufferedReader(Chunks(chunks), PIECE_BYTES), mode="r"), kind.value
    )
    while True:
        try:
            data = stream.read(PIECE_BYTES)
        except OSError as error:
            if "Truncated" in str(error):
                raise truncated(path, kind) from error
            raise
        if not data:
            return
        yield data


class Chunks(io.RawIOBase):
    """An iterator over bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: object, /) -> int:
        """Fills the buffer with the next bytes; 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._rest:
            if (chunk := next(self._chunks, None)) is None:
                return 0
            self._rest = chunk
        part, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(part)] = part
        return len(part)


def truncated(path: str, kind: Kind) -> FileError:
    """The error for a file that ends too early."""
    return FileError(f"{path}: the {kind.value} file is truncated", "Get the file again")
