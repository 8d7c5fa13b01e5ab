"""A file as a stream of UTF-8 bytes: decompressed, transcoded, without its byte order mark, and hashed.

A stream of a planned file raises an error if the file is not, or is no longer, the file that was planned.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from pgsluice.errors import FileError
from pgsluice.model import FileIdentity, Place, SourceFile
from pgsluice.source.disk import CheckedReader, DiskFile, open_file
from pgsluice.source.encodings.transcode import is_utf8, transcoded
from pgsluice.source.identity import PLANNED, READ
from pgsluice.source.places.addresses import Holds, is_remote, place_of, translated
from pgsluice.source.unpack import signatures
from pgsluice.source.unpack.archives import is_workbook, member_pieces, members_of, seekable
from pgsluice.source.unpack.compression import decompressed
from pgsluice.source.unpack.signatures import COMPRESSED, Kind, kind_of, refuse_unreadable
from pgsluice.source.unpack.tables import json_pieces, parquet_pieces
from pgsluice.source.unpack.workbooks import sheet_pieces, sheets_of

BOM = codecs.BOM_UTF8

_PACKED = ""
"""The member of a compressed archive that stands for the archive itself."""

CHUNK_BYTES = 1 << 20
"""How many bytes are read from disk, or unpacked, at a time."""


def open_decoded(
    path: Place | str,
    encoding: str,
    max_bytes: int | None = None,
    *,
    strip_nul: bool = False,
    json_fields: Sequence[str] | None = None,
) -> DecodedStream:
    """Opens a file for one pass from its beginning.

    :param path: a local path, a URL, or a place.
    :param encoding: the name of a codec of Python.
    :param max_bytes: how many bytes a compressed file may hold unpacked; None sets no limit.
    :param strip_nul: remove NUL characters.
    :param json_fields: the keys of a JSON Lines file, which is to become CSV.
    :returns: the stream; the caller closes it.
    :raises FileError: the file is missing, unreadable or a folder, is of a kind that pgsluice does not read, or is
        named ``.gz`` without being gzip.
    :raises Holds: the file is an archive or a workbook, and the place names no member.
    """
    place = place_of(path) if isinstance(path, str) else path
    return DecodedStream(place, encoding, max_bytes=max_bytes, strip_nul=strip_nul, json_fields=json_fields)


def open_planned(file: SourceFile, *, encoding: str | None = None, again: bool = False) -> DecodedStream:
    """Opens a planned file for one pass from its beginning, and checks that it is the file that was planned.

    The stream checks the same with every read, and at its end that it has read as many bytes as were planned.

    :param encoding: "utf-8" for the unpacked bytes as they are; None stands for the encoding of the file's dialect.
    :param again: the file was read before, for the words of a message.
    :returns: the stream; the caller closes it.
    :raises FileError: the file has changed; and as :func:`open_decoded`.
    """
    return DecodedStream(
        file.place or place_of(file.path),
        encoding or file.dialect.encoding,
        file.identity,
        READ if again else PLANNED,
        file.max_bytes,
        strip_nul=file.dialect.strip_nul,
        json_fields=file.header if file.form == "json" and encoding is None else None,
    )


class DecodedStream(DiskFile):
    """The bytes of a file as UTF-8, unpacked and without a byte order mark; opened by :func:`open_decoded`."""

    def __init__(
        self,
        place: Place,
        encoding: str,
        planned: FileIdentity | None = None,
        since: str = PLANNED,
        max_bytes: int | None = None,
        *,
        strip_nul: bool = False,
        json_fields: Sequence[str] | None = None,
    ) -> None:
        """:param planned: the identity that the file must have; None: any.
        :param since: since when the file would have changed, for the message: PLANNED or READ.
        :param max_bytes: how many bytes the file may hold unpacked, if it is compressed; None sets no limit.
        :param strip_nul: remove NUL characters.
        :param json_fields: the keys of a JSON Lines file, which is to become CSV.
        """
        super().__init__(place, planned, since)
        self.form = "text"
        """What the records are made from, as in :class:`~pgsluice.model.SourceFile`."""
        self._max_bytes = max_bytes
        self.seekable = False
        """Whether :meth:`seek` works: the file is local, not packed, UTF-8, and no NUL is removed from it."""
        self.nuls = 0
        """How many NUL characters were removed so far."""
        self._strip_nul = strip_nul
        self._pending = b""
        self._source: Iterator[bytes] | None = None
        self._ended = False
        self._hash_at_end = False
        try:
            with translated(place):
                self._begin(encoding, since, json_fields)
        except BaseException:
            self.close()
            raise

    def _begin(self, encoding: str, since: str, json_fields: Sequence[str] | None) -> None:
        """Reads the first bytes, and chains what the file needs: unpacking, transcoding, removing the mark.

        :raises FileError: the file is not the planned file, is corrupt, or is named ``.gz`` without being gzip.
        """
        head = self._head(since, CHUNK_BYTES)
        self._bom = head.startswith(BOM)
        self._source = self._unpacked(head)
        if not is_utf8(encoding):
            self._source = transcoded(self.path, self._source or self._chunks(head), encoding)
        if self._strip_nul:
            self._source = self._without_nul(self._source or self._chunks(head))
        if json_fields is not None:
            self._source = json_pieces(self.path, self._source or self._chunks(head), json_fields)
        if self._source is None:
            self.seekable = not is_remote(self._place.address)
            self._pending = head
        else:
            head = self._read(len(BOM))
            self._pending = head + self._pending
        self._pending = self._pending.removeprefix(BOM)

    @property
    def begin(self) -> int | None:
        """The byte of the file with which the stream begins; None if the stream is not the bytes of the file."""
        if self._source is not None:
            return None
        return len(BOM) if self._bom else 0

    def read(self, size: int) -> bytes:
        """Reads ``size`` bytes of the decoded stream, or fewer at its end.

        :raises FileError: the file has changed since it was planned, is corrupt, or its encoding cannot decode a byte.
        """
        try:
            with translated(self._place):
                return self._read(size)
        except FileError:
            # If the file has changed, this explains the error.
            self.check()
            raise

    def seek(self, offset: int) -> None:
        """Continues at this offset of the decoded stream. The stream must be ``seekable``; its hash becomes wrong."""
        with translated(self._place):
            self._file.raw.seek(offset + (len(BOM) if self._bom else 0))
        self._pending, self._ended, self._in_order = b"", False, False

    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the bytes read from disk so far: of the whole file at the end of the stream.

        The member of an archive has the hash of its own bytes, and a sheet that of its workbook and its name.
        """
        return self._hash.hexdigest()

    def drain(self) -> None:
        """Reads to the end, for the hash alone.

        :raises FileError: as :meth:`read`.
        """
        if self._hash_at_end:
            with translated(self._place):
                self._hash_whole()
                self._check_end()
            return
        while self.read(CHUNK_BYTES):
            pass

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
                if self._hash_at_end:
                    self._hash_whole()
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

    def _unpacked(self, head: bytes) -> Iterator[bytes] | None:
        """The content of the file as text in its encoding; None if the file is text itself.

        :raises FileError: the file is of a kind that pgsluice does not read, or has a wrong name.
        :raises Holds: the file is an archive or a workbook, and no member of it was named.
        """
        kind = kind_of(head)
        if kind in COMPRESSED:
            return self._bounded(self._decompressed(kind, self._chunks(head)))
        if kind is not None:
            return self._bounded(self._from_places(kind))
        refuse_unreadable(self.path, head[: signatures.HEAD_BYTES])
        if self.path.lower().endswith(".gz"):
            if not head:
                raise FileError(f"{self.path}: the gzip file is truncated", "Get the file again")
            raise FileError(
                f"{self.path}: the name ends in .gz but the content is not gzip",
                "Rename or compress the file",
            )
        return None

    def _decompressed(self, kind: Kind, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The content of a compressed file, which must be text or a tar file.

        :raises Holds: it is a tar file.
        """
        pieces = decompressed(kind, chunks, self.path)
        first = b""
        while len(first) < signatures.HEAD_BYTES and (piece := next(pieces, b"")):
            first += piece
        inner = kind_of(first)
        if inner is Kind.TAR and self._place.member is None:
            raise Holds(inner, packed=True)
        if inner is not None and self._place.member != _PACKED:
            raise FileError(f"{self.path}: a {inner.value} file within a {kind.value} file", "Unpack it first")
        refuse_unreadable(self.path, first[: signatures.HEAD_BYTES])
        return chain((first,), pieces)

    def _from_places(self, kind: Kind) -> Iterator[bytes]:
        """The content of a file that is not read in order."""
        self._in_order = False
        raw = seekable(CheckedReader(self._file.raw, self.check))
        raw.seek(0)
        if kind is Kind.OLE or (kind is Kind.ZIP and is_workbook(raw)):
            kind = Kind.WORKBOOK
        raw.seek(0)
        if kind is Kind.PARQUET:
            self.form, self._hash_at_end = "parquet", True
            return parquet_pieces(self.path, raw, self._progress)
        member = self._place.member
        if member is None:
            raise Holds(kind)
        if kind is Kind.WORKBOOK:
            self.form, self._hash_at_end = "sheet", True
            return sheet_pieces(self.path, raw, member)
        self._hash, self.position = hashlib.sha256(), 0
        archive = self.path.removesuffix(f"!{member}")
        pieces = self._counted(member_pieces(archive, kind, raw, member))
        first = next(pieces, b"")
        inner = kind_of(first)
        if inner in COMPRESSED:
            return self._decompressed(inner, chain((first,), pieces))
        if inner is not None:
            raise FileError(f"{self.path}: a {inner.value} file within a {kind.value} file", "Unpack it first")
        refuse_unreadable(self.path, first[: signatures.HEAD_BYTES])
        return chain((first,), pieces)

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yields the bytes of a member, hashed and counted."""
        for piece in pieces:
            self._hash.update(piece)
            self.position += len(piece)
            yield piece

    def _progress(self, share: float) -> None:
        self.position = int(share * (self.identity.size or 0))

    def _hash_whole(self) -> None:
        """Hashes a file that was not read in order, and the name of its member."""
        self._hash, size = hashlib.sha256((self._place.member or "").encode()), 0
        self._file.raw.seek(0)
        while data := self._file.raw.read(CHUNK_BYTES):
            self._hash.update(data)
            size += len(data)
        self.position = size

    def _bounded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yields what a file is unpacked to.

        :raises FileError: it is more than ``max_bytes``.
        """
        unpacked = 0
        for piece in pieces:
            unpacked += len(piece)
            if self._max_bytes is not None and unpacked > self._max_bytes:
                raise FileError(
                    f"{self.path}: the file unpacks to more than {self._max_bytes:,} bytes (--max-bytes);"
                    f" {self.position:,} bytes of the packed file were read",
                    "Check what the file holds. If it is right, allow more with --max-bytes",
                )
            yield piece

    def _without_nul(self, source: Iterator[bytes]) -> Iterator[bytes]:
        """Yields ``source`` without NUL bytes, which in UTF-8 are NUL characters."""
        for chunk in source:
            kept = chunk.replace(b"\0", b"")
            self.nuls += len(chunk) - len(kept)
            if kept:
                yield kept


def hash_of(file: SourceFile) -> str:
    """SHA-256, in hexadecimal, of a planned file's bytes on disk.

    :raises FileError: the file cannot be read, or has changed since it was planned.
    """
    with open_planned(file, encoding="utf-8") as stream:
        stream.drain()
        return stream.sha256()


def open_packed(place: Place, max_bytes: int | None) -> DecodedStream:
    """Opens a compressed archive as the archive in it.

    :param max_bytes: how many bytes the archive may have; None sets no limit.
    """
    return DecodedStream(replace(place, member=_PACKED), "utf-8", max_bytes=max_bytes)


def list_members(place: Place, kind: Kind) -> list[tuple[str, bool, int | None]]:
    """The files in an archive or the sheets in a workbook: name, whether it is hidden, and unpacked bytes.

    :raises FileError: the file cannot be read.
    """
    with translated(place):
        file = open_file(place.address)
        try:
            raw = seekable(file.raw)
            if kind in (Kind.WORKBOOK, Kind.OLE):
                return [(sheet.name, sheet.hidden, None) for sheet in sheets_of(place.shown, raw)]
            return [(member.name, False, member.size) for member in members_of(place.shown, kind, raw)]
        finally:
            file.raw.close()
