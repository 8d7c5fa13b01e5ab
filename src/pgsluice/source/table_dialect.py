"""A file of discovery, described again with what is known of its table, or with more of its lines."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from pgsluice.model import DialectOptions, SourceFile
from pgsluice.source.dialect import SAMPLE_BYTES, check_null_texts, fixed_dialect, prefers_tab
from pgsluice.source.dialect_search.detect import detect_with_table
from pgsluice.source.dialect_search.expectations import Expectations
from pgsluice.source.dialect_search.sample import PASS_BYTES, read_sample
from pgsluice.source.headers import read_header
from pgsluice.source.places.addresses import is_remote
from pgsluice.source.streams import open_planned

_REMOTE_BYTES = 8 << 20
"""How many bytes of a remote file are read for its sample."""


@lru_cache(maxsize=1024)
def resolve(file: SourceFile, options: DialectOptions, expected: Expectations | None) -> SourceFile:
    """The file with the dialect and the header that fit its table.

    :param expected: what is known of the table; None if the file has none yet.

    A load plans several times; the file is read once, because its identity is a part of the key.

    :raises FileError: the file cannot be read, has changed since discovery, or its header is a fault.
    """
    with open_planned(file) as stream:
        head = stream.read(SAMPLE_BYTES)
        remote = file.place is not None and is_remote(file.place.address)
        sample = read_sample(stream, head, file.bytes, _REMOTE_BYTES if remote else PASS_BYTES)
        fixed = replace(fixed_dialect(head, options), encoding=file.dialect.encoding)
        found, findings, names = detect_with_table(sample, fixed, options, expected, tab=prefers_tab(file.path))
        check_null_texts(file.path, found)
        if stream.seekable:
            stream.seek(len(head))
            header, _ = read_header(file.path, stream, head, found)
    if not stream.seekable:
        with open_planned(file) as again:
            header, _ = read_header(file.path, again, again.read(SAMPLE_BYTES), found)
    return replace(file, dialect=found, header=header, findings=findings, names=names or file.names)
