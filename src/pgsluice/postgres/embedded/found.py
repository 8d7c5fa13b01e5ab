"""Embedded servers found by their processes, also those whose folder or socket is gone.

A server is known by its command, which :mod:`pgsluice.postgres.embedded.server` gives to ``pg_ctl``, and by its working
folder, which is its data folder. Linux says both in ``/proc``. On other systems no server is found this way.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgsluice.errors import ServerError
from pgsluice.postgres.embedded.processes import data_folder
from pgsluice.postgres.embedded.sockets import find_server

_PROC = Path("/proc")

_DELETED = " (deleted)"
"""What Linux appends to the working folder of a process whose folder was deleted."""

_STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that runs."""

    pid: int
    base: Path
    """The folder of the server, as it was when the server started."""
    flaw: str
    """What is wrong with the server, in words; '' if it answers at its socket."""


def running_servers() -> list[FoundServer]:
    """Returns the embedded servers of this machine that this user can see, ordered by their folders."""
    return sorted(_servers(), key=lambda found: (found.base, found.pid))


def servers_of(base: Path) -> list[FoundServer]:
    """Returns the servers that were started in a folder: several, if the folder was deleted and made anew."""
    return [found for found in _servers() if found.base == base]


def stop_process(found: FoundServer) -> None:
    """Stops a server by its process; PostgreSQL rolls back the open transactions.

    :raises ServerError: the process belongs to another user, or does not end.
    """
    # SIGINT is PostgreSQL's "fast" shutdown. Without its folder a server cannot write the last checkpoint.
    signals = [signal.SIGINT, signal.SIGQUIT] if found.flaw.startswith("its folder") else [signal.SIGINT]
    for sent in signals:
        try:
            os.kill(found.pid, sent)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise ServerError(f"process {found.pid} belongs to another user", "Stop it as that user") from error
        deadline = time.monotonic() + (_STOP_SECONDS if sent == signals[-1] else 5)
        while time.monotonic() < deadline:
            if all(other.pid != found.pid for other in _servers()):
                return
            time.sleep(0.05)
    raise ServerError(f"process {found.pid} does not end", "Close its sessions")


def _servers() -> Iterator[FoundServer]:
    for entry in _PROC.glob("[0-9]*"):
        # The process has ended, is a zombie, or belongs to another user.
        with contextlib.suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            # Only the first process of a server keeps its arguments; the others write a title over them.
            if os.path.basename(arguments[0]) == b"postgres" and arguments[1:3] == [b"-D", b"."] and b"-k" in arguments:
                cwd = os.readlink(entry / "cwd")
                pgdata = Path(cwd.removesuffix(_DELETED))
                if data_folder(pgdata.parent) == pgdata:
                    pid = int(entry.name)
                    yield FoundServer(pid, pgdata.parent, _flaw(pid, pgdata, deleted=cwd.endswith(_DELETED)))


def _flaw(pid: int, pgdata: Path, *, deleted: bool) -> str:
    """What is wrong with a server that runs."""
    try:
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        lines = []
    if deleted or not lines or lines[0].strip() != str(pid):
        return "its folder was deleted"
    # While the server starts, the file has no socket yet.
    return "" if len(lines) < 6 or find_server(lines)[0] is not None else "its socket is gone"
