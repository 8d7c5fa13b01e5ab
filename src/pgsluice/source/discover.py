"""Discovery: the files that paths name, with their names to compare with tables, their dialects and headers."""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pgsluice.errors import CallError, FileError
from pgsluice.model import Dialect, DialectOptions, IgnoredFile, Place, SourceFile
from pgsluice.source.dialect import SAMPLE_BYTES, detected
from pgsluice.source.encodings.detect import FoundEncoding, check_named, find_encoding
from pgsluice.source.headers import read_header
from pgsluice.source.identity import READ, await_tick, changed, check_age
from pgsluice.source.places.addresses import Holds, place_of
from pgsluice.source.places.expand import Found, Suffix, expand, is_lock_file, suffix_of
from pgsluice.source.places.names import bare_name, check_name, literal_glob, matches, stems_of
from pgsluice.source.places.spool import Spool, pipe_pieces
from pgsluice.source.streams import DecodedStream, list_members, open_decoded, open_packed
from pgsluice.source.unpack.signatures import Kind, is_json_lines
from pgsluice.source.unpack.tables import json_fields

_FURTHER_BYTES = 1 << 16
"""How many bytes of the middle and of the end of a file are looked at to find its encoding."""

_SUBFOLDER = "a subfolder; --recursive takes its files"

_LOCK = "Excel makes such a file while it has a workbook open"
_OTHER_SUFFIX = "its suffix is not that of a CSV file; name the file to load it"


class Discovery(NamedTuple):
    """What the paths name."""

    files: tuple[SourceFile, ...]
    ignored: tuple[IgnoredFile, ...]
    """Files of the folders that are not loaded. Hidden files are not mentioned."""
    spools: tuple[Spool, ...] = ()
    """Copies of what can be read only once."""

    def close(self) -> None:
        """Removes the copies. The files can be read until then."""
        for spool in self.spools:
            spool.close()


def discover(
    paths: Sequence[str],
    options: DialectOptions,
    settle: float = 0.0,
    max_bytes: int | None = None,
    *,
    skip: Sequence[str] = (),
    recursive: bool = False,
    dialects: Sequence[tuple[str, DialectOptions]] = (),
    allow_empty: bool = True,
    problems: list[FileError] | None = None,
) -> Discovery:
    """The files that the paths name, each once, in the order of the paths.

    A folder names the files directly in it that are not hidden and whose suffixes :mod:`pgsluice.source.places.expand`
    lists, in the order of their names, with numbers as numbers: 2 before 10. An archive names its members, a workbook
    its sheets.

    :param options: the parts of the dialect that the user fixed, for all files.
    :param settle: seconds: a file that was written less long ago is refused; 0 refuses no file.
    :param max_bytes: how many bytes each compressed file may hold unpacked; None sets no limit.
    :param skip: globs as for :func:`matches`; a file that one of them matches is not loaded.
    :param recursive: a folder names the files in its subfolders as well.
    :param dialects: (glob, parts of the dialect) pairs for single files, in place of ``options``.
    :param allow_empty: a file of 0 bytes is a file without rows, and not an error.
    :param problems: gets the errors of files that cannot be loaded as they are. These files are left out. None raises
        all errors at once.
    :returns: the files; the caller closes the discovery when it has read them.
    :raises FileError: a path is missing or unreadable, a folder has no file to load, a header is a fault, or a file is
        younger than ``settle`` or is being written.
    :raises CallError: an option of the dialect is not allowed, or a glob of ``skip`` matches no file.
    """
    finder = _Finder(options, tuple(dialects), settle, max_bytes, allow_empty, tuple(skip), set(skip))
    try:
        seen: set[str] = set()
        for path in paths:
            for found in expand(path, recursive):
                if found.real not in seen:
                    seen.add(found.real)
                    finder.add(found)
        if unused := finder.unused:
            raise CallError(
                f"--skip {shlex.quote(min(unused))} matches no file", "Write it as the folder names the file"
            )
        if problems is None and finder.problems:
            raise all_problems(finder.problems)
    except BaseException:
        finder.discovery().close()
        raise
    if problems is not None:
        problems += finder.problems
    return finder.discovery()


def all_problems(problems: Sequence[FileError]) -> FileError:
    """Returns one error for all files that cannot be loaded as they are."""
    if len(problems) == 1:
        return problems[0]
    return FileError(f"{len(problems)} files cannot be loaded as they are", details=[str(p) for p in problems])


@dataclass(slots=True)
class _Finder:
    """Collects files, and what is not loaded."""

    options: DialectOptions
    dialects: tuple[tuple[str, DialectOptions], ...]
    settle: float
    max_bytes: int | None
    allow_empty: bool
    skip: tuple[str, ...]
    unused: set[str]
    """Globs of ``skip`` that have matched no file yet."""
    files: list[SourceFile] = field(default_factory=list)
    ignored: list[IgnoredFile] = field(default_factory=list)
    spools: list[Spool] = field(default_factory=list)
    problems: list[FileError] = field(default_factory=list)
    """The errors of files, one by one."""

    def discovery(self) -> Discovery:
        """What was found so far."""
        return Discovery(tuple(self.files), tuple(self.ignored), tuple(self.spools))

    def add(self, found: Found) -> None:
        """Adds a file, or the files that an archive or a workbook holds."""
        place = place_of(found.address)
        if self._is_skipped(place.shown):
            return
        if found.suffix is Suffix.OTHER:
            other = _LOCK if is_lock_file(found.address) else _OTHER_SUFFIX
            self.ignored.append(IgnoredFile(place.shown, _SUBFOLDER if found.is_folder else other))
            return
        check_name(place.shown)
        stems = stems_of(bare_name(place.shown))
        place = self._named_once(place)
        if found.pipe:
            place = self._spooled(place.shown, Spool(place.shown, pipe_pieces(found.address)))
        try:
            if found.member is not None:
                raise self._holds(place)
            self._add_file(place, found, stems)
        except Holds as holds:
            self._add_members(place, holds, found)

    def _options_for(self, path: str) -> DialectOptions:
        """The parts of the dialect that the user fixed for a file."""
        for glob, own in self.dialects:
            if matches(path, glob):
                named = ((glob, own.encoding),) if own.encoding is not None else ()
                return replace(own, encodings=(*named, *own.encodings))
        return self.options

    def _is_skipped(self, path: str) -> bool:
        globs = {glob for glob in self.skip if matches(path, glob)}
        if globs:
            self.unused -= globs
            self.ignored.append(IgnoredFile(path, f"--skip {shlex.quote(min(globs))}"))
        return bool(globs)

    def _named_once(self, place: Place) -> Place:
        """The place with a name of its own: two addresses may differ in parts that are not shown."""
        names = {f.path for f in self.files}
        number, shown = 1, place.shown
        while shown in names:
            number += 1
            shown = f"{place.shown} ({number})"
        return replace(place, shown=shown)

    def _spooled(self, shown: str, spool: Spool) -> Place:
        self.spools.append(spool)
        return Place(shown, spool.address)

    def _holds(self, place: Place) -> Holds:
        """What the archive or the workbook is, of which the user has named a member.

        :raises FileError: the file is neither.
        """
        try:
            open_decoded(place, "utf-8", self.max_bytes).close()
        except Holds as holds:
            return holds
        raise FileError(f"{place.shown}: this is neither an archive nor a workbook", "Name the file alone")

    def _add_file(self, place: Place, found: Found, stems: tuple[str, ...], *, optional: bool | None = None) -> None:
        """Adds a file that can be read by itself. An optional file that cannot be read has a fault."""
        optional = found.suffix is Suffix.OPTIONAL if optional is None else optional
        try:
            file = _look(
                place, self._options_for(place.shown), self.settle, self.max_bytes, allow_empty=self.allow_empty
            )
        except FileError as error:
            if not optional:
                self.problems.append(error)
                return
            file = SourceFile(place.shown, 0, (), Dialect(), (), fault=str(error))
        self.files.append(
            replace(
                file,
                stems=stems,
                optional=optional,
                max_bytes=self.max_bytes,
                place=place,
                folder=found.folder,
            )
        )

    def _add_members(self, place: Place, holds: Holds, found: Found) -> None:
        """Adds the members of an archive or the sheets of a workbook."""
        shown = place.shown
        if holds.packed:
            with open_packed(place, self.max_bytes) as stream:
                check_age(shown, stream.identity, self.settle)
                place = self._spooled(shown, Spool(shown, iter(lambda: stream.read(1 << 20), b"")))
        listed = list_members(place, holds.kind)
        wanted = [(name, size) for name, hidden, size in listed if not hidden or found.member is not None]
        if found.member is not None:
            wanted = [w for w in wanted if w[0] == found.member or fnmatch.fnmatchcase(w[0], found.member)]
        if not wanted:
            what = "sheet" if holds.kind in (Kind.WORKBOOK, Kind.OLE) else "file"
            there = ", ".join(name for name, *_ in listed[:12]) or "nothing"
            raise FileError(
                f"{shown}: no {what} {found.member or ''} in it to load (it holds {there})", "Check its name"
            )
        self.ignored += [IgnoredFile(f"{shown}!{name}", "a hidden sheet") for name, hidden, _ in listed if hidden]
        before = len(self.files)
        for name, size in wanted:
            at = len(self.files)
            member = Place(f"{shown}!{name}", place.address, name)
            self._add_member(member, name, holds.kind, found, len(wanted) == 1)
            if size is not None:
                self.files[at:] = [replace(file, bytes=size) for file in self.files[at:]]
        if len(self.files) == before and not found.folder and not any(self.skip) and not self.problems:
            raise FileError(
                f"{shown}: no CSV file in this archive (it holds {', '.join(name for name, _ in wanted[:12])})",
                f"Name a member to load it all the same: {shlex.quote(f'{shown}!{wanted[0][0]}')}",
            )

    def _add_member(self, place: Place, name: str, kind: Kind, found: Found, alone: bool) -> None:
        """Adds a member of an archive or a sheet of a workbook.

        :param alone: it is the only one, so that the name of the archive or the workbook may name its table.
        """
        if self._is_skipped(place.shown):
            return
        outer = stems_of(bare_name(place.shown.removesuffix(f"!{name}"))) if alone else ()
        if kind in (Kind.WORKBOOK, Kind.OLE):
            optional = found.member is None and (not alone or found.suffix is Suffix.OPTIONAL)
            self._add_file(place, found, (*stems_of(name), *outer), optional=optional)
            return
        suffix = suffix_of(name)
        if suffix is Suffix.OTHER and "." not in name and alone:
            suffix = Suffix.OPTIONAL
        if found.member is None and suffix is Suffix.OTHER:
            self.ignored.append(IgnoredFile(place.shown, _OTHER_SUFFIX))
            return
        optional = found.member is None and Suffix.OPTIONAL in (suffix, found.suffix)
        self._add_file(place, found, (*stems_of(bare_name(name)), *outer), optional=optional)


def _look(
    place: Place, options: DialectOptions, settle: float, max_bytes: int | None, *, allow_empty: bool
) -> SourceFile:
    """The file at this place, with its dialect, header and identity.

    :raises FileError: the file is younger than ``settle`` seconds, or is being written.
    """
    path = place.shown
    with open_decoded(place, "utf-8", max_bytes) as stream:
        check_age(path, stream.identity, settle)
        # The bytes are opened as UTF-8 at first, which changes none: the encoding is looked for in them.
        sample = stream.read(SAMPLE_BYTES)
        if stream.form != "text":
            return _describe_rows(place, stream, sample, options, stream.form)
        if not sample and not allow_empty:
            raise FileError(
                f"{path}: the file is empty",
                f"Leave it out with --skip {shlex.quote(literal_glob(path))}, or take it as a file without rows"
                " with --allow-empty",
            )
        found = _encoding(place, stream, sample, options, max_bytes)
        if found.encoding == "utf-8" and not options.strip_nul and not is_json_lines(sample):
            return _describe(path, stream, sample, found, options)
    strip = options.strip_nul
    with open_decoded(place, found.encoding, max_bytes, strip_nul=strip) as stream:
        sample = stream.read(SAMPLE_BYTES)
        if not is_json_lines(sample):
            return _describe(path, stream, sample, found, options)
    with open_decoded(place, found.encoding, max_bytes, strip_nul=strip) as stream:
        fields = json_fields(path, iter(lambda: stream.read(SAMPLE_BYTES), b""))
    with open_decoded(place, found.encoding, max_bytes, strip_nul=strip, json_fields=fields) as stream:
        options = replace(options, encoding=found.encoding)
        return _describe_rows(place, stream, stream.read(SAMPLE_BYTES), options, "json")


def _describe_rows(
    place: Place, stream: DecodedStream, sample: bytes, options: DialectOptions, form: str
) -> SourceFile:
    """A file that has become CSV of a known dialect."""
    dialect = Dialect(
        encoding=(options.encoding or "utf-8") if form == "json" else "utf-8",
        # The values are quoted. What is not quoted is NULL, or the error of a cell, which --null can name.
        null=("", *(text for text in options.null if text)) if options.null else (),
        empty_as_null=options.empty_as_null,
        strip_nul=options.strip_nul,
    )
    names, _ = read_header(place.shown, stream, sample, dialect)
    await_tick(stream.identity)
    if what := stream.difference_now():
        raise changed(place.shown, READ, what)
    return SourceFile(place.shown, stream.identity.size or 0, (), dialect, names, form=form, identity=stream.identity)


def _encoding(
    place: Place, stream: DecodedStream, sample: bytes, options: DialectOptions, max_bytes: int | None
) -> FoundEncoding:
    """The encoding of a file: the one that the user named, or the one that its bytes show.

    :raises FileError: the encoding is not certain.
    """
    path = place.shown
    named = next((encoding for glob, encoding in options.encodings if matches(path, glob)), None)
    if named is not None:
        return FoundEncoding(named)

    def reopen() -> DecodedStream:
        return open_decoded(place, "utf-8", max_bytes)

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
    read, findings = detected(sample, path, options)
    dialect = replace(read, encoding=found.encoding)
    header, more = read_header(path, stream, sample, dialect)
    notes = [found.note] if found.note else []
    if not header or (dialect.header and not more):
        notes.append("no rows")
    # Dialect and header come from the bytes of this identity, or the file is not planned.
    await_tick(stream.identity)
    if what := stream.difference_now():
        raise changed(path, READ, what)
    return SourceFile(
        path,
        stream.identity.size or 0,
        (),
        dialect,
        header,
        notes=tuple(notes),
        identity=stream.identity,
        findings=findings,
    )
