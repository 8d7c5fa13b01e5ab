"""Files and folders that only their owner can read: reports hold personal data, and so does a server's folder.

Packages of several layers make such files. This module imports nothing of pgsluice.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path

FILE_MODE, FOLDER_MODE = 0o600, 0o700

_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create_file(path: Path) -> BufferedWriter:
    """Creates a file for writing. A symbolic link at the path is not followed.

    :raises FileExistsError: something exists at the path, be it a link that leads nowhere.
    :raises OSError: the file cannot be created.
    """
    no_follow = getattr(os, "O_NOFOLLOW", 0)
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags | no_follow, FILE_MODE))


def make_folder(folder: Path) -> None:
    """Makes a folder that only its owner can enter, and the folders above it as the system makes them.

    A folder that exists stays as it is.

    :raises OSError: the folder cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def close_folder(folder: Path, is_mine: Callable[[str], bool], *, passable: bool = False) -> None:
    """Takes the rights of others away from a folder that an older version of pgsluice has made.

    The folder stays as it is if it belongs to another user, is a symbolic link, or holds anything that pgsluice does
    not put there: then somebody else uses the folder too.

    :param is_mine: whether pgsluice gives an entry of the folder this name.
    :param passable: others may still reach the folders within, by their names.
    """
    if not hasattr(os, "geteuid"):  # Windows has no modes
        return
    with suppress(OSError):  # a folder of others, or one that has just been removed
        found = folder.lstat()
        taken = _FOR_OTHERS & ~(0o011 if passable else 0)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or not found.st_mode & taken:
            return
        if all(is_mine(name) for name in os.listdir(folder)):
            folder.chmod(stat.S_IMODE(found.st_mode) & ~taken)
