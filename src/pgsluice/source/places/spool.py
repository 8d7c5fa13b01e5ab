"""Spools: a copy on disk of what can be read only once (a pipe, standard input), or only from its beginning.

A spool is a file without a name, so that nobody else can open it, and the system removes it with its last handle, even
if the process is killed. It lies in the folder for temporary files (``TMPDIR``).
"""

from __future__ import annotations

import os
import select
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import IO

from pgsluice.errors import FileError
from pgsluice.source.places.addresses import SPOOL

STDIN = "-"
"""The path of standard input."""

_STDIN_PATHS = (STDIN, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")

_CHUNK_BYTES = 1 << 20

_WRITER_WAIT = 5.0
"""Seconds to wait until a program opens a named pipe for writing."""


class Spool:
    """Bytes on disk that only this process can read."""

    def __init__(self, name: str, pieces: Iterable[bytes]) -> None:
        """:param name: the name of the source, for messages.
        :raises FileError: there is no room for the bytes.
        """
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="pgsluice-")  # noqa: SIM115
        try:
            for piece in pieces:
                self._write(name, piece)
            self._file.flush()
        except BaseException:
            self.close()
            raise

    def _write(self, name: str, piece: bytes) -> None:
        try:
            self._file.write(piece)
        except OSError as error:
            raise FileError(
                f"{name}: no room for a copy in {tempfile.gettempdir()} ({error.strerror})",
                "Make room, or name another folder in the variable TMPDIR",
            ) from error

    @property
    def address(self) -> str:
        """The address under which the file can be opened until the spool is closed."""
        return f"{SPOOL}{self._file.fileno()}"

    def close(self) -> None:
        """Removes the bytes."""
        self._file.close()


def is_pipe(path: str) -> bool:
    """Whether a path names standard input or a pipe."""
    if path == STDIN:
        return True
    mode = os.stat(path).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def pipe_pieces(path: str) -> Iterator[bytes]:
    """Yields what a pipe or standard input delivers, to its end.

    :raises FileError: standard input is a terminal or closed, or nobody writes into a named pipe.
    """
    if path in _STDIN_PATHS:
        yield from _standard_input(path)
        return
    # Opening a pipe for reading would wait for its writer for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        data = _first_piece(path, handle)
        os.set_blocking(handle, True)
        while data:
            yield data
            data = os.read(handle, _CHUNK_BYTES)
    finally:
        os.close(handle)


def _standard_input(path: str) -> Iterator[bytes]:
    if sys.stdin is None or sys.stdin.closed:
        raise FileError(f"{path}: standard input is closed", "Name a file, or send one: pgsluice load - < FILE")
    if sys.stdin.isatty():
        raise FileError(f"{path}: standard input is a terminal", "Name a file, or send one: pgsluice load - < FILE")
    while data := sys.stdin.buffer.read(_CHUNK_BYTES):
        yield data


def _first_piece(path: str, handle: int) -> bytes:
    """The first bytes of a pipe; b'' if the program that writes has closed it without a byte.

    :param handle: the pipe, open without blocking.
    :raises FileError: no program opens the pipe for writing in time.
    """
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    until = time.monotonic() + _WRITER_WAIT
    while True:
        # A pipe that no program has opened yet reports nothing, one that was closed reports a hang-up.
        events = poll.poll(100)
        try:
            data = os.read(handle, _CHUNK_BYTES)
        except BlockingIOError:
            # A program has opened the pipe and has not written yet.
            until = float("inf")
            continue
        if data or events:
            return data
        if time.monotonic() > until:
            raise FileError(
                f"{path}: no program writes into this pipe (waited {_WRITER_WAIT:g} s)",
                "Start the program that writes first, or write to a file and load that",
            )
