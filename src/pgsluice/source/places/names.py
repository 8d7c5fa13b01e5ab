"""Names of files: which globs match them, and under which names they may find their table."""

from __future__ import annotations

import fnmatch
import glob as globs
import os
import re
import unicodedata
from pathlib import PurePosixPath

from pgsluice.errors import FileError

_PACKED = re.compile(r"\.(?:gz|zst|zstd|bz2|xz|lz4|zip|tar|tgz|tbz2?|txz|tzst)$", re.IGNORECASE)
"""The suffixes of compression and archives. A file may have several of them."""

_LAST_NUMBER = re.compile(r"(?:[-_. ]+(?:part[-_. ]?)?[0-9]+|\s*[(\[][0-9]+[)\]])$", re.IGNORECASE)
"""The number of a part or a day at the end of a file name, or of a copy: ``customers (1)``."""


def composed(name: str) -> str:
    """The name in Unicode's normal form NFC: a letter and its accent become one character.

    macOS may write them as two into a file name.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def matches(path: str, glob: str) -> bool:
    """Whether a glob matches a path, the file name in it or, if the glob names a folder, the end of the path.

    A glob that matches the path of an archive matches its members.
    """
    path, glob = composed(path), composed(glob)
    archive, _, member = path.rpartition("!")
    return _matches(path, glob) or bool(archive and (_matches(archive, glob) or _matches(member, glob)))


def _matches(path: str, glob: str) -> bool:
    return (
        fnmatch.fnmatch(path, glob)
        or fnmatch.fnmatch(PurePosixPath(path).name, glob)
        or ("/" in glob and fnmatch.fnmatch(path, "*/" + glob))
    )


def literal_glob(path: str) -> str:
    """A glob that matches exactly the name of a file, for an option that a message proposes."""
    return globs.escape(os.path.basename(path))


def bare_name(path: str) -> str:
    """The file name without folder, suffix, and the suffixes of compression and archives."""
    name = PurePosixPath(path.replace(os.sep, "/")).name
    while (shorter := _PACKED.sub("", name)) and shorter != name:
        name = shorter
    # A suffix begins with a letter: in orders.2024 the number is part of the name.
    return re.sub(r"(?<=.)\.[A-Za-z][A-Za-z0-9]*$", "", name)


def stems_of(bare: str) -> tuple[str, ...]:
    """The names under which a file may find its table: its own, then without its last number, and so on.

    Numbers are removed one by one, because a table may have numbers in its name: ``orders-2024-12-31_02`` has four
    numbers, and ``orders_2024`` may be the table.

    :param bare: the file name without folder and suffix.
    """
    stems = [bare]
    while (shorter := _LAST_NUMBER.sub("", stems[-1])) and shorter != stems[-1]:
        stems.append(shorter)
    return tuple(stems)


def check_name(path: str) -> None:
    """Checks that the path is UTF-8: neither the ledger nor a report can hold another name."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise FileError(f"{shown}: the name is not UTF-8", "Rename the file") from None


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """The sort key of a file name: digits compare as numbers, other characters as lower case."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], name
