"""The files that a path names: a file, the files of a folder, those that a glob matches, a member of an archive."""

from __future__ import annotations

import enum
import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pgsluice.errors import FileError
from pgsluice.source.places.addresses import is_remote, place_of, scheme_of, shown_address, translated
from pgsluice.source.places.names import natural
from pgsluice.source.places.remote import file_system
from pgsluice.source.places.spool import is_pipe

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""How the files of a folder end that are loaded, also with a suffix of compression or .zip."""

_COMPRESSED = r"(?:\.(?:gz|zst|zstd|bz2|xz|lz4))?"

_CSV = re.compile(rf"(?:\.(?:csv|tsv|jsonl|ndjson){_COMPRESSED}|\.(?:csv|tsv)\.zip|\.parquet)$", re.IGNORECASE)

_OPTIONAL = re.compile(
    rf"\.(?:(?:txt|tab|dat|psv|tbl|data|asc|out|json){_COMPRESSED}|zip|tar{_COMPRESSED}|tgz|tbz2?|txz|tzst"
    r"|xlsx|xlsm|xlsb|xls|ods)$",
    re.IGNORECASE,
)
"""How the files of a folder end that are loaded if their name, or that of a member or a sheet, is that of a table."""

_NAMES_SHOWN = 5
"""How many files an error names of a folder that has no file to load."""

_LOCK_FILE = "~$"
"""How the names of the files begin that Excel makes while it has a workbook open."""


class Suffix(enum.Enum):
    """What the suffix of a file in a folder says."""

    CSV = enum.auto()
    OPTIONAL = enum.auto()
    OTHER = enum.auto()


class Found(NamedTuple):
    """A file that a path names."""

    address: str
    real: str
    """Equal for two paths to the same file."""
    suffix: Suffix = Suffix.CSV
    """CSV for files that the path names themselves."""
    member: str | None = None
    """A glob of the members of the archive that are meant; None: all."""
    folder: str = ""
    """The folder in which the file was found, as it is shown; '' if the path names the file."""
    pipe: bool = False
    """The file can be read only once."""
    is_folder: bool = False
    """A folder within a folder, whose files are not taken."""


def is_lock_file(name: str) -> bool:
    """Whether Excel makes files with such a name while it has a workbook open."""
    return os.path.basename(name).startswith(_LOCK_FILE)


def suffix_of(name: str) -> Suffix:
    """What the suffix of a file name says."""
    if is_lock_file(name):
        return Suffix.OTHER
    if _CSV.search(name):
        return Suffix.CSV
    return Suffix.OPTIONAL if _OPTIONAL.search(name) else Suffix.OTHER


def expand(path: str, recursive: bool) -> list[Found]:
    """The files that a path names, those of a folder in the order of their names, numbers as numbers.

    :raises FileError: the path names nothing that can be read, or a folder without a file to load.
    """
    with translated(place_of(path)):
        found = _expand_url(path, recursive) if is_remote(path) else _expand_local(path, recursive)
    if isinstance(found, Found):
        return [found]
    shown = shown_address(path)
    files = []
    for name in found:
        inner = name.endswith(os.sep)
        folder, base = os.path.split(name.removesuffix(os.sep) if inner else name)
        if not base.startswith("."):
            real = name if is_remote(name) else os.path.realpath(name)
            key = (natural(folder), natural(base))
            suffix = Suffix.OTHER if inner else suffix_of(base)
            files.append((key, Found(name, real, suffix, folder=shown_address(folder) or ".", is_folder=inner)))
    if all(file.suffix is Suffix.OTHER for _, file in files):
        wanted = ", ".join("*" + suffix for suffix in SUFFIXES)
        raise FileError(
            f"{shown}: no file to load in this folder (looked for {wanted}{_instead(files)})",
            "Name the files themselves if they are called otherwise"
            + ("" if recursive else ", or look into subfolders with --recursive"),
        )
    return [file for _, file in sorted(files, key=_by_key)]


def _instead(files: Sequence[tuple[Any, Found]]) -> str:
    """What a folder holds in place of files to load, in words that follow others; '' if it holds no file."""
    names = [os.path.basename(found.address) for _, found in sorted(files, key=_by_key) if not found.is_folder]
    if not names:
        return ""
    more = len(names) - _NAMES_SHOWN
    return f"; it holds {', '.join(names[:_NAMES_SHOWN])}{f' and {more:,} more' if more > 0 else ''}"


def _by_key(found: tuple[Any, Found]) -> Any:
    return found[0]


def _has_magic(path: str) -> bool:
    """Whether a path is a glob. A question mark in the address of a web server begins its query."""
    if scheme_of(path) in ("http", "https"):
        return False
    return glob.has_magic(path)


def _expand_url(path: str, recursive: bool) -> Found | list[str]:
    """The file that a URL names, or the addresses of the files in the folder that it names."""
    scheme = scheme_of(path)
    system, inner = file_system(path)
    if scheme in ("http", "https"):
        # To ask whether an address is a folder, fsspec would download it.
        if not path.partition("?")[0].endswith("/"):
            return _whole_or_member(path)
        entries = system.ls(inner, detail=True)
        return [e["name"] for e in entries if e["type"] == "file"]
    if _has_magic(path) and not system.exists(inner):
        names = [name for name in system.glob(inner) if system.isfile(name)]
        if not names:
            raise FileError(f"{shown_address(path)}: no file matches", "Check the pattern")
        return [_address(path, system, name) for name in names]
    if not system.isdir(inner):
        return _whole_or_member(path, system.unstrip_protocol(inner))
    entries = system.find(inner, detail=True).values() if recursive else system.ls(inner, detail=True)
    return [_address(path, system, e["name"]) for e in entries if e["type"] == "file"]


def _address(path: str, system: Any, name: str) -> str:
    """The address of a file in a folder.

    :param path: the address of the folder, with user and host.
    :param name: the name of the file as the file system has it.
    """
    if scheme_of(path) in ("sftp", "ssh"):
        scheme, _, rest = path.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}{name}"
    return str(system.unstrip_protocol(name))


def _whole_or_member(path: str, real: str = "") -> Found:
    """The file at a URL, or the member of an archive if the URL ends in one.

    :param real: equal for two addresses of the same file; '' for the address itself.
    """
    found = re.fullmatch(r"(.*\.(?:zip|tar|tgz|xls\w?|ods|tar\.\w+))!(.+)", path, re.IGNORECASE | re.DOTALL)
    return Found(found[1], path, member=found[2]) if found else Found(path, real or path)


def _expand_local(path: str, recursive: bool) -> Found | list[str]:
    """The file that a local path names, or the paths of the files in the folder that it names.

    :raises FileError: the path names neither a file nor a folder.
    """
    if path == "-":
        return Found(path, path, pipe=True)
    if not os.path.lexists(path):
        if (inner := _member(path)) is not None:
            return inner
        if _has_magic(path):
            names = [name for name in glob.glob(path, recursive=True) if os.path.isfile(name)]
            if not names:
                raise FileError(f"{path}: no file matches", "Check the pattern")
            return names
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode) and recursive:
        return [name for name in _walk(path) if os.path.isfile(name)]
    if stat.S_ISDIR(mode):
        with os.scandir(path) as listing:
            return [e.path + (os.sep if e.is_dir() else "") for e in listing if e.is_file() or _has_files(e)]
    if is_pipe(path):
        return Found(path, path, pipe=True)
    if not stat.S_ISREG(mode):
        raise FileError(f"{path}: this is no file but a device", "Write it to a file first, and load that")
    return Found(path, os.path.realpath(path))


def _has_files(entry: os.DirEntry[str]) -> bool:
    """Whether a folder has a file that would be taken if its folder were named."""
    if entry.name.startswith(".") or entry.name == "__MACOSX" or not entry.is_dir(follow_symlinks=False):
        return False
    try:
        with os.scandir(entry.path) as listing:
            return any(e.is_file() and not e.name.startswith(".") and suffix_of(e.name) is Suffix.CSV for e in listing)
    except OSError:
        return False


def _member(path: str) -> Found | None:
    """The member of an archive that a path names, as in ``orders.zip!2024/orders.csv``."""
    for place in (i for i, character in enumerate(path) if character == "!"):
        if os.path.isfile(path[:place]) and path[place + 1 :]:
            return Found(path[:place], os.path.realpath(path[:place]) + path[place:], member=path[place + 1 :])
    return None


def _walk(folder: str) -> Iterator[str]:
    """The paths of all files below a folder, except in hidden folders."""
    for inner, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(inner, name) for name in names)
