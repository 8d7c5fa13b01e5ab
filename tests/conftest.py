"""Servers and databases for the tests: ``db`` (newest server), ``any_db`` (every version), ``conn``.

A server per version is made when the first test asks for it, shared by all workers of pytest-xdist, and
stopped by the process that started the test run. ``PGSLUICE_TEST_VERSIONS=18`` (or ``16,18``) narrows the
versions; by default it is every one that can be had: 16 and 18 of the wheel, 15 if it is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgsluice.postgres.embedded import server as embedded

WHEEL_VERSIONS = (16, 18)
SYSTEM_15 = Path("/usr/lib/postgresql/15/bin")
ROOT_VARIABLE = "PGSLUICE_TEST_ROOT"
MEMORY = Path("/dev/shm")
ROOM = 8 << 30
"""Bytes that must be free in memory for the servers' data to live there."""
# Nobody needs the tests' data after a crash of the machine.
SPEED = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")

_numbers = itertools.count(1)


def _wanted() -> list[int]:
    named = os.environ.get("PGSLUICE_TEST_VERSIONS", "15,16,18")
    return sorted(int(version) for version in named.split(","))


def _memory_for_servers() -> str | None:
    """Returns a folder in memory if there is plenty of it, else None: then the folder for temporary files is used.

    Each test makes and drops a database of 300 files, which on some file systems takes longer than the test.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return None
    available = re.search(r"^MemAvailable: *([0-9]+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    enough = available is not None and int(available[1]) << 10 >= ROOM and shutil.disk_usage(MEMORY).free >= ROOM
    return str(MEMORY) if enough else None


def interruptible_children() -> None:
    """Children of this process get Ctrl-C and SIGHUP again, though the process was started with the signals ignored.

    A shell without job control ignores SIGINT for commands in the background (``make test &``), and ``nohup`` ignores
    SIGHUP. A child inherits an ignored signal, but no handler: with a handler of Python's in this process, the child
    begins with the default one.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


def compile_once() -> None:
    """This process and its children keep what they compile, even if the environment says otherwise.

    Without the compiled files, each command that a test starts compiles pgsluice again: a third of its time.
    """
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    interruptible_children()
    compile_once()
    # The workers inherit the variable. The path is short: a socket's name has about 100 bytes.
    if not hasattr(config, "workerinput"):
        root = tempfile.mkdtemp(prefix="sluice-", dir=_memory_for_servers())
        Path(root).chmod(0o711)  # the servers run as another user if the tests run as root
        os.environ[ROOT_VARIABLE] = root


def _place(mark: pytest.Mark, given: dict[str, object]) -> int:
    """The place of a case's values in the list of a ``parametrize``."""
    names = [n.strip() for n in mark.args[0].split(",")] if isinstance(mark.args[0], str) else list(mark.args[0])
    for place, entry in enumerate(mark.args[1]):
        values = getattr(entry, "values", None) if type(entry).__name__ == "ParameterSet" else None
        if values is None:
            values = (entry,) if len(names) == 1 else entry
        if all(given[name] is value for name, value in zip(names, values, strict=True)):
            return place
    return 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what the fast tests leave to the slow ones: versions, and cases of a matrix.

    The fast tests run on the oldest and the newest version. A test with cases takes the two versions in turn, and a
    test marked ``share(n)`` takes each n-th case. The number of a case is the sum of its places in its lists, so that
    the cases that are taken have each value of each list.
    """
    available = [version for version in _wanted() if version != 15 or (SYSTEM_15 / "initdb").exists()]
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None:
            continue
        places = [_place(mark, callspec.params) for mark in item.iter_markers("parametrize")]
        number = sum(places)
        share = item.get_closest_marker("share")
        parts = share.args[0] if share is not None else 1
        if (version := callspec.params.get("any_server")) is not None:
            number += version != available[-1]
            parts = max(parts, 2 if places else 1)
        if number % parts or version in available[1:-1]:
            item.add_marker(pytest.mark.slow)


def pytest_unconfigure(config: pytest.Config) -> None:
    while _admins:
        _admins.popitem()[1].close()
    if hasattr(config, "workerinput"):
        return
    root = Path(os.environ.pop(ROOT_VARIABLE))
    for version in WHEEL_VERSIONS:
        embedded.stop(root / str(version))
    if (root / "15" / "postmaster.pid").exists():
        _pg_ctl_15(root, "stop", "-m", "immediate")
    shutil.rmtree(root, ignore_errors=True)


# --------------------------------------------------------------------------- servers


def _as_user() -> dict[str, object]:
    """Keywords for ``subprocess.run``: PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


def _pg_ctl_15(root: Path, *args: str) -> None:
    command = [str(SYSTEM_15 / "pg_ctl"), "-D", str(root / "15"), "-w", *args]
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **_as_user())  # type: ignore[call-overload]


def _start_15(root: Path) -> str:
    pgdata = root / "15"
    if not pgdata.exists():
        pgdata.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(pgdata, pwd.getpwnam("nobody").pw_uid, -1)
        initdb = [str(SYSTEM_15 / "initdb"), "-D", str(pgdata), "-U", "postgres", "-E", "UTF8", "--locale=C"]
        subprocess.run(
            [*initdb, "--auth=trust", "--no-sync"],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            **_as_user(),  # type: ignore[call-overload]
        )
        with (pgdata / "postgresql.conf").open("a") as conf:
            conf.write("\n".join(["", *SPEED, "timezone = 'UTC'", ""]))
    uri = f"postgresql://postgres@/postgres?host={pgdata}&port=5432"
    if not (pgdata / "postmaster.pid").exists():
        _pg_ctl_15(root, "-l", str(pgdata / "log"), "-o", f"-h '' -p 5432 -k {pgdata}", "start")
        _warm_template(uri)
    return uri


def _start_wheel(root: Path, version: int) -> str:
    running = embedded.status(root / str(version)).running
    uri = embedded.start(root / str(version), version)
    if not running:
        with psycopg.connect(uri, autocommit=True) as conn:
            for setting in SPEED:
                conn.execute(f"ALTER SYSTEM SET {setting}")
            conn.execute("SELECT pg_reload_conf()")
        _warm_template(uri)
    return uri


def _warm_template(uri: str) -> None:
    """Makes the template's file of catalog entries, which its copies inherit: their first session begins in half
    the time."""
    with psycopg.connect(_in_database(uri, "template1")) as conn:
        conn.execute("SELECT 1")


def _in_database(uri: str, name: str) -> str:
    return uri.replace("/postgres?", f"/{name}?")


def server_uri(version: int) -> str:
    """URI of the test run's server of that version, which is started unless it runs; or skip the test."""
    if version == 15 and not (SYSTEM_15 / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {SYSTEM_15} (Debian: apt-get install postgresql-15)")
    root = Path(os.environ[ROOT_VARIABLE])
    with (root / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _start_15(root) if version == 15 else _start_wheel(root, version)


@pytest.fixture(scope="session")
def server() -> str:
    """URI of the superuser's database on the newest server."""
    return server_uri(_wanted()[-1])


@pytest.fixture(scope="session", params=_wanted(), ids=lambda version: f"pg{version}")
def any_server(request: pytest.FixtureRequest) -> str:
    """As ``server``, once for each version."""
    return server_uri(request.param)


# --------------------------------------------------------------------------- databases


_admins: dict[str, psycopg.Connection[tuple[object, ...]]] = {}


def _admin(uri: str) -> psycopg.Connection[tuple[object, ...]]:
    """This process's session for making and dropping databases on the server of that URI."""
    admin = _admins.get(uri)
    if admin is None or admin.closed:
        admin = _admins[uri] = psycopg.connect(uri, autocommit=True)
    return admin


@contextlib.contextmanager
def fresh_database(uri: str) -> Iterator[str]:
    """A new, empty database on the server of that URI; dropped at the end, whoever is still connected."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    # Copying the template's files takes half the time of the default strategy, which logs each page.
    _admin(uri).execute(f"CREATE DATABASE {name} STRATEGY file_copy")
    try:
        yield _in_database(uri, name)
    finally:
        _admin(uri).execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def db(server: str) -> Iterator[str]:
    """URI of an empty database of this test's own, on the newest server."""
    with fresh_database(server) as uri:
        yield uri


@pytest.fixture
def any_db(any_server: str) -> Iterator[str]:
    """As ``db``; the test runs once for each version."""
    with fresh_database(any_server) as uri:
        yield uri


def _open(uri: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(make_conninfo(uri, client_encoding="UTF8"), autocommit=True)


@pytest.fixture
def conn(db: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """An autocommit connection to ``db``."""
    with _open(db) as connection:
        yield connection


@pytest.fixture
def any_conn(any_db: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """An autocommit connection to ``any_db``."""
    with _open(any_db) as connection:
        yield connection
