"""Members of zip and tar files. A member is read where it stands; nothing is written to disk."""

from __future__ import annotations

import io
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple, cast

from pgsluice.errors import FileError
from pgsluice.source.unpack.compression import PIECE_BYTES
from pgsluice.source.unpack.signatures import Kind

MOST_MEMBERS = 10_000
"""How many members an archive may have."""

_ENCRYPTED = 0x1
"""The bit of a member's flags that says that it is encrypted (APPNOTE.TXT, 4.4.4)."""

_DOCUMENTS = {
    "word/": "a Word document",
    "ppt/": "a presentation",
    "META-INF/": "a Java archive",
    "xl/": "a broken workbook",
}
"""What zip files are whose members lie in these folders."""


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int
    """Unpacked bytes."""


def is_workbook(file: BinaryIO) -> bool:
    """Whether a zip file is a workbook of Excel or an OpenDocument spreadsheet."""
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                return b"opendocument.spreadsheet" in archive.read("mimetype")
    except zipfile.BadZipFile:
        return False
    return "[Content_Types].xml" in names and any(name.startswith("xl/workbook.") for name in names)


def members_of(path: str, kind: Kind, file: BinaryIO) -> list[Member]:
    """The files in an archive, in its order, without those that programs add: hidden files and ``__MACOSX``.

    :param path: the name of the archive, for messages.
    :param file: the archive, seekable.
    :raises FileError: the archive is no archive, is truncated, has too many members or two of one name.
    """
    with _translated(path, kind):
        found = _zip_members(path, file) if kind is Kind.ZIP else _tar_members(path, file)
    if len(found) > MOST_MEMBERS:
        raise FileError(
            f"{path}: the archive has {len(found):,} members, and {MOST_MEMBERS:,} are allowed", "Unpack it first"
        )
    if twice := [name for name, count in Counter(m.name for m in found).items() if count > 1]:
        raise FileError(f"{path}: the archive has two members called {twice[0]}", "Unpack it first")
    return [m for m in found if not _is_hidden(m.name)]


def member_pieces(path: str, kind: Kind, file: BinaryIO, member: str) -> Iterator[bytes]:
    """Yields the content of a member, in pieces of PIECE_BYTES at most.

    :raises FileError: the archive has no such member, the member is encrypted, or it cannot be unpacked.
    """
    import tarfile
    import zipfile

    with _translated(path, kind):
        if kind is Kind.ZIP:
            with zipfile.ZipFile(file) as archive:
                info = next((i for i in archive.infolist() if i.filename == member), None)
                if info is None:
                    raise _no_member(path, member)
                if info.flag_bits & _ENCRYPTED:
                    raise FileError(f"{path}!{member}: the member is encrypted", "Unpack the archive with its password")
                with archive.open(info) as unpacked:
                    while data := unpacked.read(PIECE_BYTES):
                        yield data
            return
        with tarfile.open(fileobj=file, mode="r:") as tar:
            entry = next((e for e in tar if e.name.removeprefix("./") == member and e.isfile()), None)
            opened = entry and tar.extractfile(entry)
            if not opened:
                raise _no_member(path, member)
            while data := opened.read(PIECE_BYTES):
                yield data


def _no_member(path: str, member: str) -> FileError:
    return FileError(f"{path}: the archive has no member {member}", "Check its name")


def _zip_members(path: str, file: BinaryIO) -> list[Member]:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
    for folder, what in _DOCUMENTS.items():
        if any(i.filename.startswith(folder) for i in infos) and not any(i.filename.endswith(".csv") for i in infos):
            raise FileError(f"{path}: this is {what}, which pgsluice does not read", "Name a file that holds a table")
    return [Member(i.filename, i.file_size) for i in infos if not i.is_dir()]


def _tar_members(path: str, file: BinaryIO) -> list[Member]:
    import tarfile

    found = []
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for entry in tar:
            if entry.isfile():
                found.append(Member(entry.name.removeprefix("./"), entry.size))
            if len(found) > MOST_MEMBERS:
                break
        else:
            # tarfile takes the end of the file for the end of the archive.
            end = max((tar.offset, *(e.offset_data + e.size for e in tar.getmembers())))
            if file.seek(0, io.SEEK_END) < end:
                raise FileError(f"{path}: the tar file is truncated", "Get the file again")
    return found


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any((part.startswith((".", "~$")) and part != "..") or part == "__MACOSX" for part in parts)


class _translated:
    """Converts the exceptions of zipfile and tarfile into a :class:`FileError`."""

    def __init__(self, path: str, kind: Kind) -> None:
        self._path, self._kind = path, kind

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import tarfile
        import zipfile

        name = self._kind.value
        if isinstance(error, NotImplementedError):
            raise FileError(
                f"{self._path}: a member is packed by a method that is not known here ({error})", "Unpack it first"
            ) from error
        if isinstance(error, (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)):
            raise FileError(
                f"{self._path}: the {name} file cannot be read ({error})", "Check that the file is whole"
            ) from error


def seekable(raw: object) -> BinaryIO:
    """A file with a buffer, as zipfile and tarfile read in small pieces."""
    return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, raw), PIECE_BYTES >> 2))
