"""From paths to files: folders listed, names folded, dialects sniffed, headers read."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pgsluice.errors import FileError
from pgsluice.model import DialectOptions, SourceFile
from pgsluice.source.blocks import header_fault
from pgsluice.source.dialect import SAMPLE_BYTES, encoding_of, sniff
from pgsluice.source.records.rules import MAX_RECORD_BYTES, LineTooLong
from pgsluice.source.records.walker import scan
from pgsluice.source.streams import DecodedStream, is_remote, open_decoded, translated

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")

_PART = re.compile(r"[-_. ]+(?:part[-_. ]?)?[0-9]+$", re.IGNORECASE)


def fold(name: str) -> str:
    """A name as it is compared with others: lower case, outer blanks gone, ``-`` and blanks as ``_``."""
    return re.sub(r"[-\s]+", "_", name.strip().lower())


def _stems(bare: str) -> tuple[str, ...]:
    """A table may be called orders_2024 itself, so numbers go one by one: of orders-2024-12-31_02 all four may."""
    stems = [bare]
    while (shorter := _PART.sub("", stems[-1])) and shorter != stems[-1]:
        stems.append(shorter)
    return tuple(map(fold, stems))


def discover(paths: Sequence[str], options: DialectOptions) -> tuple[SourceFile, ...]:
    """The files that are meant, each once, in the order given; those of a folder by name, 2 before 10.

    A folder stands for the files directly in it that end in one of SUFFIXES and are not hidden.

    :raises FileError: a path is missing or unreadable, a folder has no such file, a header is faulty.
    :raises CallError: an option of the dialect cannot be meant.
    """
    files: list[SourceFile] = []
    seen: set[str] = set()
    for path in paths:
        for name, identity, size in _expand(path):
            if identity not in seen:
                seen.add(identity)
                _check_name(name)
                files.append(_look(name, size, options))
    return tuple(files)


def _check_name(path: str) -> None:
    """Neither the ledger nor a report of rejects could say which file it was."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise FileError(f"{shown}: the name is not UTF-8", "Rename the file") from None


def _bare(path: str) -> str:
    name = PurePosixPath(path.replace(os.sep, "/")).name
    name = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    # A suffix begins with a letter: in orders.2024 the number is part of the name.
    return re.sub(r"(?<=.)\.[A-Za-z][A-Za-z0-9]*$", "", name)


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], name


def _expand(path: str) -> list[tuple[str, str, int]]:
    """The files behind a path: path, what tells whether two are the same file, size."""
    with translated(path):
        if is_remote(path):
            from fsspec.core import url_to_fs

            system, inner = url_to_fs(path)
            if not system.isdir(inner):
                return [(path, system.unstrip_protocol(inner), int(system.size(inner) or 0))]
            entries = [
                (system.unstrip_protocol(entry["name"]), int(entry["size"] or 0))
                for entry in system.ls(inner, detail=True)
                if entry["type"] == "file"
            ]
        else:
            status = os.stat(path)
            if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
                raise FileError(
                    f"{path}: this is no file but a pipe or a device, and can be read only once",
                    "Write it to a file first, and load that",
                )
            if not stat.S_ISDIR(status.st_mode):
                return [(path, os.path.realpath(path), status.st_size)]
            with os.scandir(path) as listing:
                entries = [(e.path, e.stat().st_size) for e in listing if e.is_file()]
    found = []
    for name, size in entries:
        base = PurePosixPath(name).name
        if base.lower().endswith(SUFFIXES) and not base.startswith("."):
            identity = name if is_remote(name) else os.path.realpath(name)
            found.append((_natural(base), name, identity, size))
    if not found:
        raise FileError(
            f"{path}: no CSV file in this folder (looked for {', '.join('*' + s for s in SUFFIXES)})",
            "Name the files themselves if they are called otherwise",
        )
    return [(name, identity, size) for _, name, identity, size in sorted(found)]


def _look(path: str, size: int, options: DialectOptions) -> SourceFile:
    with open_decoded(path, "utf-8") as stream:
        # Only a file that is UTF-8 so far: a UTF-16 mark is looked for in the undecoded bytes.
        sample = stream.read(SAMPLE_BYTES)
        encoding = encoding_of(sample, options)
        if encoding == "utf-8":
            return _describe(path, size, stream, sample, encoding, options)
    with open_decoded(path, encoding) as stream:
        return _describe(path, size, stream, stream.read(SAMPLE_BYTES), encoding, options)


def _describe(
    path: str, size: int, stream: DecodedStream, sample: bytes, encoding: str, options: DialectOptions
) -> SourceFile:
    dialect = replace(sniff(sample, path, options), encoding=encoding)
    header: tuple[str, ...] = ()
    whole = False
    try:
        while (first := next(scan(sample, dialect, fields=None, at_end=whole), None)) is None and not whole:
            more = stream.read(max(SAMPLE_BYTES, len(sample)))
            whole = not more
            sample += more
    except LineTooLong as error:
        raise FileError(
            f"{path}: line {error.line} is longer than {MAX_RECORD_BYTES >> 20} MiB",
            "Check that this is a CSV file and that its lines end with LF or CRLF",
        ) from error
    if first is not None:
        if first.fault:
            raise header_fault(path, first)
        header = tuple(value.decode() for value, _ in first.fields)
    return SourceFile(path, size, _stems(_bare(path)), dialect, header)
