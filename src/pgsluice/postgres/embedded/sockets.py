"""TODO pgsluice.postgres.embedded.sockets."""

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


PORT = 5432  # names the socket, nothing listens on TCP


_SOCKET_LIMIT = 103  # bytes of a socket's path: 107 on Linux, 103 on macOS


def alive(lines: list[str]) -> tuple[int | None, str | None]:
    """Process and socket folder of the server that wrote the lines, None both if it is gone.

    After a crash the file stays, and the number in it may belong to any other process by now: only who
    answers at the socket counts.
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
    # The port is spelled out because libpq would otherwise take PGPORT from the environment.
    return f"postgresql://{SUPERUSER}@/{_DATABASE}?host={quote(socket_dir)}&port={PORT}"


def socket_folder(pgdata: Path, uid: int | None) -> Path:
    """The data folder; if its path does not do for a socket, a private folder among the temporary ones.

    Too long does not do, nor does a comma: libpq takes it for the end of a host.
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
    # Everybody may write there: a folder that somebody else put in our place is not to be trusted.
    found = short.lstat()
    if not short.is_dir() or short.is_symlink() or found.st_uid != owner or found.st_mode & 0o022:
        raise ServerError(f"{short} belongs to somebody else", "Use a --data-dir with a shorter path, without commas")
    return short
