"""Find ``pgsluice.toml``. Each call looks for it, so the module imports little."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pgsluice.errors import CallError

NAME = "pgsluice.toml"


def find_config(paths: Sequence[str]) -> str | None:
    """The file of settings of a call: in the folder that is loaded (the first path), else in the current folder.

    :param paths: the paths of the call.
    :returns: None if there is no such file.
    :raises CallError: the file belongs to another user, whose SQL would run with the rights of this user.
    """
    folders = [paths[0]] if paths and os.path.isdir(paths[0]) else []
    for folder in (*folders, "."):
        path = os.path.normpath(os.path.join(folder, NAME))
        try:
            owner = os.stat(path).st_uid
        except OSError:
            continue
        if owner not in (0, os.geteuid()):
            raise CallError(
                f"{path} belongs to another user, and its settings could run SQL with your rights",
                f"If you trust it: --config {path}. To load without it: --no-config",
            )
        return path
    return None
