"""The files of a load: what its paths name, read as its options say."""

from __future__ import annotations

from collections.abc import Sequence

from pgsluice.errors import FileError
from pgsluice.model import LoadOptions
from pgsluice.source.discover import Discovery, discover


def discover_files(paths: Sequence[str], options: LoadOptions, *, problems: list[FileError] | None = None) -> Discovery:
    """Finds the files of a load; see :func:`pgsluice.source.discover.discover`, which raises the same errors.

    :param problems: takes the errors of single files, which are raised otherwise.
    :returns: the files; the caller closes the discovery when it has read them.
    """
    return discover(
        paths,
        options.dialect,
        options.settle,
        options.max_bytes,
        skip=options.skip,
        recursive=options.recursive,
        dialects=options.file_dialects,
        allow_empty=options.allow_empty,
        problems=problems,
    )
