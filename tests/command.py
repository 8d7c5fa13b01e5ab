"""Runs the command line for tests: as a process of its own, or in the process of the test."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from pgsluice import cli

SECONDS = 120
"""After these seconds a command counts as hanging, and the test fails."""


@dataclass(frozen=True)
class Ended:
    """The exit code of a command and its output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which has to be one JSON object on one line."""
        assert self.out.count("\n") == 1, self.out
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    def complaint(self, code: int, *words: str) -> None:
        """Asserts the exit code and a complaint of one line that contains the words.

        Standard output is empty, or the error object of ``--json``.
        """
        assert self.code == code, self
        assert self.out == "" or "error" in self.json
        lines = [line for line in self.err.splitlines() if line.startswith("pgsluice: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        for word in words:
            assert word in lines[0], (word, lines[0])


def environment(**variables: str) -> dict[str, str]:
    """The environment of the process without variables that name a database."""
    kept = {k: v for k, v in os.environ.items() if k != "DATABASE_URL" and not k.startswith("PG")}
    return kept | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"} | variables


def _command(arguments: Sequence[str | Path | int], url: str | None) -> list[str]:
    named = ["--database-url", url] if url is not None else []
    return [sys.executable, "-m", "pgsluice", *map(str, arguments), *named]


def start(*arguments: str | Path, cwd: Path, url: str | None = None) -> subprocess.Popen[str]:
    """Starts a command in the folder ``cwd``. The caller waits for its end or kills it."""
    return subprocess.Popen(
        _command(arguments, url),
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> Ended:
    """Waits for the end of a command."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ended(process.returncode, out, err)


def run(*arguments: str | Path, cwd: Path, url: str | None = None) -> Ended:
    """Runs a command to its end."""
    return end(start(*arguments, cwd=cwd, url=url))


def call(*arguments: str | Path | int, cwd: Path, url: str | None = None) -> Ended:
    """Runs a command in this process, which takes half a second less than :func:`run`."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    code = 0
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", _command(arguments, url)[2:]),
        mock.patch.dict(os.environ, environment(), clear=True),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        out.flush()
        err.flush()
    return Ended(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]
