"""A file as a stream of UTF-8 bytes: decompressed, transcoded, without its byte order mark, and hashed."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from pgsluice.errors import FileError

GZIP_MAGIC = b"\x1f\x8b"
"""The first bytes of a gzip file (RFC 1952, section 2.3.1)."""

BOM = codecs.BOM_UTF8

CHUNK_BYTES = 1 << 20
"""How many bytes are read from disk, or unpacked, at a time."""


def is_remote(path: str) -> bool:
    """Whether the path is a URL. fsspec opens URLs."""
    return "://" in path


def is_utf8(encoding: str) -> bool:
    """Whether the encoding is UTF-8, with or without a byte order mark.

    :raises LookupError: Python has no codec of this name.
    """
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def open_decoded(path: str, encoding: str, max_bytes: int | None = None) -> DecodedStream:
    """Opens a file for one pass from its beginning.

    :param path: a local path or a URL.
    :param encoding: the name of a codec of Python.
    :param max_bytes: how many bytes a compressed file may hold unpacked; None sets no limit.
    :returns: the stream; the caller closes it.
    :raises FileError: the file is missing, unreadable or a folder, or is named ``.gz`` without being gzip.
    """
    return DecodedStream(path, encoding, max_bytes)


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Converts the exceptions of opening, listing or reading ``path`` into a :class:`FileError`."""
    try:
        yield
    except FileError:
        raise
    except FileNotFoundError as error:
        raise FileError(f"{path}: no such file or folder", "Check the path") from error
    except IsADirectoryError as error:
        raise FileError(f"{path}: this is a folder", "Name a file in it") from error
    except PermissionError as error:
        raise FileError(f"{path}: not readable for this user", "Give read permission on it") from error
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path}: cannot be read ({error})", "Check that the file is whole") from error
    except Exception as error:
        # A file system of fsspec raises the exceptions of its own library.
        if not is_remote(path):
            raise
        raise FileError(
            f"{path}: cannot be opened ({error})", "Check the address, or download the file first"
        ) from error


class DecodedStream:
    """The bytes of a file as UTF-8, unpacked and without a byte order mark; opened by :func:`open_decoded`."""

    def __init__(self, path: str, encoding: str, max_bytes: int | None = None) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self.position = 0
        """How many bytes of the file on disk have been consumed."""
        self.seekable = False
        """Whether :meth:`seek` works: the file is local, not packed, and UTF-8."""
        self._hash = hashlib.sha256()
        self._pending = b""
        self._source: Iterator[bytes] | None = None
        self._ended = False
        with translated(path):
            self._raw = _open(path)
            try:
                self._begin(encoding)
            except BaseException:
                self._raw.close()
                raise

    def _begin(self, encoding: str) -> None:
        """Reads the first bytes, and chains what the file needs: unpacking, transcoding, removing the mark."""
        head = self._take(CHUNK_BYTES)
        self._bom = head.startswith(BOM)
        if head.startswith(GZIP_MAGIC):
            self._source = self._unzipped(head)
        elif not head and self.path.lower().endswith(".gz"):
            raise FileError(f"{self.path}: the gzip file is truncated", "Get the file again")
        elif self.path.lower().endswith(".gz"):
            raise FileError(
                f"{self.path}: the name ends in .gz but the content is not gzip",
                "Rename or compress the file",
            )
        if not is_utf8(encoding):
            self._source = self._transcoded(self._source or self._chunks(head), encoding)
        if self._source is None:
            self.seekable = not is_remote(self.path)
            self._pending = head
        else:
            head = self._read(len(BOM))
            self._pending = head + self._pending
        self._pending = self._pending.removeprefix(BOM)

    def read(self, size: int) -> bytes:
        """Reads ``size`` bytes of the decoded stream, or fewer at its end.

        :raises FileError: the file is corrupt, or its encoding cannot decode a byte.
        """
        with translated(self.path):
            return self._read(size)

    def seek(self, offset: int) -> None:
        """Continues at this offset of the decoded stream. The stream must be ``seekable``; its hash becomes wrong."""
        with translated(self.path):
            self._raw.seek(offset + (len(BOM) if self._bom else 0))
        self._pending, self._ended = b"", False

    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the bytes read from disk so far: of the whole file at the end of the stream."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Closes the file."""
        self._raw.close()

    def __enter__(self) -> DecodedStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, size: int) -> bytes:
        """The next bytes of the file on disk, hashed and counted."""
        data = self._raw.read(size) or b""
        self._hash.update(data)
        self.position += len(data)
        return data

    def _read(self, size: int) -> bytes:
        parts: list[bytes] = []
        missing = size
        if self._pending:
            parts.append(self._pending[:size])
            self._pending = self._pending[size:]
            missing -= len(parts[0])
        while missing > 0 and not self._ended:
            data = self._take(missing) if self._source is None else next(self._source, b"")
            if not data:
                self._ended = True
            elif len(data) > missing:
                data, self._pending = data[:missing], data[missing:]
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def _chunks(self, head: bytes) -> Iterator[bytes]:
        """Yields ``head`` and then the rest of the file on disk."""
        while head:
            yield head
            head = self._take(CHUNK_BYTES)

    def _unzipped(self, head: bytes) -> Iterator[bytes]:
        """Yields the content of all members of a gzip file; zeros behind the last member are padding.

        :raises FileError: the gzip file is truncated, or holds more than ``max_bytes``.
        """
        unpacked = 0
        inflate = zlib.decompressobj(wbits=31)
        for chunk in self._chunks(head):
            # After a full chunk of output there may be more output, even if all input is consumed.
            data, full = chunk, False
            while data or full:
                if inflate.eof:
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    inflate = zlib.decompressobj(wbits=31)
                plain = inflate.decompress(data, CHUNK_BYTES)
                unpacked += len(plain)
                if self._max_bytes is not None and unpacked > self._max_bytes:
                    raise FileError(
                        f"{self.path}: the file unpacks to more than {self._max_bytes:,} bytes (--max-bytes);"
                        f" {self.position:,} bytes of the packed file were read",
                        "Check what the file holds. If it is right, allow more with --max-bytes",
                    )
                if plain:
                    yield plain
                data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
                full = len(plain) == CHUNK_BYTES
        if not inflate.eof:
            raise FileError(f"{self.path}: the gzip file is truncated", "Get the file again")

    def _transcoded(self, source: Iterator[bytes], encoding: str) -> Iterator[bytes]:
        """Yields the text of ``source`` as UTF-8."""
        decoder = codecs.getincrementaldecoder(encoding)()
        consumed = 0
        for chunk in source:
            waiting = len(decoder.getstate()[0])
            text = self._decode(decoder, chunk, False, encoding, consumed - waiting)
            consumed += len(chunk)
            if text:
                yield text
        yield self._decode(decoder, b"", True, encoding, consumed - len(decoder.getstate()[0]))

    def _decode(self, decoder: codecs.IncrementalDecoder, data: bytes, final: bool, encoding: str, base: int) -> bytes:
        """Decodes the next bytes.

        :param base: the offset of the first byte that the decoder has not decoded yet, for messages.
        """
        try:
            return decoder.decode(data, final).encode()
        except UnicodeError as error:
            where = f" at byte {base + error.start}" if isinstance(error, UnicodeDecodeError) else ""
            raise FileError(
                f"{self.path}: not {encoding}{where} ({getattr(error, 'reason', error)})",
                "Name the right encoding with --encoding",
            ) from error


def _open(path: str) -> BinaryIO:
    if is_remote(path):
        import fsspec

        return cast(BinaryIO, fsspec.open(path, "rb").open())
    # Unbuffered: reads are large, and a buffer would only copy the bytes.
    return cast(BinaryIO, io.FileIO(os.fspath(path), "r"))


def hash_of(path: str) -> str:
    """SHA-256, in hexadecimal, of a file's bytes on disk.

    :raises FileError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with translated(path), _open(path) as file:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
    return digest.hexdigest()
