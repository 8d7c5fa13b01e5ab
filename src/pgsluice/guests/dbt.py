"""Builds a dbt project in a process of its own.

dbt keeps settings of a call in global variables, replaces signal handlers, and takes seconds to import. None of this
reaches the process of the load.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq

from pgsluice.errors import CallError, FileError
from pgsluice.ledger.advisory_locks import GUEST_LOCK_CLASS, lock_guest
from pgsluice.ledger.quality import kept_tables
from pgsluice.model import DBT, GuestNode, GuestResult, Listener, Phase, Progress

PROJECT_FILE = "dbt_project.yml"

PASSWORD = "DBT_ENV_SECRET_PGSLUICE_PASSWORD"
"""The variable with the password of the load. dbt writes dots for the value of a variable with this prefix wherever it
would show the value."""

_SECONDS_TO_END = 10
"""How long dbt may take to cancel its queries after Ctrl-C."""


def check(project: str) -> None:
    """Checks what a build needs.

    :param project: the folder.
    :raises CallError: the extra is not installed.
    :raises FileError: the folder holds no dbt project.
    """
    for package in ("dbt-core", "dbt-postgres"):
        try:
            distribution(package)
        except PackageNotFoundError:
            raise CallError(
                f"--then dbt needs {package}, which is not installed", "pip install 'pgsluice[dbt]'"
            ) from None
    if not Path(project, PROJECT_FILE).is_file():
        raise FileError(f"{project} is no dbt project: it has no {PROJECT_FILE}", "Name the folder of the project")


def build(conn: psycopg.Connection, project: str, run_id: int, newest: int, listen: Listener) -> GuestResult:
    """Builds the models of a dbt project and runs its tests, as ``dbt build`` does.

    Two runs do not build one project at once: the second waits.

    :param conn: a connection in autocommit mode to the database of the load, as the role of the load.
    :param project: the folder.
    :param run_id: the value of the variable ``pgsluice_run``.
    :param newest: the newest published run.
    :param listen: receives each model and test that begins.
    :raises psycopg.Error: the ledger cannot be read.
    """
    name = os.path.basename(project)
    lock_guest(conn, zlib.crc32(os.path.realpath(project).encode(errors="surrogateescape")) >> 1, name, listen)
    began = time.monotonic()
    listen(Progress(Phase.THEN, step=f"dbt {name}"))
    try:
        check(project)
    except (CallError, FileError) as error:
        return GuestResult(DBT, project, "", newest, False, time.monotonic() - began, error.line)
    # dbt proves with this lock, which only this session holds, that it is connected to the same database.
    proof = secrets.randbits(31)
    lock_guest(conn, proof, name, listen)
    asked = {
        "project": project,
        "run": run_id,
        "tables": kept_tables(conn),
        "lock": [GUEST_LOCK_CLASS, proof],
        "database": f"{conn.info.dbname} at {conn.info.host}:{conn.info.port}",
        "password": PASSWORD,
    }
    said: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="pgsluice-dbt-") as folder:  # only its owner can enter it
        for message in _talk(asked | {"folder": folder}, _environment(conn), project, folder):
            if "begins" in message:
                listen(Progress(Phase.THEN, step=f"dbt {message['begins']}"))
            else:
                said = message
    return GuestResult(
        DBT,
        project,
        _text(said.get("name", "")),
        newest,
        bool(said.get("ok")),
        time.monotonic() - began,
        _text(said.get("message", "")),
        tuple(_node(node) for node in said.get("nodes", ())),
    )


def _node(said: dict[str, Any]) -> GuestNode:
    return GuestNode(**said | {key: _text(said[key]) for key in ("name", "kind", "status", "message")})


def _text(text: str) -> str:
    """PostgreSQL stores no NUL."""
    return text.replace("\0", "")


def _environment(conn: psycopg.Connection) -> dict[str, str]:
    """The variables of the process: libpq's variables lead to the database of the load, with all settings of its
    address. No secret stands on disk.
    """
    given = dict(conn.info.get_parameters())
    info = conn.info
    given |= {"host": info.host, "port": str(info.port), "user": info.user, "dbname": info.dbname}
    given |= {"password": info.password} | ({"hostaddr": info.hostaddr} if "hostaddr" in given else {})
    variables = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"} | dict(os.environ) | {PASSWORD: info.password}
    for option in pq.Conninfo.get_defaults():
        if option.envvar is not None and (value := given.get(option.keyword.decode())):
            variables[option.envvar.decode()] = value
    # dbt says itself what it is, and which encoding it reads.
    return {k: v for k, v in variables.items() if k not in ("PGAPPNAME", "PGCLIENTENCODING", "PGSERVICE")}


def _talk(asked: dict[str, Any], variables: dict[str, str], project: str, folder: str) -> Iterator[dict[str, Any]]:
    """Starts the process and yields what it says, the result last.

    :param folder: for what the process writes to standard error.
    """
    # -P: the folder of the project is no place for modules of Python. The process ends when its standard input does.
    command = [sys.executable, "-P", "-m", "pgsluice.guests.dbt_process"]
    errors = Path(folder, "errors")
    ended = False
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            command, cwd=project, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(asked) + "\n")
                process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                ended = "ok" in message
                yield message
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
    if not ended:
        lines = errors.read_text(encoding="utf-8", errors="backslashreplace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        yield {"ok": False, "message": f"dbt ended with exit code {process.returncode}: {last}"}
