"""The Unix socket of the embedded server: where it is, its URI, and whether a server answers there."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from pathlib import Path
from urllib.parse import quote

from pgsluice.errors import ServerError

SUPERUSER = "postgres"


_DATABASE = "postgres"


PORT = 5432
"""A part of the socket's name. The server does not listen on TCP."""


_SOCKET_LIMIT = 103
"""The longest path of a socket in bytes, on macOS; Linux allows 107."""


def find_server(lines: list[str]) -> tuple[int | None, str | None]:
    """Returns process number and socket folder of the server that wrote the lines, or (None, None) if it does not run.

    The file remains after a crash, and another process may have its process number by then. So the server runs only if
    it accepts a connection at the socket.

    :param lines: the lines of ``postmaster.pid``.
    """
    if len(lines) < 5 or not lines[0].strip().isdigit():
        return None, None
    socket_dir = lines[4].strip()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.settimeout(2)
        try:
            knock.connect(f"{socket_dir}/.s.PGSQL.{lines[3].strip()}")
        except OSError:
            return None, None
    return int(lines[0]), socket_dir


def socket_uri(socket_dir: str) -> str:
    """Returns the URI of the server whose socket is in the folder."""
    # The URI contains the port, because libpq would otherwise use PGPORT of the environment.
    return f"postgresql://{SUPERUSER}@/{_DATABASE}?host={quote(socket_dir)}&port={PORT}"


def socket_folder(pgdata: Path, uid: int | None) -> Path:
    """Returns the folder of the socket: the data folder or, if its path is unsuitable, a private temporary folder.

    A path is unsuitable if it is too long or contains a comma, because libpq separates hosts by commas. The temporary
    folder is made if it does not exist.

    :param pgdata: the data folder.
    :param uid: the user that runs the server; None for the user of this process.
    :raises ServerError: the temporary folder exists and belongs to another user, or others can write to it.
    """
    if len(os.fsencode(pgdata / f".s.PGSQL.{PORT}")) <= _SOCKET_LIMIT and "," not in str(pgdata):
        return pgdata
    name = hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"pgsluice-{name}"
    owner = os.geteuid() if uid is None else uid
    try:
        short.mkdir(mode=0o700)
        os.chown(short, owner, -1)
    except FileExistsError:
        pass
    # Every user may write to the parent folder, so another user may have made a folder of this name.
    found = short.lstat()
    if not short.is_dir() or short.is_symlink() or found.st_uid != owner or found.st_mode & 0o022:
        raise ServerError(f"{short} belongs to another user", "Use a --data-dir with a shorter path, without commas")
    return short
