"""A file as a stream of UTF-8 bytes: decompressed, transcoded, without its byte order mark, and hashed.

A stream of a planned file raises an error if the file is not, or is no longer, the file that was planned.
"""

from __future__ import annotations

import codecs
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pgsluice.errors import FileError
from pgsluice.model import FileIdentity, SourceFile
from pgsluice.source.identity import (
    HEAD_BYTES,
    PLANNED,
    READ,
    VANISHED,
    LocalFile,
    OpenFile,
    RemoteFile,
    changed,
    difference,
)

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


def open_decoded(path: str, encoding: str, max_bytes: int | None = None, *, strip_nul: bool = False) -> DecodedStream:
    """Opens a file for one pass from its beginning.

    :param path: a local path or a URL.
    :param encoding: the name of a codec of Python.
    :param max_bytes: how many bytes a compressed file may hold unpacked; None sets no limit.
    :param strip_nul: remove NUL characters.
    :returns: the stream; the caller closes it.
    :raises FileError: the file is missing, unreadable or a folder, or is named ``.gz`` without being gzip.
    """
    return DecodedStream(path, encoding, max_bytes=max_bytes, strip_nul=strip_nul)


def open_planned(file: SourceFile, *, encoding: str | None = None, again: bool = False) -> DecodedStream:
    """Opens a planned file for one pass from its beginning, and checks that it is the file that was planned.

    The stream checks the same with every read, and at its end that it has read as many bytes as were planned.

    :param encoding: the name of a codec of Python; None stands for the encoding of the file's dialect.
    :param again: the file was read before, for the words of a message.
    :returns: the stream; the caller closes it.
    :raises FileError: the file has changed; and as :func:`open_decoded`.
    """
    since = READ if again else PLANNED
    return DecodedStream(
        file.path,
        encoding or file.dialect.encoding,
        file.identity,
        since,
        file.max_bytes,
        strip_nul=file.dialect.strip_nul,
    )


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

    def __init__(
        self,
        path: str,
        encoding: str,
        planned: FileIdentity | None = None,
        since: str = PLANNED,
        max_bytes: int | None = None,
        *,
        strip_nul: bool = False,
    ) -> None:
        """:param planned: the identity that the file must have; None: any.
        :param since: since when the file would have changed, for the message: PLANNED or READ.
        :param max_bytes: how many bytes the file may hold unpacked, if it is compressed; None sets no limit.
        :param strip_nul: remove NUL characters.
        """
        self.path = path
        self._max_bytes = max_bytes
        self.position = 0
        """How many bytes of the file on disk have been consumed."""
        self.seekable = False
        """Whether :meth:`seek` works: the file is local, not packed, UTF-8, and no NUL is removed from it."""
        self.nuls = 0
        """How many NUL characters were removed so far."""
        self._strip_nul = strip_nul
        self._planned = planned
        self._hash = hashlib.sha256()
        self._pending = b""
        self._source: Iterator[bytes] | None = None
        self._ended = False
        self._moved = False
        try:
            with translated(path):
                self._file: OpenFile = RemoteFile(path) if is_remote(path) else LocalFile(path)
        except FileError as error:
            if planned is not None and isinstance(error.__cause__, FileNotFoundError):
                raise changed(path, since, VANISHED) from error
            raise
        try:
            with translated(path):
                self._begin(encoding, since)
        except BaseException:
            self.close()
            raise

    def _begin(self, encoding: str, since: str) -> None:
        """Reads the first bytes, and chains what the file needs: unpacking, transcoding, removing the mark.

        :raises FileError: the file is not the planned file, is corrupt, or is named ``.gz`` without being gzip.
        """
        # Before the first byte is read: a file that changes from here on has another identity afterwards.
        opened = self._file.by_handle()
        self._compare(opened, since)
        head = self._take(CHUNK_BYTES)
        while len(head) < HEAD_BYTES and (more := self._take(CHUNK_BYTES)):
            head += more
        self.identity = replace(opened, ends=self._file.ends(head[:HEAD_BYTES]))
        """The identity of the file when it was opened."""
        self._compare(self.identity, since)
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
        if self._strip_nul:
            self._source = self._without_nul(self._source or self._chunks(head))
        if self._source is None:
            self.seekable = not is_remote(self.path)
            self._pending = head
        else:
            head = self._read(len(BOM))
            self._pending = head + self._pending
        self._pending = self._pending.removeprefix(BOM)

    def read(self, size: int) -> bytes:
        """Reads ``size`` bytes of the decoded stream, or fewer at its end.

        :raises FileError: the file has changed since it was planned, is corrupt, or its encoding cannot decode a byte.
        """
        try:
            with translated(self.path):
                return self._read(size)
        except FileError:
            # If the file has changed, this explains the error.
            self.check()
            raise

    def seek(self, offset: int) -> None:
        """Continues at this offset of the decoded stream. The stream must be ``seekable``; its hash becomes wrong."""
        with translated(self.path):
            self._file.raw.seek(offset + (len(BOM) if self._bom else 0))
        self._pending, self._ended, self._moved = b"", False, True

    def check(self) -> None:
        """Checks that the open file is still the planned file. A stream of no planned file has nothing to check.

        :raises FileError: the file has changed.
        """
        if self._planned is None:
            return
        with translated(self.path):
            if what := difference(self._planned, self._file.by_handle()):
                # An open file that loses its name has another ctime; what happened to the name says more.
                raise changed(self.path, READ, self._difference_by_path(self._planned) or what)

    def difference_now(self) -> str:
        """What differs between the file that has the path now and the file that was opened, in words; '' if nothing.

        :raises FileError: the file is unreadable.
        """
        with translated(self.path):
            return self._difference_by_path(self.identity)

    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the bytes read from disk so far: of the whole file at the end of the stream."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Closes the file."""
        self._file.raw.close()

    def __enter__(self) -> DecodedStream:
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
        if size is not None and size != self.position and not self._moved:
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
                self._check_end()
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

    def _without_nul(self, source: Iterator[bytes]) -> Iterator[bytes]:
        """Yields ``source`` without NUL bytes, which in UTF-8 are NUL characters."""
        for chunk in source:
            kept = chunk.replace(b"\0", b"")
            self.nuls += len(chunk) - len(kept)
            if kept:
                yield kept

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


def hash_of(file: SourceFile) -> str:
    """SHA-256, in hexadecimal, of a planned file's bytes on disk.

    :raises FileError: the file cannot be read, or has changed since it was planned.
    """
    with open_planned(file, encoding="utf-8") as stream:
        while stream.read(CHUNK_BYTES):
            pass
        return stream.sha256()
