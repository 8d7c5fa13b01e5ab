"""Discovery: the files that paths name, with their names to compare with tables, their dialects and headers."""

from __future__ import annotations

import enum
import fnmatch
import os
import re
import shlex
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from pgsluice.errors import CallError, FileError
from pgsluice.model import Dialect, DialectOptions, IgnoredFile, SourceFile
from pgsluice.source.blocks import header_fault
from pgsluice.source.dialect import SAMPLE_BYTES, sniff
from pgsluice.source.encodings.detect import FoundEncoding, check_named, find_encoding
from pgsluice.source.identity import READ, await_tick, changed, check_age
from pgsluice.source.records.lines import behind_lines, count_lines
from pgsluice.source.records.rules import MAX_RECORD_BYTES, LineTooLong
from pgsluice.source.records.spans import first_record
from pgsluice.source.streams import DecodedStream, is_remote, open_decoded, translated

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
"""How the files of a folder end that are loaded."""

_OPTIONAL = re.compile(r"\.(?:txt|tab|dat|psv|tbl|data|asc|out)(?:\.gz)?$", re.IGNORECASE)
"""How the files of a folder end that are loaded if their name is that of a table."""

_FURTHER_BYTES = 1 << 16
"""How many bytes of the middle and of the end of a file are looked at to find its encoding."""

_LAST_NUMBER = re.compile(r"(?:[-_. ]+(?:part[-_. ]?)?[0-9]+|\s*[(\[][0-9]+[)\]])$", re.IGNORECASE)
"""The number of a part or a day at the end of a file name, or of a copy: ``customers (1)``."""


def composed(name: str) -> str:
    """The name in Unicode's normal form NFC: a letter and its accent become one character.

    macOS may write them as two into a file name.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _stems(bare: str) -> tuple[str, ...]:
    """The names under which a file may find its table: its own, then without its last number, and so on.

    Numbers are removed one by one, because a table may have numbers in its name: ``orders-2024-12-31_02`` has four
    numbers, and ``orders_2024`` may be the table.

    :param bare: the file name without folder and suffix.
    """
    stems = [bare]
    while (shorter := _LAST_NUMBER.sub("", stems[-1])) and shorter != stems[-1]:
        stems.append(shorter)
    return tuple(stems)


class Discovery(NamedTuple):
    """What the paths name."""

    files: tuple[SourceFile, ...]
    ignored: tuple[IgnoredFile, ...]
    """Files of the folders that are not loaded. Hidden files are not mentioned."""


def discover(
    paths: Sequence[str],
    options: DialectOptions,
    settle: float = 0.0,
    max_bytes: int | None = None,
    *,
    skip: Sequence[str] = (),
    recursive: bool = False,
    dialects: Sequence[tuple[str, DialectOptions]] = (),
) -> Discovery:
    """The files that the paths name, each once, in the order of the paths.

    A folder names the files directly in it that end in one of SUFFIXES and are not hidden. They are in the order of
    their names, with numbers as numbers: 2 before 10. Files with the suffix of a text file are optional.

    :param options: the parts of the dialect that the user fixed, for all files.
    :param settle: seconds: a file that was written less long ago is refused; 0 refuses no file.
    :param max_bytes: how many bytes each compressed file may hold unpacked; None sets no limit.
    :param skip: globs as for :func:`matches`; a file that one of them matches is not loaded.
    :param recursive: a folder names the files in its subfolders as well.
    :param dialects: (glob, parts of the dialect) pairs for single files, in place of ``options``.
    :raises FileError: a path is missing or unreadable, a folder has no file to load, a header is a fault, or a file is
        younger than ``settle`` or is being written.
    :raises CallError: an option of the dialect is not allowed, or a glob of ``skip`` matches no file.
    """
    files: list[SourceFile] = []
    ignored: list[IgnoredFile] = []
    seen: set[str] = set()
    unused = set(skip)
    for path in paths:
        for name, real, suffix in _expand(path, recursive):
            if real in seen:
                continue
            seen.add(real)
            if globs := {glob for glob in skip if matches(name, glob)}:
                unused -= globs
                ignored.append(IgnoredFile(name, f"--skip {shlex.quote(min(globs))}"))
            elif suffix is _Suffix.OTHER:
                ignored.append(IgnoredFile(name, "its suffix is not that of a CSV file; name the file to load it"))
            else:
                _check_name(name)
                own = next((dialect for glob, dialect in dialects if matches(name, glob)), options)
                files.append(_look_or_fault(name, suffix, own, settle, max_bytes))
    if unused:
        raise CallError(f"--skip {shlex.quote(min(unused))} matches no file", "Write it as the folder names the file")
    return Discovery(tuple(files), tuple(ignored))


def matches(path: str, glob: str) -> bool:
    """Whether a glob matches a path, the file name in it or, if the glob names a folder, the end of the path."""
    path, glob = composed(path), composed(glob)
    name = PurePosixPath(path).name
    return (
        fnmatch.fnmatch(path, glob)
        or fnmatch.fnmatch(name, glob)
        or ("/" in glob and fnmatch.fnmatch(path, "*/" + glob))
    )


def _look_or_fault(
    path: str, suffix: _Suffix, options: DialectOptions, settle: float, max_bytes: int | None
) -> SourceFile:
    """The file at this path. An optional file that cannot be read has a fault instead of a header."""
    try:
        file = _look(path, options, settle, max_bytes)
    except FileError as error:
        if suffix is not _Suffix.OPTIONAL:
            raise
        file = SourceFile(path, 0, _stems(_bare(path)), Dialect(), (), fault=str(error))
    return replace(file, optional=suffix is _Suffix.OPTIONAL, max_bytes=max_bytes)


def _check_name(path: str) -> None:
    """Checks that the path is UTF-8: neither the ledger nor a report can hold another name."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise FileError(f"{shown}: the name is not UTF-8", "Rename the file") from None


def _bare(path: str) -> str:
    """The file name without folder and suffix."""
    name = PurePosixPath(path.replace(os.sep, "/")).name
    name = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    # A suffix begins with a letter: in orders.2024 the number is part of the name.
    return re.sub(r"(?<=.)\.[A-Za-z][A-Za-z0-9]*$", "", name)


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """The sort key of a file name: digits compare as numbers, other characters as lower case."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], name


class _Suffix(enum.Enum):
    """What the suffix of a file in a folder says."""

    CSV = enum.auto()
    OPTIONAL = enum.auto()
    OTHER = enum.auto()


def _expand(path: str, recursive: bool) -> list[tuple[str, str, _Suffix]]:
    """The files that a path names: path, real path (equal for two paths to the same file), suffix."""
    with translated(path):
        found = _expand_url(path, recursive) if is_remote(path) else _expand_local(path, recursive)
    if not isinstance(found, list):
        return [(*found, _Suffix.CSV)]
    files = []
    for name in found:
        folder, base = os.path.split(name)
        if not base.startswith("."):
            real = name if is_remote(name) else os.path.realpath(name)
            files.append((_natural(folder), _natural(base), name, real, _suffix(base)))
    if all(suffix is _Suffix.OTHER for *_, suffix in files):
        raise FileError(
            f"{path}: no CSV file in this folder (looked for {', '.join('*' + s for s in SUFFIXES)})",
            "Name the files themselves if they are called otherwise"
            + ("" if recursive else ", or look into subfolders with --recursive"),
        )
    return [(name, real, suffix) for _, _, name, real, suffix in sorted(files, key=_in_order)]


def _in_order(found: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sort key of a file of a folder: the folder, then the name."""
    return found[:2]


def _suffix(base: str) -> _Suffix:
    if base.lower().endswith(SUFFIXES):
        return _Suffix.CSV
    return _Suffix.OPTIONAL if _OPTIONAL.search(base) else _Suffix.OTHER


def _expand_url(path: str, recursive: bool) -> tuple[str, str] | list[str]:
    """The file that a URL names with its real path, or the paths of the files in the folder that it names."""
    from fsspec.core import url_to_fs

    system, inner = url_to_fs(path)
    if not system.isdir(inner):
        return path, system.unstrip_protocol(inner)
    entries = system.find(inner, detail=True).values() if recursive else system.ls(inner, detail=True)
    return [system.unstrip_protocol(e["name"]) for e in entries if e["type"] == "file"]


def _expand_local(path: str, recursive: bool) -> tuple[str, str] | list[str]:
    """The file that a local path names with its real path, or the paths of the files in the folder that it names.

    :raises FileError: the path names neither a file nor a folder.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode) and recursive:
        return [name for name in _walk(path) if os.path.isfile(name)]
    if stat.S_ISDIR(mode):
        with os.scandir(path) as listing:
            return [e.path for e in listing if e.is_file()]
    if not stat.S_ISREG(mode):
        raise FileError(
            f"{path}: this is no file but a pipe or a device, and can be read only once",
            "Write it to a file first, and load that",
        )
    return path, os.path.realpath(path)


def _walk(folder: str) -> Iterator[str]:
    """The paths of all files below a folder, except in hidden folders."""
    for inner, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(inner, name) for name in names)


def _look(path: str, options: DialectOptions, settle: float, max_bytes: int | None) -> SourceFile:
    """The file at this path, with its dialect, header and identity.

    :raises FileError: the file is younger than ``settle`` seconds, or is being written.
    """
    with open_decoded(path, "utf-8", max_bytes) as stream:
        check_age(path, stream.identity, settle)
        # The bytes are opened as UTF-8 at first, which changes none: the encoding is looked for in them.
        sample = stream.read(SAMPLE_BYTES)
        found = _encoding(path, stream, sample, options, max_bytes)
        if found.encoding == "utf-8" and not options.strip_nul:
            return _describe(path, stream, sample, found, options)
    with open_decoded(path, found.encoding, max_bytes, strip_nul=options.strip_nul) as stream:
        return _describe(path, stream, stream.read(SAMPLE_BYTES), found, options)


def _encoding(
    path: str, stream: DecodedStream, sample: bytes, options: DialectOptions, max_bytes: int | None
) -> FoundEncoding:
    """The encoding of a file: the one that the user named, or the one that its bytes show.

    :raises FileError: the encoding is not certain.
    """
    named = next((encoding for glob, encoding in options.encodings if matches(path, glob)), None)
    if named is not None:
        return FoundEncoding(named)

    def reopen() -> DecodedStream:
        return open_decoded(path, "utf-8", max_bytes)

    if options.encoding is not None:
        check_named(path, options.encoding, sample)
        return FoundEncoding(options.encoding)
    return find_encoding(path, [sample, *_further_samples(stream, len(sample))], reopen)


def _further_samples(stream: DecodedStream, position: int) -> list[bytes]:
    """Bytes from the middle and from the end of a file. The stream continues where it was.

    A file that is not seekable is sampled at its beginning alone.

    :param position: how many bytes of the file were read.
    """
    size = stream.identity.size or 0
    if not stream.seekable or size <= position + 2 * _FURTHER_BYTES:
        return []
    samples = []
    for place in (size // 2, size - _FURTHER_BYTES):
        stream.seek(place)
        samples.append(stream.read(_FURTHER_BYTES))
    stream.seek(position)
    return samples


def _describe(
    path: str, stream: DecodedStream, sample: bytes, found: FoundEncoding, options: DialectOptions
) -> SourceFile:
    """The file, with the dialect that its sample shows and the header, which may be longer than the sample.

    :raises FileError: the header is a fault, a line is longer than 32 MiB, or the file is being written.
    """
    dialect = replace(sniff(sample, path, options), encoding=found.encoding)
    header: tuple[str, ...] = ()
    whole, line, missing = False, dialect.skip_lines + 1, dialect.skip_lines
    try:
        while True:
            behind, missing = behind_lines(sample, dialect, missing, at_end=whole)
            sample = sample[behind:]
            first = None
            if not missing:
                # A file may begin with any number of blank lines.
                first, behind = first_record(sample, dialect, line, at_end=whole)
                line += count_lines(sample, dialect, 0, behind)
                sample = sample[behind:]
            if first is not None or whole:
                break
            if missing and len(sample) > MAX_RECORD_BYTES:
                raise LineTooLong(dialect.skip_lines - missing + 1)
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
    # Dialect and header come from the bytes of this identity, or the file is not planned.
    await_tick(stream.identity)
    if what := stream.difference_now():
        raise changed(path, READ, what)
    return SourceFile(
        path,
        stream.identity.size or 0,
        _stems(_bare(path)),
        dialect,
        header,
        notes=(found.note,) if found.note else (),
        identity=stream.identity,
    )
