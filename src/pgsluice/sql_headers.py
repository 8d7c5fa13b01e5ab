"""SQL files with a small header of comments: ``-- key: value`` lines before the statement."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from pgsluice.errors import CallError, FileError
from pgsluice.names import Names

_LINE = re.compile(r"--[ \t]*([a-z][a-z ]*?)[ \t]*:[ \t]*(.*?)[ \t]*$", re.IGNORECASE)


class SqlFile(NamedTuple):
    """A SQL file."""

    path: Path
    header: dict[str, list[str]]
    """The values of each key, in their order."""
    statement: str
    """The statement without its final semicolon."""
    line: int
    """The line of the file on which the statement begins, from 1."""

    @property
    def stem(self) -> str:
        """The name of the file without ``.sql``."""
        return self.path.name.removesuffix(".sql")

    def last(self, key: str, default: str = "") -> str:
        """The last value of a key."""
        return self.header.get(key, [default])[-1]


def sql_files(path: Path) -> list[Path]:
    """The ``.sql`` files that a path names: itself, or those directly in a folder, by name.

    :raises FileError: the path is missing, or the folder holds no such file.
    """
    if path.is_dir():
        files = sorted(p for p in path.glob("*.sql") if not p.name.startswith("."))
        if not files:
            raise FileError(f"{path}: no .sql file in this folder", "Put one statement into each file")
        return files
    if not path.is_file():
        raise FileError(f"{path}: no such file or folder", "Check the path")
    return [path]


def read_sql_file(path: Path, keys: Collection[str]) -> SqlFile:
    """Reads a SQL file. A comment whose key is none of ``keys`` is a comment.

    :raises FileError: the file cannot be read.
    :raises CallError: the file holds no statement, or a key of the header is nearly one of ``keys``.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"{path}: cannot be read ({error})", "Save it as UTF-8 and give read permission on it"
        ) from error
    lines = text.splitlines()
    header: dict[str, list[str]] = {}
    first = 0
    for first, line in enumerate(lines):
        stripped = line.strip()
        if stripped and not stripped.startswith("--"):
            break
        if match := _LINE.match(stripped):
            key = " ".join(match[1].lower().split())
            if key in keys:
                header.setdefault(key, []).append(match[2])
            elif near := Names(keys).nearest(key):
                raise CallError(f"{path}:{first + 1}: the header has no key {key!r}", f"Did you mean {near}?")
    statement = "\n".join(lines[first:]).strip().removesuffix(";").rstrip()
    if not statement or statement.startswith("--"):
        raise CallError(f"{path}: there is no statement in this file", "Write one statement below the header")
    return SqlFile(path, header, statement, first + 1)
