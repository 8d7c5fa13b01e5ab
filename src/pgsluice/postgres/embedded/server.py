"""The embedded PostgreSQL server: one data folder, one Unix socket, no port, no password.

The programs come from Python wheels (:mod:`pgsluice.postgres.embedded.installs`). This module starts and stops the
server with ``pg_ctl`` and does not use the functions of the wheels. Those give up after ten seconds (a recovery after a
crash may take longer), fail for a path with a blank, use the locale of the environment, and kill other servers that
they consider left over.

All files are in one folder (``.pgsluice`` by default)::

    .pgsluice/server        the data folder of PostgreSQL, with its socket and its log
    .pgsluice/server.lock   locked while a process starts or stops the server

Only the user who made the folder can enter it. PostgreSQL does not run as root: if root made the folder, others may
pass through it to the data folder, which belongs to the system user and is closed to them, and cannot list it.

Only the user of the operating system who started the server, and root, can connect to the socket.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgsluice.errors import ServerError
from pgsluice.postgres.embedded.found import FoundServer, running_servers, servers_of, stop_process
from pgsluice.postgres.embedded.installs import (
    DEFAULT_VERSION,
    OTHER_SERVER,
    SQL_EXTENSIONS_SINCE,
    psql_program,
    sql_extensions,
)
from pgsluice.postgres.embedded.notices import data_dir_option, tell_made, tell_started
from pgsluice.postgres.embedded.processes import (
    DEFAULT_DATA_DIR as DEFAULT_DATA_DIR,  # callers find this name here, too
)
from pgsluice.postgres.embedded.processes import (
    ENTRIES,
    binary,
    data_folder,
    folder_error,
    make_accessible,
    make_private,
    owner_of,
    require_posix,
    run_program,
    server_lock,
    version_on_disk,
)
from pgsluice.postgres.embedded.settings import SETTINGS, SMALL_SHM, shm_is_small
from pgsluice.postgres.embedded.sockets import PORT, SUPERUSER, find_server, socket_folder, socket_uri

_START_SECONDS = 120
"""How long to wait for a start. The start includes the recovery after a crash."""


_STOP_SECONDS = 60


_LEFT_OVER_SECONDS = 10
"""How long to wait for the processes of a server that crashed to end."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """State of an embedded server. ``version`` is the major version of the data folder, None if there is none."""

    running: bool
    pid: int | None
    version: int | None
    uri: str | None
    data_dir: str
    flaw: str = ""
    """Why a server whose process runs does not answer; '' if there is none."""


def status(data_dir: str | Path = DEFAULT_DATA_DIR) -> ServerStatus:
    """Returns the state of the server in ``data_dir``. Nothing is made or started, and no library is imported.

    :raises ServerError: the folder cannot be read.
    """
    base = _absolute(data_dir)
    try:
        version = version_on_disk(base)
        lines = _postmaster_lines(base)
    except OSError as error:
        raise folder_error(base, error) from error
    pid, socket_dir = find_server(lines)
    if pid is None and (strays := servers_of(base)):
        return ServerStatus(False, strays[0].pid, version, None, str(base), strays[0].flaw or "it is starting")
    uri = socket_uri(socket_dir) if socket_dir else None
    return ServerStatus(pid is not None, pid, version, uri, str(base))


def start(data_dir: str | Path = DEFAULT_DATA_DIR, version: int | None = None, *, lasting: bool = True) -> str:
    """Makes the server in ``data_dir`` if there is none, starts it unless it runs, and returns its URI.

    The server continues to run when this process ends. A notice says that it does.

    :param version: the major version of a new server, 18 by default. An existing server keeps its version.
    :param lasting: False for a server that is removed soon: nobody is told, and its files need not survive a crash.
    :raises ServerError: there are no programs of this version, the folder cannot be used, or the server does not
        start.
    """
    base = _absolute(data_dir)
    found = status(base)
    if found.uri and _ready(base):
        return found.uri  # the lock and the import of the library take time
    require_posix()
    try:
        make_private(base)
        with server_lock(base):
            return _start(base, version, lasting=lasting)
    except OSError as error:
        raise folder_error(base, error) from error


def stop(data_dir: str | Path = DEFAULT_DATA_DIR) -> bool:
    """Stops the server in ``data_dir``. PostgreSQL rolls back the open transactions.

    :returns: False if the server did not run.
    :raises ServerError: the server does not stop, or belongs to another user.
    """
    base = _absolute(data_dir)
    # First those that do not answer. One that has no folder would take the socket of the other with it when it ends.
    strays = 0
    while flawed := [found for found in servers_of(base) if found.flaw]:
        stop_process(flawed[0])
        strays += 1
    if not status(base).running:
        return bool(strays)
    try:
        with server_lock(base):
            found = status(base)
            if not found.running:
                return bool(strays)
            pgdata = data_folder(base)
            socket_dir = Path(_postmaster_lines(base)[4])
            args = ["-D", str(pgdata), "-m", "fast", "-w", "-t", str(_STOP_SECONDS), "stop"]
            failure = run_program(binary("pg_ctl", found.version), args, pgdata, owner_of(pgdata))
    except OSError as error:
        raise folder_error(base, error) from error
    if failure:
        raise ServerError(f"the embedded server in {base} does not stop: {failure}", "Close its sessions")
    if socket_dir != pgdata:
        with contextlib.suppress(OSError):
            socket_dir.rmdir()
    return True


def stop_all() -> list[FoundServer]:
    """Stops all embedded servers of this machine that this user can see, also those whose folder or socket is gone.

    :returns: the servers that were stopped.
    :raises ServerError: a server does not stop, or belongs to another user.
    """
    found = running_servers()
    for server in sorted(found, key=lambda server: not server.flaw):
        if server.flaw:
            stop_process(server)
        else:
            stop(server.base)
    return found


def remove(data_dir: str | Path = DEFAULT_DATA_DIR) -> bool:
    """Stops the server in ``data_dir`` and deletes it with its data, reports and rejects. Other files stay.

    :returns: False if there was nothing to remove.
    :raises ServerError: the server does not stop, or its files cannot be deleted.
    """
    base = _absolute(data_dir)
    stopped = stop(base)
    present = [base / name for name in ENTRIES if (base / name).exists()]
    try:
        for path in present:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        if base.is_dir() and not any(base.iterdir()):
            base.rmdir()
    except OSError as error:
        raise folder_error(base, error) from error
    return stopped or bool(present)


def psql_command(data_dir: str | Path = DEFAULT_DATA_DIR, version: int | None = None) -> list[str]:
    """Returns the command that runs the wheel's psql on the running server. The caller appends options of psql.

    :param version: the major version of psql; None for the version of the server.
    :raises ServerError: the server does not run, or there are no programs of this version.
    """
    found = status(data_dir)
    if found.uri is None:
        raise ServerError(
            f"the embedded server in {found.data_dir} is not running",
            f"Start it with: pgsluice server start{data_dir_option(Path(found.data_dir))}",
        )
    return [str(psql_program(version or found.version)), found.uri]


def exact_version(found: ServerStatus) -> str:
    """Returns the version of a server with its minor release, for example ``18.6``.

    A running server tells its version. If it does not answer, the result is the major version.

    :param found: the state of a server that runs.
    """
    import psycopg

    if found.uri is not None:
        with contextlib.suppress(psycopg.Error), psycopg.connect(found.uri, connect_timeout=2) as conn:
            return conn.info.parameter_status("server_version") or str(found.version)
    return str(found.version)


def _absolute(data_dir: str | Path) -> Path:
    return Path(data_dir).expanduser().resolve()


def _postmaster_lines(base: Path) -> list[str]:
    """Returns the lines of ``postmaster.pid``: pid, data folder, start, port, socket folder, address, memory, state.

    Source: ``pidfile.h`` of PostgreSQL. There are no lines if the server does not run.
    """
    try:
        return (data_folder(base) / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _ready(base: Path) -> bool:
    """Whether the server has written that it accepts connections."""
    lines = _postmaster_lines(base)
    return len(lines) >= 8 and lines[7].strip() == "ready"


@contextlib.contextmanager
def temporary() -> Iterator[str]:
    """Makes a server in a folder for temporary files, and removes both at the end of the context.

    :returns: the URI of the server.
    :raises ServerError: the server cannot be made.
    """
    base = Path(tempfile.mkdtemp(prefix="pgsluice-plan-"))
    try:
        yield start(base, lasting=False)
    finally:
        try:
            stop(base)
        finally:
            shutil.rmtree(base, ignore_errors=True)


def _start(base: Path, version: int | None, *, lasting: bool) -> str:
    """Makes and starts the server while the caller holds the lock of the folder."""
    pgdata = data_folder(base)
    if lost := [found for found in servers_of(base) if found.flaw]:
        raise ServerError(
            f"process {lost[0].pid} is an embedded server of {base} that cannot be used: {lost[0].flaw}",
            f"Stop it with: pgsluice server stop{data_dir_option(base)}",
        )
    uid = make_accessible(base, version)
    on_disk = version_on_disk(base)
    if on_disk is None:
        on_disk = version or DEFAULT_VERSION
        if lasting:
            tell_made(base, on_disk)
        _init(base, on_disk, uid, sync=lasting)
    else:
        tell_started(base, on_disk)
    if (owner := owner_of(pgdata)) is not None:
        uid = owner
    # After a crash the child processes of the old server need a moment to end. Until then they hold its shared memory.
    deadline = time.monotonic() + _LEFT_OVER_SECONDS
    while not (found := status(base)).running:
        failure = _pg_ctl_start(pgdata, on_disk, uid)
        if not failure:
            break
        reason = _last_fatal_error(pgdata / "log") or failure
        left_over = "shared memory block" in reason or _remove_stale_locks(pgdata, uid, reason)
        if not left_over or time.monotonic() > deadline:
            raise ServerError(f"the embedded server in {base} does not start: {reason}", _log_of(pgdata))
        time.sleep(0.2)
    # The server may not be ready yet: another process may have started it, and pg_ctl may return a moment too early.
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        found = status(base)
        if found.uri and _ready(base):
            return found.uri
        time.sleep(0.02)
    raise ServerError(f"the embedded server in {base} does not get ready", _log_of(pgdata))


def _pg_ctl_start(pgdata: Path, version: int, uid: int | None) -> str:
    """Starts the server and waits for it.

    :returns: '' after success, else the error message.
    """
    # pg_ctl builds a shell command of these arguments and does not quote paths well. So the working folder is pgdata
    # and the paths are relative. The inner quotes are for the server: it trims the name of the socket folder and splits
    # it at commas.
    socket_dir = '"' + str(socket_folder(pgdata, uid)).replace('"', '""') + '"'
    options = f"-h '' -p {PORT} -k {shlex.quote(socket_dir)}"
    if version >= SQL_EXTENSIONS_SINCE:
        options += f" -c extension_control_path={shlex.quote(_extension_folders())}"
    args = ["-D", ".", "-l", "log", "-o", options, "-w", "-t", str(_START_SECONDS), "start"]
    return run_program(binary("pg_ctl", version), args, pgdata, uid)


def _extension_folders() -> str:
    """Returns where the server looks for extensions: in its own folder, then in the folder of pgsluice."""
    ours = str(sql_extensions())
    # A colon separates the folders and cannot be escaped.
    return "$system" if ":" in ours else f"$system:{ours}"


def _remove_stale_locks(pgdata: Path, uid: int | None, reason: str) -> bool:
    """Removes the lock files of a crashed server if no process of that server runs any more.

    PostgreSQL considers the server of a lock file alive if the process number in the file is in use. A zombie may use
    the number (in a container whose first process does not wait for orphans) or, after a restart of the machine, any
    process. Every process of a server has the data folder as its working folder. So the lock files are stale if no
    process has.

    :param reason: why the server did not start.
    :returns: whether another start may succeed: the files are removed, or a process of the crashed server still runs.
    """
    if not re.search('lock file ".*" already exists', reason) or not Path("/proc/self/cwd").exists():
        return False
    mine = os.fspath(pgdata)
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # the process has ended, is a zombie, or belongs to another user
            if os.readlink(cwd) == mine:
                return True
    (pgdata / "postmaster.pid").unlink(missing_ok=True)
    (socket_folder(pgdata, uid) / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
    return True


def _log_of(pgdata: Path) -> str:
    return f"Read the end of {pgdata / 'log'}"


def _init(base: Path, version: int, uid: int | None, *, sync: bool) -> None:
    """Makes the data folder under another name and renames it when it is complete.

    :raises ServerError: the folder exists with other content, or initdb fails.
    """
    pgdata, fresh = data_folder(base), base / "server.new"
    if pgdata.exists() and (not pgdata.is_dir() or any(pgdata.iterdir())):
        raise ServerError(f"{pgdata} exists and is not a data folder of PostgreSQL", OTHER_SERVER)
    if fresh.exists():  # an earlier initdb was killed
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    if uid is not None:
        os.chown(fresh, uid, -1)
    # Text is sorted by code point: independent of the locale of the environment, and with fast indexes. The built-in
    # provider (from PostgreSQL 17) also knows upper and lower case beyond ASCII.
    locale = ["--locale=C"]
    if version >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    args = ["-D", str(fresh), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", *locale]
    failure = run_program(binary("initdb", version), args if sync else [*args, "--no-sync"], fresh, uid)
    if failure:
        shutil.rmtree(fresh, ignore_errors=True)
        raise ServerError(f"the embedded server in {base} cannot be made: {failure}", OTHER_SERVER)
    with (fresh / "postgresql.conf").open("a") as conf:
        conf.write(SETTINGS + (SMALL_SHM if shm_is_small() else ""))
    fresh.rename(pgdata)


def _last_fatal_error(log: Path) -> str:
    """Returns the last FATAL or PANIC message among the last 50 lines of the server's log, '' if there is none."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-50:]
    except OSError:
        return ""
    fatal = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return fatal[-1].split(": ", 1)[-1].strip() if fatal else ""
